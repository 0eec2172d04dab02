//! Other rules while the engine runs: nobody hears of an edit, and nothing is missed.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::world::{World, at, database, databases, rule, setup, warning};
use crate::alert::State;
use crate::engine::Setup;
use crate::journal::Key;
use crate::watch::Signal;

const FAILED: &str = "when: object.status.phase == 'Failed'";

fn phase(phase: &str) -> Value {
    database("orders", json!({"phase": phase}))
}

#[test]
fn an_edit_tells_nobody_again_and_keeps_the_alert_and_its_since() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(100);
    let before = world.engine.alerts().next().cloned().unwrap();
    let edited = "when: object.status.phase in ['Failed', 'Lost']\nsummary: 'It has failed'\n\
                  severity: critical\nlabels: {team: storage}\nfor: 1m";
    world.reload(setup(&rule("failed", edited)), &[phase("Failed")]);
    world.run_to(200);
    let after = world.engine.alerts().next().cloned().unwrap();
    assert_eq!(after.fingerprint, before.fingerprint);
    assert_eq!(after.active_since, at(0));
    assert_eq!(
        (&after.labels, after.severity),
        (&before.labels, before.severity)
    );
    assert_eq!(after.texts.summary.as_deref(), Some("It has failed"));
    world.apply(&phase("Running"));
    world.run_to(300);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    200s Resolved Resolved: failed orders
    ");
}

#[test]
fn a_pending_hold_goes_on_and_takes_the_new_length() {
    let held = |hold: &str| {
        rule(
            "failed",
            &format!("{FAILED}\nfor: {hold}\nlabels: {{hold: {hold}}}"),
        )
    };
    let mut world = World::listed(&held("5m"), &[phase("Failed")]);
    world.run_to(100);
    world.reload(setup(&held("5m")), &[]);
    world.run_to(200);
    world.reload(setup(&held("4m")), &[]);
    world.run_to(400);
    assert_snapshot!(world.told(), @"240s Firing New: failed orders");
    assert_eq!(world.sent[0].1.alerts[0].labels["hold"], "4m".into());
}

#[test]
fn a_removed_rule_resolves_its_alerts_and_says_so() {
    let both = format!("{}{}", rule("failed", FAILED), rule("other", FAILED));
    let pending = rule("pending", &format!("{FAILED}\nfor: 5m"));
    let mut world = World::listed(&format!("{both}{pending}"), &[phase("Failed")]);
    world.run_to(100);
    world.reload(setup(&rule("failed", FAILED)), &[]);
    world.run_to(1000);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    0s Firing New: other orders
    100s Resolved Resolved: other orders
    ");
    assert_snapshot!(world.reasons().join("\n"), @"
    firing
    firing
    pending
    resolved: the rule was removed
    withdrawn
    ");
    assert_eq!(world.engine.alerts().count(), 1);
}

#[test]
fn a_renamed_rule_keeps_its_alerts() {
    let held = format!("{FAILED}\nfor: 5m");
    let both = format!("{}{}", rule("old-name", FAILED), rule("old-hold", &held));
    let mut world = World::listed(&both, &[phase("Failed")]);
    world.run_to(100);
    let renamed = format!(
        "{}{}",
        rule("new-name", &format!("{FAILED}\nformerly: [old-name]")),
        rule("new-hold", &format!("{held}\nformerly: [old-hold]")),
    );
    world.reload(setup(&renamed), &[]);
    world.crash();
    world.list(&[phase("Failed")]);
    world.run_to(400);
    world.apply(&phase("Running"));
    world.run_to(500);
    assert_snapshot!(world.told(), @"
    0s Firing New: old-name orders
    300s Firing New: new-hold orders
    400s Resolved Resolved: new-hold orders
    400s Resolved Resolved: new-name orders
    ");
}

#[test]
fn a_new_state_is_evaluated_and_a_new_occurrence_starts_from_here() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(100);
    let with = [
        rule("failed", FAILED),
        rule("not-running", "when: object.status.phase != 'Running'"),
        rule("becoming", "on: object.status.phase == 'Failed'"),
        rule(
            "changing",
            "on: object.status.phase != oldObject.status.phase",
        ),
        rule("added", "on: change == 'ADDED'"),
    ];
    world.reload(setup(&with.concat()), &[]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    100s Firing New: not-running orders
    ");
    world.apply(&phase("Running"));
    world.apply(&phase("Failed"));
    world.run_to(300);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    100s Firing New: not-running orders
    200s Firing Occurred: changing orders
    200s Resolved Resolved: failed orders
    200s Resolved Resolved: not-running orders
    200s Firing Occurred: becoming orders
    200s Firing Occurred: changing orders
    201s Firing New: failed orders
    201s Firing New: not-running orders
    ");
}

#[test]
fn an_edited_state_is_evaluated_at_once() {
    let carts = database("carts", json!({"phase": "Stuck"}));
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed"), carts]);
    world.run_to(100);
    let edited = rule("failed", "when: object.status.phase == 'Stuck'");
    world.reload(setup(&edited), &[]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    100s Firing New: failed carts
    100s Resolved Resolved: failed orders
    ");
}

#[test]
fn an_edited_occurrence_forgets_what_its_former_text_was_true_of() {
    let of = |phases: &str| rule("became", &format!("on: object.status.phase in {phases}"));
    let mut world = World::listed(&of("['Failed']"), &[phase("Running")]);
    world.run_to(100);
    world.reload(setup(&of("['Failed', 'Running']")), &[]);
    world.run_to(200);
    world.apply(&phase("Failed"));
    world.run_to(300);
    world.reload(setup(&of("['Failed']")), &[]);
    world.apply(&phase("Running"));
    world.apply(&phase("Failed"));
    world.run_to(400);
    assert_snapshot!(world.told(), @"300s Firing Occurred: became orders");
}

#[test]
fn an_occurrence_that_is_edited_while_nobody_runs_forgets_it_as_well() {
    let of = |phases: &str| rule("became", &format!("on: object.status.phase in {phases}"));
    let mut world = World::listed(&of("['Failed']"), &[phase("Running")]);
    world.run_to(100);
    world.restart_with(setup(&of("['Running']")));
    world.list(&[phase("Running")]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"");
}

#[test]
fn a_rule_that_cannot_be_read_keeps_its_alerts_and_says_so_once() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(100);
    let without = |frozen: bool| Setup {
        frozen: BTreeMap::from_iter(
            frozen.then(|| ("failed".into(), "rules/ does not exist".into())),
        ),
        ..setup(&rule("other", "when: object.status.phase == 'Lost'"))
    };
    for _ in 0..2 {
        world.reload(without(true), &[]);
    }
    world.crash();
    world.list(&[phase("Failed")]);
    world.run_to(200);
    assert_eq!(world.engine.alerts().next().unwrap().state, State::Firing);
    assert_eq!(world.engine.status().frozen.len(), 1);
    world.reload(setup(&rule("failed", FAILED)), &[]);
    world.apply(&phase("Running"));
    world.run_to(300);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    200s Resolved Resolved: failed orders
    ");
    assert_snapshot!(world.reasons().join("\n"), @"
    firing
    frozen: rules/ does not exist
    frozen: rules/ does not exist
    resolved: no longer true
    ");
}

fn watching(namespaces: &str) -> Setup {
    let rule = rule("failed", FAILED);
    let everywhere = "kind: DatabaseInstance}";
    setup(&rule.replace(everywhere, &format!("kind: DatabaseInstance{namespaces}}}")))
}

#[test]
fn a_rule_that_watches_elsewhere_keeps_what_it_still_sees() {
    let mut elsewhere = database("carts", json!({"phase": "Failed"}));
    elsewhere["metadata"]["namespace"] = "test".into();
    let mut gone = database("users", json!({"phase": "Failed"}));
    gone["metadata"]["namespace"] = "prod".into();
    let objects = [phase("Failed"), elsewhere, gone];
    let mut world = World::listed(&rule("failed", FAILED), &objects);
    world.run_to(100);
    world.reload(watching(", namespaces: [prod]"), &objects[..1]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed carts
    0s Firing New: failed orders
    0s Firing New: failed users
    100s Resolved Resolved: failed carts
    100s Resolved Resolved: failed users
    ");
    let left = |reason: &&String| reason.contains("left selection");
    assert_eq!(world.reasons().iter().filter(left).count(), 2);
}

#[test]
fn what_nobody_watches_any_more_leaves_the_journal() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Running")]);
    world.run_to(100);
    assert!(world.journal.contains_key(&Key::Source(databases())));
    world.reload(watching(", namespaces: [prod]"), &[]);
    world.run_to(200);
    let of = |key: &Key| match key {
        Key::Source(source) | Key::Object(source, _) => *source == databases(),
        _ => false,
    };
    assert!(!world.journal.keys().any(of));
}

#[test]
fn a_shadow_that_is_lifted_tells_what_fires() {
    let shadow = rule("failed", &format!("{FAILED}\nshadow: true"));
    let mut world = World::listed(&shadow, &[phase("Failed")]);
    world.run_to(100);
    world.reload(setup(&rule("failed", FAILED)), &[]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"100s Firing New: failed orders");
}

#[test]
fn a_receiver_that_is_gone_is_not_attempted_and_takes_up_when_it_is_back() {
    let mut world = World::listed(&rule("failed", FAILED), &[]);
    world.receiver_is_up = false;
    world.apply(&phase("Failed"));
    world.run_to(10);
    let without = Setup {
        policies: Vec::new(),
        ..setup(&rule("failed", FAILED))
    };
    world.reload(without, &[]);
    world.receiver_is_up = true;
    world.run_to(100);
    assert_eq!(world.sent.len(), 0);
    world.reload(setup(&rule("failed", FAILED)), &[]);
    world.run_to(200);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn a_pending_alert_goes_where_the_edited_rule_says() {
    let held = format!("{FAILED}\nfor: 5m");
    let mut world = World::listed(&rule("failed", &held), &[phase("Failed")]);
    assert!(world.engine.alerts().all(|alert| alert.routed));
    let named = format!("{held}\nnotify: [chat]");
    world.reload(setup(&rule("failed", &named)), &[]);
    world.run_to(300);
    assert!(world.engine.alerts().all(|alert| !alert.routed));
}

#[test]
fn a_repeat_of_an_event_is_the_same_after_the_rule_was_renamed() {
    let on = "\"on\": event.reason == 'FailedProvisioning'";
    let mut world = World::listed(&rule("quota", on), &[phase("Running")]);
    world.say_of_events(Signal::Event(warning("e1", "orders", 1, at(0))));
    world.run_to(60);
    let renamed = format!("{on}\nformerly: [quota]");
    world.reload(setup(&rule("no-quota", &renamed)), &[]);
    world.run_to(120);
    world.say_of_events(Signal::Event(warning("e1", "orders", 2, at(120))));
    world.run_to(3_600);
    assert_snapshot!(world.told(), @"0s Firing Occurred: quota orders");
}
