//! What breaks between the bridge and the cluster, made for real.

use std::time::{Duration, Instant};

use bellwether::cel::PathSet;
use bellwether::watch::stream::WatchSettings;
use bellwether_testkit as testkit;
use bellwether_testkit::{CutProxy, Event};

use crate::mirror::{Health, Mirror, hasty};
use crate::world::World;

/// How often the connection is cut, twice each time.
const ROUNDS: u32 = 30;

#[tokio::test]
async fn an_api_server_that_restarts_costs_no_final_state() {
    let testbed = testkit::Cluster::start().await.expect("a cluster");
    let world = World::within(&testbed, "restart").await;
    world.define().await;
    world.database("changed", 1).await;
    let deleted = world.database("deleted", 1).await;
    let mut mirror = Mirror::listed(world.databases(), &world.cluster).await;

    testbed.stop_apiserver();
    mirror
        .until("it is down", |m| m.health == Health::Broken)
        .await;
    testbed.start_apiserver().await.expect("started");
    world.database("changed", 2).await;
    world.delete(&deleted).await;
    mirror
        .until("the final state is seen", |m| {
            m.health == Health::Good
                && m.names() == ["changed"]
                && m.field("changed", &["spec", "version"]).as_deref() == Some("2")
        })
        .await;
}

#[tokio::test]
async fn an_etcd_that_restarts_costs_no_final_state() {
    let testbed = testkit::Cluster::start().await.expect("a cluster");
    let world = World::within(&testbed, "etcd").await;
    world.define().await;
    let deleted = world.database("deleted", 1).await;
    let mut mirror = Mirror::listed(world.databases(), &world.cluster).await;
    testbed.restart_etcd().await.expect("restarted");
    world.database("added", 1).await;
    world.delete(&deleted).await;
    mirror
        .until("the final state is seen", |m| {
            m.health == Health::Good && m.names() == ["added"]
        })
        .await;
}

#[tokio::test]
async fn a_position_that_the_server_forgot_becomes_a_new_list() {
    let testbed = testkit::Cluster::start().await.expect("a cluster");
    let proxy = CutProxy::start(testbed.address()).await.expect("a proxy");
    let world = World::behind(&testbed, &proxy, "gone").await;
    world.define().await;
    world.database("changed", 1).await;
    let deleted = world.database("deleted", 1).await;
    let map = world.config_map("main", 1).await;
    let mut databases = Mirror::listed(world.databases(), &world.cluster).await;
    let mut events = Mirror::listed(world.events(), &world.cluster).await;

    proxy.refuse().await;
    proxy.cut();
    databases
        .until("it is down", |m| m.health == Health::Broken)
        .await;
    events
        .until("it is down", |m| m.health == Health::Broken)
        .await;
    world.database("changed", 2).await;
    world.delete(&deleted).await;
    let event = Event {
        kind: "Warning",
        reason: "Meanwhile",
        message: "nobody watched",
        count: 1,
    };
    world.objects.event(&map, event).await.expect("created");
    testbed.compact_etcd().await.expect("compacted");
    testbed.restart_apiserver().await.expect("restarted");
    proxy.accept().await;

    databases
        .until("it is listed again", |m| {
            m.lists == 2 && m.health == Health::Good
        })
        .await;
    assert_eq!(databases.names(), ["changed"]);
    assert_eq!(
        databases.field("changed", &["spec", "version"]).as_deref(),
        Some("2")
    );
    assert!(databases.deleted.is_empty(), "only the list could tell");
    events
        .until("it is listed again", |m| {
            m.lists == 2 && m.events.len() == 1
        })
        .await;
}

#[tokio::test]
async fn a_connection_cut_again_and_again_misses_no_final_state() {
    let testbed = testkit::Cluster::shared().await;
    let proxy = CutProxy::start(testbed.address()).await.expect("a proxy");
    let world = World::behind(testbed, &proxy, "cut").await;
    world.define().await;
    world.database("stays", 0).await;
    let mut mirror = Mirror::listed(world.databases(), &world.cluster).await;

    for round in 1..=ROUNDS {
        let passing = world.database(&format!("passing-{round}"), round).await;
        proxy.cut();
        world.database("stays", round).await;
        if round % 3 == 0 {
            // Let it come back in the middle of things, too: the next cut
            // meets an open connection.
            mirror
                .until("it went on", |m| {
                    m.field("stays", &["spec", "version"]) == Some(round.to_string())
                })
                .await;
        }
        proxy.cut();
        world.delete(&passing).await;
    }
    mirror
        .until("the final state is seen", |m| {
            m.names() == ["stays"]
                && m.field("stays", &["spec", "version"]) == Some(ROUNDS.to_string())
        })
        .await;
    mirror
        .until("it is well", |m| m.health == Health::Good)
        .await;
    assert!(
        mirror.broken.len() >= (ROUNDS / 3) as usize,
        "the cuts were noticed: {:?}",
        mirror.broken
    );
    assert_eq!(mirror.lists, 1, "it went on from where it was");
    let passed = mirror.deleted.len();
    assert_eq!(passed, ROUNDS as usize, "every deletion was seen");
}

#[tokio::test]
async fn a_list_that_is_cut_deletes_nothing_and_is_made_again() {
    let testbed = testkit::Cluster::shared().await;
    let proxy = CutProxy::start(testbed.address()).await.expect("a proxy");
    let world = World::behind(testbed, &proxy, "cutlist").await;
    world.define().await;
    for n in 0..50 {
        world.database(&format!("db-{n}"), n).await;
    }
    let paths = PathSet::all();
    let mut mirror = Mirror::with(&world.cluster, world.databases(), &paths, hasty(), 1);
    mirror
        .until("it is amidst a list", |m| m.objects.len() == 5)
        .await;
    proxy.cut();
    mirror
        .until("it is listed", |m| m.lists == 1 && m.health == Health::Good)
        .await;
    assert_eq!(mirror.objects.len(), 50);
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_replaced() {
    let testbed = testkit::Cluster::shared().await;
    let proxy = CutProxy::start(testbed.address()).await.expect("a proxy");
    let world = World::behind(testbed, &proxy, "silent").await;
    let settings = WatchSettings {
        silence: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        ..hasty()
    };
    let mut mirror = Mirror::with(
        &world.cluster,
        world.config_maps(),
        &PathSet::all(),
        settings,
        16,
    );
    mirror.until("it is listed", |m| m.lists == 1).await;
    proxy.stall();
    world.config_map("main", 1).await;
    mirror
        .until("nobody answers", |m| m.health == Health::Broken)
        .await;
    let why = mirror.broken[0].replace(&proxy.address().to_string(), "PROXY");
    insta::assert_snapshot!(why, @"cannot reach the API server at https://PROXY: no answer within 2 s; check that it runs, the address, and the network between");
    mirror.during(Duration::from_secs(3)).await;
    proxy.flow();
    mirror
        .until("the change arrives", |m| {
            m.health == Health::Good && m.object("main").is_some()
        })
        .await;
    assert_eq!(mirror.lists, 1, "it went on from where it was");
}

#[tokio::test]
async fn a_watch_that_the_server_ends_goes_on_without_a_word() {
    let world = World::shared("timeouts").await;
    let settings = WatchSettings {
        watch: Duration::from_secs(6),
        ..hasty()
    };
    let source = world.config_maps();
    let mut mirror = Mirror::with(&world.cluster, source, &PathSet::all(), settings, 16);
    mirror.until("it is listed", |m| m.lists == 1).await;
    mirror.during(Duration::from_secs(15)).await;
    world.config_map("main", 1).await;
    mirror
        .until("the change arrives", |m| m.object("main").is_some())
        .await;
    assert_eq!((mirror.lists, mirror.broken.len()), (1, 0));
    let connections = mirror.stats().connections.get();
    assert!((2..=5).contains(&connections), "{connections} connections");
}

#[tokio::test]
async fn a_dropped_stream_closes_its_connection() {
    let testbed = testkit::Cluster::shared().await;
    let proxy = CutProxy::start(testbed.address()).await.expect("a proxy");
    let world = World::behind(testbed, &proxy, "dropped").await;
    let mirror = Mirror::listed(world.config_maps(), &world.cluster).await;
    let open = proxy.open();
    assert!(open > 0);
    drop(mirror);
    let began = Instant::now();
    while proxy.open() >= open {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{} are open",
            proxy.open()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
