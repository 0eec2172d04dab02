//! An incident in PagerDuty that somebody silences is acknowledged there, once, whatever is killed.

use std::time::Duration;

use bellwether_testkit::receivers::pagerduty::{EventKind, State};

use crate::bridge::Command;
use crate::world::World;

const SOON: Duration = Duration::from_secs(20);
/// Longer than a mistake takes to be heard: several group intervals.
const QUIET: Duration = Duration::from_secs(6);

fn silence(world: &World, arguments: &[&str]) {
    let mut command = Command::new("silence", world.folder.path());
    command.variable("USER", "ada").arguments(arguments);
    command.path("--state", &world.state());
    let (code, said) = command.printed();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn somebody_who_silences_an_incident_acknowledges_it_once_whatever_is_killed() {
    let world = World::new("acknowledge").await;
    world.write_rules("1s", "");
    let database = world.database("orders").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    world.pagerduty.wait_for(1, SOON).await.unwrap();
    bridge.says("\"sent\"").await;

    // PagerDuty does not answer when it is told, and the bridge is killed meanwhile.
    world.pagerduty.fail_next(1, 503, None);
    let add = [
        "add",
        "alertname=database-failed",
        "--comment",
        "an upgrade",
    ];
    silence(&world, &[&add[..], &["--name", "upgrade"]].concat());
    bridge.says("\"acknowledged: upgrade: an upgrade").await;
    bridge.kill();
    let bridge = world.command().start().await;
    bridge.ready().await;
    let events = world.pagerduty.wait_for(2, SOON).await.unwrap();
    assert_eq!(events[1].kind, EventKind::Acknowledge);
    assert_eq!(events[1].dedup_key, events[0].dedup_key);
    assert_eq!(world.pagerduty.incidents()[0].state, State::Acknowledged);
    // Nor does reading the rules again say it again.
    world.write_rules("2s", "");
    bridge.signal("-HUP");
    tokio::time::sleep(QUIET).await;
    assert_eq!(world.pagerduty.messages().len(), 2, "{}", bridge.log());

    world.phase(&database, "Running").await;
    let events = world.pagerduty.wait_for(3, SOON).await.unwrap();
    assert_eq!(events[2].kind, EventKind::Resolve);
    let incidents = world.pagerduty.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].state, State::Resolved);
    let mut ledger = Command::new("ledger", world.folder.path());
    ledger.path("--state", &world.state());
    ledger.arguments(&["--reason", "acknowledged", "-o", "json"]);
    let (_, told) = ledger.printed();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("\"pager\""), "{told}");
}
