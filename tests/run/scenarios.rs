//! The rules in `rules/`, as they are, on what they are for: the database goes wrong as it would,
//! the message arrives in the chat, and is resolved when all is well. Holds are shortened as
//! `--param` lets everybody do it; nothing else is changed.

use std::time::{Duration, Instant};

use bellwether_testkit::Event;
use bellwether_testkit::receivers::pagerduty::EventKind;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::world::World;

const SOON: Duration = Duration::from_secs(30);

/// What is said of a database in the chat, in the order in which it arrived.
fn said(world: &World, words: &str) -> Vec<String> {
    let messages = world.slack.messages().into_iter();
    let messages = messages.map(|message| message.to_string());
    messages.filter(|text| text.contains(words)).collect()
}

/// Waits until so many messages have these words.
async fn heard(world: &World, times: usize, words: &str) -> Vec<String> {
    let began = Instant::now();
    loop {
        let said = said(world, words);
        if said.len() >= times {
            assert_eq!(said.len(), times, "too often: {said:#?}");
            return said;
        }
        assert!(
            began.elapsed() < SOON,
            "{words:?} was said {} times, not {times}; all that was said: {:#?}",
            said.len(),
            world
                .slack
                .messages()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A database on which no rule fires, and none will while the test runs.
async fn healthy(world: &World, name: &str) -> DynamicObject {
    let manifest = format!(
        "
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {{name: {name}}}
spec: {{engine: postgres, version: '17.2', storageGB: 100, replicas: 3}}
"
    );
    let applied = world.objects.apply(&world.namespace, &manifest).await;
    let database = applied.unwrap().remove(0);
    status(world, &database, well()).await;
    database
}

fn well() -> Value {
    json!({
        "phase": "Running", "availableReplicas": 3, "storageUsedGB": 10, "observedGeneration": 1,
        "lastBackupTime": "2099-01-01T00:00:00Z", "conditions": [ready("True", "")],
    })
}

fn ready(status: &str, message: &str) -> Value {
    json!({
        "type": "Ready", "status": status, "reason": "Reconciled", "message": message,
        "lastTransitionTime": "2026-11-22T12:00:00Z",
    })
}

async fn status(world: &World, database: &DynamicObject, status: Value) {
    world.objects.patch_status(database, status).await.unwrap();
}

#[tokio::test]
async fn whatever_is_wrong_with_a_database_is_told_until_all_is_well() {
    let world = World::new("samples").await;
    world.copy_sample_rules().await;
    let wrong = [
        (
            "unready",
            "is not ready",
            json!({"conditions": [ready("False", "no primary was elected")]}),
        ),
        (
            "behind",
            "The operator does not follow",
            json!({"observedGeneration": 0}),
        ),
        ("short", "lacks servers", json!({"availableReplicas": null})),
        (
            "full",
            "is more than 90 % full",
            json!({"storageUsedGB": 95}),
        ),
        (
            "slow",
            "has been provisioning for more than 1s",
            json!({"phase": "Provisioning"}),
        ),
        (
            "forgotten",
            "has no backup for 4s",
            json!({"lastBackupTime": null}),
        ),
    ];
    let mut databases = Vec::new();
    for (name, ..) in &wrong {
        databases.push(healthy(&world, name).await);
    }
    let silent = healthy(&world, "silent").await;
    let bridge = world
        .command()
        .arguments(&[
            "--param",
            "hold=1s",
            "--param",
            "settled=1s",
            "--param",
            "database-backup-overdue.maxAge=4s",
        ])
        .start()
        .await;
    bridge.ready().await;
    assert!(world.slack.messages().is_empty(), "nothing is wrong yet");

    for (database, (.., patch)) in databases.iter().zip(&wrong) {
        status(&world, database, patch.clone()).await;
    }
    // A condition that is not there is not a good one.
    status(&world, &silent, json!({"conditions": []})).await;
    let told = wrong.iter().map(|(name, words, _)| {
        if words.starts_with("The operator") {
            format!("{words} {}/{name}", world.namespace)
        } else {
            format!("{name} {words}")
        }
    });
    let told: Vec<String> = told.chain(["silent is not ready".to_owned()]).collect();
    for words in &told {
        heard(&world, 1, words).await;
    }
    let unready = heard(&world, 1, "unready is not ready").await;
    assert!(
        unready[0].contains("Ready is False: no primary was elected"),
        "{}",
        unready[0]
    );
    let silent_text = heard(&world, 1, "silent is not ready").await;
    assert!(
        silent_text[0].contains("Ready is Unknown"),
        "{}",
        silent_text[0]
    );
    let short = heard(&world, 1, "short lacks servers").await;
    assert!(short[0].contains("0 of 3 servers"), "{}", short[0]);

    for database in databases.iter().chain([&silent]) {
        status(&world, database, well()).await;
    }
    for words in &told {
        let texts = heard(&world, 2, words).await;
        assert!(texts[1].contains("✅"), "{}", texts[1]);
    }
    assert!(world.slack.refused().is_empty() && world.pagerduty.refused().is_empty());
}

#[tokio::test]
async fn a_backup_that_is_overdue_pages_although_nothing_changes_at_that_moment() {
    let world = World::new("backup").await;
    world.copy_sample_rules().await;
    let database = healthy(&world, "orders").await;
    let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap();
    status(
        &world,
        &database,
        json!({"lastBackupTime": now.to_string()}),
    )
    .await;
    let bridge = world
        .command()
        .arguments(&["--param", "database-backup-overdue.maxAge=8s"])
        .start()
        .await;
    bridge.ready().await;
    assert!(world.pagerduty.messages().is_empty(), "{}", bridge.log());
    let pages = world.pagerduty.wait_for(1, SOON).await.unwrap();
    assert_eq!(pages[0].kind, EventKind::Trigger);
    assert!(
        pages[0].summary().contains("has no backup for 8s"),
        "{}",
        pages[0]
    );
    let after = now.duration_until(jiff::Timestamp::now());
    assert!(after >= jiff::SignedDuration::from_secs(8), "after {after}");
}

#[tokio::test]
async fn an_event_is_told_with_its_message_and_forty_repeats_are_not_forty_messages() {
    let world = World::new("events").await;
    world.copy_sample_rules().await;
    let (orders, carts) = (
        healthy(&world, "orders").await,
        healthy(&world, "carts").await,
    );
    let bridge = world.command().start().await;
    bridge.ready().await;
    let event = |count| Event {
        kind: "Warning",
        reason: "FailedProvisioning",
        message: "the quota of 10 volumes is used up",
        count,
    };
    let of_orders = world.objects.event(&orders, event(1)).await.unwrap();
    let of_carts = world.objects.core_event(&carts, event(1)).await.unwrap();
    let unimportant = Event {
        kind: "Normal",
        reason: "Created",
        message: "volume created",
        count: 1,
    };
    world.objects.event(&orders, unimportant).await.unwrap();
    for repeat in 2..=41 {
        let series =
            json!({"series": {"count": repeat, "lastObservedTime": "2026-11-23T12:00:00.000000Z"}});
        world.objects.patch(&of_orders, series).await.unwrap();
        world
            .objects
            .patch(&of_carts, json!({"count": repeat}))
            .await
            .unwrap();
    }
    for name in ["orders", "carts"] {
        let words = format!("{name} failed: the quota of 10 volumes is used up");
        heard(&world, 1, &words).await;
    }
    // The bridge has seen the repeats by the time it tells of something later.
    let database = healthy(&world, "later").await;
    world.objects.event(&database, event(1)).await.unwrap();
    heard(&world, 1, "later failed: the quota").await;
    heard(&world, 1, "orders failed: the quota").await;
    heard(&world, 1, "carts failed: the quota").await;
    assert!(said(&world, "volume created").is_empty());
}

#[tokio::test]
async fn an_upgrade_is_told_once_and_never_resolved() {
    let world = World::new("upgrade").await;
    world.copy_sample_rules().await;
    let database = healthy(&world, "orders").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world
        .objects
        .patch(&database, json!({"spec": {"version": "18.0"}}))
        .await
        .unwrap();
    heard(&world, 1, "orders goes from postgres 17.2 to 18.0").await;
    // Heartbeats of the operator are no upgrades.
    for used in 11..14 {
        status(&world, &database, json!({"storageUsedGB": used})).await;
    }
    world
        .objects
        .patch(&database, json!({"spec": {"version": "18.1"}}))
        .await
        .unwrap();
    heard(&world, 1, "orders goes from postgres 18.0 to 18.1").await;
    heard(&world, 1, "orders goes from postgres 17.2 to 18.0").await;
    let upgrades = said(&world, "goes from postgres");
    assert!(
        upgrades.iter().all(|text| !text.contains("✅")),
        "{upgrades:#?}"
    );
}

#[tokio::test]
async fn a_change_past_the_deployment_names_who_made_it() {
    let world = World::new("drift").await;
    world.copy_sample_rules().await;
    let deployer = world.objects.acting_as("argocd-controller");
    let manifest = "
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {name: orders}
spec: {engine: postgres, version: '17.2', storageGB: 100, replicas: 3}
";
    let database = deployer
        .apply(&world.namespace, manifest)
        .await
        .unwrap()
        .remove(0);
    let bridge = world.command().start().await;
    bridge.ready().await;
    deployer
        .patch(&database, json!({"spec": {"storageGB": 120}}))
        .await
        .unwrap();
    // managedFields have whole seconds: the stranger's write must be the later one.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let stranger = world.objects.acting_as("kubectl-edit");
    stranger
        .patch(&database, json!({"spec": {"replicas": 1}}))
        .await
        .unwrap();
    let texts = heard(&world, 1, "orders was changed past the deployment").await;
    let what = "spec.replicas: 3 → 1, by kubectl-edit";
    assert!(texts[0].contains(what), "{}", texts[0]);
    let command = format!(
        "kubectl -n {} patch DatabaseInstance.v1.stable.example.com orders --type merge -p '",
        world.namespace
    );
    let patch = texts[0].split(&command).nth(1).expect("what to type");
    let patch = patch.split('\'').next().expect("a quoted text");
    let patch: Value = serde_json::from_str(patch).expect("a JSON patch");
    let put_back = deployer.patch(&database, patch).await.unwrap();
    let good = json!({"engine": "postgres", "version": "17.2", "storageGB": 120, "replicas": 3});
    assert_eq!(put_back.data["spec"], good);
}

#[tokio::test]
async fn a_deletion_that_does_not_end_is_told_and_resolved_when_it_does() {
    let world = World::new("deletion").await;
    world.copy_sample_rules().await;
    let database = healthy(&world, "orders").await;
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    let guarded = finalizers(json!(["stable.example.com/backup"]));
    world.objects.patch(&database, guarded).await.unwrap();
    let bridge = world
        .command()
        .arguments(&["--param", "database-deletion-stuck.maxAge=2s"])
        .start()
        .await;
    bridge.ready().await;
    world.objects.delete(&database).await.unwrap();
    let words = "orders does not end";
    let texts = heard(&world, 1, words).await;
    assert!(
        texts[0].contains("It waits for: stable.example.com/backup"),
        "{}",
        texts[0]
    );
    world
        .objects
        .patch(&database, finalizers(json!([])))
        .await
        .unwrap();
    let texts = heard(&world, 2, words).await;
    assert!(texts[1].contains("✅"), "{}", texts[1]);
}

#[tokio::test]
async fn a_failed_database_that_is_deleted_is_resolved_everywhere() {
    let world = World::new("deleted").await;
    world.copy_sample_rules().await;
    let database = healthy(&world, "orders").await;
    let bridge = world
        .command()
        .arguments(&["--param", "hold=1s"])
        .start()
        .await;
    bridge.ready().await;
    status(
        &world,
        &database,
        json!({"phase": "Failed", "conditions": [ready("False", "disk lost")]}),
    )
    .await;
    let pages = world.pagerduty.wait_for(1, SOON).await.unwrap();
    assert!(
        pages[0].summary().contains("orders has failed"),
        "{}",
        pages[0]
    );
    let hooks = world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(
        hooks[0].json()["alerts"][0]["labels"]["alertname"],
        "database-failed"
    );
    world.objects.delete(&database).await.unwrap();
    let pages = world.pagerduty.wait_for(2, SOON).await.unwrap();
    assert_eq!(
        (pages[1].kind, &pages[1].dedup_key),
        (EventKind::Resolve, &pages[0].dedup_key)
    );
    let hooks = world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(hooks[1].json()["status"], "resolved");
    heard(&world, 2, "orders has failed").await;
}

fn crashing() -> Value {
    json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}})
}

#[tokio::test]
async fn a_pod_of_a_database_that_crashes_is_told_of_the_database_with_the_pods_event() {
    let world = World::new("pods").await;
    world.copy_sample_rules().await;
    let (orders, carts) = (
        healthy(&world, "orders").await,
        healthy(&world, "carts").await,
    );
    let (of_orders, of_carts) = (world.pod(&orders).await, world.pod(&carts).await);
    let running = json!({"running": {"startedAt": "2026-11-23T12:00:00Z"}});
    world.container(&of_orders, running.clone()).await;
    world.container(&of_carts, running.clone()).await;
    let event = Event {
        kind: "Warning",
        reason: "BackOff",
        message: "Back-off restarting failed container db",
        count: 12,
    };
    world.objects.core_event(&of_orders, event).await.unwrap();
    let bridge = world
        .command()
        .arguments(&["--param", "database-pod-crashing.quiet=1s"])
        .start()
        .await;
    bridge.ready().await;
    assert!(world.slack.messages().is_empty(), "nothing is wrong yet");

    world.container(&of_orders, crashing()).await;
    let words = format!("{}/orders: orders-0 is crashing", world.namespace);
    let texts = heard(&world, 1, &words).await;
    assert!(
        texts[0].contains("Back-off restarting failed container db"),
        "{}",
        texts[0]
    );
    let pages = world.pagerduty.wait_for(1, SOON).await.unwrap();
    assert!(pages[0].summary().contains("orders-0 is crashing"));
    world.objects.delete(&of_orders).await.unwrap();
    let texts = heard(&world, 2, &words).await;
    assert!(texts[1].contains("✅"), "{}", texts[1]);
    assert!(said(&world, "carts").is_empty());
}
