//! Files that a crash, a bad disk or a person left behind.

use std::fs;

use super::*;

/// A file as `kill -9` leaves it: copied while it is open.
fn killed(place: &Place) -> (Vec<u8>, Vec<(Key, Record)>) {
    let states = written(&place.path());
    let mut store = open(&place.path()).unwrap();
    let batch = put([(event(7), seen(99)), (event(200), seen(1))]);
    store.commit(&batch, store.epoch()).unwrap();
    let after = store.load().unwrap();
    assert_ne!(after, states[20]);
    (fs::read(place.path()).unwrap(), after)
}

#[test]
fn a_crash_loses_nothing_that_was_committed() {
    let (bytes, committed) = killed(&Place::new());
    let place = Place::new();
    fs::write(place.path(), bytes).unwrap();
    assert_eq!(open(&place.path()).unwrap().load().unwrap(), committed);
}

/// A torn or altered file is refused with the way out, or it is one of these states; never a
/// mix, never a panic. Says whether it could be read.
fn refused_or_whole(bytes: &[u8], states: &[Vec<(Key, Record)>], what: &str) -> bool {
    let place = Place::new();
    fs::write(place.path(), bytes).unwrap();
    match open(&place.path()).and_then(|mut store| store.load()) {
        Ok(records) => {
            assert!(states.contains(&records), "{what}: a mix of two commits");
            true
        }
        Err(error) => {
            assert!(error.help().contains("mv "), "{what}: {error}");
            false
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let original = Place::new();
    let states = written(&original.path());
    let bytes = fs::read(original.path()).unwrap();
    for part in 0..64 {
        let length = 1 + bytes.len() * part / 64;
        let what = format!("cut at {length} of {}", bytes.len());
        refused_or_whole(&bytes[..length], &states[20..], &what);
    }
}

#[test]
fn a_file_with_a_flipped_bit_is_refused_or_means_the_same() {
    let original = Place::new();
    let states = written(&original.path());
    let bytes = fs::read(original.path()).unwrap();
    let header = (0..512).step_by(7);
    let body = (0..bytes.len()).step_by(bytes.len() / 199);
    let mut refused = 0;
    for at in header.chain(body) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        let what = format!("bit flipped in byte {at}");
        if !refused_or_whole(&altered, &states[20..], &what) {
            refused += 1;
        }
    }
    assert!(
        refused > 0,
        "nothing was noticed: do these flips touch the file?"
    );
}

#[test]
fn a_crashed_file_that_is_damaged_too_is_refused_or_a_commit() {
    let original = Place::new();
    let (bytes, after) = killed(&original);
    let mut before = after.clone();
    before.retain(|(key, _)| *key != event(200));
    before
        .iter_mut()
        .find(|(key, _)| *key == event(7))
        .unwrap()
        .1 = seen(20);
    let states = [before, after];
    for at in (0..bytes.len()).step_by(bytes.len() / 199) {
        let mut altered = bytes.clone();
        altered[at] ^= 0xFF;
        refused_or_whole(&altered, &states, &format!("byte {at} altered"));
    }
}
