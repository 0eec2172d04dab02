//! What is written is what is read, also of a file that was cut.

use std::fs::File;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde_json::json;

use super::*;
use crate::names::SourceKey;
use crate::watch::{Change, Observation, Signal, Signalled};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn source() -> Source {
    Source::of("v1", "Secret")
}

fn observation(change: Change, name: &str, version: &str) -> Observation {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "data": {"key": "c2VjcmV0"},
        "metadata": {"name": name, "namespace": "prod", "uid": name, "resourceVersion": version},
    });
    Observation::of(change, Json::from(object)).unwrap()
}

fn applied(name: &str, version: &str) -> Signal {
    Signal::Applied(observation(Change::Applied, name, version))
}

struct Rig {
    folder: tempfile::TempDir,
    recorder: Recorder,
    second: i64,
}

impl Rig {
    fn new(largest: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("day");
        let sources = vec![source()];
        let recorder =
            Recorder::create(&path, at(0), sources, Redaction::default(), largest).unwrap();
        Self {
            folder,
            recorder,
            second: 0,
        }
    }

    fn say(&mut self, signals: impl IntoIterator<Item = Signal>) {
        for signal in signals {
            self.second += 1;
            let source: SourceKey = source().key();
            let signalled = Signalled { source, signal };
            self.recorder.record(at(self.second), signalled).unwrap();
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("day")
    }
}

/// What a recording says, a line each, and whether it was cut.
fn read(path: &Path) -> (Vec<String>, bool) {
    let mut recording = Recording::open(path, &PathSet::all()).unwrap();
    let mut lines = Vec::new();
    while let Some(frame) = recording.read().unwrap() {
        let name = |object: &Json| {
            let name = object.at(&["metadata", "name"]).and_then(Json::as_str);
            name.unwrap_or_default().to_owned()
        };
        let said = match &frame.said {
            Said::Listed(object) => format!("listed {}", name(object)),
            Said::ListEnded => "all is said".to_owned(),
            Said::Applied(object) => format!("applied {}", name(object)),
            Said::Deleted(object) => format!("deleted {}", name(object)),
            Said::Event(event) => format!("event {}", event.reason),
            Said::Broken(_, why) => format!("broken: {why}"),
            Said::Recovered(_) => "recovered".to_owned(),
            Said::Tick => continue,
        };
        lines.push(format!("{} {said}", frame.at.as_second() - 1_800_000_000));
    }
    (lines, recording.is_cut())
}

fn day(rig: &mut Rig) {
    rig.say([
        Signal::ListBegan,
        applied("a", "1"),
        applied("b", "1"),
        Signal::ListEnded,
    ]);
    rig.say([applied("a", "2"), Signal::Broken { why: "gone".into() }]);
    // The relist says again what is known, and does not name what is gone.
    rig.say([
        Signal::ListBegan,
        applied("a", "2"),
        applied("c", "1"),
        Signal::ListEnded,
    ]);
    rig.say([Signal::Recovered]);
    let last = observation(Change::Deleted, "c", "2");
    rig.say([Signal::Deleted(last)]);
}

const DAY: &str = "2 listed a, 3 listed b, 4 all is said, 5 applied a, 6 broken: gone, 9 applied c, \
                   10 deleted b, 11 recovered, 12 deleted c";

#[test]
fn what_was_said_is_read_and_a_relist_is_what_changed() {
    let mut rig = Rig::new(u64::MAX);
    day(&mut rig);
    let path = rig.path();
    rig.recorder.finish(at(20)).unwrap();
    assert_eq!(
        read(&path),
        (DAY.split(", ").map(str::to_owned).collect(), false)
    );
}

#[test]
fn large_files_are_followed_by_others_and_read_as_one() {
    let mut rig = Rig::new(1);
    day(&mut rig);
    rig.recorder.flush(at(13)).unwrap();
    day(&mut rig);
    let path = rig.path();
    rig.recorder.finish(at(20)).unwrap();
    let parts = std::fs::read_dir(rig.folder.path()).unwrap().count();
    assert!(parts > 1, "{parts}");
    let (lines, is_cut) = read(&path);
    assert!(!is_cut);
    assert!(lines.join(", ").starts_with(DAY), "{lines:?}");
}

#[test]
fn a_file_that_was_cut_is_good_for_what_was_flushed_before() {
    let mut rig = Rig::new(u64::MAX);
    day(&mut rig);
    rig.recorder.flush(at(13)).unwrap();
    let path = rig.path();
    let flushed = std::fs::metadata(&path).unwrap().len();
    rig.say([applied("later", "1")]);
    let whole = DAY.split(", ").count();
    rig.recorder.finish(at(20)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        if Recording::open(&path, &PathSet::all()).is_err() {
            assert!((length as u64) < flushed);
            continue;
        }
        let (lines, is_cut) = read(&path);
        assert!(is_cut || length as u64 == flushed, "{length}");
        if length as u64 >= flushed {
            assert!(lines.len() >= whole, "{length}: {lines:?}");
        }
    }
}

#[test]
fn a_recording_is_never_overwritten_and_nothing_else_is_taken_for_one() {
    let rig = Rig::new(u64::MAX);
    let again = Recorder::create(&rig.path(), at(0), Vec::new(), Redaction::default(), 1);
    assert!(matches!(again, Err(RecordingError::File { .. })));
    let other = rig.folder.path().join("other");
    std::fs::write(&other, "apiVersion: v1\n").unwrap();
    let opened = Recording::open(&other, &PathSet::all());
    assert!(matches!(opened, Err(RecordingError::Foreign { .. })));
}

#[test]
fn no_value_of_a_secret_is_written() {
    let mut rig = Rig::new(u64::MAX);
    day(&mut rig);
    let path = rig.path();
    rig.recorder.finish(at(20)).unwrap();
    let mut text = String::new();
    let file = File::open(&path).unwrap();
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert!(
        text.contains("redacted") && !text.contains("c2VjcmV0"),
        "{text}"
    );
}
