//! `check` against the schemas that the cluster publishes.

use std::fs;
use std::process::Command;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use crate::world::World;

fn rule(name: &str, api_version: &str, kind: &str, when: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: {name}}}\nspec:\n  \
         watch: {{apiVersion: {api_version}, kind: {kind}}}\n  when: {when}\n---\n"
    )
}

/// What it says of these rules, and its exit code.
fn check(world: &World, rules: &[String]) -> String {
    told(world, &["check", "--cluster"], rules)
}

fn told(world: &World, command: &[&str], rules: &[String]) -> String {
    let receiver = "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {name: hook}\n\
                    spec: {webhook: {url: 'http://127.0.0.1/'}}\n";
    fs::write(world.rules(), rules.concat() + receiver).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .env_clear()
        .args(command)
        .arg("--rules")
        .arg(world.rules())
        .arg("--kubeconfig")
        .arg(world.user.kubeconfig().unwrap())
        .output()
        .unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let folder = world.folder.path().to_string_lossy().into_owned();
    let code = output.status.code().unwrap();
    format!("{out}{err}\n(exit code {code})").replace(&folder, "DIR")
}

#[tokio::test]
async fn the_rules_for_workloads_read_only_fields_that_kubernetes_has() {
    let world = World::new("packs").await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .env_clear()
        .args(["check", "--cluster", "--rules"])
        .arg(root.join("rules/packs/workloads"))
        .arg(root.join("rules/receivers.yaml"))
        .arg("--kubeconfig")
        .arg(world.user.kubeconfig().unwrap())
        .output()
        .unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{out}{err}");
    assert!(!out.contains("not checked"), "{out}");
}

#[tokio::test]
async fn built_in_and_custom_kinds_are_checked_as_the_cluster_publishes_them() {
    let world = World::new("check").await;
    let database = ("stable.example.com/v1", "DatabaseInstance");
    let right = [
        rule(
            "a",
            "apps/v1",
            "Deployment",
            "object.status.availableReplicas < object.spec.replicas",
        ),
        rule(
            "b",
            "v1",
            "Pod",
            "object.status.containerStatuses.exists(c, c.state.waiting.reason == 'CrashLoopBackOff')",
        ),
        rule(
            "c",
            "batch/v1",
            "Job",
            "condition(object, 'Failed').status == 'True'",
        ),
        rule(
            "d",
            database.0,
            database.1,
            "object.status.phase == 'Failed'",
        ),
        rule(
            "e",
            "example.com/v1",
            "Nothing",
            "object.status.whatever > 3",
        ),
    ];
    // The server publishes the schema of a new CRD some seconds later.
    let mut told = check(&world, &right);
    for _ in 0..60 {
        if !told.contains("of DatabaseInstance") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        told = check(&world, &right);
    }
    assert_snapshot!(told, @"
    note: fields and types of Nothing (example.com/v1) are not checked: the cluster does not have it
    5 rules and 1 receiver: nothing is wrong

    (exit code 0)
    ");
    let wrong = [
        rule(
            "a",
            "apps/v1",
            "Deployment",
            "object.status.availableReplica < object.spec.replicas",
        ),
        rule("b", "v1", "Pod", "object.status.phase > 3"),
        rule(
            "d",
            database.0,
            database.1,
            "object.status.phase == 'Faild'",
        ),
    ];
    assert_snapshot!(check(&world, &wrong), @"
    error: no field 'availableReplica' in Deployment.status, did you mean 'availableReplicas'?
     --> DIR/rules.yaml:6:23
      |
    6 |   when: object.status.availableReplica < object.spec.replicas
      |                       ^^^^^^^^^^^^^^^^

    error: string > int is not possible
      --> DIR/rules.yaml:13:9
       |
    13 |   when: object.status.phase > 3
       |         ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write '3', in quotes

    error: object.status.phase is never 'Faild', did you mean 'Failed'?
      --> DIR/rules.yaml:20:32
       |
    20 |   when: object.status.phase == 'Faild'
       |                                ^^^^^^^

    (exit code 1)
    ");
}

#[tokio::test]
async fn rules_on_a_cluster_go_by_its_schemas_and_a_typo_is_told_but_refuses_nothing() {
    let world = World::new("typed").await;
    let database = world.database("orders").await;
    let status = json!({"phase": "Running", "lastBackupTime": "2026-01-01T12:00:00+02:00"});
    world.objects.patch_status(&database, status).await.unwrap();
    let rules = [
        rule(
            "same",
            "stable.example.com/v1",
            "DatabaseInstance",
            "object.status.lastBackupTime == timestamp('2026-01-01T10:00:00Z')",
        ),
        rule(
            "typo",
            "stable.example.com/v1",
            "DatabaseInstance",
            "object.status.phse == 'Failed'",
        ),
    ];
    let mut table = told(&world, &["dry-run", "-o", "json"], &rules);
    for _ in 0..60 {
        if table.contains("phse") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        table = told(&world, &["dry-run", "-o", "json"], &rules);
    }
    assert!(table.contains("\"rule\":\"same\""), "{table}");
    assert!(table.contains("\"state\":\"firing\""), "{table}");
    assert!(
        table.contains("warning: no field 'phse' in DatabaseInstance.status"),
        "{table}"
    );
    assert!(table.contains("(exit code 0)"), "{table}");

    let mut command = world.command();
    let bridge = command.start().await;
    bridge.ready().await;
    bridge
        .says("no field 'phse' in DatabaseInstance.status")
        .await;
    bridge.says("same").await;
}
