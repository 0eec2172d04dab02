//! What breaks around a running bridge.

use std::time::Duration;

use bellwether_testkit::CutProxy;

use crate::world::World;

#[tokio::test]
async fn an_api_server_that_cannot_be_reached_for_a_while_costs_nothing() {
    let world = World::new("away").await;
    world.write_rules("0s", "");
    let proxy = CutProxy::start(world.cluster.address()).await.unwrap();
    let database = world.database("orders").await;
    let bridge = world.command_through(proxy.address()).start().await;
    bridge.ready().await;

    proxy.refuse().await;
    proxy.cut();
    world.phase(&database, "Failed").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.webhook.messages().is_empty());
    proxy.accept().await;
    world
        .webhook
        .wait_for(1, Duration::from_secs(40))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_delays_no_other() {
    let world = World::new("retry").await;
    world.write_rules("0s", "");
    world.slack.fail_next(2, 500, None);
    let database = world.database("orders").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    world
        .webhook
        .wait_for(1, Duration::from_secs(5))
        .await
        .unwrap();
    world
        .slack
        .wait_for(1, Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(world.slack.refused().len(), 2);
}

#[tokio::test]
async fn a_full_disk_silences_nobody_and_what_was_told_meanwhile_is_saved_when_there_is_room() {
    let world = World::new("full").await;
    world.write_rules("0s", "");
    let mut databases = Vec::new();
    for n in 0..40 {
        databases.push(world.database(&format!("db-{n}")).await);
    }
    let bridge = world.command().surviving_full_disks().start().await;
    bridge.ready().await;
    let size = std::fs::metadata(world.state()).unwrap().len();
    bridge.limit_files(&size.to_string());
    for database in &databases {
        world.phase(database, "Failed").await;
    }
    let all = databases.len();
    world
        .webhook
        .wait_for(all, Duration::from_secs(20))
        .await
        .unwrap();
    bridge.says("deliveries go on, unsaved").await;
    let (status, text) = bridge.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("cannot be written"), "{text}");

    bridge.limit_files("unlimited");
    bridge.says("the state file can be written again").await;
    assert_eq!(bridge.get("/readyz").await.0, 200);
    bridge.kill();
    let bridge = world.command().start().await;
    bridge.ready().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.webhook.messages().len(), all, "told twice");
}
