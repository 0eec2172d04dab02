//! The bad day: what must go well when everything else does not.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use bellwether_testkit::CutProxy;
use futures::StreamExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::bridge::{Bridge, Command};
use crate::kinds;
use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_mins(1);
/// Longer than a mistake takes to be heard.
const QUIET: Duration = Duration::from_secs(4);
const DATABASES: usize = 500;

const FAILED: &str = "when: object.status.phase == 'Failed'";

/// Many objects at a time, as a controller makes them.
async fn each<T, F: Future<Output = T>>(work: impl IntoIterator<Item = F>) -> Vec<T> {
    futures::stream::iter(work).buffered(8).collect().await
}

/// What the webhook heard of each database, in order, each message once: and since when it is so.
fn lives(world: &World) -> BTreeMap<String, Vec<(String, String)>> {
    let mut told: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut seen = Vec::new();
    for hook in world.webhook.messages() {
        let key = hook.header("idempotency-key").to_owned();
        let json = hook.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&json["alerts"][0]["labels"]["name"]);
        if !seen.contains(&key) {
            let life = (text(&json["status"]), text(&json["alerts"][0]["since"]));
            told.entry(name).or_default().push(life);
        }
        seen.push(key);
    }
    told
}

/// The same without since when.
fn told(world: &World) -> BTreeMap<String, Vec<String>> {
    let lives = lives(world).into_iter();
    lives
        .map(|(name, told)| (name, told.into_iter().map(|(status, _)| status).collect()))
        .collect()
}

/// How many messages of the webhook came more than once.
fn repeated(world: &World) -> usize {
    let mut keys = BTreeMap::new();
    for hook in world.webhook.messages() {
        *keys
            .entry(hook.header("idempotency-key").to_owned())
            .or_insert(0) += 1;
    }
    keys.values().map(|times| times - 1).sum()
}

#[tokio::test]
async fn five_hundred_databases_fail_while_slack_is_busy_and_the_bridge_is_killed_twice() {
    let world = World::new("storm").await;
    world.write_rules("1s", "  maxInFlight: 4\n");
    let names: Vec<String> = (0..DATABASES).map(|n| format!("db-{n}")).collect();
    let databases = each(names.iter().map(|name| world.database(name))).await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.slack.fail_next(3, 429, Some(Duration::from_secs(2)));

    let storm = each(
        databases
            .iter()
            .map(|database| world.phase(database, "Failed")),
    );
    let kills = async {
        let mut bridge = bridge;
        for heard in [40, 200] {
            world.webhook.wait_for(heard, SOON).await.unwrap();
            bridge.kill();
            bridge = world.command().start().await;
        }
        bridge
    };
    let (_, bridge) = tokio::join!(storm, kills);
    world.webhook.wait_for(DATABASES, SOON).await.unwrap();
    world.slack.wait_for(1, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;

    // Nothing lost, and twice only what was under way at a kill.
    let told = told(&world);
    assert_eq!(told.len(), DATABASES, "{}", bridge.log());
    assert!(told.values().all(|told| told == &["firing"]), "{told:?}");
    assert!(repeated(&world) <= 8, "{} repeated", repeated(&world));
    // One page, and a few messages that each say all of it.
    let pages = world.pagerduty.incidents();
    assert_eq!(pages.len(), 1, "{}", bridge.log());
    let chat = world.slack.messages();
    assert!(chat.len() <= 15, "{} chat messages", chat.len());
    let last = chat.last().map(ToString::to_string).unwrap_or_default();
    assert!(last.contains("500"), "{last} {}", bridge.log());
    // And somebody asks why.
    let mut ledger = Command::new("ledger", world.folder.path());
    ledger
        .path("--state", &world.state())
        .arguments(&["--object", "db-77", "--receiver", "hook"]);
    let (code, answer) = ledger.printed();
    assert_eq!(code, Some(0), "{answer}");
    assert!(answer.contains("sent"), "{answer}");
}

#[tokio::test]
async fn slack_answers_429_and_pages_do_not_wait_for_it() {
    let world = World::new("busy").await;
    world.write_rules("0s", "");
    let names: Vec<String> = (0..5).map(|n| format!("db-{n}")).collect();
    let databases = each(names.iter().map(|name| world.database(name))).await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    let busy = Duration::from_secs(4);
    world.slack.fail_next(4, 429, Some(busy));
    for (number, database) in databases.iter().enumerate() {
        let failed = Instant::now();
        world.phase(database, "Failed").await;
        world.webhook.wait_for(number + 1, SOON).await.unwrap();
        // Slack would have kept them waiting for longer than that.
        assert!(failed.elapsed() < busy, "{:?}", failed.elapsed());
        if number == 0 {
            world.pagerduty.wait_for(1, SOON).await.unwrap();
            assert!(failed.elapsed() < busy, "{:?}", failed.elapsed());
        }
    }
    // Slack was left alone for as long as it asked for, and caught up with all of it.
    let chat = world.slack.wait_for(1, SOON).await.unwrap();
    let refusals = world.slack.refused();
    assert_eq!(refusals.len(), 4, "{}", bridge.log());
    let last = chat[0].to_string();
    assert!(last.contains('5'), "{last}");
    let waited: Vec<Duration> = refusals
        .windows(2)
        .map(|pair| pair[1].arrived - pair[0].arrived)
        .collect();
    assert!(waited.iter().all(|waited| *waited >= busy), "{waited:?}");
}

#[tokio::test]
async fn the_watch_breaks_a_thousand_times_and_no_alert_is_lost_or_repeated() {
    let world = World::new("breaks").await;
    let rule = world.rule("failed", FAILED);
    fs::write(world.rules(), rule + HOOK).unwrap();
    let proxy = CutProxy::start(world.cluster.address()).await.unwrap();
    let names: Vec<String> = (0..10).map(|n| format!("db-{n}")).collect();
    let databases = each(names.iter().map(|name| world.database(name))).await;
    let bridge = world.command_through(proxy.address()).start().await;
    bridge.ready().await;

    let flaps = async {
        for round in 0..10 {
            for database in &databases {
                let phase = if round % 2 == 0 { "Failed" } else { "Running" };
                world.phase(database, phase).await;
            }
        }
        each(
            databases
                .iter()
                .map(|database| world.phase(database, "Failed")),
        )
        .await;
    };
    let breaks = async {
        for _ in 0..1000 {
            proxy.cut();
            tokio::time::sleep(Duration::from_millis(8)).await;
        }
    };
    tokio::join!(flaps, breaks);
    settled(&world, &bridge, |told| {
        told.len() == databases.len()
            && told
                .values()
                .all(|told| told.last().is_some_and(|last| last == "firing"))
    })
    .await;
    // What happened while nobody watched is not invented; what was told alternates.
    for (name, told) in told(&world) {
        assert_eq!(told[0], "firing", "{name}");
        assert!(
            told.windows(2).all(|pair| pair[0] != pair[1]),
            "{name}: {told:?}"
        );
    }
    assert_eq!(repeated(&world), 0);
}

#[tokio::test]
async fn a_bridge_that_is_killed_fifty_times_loses_nothing_and_repeats_only_what_was_under_way() {
    const KILLS: usize = 50;
    const IN_FLIGHT: usize = 2;
    let world = World::new("kills").await;
    let rule = world.rule("failed", FAILED);
    let hook = HOOK.replace("maxInFlight: 10", &format!("maxInFlight: {IN_FLIGHT}"));
    fs::write(world.rules(), rule + &hook).unwrap();
    world.webhook.slow(Duration::from_millis(20));
    let names: Vec<String> = (0..40).map(|n| format!("db-{n}")).collect();
    let databases = each(names.iter().map(|name| world.database(name))).await;
    let bridge = world.command().start().await;
    bridge.ready().await;

    let (killed, mut all_killed) = tokio::sync::watch::channel(false);
    let flaps = async {
        for phase in ["Failed", "Running"].into_iter().cycle() {
            if *all_killed.borrow_and_update() {
                break;
            }
            each(
                databases
                    .iter()
                    .map(|database| world.phase(database, phase)),
            )
            .await;
        }
        each(
            databases
                .iter()
                .map(|database| world.phase(database, "Failed")),
        )
        .await;
    };
    let kills = async {
        let mut bridge = bridge;
        for kill in 0..KILLS {
            // Sooner or later after the start: before its lists, among its first messages, later.
            tokio::time::sleep(Duration::from_millis(40 * (kill as u64 % 12))).await;
            bridge.kill();
            bridge = world.command().start().await;
        }
        killed.send(true).unwrap();
        bridge
    };
    let ((), bridge) = tokio::join!(flaps, kills);
    settled(&world, &bridge, |told| {
        let firing = |told: &Vec<String>| told.last().is_some_and(|last| last == "firing");
        told.len() == databases.len() && told.values().all(firing)
    })
    .await;
    // A firing may follow a firing if its resolve was superseded: then it is another one.
    for (name, told) in lives(&world) {
        assert_eq!(told[0].0, "firing", "{name}");
        assert!(
            told.windows(2).all(|pair| pair[0] != pair[1]),
            "{name}: {told:?}"
        );
    }
    let repeated = repeated(&world);
    assert!(repeated <= KILLS * IN_FLIGHT, "{repeated} repeated");
    // Nothing waits that was told, and nothing that was decided is left.
    let mut outbox = Command::new("outbox", world.folder.path());
    outbox.arguments(&["list"]).path("--state", &world.state());
    let (code, waiting) = outbox.printed();
    assert_eq!(code, Some(0), "{waiting}");
    assert!(!waiting.contains("hook"), "{waiting}");
}

/// Waits until what was told is so, and stays so.
async fn settled(
    world: &World,
    bridge: &Bridge,
    is: impl Fn(&BTreeMap<String, Vec<String>>) -> bool,
) {
    for _ in 0..120 {
        if is(&told(world)) {
            tokio::time::sleep(QUIET).await;
            assert!(is(&told(world)), "{:?}\n{}", told(world), bridge.log());
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("it stays {:?}\n{}", told(world), bridge.log());
}

/// The kind in a second version, which is stored from now on.
fn upgraded(group: &str) -> String {
    let second = "
    - name: v2
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
    kinds::crd(group).replace("storage: true", "storage: false") + second.trim_start_matches('\n')
}

async fn cache(world: &World, group: &str, name: &str) -> DynamicObject {
    kinds::failed_cache(world, group, name).await
}

#[tokio::test]
async fn the_crd_is_upgraded_and_no_alert_is_lost_or_repeated() {
    let world = World::new("upgrade").await;
    let group = format!("{}.example.com", world.namespace);
    kinds::allow(&world, &group).await;
    kinds::define(&world, &group).await;
    let rule = world
        .rule("failed", "when: object.phase == 'Failed'")
        .replace("stable.example.com/v1", &format!("{group}/v1"))
        .replace("kind: DatabaseInstance", "kind: Cache");
    fs::write(world.rules(), rule + HOOK).unwrap();
    let first = cache(&world, &group, "first").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.webhook.wait_for(1, SOON).await.unwrap();

    world.objects.apply("", &upgraded(&group)).await.unwrap();
    let name = format!("caches.{group}");
    world.objects.established(&name, SOON).await.unwrap();
    cache(&world, &group, "second").await;
    world.objects.delete(&first).await.unwrap();
    world.webhook.wait_for(3, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    let told = told(&world);
    assert_eq!(told["first"], ["firing", "resolved"], "{}", bridge.log());
    assert_eq!(told["second"], ["firing"], "{}", bridge.log());
    assert_eq!(repeated(&world), 0);
}

#[tokio::test]
async fn a_wrong_template_and_a_hostile_expression_are_refused_and_the_others_keep_running() {
    let world = World::new("hostile").await;
    let failed = world.rule("failed", FAILED);
    fs::write(world.rules(), failed.clone() + HOOK).unwrap();
    let database = world.database("orders").await;
    let rules = world.rules();
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;

    let unclosed = world.rule("unclosed", &format!("{FAILED}\nsummary: '{{{{#if object'"));
    let nested = format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000));
    let hostile = world.rule("hostile", &format!("when: \"{nested}\""));
    // It cannot be seen before that this one never ends.
    let items = "[0,1,2,3,4,5,6,7,8,9]";
    let mut endless = "true".to_owned();
    for depth in 0..12 {
        endless = format!("{items}.all(x{depth}, {endless})");
    }
    let endless = world.rule("endless", &format!("when: \"{endless}\""));
    fs::write(&rules, failed + &unclosed + &hostile + &endless + HOOK).unwrap();
    bridge.says("\"reloaded\"").await;
    let log = bridge.log();
    assert!(log.contains("rules.yaml:17:"), "{log}");
    assert!(log.contains("rules.yaml:25:"), "{log}");

    world.phase(&database, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world)["orders"], ["firing"], "{}", bridge.log());
    bridge.says("\"unknown\"").await;
}
