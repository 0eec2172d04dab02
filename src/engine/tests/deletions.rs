//! Deleted objects, and objects that only left the selection.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, database, rule, setup};
use crate::watch::{Change, Signal};

const SELECTED: &str = "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {name: failed}\nspec:\n  \
     watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance, labelSelector: {matchLabels: {tier: gold}}}\n  ";

fn phase(phase: &str) -> serde_json::Value {
    database("orders", json!({"phase": phase}))
}

fn failed(on_delete: &str) -> String {
    let spec = format!("when: object.status.phase == 'Failed'\nonDelete: {on_delete}");
    rule("failed", &spec)
}

#[test]
fn an_alert_that_is_kept_outlives_its_object_and_a_restart_and_ends_with_its_rule() {
    let mut world = World::listed(&failed("keep"), &[phase("Failed")]);
    world.run_to(10);
    world.delete(&phase("Failed"));
    world.run_to(20);
    world.crash();
    world.list(&[]);
    world.run_to(30);
    assert_snapshot!(world.told(), @"0s Firing New: failed orders");
    world.reload(
        setup(&rule("other", "when: object.status.phase == 'Lost'")),
        &[],
    );
    world.run_to(40);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    30s Resolved Resolved: failed orders
    ");
}

#[test]
fn a_hold_is_over_with_its_object() {
    let held = failed("keep").replace("onDelete", "for: 5m\n  onDelete");
    let mut world = World::listed(&held, &[phase("Failed")]);
    world.run_to(10);
    world.delete(&phase("Failed"));
    world.run_to(1_000);
    assert_snapshot!(world.told(), @"");
    assert_snapshot!(world.reasons().join(", "), @"pending, withdrawn");
}

#[test]
fn a_deletion_that_fires_is_told_once_and_ends_what_fired_before() {
    let mut world = World::listed(&failed("fire"), &[phase("Failed")]);
    world.run_to(10);
    world.delete(&phase("Failed"));
    world.run_to(100_000);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    10s Resolved Resolved: failed orders
    10s Firing Occurred: failed orders
    ");
    assert_eq!(world.engine.alerts().count(), 0);
    let mut world = World::listed(&failed("fire"), &[phase("Running")]);
    world.delete(&phase("Running"));
    world.crash();
    world.list(&[]);
    world.run_to(100_000);
    assert_snapshot!(world.told(), @"0s Firing Occurred: failed orders");
}

/// What is told of an object of this rule that goes in this way.
fn gone(spec: &str, change: Change) -> String {
    let mut world = World::new(&format!("{SELECTED}{spec}\n---\n"));
    world.list_all(&[phase("Failed")]);
    world.run_to(10);
    let observation = world.observation(&phase("Failed"), change);
    let source = world.setup.rules.sources[0].key.clone();
    world.say_of(&source, Signal::Deleted(observation));
    world.run_to(20);
    let reasons = world.reasons().join(", ");
    format!("{}{reasons}", world.told())
}

#[test]
fn what_is_deleted_is_told_from_what_only_left_the_selection() {
    let fires = "when: object.status.phase == 'Failed'\n  onDelete: fire";
    assert_snapshot!(gone(fires, Change::Left), @"
    0s Firing New: failed orders
    10s Resolved Resolved: failed orders
    firing, resolved: left selection
    ");
    assert_snapshot!(gone(fires, Change::Deleted), @"
    0s Firing New: failed orders
    10s Resolved Resolved: failed orders
    10s Firing Occurred: failed orders
    firing, resolved: the object was deleted, occurred
    ");
    let deleted = "\"on\": change == 'DELETED'";
    assert_snapshot!(gone(deleted, Change::Left), @"");
    assert_snapshot!(gone(deleted, Change::Deleted), @"
    10s Firing Occurred: failed orders
    occurred
    ");
}
