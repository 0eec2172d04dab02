//! What a bridge says when it cannot start, and its exit codes.

use std::fs;
use std::path::Path;

use bellwether::journal::Store;
use insta::assert_snapshot;

use crate::bridge::Command;
use crate::world::World;

/// Exit code and text, in one.
fn refused(command: &mut Command) -> String {
    let (code, text) = command.refused();
    format!("{text}\n(exit code {})", code.unwrap())
}

const RULES: &str = "
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: database-failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: chat}
spec:
  slack: {webhookUrl: {env: SLACK_WEBHOOK_URL}}
";

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: me, user: {token: not-a-token}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: me}}]
";

/// A folder with rules and a kubeconfig of a cluster that is not there, and the command on them.
fn alone() -> (tempfile::TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("rules.yaml"), RULES).unwrap();
    fs::write(at("kubeconfig"), KUBECONFIG).unwrap();
    let mut command = Command::new("run", folder.path());
    command
        .path("--rules", &at("rules.yaml"))
        .path("--kubeconfig", &at("kubeconfig"))
        .variable(
            "SLACK_WEBHOOK_URL",
            "https://hooks.slack.com/services/T/B/x",
        );
    (folder, command)
}

#[test]
fn an_unreachable_cluster() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("state"));
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_context_that_does_not_exist() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("state"));
    command.arguments(&["--context", "staging"]);
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_credential_that_is_not_there() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("state"));
    command.without("SLACK_WEBHOOK_URL");
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn rules_that_are_wrong() {
    let (folder, mut command) = alone();
    let wrong = RULES
        .replace("== 'Failed'", "=== 'Failed'")
        .replace("severity", "sevrity");
    fs::write(folder.path().join("rules.yaml"), wrong).unwrap();
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_path_without_rules() {
    let (folder, mut command) = alone();
    fs::remove_file(folder.path().join("rules.yaml")).unwrap();
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_state_file_in_a_folder_that_does_not_exist() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("no/state"));
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_state_file_that_nobody_may_write() {
    let (_folder, mut command) = alone();
    command.path("--state", Path::new("/sys/bellwether.state"));
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_state_file_that_is_something_else() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("rules.yaml"));
    assert_snapshot!(refused(&mut command), @"");
    let rules = fs::read_to_string(folder.path().join("rules.yaml")).unwrap();
    assert_eq!(rules, RULES, "it was changed");
}

#[test]
fn an_address_that_is_none() {
    let (_folder, mut command) = alone();
    command.arguments(&["--listen", "localhost"]);
    assert_snapshot!(refused(&mut command), @"");
}

#[test]
fn a_log_level_that_is_none() {
    let (_folder, mut command) = alone();
    command.arguments(&["--log-level", "bellwether=loud"]);
    assert_snapshot!(refused(&mut command), @"");
}

#[tokio::test]
async fn the_state_file_of_another_cluster() {
    let world = World::new("foreign").await;
    world.write_rules("0s", "");
    Store::open(&world.state())
        .unwrap()
        .claim("11111111-2222-3333-4444-555555555555")
        .unwrap();
    let refusal = refused(&mut world.command());
    let ours = refusal.split("this cluster's is ").nth(1).unwrap()[..36].to_owned();
    assert_snapshot!(refusal.replace(&ours, "OURS"), @"");
}

#[tokio::test]
async fn a_second_copy() {
    let world = World::new("second").await;
    world.write_rules("0s", "");
    let _first = world.command().start().await;
    let refusal = refused(&mut world.command());
    let holder = fs::read_to_string(world.folder.path().join("state.lock")).unwrap();
    assert_snapshot!(refusal.replace(holder.trim(), "HOLDER"), @"");
}

#[tokio::test]
async fn an_address_that_is_in_use() {
    let world = World::new("listen").await;
    world.write_rules("0s", "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Command::new("run", world.folder.path());
    command
        .path("--rules", &world.rules())
        .path("--state", &world.state())
        .path("--kubeconfig", &world.user.kubeconfig().unwrap())
        .arguments(&["--listen", &address])
        .variable(
            "SLACK_WEBHOOK_URL",
            "https://hooks.slack.com/services/T/B/x",
        )
        .variable("PAGERDUTY_ROUTING_KEY", "key")
        .variable("HOOK_URL", "https://in.example");
    assert_snapshot!(refused(&mut command).replace(&address, "ADDRESS"), @"");
}

#[tokio::test]
async fn a_user_without_rights() {
    let world = World::new("rights").await;
    world.write_rules("0s", "");
    let nobody = world.cluster.user("nobody").unwrap();
    let mut command = Command::new("run", world.folder.path());
    command
        .path("--rules", &world.rules())
        .path("--state", &world.state())
        .path("--kubeconfig", &nobody.kubeconfig().unwrap())
        .variable(
            "SLACK_WEBHOOK_URL",
            "https://hooks.slack.com/services/T/B/x",
        )
        .variable("PAGERDUTY_ROUTING_KEY", "key")
        .variable("HOOK_URL", "https://in.example");
    assert_snapshot!(refused(&mut command), @"");
}
