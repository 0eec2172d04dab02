//! `/healthz`, `/readyz`, `/metrics`.

use std::fs;
use std::time::Duration;

use crate::world::World;

#[tokio::test]
async fn a_bridge_says_whether_it_is_alive_and_ready_and_counts_what_it_does() {
    let world = World::new("probes").await;
    world.write_rules("0s", "");
    let database = world.database("orders").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    assert_eq!(bridge.get("/healthz").await, (200, "ok\n".to_owned()));
    world.phase(&database, "Failed").await;
    world
        .webhook
        .wait_for(1, Duration::from_secs(10))
        .await
        .unwrap();
    bridge.says("\"sent\"").await;

    let (status, text) = bridge.get("/metrics").await;
    assert_eq!(status, 200);
    let value = |series: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{series} ")));
        let line = line.unwrap_or_else(|| panic!("no {series} in:\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("bellwether_transitions_total") >= 1);
    assert!(value(r#"bellwether_verdicts_total{rule="database-failed",verdict="true"}"#) >= 1);
    assert_eq!(
        value(r#"bellwether_alerts{rule="database-failed",state="firing"}"#),
        1
    );
    assert_eq!(
        value(r#"bellwether_sends_total{receiver="hook",outcome="accepted"}"#),
        1
    );
    assert!(value(r#"bellwether_decisions_total{reason="sent"}"#) >= 1);
    assert_eq!(value(r#"bellwether_outbox_depth{receiver="hook"}"#), 0);
    assert!(value("bellwether_journal_commits_total") >= 1);
    assert_eq!(value("bellwether_journal_unsaved_records"), 0);
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_kind_that_the_cluster_does_not_have_is_dormant_and_no_reason_to_wait() {
    let world = World::new("dormant").await;
    world.write_rules("0s", "");
    let rules = fs::read_to_string(world.rules()).unwrap();
    let rules = rules.replace("stable.example.com/v1", "nobody.example.com/v1");
    fs::write(world.rules(), rules).unwrap();
    let bridge = world.command().start().await;
    bridge.ready().await;
    let (_, text) = bridge.get("/readyz").await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["ready"], true);
    let dormant = &answer["dormant"][0];
    assert!(
        dormant["source"]
            .as_str()
            .unwrap()
            .contains("nobody.example.com/v1"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_may_not_be_listed_is_named_by_readyz() {
    let world = World::new("not-ready").await;
    world.write_rules("0s", "");
    let rules = fs::read_to_string(world.rules()).unwrap();
    let secrets = "{apiVersion: v1, kind: Secret, namespaces";
    let rules = rules.replace(
        "{apiVersion: stable.example.com/v1, kind: DatabaseInstance, namespaces",
        secrets,
    );
    fs::write(world.rules(), rules).unwrap();
    let bridge = world.command().start().await;
    let mut last = (0, String::new());
    for _ in 0..100 {
        last = bridge.get("/readyz").await;
        if last.1.contains("403") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last.0, 503);
    let answer: serde_json::Value = serde_json::from_str(&last.1).unwrap();
    let why = answer["waitingFor"][0]["why"].as_str().unwrap();
    assert!(
        why.contains("403 Forbidden") && why.contains("secrets"),
        "{why}"
    );
}
