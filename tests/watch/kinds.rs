//! Custom and built-in kinds, selectors, and kinds that come and go.

use std::time::{Duration, Instant};

use bellwether::cel::PathSet;
use bellwether::watch::Source;
use serde_json::json;

use crate::mirror::{Health, Mirror, hasty};
use crate::world::World;

#[tokio::test]
async fn a_custom_resource_is_listed_and_every_change_follows() {
    let world = World::shared("custom").await;
    world.define().await;
    let first = world.database("first", 1).await;

    let mut mirror = Mirror::listed(world.databases(), &world.cluster).await;
    assert_eq!(mirror.names(), ["first"]);
    assert_eq!(
        mirror.field("first", &["kind"]).as_deref(),
        Some("\"Database\"")
    );

    world.database("second", 1).await;
    world
        .objects
        .patch_status(&first, json!({"phase": "Failed"}))
        .await
        .expect("patched");
    mirror
        .until("the status and the new one are seen", |m| {
            m.field("first", &["status", "phase"]).as_deref() == Some("\"Failed\"")
                && m.object("second").is_some()
        })
        .await;
    world.delete(&first).await;
    mirror
        .until("the deletion is seen", |m| m.deleted == ["first"])
        .await;
    assert_eq!(mirror.names(), ["second"]);
    assert_eq!((mirror.lists, mirror.health), (1, Health::Good));
}

#[tokio::test]
async fn built_in_kinds_are_watched_like_custom_ones() {
    let world = World::shared("builtin").await;
    world.config_map("settings", 1).await;
    let mut maps = Mirror::listed(world.config_maps(), &world.cluster).await;
    // Items of a typed list carry neither of the two.
    assert_eq!(
        maps.field("settings", &["kind"]).as_deref(),
        Some("\"ConfigMap\"")
    );
    assert_eq!(
        maps.field("settings", &["apiVersion"]).as_deref(),
        Some("\"v1\"")
    );
    world.config_map("settings", 2).await;
    maps.until("the change is seen", |m| {
        m.field("settings", &["data", "value"]).as_deref() == Some("\"2\"")
    })
    .await;

    let namespaces = Mirror::listed(Source::of("v1", "Namespace"), &world.cluster).await;
    assert!(namespaces.object(&world.namespace).is_some());
    let apps = Mirror::listed(
        world.here(Source::of("apps/v1", "Deployment")),
        &world.cluster,
    )
    .await;
    assert!(apps.objects.is_empty());
}

#[tokio::test]
async fn only_what_is_read_is_kept() {
    let world = World::shared("projected").await;
    world.define().await;
    world.database("main", 7).await;
    let paths = PathSet::of(["spec.version"]).expect("a path");
    let mut mirror = Mirror::with(&world.cluster, world.databases(), &paths, hasty(), 16);
    mirror.until("the list ends", |m| m.lists == 1).await;
    let object = mirror.object("main").expect("listed").to_string();
    assert!(object.contains(r#""spec":{"version":7}"#), "{object}");
    assert!(
        !object.contains("hunter2") && !object.contains("managedFields"),
        "{object}"
    );
}

#[tokio::test]
async fn metadata_alone_is_followed_like_whole_objects() {
    let world = World::shared("metadata").await;
    world.define().await;
    let first = world.database("first", 1).await;
    world.config_map("settings", 1).await;
    let paths = PathSet::of(["metadata.labels.tier"]).expect("a path");
    for (source, name) in [
        (world.databases(), "first"),
        (world.config_maps(), "settings"),
    ] {
        let kind = format!("\"{}\"", source.kind);
        let mut mirror = Mirror::with(&world.cluster, source, &paths, hasty(), 16);
        mirror.until("the list ends", |m| m.lists == 1).await;
        assert_eq!(mirror.field(name, &["kind"]), Some(kind));
    }
    let mut mirror = Mirror::with(&world.cluster, world.databases(), &paths, hasty(), 16);
    mirror
        .until("the label is seen", |m| {
            m.field("first", &["metadata", "labels", "tier"]).as_deref() == Some("\"gold\"")
        })
        .await;
    world.delete(&first).await;
    mirror
        .until("the deletion is seen", |m| m.deleted == ["first"])
        .await;
    assert_eq!((mirror.lists, mirror.health), (1, Health::Good));
}

#[tokio::test]
async fn an_object_that_leaves_the_selector_is_told_from_one_that_is_deleted() {
    let world = World::shared("selector").await;
    world.define().await;
    let gold = world.database("main", 1).await;
    let source = Source {
        label_selector: Some("tier in (gold, platinum)".into()),
        ..world.here(world.databases())
    };
    let mut mirror = Mirror::listed(source, &world.cluster).await;
    assert_eq!(mirror.names(), ["main"]);
    world
        .objects
        .patch(&gold, json!({"metadata": {"labels": {"tier": "tin"}}}))
        .await
        .expect("patched");
    mirror.until("it has left", |m| m.left == ["main"]).await;
    // Nothing stands between this one and its end: the server says the same of it.
    let other = world.database("other", 1).await;
    mirror
        .until("the other one is there", |m| m.names() == ["other"])
        .await;
    world.delete(&other).await;
    mirror
        .until("it is deleted", |m| m.deleted == ["main", "other"])
        .await;
    assert_eq!(mirror.left, ["main"]);
}

#[tokio::test]
async fn a_field_selector_is_the_servers_to_apply() {
    let world = World::shared("fields").await;
    world.config_map("a", 1).await;
    world.config_map("b", 1).await;
    let source = Source {
        field_selector: Some("metadata.name=b".into()),
        ..world.config_maps()
    };
    let mirror = Mirror::listed(source, &world.cluster).await;
    assert_eq!(mirror.names(), ["b"]);
}

#[tokio::test]
async fn a_selector_that_the_server_refuses_is_said_with_its_reason() {
    let world = World::shared("badfield").await;
    let source = Source {
        field_selector: Some("data.value=1".into()),
        ..world.config_maps()
    };
    let mut mirror = Mirror::of(&world.cluster, source);
    mirror
        .until("it is broken", |m| m.health == Health::Broken)
        .await;
    insta::assert_snapshot!(mirror.broken[0], @r#"the API server rejects the request (400): "data.value" is not a known field selector: only "metadata.name", "metadata.namespace""#);
}

#[tokio::test]
async fn a_kind_that_does_not_exist_yet_is_found_soon_after_it_appears() {
    let world = World::shared("late").await;
    let mut mirror = Mirror::of(&world.cluster, world.databases());
    mirror
        .until("it is dormant", |m| m.health == Health::Dormant)
        .await;
    let why = mirror.dormant[0].replace(&world.namespace, "NAMESPACE");
    insta::assert_snapshot!(why, @"the server has no Database in NAMESPACE.example.com/v1 (is its CustomResourceDefinition installed?)");
    // Long enough for the looks to be as rare as they get.
    mirror.during(Duration::from_secs(8)).await;

    world.define().await;
    let defined = Instant::now();
    world.database("main", 1).await;
    mirror
        .until("it is listed", |m| m.object("main").is_some())
        .await;
    assert!(
        defined.elapsed() < Duration::from_secs(6),
        "{:?}",
        defined.elapsed()
    );
    assert_eq!(mirror.dormant.len(), 1, "one warning");
    assert!(mirror.broken.is_empty(), "{:?}", mirror.broken);
}

#[tokio::test]
async fn a_kind_that_is_deleted_and_recreated_is_listed_anew() {
    let world = World::shared("recreated").await;
    let definition = world.define().await;
    world.database("old", 1).await;
    let mut mirror = Mirror::listed(world.databases(), &world.cluster).await;

    world.delete(&definition).await;
    mirror
        .until("it is dormant", |m| m.health == Health::Dormant)
        .await;
    assert_eq!(
        mirror.deleted,
        ["old"],
        "its end was seen before the kind's"
    );

    world.define().await;
    world.database("new", 2).await;
    mirror
        .until("the new one is seen", |m| m.object("new").is_some())
        .await;
    assert_eq!(mirror.names(), ["new"]);
    assert_eq!(mirror.dormant.len(), 1, "{:?}", mirror.dormant);
}
