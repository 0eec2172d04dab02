//! Lists: many objects, streamed and in pages, read slowly; and servers that lack something.

use std::time::{Duration, Instant};

use bellwether::cel::PathSet;
use bellwether::watch::stream::WatchSettings;
use bellwether_testkit as testkit;
use bellwether_testkit::Event;
use futures::StreamExt;
use kube::api::{DynamicObject, PostParams};

use crate::mirror::{Mirror, hasty};
use crate::world::World;

const MANY: usize = 5_000;

/// Creates databases `db-0`, `db-1`, …, each of about 1 KB.
async fn create(world: &World, count: usize) {
    let api_version = format!("{}/v1", world.group);
    let api = world
        .objects
        .api(&api_version, "Database", &world.namespace)
        .await
        .expect("an API");
    futures::stream::iter(0..count)
        .for_each_concurrent(64, async |n| {
            let object: DynamicObject = serde_json::from_value(serde_json::json!({
                "apiVersion": api_version, "kind": "Database",
                "metadata": {"name": format!("db-{n}"), "namespace": world.namespace},
                "spec": {"version": n, "padding": "x".repeat(500)},
            }))
            .expect("an object");
            api.create(&PostParams::default(), &object)
                .await
                .expect("created");
        })
        .await;
}

fn version_only() -> PathSet {
    PathSet::of(["spec.version"]).expect("a path")
}

#[tokio::test]
async fn five_thousand_objects_are_listed_in_one_stream() {
    let world = World::shared("many").await;
    world.define().await;
    create(&world, MANY).await;

    let began = Instant::now();
    let mut mirror = Mirror::with(
        &world.cluster,
        world.databases(),
        &version_only(),
        hasty(),
        1,
    );
    mirror.until("the list ends", |m| m.lists == 1).await;
    println!("{MANY} objects streamed in {:?}", began.elapsed());
    assert_eq!((mirror.objects.len(), mirror.aborted), (MANY, 0));
    assert_eq!(
        mirror.field("db-4321", &["spec", "version"]).as_deref(),
        Some("4321")
    );
}

#[tokio::test]
async fn a_server_without_streaming_lists_is_listed_in_pages() {
    let testbed = testkit::Cluster::start_with(&["--feature-gates=WatchList=false"]).await;
    let testbed = testbed.expect("a cluster");
    let world = World::within(&testbed, "pages").await;
    world.define().await;
    create(&world, MANY).await;

    let began = Instant::now();
    // 500 objects are more than that: the pages become smaller until they fit.
    let settings = WatchSettings {
        page_bytes: 200_000,
        ..hasty()
    };
    let mut mirror = Mirror::with(
        &world.cluster,
        world.databases(),
        &version_only(),
        settings,
        1,
    );
    mirror.until("the list ends", |m| m.lists == 1).await;
    println!("{MANY} objects in pages in {:?}", began.elapsed());
    assert_eq!((mirror.objects.len(), mirror.aborted), (MANY, 0));

    world.database("late", 1).await;
    mirror
        .until("the watch follows the list", |m| m.object("late").is_some())
        .await;
    assert_eq!((mirror.lists, mirror.broken.len()), (1, 0));
}

#[tokio::test]
async fn a_server_with_only_the_older_events_is_watched_for_those() {
    let disabled = "--runtime-config=events.k8s.io/v1=false";
    let testbed = testkit::Cluster::start_with(&[disabled]).await;
    let testbed = testbed.expect("a cluster");
    let world = World::within(&testbed, "older").await;
    let map = world.config_map("main", 1).await;
    let mut mirror = Mirror::listed(world.events(), &world.cluster).await;
    let event = Event {
        kind: "Warning",
        reason: "BackOff",
        message: "again",
        count: 2,
    };
    world
        .objects
        .core_event(&map, event)
        .await
        .expect("created");
    mirror.until("it is seen", |m| m.events.len() == 1).await;
    assert!(mirror.dormant.is_empty(), "{:?}", mirror.dormant);
}

#[tokio::test]
async fn a_slow_reader_slows_the_stream_and_loses_nothing() {
    let world = World::shared("slow").await;
    world.define().await;
    create(&world, 200).await;
    let mut mirror = Mirror::with(
        &world.cluster,
        world.databases(),
        &version_only(),
        hasty(),
        1,
    );
    mirror
        .until("the list begins", |m| !m.objects.is_empty())
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let received = mirror.stats().received.get();
    assert!(received < 10, "{received} were read ahead of the reader");
    mirror.until("the list ends", |m| m.lists == 1).await;
    assert_eq!(mirror.objects.len(), 200);
}

#[tokio::test]
async fn a_stream_that_goes_on_with_other_paths_reads_all_again_and_misses_no_change() {
    let world = World::shared("goon").await;
    for name in ["a", "b"] {
        world.config_map(name, 1).await;
    }
    let nothing = PathSet::of(["metadata.name"]).expect("a path");
    let settings = WatchSettings {
        page_items: 1,
        ..hasty()
    };
    let mut mirror = Mirror::with(&world.cluster, world.config_maps(), &nothing, settings, 16);
    mirror.until("the list ends", |m| m.lists == 1).await;
    assert_eq!(mirror.field("a", &["data", "value"]), None);

    let values = PathSet::of(["data.value"]).expect("a path");
    let meanwhile = Box::pin(async {
        world.config_map("a", 2).await;
        world.config_map("a", 1).await;
        let c = world.config_map("c", 1).await;
        world.delete(&c).await;
    });
    let mut mirror = mirror.go_on(&world.cluster, &values, meanwhile).await;
    mirror
        .until("the last change", |m| m.deleted == ["c"])
        .await;
    assert_eq!((mirror.lists, mirror.refreshes), (1, 1));
    let told = |all: &[(String, bellwether::cel::Json)]| -> Vec<String> {
        let told = all.iter().filter(|(name, _)| name != "kube-root-ca.crt");
        told.map(|(name, object)| {
            let value = object.at(&["data", "value"]).map(ToString::to_string);
            format!("{name}={}", value.unwrap_or_default())
        })
        .collect()
    };
    assert_eq!(told(&mirror.refreshed), [r#"a="1""#, r#"b="1""#]);
    assert_eq!(told(&mirror.changed), [r#"a="2""#, r#"a="1""#, r#"c="1""#]);
}
