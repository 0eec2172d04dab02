//! Tenants share a bridge: what one's rules cost is nobody else's loss.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::world::{World, database, rule};
use crate::engine::tenants::MOST;

const FAILED: &str = "when: object.status.phase == 'Failed'";

/// The rule of a tenant.
fn of(tenant: &str, name: &str, spec: &str) -> String {
    let own = format!("metadata: {{name: {name}, namespace: {tenant}}}");
    rule(name, spec).replace(&format!("metadata: {{name: {name}}}"), &own)
}

fn phase(phase: &str) -> Value {
    database("orders", json!({"phase": phase}))
}

fn world(rules: &str) -> World {
    let mut world = World::new(rules);
    world.list_events(&[]);
    world.list_all(&[phase("Running")]);
    world
}

#[test]
fn evaluations_are_charged_to_the_tenant_whose_rule_asks() {
    let labels = "labelExpressions: {phase: object.status.phase}";
    let rules = of("prod", "failed", &format!("{FAILED}\n{labels}")) + &rule("all", FAILED);
    let mut world = world(&rules);
    let after_list = world.engine.tenants.left("prod");
    assert!(after_list < MOST, "{after_list}");
    world.apply(&phase("Failed"));
    let condition = MOST - after_list;
    assert!(
        after_list - world.engine.tenants.left("prod") > condition,
        "labels cost too"
    );
    assert_eq!(world.engine.tenants.left(""), MOST);
}

#[test]
fn the_rules_of_a_tenant_that_used_up_what_it_has_wait_and_all_others_go_on() {
    let rules = of("prod", "failed", FAILED) + &rule("all", FAILED);
    let mut world = world(&rules);
    world.run_to(10);
    world
        .engine
        .tenants
        .charge(&"prod".into(), MOST.unsigned_abs(), world.now);
    world.apply(&phase("Failed"));
    assert_snapshot!(world.told(), @"10s Firing New: all orders");
    world.run_to(20);
    assert_snapshot!(world.told(), @"
    10s Firing New: all orders
    11s Firing New: prod/failed orders
    ");
}

#[test]
fn a_tenant_without_means_is_no_tenant_that_is_well() {
    let mut world = world(&of("prod", "failed", FAILED));
    world.apply(&phase("Failed"));
    world.run_to(10);
    world
        .engine
        .tenants
        .charge(&"prod".into(), MOST.unsigned_abs(), world.now);
    world.apply(&phase("Running"));
    assert_eq!(world.sent.len(), 1);
    world.run_to(20);
    assert_snapshot!(world.told(), @"
    0s Firing New: prod/failed orders
    11s Resolved Resolved: prod/failed orders
    ");
}

#[test]
fn what_happens_while_a_tenant_waits_is_looked_at_as_it_was() {
    let happened = "\"on\": object.status.phase == 'Failed' && oldObject.status.phase != 'Failed'";
    let deleted = "\"on\": change == 'DELETED'";
    let rules = of("prod", "failed", happened) + &of("prod", "gone", deleted);
    let mut world = world(&rules);
    world.run_to(10);
    world
        .engine
        .tenants
        .charge(&"prod".into(), MOST.unsigned_abs(), world.now);
    world.apply(&phase("Failed"));
    world.apply(&phase("Running"));
    world.delete(&phase("Running"));
    assert_snapshot!(world.told(), @"");
    world.run_to(20);
    assert_snapshot!(world.told(), @"
    11s Firing Occurred: prod/failed orders
    11s Firing Occurred: prod/gone orders
    ");
    world.run_to(100);
    assert_eq!(world.sent.len(), 2);
}
