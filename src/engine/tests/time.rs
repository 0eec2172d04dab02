//! Rules that read `now`.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, at, database, rule};
use crate::engine::Input;
use crate::watch::Signal;

#[test]
fn a_rule_that_reads_now_fires_with_no_event_from_the_cluster() {
    let spec = "when: now - timestamp(object.status.lastBackupTime) > duration('24h')";
    let saved = database("orders", json!({"lastBackupTime": "1970-01-01T00:00:00Z"}));
    let mut world = World::listed(&rule("no-backup", spec), &[saved]);
    world.run_to(86_399);
    assert_snapshot!(world.told(), @"");
    world.run_to(90_000);
    let later = database("orders", json!({"lastBackupTime": "1970-01-02T01:00:00Z"}));
    world.apply(&later);
    world.run_to(90_010);
    let told = world.told();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines[0].starts_with("86400s Firing New"), "{told}");
}

#[test]
fn the_database_that_never_had_a_backup_is_told_at_once() {
    let spec = "when: age(object.status.lastBackupTime) > duration('24h')";
    let mut world = World::listed(&rule("no-backup", spec), &[database("orders", json!({}))]);
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing New: no-backup orders");
}

#[test]
fn what_is_no_longer_so_does_not_fire_however_late_the_tick_is() {
    let spec = "when: age(object.status.lastBackupTime) < duration('8m')\nfor: 10m";
    let saved = database("orders", json!({"lastBackupTime": "1970-01-01T00:00:00Z"}));
    let mut world = World::listed(&rule("fresh", spec), &[saved]);
    world.now = at(1_200);
    world.input(Input::Tick);
    assert_snapshot!(world.told(), @"");
    assert_snapshot!(world.reasons().join(", "), @"pending, withdrawn");
}

#[test]
fn an_occurrence_that_ended_happens_again_when_its_time_comes() {
    let spec = "\"on\": age(object.status.lastBackupTime) > duration('24h')\n\
                until: object.status.phase == 'Running' && age(object.status.lastBackupTime) < duration('1h')";
    let saved =
        |phase: &str, at: &str| database("orders", json!({"phase": phase, "lastBackupTime": at}));
    let mut world = World::listed(
        &rule("no-backup", spec),
        &[saved("Running", "1970-01-01T00:00:00Z")],
    );
    world.run_to(90_000);
    world.apply(&saved("Running", "1970-01-02T01:00:00Z"));
    world.run_to(200_000);
    assert_snapshot!(world.told(), @"
    86400s Firing New: no-backup orders
    90000s Resolved Resolved: no-backup orders
    176400s Firing New: no-backup orders
    190800s Firing Repeat: no-backup orders
    ");
}

#[test]
fn why_a_rule_that_reads_now_stood_still_is_in_the_ledger() {
    let spec = "when: now - timestamp(object.status.lastBackupTime) > duration('24h')";
    let saved = database("orders", json!({"lastBackupTime": "1970-01-01T00:00:00Z"}));
    let mut world = World::listed(&rule("no-backup", spec), &[saved]);
    world.run_to(80_000);
    world.say(Signal::Broken {
        why: "connection refused".to_owned(),
    });
    world.run_to(90_000);
    let stale = world
        .reasons()
        .into_iter()
        .filter(|reason| reason == "stale");
    assert_eq!(stale.count(), 1);
}

#[test]
fn after_a_standstill_nothing_acts_before_there_is_a_list() {
    let spec = "when: object.status.phase == 'Failed'\nfor: 5m";
    let failed = database("orders", json!({"phase": "Failed"}));
    let mut world = World::listed(&rule("failed", spec), std::slice::from_ref(&failed));
    world.run_to(200);
    world.now = at(2_000);
    world.say(Signal::StoodStill);
    world.run_to(2_010);
    // Nobody is told that we are blind: the list is on its way.
    assert_snapshot!(world.told(), @"");
    world.list(&[database("orders", json!({"phase": "Running"}))]);
    world.run_to(3_000);
    assert_snapshot!(world.told(), @"");
    world.apply(&failed);
    world.run_to(4_000);
    assert_snapshot!(world.told(), @"3300s Firing New: failed orders");
}
