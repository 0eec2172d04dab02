//! Lists, relists, breaks: nothing acts on stale data, and a relist is no transition.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, database, rule};
use crate::watch::{Change, Signal};

const FAILED: &str = "when: object.status.phase == 'Failed'";

fn failed() -> serde_json::Value {
    database("orders", json!({"phase": "Failed"}))
}

#[test]
fn nothing_is_evaluated_before_the_first_list_is_complete() {
    let mut world = World::new(&rule("failed", FAILED));
    world.say(Signal::ListBegan);
    let observation = world.observation(&failed(), Change::Applied);
    world.say(Signal::Applied(observation));
    world.run_to(30);
    assert_snapshot!(world.told(), @"");
    world.say(Signal::ListEnded);
    assert_snapshot!(world.told(), @"30s Firing New: failed orders");
}

#[test]
fn an_aborted_relist_deletes_nothing_and_a_complete_one_deletes_what_it_does_not_name() {
    let mut world = World::listed(&rule("failed", FAILED), &[failed()]);
    world.say(Signal::ListBegan);
    world.say(Signal::ListAborted {
        why: "connection reset".to_owned(),
    });
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing New: failed orders");
    world.list(&[]);
    world.run_to(20);
    assert_snapshot!(world.told(), @r"
    0s Firing New: failed orders
    10s Resolved Resolved: failed orders
    ");
}

#[test]
fn a_hold_that_ends_while_the_stream_is_broken_fires_nothing() {
    let mut world = World::listed(&rule("failed", &format!("{FAILED}\nfor: 5m")), &[failed()]);
    world.run_to(200);
    world.say(Signal::Broken {
        why: "connection refused".to_owned(),
    });
    world.run_to(1000);
    let notice = world.told();
    assert_snapshot!(notice, @"260s Firing Occurred: failed *");
    assert!(world.reasons().contains(&"stale".to_owned()));
    world.list(&[failed()]);
    world.run_to(1001);
    assert_snapshot!(world.told(), @r"
    260s Firing Occurred: failed *
    1000s Firing New: failed orders
    ");
}

#[test]
fn an_object_deleted_and_made_again_under_its_name_is_another_one() {
    let mut world = World::listed(&rule("failed", FAILED), &[failed()]);
    world.run_to(10);
    let mut successor = failed();
    successor["metadata"]["uid"] = "successor".into();
    world.delete(&failed());
    world.apply(&successor);
    world.run_to(20);
    assert_snapshot!(world.told(), @r"
    0s Firing New: failed orders
    10s Resolved Resolved: failed orders
    10s Firing New: failed orders
    ");
}

#[test]
fn a_change_of_what_no_rule_reads_costs_no_record() {
    let mut world = World::listed(&rule("failed", FAILED), &[failed()]);
    world.run_to(10);
    let before = world.journal.clone();
    let mut heartbeat = failed();
    heartbeat["status"]["heartbeat"] = "12:00".into();
    world.apply(&heartbeat);
    world.run_to(60);
    assert_eq!(world.journal, before);
}

#[test]
fn a_shadow_hides_from_nobody_that_a_stream_is_broken() {
    let shadow = rule("a-try", &format!("{FAILED}\nshadow: true"));
    let rules = shadow + &rule("failed", FAILED) + &rule("other", FAILED);
    let mut world = World::listed(&rules, &[]);
    world.say(Signal::Broken {
        why: "connection refused".to_owned(),
    });
    world.run_to(100);
    assert_snapshot!(world.told(), @"60s Firing Occurred: failed *");
}

#[test]
fn what_a_list_brings_after_a_break_happened_while_nobody_watched() {
    let spec = "\"on\": late && object.status.phase != oldObject.status.phase";
    let phase = |phase: &str| database("orders", json!({"phase": phase}));
    let mut world = World::listed(&rule("missed", spec), &[phase("Running")]);
    world.apply(&phase("Pending"));
    assert_snapshot!(world.told(), @"");
    world.say(Signal::Broken {
        why: "connection reset".to_owned(),
    });
    world.run_to(10);
    world.list(&[phase("Failed")]);
    world.run_to(20);
    assert_snapshot!(world.told(), @"10s Firing Occurred: missed orders");
    world.list(&[phase("Failed")]);
    world.apply(&phase("Running"));
    world.run_to(30);
    assert_eq!(world.sent.len(), 1);
}
