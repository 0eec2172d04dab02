//! A run that was recorded, played again.

use insta::assert_snapshot;

use super::live::{Live, PLAIN, history};
use super::*;
use crate::engine::Input;
use crate::recording::run::{Attempted, Entry, Lost, RunRecording};
use crate::replay::rerun::{Rerun, rerun};

fn played_again(path: &std::path::Path) -> (Rerun, Vec<Decision>) {
    let mut recording = RunRecording::open(path).unwrap();
    let mut heard = Vec::new();
    let mut hear = |decision: &Decision| heard.push(decision.clone());
    let rerun = rerun(&mut recording, &mut hear, &mut |_| {}).unwrap();
    (rerun, heard)
}

#[test]
fn a_run_played_again_decides_what_it_decided() {
    let folder = tempfile::tempdir().unwrap();
    let live = history();
    let decisions = live.decisions.clone();
    let (rerun, heard) = played_again(&live.recorded(folder.path()));
    assert_eq!(heard, decisions);
    assert!(rerun.is_same(), "{}", rerun.summary());
    assert_snapshot!(rerun.summary(), @"the same is decided as then: 13 decisions and 3 attempts in 14 turns");
    assert_snapshot!(rerun.report.summary_of("sent"), @"2027-01-15T08:00:00Z to 2027-01-15T08:20:00Z: 3 transitions, 1 rule; sent 2 messages, about 1008 a week; 2 of them about DatabaseInstance/prod/orders");
    let reasons: Vec<&str> = heard
        .iter()
        .map(|decision| decision.reason.name())
        .collect();
    assert_snapshot!(reasons.join(" "), @"pending firing queued retrying sent resolved grouped queued sent silence-made pending firing silenced");
}

#[test]
fn where_something_else_is_decided_than_then_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut live = history();
    let attempts = live.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Turn(turn) if !turn.decided.attempts.is_empty() => Some(&mut turn.decided),
        _ => None,
    });
    let tampered = attempts.last().unwrap();
    tampered.decisions.pop();
    tampered.attempts = vec![Attempted {
        id: "another".into(),
        number: 7,
    }];
    let (rerun, _) = played_again(&live.recorded(folder.path()));
    assert!(!rerun.is_same());
    assert_eq!(rerun.otherwise, 1);
    assert_snapshot!(rerun.summary(), @r##"
    1 of 14 turns decide otherwise than then, under 0.1.0 (this is 0.1.0)
      2027-01-15T08:09:00Z
        then: attempt 7 of another
        now:  attempt 1 of 1ace810f483e1e72100a5f369dd64846
        now:  queued: rule "failed", object {"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","namespace":"prod","name":"orders","uid":"b7c81242-592e-ea86-187d-e2a6c35c6b23"}, alert "3ea806e24adec0b64b7f74985daab121", receiver "hook", group "hook{alertname=\"failed\",cluster=\"live\",kind=\"DatabaseInstance\",name=\"orders\",namespace=\"prod\",severity=\"warning\"#3ea806e24adec0b64b7f74985daab121}", notification "1ace810f483e1e72100a5f369dd64846"
    "##);
}

#[test]
fn what_follows_what_is_lost_is_not_played() {
    let folder = tempfile::tempdir().unwrap();
    let mut live = history();
    live.entries.truncate(3);
    let lost = Lost {
        turns: 1,
        inputs: 1,
    };
    live.entries.push(Entry::Lost(lost));
    live.turn(30, Vec::new(), None);
    let (rerun, _) = played_again(&live.recorded(folder.path()));
    assert_eq!(rerun.lost, Some((at(1), lost)));
    assert_eq!((rerun.turns, rerun.is_same()), (2, true));
}

#[test]
fn a_secret_that_changed_is_told_of_again_although_its_values_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let rules = PLAIN
        .replace(
            "apiVersion: stable.example.com/v1, kind: DatabaseInstance",
            "apiVersion: v1, kind: Secret",
        )
        .replace(
            "when: object.status.phase == 'Failed'\n  for: 5m",
            "on: object.data != oldObject.data",
        );
    let secret = |value: &str, version: i64| {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"key": value},
            "metadata": {"name": "a", "namespace": "prod", "uid": "a", "resourceVersion": version.to_string()},
        });
        Signal::Applied(Observation::of(Change::Applied, Json::from(object)).unwrap())
    };
    let mut live = Live::start(&rules);
    let mut say = |minute: i64, signals: Vec<Signal>| {
        let source = Source::of("v1", "Secret").key();
        let signals = signals.into_iter().map(|signal| {
            let source = source.clone();
            Input::Signalled(Signalled { source, signal })
        });
        live.turn(minute, signals.collect(), None);
    };
    say(
        0,
        vec![Signal::ListBegan, secret("c2VjcmV0", 1), Signal::ListEnded],
    );
    say(1, vec![secret("b3RoZXI=", 2)]);
    say(2, vec![secret("b3RoZXI=", 3)]);
    let (rerun, heard) = played_again(&live.recorded(folder.path()));
    assert!(rerun.is_same(), "{}", rerun.summary());
    let occurred = heard.iter().filter(|it| it.reason == Reason::Occurred);
    assert_eq!(occurred.count(), 1);
}
