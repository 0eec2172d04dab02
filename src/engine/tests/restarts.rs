//! A crash, and the life after it.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, at, database, rule, setup, warning};
use crate::journal::Key;

fn phase(phase: &str) -> serde_json::Value {
    database("orders", json!({"phase": phase}))
}

const FAILED: &str = "when: object.status.phase == 'Failed'\nfor: 5m";

#[test]
fn a_hold_goes_on_from_its_stored_start() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(200);
    world.crash();
    world.run_to(250);
    world.list(&[phase("Failed")]);
    world.run_to(400);
    assert_snapshot!(world.told(), @"300s Firing New: failed orders");
}

#[test]
fn a_hold_that_ended_while_nobody_watched_fires_after_the_first_list_and_not_before() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(200);
    world.crash();
    world.run_to(900);
    assert_snapshot!(world.told(), @"");
    world.list(&[phase("Failed")]);
    world.run_to(901);
    assert_snapshot!(world.told(), @"900s Firing New: failed orders");
}

#[test]
fn what_was_told_is_not_told_again() {
    let spec = "when: object.status.phase == 'Failed'";
    let mut world = World::listed(&rule("failed", spec), &[phase("Failed")]);
    world.run_to(100);
    world.crash();
    world.list(&[phase("Failed")]);
    world.run_to(200);
    world.apply(&phase("Running"));
    world.run_to(300);
    assert_snapshot!(world.told(), @r"
    0s Firing New: failed orders
    200s Resolved Resolved: failed orders
    ");
}

#[test]
fn an_object_that_recovered_or_went_while_nobody_watched_resolves() {
    let spec = "when: object.status.phase == 'Failed'";
    let other = database("users", json!({"phase": "Failed"}));
    let mut world = World::listed(&rule("failed", spec), &[phase("Failed"), other]);
    world.run_to(100);
    world.crash();
    world.list(&[phase("Running")]);
    world.run_to(200);
    assert_snapshot!(world.told(), @r"
    0s Firing New: failed orders
    0s Firing New: failed users
    100s Resolved Resolved: failed orders
    100s Resolved Resolved: failed users
    ");
}

#[test]
fn a_change_while_nobody_watched_is_one_late_transition() {
    let spec = "on: object.status.phase != oldObject.status.phase";
    let mut world = World::listed(&rule("phase", spec), &[phase("Running")]);
    world.run_to(100);
    world.crash();
    world.list(&[phase("Failed")]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"100s Firing Occurred: phase orders");
    assert!(world.sent[0].1.alerts[0].late);
}

#[test]
fn only_events_that_happened_more_often_are_news_after_a_restart() {
    let spec = "on: event.reason == 'FailedProvisioning'";
    let mut world = World::listed(&rule("quota", spec), &[phase("Running")]);
    let seen = warning("e1", "orders", 1, at(0));
    world.say_of_events(crate::watch::Signal::Event(seen.clone()));
    world.run_to(100);
    world.crash();
    world.list(&[phase("Running")]);
    world.list_events(&[seen, warning("e2", "orders", 1, at(90))]);
    world.run_to(200);
    assert_snapshot!(world.told(), @r"
    0s Firing Occurred: quota orders
    100s Firing Occurred: quota orders
    ");
}

#[test]
fn a_path_that_was_not_stored_is_seen_for_the_first_time_and_did_not_change() {
    let before = rule("failed", "when: object.status.phase == 'Failed'");
    let after = rule("engine", "on: object.spec.engine != oldObject.spec.engine");
    let mut world = World::listed(&before, &[phase("Running")]);
    world.run_to(100);
    world.restart_with(setup(&format!("{before}{after}")));
    world.list(&[phase("Running")]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"");
}

#[test]
fn a_removed_rule_resolves_its_alerts_and_a_renamed_one_keeps_them() {
    let spec = "when: object.status.phase == 'Failed'";
    let both = format!("{}{}", rule("removed", spec), rule("old-name", spec));
    let mut world = World::listed(&both, &[phase("Failed")]);
    world.run_to(100);
    let renamed = rule("new-name", &format!("{spec}\nformerly: [old-name]"));
    world.restart_with(setup(&renamed));
    world.list(&[phase("Failed")]);
    world.run_to(200);
    world.apply(&phase("Running"));
    world.run_to(300);
    assert_snapshot!(world.told(), @r"
    0s Firing New: old-name orders
    0s Firing New: removed orders
    100s Resolved Resolved: removed orders
    200s Resolved Resolved: new-name orders
    ");
}

#[test]
fn what_a_dead_receiver_did_not_take_is_sent_after_the_restart() {
    let spec = "when: object.status.phase == 'Failed'";
    let mut world = World::listed(&rule("failed", spec), &[]);
    world.receiver_is_up = false;
    world.apply(&phase("Failed"));
    world.run_to(10);
    world.crash();
    world.receiver_is_up = true;
    world.run_to(60);
    assert_eq!(world.sent.len(), 1);
    assert!(
        !world
            .journal
            .keys()
            .any(|key| matches!(key, Key::Outbox(..)))
    );
}

#[test]
fn that_an_alert_cannot_be_evaluated_is_told_once_after_a_quarter_of_an_hour_whatever_restarts() {
    let spec = "when: object.status.storageUsedGB > 90";
    let full = database("orders", json!({"storageUsedGB": 95}));
    let wrong = database("orders", json!({"storageUsedGB": "many"}));
    let mut world = World::listed(&rule("full", spec), std::slice::from_ref(&full));
    world.apply(&wrong);
    for minutes in [10, 20, 40] {
        world.run_to(minutes * 60);
        world.crash();
        world.list(std::slice::from_ref(&wrong));
    }
    world.run_to(3_600);
    assert_snapshot!(world.told(), @"
    0s Firing New: full orders
    900s Firing Occurred: full orders
    ");
    world.apply(&full);
    world.apply(&wrong);
    world.run_to(7_200);
    assert_snapshot!(world.told(), @"
    0s Firing New: full orders
    900s Firing Occurred: full orders
    4500s Firing Occurred: full orders
    ");
}

#[test]
fn that_a_rule_can_be_evaluated_on_nothing_is_told_once_whatever_restarts() {
    let wrong = database("orders", json!({"storageUsedGB": "many"}));
    let spec = "when: object.status.storageUsedGB > 90";
    let mut world = World::listed(&rule("full", spec), std::slice::from_ref(&wrong));
    world.run_to(1_000);
    world.crash();
    world.list(std::slice::from_ref(&wrong));
    world.run_to(4_000);
    assert_snapshot!(world.told(), @"900s Firing Occurred: full orders");
    let noticed = |world: &World| {
        let mut keys = world.journal.keys();
        keys.any(|key| matches!(key, Key::Notice(..)))
    };
    assert!(noticed(&world));
    world.reload(
        setup(&rule("other", "when: object.status.phase == 'Lost'")),
        &[],
    );
    assert!(!noticed(&world));
}
