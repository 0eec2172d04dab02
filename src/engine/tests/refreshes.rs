//! What is read for the first time after a reload, or was not yet written down: no news.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::world::{World, at, database, rule, setup, warning};
use crate::engine::Input;
use crate::journal::Key;
use crate::watch::{Change, Signal, Source};

const FAILED: &str = "when: object.status.phase == 'Failed'";

fn phase(phase: &str) -> Value {
    database("orders", json!({"phase": phase}))
}

fn engines() -> String {
    rule("engine", "on: object.spec.engine != oldObject.spec.engine")
        + &rule("many", "when: object.spec.replicas > 1")
}

#[test]
fn rules_wait_for_the_paths_that_were_not_read_before_which_are_no_change() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(100);
    let more = setup(&(rule("failed", FAILED) + &engines()));
    world.setup = more.clone();
    world.input(Input::Reloaded(more));
    assert!(!world.engine.is_ready());
    world.run_to(150);
    assert_snapshot!(world.told(), @"0s Firing New: failed orders");
    world.refresh(&[phase("Failed")]);
    assert!(world.engine.is_ready());
    world.run_to(200);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    150s Firing New: many orders
    ");
    let mut moved = phase("Failed");
    moved["spec"]["engine"] = "mysql".into();
    world.apply(&moved);
    world.run_to(300);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    150s Firing New: many orders
    200s Firing Occurred: engine orders
    ");
}

#[test]
fn what_changed_while_the_stream_was_read_again_comes_in_order_and_none_is_missed() {
    let changes = rule(
        "changed",
        "on: object.status.phase != oldObject.status.phase",
    );
    let mut world = World::listed(&changes, &[phase("Running")]);
    world.run_to(100);
    let more = setup(&(changes + &engines()));
    world.setup = more.clone();
    world.input(Input::Reloaded(more));
    // Before the objects were read again it failed and recovered: the watch goes on from before.
    let failed = world.observation(&phase("Failed"), Change::Applied);
    let running = world.observation(&phase("Running"), Change::Applied);
    world.refresh(&[phase("Running")]);
    world.say(Signal::Applied(failed));
    world.run_to(110);
    world.say(Signal::Applied(running));
    world.run_to(200);
    assert_snapshot!(world.told(), @"
    100s Firing Occurred: changed orders
    100s Firing New: many orders
    110s Firing Occurred: changed orders
    ");
}

#[test]
fn a_list_instead_of_a_refresh_does_as_well() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Failed")]);
    world.run_to(100);
    let more = setup(&(rule("failed", FAILED) + &engines()));
    world.setup = more.clone();
    world.input(Input::Reloaded(more));
    world.run_to(150);
    world.list(&[phase("Running")]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"
    0s Firing New: failed orders
    150s Resolved Resolved: failed orders
    150s Firing New: many orders
    ");
}

#[test]
fn events_are_news_from_the_reload_on() {
    let quota = rule("quota", "on: event.reason == 'FailedProvisioning'");
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Running")]);
    world.run_to(100);
    let with = setup(&(rule("failed", FAILED) + &quota));
    world.setup = with.clone();
    world.input(Input::Reloaded(with));
    world.list_events(&[warning("e1", "orders", 1, at(90))]);
    world.run_to(150);
    world.say_of_events(Signal::Event(warning("e1", "orders", 2, at(150))));
    world.run_to(200);
    assert_snapshot!(world.told(), @"150s Firing Occurred: quota orders");

    world.reload(setup(&rule("failed", FAILED)), &[]);
    world.run_to(250);
    assert!(!world.journal.keys().any(|key| matches!(key, Key::Event(_))));
    assert!(
        !world
            .journal
            .contains_key(&Key::Source(Source::events().key()))
    );
}

#[test]
fn events_of_a_kind_that_nobody_watched_are_where_its_rules_start() {
    let of_caches = rule("quota", "on: event.reason == 'FailedProvisioning'")
        .replace("DatabaseInstance", "Cache");
    let mut world = World::listed(&of_caches, &[]);
    world.list_of(&Source::of("stable.example.com/v1", "Cache").key(), &[]);
    world.run_to(100);
    let of_databases = rule("db", "on: event.reason == 'FailedProvisioning'");
    let events = rule(
        "seen",
        "when: events.exists(e, e.reason == 'FailedProvisioning')",
    );
    let with = setup(&format!("{of_caches}{of_databases}{events}"));
    world.reload(with, &[phase("Running")]);
    world.run_to(150);
    assert_snapshot!(world.told(), @"");
    world.list_events(&[warning("e1", "orders", 1, at(90))]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"150s Firing New: seen orders");
    world.say_of_events(Signal::Event(warning("e2", "orders", 1, at(200))));
    world.run_to(300);
    assert_snapshot!(world.told(), @"
    150s Firing New: seen orders
    200s Firing Occurred: db orders
    ");
}

#[test]
fn a_crash_before_the_first_objects_are_written_makes_no_news_of_them() {
    let rules = [
        rule("added", "on: change == 'ADDED'"),
        rule("quota", "on: event.reason == 'FailedProvisioning'"),
    ];
    let mut world = World::new(&rules.concat());
    let warned = warning("e1", "orders", 1, at(0));
    world.list_events(std::slice::from_ref(&warned));
    world.list(&[phase("Running")]);
    world.crash();
    world.list_events(&[warned]);
    world.list(&[phase("Running")]);
    world.run_to(100);
    assert_snapshot!(world.told(), @"");
}

#[test]
fn a_crash_while_a_stream_is_read_again_makes_no_news_of_what_it_read() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Running")]);
    world.run_to(100);
    let more = setup(&(rule("failed", FAILED) + &engines()));
    world.reload(more, &[phase("Running")]);
    world.crash();
    world.list(&[phase("Running")]);
    world.run_to(200);
    assert_snapshot!(world.told(), @"100s Firing New: many orders");
}

#[test]
fn a_crash_before_the_changes_that_were_missed_came_makes_no_news_of_what_was_read_since() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Running")]);
    world.run_to(100);
    let more = setup(&(rule("failed", FAILED) + &engines()));
    world.setup = more.clone();
    world.input(Input::Reloaded(more.clone()));
    // It has changed meanwhile, and the watch does not say so before the end.
    world.observation(&phase("Running"), Change::Applied);
    world.refresh(&[phase("Running")]);
    world.run_to(200);
    world.reload(setup(&rule("failed", FAILED)), &[]);
    world.reload(more, &[]);
    world.run_to(300);
    world.crash();
    world.list(&[phase("Running")]);
    world.run_to(400);
    assert_snapshot!(world.told(), @"300s Firing New: many orders");
}

#[test]
fn rules_that_come_while_a_stream_is_broken_look_once_it_delivers_again() {
    let mut world = World::listed(&rule("failed", FAILED), &[phase("Stuck")]);
    world.run_to(10);
    world.say(Signal::Broken {
        why: "connection refused".to_owned(),
    });
    world.run_to(100);
    let with = rule("failed", FAILED) + &rule("stuck", "when: object.status.phase == 'Stuck'");
    world.reload(setup(&with), &[]);
    world.run_to(200);
    let told = world.sent.len();
    world.say(Signal::Recovered);
    world.run_to(300);
    assert_snapshot!(world.told().lines().skip(told).collect::<String>(), @"200s Firing New: stuck orders");
}
