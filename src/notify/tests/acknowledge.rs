//! Somebody is at it: what a receiver is told of a group that is silenced as a whole.

use super::super::fixture::commit;
use super::super::{Condition, Inhibition, Pipeline, Silence, SilenceChange};
use super::*;
use crate::config::Matchers;

fn pager() -> Policy {
    Policy {
        acknowledges: true,
        ..policy("chat")
    }
}

/// Of these matchers, over this time.
fn silence(name: &str, matchers: &str, from: i64, until: i64) -> Silence {
    Silence {
        name: name.into(),
        namespace: None,
        matchers: matchers.parse().unwrap(),
        condition: None::<Condition>,
        starts_at: at(from),
        ends_at: at(until),
        comment: "an upgrade".into(),
        created_by: None,
    }
}

/// Somebody makes one.
fn make(rig: &mut Rig, second: i64, silence: Silence) -> String {
    let mut effects = crate::engine::Effects::default();
    let change = SilenceChange::Put(silence);
    rig.notify.change_silence(at(second), change, &mut effects);
    rig.decisions.extend(commit(&mut rig.store, effects).0);
    rig.step(second, &[])
}

/// Two alerts of one group, told at 10.
fn told() -> Rig {
    let mut rig = Rig::new(vec![pager()]);
    rig.step(0, &[alert("failed", "a", 0), alert("failed", "b", 0)]);
    assert!(rig.run(15).ends_with("Firing/New opens: b a"));
    rig
}

#[test]
fn a_group_that_is_silenced_as_a_whole_is_acknowledged_once_at_its_next_tick() {
    let mut rig = told();
    assert_eq!(
        make(
            &mut rig,
            20,
            silence("upgrade", "alertname=failed", 20, 2000)
        ),
        ""
    );
    assert_snapshot!(rig.run(1999), @r#"70 chat{alertname="failed"} Firing/Acknowledged: b a"#);
    let reason = Reason::Acknowledged("upgrade: an upgrade".to_owned());
    let told = rig.decisions.iter().find(|one| one.reason == reason);
    assert_eq!(told.and_then(|one| one.until), Some(at(2000)));
    // What fires when the silence is over is told by its next repeat, as without.
    assert_snapshot!(rig.run(2100), @r#"2050 chat{alertname="failed"} Firing/Repeat: b a"#);
    rig.step(
        2200,
        &[
            resolved("failed", "a", 0, 2200),
            resolved("failed", "b", 0, 2200),
        ],
    );
    assert_snapshot!(rig.run(9999), @r#"2230 chat{alertname="failed"} Resolved/Resolved: [b] [a]"#);
    assert!(rig.store.is_empty(), "{:?}", rig.store);
}

#[test]
fn a_group_that_is_silenced_in_part_is_not_until_the_rest_is() {
    let mut rig = told();
    make(
        &mut rig,
        20,
        silence("one", "alertname=failed,name=a", 20, 5000),
    );
    assert_eq!(rig.run(200), "");
    make(
        &mut rig,
        200,
        silence("other", "alertname=failed,name=b", 200, 5000),
    );
    assert_snapshot!(rig.run(600), @r#"250 chat{alertname="failed"} Firing/Acknowledged: b a"#);
}

#[test]
fn what_was_not_told_is_not_acknowledged() {
    let mut rig = Rig::new(vec![pager()]);
    make(&mut rig, 0, silence("upgrade", "alertname=failed", 0, 500));
    rig.step(1, &[alert("failed", "a", 1)]);
    assert_eq!(rig.run(499), "");
    assert_snapshot!(rig.run(600), @r#"551 chat{alertname="failed"} Firing/New opens: a"#);
}

#[test]
fn another_silence_of_the_group_is_told_again_if_it_was_told_of_meanwhile() {
    let mut rig = told();
    make(&mut rig, 20, silence("first", "alertname=failed", 20, 300));
    assert_snapshot!(rig.run(500), @r#"70 chat{alertname="failed"} Firing/Acknowledged: b a"#);
    make(
        &mut rig,
        500,
        silence("second", "alertname=failed", 500, 2000),
    );
    assert_snapshot!(rig.run(800), @r#"550 chat{alertname="failed"} Firing/Acknowledged: b a"#);
    // A longer one in its place changes nothing.
    make(
        &mut rig,
        800,
        silence("third", "alertname=failed", 800, 3000),
    );
    assert_eq!(rig.run(2900), "");
}

#[test]
fn a_silence_that_begins_later_is_told_of_when_it_begins() {
    let mut rig = told();
    make(
        &mut rig,
        20,
        silence("tonight", "alertname=failed", 400, 900),
    );
    assert_eq!(rig.run(399), "");
    assert_snapshot!(rig.run(550), @r#"430 chat{alertname="failed"} Firing/Acknowledged: b a"#);
}

#[test]
fn a_crash_at_any_moment_neither_loses_nor_doubles_it() {
    for crash in [21, 40, 69, 70, 71, 130, 1000] {
        let mut rig = told();
        make(
            &mut rig,
            20,
            silence("upgrade", "alertname=failed", 20, 2000),
        );
        let mut lines = rig.run(crash - 1);
        rig.crash(at(crash));
        lines.push_str(&rig.step(crash, &[]));
        lines.push_str(&rig.run(1999));
        assert_eq!(lines.matches("Acknowledged").count(), 1, "{crash}: {lines}");
    }
}

#[test]
fn what_resolves_while_it_is_silenced_is_resolved() {
    let mut rig = told();
    make(
        &mut rig,
        20,
        silence("upgrade", "alertname=failed", 20, 2000),
    );
    rig.run(100);
    rig.step(
        100,
        &[
            resolved("failed", "a", 0, 100),
            resolved("failed", "b", 0, 100),
        ],
    );
    assert_snapshot!(rig.run(999), @r#"130 chat{alertname="failed"} Resolved/Resolved: [b] [a]"#);
}

#[test]
fn an_inhibition_acknowledges_nothing_and_ends_nobodys_acknowledgement() {
    let matchers = |text: &str| text.parse::<Matchers>().unwrap();
    let pipeline = Pipeline {
        inhibitions: vec![Inhibition {
            name: "explains".into(),
            namespace: None,
            source: matchers("alertname=down"),
            target: matchers("alertname=failed"),
            equal: Vec::new(),
            owner: false,
        }],
        ..Pipeline::default()
    };
    let mut rig = Rig::with(vec![pager()], pipeline);
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(15);
    rig.step(20, &[alert("down", "x", 20)]);
    assert!(!rig.run(700).contains("Acknowledged"));
    rig.step(700, &[resolved("down", "x", 20, 700)]);
    rig.run(800);
    make(
        &mut rig,
        800,
        silence("upgrade", "alertname=failed", 800, 5000),
    );
    assert_snapshot!(rig.run(1000), @r#"850 chat{alertname="failed"} Firing/Acknowledged: a"#);
    rig.step(1000, &[alert("down", "y", 1000)]);
    rig.run(1200);
    rig.step(1200, &[resolved("down", "y", 1000, 1200)]);
    assert!(!rig.run(2000).contains("Acknowledged"));
}

#[test]
fn a_receiver_that_does_not_know_it_is_told_nothing() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(15);
    make(
        &mut rig,
        20,
        silence("upgrade", "alertname=failed", 20, 2000),
    );
    assert_eq!(rig.run(1999), "");
    assert!(!rig.decided().contains("acknowledged"));
}
