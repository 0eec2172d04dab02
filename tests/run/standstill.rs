//! A process that stood still: suspended with its machine, or frozen.

use std::fs;
use std::time::Duration;

use bellwether_testkit::CutProxy;

use crate::world::{HOOK, World};

/// Longer than half a minute behind the end of the hold.
const STANDSTILL: Duration = Duration::from_secs(42);

#[tokio::test]
async fn what_was_mended_while_the_process_stood_still_pages_nobody() {
    let world = World::new("standstill").await;
    let rule = world.rule("failed", "when: object.status.phase == 'Failed'\nfor: 8s");
    fs::write(world.rules(), rule + HOOK).unwrap();
    let proxy = CutProxy::start(world.cluster.address()).await.unwrap();
    let mended = world.database("orders").await;
    let failed = world.database("carts").await;
    let bridge = world.command_through(proxy.address()).start().await;
    bridge.ready().await;
    world.phase(&mended, "Failed").await;
    world.phase(&failed, "Failed").await;
    tokio::time::sleep(Duration::from_secs(2)).await;

    bridge.signal("-STOP");
    proxy.refuse().await;
    proxy.cut();
    world.phase(&mended, "Running").await;
    tokio::time::sleep(STANDSTILL).await;
    bridge.signal("-CONT");
    bridge.says("stood still for").await;
    // It may not ask, and so it knows nothing: both holds are over by now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(world.webhook.messages().is_empty(), "{}", bridge.log());

    proxy.accept().await;
    let soon = Duration::from_mins(1);
    let messages = world.webhook.wait_for(1, soon).await.unwrap();
    assert_eq!(messages[0].json()["alerts"][0]["labels"]["name"], "carts");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.webhook.messages().len(), 1, "{}", bridge.log());
}
