//! What a cluster said is recorded beside a bridge that runs, and replayed: the same is decided.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::bridge::Command;
use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_secs(30);

/// Each firing, occurrence and resolve that a bridge decided: rule, object, what.
fn decided(world: &World) -> Vec<String> {
    let mut ledger = Command::new("ledger", world.folder.path());
    ledger
        .path("--state", &world.state())
        .arguments(&["-o", "json"]);
    let (code, text) = ledger.printed();
    assert_eq!(code, Some(0), "{text}");
    let entries = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut all: Vec<String> = entries
        .filter(|entry| {
            ["firing", "occurred", "resolved"]
                .iter()
                .any(|one| is(entry, one))
        })
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("rule"), text("reason"))
        })
        .collect();
    all.sort();
    all
}

fn is(entry: &Value, reason: &str) -> bool {
    let said = entry["reason"].as_str().unwrap_or_default();
    said == reason || said.starts_with(&format!("{reason}:"))
}

#[tokio::test]
async fn a_recording_of_a_live_run_decides_what_the_live_run_decided() {
    let world = World::new("record").await;
    let failed = "when: object.status.phase == 'Failed'\nfor: 1s";
    let changed = "'on': object.spec.version != oldObject.spec.version";
    let rules = world.rule("failed", failed) + &world.rule("upgraded", changed) + HOOK;
    fs::write(world.rules(), rules).unwrap();
    let databases = [
        world.database("orders").await,
        world.database("carts").await,
        world.database("users").await,
    ];
    world.phase(&databases[1], "Failed").await;
    let file = world.folder.path().join("day.gz");
    let mut recording = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .env_clear()
        .args(["record", "--rules"])
        .arg(world.rules())
        .arg("--kubeconfig")
        .arg(world.user.kubeconfig().unwrap())
        .arg("--output")
        .arg(&file)
        .stderr(fs::File::create(world.folder.path().join("said")).unwrap())
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(world.folder.path().join("said")).unwrap();
    while !said().contains("changes follow") {
        assert!(recording.try_wait().unwrap().is_none(), "{}", said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    let mut messages = 1;
    for (round, database) in databases.iter().enumerate() {
        let phase = if round == 1 { "Running" } else { "Failed" };
        world.phase(database, phase).await;
        let version = serde_json::json!({"spec": {"version": format!("18.{round}")}});
        world.objects.patch(database, version).await.unwrap();
        messages += 2;
        world.webhook.wait_for(messages, SOON).await.unwrap();
    }
    bridge.says_again("\"sent\"", messages).await;
    let stop = std::process::Command::new("kill")
        .args(["-INT", &recording.id().to_string()])
        .status();
    assert!(stop.unwrap().success());
    assert!(recording.wait().unwrap().success(), "{}", said());

    let mut replay = Command::new("replay", world.folder.path());
    replay
        .arguments(&[&file.display().to_string(), "-o", "json"])
        .path("--rules", &world.rules())
        .variable("HOOK_URL", "http://127.0.0.1/");
    let (code, text) = replay.printed();
    assert_eq!(code, Some(0), "{text}");
    let printed = text.lines().find(|line| line.starts_with('{')).unwrap();
    let report: Value = serde_json::from_str(printed).unwrap();
    let heard = decided(&world);
    let count = |what: &str| heard.iter().filter(|one| one.starts_with(what)).count();
    for (rule, fired, resolved) in [
        ("failed", count("failed firing"), count("failed resolved")),
        ("upgraded", count("upgraded occurred"), 0),
    ] {
        let of_rule = report["rules"].as_array().unwrap().iter();
        let of_rule = of_rule.clone().find(|it| it["rule"] == rule).unwrap();
        assert_eq!(of_rule["fired"], fired, "{rule}: {heard:?} {report:#}");
        assert_eq!(
            of_rule["resolved"], resolved,
            "{rule}: {heard:?} {report:#}"
        );
    }
    assert_eq!(report["receivers"][0]["messages"], messages, "{report:#}");
    assert_eq!(count("failed firing") + count("upgraded"), 6, "{heard:?}");
}
