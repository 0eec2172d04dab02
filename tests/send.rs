//! `bellwether send`: a drill, to receivers that enforce the limits of the real ones.

#![expect(
    clippy::disallowed_methods,
    reason = "a test runs the program beside the receivers that it talks to"
)]

use std::path::Path;
use std::process::Command;

use bellwether_testkit::receivers::{PagerDuty, Slack, Webhook};

const RULE: &str = "
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
  for: 5m
  summary: \"{{object.metadata.name}} has failed\"
---
";

const DATABASE: &str = "
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {name: orders, namespace: prod}
status: {phase: Failed}
";

const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

fn receiver(name: &str, service: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {{name: {name}}}\nspec: {{{service}}}\n---\n"
    )
}

/// What it says, and its exit code.
async fn send(folder: &Path, secret: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command
        .env_clear()
        .env("SECRET", secret)
        .current_dir(folder)
        .arg("send")
        .args(arguments)
        .args(["--rules", "rules.yaml", "--kubeconfig", "/nonexistent"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}(exit code {})", output.status.code().unwrap())
}

#[tokio::test]
async fn a_drill_arrives_says_that_it_is_one_and_resolves() {
    let (slack, pagerduty) = (
        Slack::start().await.unwrap(),
        PagerDuty::start().await.unwrap(),
    );
    let folder = tempfile::tempdir().unwrap();
    let base = pagerduty.base_url();
    let rules = [
        RULE.to_owned(),
        receiver("chat", "slack: {webhookUrl: {env: SECRET}}"),
        receiver(
            "pager",
            &format!("pagerduty: {{routingKey: {{env: SECRET}}, baseUrl: '{base}'}}"),
        ),
    ];
    std::fs::write(folder.path().join("rules.yaml"), rules.concat()).unwrap();
    std::fs::write(folder.path().join("database.yaml"), DATABASE).unwrap();

    let address = slack.webhook_url("general");
    let told = send(folder.path(), &address, &["chat"]).await;
    insta::assert_snapshot!(told, @"
    chat took the drill
    chat took its resolve
    (exit code 0)
    ");
    assert_eq!(slack.messages().len(), 2);

    let told = send(
        folder.path(),
        ROUTING_KEY,
        &["pager", "--alert", "database.yaml"],
    )
    .await;
    insta::assert_snapshot!(told, @"
    pager took the drill
    pager took its resolve
    (exit code 0)
    ");
    let summaries: Vec<String> = pagerduty
        .messages()
        .iter()
        .map(|m| m.summary().to_owned())
        .collect();
    insta::assert_snapshot!(summaries.join("\n"), @"Drill: failed: DatabaseInstance prod/orders");
}

#[tokio::test]
async fn a_bots_drill_is_one_message_that_its_resolve_changes() {
    let slack = Slack::start().await.unwrap();
    slack.channel("databases");
    let folder = tempfile::tempdir().unwrap();
    let base = slack.base_url();
    let bot =
        format!("slack: {{botToken: {{env: SECRET}}, channel: databases, baseUrl: '{base}'}}");
    let rules = RULE.to_owned() + &receiver("team", &bot);
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let told = send(folder.path(), "xoxb-planted-secret", &["team"]).await;
    insta::assert_snapshot!(told, @"
    team took the drill
    team took its resolve
    (exit code 0)
    ");
    let picture = slack.picture("databases").to_string();
    let timeless = picture.lines().filter(|line| !line.contains(" UTC"));
    insta::assert_snapshot!(timeless.collect::<Vec<_>>().join("\n"), @"
    ┌─ Slack #databases
    │ ━━ 🔔 Drill: drill: Drill drill resolved
    │ ▏ *This is a drill: nothing is wrong*
    │ ▏ *Object* Drill drill                 *Severity* info
    │ ▏ *Why* no longer true
    └─ (edited)
       ↳ │ Somebody tries whether messages of Bellwether arrive.
       ↳ └─
       ↳ │ ✅ *drill* resolved after 0s: no longer true
       ↳ └─
    ");
    slack.expel("databases");
    let told = send(folder.path(), "xoxb-planted-secret", &["team"]).await;
    assert!(!told.contains("planted-secret"), "{told}");
    insta::assert_snapshot!(told, @"
    error: team did not take the drill: Slack: not_in_channel; invite the bot to the channel
    help: a bridge that runs tries again where that can help
    (exit code 7)
    ");
}

#[tokio::test]
async fn a_receiver_that_does_not_take_it_is_told_without_its_secret() {
    let webhook = Webhook::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hook = receiver("hook", "webhook: {url: {env: SECRET}}");
    std::fs::write(folder.path().join("rules.yaml"), RULE.to_owned() + &hook).unwrap();
    webhook.fail_next(1, 503, None);
    let address = format!("{}/planted-secret", webhook.base_url());
    let told = send(folder.path(), &address, &["hook"]).await;
    assert!(!told.contains("planted-secret"), "{told}");
    insta::assert_snapshot!(told, @"
    error: hook did not take the drill: the webhook: HTTP 503: scripted
    help: a bridge that runs tries again where that can help
    (exit code 7)
    ");
    insta::assert_snapshot!(send(folder.path(), &address, &["hok"]).await, @r#"
    error: there is no receiver "hok"
    help: the receivers are hook
    (exit code 2)
    "#);
}
