//! Other rules while the engine runs, or a restart, where rules read what their objects own.

use insta::assert_snapshot;
use serde_json::Value;

use super::related::{CRASHING, orders, pod, pods, set, sets};
use super::world::{World, at, rule, setup, warning};
use crate::journal::Key;
use crate::names::Uid;
use crate::watch::{Change, KubernetesEvent, Signal, Source};

const PLAIN: &str = "when: object.spec.replicas == 9";
const MANY: &str = "related: [{name: pods, apiVersion: v1, kind: Pod, via: [apps/v1/StatefulSet]}]\nwhen: related.pods.size() > 1";
const TOLD: &str =
    "related: [{name: pods, apiVersion: v1, kind: Pod}]\non: event.reason == 'FailedProvisioning'";

/// A rule about Pods themselves.
fn of_pods(name: &str, spec: &str) -> String {
    rule(name, spec)
        .replace("stable.example.com/v1", "v1")
        .replace("DatabaseInstance", "Pod")
}

/// The database with its Pods: all that there is.
fn all(phases: &[&str]) -> Vec<Value> {
    let names = ["orders-0", "orders-1", "orders-2"];
    let pods = names.iter().zip(phases);
    let pods = pods.map(|(name, phase)| pod(name, "orders-set", phase));
    [orders(), set("orders-set", "orders")]
        .into_iter()
        .chain(pods)
        .collect()
}

fn listed(rules: &str, objects: &[Value]) -> World {
    let mut world = World::new(rules);
    for events in &world.setup.clone().rules.events {
        world.list_of(&events.key(), &[]);
    }
    world.list_all(objects);
    world
}

fn of_pod(uid: &str, second: i64) -> KubernetesEvent {
    let mut event = warning(uid, "orders-0", 1, at(second));
    event.regarding.kind = "Pod".into();
    event.regarding.api_version = "v1".into();
    event
}

#[test]
fn a_rule_that_joins_begins_once_all_that_it_reads_is_listed() {
    let there = all(&["Failed"]);
    let mut world = listed(&rule("plain", PLAIN), &there);
    world.run_to(10);
    let both = format!("{}{}", rule("plain", PLAIN), rule("crashing", CRASHING));
    world.reload(setup(&both), &there);
    world.run_to(20);
    assert_snapshot!(world.told(), @"10s Firing New: crashing orders");
    world.apply(&pod("orders-0", "orders-set", "Running"));
    world.run_to(30);
    assert_snapshot!(world.told().lines().last().unwrap_or_default(), @"20s Resolved Resolved: crashing orders");
}

#[test]
fn what_changes_while_joined_objects_are_read_again_is_not_missed() {
    let there = all(&["Running"]);
    let mut world = listed(&rule("crashing", CRASHING), &there);
    world.run_to(10);
    let more = "related: [{name: pods, apiVersion: v1, kind: Pod}]\nwhen: related.pods.exists(p, p.spec.nodeName == 'gone')";
    let both = format!("{}{}", rule("crashing", CRASHING), rule("lost", more));
    world.input(crate::engine::Input::Reloaded(setup(&both)));
    world.setup = setup(&both);
    let failed = world.observation(&pod("orders-0", "orders-set", "Failed"), Change::Applied);
    world.say_of(&pods(), Signal::RefreshEnded);
    world.say_of(&pods(), Signal::Applied(failed));
    world.run_to(20);
    assert_snapshot!(world.told(), @"10s Firing New: crashing orders");
}

#[test]
fn a_change_that_came_before_the_end_of_the_second_reading_is_seen_too() {
    let there = all(&["Running"]);
    let mut world = listed(&rule("crashing", CRASHING), &there);
    world.run_to(10);
    let more = "related: [{name: pods, apiVersion: v1, kind: Pod}]\nwhen: related.pods.exists(p, p.spec.nodeName == 'gone')";
    let both = format!("{}{}", rule("crashing", CRASHING), rule("lost", more));
    world.input(crate::engine::Input::Reloaded(setup(&both)));
    world.setup = setup(&both);
    let failed = world.observation(&pod("orders-0", "orders-set", "Failed"), Change::Applied);
    world.say_of(&pods(), Signal::ListBegan);
    world.say_of(&pods(), Signal::Applied(failed));
    world.say_of(&pods(), Signal::ListEnded);
    world.run_to(20);
    assert_snapshot!(world.told(), @"10s Firing New: crashing orders");
}

#[test]
fn who_owns_whom_is_known_of_objects_that_were_there_before_the_join() {
    // The rule about Pods reads their owners already: nothing is read again.
    let by_owner = of_pods(
        "of-pods",
        "when: object.metadata.ownerReferences.exists(o, o.uid == 'x') || object.metadata.name == 'x'",
    );
    let of_sets = rule(
        "of-sets",
        "when: object.metadata.ownerReferences.exists(o, o.uid == 'x')",
    )
    .replace("stable.example.com/v1", "apps/v1")
    .replace("DatabaseInstance", "StatefulSet");
    let there = all(&["Running", "Running"]);
    let before = format!("{}{by_owner}{of_sets}", rule("plain", PLAIN));
    let mut world = listed(&before, &there);
    world.run_to(10);
    world.reload(setup(&format!("{before}{}", rule("many", MANY))), &there);
    world.run_to(20);
    assert_snapshot!(world.told(), @"10s Firing New: many orders");
}

#[test]
fn what_was_only_joined_is_no_news_to_a_rule_of_its_own() {
    let happened = of_pods("new-pod", "on: object.status.phase == 'Running'");
    let there = all(&["Running"]);
    let joined = rule("crashing", CRASHING);
    let mut world = listed(&joined, &there);
    world.run_to(10);
    world.reload(setup(&format!("{joined}{happened}")), &there);
    world.run_to(20);
    assert_snapshot!(world.told(), @"");
    let written = |world: &World| {
        world
            .journal
            .contains_key(&Key::Object(pods(), Uid::parse("orders-0")))
    };
    assert!(written(&world), "what a rule watches is written down");
    // After a restart neither.
    world.crash();
    world.list_all(&there);
    world.run_to(40);
    assert_snapshot!(world.told(), @"");
    world.reload(setup(&joined), &there);
    world.run_to(60);
    assert!(!written(&world), "what is only joined is listed anew");
    world.apply(&pod("orders-0", "orders-set", "Failed"));
    world.run_to(70);
    assert_snapshot!(world.told(), @"60s Firing New: crashing orders");
}

#[test]
fn a_join_that_is_edited_away_lets_go_and_forgets() {
    let there = all(&["Failed"]);
    let mut world = listed(&rule("crashing", CRASHING), &there);
    world.run_to(10);
    world.reload(setup(&rule("crashing", PLAIN)), &there);
    world.run_to(20);
    assert_snapshot!(world.told(), @"
    0s Firing New: crashing orders
    10s Resolved Resolved: crashing orders
    ");
    assert!(!world.journal.contains_key(&Key::Source(sets())));
}

#[test]
fn events_of_related_objects_are_news_after_a_restart_and_only_once() {
    let there = [orders(), pod("orders-0", "orders", "Running")];
    let mut world = listed(&rule("told", TOLD), &there);
    world.say_of_events(Signal::Event(of_pod("e1", 1)));
    world.run_to(20);
    assert_snapshot!(world.told(), @"0s Firing Occurred: told orders");
    world.crash();
    world.list_events(&[of_pod("e1", 1), of_pod("e2", 15)]);
    world.list_all(&there);
    world.run_to(30);
    assert_snapshot!(world.told(), @"
    0s Firing Occurred: told orders
    20s Firing Occurred: told orders
    ");
}

#[test]
fn old_events_of_a_kind_that_is_joined_since_a_reload_are_no_news() {
    let there = [orders(), pod("orders-0", "orders", "Running")];
    let own = rule("told", "on: event.reason == 'FailedProvisioning'");
    let mut world = listed(&own, &there);
    world.run_to(20);
    world.reload(setup(&rule("told", TOLD)), &there);
    world.list_events(&[of_pod("e1", 1)]);
    world.run_to(30);
    assert_snapshot!(world.told(), @"");
    world.say_of_events(Signal::Event(of_pod("e2", 30)));
    world.run_to(40);
    assert_snapshot!(world.told(), @"30s Firing Occurred: told orders");
}

#[test]
fn events_that_are_read_in_more_namespaces_are_not_told_again() {
    let prod = "kind: DatabaseInstance, namespaces: [prod]}";
    let here = rule("here", "on: event.type == 'Warning'").replace("kind: DatabaseInstance}", prod);
    let mut world = World::new(&here);
    let events = Source::events_of(Some("prod".into())).key();
    world.list_of(&events, &[]);
    world.list_all(&[orders()]);
    world.say_of(&events, Signal::Event(warning("e1", "orders", 1, at(1))));
    world.run_to(10);
    let both = format!("{here}{}", rule("all", "on: event.type == 'Warning'"));
    world.input(crate::engine::Input::Reloaded(setup(&both)));
    world.setup = setup(&both);
    world.list_all(&[orders()]);
    // One was known, one came while nobody watched, one is of where nobody had looked.
    let mut elsewhere = warning("e3", "orders", 1, at(8));
    elsewhere.namespace = "test".into();
    world.list_events(&[
        warning("e1", "orders", 1, at(1)),
        warning("e2", "orders", 1, at(9)),
        elsewhere,
    ]);
    world.run_to(20);
    assert_snapshot!(world.told(), @"
    0s Firing Occurred: here orders
    10s Firing Occurred: all orders
    10s Firing Occurred: here orders
    ");
    let streams = world
        .journal
        .keys()
        .filter(|key| matches!(key, Key::Source(source) if source.as_str().contains("Event")));
    assert_eq!(streams.count(), 1, "the stream that ended is forgotten");
}
