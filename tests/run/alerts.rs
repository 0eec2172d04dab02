//! From a custom resource to a message that arrives.

use std::time::Duration;

use bellwether_testkit::receivers::pagerduty::EventKind;

use crate::world::World;

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_database_that_fails_is_told_to_everybody_and_so_is_its_recovery() {
    let world = World::new("alerts").await;
    world.write_rules("1s", "");
    let database = world.database("orders").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;

    let chat = world.slack.wait_for(1, SOON).await.unwrap();
    assert!(chat[0].text.contains("orders has failed"), "{}", chat[0]);
    let pages = world.pagerduty.wait_for(1, SOON).await.unwrap();
    assert_eq!(pages[0].kind, EventKind::Trigger);
    assert!(pages[0].summary().contains("orders"), "{}", pages[0]);
    let hooks = world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(hooks[0].json()["status"], "firing");

    world.phase(&database, "Running").await;
    world.slack.wait_for(2, SOON).await.unwrap();
    let pages = world.pagerduty.wait_for(2, SOON).await.unwrap();
    assert_eq!(pages[1].kind, EventKind::Resolve);
    assert_eq!(pages[1].dedup_key, pages[0].dedup_key);
    let hooks = world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(hooks[1].json()["status"], "resolved");

    assert!(world.slack.refused().is_empty());
    assert!(world.pagerduty.refused().is_empty());
    assert!(
        !bridge.log().contains(&world.slack.webhook_url("alerts")),
        "a secret was logged"
    );
}

#[tokio::test]
async fn a_database_that_recovers_within_the_hold_is_told_to_nobody() {
    let world = World::new("hold").await;
    world.write_rules("3s", "");
    let (brief, lasting) = (
        world.database("brief").await,
        world.database("lasting").await,
    );
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&brief, "Failed").await;
    world.phase(&lasting, "Failed").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.phase(&brief, "Running").await;

    let hooks = world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(hooks[0].json()["alerts"][0]["labels"]["name"], "lasting");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.webhook.messages().len(), 1);
}

#[tokio::test]
async fn databases_that_fail_together_are_one_message() {
    let world = World::new("together").await;
    world.write_rules("1s", "");
    let mut databases = Vec::new();
    for n in 0..20 {
        databases.push(world.database(&format!("db-{n}")).await);
    }
    let bridge = world.command().start().await;
    bridge.ready().await;
    for database in &databases {
        world.phase(database, "Failed").await;
    }
    world.webhook.wait_for(20, SOON).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let pages = world.pagerduty.incidents();
    assert_eq!(pages.len(), 1, "one incident for the group");
    let chat = world.slack.messages();
    assert!(
        chat.len() <= 2,
        "{} chat messages for one storm",
        chat.len()
    );
}
