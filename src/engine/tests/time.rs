//! Rules that read `now`.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{World, database, rule};

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
