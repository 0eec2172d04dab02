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
    assert_snapshot!(refused(&mut command), @r#"
    error: cannot reach the API server at https://127.0.0.1:1: client error (Connect): tcp connect error: Connection refused (os error 111); check that it runs, the address, and the network between
    (exit code 6)
    "#);
}

#[test]
fn a_context_that_does_not_exist() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("state"));
    command.arguments(&["--context", "staging"]);
    assert_snapshot!(refused(&mut command), @r#"
    error: kubeconfig DIR/kubeconfig has no context "staging"; it has: nowhere
    (exit code 6)
    "#);
}

#[test]
fn a_credential_that_is_not_there() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("state"));
    command.without("SLACK_WEBHOOK_URL");
    assert_snapshot!(refused(&mut command), @r#"
    error: receiver chat: slack.webhookUrl: the environment variable SLACK_WEBHOOK_URL is not set
    help: set it where bellwether runs: export SLACK_WEBHOOK_URL=…, or env in the Deployment
    (exit code 1)
    "#);
}

#[test]
fn an_address_that_is_no_url() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("state"));
    command.variable(
        "SLACK_WEBHOOK_URL",
        "hooks.slack.com/services/T1/B2/hunter2",
    );
    assert_snapshot!(refused(&mut command), @"
    error: receiver chat: slack.webhookUrl: the value is not an http or https URL
    help: give it the whole address, https://… (it is not shown: it may be a secret)
    (exit code 1)
    ");
}

#[test]
fn rules_that_are_wrong() {
    let (folder, mut command) = alone();
    let wrong = RULES
        .replace("== 'Failed'", "=== 'Failed'")
        .replace("severity", "sevrity");
    fs::write(folder.path().join("rules.yaml"), wrong).unwrap();
    assert_snapshot!(refused(&mut command), @r#"
    error: '=' has no meaning here
     --> DIR/rules.yaml:7:31
      |
    7 |   when: object.status.phase === 'Failed'
      |                               ^
      |
      = help: a comparison is written '=='
    (exit code 1)
    "#);
}

#[test]
fn a_path_without_rules() {
    let (folder, mut command) = alone();
    fs::remove_file(folder.path().join("rules.yaml")).unwrap();
    assert_snapshot!(refused(&mut command), @r#"
    error: DIR/rules.yaml does not exist
    (exit code 1)
    "#);
}

#[test]
fn a_state_file_in_a_folder_that_does_not_exist() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("no/state"));
    assert_snapshot!(refused(&mut command), @r#"
    error: the folder of the state file DIR/no/state does not exist
    help: create it (mkdir -p DIR/no), or name another file with --state
    (exit code 4)
    "#);
}

#[test]
fn a_state_file_that_nobody_may_write() {
    let (_folder, mut command) = alone();
    command.path("--state", Path::new("/sys/bellwether.state"));
    assert_snapshot!(refused(&mut command), @r#"
    error: the state file /sys/bellwether.state cannot be opened: Permission denied (os error 13)
    help: let this user write /sys/bellwether.state and the folder /sys, or name another file with --state
    (exit code 4)
    "#);
}

#[test]
fn a_state_file_that_is_something_else() {
    let (folder, mut command) = alone();
    command.path("--state", &folder.path().join("rules.yaml"));
    assert_snapshot!(refused(&mut command), @r#"
    error: DIR/rules.yaml is not a state file of bellwether: it is no database, or its beginning is lost
    help: is --state right? If the file is not needed: mv DIR/rules.yaml DIR/rules.yaml.aside
    (exit code 4)
    "#);
    let rules = fs::read_to_string(folder.path().join("rules.yaml")).unwrap();
    assert_eq!(rules, RULES, "it was changed");
}

#[test]
fn an_address_that_is_none() {
    let (_folder, mut command) = alone();
    command.arguments(&["--listen", "localhost"]);
    assert_snapshot!(refused(&mut command), @r#"
    error: invalid value 'localhost' for '--listen <ADDR>': an address and a port (127.0.0.1:8080), or off

    For more information, try '--help'.
    (exit code 2)
    "#);
}

#[test]
fn a_log_level_that_is_none() {
    let (_folder, mut command) = alone();
    command.arguments(&["--log-level", "bellwether=loud"]);
    assert_snapshot!(refused(&mut command), @r#"
    error: --log-level "bellwether=loud": error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
    help: one of error, warn, info, debug, trace; or a filter such as info,bellwether::watch=debug
    (exit code 2)
    "#);
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
    assert_snapshot!(refusal.replace(&ours, "OURS"), @r#"
    error: the state file DIR/state belongs to another cluster (its kube-system namespace has the UID 11111111-2222-3333-4444-555555555555; this cluster's is OURS)
    help: check --kubeconfig and --context, name another file with --state, or set this one aside: mv DIR/state DIR/state.aside
    (exit code 4)
    "#);
}

#[tokio::test]
async fn a_second_copy() {
    let world = World::new("second").await;
    world.write_rules("0s", "");
    let _first = world.command().start().await;
    let refusal = refused(&mut world.command());
    let holder = fs::read_to_string(world.folder.path().join("state.lock")).unwrap();
    assert_snapshot!(refusal.replace(holder.trim(), "HOLDER"), @r#"
    error: the state file DIR/state is in use by another bellwether (HOLDER)
    help: stop the other one, or give each its own file with --state; two on one file would tell everything twice
    (exit code 4)
    "#);
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
    assert_snapshot!(refused(&mut command).replace(&address, "ADDRESS"), @r#"
    error: cannot listen on ADDRESS: Address already in use (os error 98)
    help: choose another address with --listen ADDR, or --listen off
    (exit code 5)
    "#);
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
    assert_snapshot!(refused(&mut command), @r#"
    error: not allowed (403 Forbidden): namespaces "kube-system" is forbidden: User "nobody" cannot get resource "namespaces" in API group "" in the namespace "kube-system"; grant it in a ClusterRole, as deploy/base/clusterrole.yaml does
    (exit code 6)
    "#);
}
