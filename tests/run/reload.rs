//! Rules, receivers and templates that change while the bridge runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::bridge::Bridge;
use crate::kinds;
use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_secs(20);
/// Longer than a mistake takes to be heard.
const QUIET: Duration = Duration::from_secs(3);

const FAILED: &str = "when: object.status.phase == 'Failed'";

/// Rules in a directory, with the receiver that hears of all.
fn directory(world: &World, rules: &str) -> std::path::PathBuf {
    let directory = world.folder.path().join("rules");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("hook.yaml"), HOOK).unwrap();
    fs::write(directory.join("rules.yaml"), rules).unwrap();
    directory
}

/// Which alerts the webhook heard of, in order: rule, object, status.
fn told(world: &World) -> Vec<String> {
    let hooks = world.webhook.messages();
    hooks.iter().map(|hook| line(&hook.json())).collect()
}

fn line(hook: &Value) -> String {
    let labels = &hook["alerts"][0]["labels"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} {}",
        text(&labels["alertname"]),
        text(&labels["name"]),
        text(&hook["status"])
    )
}

async fn metric(bridge: &Bridge, name: &str) -> String {
    let (_, text) = bridge.get("/metrics").await;
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with(&format!("{name} ")));
    let line = line.unwrap_or_else(|| panic!("no {name} in:\n{text}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn somebody_edits_a_rule_and_nothing_fires_again() {
    let world = World::new("edit").await;
    let rules = directory(&world, &world.rule("failed", FAILED));
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();

    // It reads more, says something else, and stands behind another one.
    let edited = "when: object.status.phase == 'Failed' && object.spec.storageGB > 0\n\
                  summary: '{{object.spec.version}} has failed'\nlabels: {team: storage}";
    let other = world.rule(
        "upgraded",
        "'on': object.spec.version != oldObject.spec.version",
    );
    fs::write(
        rules.join("rules.yaml"),
        other + &world.rule("failed", edited),
    )
    .unwrap();
    bridge.says("\"reloaded\"").await;
    bridge.ready().await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world), ["failed orders firing"], "{}", bridge.log());

    world.phase(&database, "Running").await;
    let hooks = world.webhook.wait_for(2, SOON).await.unwrap();
    let (fired, resolved) = (hooks[0].json(), hooks[1].json());
    assert_eq!(line(&resolved), "failed orders resolved");
    for same in ["fingerprint", "since", "labels"] {
        let of = |hook: &Value| hook["alerts"][0][same].clone();
        assert!(!of(&fired).is_null(), "{fired:#}");
        assert_eq!(of(&fired), of(&resolved), "{same}");
    }
}

#[tokio::test]
async fn somebody_writes_a_wrong_rule_and_the_others_go_on() {
    let world = World::new("wrong").await;
    let failed = world.rule("failed", FAILED);
    let rules = directory(&world, &failed);
    let (orders, carts) = (
        world.database("orders").await,
        world.database("carts").await,
    );
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    let successful = "bellwether_config_last_reload_successful";
    assert_eq!(metric(&bridge, successful).await, "1");

    let wrong = world.rule("failed", "when: object.status.phase ==");
    let stuck = world.rule("stuck", "when: object.status.phase == 'Pending'");
    fs::write(rules.join("rules.yaml"), wrong + &stuck).unwrap();
    bridge.says("\"reloaded\"").await;
    bridge
        .says("rules.yaml:8:31: the expression ends too early")
        .await;
    bridge.says("\"frozen\"").await;
    assert_eq!(metric(&bridge, successful).await, "0");
    assert_eq!(metric(&bridge, "bellwether_config_problems").await, "1");
    assert_eq!(metric(&bridge, "bellwether_frozen_rules").await, "1");
    let (status, text) = bridge.get("/readyz").await;
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["frozen"][0]["rule"], "failed");
    assert!(
        answer["problems"][0]
            .as_str()
            .unwrap()
            .contains("rules.yaml:8:31"),
        "{text}"
    );

    // The last good version of the one, and the new other one.
    world.phase(&orders, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    world.phase(&carts, "Pending").await;
    world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(told(&world), ["failed orders firing", "stuck carts firing"]);

    fs::write(rules.join("rules.yaml"), failed + &stuck).unwrap();
    bridge.says_again("\"reloaded\"", 2).await;
    assert_eq!(metric(&bridge, successful).await, "1");
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world).len(), 2, "{}", bridge.log());
}

#[tokio::test]
async fn a_rule_is_removed_and_its_alerts_are_resolved_for_that_reason() {
    let world = World::new("removed").await;
    let stays = world.rule("stays", FAILED);
    let rules = directory(&world, &(world.rule("goes", FAILED) + &stays));
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    world.webhook.wait_for(2, SOON).await.unwrap();

    fs::write(rules.join("rules.yaml"), stays).unwrap();
    let hooks = world.webhook.wait_for(3, SOON).await.unwrap();
    let resolved = hooks[2].json();
    assert_eq!(line(&resolved), "goes orders resolved");
    assert_eq!(resolved["alerts"][0]["reason"], "the rule was removed");
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world).len(), 3, "{}", bridge.log());
}

#[tokio::test]
async fn a_directory_of_rules_that_vanishes_resolves_nothing() {
    let world = World::new("vanished").await;
    let rules = directory(&world, &world.rule("failed", FAILED));
    let (orders, carts) = (
        world.database("orders").await,
        world.database("carts").await,
    );
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&orders, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();

    let away = world.folder.path().join("away");
    fs::rename(&rules, &away).unwrap();
    bridge.says("\"frozen: ").await;
    bridge.says("rules does not exist").await;
    // Nobody is left blind meanwhile.
    world.phase(&carts, "Failed").await;
    world.webhook.wait_for(2, SOON).await.unwrap();
    fs::create_dir(&rules).unwrap();
    bridge.says("has no `.yaml` or `.yml` file").await;
    fs::remove_dir(&rules).unwrap();
    fs::rename(&away, &rules).unwrap();
    bridge.says_again("\"reloaded\"", 3).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(
        told(&world),
        ["failed orders firing", "failed carts firing"]
    );
    assert_eq!(metric(&bridge, "bellwether_frozen_rules").await, "0");
}

/// What the kubelet does to change a mounted `ConfigMap`: a new directory, and one link renamed.
fn mount(volume: &Path, generation: &str, files: &[(&str, &str)]) {
    use std::os::unix::fs::symlink;

    let real = volume.join(format!("..{generation}"));
    fs::create_dir_all(&real).unwrap();
    for (name, text) in files {
        fs::write(real.join(name), text).unwrap();
        let link = volume.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    let before = fs::read_link(volume.join("..data")).ok();
    symlink(format!("..{generation}"), volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if let Some(before) = before {
        fs::remove_dir_all(volume.join(before)).unwrap();
    }
}

#[tokio::test]
async fn a_mounted_config_map_that_is_swapped_is_noticed_and_one_that_is_touched_is_not() {
    let world = World::new("mounted").await;
    let volume = world.folder.path().join("volume");
    let of = |phase: &str| world.rule("phase", &format!("when: object.status.phase == '{phase}'"));
    mount(
        &volume,
        "1",
        &[("rules.yaml", &of("Failed")), ("hook.yaml", HOOK)],
    );
    let database = world.database("orders").await;
    let bridge = world.command_reading(&volume, "1s").start().await;
    bridge.ready().await;

    mount(
        &volume,
        "2",
        &[("rules.yaml", &of("Failed")), ("hook.yaml", HOOK)],
    );
    world.phase(&database, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert!(!bridge.log().contains("\"reloaded\""), "{}", bridge.log());

    mount(
        &volume,
        "3",
        &[("rules.yaml", &of("Pending")), ("hook.yaml", HOOK)],
    );
    world.webhook.wait_for(2, SOON).await.unwrap();
    world.phase(&database, "Pending").await;
    world.webhook.wait_for(3, SOON).await.unwrap();
    let wanted = [
        "phase orders firing",
        "phase orders resolved",
        "phase orders firing",
    ];
    assert_eq!(told(&world), wanted);
}

#[tokio::test]
async fn a_new_kind_starts_to_be_watched_and_one_that_nobody_watches_ends() {
    let world = World::new("newkind").await;
    let group = format!("{}.example.com", world.namespace);
    kinds::allow(&world, &group).await;
    kinds::define(&world, &group).await;
    let failed = world.rule("failed", FAILED);
    let rules = directory(&world, &failed);
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;

    kinds::failed_cache(&world, &group, "before").await;
    let here = world.rule("cache", "when: object.phase == 'Failed'");
    let databases = "apiVersion: stable.example.com/v1, kind: DatabaseInstance";
    let of_caches = here.replace(databases, &format!("apiVersion: {group}/v1, kind: Cache"));
    fs::write(rules.join("caches.yaml"), of_caches).unwrap();
    world.webhook.wait_for(1, SOON).await.unwrap();
    kinds::failed_cache(&world, &group, "after").await;
    world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(told(&world), ["cache before firing", "cache after firing"]);
    let watched = format!("bellwether_watched_objects{{source=\"{group}/v1/Cache");
    assert!(bridge.get("/metrics").await.1.contains(&watched));

    fs::remove_file(rules.join("caches.yaml")).unwrap();
    world.webhook.wait_for(4, SOON).await.unwrap();
    assert!(!bridge.get("/metrics").await.1.contains(&watched));
}

#[tokio::test]
async fn no_change_is_missed_or_told_twice_however_often_the_rules_are_edited() {
    const CHANGES: usize = 1000;

    let world = World::new("often").await;
    let size = "'on': object.spec.storageGB != oldObject.spec.storageGB";
    let changed = world.rule("changed", size);
    let other = |field: &str| world.rule("other", &format!("when: object.spec.{field} == 'none'"));
    let rules = directory(&world, &(changed.clone() + &other("engine")));
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "off").start().await;
    bridge.ready().await;
    for change in 0..CHANGES {
        if change % 100 == 0 {
            // Each time the stream reads other paths.
            let field = ["version", "engine"][change / 100 % 2];
            fs::write(rules.join("rules.yaml"), changed.clone() + &other(field)).unwrap();
            bridge.signal("-HUP");
        }
        // As fast as the server takes them: several while a stream is read again.
        let size = serde_json::json!({"spec": {"storageGB": 100 + change}});
        world.objects.patch(&database, size).await.unwrap();
    }
    let heard = world.webhook.wait_for(CHANGES, SOON).await;
    assert!(heard.is_ok(), "{} of {CHANGES}", told(&world).len());
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world).len(), CHANGES, "{}", bridge.log());
    let reloads = bridge.log().matches("\"reloaded\"").count();
    assert!(reloads >= 4, "{reloads} reloads");
}

#[tokio::test]
async fn sighup_reads_the_files_again_where_nobody_looks_at_them() {
    let world = World::new("sighup").await;
    let rules = directory(&world, &world.rule("failed", FAILED));
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "off").start().await;
    bridge.ready().await;
    let pending = world.rule("pending", "when: object.status.phase == 'Pending'");
    fs::write(rules.join("pending.yaml"), pending).unwrap();
    world.phase(&database, "Pending").await;
    tokio::time::sleep(QUIET).await;
    assert!(told(&world).is_empty());
    bridge.signal("-HUP");
    world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(told(&world), ["pending orders firing"]);
}

#[tokio::test]
async fn a_receiver_that_is_replaced_is_spoken_to_as_its_document_says() {
    let world = World::new("receiver").await;
    let rules = directory(&world, &world.rule("failed", FAILED));
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    let with_header = HOOK.replace(
        "{env: HOOK_URL}}",
        "{env: HOOK_URL}, headers: {X-Team: storage}}",
    );
    fs::write(rules.join("hook.yaml"), with_header).unwrap();
    bridge.says("\"reloaded\"").await;
    world.phase(&database, "Failed").await;
    let hooks = world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(hooks[0].header("x-team"), "storage");
}

#[tokio::test]
async fn an_attempt_to_a_receiver_that_is_removed_ends_as_it_began() {
    let world = World::new("underway").await;
    let rules = directory(&world, &world.rule("failed", FAILED));
    world.webhook.answer_too_late(1, Duration::from_secs(4));
    let database = world.database("orders").await;
    let bridge = world.command_reading(&rules, "1s").start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    // It has arrived, and is answered in four seconds.
    world.webhook.wait_for(1, SOON).await.unwrap();
    let other = HOOK.replace("{name: hook}", "{name: other}");
    fs::write(rules.join("hook.yaml"), other).unwrap();
    bridge.says("\"reloaded\"").await;
    bridge.says("\"sent\"").await;
    assert!(!bridge.log().contains("\"ERROR\""), "{}", bridge.log());

    let carts = world.database("carts").await;
    world.phase(&carts, "Failed").await;
    world.webhook.wait_for(2, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(
        told(&world),
        ["failed orders firing", "failed carts firing"]
    );
}

#[tokio::test]
async fn a_template_that_is_edited_is_used_and_one_that_is_wrong_stays_as_it_was() {
    let world = World::new("template").await;
    let rules = directory(&world, &world.rule("failed", FAILED));
    let hook = HOOK.replace("spec:", "spec:\n  template: hook.json.hbs");
    fs::write(rules.join("hook.yaml"), hook).unwrap();
    let templates = world.folder.path().join("templates");
    fs::create_dir(&templates).unwrap();
    let write = |text: &str| fs::write(templates.join("hook.json.hbs"), text).unwrap();
    write(r#"{"first": "{{#each alerts}}{{object.metadata.name}}{{/each}}"}"#);
    let mut command = world.command_reading(&rules, "1s");
    let bridge = command.path("--templates", &templates).start().await;
    bridge.ready().await;

    write(r#"{"second": "{{#each alerts}}{{object.spec.engine}}{{/each}}"}"#);
    bridge.says("\"reloaded\"").await;
    bridge.ready().await;
    let orders = world.database("orders").await;
    world.phase(&orders, "Failed").await;
    let hooks = world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(hooks[0].json()["second"], "postgres");

    write(r#"{"third": "{{#each alerts}}"}"#);
    bridge.says_again("\"reloaded\"", 2).await;
    bridge.says("hook.json.hbs:1:").await;
    let carts = world.database("carts").await;
    world.phase(&carts, "Failed").await;
    let hooks = world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(hooks[1].json()["second"], "postgres");
}
