//! Routes, inhibitions and silences, from documents that change while the bridge runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_secs(20);
/// Longer than a mistake takes to be heard.
const QUIET: Duration = Duration::from_secs(3);

const FAILED: &str = "when: object.status.phase == 'Failed'\nseverity: critical";

/// Two rules that name nobody, and where their alerts go.
fn directory(world: &World) -> PathBuf {
    let directory = world.folder.path().join("rules");
    fs::create_dir_all(&directory).unwrap();
    let rules = [
        world.rule("failed", FAILED),
        world.rule(
            "not-running",
            "when: object.status.phase in ['Failed', 'Lost']",
        ),
    ];
    fs::write(directory.join("rules.yaml"), rules.concat()).unwrap();
    fs::write(directory.join("hook.yaml"), HOOK).unwrap();
    directory
}

fn write(directory: &Path, kind: &str, name: &str, spec: &str) {
    let spec = spec.trim().replace('\n', "\n  ");
    let text = format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n"
    );
    fs::write(directory.join(format!("{name}.yaml")), text).unwrap();
}

fn told(world: &World) -> Vec<String> {
    let hooks = world.webhook.messages();
    let line = |hook: serde_json::Value| {
        let labels = &hook["alerts"][0]["labels"];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}", text(&labels["alertname"]), text(&hook["status"]))
    };
    hooks.iter().map(|hook| line(hook.json())).collect()
}

#[tokio::test]
async fn a_silence_that_ends_lets_out_once_what_still_fires() {
    let world = World::new("silenced").await;
    let rules = directory(&world);
    write(
        &rules,
        "Route",
        "critical",
        "matchers: [severity=critical]\nreceivers: [hook]",
    );
    write(&rules, "Route", "rest", "priority: -1\nreceivers: []");
    let ends = Timestamp::now() + SignedDuration::from_secs(15);
    let silence =
        format!("matchers: ['alertname=\"failed\"']\nendsAt: {ends}\ncomment: an upgrade");
    write(&rules, "Silence", "upgrade", &silence);
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    bridge.says("silenced: upgrade: an upgrade").await;
    assert_eq!(told(&world), [""; 0], "{}", bridge.log());

    world.webhook.wait_for(1, SOON).await.unwrap();
    assert!(Timestamp::now() >= ends, "it was told too early");
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world), ["failed firing"], "{}", bridge.log());
    world.phase(&database, "Running").await;
    world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(told(&world), ["failed firing", "failed resolved"]);
}

#[tokio::test]
async fn what_an_alert_explains_is_not_told_until_the_inhibition_is_taken_away() {
    let world = World::new("inhibited").await;
    let rules = directory(&world);
    write(&rules, "Route", "all", "receivers: [hook]");
    let inhibition = "source: {matchers: [alertname=failed]}\ntarget: {matchers: [alertname=not-running]}\nequal: [namespace, name]";
    write(&rules, "Inhibition", "explained", inhibition);
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    bridge.says("inhibited: explained").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world), ["failed firing"], "{}", bridge.log());

    fs::remove_file(rules.join("explained.yaml")).unwrap();
    world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(told(&world), ["failed firing", "not-running firing"]);
}

#[tokio::test]
async fn a_route_that_changes_moves_what_nobody_has_heard_of() {
    let world = World::new("rerouted").await;
    let rules = directory(&world);
    write(
        &rules,
        "Route",
        "all",
        "matchers: [severity=critical]\nreceivers: []\npriority: 1",
    );
    write(&rules, "Route", "rest", "receivers: []");
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    bridge.says("no-receiver").await;
    write(
        &rules,
        "Route",
        "all",
        "matchers: [severity=critical]\nreceivers: [hook]\npriority: 1",
    );
    world.webhook.wait_for(1, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world), ["failed firing"], "{}", bridge.log());
}
