//! The bridge never waits for its recording.

use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::recording::run::RunRecording;
use crate::recording::{Redaction, header_of};
use crate::setup::{Files, load};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn began(folder: &Path) -> Began {
    let path = folder.join("rules.yaml");
    let rule = "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {name: r}\nspec:\n  \
                watch: {apiVersion: v1, kind: Pod}\n  when: object.failed\n";
    std::fs::write(&path, rule).unwrap();
    let files = Files {
        rules: vec![path],
        ..Files::default()
    };
    let loaded = load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)));
    Began {
        at: at(0),
        cluster: "test".into(),
        written: Written::of(&loaded, &files),
        records: Vec::new(),
    }
}

fn recorder(path: &Path) -> RunRecorder {
    RunRecorder::create(path, at(0), Vec::new(), Redaction::default(), u64::MAX).unwrap()
}

/// A feed that nobody takes anything from, until its writer runs.
fn stuck(recorder: RunRecorder) -> (Feed, Writer) {
    let (entries, to_write) = sync_channel(TURNS);
    let waiting = Arc::<AtomicUsize>::default();
    let writer = Writer {
        recorder,
        entries: to_write,
        waiting: waiting.clone(),
    };
    let feed = Feed {
        entries,
        waiting,
        reloads: VecDeque::new(),
        lost: Lost::default(),
        is_over: false,
        metrics: Metrics::new(),
    };
    (feed, writer)
}

fn read(path: &Path) -> Vec<Entry> {
    assert!(header_of(path).unwrap().of_a_run);
    let mut recording = RunRecording::open(path).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = recording.read().unwrap() {
        all.push(entry);
    }
    assert!(!recording.is_cut());
    all
}

#[test]
fn what_the_disk_cannot_keep_up_with_is_counted_and_said_where_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (mut feed, writer) = stuck(recorder(&path));
    let began = began(folder.path());
    let turns = i64::try_from(TURNS).unwrap() + 10;
    for second in 0..turns {
        let taken = feed.take(&[Input::Draining]).unwrap();
        feed.turn(at(second), taken, &[]);
    }
    assert_eq!((feed.lost.turns, feed.lost.inputs), (10, 10));
    // The disk catches up with what was before; the next turn goes in after what was lost.
    for _ in 0..TURNS {
        writer.entries.recv().unwrap();
    }
    writer.waiting.store(0, Ordering::Relaxed);
    feed.turn(at(turns), Vec::new(), &[]);
    assert_eq!(feed.lost.turns, 0);
    drop(feed);
    writer.run(began).unwrap();
    let all = read(&path);
    let [Entry::Began(_), Entry::Lost(missing), Entry::Turn(last)] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!((missing.turns, missing.inputs), (10, 10));
    assert_eq!(last.at, at(turns));
}

#[test]
fn a_recording_that_cannot_be_written_ends_and_its_feed_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (mut feed, writer) = stuck(recorder(&path));
    drop(writer);
    feed.turn(at(0), vec![Taken::Draining], &[]);
    assert_eq!(feed.lost.turns, 0);
    assert!(feed.take(&[Input::Draining]).is_none());
}
