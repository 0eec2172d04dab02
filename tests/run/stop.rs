//! SIGTERM and SIGINT.

use std::time::{Duration, Instant};

use crate::world::World;

#[tokio::test]
async fn a_bridge_that_is_asked_to_stop_waits_for_what_is_under_way() {
    let world = World::new("stop").await;
    world.write_rules("0s", "");
    world.webhook.answer_too_late(1, Duration::from_secs(2));
    let database = world.database("orders").await;
    let mut bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    // Slack groups for a second; the webhook is told at once and takes its time to answer.
    let arrived = world.webhook.wait_for(1, Duration::from_secs(10));
    arrived.await.unwrap();
    bridge.signal("-TERM");
    let status = bridge.end(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(world.webhook.messages().len(), 1);
    assert!(
        bridge.log().contains("everything is saved"),
        "{}",
        bridge.log()
    );

    world.webhook.recover();
    let bridge = world.command().start().await;
    bridge.ready().await;
    world
        .slack
        .wait_for(1, Duration::from_secs(10))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.webhook.messages().len(), 1, "told twice");
}

#[tokio::test]
async fn a_receiver_that_never_answers_delays_the_end_by_less_than_ten_seconds() {
    let world = World::new("hangs").await;
    world.write_rules("0s", "  timeout: 60s\n");
    world.webhook.answer_too_late(1, Duration::from_mins(1));
    let database = world.database("orders").await;
    let mut bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    let arrived = world.webhook.wait_for(1, Duration::from_secs(10));
    arrived.await.unwrap();
    bridge.signal("-TERM");
    let status = bridge.end(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", bridge.log());

    world.webhook.recover();
    let _bridge = world.command().start().await;
    world
        .webhook
        .wait_for(2, Duration::from_secs(10))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_second_signal_stops_at_once() {
    let world = World::new("at-once").await;
    world.write_rules("0s", "  timeout: 60s\n");
    world.webhook.answer_too_late(1, Duration::from_mins(1));
    let database = world.database("orders").await;
    let mut bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    let arrived = world.webhook.wait_for(1, Duration::from_secs(10));
    arrived.await.unwrap();
    bridge.signal("-INT");
    bridge.says("waiting for what is under way").await;
    let began = Instant::now();
    bridge.signal("-INT");
    let status = bridge.end(Duration::from_secs(2)).await;
    assert_eq!(status.code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(2));
}
