//! `kill -9` in the middle of a storm.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::World;

const DATABASES: usize = 60;
const IN_FLIGHT: usize = 2;

/// How often each database was told as firing, with the idempotency keys that came.
fn told(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for delivery in world.webhook.messages() {
        let body = delivery.json();
        assert_eq!(body["status"], "firing", "{delivery}");
        for alert in body["alerts"].as_array().unwrap() {
            let name = alert["labels"]["name"].as_str().unwrap().to_owned();
            let key = delivery.header("idempotency-key").to_owned();
            told.entry(name).or_default().push(key);
        }
    }
    told
}

async fn storm(world: &World) -> Vec<kube::api::DynamicObject> {
    let mut databases = Vec::new();
    for n in 0..DATABASES {
        databases.push(world.database(&format!("db-{n}")).await);
    }
    databases
}

/// Everything was told, and no more than the promised number twice, each time as the same message.
fn assert_whole(told: &BTreeMap<String, Vec<String>>, kills: usize) {
    assert_eq!(told.len(), DATABASES, "lost: only {:?}", told.keys());
    let twice: Vec<_> = told.values().filter(|keys| keys.len() > 1).collect();
    assert!(
        twice.len() <= IN_FLIGHT * kills,
        "{} were told more than once after {kills} kills",
        twice.len()
    );
    for keys in twice {
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

#[tokio::test]
async fn a_bridge_that_is_killed_in_the_storm_loses_nothing_and_repeats_only_what_was_under_way() {
    let world = World::new("crash").await;
    world.write_rules("1s", &format!("  maxInFlight: {IN_FLIGHT}\n"));
    world.webhook.slow(Duration::from_millis(40));
    let databases = storm(&world).await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    for database in &databases {
        world.phase(database, "Failed").await;
    }
    let mut kills = 0;
    let mut bridge = Some(bridge);
    for heard in [3, 17, 35] {
        world
            .webhook
            .wait_for(heard, Duration::from_secs(30))
            .await
            .unwrap();
        bridge.take().unwrap().kill();
        kills += 1;
        bridge = Some(world.command().start().await);
    }
    let enough = DATABASES;
    world
        .webhook
        .wait_for(enough, Duration::from_secs(30))
        .await
        .unwrap();
    // Anything that is still to come, lost or doubled, comes now.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_whole(&told(&world), kills);
}

#[tokio::test]
async fn what_happened_while_the_bridge_was_down_is_told_after_the_restart() {
    let world = World::new("down").await;
    world.write_rules("1s", "");
    let (failed, recovers) = (
        world.database("fails").await,
        world.database("recovers").await,
    );
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&recovers, "Failed").await;
    world
        .webhook
        .wait_for(1, Duration::from_secs(15))
        .await
        .unwrap();
    // Heard is not enough: what is under way when the bridge dies is told again.
    bridge.says("\"sent\"").await;
    bridge.kill();

    world.phase(&recovers, "Running").await;
    world.phase(&failed, "Failed").await;
    let _bridge = world.command().start().await;
    let hooks = world
        .webhook
        .wait_for(3, Duration::from_secs(15))
        .await
        .unwrap();
    let mut told: Vec<String> = hooks[1..]
        .iter()
        .map(|hook| {
            let body = hook.json();
            let name = &body["alerts"][0]["labels"]["name"];
            format!(
                "{} {}",
                name.as_str().unwrap(),
                body["status"].as_str().unwrap()
            )
        })
        .collect();
    told.sort();
    assert_eq!(told, ["fails firing", "recovers resolved"]);
}
