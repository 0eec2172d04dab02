//! Rules on a small recording.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::cel::Json;
use crate::decision::Reason;
use crate::recording::{Recorder, Redaction};
use crate::setup::{Files, load};
use crate::watch::{Change, Observation};

mod live;
mod others;
mod run;

const RULES: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
  for: 5m
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: tried}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance, labelSelector: tier=gold}
  when: object.status.phase == 'Failed'
  shadow: true
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec: {webhook: {url: 'http://127.0.0.1/'}, groupBy: [...]}
";

fn loaded(rules: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, rules).unwrap();
    let files = Files {
        rules: vec![path],
        ..Files::default()
    };
    load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)))
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn phase(name: &str, phase: &str, version: i64) -> Signal {
    let object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": name, "namespace": "prod", "uid": name,
            "resourceVersion": version.to_string(), "labels": {"tier": "gold"}},
        "status": {"phase": phase},
    });
    Signal::Applied(Observation::of(Change::Applied, Json::from(object)).unwrap())
}

/// An hour in which `orders` fails every ten minutes for six, and `carts` once for long.
fn hour(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("hour.gz");
    let source = Source::of("stable.example.com/v1", "DatabaseInstance");
    let sources = vec![source.clone()];
    let mut recorder =
        Recorder::create(&path, at(0), sources, Redaction::default(), u64::MAX).unwrap();
    let mut say = |minute: i64, signal: Signal| {
        let source = source.key();
        recorder
            .record(at(minute), Signalled { source, signal })
            .unwrap();
    };
    say(0, Signal::ListBegan);
    say(0, phase("orders", "Running", 0));
    say(0, phase("carts", "Running", 0));
    say(0, Signal::ListEnded);
    for minute in 1..60 {
        match minute % 10 {
            1 => say(minute, phase("orders", "Failed", minute)),
            7 => say(minute, phase("orders", "Running", minute)),
            5 if minute == 15 => say(minute, phase("carts", "Failed", minute)),
            _ => {}
        }
    }
    recorder.finish(at(60)).unwrap();
    path
}

fn played(rules: &str, path: &std::path::Path) -> (Report, String) {
    let loaded = loaded(rules);
    let mut recording = Recording::open(path, &reads(&loaded)).unwrap();
    let mut heard = String::new();
    let mut hear = |decision: &Decision| {
        if matches!(decision.reason, Reason::Firing | Reason::Resolved(_)) {
            let minute = (decision.at.as_second() - 1_800_000_000) / 60;
            let object = decision
                .about
                .object
                .as_ref()
                .map_or("", |object| &object.name);
            let rule = decision.about.rule.as_ref().unwrap();
            let _ = write!(
                heard,
                "{minute} {rule} {object} {}; ",
                decision.reason.name()
            );
        }
    };
    let report = replay(&loaded, &mut recording, &mut hear, &mut |_| {}).unwrap();
    (report, heard)
}

#[test]
fn holds_and_messages_are_counted_on_the_time_of_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = hour(folder.path());
    let (report, heard) = played(RULES, &path);
    let of_failed: Vec<_> = heard
        .split("; ")
        .filter(|one| one.contains(" failed "))
        .collect();
    assert_snapshot!(of_failed.join("; "), @"6 failed orders firing; 7 failed orders resolved; 16 failed orders firing; 17 failed orders resolved; 20 failed carts firing; 26 failed orders firing; 27 failed orders resolved; 36 failed orders firing; 37 failed orders resolved; 46 failed orders firing; 47 failed orders resolved; 56 failed orders firing; 57 failed orders resolved");
    assert_snapshot!(report.text(), @"
    RULE     FIRED   RESOLVED   UNKNOWN   MESSAGES                      A WEEK
    failed   7       6          0         13                            2184
    tried    7       6          0         7 (shadow: would have sent)   1176

    RECEIVER   MESSAGES   A WEEK
    hook       13         2184

    RECEIVER (OF SHADOWS)   MESSAGES   A WEEK
    hook                    7          1176

    NOISIEST OBJECTS               MESSAGES
    DatabaseInstance/prod/orders   12
    DatabaseInstance/prod/carts    1

    NOISIEST OBJECTS (OF SHADOWS)   MESSAGES
    DatabaseInstance/prod/orders    6
    DatabaseInstance/prod/carts     1
    ");
    assert_snapshot!(report.summary(), @"2027-01-15T08:00:00Z to 2027-01-15T09:00:00Z: 13 transitions, 2 rules; would have sent 13 messages, about 2184 a week; 12 of them about DatabaseInstance/prod/orders; shadows would have sent 7 messages, about 1176 a week");
}

#[test]
fn two_sets_of_rules_differ_in_what_they_tell() {
    let folder = tempfile::tempdir().unwrap();
    let path = hour(folder.path());
    let (report, _) = played(RULES, &path);
    let (patient, _) = played(&RULES.replace("for: 5m", "for: 10m"), &path);
    assert_snapshot!(report::differences(&report.differences(&patient)), @"
    RULE     OBJECT                         MESSAGES   AGAINST
    failed   DatabaseInstance/prod/orders   12         0
    ");
}
