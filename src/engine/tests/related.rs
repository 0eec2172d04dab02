//! Objects that are joined with others by ownership, and their Events.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::world::{World, at, database, rule, warning};
use crate::names::{SourceKey, Uid};
use crate::watch::{Signal, Source};

/// A database has Pods through a `StatefulSet`.
pub(super) const CRASHING: &str = "\
related: [{name: pods, apiVersion: v1, kind: Pod, via: [apps/v1/StatefulSet]}]
when: related.pods.exists(pod, pod.status.phase == 'Failed')
labelExpressions: {pods: \"related.pods.map(pod, pod.metadata.name).join(' ')\"}";

pub(super) fn pods() -> SourceKey {
    Source::of("v1", "Pod").key()
}

pub(super) fn sets() -> SourceKey {
    Source::of("apps/v1", "StatefulSet").key()
}

fn owned(kind: (&str, &str), name: &str, owner: &str, phase: &str) -> Value {
    json!({
        "apiVersion": kind.0, "kind": kind.1,
        "metadata": {"name": name, "namespace": "prod", "uid": name, "ownerReferences": [{"uid": owner}]},
        "status": {"phase": phase},
    })
}

pub(super) fn pod(name: &str, owner: &str, phase: &str) -> Value {
    owned(("v1", "Pod"), name, owner, phase)
}

pub(super) fn set(name: &str, owner: &str) -> Value {
    owned(("apps/v1", "StatefulSet"), name, owner, "")
}

pub(super) fn orders() -> Value {
    database("orders", json!({}))
}

/// All lists but that of databases are empty.
fn listed(rules: &str) -> World {
    let mut world = World::new(rules);
    world.list_events(&[]);
    world.list_of(&pods(), &[]);
    world.list_of(&sets(), &[]);
    world.list(&[orders()]);
    world
}

#[test]
fn an_alert_is_about_the_owner_and_follows_what_it_owns() {
    let mut world = listed(&rule("crashing", CRASHING));
    world.apply_to(&sets(), &set("orders-set", "orders"));
    world.apply_to(&pods(), &pod("orders-0", "orders-set", "Running"));
    world.apply_to(&pods(), &pod("stray", "elsewhere", "Failed"));
    world.run_to(10);
    assert_snapshot!(world.told(), @"");
    world.apply_to(&pods(), &pod("orders-0", "orders-set", "Failed"));
    world.run_to(20);
    world.say_of(
        &pods(),
        Signal::Broken {
            why: "cut".to_owned(),
        },
    );
    world.say_of(&pods(), Signal::Recovered);
    world.delete_from(&pods(), &pod("orders-0", "orders-set", "Failed"));
    world.run_to(30);
    assert_snapshot!(world.told(), @r"
    10s Firing New: crashing orders
    20s Resolved Resolved: crashing orders
    ");
    assert_eq!(&*world.sent[0].1.alerts[0].labels["pods"], "orders-0");
}

#[test]
fn what_stands_between_may_come_last_and_be_handed_on() {
    let mut world = listed(&rule("crashing", CRASHING));
    world.apply_to(&pods(), &pod("orders-0", "orders-set", "Failed"));
    world.run_to(10);
    world.apply_to(&sets(), &set("orders-set", "orders"));
    world.run_to(20);
    world.apply(&database("carts", json!({})));
    world.apply_to(&sets(), &set("orders-set", "carts"));
    world.run_to(30);
    assert_snapshot!(world.told(), @r"
    10s Firing New: crashing orders
    20s Firing New: crashing carts
    20s Resolved Resolved: crashing orders
    ");
}

#[test]
fn nothing_outside_of_its_namespace_belongs_to_an_object() {
    let mut world = listed(&rule("crashing", CRASHING));
    let mut foreign = pod("orders-0", "orders", "Failed");
    foreign["metadata"]["namespace"] = "elsewhere".into();
    world.apply_to(&pods(), &foreign);
    world.run_to(10);
    assert_snapshot!(world.told(), @"");
}

#[test]
fn a_rule_waits_for_every_list_that_it_reads() {
    let empty = rule(
        "empty",
        "related: [{name: pods, apiVersion: v1, kind: Pod}]\nwhen: related.pods.size() == 0",
    );
    let plain = rule("plain", "when: object.spec.replicas == 2");
    let mut world = World::new(&format!("{empty}{plain}"));
    world.list(&[orders()]);
    world.run_to(10);
    assert_snapshot!(world.told(), @"0s Firing New: plain orders");
    let alone = pod("orders-0", "orders", "Running");
    world.list_of(&pods(), std::slice::from_ref(&alone));
    world.run_to(20);
    world.delete_from(&pods(), &alone);
    world.run_to(30);
    assert_snapshot!(world.told(), @r"
    0s Firing New: plain orders
    20s Firing New: empty orders
    ");
}

#[test]
fn time_alone_fires_nothing_while_a_related_stream_is_broken() {
    let mut world = listed(&rule("crashing", &format!("{CRASHING}\nfor: 2m")));
    world.apply_to(&sets(), &set("orders-set", "orders"));
    world.apply_to(&pods(), &pod("orders-0", "orders-set", "Failed"));
    world.say_of(
        &sets(),
        Signal::Broken {
            why: "cut".to_owned(),
        },
    );
    world.run_to(300);
    assert_snapshot!(world.told(), @"60s Firing Occurred: crashing *");
    world.say_of(&sets(), Signal::Recovered);
    world.run_to(301);
    assert_snapshot!(world.told().lines().last().unwrap_or_default(), @"300s Firing New: crashing orders");
}

#[test]
fn the_events_of_related_objects_are_the_owners_too() {
    let occurrence = "related: [{name: pods, apiVersion: v1, kind: Pod}]\non: event.reason == 'FailedProvisioning'";
    let state = "related: [{name: pods, apiVersion: v1, kind: Pod}]\nwhen: events.exists(e, e.regarding.kind == 'Pod')";
    let mut world = listed(&format!(
        "{}{}",
        rule("happened", occurrence),
        rule("lasts", state)
    ));
    let mut of_pod = warning("e1", "orders-0", 1, at(5));
    of_pod.regarding.kind = "Pod".into();
    of_pod.regarding.api_version = "v1".into();
    // The Event is here before the Pod is.
    world.say_of_events(Signal::Event(of_pod.clone()));
    world.run_to(10);
    assert_snapshot!(world.told(), @"");
    world.apply_to(&pods(), &pod("orders-0", "orders", "Running"));
    world.run_to(20);
    of_pod.uid = Uid::parse("e2");
    of_pod.last_seen = at(20);
    world.say_of_events(Signal::Event(of_pod));
    world.say_of_events(Signal::Event(warning("e3", "elsewhere", 1, at(20))));
    world.run_to(30);
    // An Event is not seen an hour after it was last seen.
    world.run_to(4000);
    assert_snapshot!(world.told(), @r"
    10s Firing Occurred: happened orders
    10s Firing New: lasts orders
    20s Firing Occurred: happened orders
    3620s Resolved Resolved: lasts orders
    ");
}

#[test]
fn events_wait_for_the_rules_that_wait_for_a_list() {
    let spec = "related: [{name: pods, apiVersion: v1, kind: Pod}]\non: event.reason == 'FailedProvisioning'";
    let mut world = World::new(&rule("happened", spec));
    world.list_events(&[]);
    world.list(&[orders()]);
    world.say_of_events(Signal::Event(warning("e1", "orders", 1, at(0))));
    world.run_to(10);
    assert_snapshot!(world.told(), @"");
    world.list_of(&pods(), &[]);
    world.run_to(20);
    assert_snapshot!(world.told(), @"10s Firing Occurred: happened orders");
}

#[test]
fn an_occurrence_may_be_of_what_is_related() {
    let spec = "related: [{name: pods, apiVersion: v1, kind: Pod}]\non: related.pods.size() > 1\nuntil: related.pods.size() == 0";
    let mut world = listed(&rule("many", spec));
    for name in ["a", "b", "c"] {
        world.apply_to(&pods(), &pod(name, "orders", "Running"));
    }
    world.run_to(10);
    world.list_of(&pods(), &[]);
    world.run_to(20);
    assert_snapshot!(world.told(), @r"
    0s Firing New: many orders
    10s Resolved Resolved: many orders
    ");
}

#[test]
fn the_namespace_of_an_object_is_read_and_followed() {
    let namespaces = Source::of("v1", "Namespace").key();
    let spec = "when: namespaceObject.metadata.labels.tier == 'gold'";
    let mut world = World::new(&rule("gold", spec));
    let prod = |tier: &str| {
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "prod", "uid": "prod", "labels": {"tier": tier}}})
    };
    world.list(&[orders()]);
    world.list_of(&namespaces, &[]);
    world.run_to(10);
    assert_eq!(
        world.engine.unknown().count(),
        1,
        "a Namespace that is not known is no empty one"
    );
    world.apply_to(&namespaces, &prod("gold"));
    world.run_to(20);
    world.apply_to(&namespaces, &prod("tin"));
    world.run_to(30);
    assert_snapshot!(world.told(), @r"
    10s Firing New: gold orders
    20s Resolved Resolved: gold orders
    ");
}

#[test]
fn each_kind_is_watched_once_and_keeps_what_is_read() {
    let second = "related: [{name: all, apiVersion: v1, kind: Pod}]\nwhen: related.all.exists(p, p.spec.nodeName == '')";
    let pods_too = rule("pods", "when: object.status.reason == 'Evicted'")
        .replace("stable.example.com/v1", "v1")
        .replace("DatabaseInstance", "Pod");
    let world = World::new(&format!(
        "{}{}{pods_too}",
        rule("crashing", CRASHING),
        rule("unscheduled", second)
    ));
    let streams = world.setup.rules.streams().into_iter();
    let streams: Vec<String> = streams
        .map(|(source, paths)| format!("{} {}", source.key(), paths.paths().join(" ")))
        .collect();
    assert_snapshot!(streams.join("\n"), @r"
    apps/v1/StatefulSet metadata.ownerReferences[].uid
    stable.example.com/v1/DatabaseInstance status.phase
    v1/Pod metadata.name metadata.ownerReferences[].uid spec.nodeName status.phase status.reason
    ");
}

#[test]
fn a_join_in_some_namespaces_is_asked_of_those_only() {
    let some = rule("some", CRASHING).replace(
        "kind: DatabaseInstance}",
        "kind: DatabaseInstance, namespaces: [a, b]}",
    );
    let gold = rule(
        "gold",
        "when: namespaceObject.metadata.labels.tier == 'gold'",
    )
    .replace(
        "kind: DatabaseInstance}",
        "kind: DatabaseInstance, namespaces: [a]}",
    );
    let keys = |rules: &str| {
        let streams = World::new(rules).setup.rules.streams().into_iter();
        let keys: Vec<String> = streams
            .map(|(source, _)| source.key().to_string())
            .collect();
        keys.join("\n")
    };
    assert_snapshot!(keys(&format!("{some}{gold}")), @r"
    apps/v1/StatefulSet?namespace=a
    apps/v1/StatefulSet?namespace=b
    stable.example.com/v1/DatabaseInstance?namespace=a
    stable.example.com/v1/DatabaseInstance?namespace=b
    v1/Namespace?fieldSelector=metadata.name=a
    v1/Pod?namespace=a
    v1/Pod?namespace=b
    ");
    // Who needs Pods everywhere has them for all.
    let all = rule(
        "all",
        "related: [{name: pods, apiVersion: v1, kind: Pod}]\nwhen: related.pods.size() == 0",
    );
    assert_snapshot!(keys(&format!("{some}{all}")), @r"
    apps/v1/StatefulSet?namespace=a
    apps/v1/StatefulSet?namespace=b
    stable.example.com/v1/DatabaseInstance
    stable.example.com/v1/DatabaseInstance?namespace=a
    stable.example.com/v1/DatabaseInstance?namespace=b
    v1/Pod
    ");
}

#[test]
fn rules_in_some_namespaces_read_the_events_of_those_only() {
    let prod = "kind: DatabaseInstance, namespaces: [prod]}";
    let told = rule("told", "on: event.type == 'Warning'");
    let here = told.replace("kind: DatabaseInstance}", prod);
    let mut world = World::new(&here);
    let databases = Source {
        namespace: Some("prod".into()),
        ..Source::of("stable.example.com/v1", "DatabaseInstance")
    }
    .key();
    let events = Source::events_of(Some("prod".into())).key();
    let keys = |world: &World| {
        let streams = world.setup.rules.streams().into_iter();
        let keys: Vec<String> = streams
            .map(|(source, _)| source.key().to_string())
            .collect();
        keys.join(" ")
    };
    assert_snapshot!(keys(&world), @"stable.example.com/v1/DatabaseInstance?namespace=prod events.k8s.io/v1/Event?namespace=prod");
    let say = |world: &mut World, uid: &str| {
        world.say_of(&events, Signal::Event(warning(uid, "orders", 1, at(1))));
    };
    world.list_of(&databases, &[orders()]);
    world.list_of(&events, &[]);
    say(&mut world, "e1");
    world.run_to(10);
    world.crash();
    world.say_of(&events, Signal::ListBegan);
    say(&mut world, "e1");
    say(&mut world, "e2");
    world.say_of(&events, Signal::ListEnded);
    world.list_of(&databases, &[orders()]);
    world.run_to(20);
    assert_snapshot!(world.told(), @"
    0s Firing Occurred: told orders
    10s Firing Occurred: told orders
    ");
    assert_snapshot!(keys(&World::new(&format!("{here}{}", rule("all", "on: event.type == 'Warning'")))), @"stable.example.com/v1/DatabaseInstance stable.example.com/v1/DatabaseInstance?namespace=prod events.k8s.io/v1/Event");
}
