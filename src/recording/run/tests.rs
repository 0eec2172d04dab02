//! What is written of a run is what is read, without what nobody is to read.

use std::fs::File;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde_json::json;

use super::*;
use crate::alert::{Alert, Nature, State};
use crate::cel::Json;
use crate::decision::{About, Reason};
use crate::names::{Labels, Severity, Uid};
use crate::outbox::{Outcome, Post};
use crate::recording::{Recording, RecordingError, Redaction};
use crate::setup::{Files, load};
use crate::transition::ObjectSeen;
use crate::watch::{Change, Observation, Signal};

/// What stands for what was left out.
const MARK: &str = "‹redacted›";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn secret(name: &str, value: &str) -> Json {
    Json::from(json!({
        "apiVersion": "v1", "kind": "Secret", "data": {"key": value},
        "metadata": {"name": name, "namespace": "prod", "uid": name, "resourceVersion": "1"},
        "spec": {"users": [{"password": value}], "size": 1.0},
    }))
}

fn observed(change: Change, object: Json) -> Observation {
    Observation::of(change, object).unwrap()
}

fn written(folder: &std::path::Path, hold: &str) -> Written {
    let path = folder.join("rules.yaml");
    let rule = format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: r}}\nspec:\n  \
         watch: {{apiVersion: v1, kind: Secret}}\n  when: object.failed\n  for: {hold}\n"
    );
    std::fs::write(&path, rule).unwrap();
    let files = Files {
        rules: vec![path],
        served: vec![("v1".to_owned(), json!({"large": "x".repeat(1000)}))],
        advisory: true,
        ..Files::default()
    };
    let loaded = load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)));
    Written::of(&loaded, &files)
}

fn alert() -> Arc<Alert> {
    let object = observed(Change::Applied, secret("a", "c2VjcmV0"))
        .header
        .object;
    Arc::new(Alert {
        fingerprint: crate::names::Fingerprint::of(&["a"]),
        rule: "r".into(),
        source: "v1/Secret".to_owned().into(),
        object,
        dedup_key: None,
        nature: Nature::State,
        state: State::Firing,
        labels: Labels::default(),
        severity: Severity::default(),
        receivers: Vec::new(),
        active_since: at(0),
        fired_at: Some(at(0)),
        keep_since: None,
        unknown_since: None,
        resolution: None,
        count: 1,
        owners: Vec::new(),
        late: false,
        shadow: false,
        routed: false,
        texts: crate::alert::Texts::default(),
        view: Arc::new(Json::from(json!({
            "object": {"data": {"key": "c2VjcmV0"}}, "variables": {"key": "c2VjcmV0"},
            "changes": [{"path": "spec.users[0].password", "old": "c2VjcmV0", "new": "x"}],
        }))),
    })
}

fn entries(folder: &std::path::Path) -> Vec<Entry> {
    let source = crate::names::SourceKey::from("v1/Secret".to_owned());
    let said = |signal: Signal| {
        let source = source.clone();
        Taken::Said(Signalled { source, signal })
    };
    let decision = Decision {
        at: at(1),
        reason: Reason::Firing,
        about: About::default(),
        until: Some(at(9)),
    };
    let spec = secret("a", "c2VjcmV0").get("spec").cloned().map(Arc::new);
    let well = crate::transition::LastWell {
        spec,
        well_since: None,
    };
    let seen = ObjectSeen {
        object: Arc::new(secret("a", "c2VjcmV0")),
        levels: std::collections::BTreeMap::new(),
        last_well: [("r".into(), well)].into(),
    };
    let alert = alert();
    vec![
        Entry::Began(Box::new(Began {
            at: at(0),
            cluster: "test".into(),
            written: written(folder, "1m"),
            records: vec![
                (
                    Key::Object(source.clone(), Uid::parse("a")),
                    Record::Object(seen),
                ),
                (Key::Alert(alert.fingerprint), Record::Alert(alert)),
            ],
        })),
        Entry::Turn(Turn {
            at: at(1),
            inputs: vec![
                said(Signal::ListBegan),
                said(Signal::Applied(observed(
                    Change::Applied,
                    secret("a", "c2VjcmV0"),
                ))),
                said(Signal::Deleted(observed(
                    Change::Deleted,
                    secret("b", "c2VjcmV0"),
                ))),
                said(Signal::ListEnded),
                said(Signal::Broken { why: "gone".into() }),
                said(Signal::EventDeleted(Uid::parse("e"))),
            ],
            decided: Decided {
                decisions: vec![decision],
                attempts: vec![Attempted {
                    id: "n".to_owned().into(),
                    number: 2,
                }],
            },
        }),
        Entry::Lost(Lost {
            turns: 2,
            inputs: 3,
        }),
        Entry::Turn(Turn {
            at: at(2),
            inputs: vec![
                Taken::Delivered(
                    "n".to_owned().into(),
                    Delivery {
                        outcome: Outcome::Retry {
                            after: Some(jiff::SignedDuration::from_millis(1500)),
                            why: "503".into(),
                        },
                        post: Some(Post {
                            channel: "C".into(),
                            ts: "1.2".into(),
                        }),
                    },
                ),
                Taken::Reloaded(Box::new(written(folder, "2m"))),
                Taken::Silences(vec![SilenceChange::Expire("night".into())]),
                Taken::Outbox(vec![OutboxChange::Retry("n".to_owned().into())]),
                Taken::Draining,
            ],
            decided: Decided::default(),
        }),
    ]
}

fn recorded(folder: &std::path::Path, entries: Vec<Entry>, largest: u64) -> std::path::PathBuf {
    let path = folder.join("run");
    let redaction = Redaction::of(&["spec.users[].password".to_owned()]).unwrap();
    let mut recorder = RunRecorder::create(&path, at(0), Vec::new(), redaction, largest).unwrap();
    for entry in entries {
        recorder.write(entry).unwrap();
    }
    recorder.finish().unwrap();
    path
}

fn read(path: &std::path::Path) -> Vec<Entry> {
    let mut recording = RunRecording::open(path).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = recording.read().unwrap() {
        all.push(entry);
    }
    all
}

#[test]
fn what_is_read_is_what_was_written_and_no_value_of_a_secret_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path(), entries(folder.path()), u64::MAX);
    let mut text = String::new();
    MultiGzDecoder::new(File::open(&path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert!(!text.contains("c2VjcmV0"), "{text}");
    // The schemas are the same after the reload: they stand there once.
    assert_eq!(text.matches("xxxxxxxxxx").count(), 100);

    let mut expected = entries(folder.path());
    let redacted = |object: &Json| {
        let text = object.to_string().replace("c2VjcmV0", MARK);
        serde_json::from_str::<Json>(&text).unwrap()
    };
    if let Entry::Began(began) = &mut expected[0] {
        for (_, record) in &mut began.records {
            match record {
                Record::Object(seen) => {
                    seen.object = Arc::new(redacted(&seen.object));
                    let well = seen.last_well.values_mut().next().unwrap();
                    well.spec = well.spec.as_ref().map(|spec| Arc::new(redacted(spec)));
                }
                Record::Alert(alert) => {
                    let view = json!({"object": {"data": {"key": MARK}}});
                    Arc::make_mut(alert).view = Arc::new(Json::from(view));
                }
                _ => {}
            }
        }
    }
    if let Entry::Turn(turn) = &mut expected[1] {
        for taken in &mut turn.inputs {
            if let Taken::Said(Signalled {
                signal: Signal::Applied(it) | Signal::Deleted(it),
                ..
            }) = taken
            {
                it.object = redacted(&it.object);
            }
        }
    }
    assert_eq!(unmarked(&read(&path)), unmarked(&expected));
}

/// In words, with every mark of something that was left out as the same.
fn unmarked(entries: &[Entry]) -> String {
    let text = format!("{entries:#?}");
    let mut parts = text.split("‹redacted");
    let first = parts.next().unwrap().to_owned();
    let rest = parts.map(|part| part.split_once('›').unwrap().1);
    rest.fold(first, |all, part| all + MARK + part)
}

#[test]
fn a_recording_of_a_run_goes_on_in_other_files_and_is_no_recording_of_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = entries(folder.path());
    all.truncate(1);
    let turn = |second| {
        Entry::Turn(Turn {
            at: at(second),
            inputs: vec![Taken::Outbox(vec![OutboxChange::Drop(
                format!("{}", second * 7919 % 1013).into(),
            )])],
            decided: Decided::default(),
        })
    };
    all.extend((0..5_000).map(turn));
    let path = recorded(folder.path(), all, 4_096);
    assert!(folder.path().join("run.2").exists());
    let turns = read(&path);
    assert_eq!(turns.len(), 5_001);
    assert_eq!(turns[5_000], turn(4_999));
    let opened = Recording::open(&path, &crate::cel::PathSet::all());
    let refused = opened.and_then(|mut recording| recording.read());
    assert!(
        matches!(refused, Err(RecordingError::Line { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_recording_that_was_cut_at_once_is_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let recorder =
        RunRecorder::create(&path, at(0), Vec::new(), Redaction::default(), u64::MAX).unwrap();
    let mut recording = RunRecording::open(&path).unwrap();
    assert_eq!(recording.read().unwrap(), None);
    assert!(recording.is_cut());
    drop(recorder);
}
