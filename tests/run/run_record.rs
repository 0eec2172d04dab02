//! A bridge that records what it decides on: played again, the same is decided.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bellwether_testkit::Event;
use serde_json::Value;

use crate::bridge::{Bridge, Command};
use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_secs(30);

/// What a command prints: exit code, and both outputs.
fn printed(world: &World, subcommand: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(subcommand, world.folder.path());
    command.variable("USER", "ada").arguments(arguments);
    command.printed()
}

/// The documents of JSON that a command prints, a line each.
fn documents(world: &World, subcommand: &str, arguments: &[&str]) -> Vec<Value> {
    let (code, text) = printed(world, subcommand, arguments);
    assert_eq!(code, Some(0), "{text}");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How often each thing was decided; what is no news stands in no ledger.
fn counted(entries: &[Value]) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for entry in entries.iter().filter(|it| it["reason"] != "unchanged") {
        let mut about = entry.clone();
        let count = about["count"].as_u64().unwrap();
        for moment in ["at", "first", "count", "until"] {
            about.as_object_mut().unwrap().remove(moment);
        }
        *counted.entry(about.to_string()).or_default() += count;
    }
    counted
}

/// The moments at which each thing was decided first and last.
fn moments(entries: &[Value]) -> BTreeMap<String, (String, String)> {
    let mut moments: BTreeMap<String, (String, String)> = BTreeMap::new();
    for entry in entries.iter().filter(|it| it["reason"] != "unchanged") {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let about = [
            "message",
            "rule",
            "object",
            "alert",
            "receiver",
            "notification",
        ];
        let about: Vec<String> = about.map(text).into();
        let both = moments
            .entry(about.join(" "))
            .or_insert_with(|| (text("first"), text("at")));
        both.0 = text("first").min(both.0.clone());
        both.1 = text("at").max(both.1.clone());
    }
    moments
}

/// The keys under which the receiver took messages.
fn taken(world: &World) -> Vec<String> {
    let messages = world.webhook.messages();
    let mut keys: Vec<String> = messages
        .iter()
        .map(|message| message.header("idempotency-key").to_owned())
        .collect();
    keys.sort();
    keys
}

fn rules(world: &World, hold: &str) -> String {
    let failed = format!("when: object.status.phase == 'Failed'\nfor: {hold}");
    let changed = "'on': object.spec.version != oldObject.spec.version";
    let warned = "'on': event.type == 'Warning' && event.reason == 'BackupFailed'";
    let tried = "when: object.status.phase == 'Failed'\nshadow: true";
    let token = "{env: HOOK_URL}, bearerToken: {env: HOOK_TOKEN}}";
    world.rule("failed", &failed)
        + &world.rule("upgraded", changed)
        + &world.rule("warned", warned)
        + &world.rule("tried", tried)
        + &HOOK.replace("{env: HOOK_URL}}", token)
}

/// A bridge that records, and looks at its rules every second.
async fn recorded(world: &World, to: &Path, arguments: &[&str]) -> Bridge {
    let mut command = world.command_reading(&world.rules(), "1s");
    command
        .path("--record", to)
        .arguments(arguments)
        .variable("HOOK_TOKEN", "0123456789abcdef0123456789abcdef");
    let bridge = command.start().await;
    bridge.ready().await;
    bridge
}

async fn stopped(mut bridge: Bridge) {
    bridge.signal("-TERM");
    assert!(bridge.end(SOON).await.success(), "{}", bridge.log());
}

fn silence(world: &World, arguments: &[&str]) {
    let state = world.state().display().to_string();
    let arguments = [arguments, &["--state", &state]].concat();
    let (code, text) = printed(world, "silence", &arguments);
    assert_eq!(code, Some(0), "{text}");
}

/// Holds, changes, an Event, failures of the receiver, a silence and a reload.
async fn history(world: &World, bridge: &Bridge) {
    let databases = [
        world.database("orders").await,
        world.database("carts").await,
        world.database("users").await,
    ];
    world.webhook.fail_next(2, 500, None);
    world.phase(&databases[0], "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    world
        .webhook
        .fail_next(1, 429, Some(Duration::from_secs(1)));
    let version = serde_json::json!({"spec": {"version": "18.1"}});
    world.objects.patch(&databases[1], version).await.unwrap();
    world.webhook.wait_for(2, SOON).await.unwrap();
    let event = Event {
        kind: "Warning",
        reason: "BackupFailed",
        message: "no space left",
        count: 1,
    };
    world.objects.event(&databases[0], event).await.unwrap();
    world.webhook.wait_for(3, SOON).await.unwrap();

    let matcher = format!("namespace={}", world.namespace);
    let add = [
        "add",
        "alertname=failed",
        &matcher,
        "--comment",
        "an upgrade",
        "--name",
        "night",
    ];
    silence(world, &add);
    world.phase(&databases[2], "Failed").await;
    bridge.says("silenced: night").await;
    silence(world, &["expire", "night"]);
    world.webhook.wait_for(4, SOON).await.unwrap();

    // A rule that is wrong stays as it was, and its alerts with it; then it is edited.
    let wrong = rules(world, "1s").replace("'Failed'\n  for", "\n  for");
    fs::write(world.rules(), wrong).unwrap();
    bridge.says("\"frozen").await;
    fs::write(world.rules(), rules(world, "2s")).unwrap();
    bridge.says_again("\"reloaded\"", 2).await;
    world.phase(&databases[1], "Failed").await;
    world.webhook.wait_for(5, SOON).await.unwrap();
    world.phase(&databases[2], "Running").await;
    world.webhook.wait_for(6, SOON).await.unwrap();
    bridge.says_again("\"sent\"", 6).await;
}

#[tokio::test]
async fn a_run_that_was_recorded_decides_the_same_when_it_is_played_again() {
    let world = World::new("run-record").await;
    fs::write(world.rules(), rules(&world, "1s")).unwrap();
    let file = world.folder.path().join("run.gz");
    let bridge = recorded(&world, &file, &[]).await;
    history(&world, &bridge).await;
    let (_, metrics) = bridge.get("/metrics").await;
    assert!(metrics.contains("\nbellwether_recording 1\n"), "{metrics}");
    let none_lost = "\nbellwether_recording_lost_inputs_total 0\n";
    assert!(metrics.contains(none_lost), "{metrics}");
    stopped(bridge).await;

    // What it decided then stands in its ledger; what a replay decides is the same.
    let path = file.display().to_string();
    let state = world.state().display().to_string();
    let then = documents(&world, "ledger", &["--state", &state, "-o", "json"]);
    let now = documents(&world, "replay", &[&path, "-o", "decisions"]);
    assert_eq!(counted(&now), counted(&then));
    assert_eq!(moments(&now), moments(&then));
    assert!(then.len() > 20, "{then:#?}");
    let reasons: Vec<&str> = then.iter().filter_map(|it| it["reason"].as_str()).collect();
    for reason in [
        "frozen", "firing", "resolved", "occurred", "silenced", "retrying", "shadowed", "sent",
    ] {
        assert!(reasons.contains(&reason), "{reason}: {reasons:?}");
    }
    // And it is what the receiver was told, attempt by attempt.
    let mut sent: Vec<String> = now
        .iter()
        .filter(|it| it["reason"] == "sent")
        .map(|it| it["notification"].as_str().unwrap().to_owned())
        .collect();
    sent.sort();
    assert_eq!(sent, taken(&world));
    let report = documents(&world, "replay", &[&path, "-o", "json"]).remove(0);
    let attempts = world.webhook.messages().len() + world.webhook.refused().len();
    assert_eq!(report["attempts"], attempts, "{report:#}");
    assert_eq!(report["otherwise"], 0, "{report:#}");
    assert_eq!(report["messages"], 6, "{report:#}");
    no_credential_is_in(&file);
    let text = other_rules_are_tried_on(&world, &path, ["down", "3", "1"]);
    assert!(text.contains("1 rule not tried: large"), "{text}");
    shadows_are_counted(&world, &state);

    // The next run begins with the state that this one left.
    let folder = world.folder.path().join("recordings");
    fs::create_dir(&folder).unwrap();
    let bridge = recorded(&world, &folder, &[]).await;
    world
        .phase(&world.database("orders").await, "Running")
        .await;
    world.webhook.wait_for(7, SOON).await.unwrap();
    bridge.says("\"sent\"").await;
    bridge.kill();
    let second = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    let (code, text) = printed(&world, "replay", &[&second.path().display().to_string()]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the same is decided as then"), "{text}");
}

fn no_credential_is_in(file: &Path) {
    let mut text = String::new();
    let mut lines = flate2::read::MultiGzDecoder::new(fs::File::open(file).unwrap());
    lines.read_to_string(&mut text).unwrap();
    assert!(text.contains("HOOK_TOKEN"), "the documents are there");
    assert!(!text.contains("0123456789abcdef"));
    assert!(!text.contains("127.0.0.1"), "nor what HOOK_URL says");
}

/// What was recorded beside the bridge serves other rules too, where it holds what they read: how
/// many messages one of them would have sent, and about how many objects.
fn other_rules_are_tried_on(world: &World, path: &str, down: [&str; 3]) -> String {
    let others = world.rule("down", "when: object.status.phase == 'Failed'")
        + &world.rule("large", "when: object.spec.storageGB > 1000")
        + HOOK;
    let file = world.folder.path().join("others.yaml");
    fs::write(&file, others).unwrap();
    let file = file.display().to_string();
    let (code, text) = printed(world, "replay", &[path, "--rules", &file]);
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().find(|line| line.starts_with("down ")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().take(3).collect();
    assert_eq!(numbers, down, "{text}");
    text
}

#[tokio::test]
async fn a_run_that_kept_objects_whole_can_be_played_to_any_rule() {
    let world = World::new("whole-record").await;
    fs::write(world.rules(), rules(&world, "1s")).unwrap();
    let file = world.folder.path().join("run.gz");
    let bridge = recorded(&world, &file, &["--record-whole-objects"]).await;
    world.phase(&world.database("orders").await, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    bridge.says("\"sent\"").await;
    stopped(bridge).await;

    let path = file.display().to_string();
    let report = documents(&world, "replay", &[&path, "-o", "json"]).remove(0);
    assert_eq!(report["otherwise"], 0, "{report:#}");
    assert_eq!(report["messages"], 1, "{report:#}");
    let text = other_rules_are_tried_on(&world, &path, ["down", "1", "0"]);
    assert!(!text.contains("not tried"), "{text}");
}

/// The ledger of the live bridge counts its shadows as a replay does.
fn shadows_are_counted(world: &World, state: &str) {
    let arguments = ["--summary", "--shadow", "--state", state];
    let (code, text) = printed(world, "ledger", &arguments);
    assert_eq!(code, Some(0), "{text}");
    let tried = text
        .lines()
        .find(|line| line.starts_with("tried "))
        .unwrap();
    assert!(tried.contains("3 (shadow: would have sent)"), "{text}");
    assert!(!text.contains("upgraded"), "{text}");
}

#[tokio::test]
async fn a_recording_that_cannot_be_written_any_more_ends_and_the_bridge_goes_on() {
    let world = World::new("full-record").await;
    fs::write(world.rules(), rules(&world, "1s")).unwrap();
    let file = world.folder.path().join("run.gz");
    // The first file is full at once, and the name of the next is taken.
    fs::write(world.folder.path().join("run.gz.1"), "mine").unwrap();
    let mut command = world.command();
    command
        .path("--record", &file)
        .arguments(&["--record-max-size", "1"])
        .variable("HOOK_TOKEN", "0123456789abcdef0123456789abcdef");
    let bridge = command.start().await;
    bridge.ready().await;
    world.phase(&world.database("orders").await, "Failed").await;
    bridge
        .says("the recording ends here, the bridge goes on")
        .await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    let (_, metrics) = bridge.get("/metrics").await;
    assert!(metrics.contains("\nbellwether_recording 0\n"), "{metrics}");
    let mine = fs::read_to_string(world.folder.path().join("run.gz.1"));
    assert_eq!(mine.unwrap(), "mine");
}
