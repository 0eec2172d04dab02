//! `on`: something happened.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, at, database, rule, warning};
use crate::watch::Signal;

const UPGRADED: &str = "on: object.spec.version != oldObject.spec.version";
const PROVISIONING: &str = "on: event.type == 'Warning' && event.reason == 'FailedProvisioning'";

fn version(version: &str) -> serde_json::Value {
    let mut object = database("orders", json!({"phase": "Running"}));
    object["spec"]["version"] = version.into();
    object
}

#[test]
fn a_transition_is_told_once_and_never_resolved() {
    let mut world = World::listed(&rule("upgraded", UPGRADED), &[version("15")]);
    world.apply(&version("16"));
    world.run_to(10);
    world.apply(&version("16"));
    world.run_to(100_000);
    assert_snapshot!(world.told(), @"0s Firing Occurred: upgraded orders");
    assert_eq!(world.engine.alerts().count(), 0);
}

#[test]
fn a_new_object_has_no_old_one_to_compare_with() {
    let mut world = World::listed(&rule("upgraded", UPGRADED), &[]);
    world.apply(&version("15"));
    assert_snapshot!(world.told(), @"");
    assert!(world.reasons().is_empty());
}

#[test]
fn an_event_is_told_once_however_often_the_stream_says_it() {
    let mut world = World::listed(&rule("quota", PROVISIONING), &[version("15")]);
    let event = warning("e1", "orders", 1, at(0));
    world.say_of_events(Signal::Event(event.clone()));
    world.say_of_events(Signal::Event(event.clone()));
    world.list_events(&[event]);
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing Occurred: quota orders");
}

#[test]
fn the_fortieth_repeat_is_not_a_fortieth_message() {
    let mut world = World::listed(&rule("quota", PROVISIONING), &[version("15")]);
    for count in 1..=40 {
        world.run_to(i64::try_from(count * 60).expect("forty minutes are few seconds"));
        let event = warning("e1", "orders", count, world.now);
        world.say_of_events(Signal::Event(event));
    }
    world.run_to(5 * 3600);
    assert_snapshot!(world.told(), @r"
    60s Firing Occurred: quota orders
    14460s Firing Occurred: quota orders
    ");
    assert_eq!(world.sent[1].1.alerts[0].count, 40);
}

#[test]
fn events_of_the_first_list_are_where_the_rule_starts_from() {
    let mut world = World::new(&rule("quota", PROVISIONING));
    world.list_events(&[warning("e1", "orders", 3, at(0))]);
    world.list(&[version("15")]);
    world.run_to(10);
    assert_snapshot!(world.told(), @"");
    world.say_of_events(Signal::Event(warning("e1", "orders", 4, at(10))));
    assert_snapshot!(world.told(), @"10s Firing Occurred: quota orders");
}

#[test]
fn an_event_that_arrives_before_its_object_is_told_when_the_object_arrives() {
    let mut world = World::listed(&rule("quota", PROVISIONING), &[]);
    world.say_of_events(Signal::Event(warning("e1", "orders", 1, at(0))));
    assert_snapshot!(world.told(), @"");
    world.apply(&version("15"));
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing Occurred: quota orders");
}

#[test]
fn what_is_no_function_of_a_change_fires_when_it_becomes_true() {
    let spec = "on: object.status.phase == 'Failed'";
    let failed = database("orders", json!({"phase": "Failed"}));
    let running = database("orders", json!({"phase": "Running"}));
    let mut world = World::listed(&rule("failed", spec), std::slice::from_ref(&failed));
    assert_snapshot!(world.told(), @"");
    world.apply(&running);
    world.apply(&failed);
    world.run_to(10);
    world.apply(&failed);
    world.run_to(20);
    assert_snapshot!(world.told(), @"0s Firing Occurred: failed orders");
}

#[test]
fn on_startup_fire_tells_what_is_true_of_the_first_list() {
    let spec = "on: object.status.phase == 'Failed'\nonStartup: fire";
    let failed = database("orders", json!({"phase": "Failed"}));
    let world = World::listed(&rule("failed", spec), &[failed]);
    assert_snapshot!(world.told(), @"0s Firing Occurred: failed orders");
}

#[test]
fn until_says_when_an_occurrence_is_over() {
    let spec = "on: object.spec.version != oldObject.spec.version\nuntil: object.status.phase == 'Running'";
    let mut world = World::listed(&rule("upgrading", spec), &[version("15")]);
    let mut upgrading = version("16");
    upgrading["status"]["phase"] = "Provisioning".into();
    world.apply(&upgrading);
    world.run_to(60);
    world.apply(&version("16"));
    world.run_to(70);
    assert_snapshot!(world.told(), @r"
    0s Firing New: upgrading orders
    60s Resolved Resolved: upgrading orders
    ");
}

#[test]
fn a_deletion_is_something_that_happens() {
    let spec = "on: change == 'DELETED'";
    let mut world = World::listed(&rule("deleted", spec), &[version("15")]);
    world.delete(&version("15"));
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing Occurred: deleted orders");
}

#[test]
fn what_is_there_at_the_first_start_may_count_as_added() {
    let spec = "on: change == 'ADDED'\nonStartup: fire";
    let mut world = World::listed(&rule("created", spec), &[version("15")]);
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing Occurred: created orders");
    world.crash();
    world.list(&[version("15")]);
    world.run_to(20);
    assert_eq!(world.sent.len(), 1);
}
