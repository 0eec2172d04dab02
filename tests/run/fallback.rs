//! A receiver that does not take what it is told: another one hears of it.

use std::fs;
use std::time::Duration;

use crate::bridge::Command;
use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_pagerduty_refuses_is_told_to_the_fallback_at_once_and_its_end_too() {
    let world = World::new("fallback").await;
    // PagerDuty knows another integration than ours.
    world.pagerduty.only_integration(&"0".repeat(32));
    let rule = world.rule(
        "failed",
        "when: object.status.phase == 'Failed'\nnotify: [pager]",
    );
    let pager = format!(
        "---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: pager}}
spec:
  pagerduty: {{routingKey: {{env: PAGERDUTY_ROUTING_KEY}}, baseUrl: '{}'}}
  groupInterval: 1s
  fallback: hook
",
        world.pagerduty.base_url()
    );
    fs::write(world.rules(), rule + &pager + HOOK).unwrap();
    let database = world.database("orders").await;
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    let messages = world.webhook.wait_for(1, SOON).await.unwrap();
    let told = messages[0].json();
    assert_eq!(told["insteadOf"], "pager");
    assert_eq!(told["status"], "firing");
    let title = told["title"].as_str().unwrap();
    assert!(title.ends_with("(pager did not take this)"), "{title}");
    bridge.says("\"fell-back: pager did not take it").await;

    // It stays where somebody can send it again; and whoever heard of it hears of its end.
    let mut list = Command::new("outbox", world.folder.path());
    list.arguments(&["list"]).path("--state", &world.state());
    let (code, text) = list.printed();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("pager"), "{text}");
    world.phase(&database, "Running").await;
    let messages = world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(messages[1].json()["status"], "resolved");
    assert_eq!(messages[1].json()["group"], {
        let mut group = told["group"].clone();
        group["firing"] = 0.into();
        group["resolved"] = 1.into();
        group
    });
}
