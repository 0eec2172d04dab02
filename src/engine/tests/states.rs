//! `when`: pending, firing, resolved.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, database, rule};

const FAILED: &str = "when: object.status.phase == 'Failed'\nfor: 5m";

fn failed() -> serde_json::Value {
    database("orders", json!({"phase": "Failed"}))
}

fn running() -> serde_json::Value {
    database("orders", json!({"phase": "Running"}))
}

#[test]
fn it_fires_when_the_hold_is_over_and_resolves_when_it_is_no_longer_true() {
    let mut world = World::listed(&rule("failed", FAILED), &[running()]);
    world.apply(&failed());
    world.run_to(299);
    assert_snapshot!(world.told(), @"");
    world.run_to(400);
    world.apply(&running());
    assert_snapshot!(world.told(), @r"
    300s Firing New: failed orders
    400s Resolved Resolved: failed orders
    ");
}

#[test]
fn it_does_not_fire_when_it_was_true_for_less_than_the_hold() {
    let mut world = World::listed(&rule("failed", FAILED), &[running()]);
    world.apply(&failed());
    world.run_to(299);
    world.apply(&running());
    world.run_to(1000);
    assert_snapshot!(world.told(), @"");
    assert_snapshot!(world.reasons().join(", "), @"pending, withdrawn");
}

#[test]
fn it_says_what_is_so_when_it_fires_not_when_its_hold_began() {
    let spec = "when: object.status.phase != 'Running'\nfor: 5m\n\
                labelExpressions: {phase: object.status.phase}";
    let mut world = World::listed(&rule("down", spec), &[running()]);
    world.apply(&database("orders", json!({"phase": "Pending"})));
    world.run_to(100);
    world.apply(&failed());
    world.run_to(300);
    let alert = world.engine.alerts().next().expect("it fires");
    assert_snapshot!(alert.view, @r#"{"object":{"status":{"phase":"Failed"}}}"#);
    assert_eq!(
        alert.labels.get("phase").map(|value| &**value),
        Some("Failed")
    );
}

#[test]
fn an_object_that_already_fails_at_the_first_list_is_told() {
    let mut world = World::listed(
        &rule("failed", "when: object.status.phase == 'Failed'"),
        &[failed()],
    );
    world.run_to(1);
    assert_snapshot!(world.told(), @"0s Firing New: failed orders");
}

#[test]
fn it_goes_on_firing_for_as_long_as_the_rule_says() {
    let spec = "when: object.status.phase == 'Failed'\nkeepFiringFor: 2m";
    let mut world = World::listed(&rule("failed", spec), &[failed()]);
    world.run_to(60);
    world.apply(&running());
    world.run_to(100);
    world.apply(&failed());
    world.run_to(200);
    world.apply(&running());
    world.run_to(1000);
    assert_snapshot!(world.told(), @r"
    0s Firing New: failed orders
    320s Resolved Resolved: failed orders
    ");
}

#[test]
fn a_deleted_object_resolves_its_alert() {
    let mut world = World::listed(
        &rule("failed", "when: object.status.phase == 'Failed'"),
        &[failed()],
    );
    world.run_to(10);
    world.delete(&failed());
    world.run_to(20);
    assert_snapshot!(world.told(), @r"
    0s Firing New: failed orders
    10s Resolved Resolved: failed orders
    ");
    assert_snapshot!(world.reasons().join(", "), @"firing, resolved: the object was deleted");
}

#[test]
fn an_unknown_verdict_changes_no_state_and_pauses_the_hold() {
    let spec = "when: object.status.storageUsedGB > 90\nfor: 5m";
    let full = database("orders", json!({"storageUsedGB": 95}));
    let wrong = database("orders", json!({"storageUsedGB": "many"}));
    let mut world = World::listed(&rule("full", spec), std::slice::from_ref(&full));
    world.run_to(100);
    world.apply(&wrong);
    world.run_to(700);
    world.apply(&full);
    world.run_to(899);
    assert_snapshot!(world.told(), @"");
    world.run_to(1000);
    world.apply(&wrong);
    world.run_to(1100);
    assert_snapshot!(world.told(), @"900s Firing New: full orders");
}

#[test]
fn an_alert_that_is_unknown_for_long_is_told_of_once() {
    let spec = "when: object.status.storageUsedGB > 90";
    let full = database("orders", json!({"storageUsedGB": 95}));
    let wrong = database("orders", json!({"storageUsedGB": "many"}));
    let mut world = World::listed(&rule("full", spec), &[full]);
    world.apply(&wrong);
    world.run_to(10_000);
    assert_snapshot!(world.told(), @r"
    0s Firing New: full orders
    900s Firing Occurred: full orders
    ");
}

#[test]
fn a_changed_dedup_key_resolves_the_alert_and_starts_another() {
    let spec = "when: object.status.phase != 'Running'\ndedupKey: object.status.phase";
    let mut world = World::listed(&rule("down", spec), &[failed()]);
    world.run_to(10);
    world.apply(&database("orders", json!({"phase": "Pending"})));
    world.run_to(20);
    assert_snapshot!(world.told(), @r"
    0s Firing New: down orders
    10s Resolved Resolved: down orders
    10s Firing New: down orders
    ");
}

#[test]
fn a_shadow_is_never_sent() {
    let spec = "when: object.status.phase == 'Failed'\nshadow: true";
    let mut world = World::listed(&rule("failed", spec), &[failed()]);
    world.run_to(10);
    world.apply(&running());
    world.run_to(20);
    assert_snapshot!(world.told(), @"");
    assert_eq!(world.engine.alerts().count(), 0);
}

#[test]
fn a_key_that_cannot_be_computed_is_unknown() {
    let spec = "when: object.status.phase == 'Failed'\ndedupKey: string(int(object.status.number))";
    let numbered = |number: &str| database("orders", json!({"phase": "Failed", "number": number}));
    let mut world = World::listed(&rule("failed", spec), &[numbered("none")]);
    world.run_to(1_000);
    assert_snapshot!(world.told(), @"900s Firing Occurred: failed orders");
    assert!(
        world.reasons()[0].starts_with("unknown"),
        "{:?}",
        world.reasons()
    );
    world.apply(&numbered("5"));
    world.run_to(1_100);
    assert_snapshot!(world.told(), @"
    900s Firing Occurred: failed orders
    1000s Firing New: failed orders
    ");
}
