//! Rules and receivers that the cluster holds: accepted, reported, edited, wrong, a tenant's, gone.

use std::time::Duration;

use bellwether_testkit::Cluster;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::bridge::{Bridge, Command};
use crate::world::World;

const SOON: Duration = Duration::from_secs(30);
/// Longer than a mistake takes to be heard.
const QUIET: Duration = Duration::from_secs(3);

/// A world whose cluster knows our kinds and nobody else's rules.
async fn world(prefix: &str) -> World {
    let cluster = Box::leak(Box::new(Cluster::start().await.unwrap()));
    let world = World::without_rights(cluster, prefix).await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"));
    let crds = String::from_utf8(command.arg("crds").output().unwrap().stdout).unwrap();
    for crd in world.objects.apply("", &crds).await.unwrap() {
        let name = crd.metadata.name.unwrap();
        world.objects.established(&name, SOON).await.unwrap();
    }
    world
}

fn rule(name: &str, when: &str, of_spec: &str) -> String {
    format!(
        "
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: {name}}}
spec:
  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}
  when: {when}
  {of_spec}
"
    )
}

/// A receiver that hears of each alert by itself under this path, and the Secret of its address.
fn hook(world: &World, name: &str) -> String {
    let address = format!("{}/{name}", world.webhook.base_url());
    format!(
        "
---
{{apiVersion: v1, kind: Secret, metadata: {{name: {name}}}, stringData: {{url: '{address}'}}}}
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: {name}}}
spec:
  webhook: {{url: {{secretKeyRef: {{name: {name}, key: url}}}}}}
  groupBy: [...]
  groupInterval: 1s
"
    )
}

/// The program on what the cluster holds, with the rights that `rbac` prints for that.
async fn command(world: &World, further: &[&str]) -> Command {
    let mut rbac = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"));
    let admin = world.cluster.admin().kubeconfig().unwrap();
    rbac.args(["rbac", "--rules-from-cluster", "--name", &world.namespace])
        .args(["--namespace", &world.namespace])
        .arg("--kubeconfig")
        .arg(&admin);
    let output = rbac.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    world
        .grant(&String::from_utf8(output.stdout).unwrap())
        .await;
    let mut command = Command::new("run", world.folder.path());
    command
        .path("--state", &world.state())
        .path("--kubeconfig", &world.user.kubeconfig().unwrap())
        .arguments(&["--rules-from-cluster", "--listen", "127.0.0.1:0"])
        .arguments(&["--namespace", &world.namespace])
        .arguments(further);
    command
}

/// A document's status, once it is as it should be.
async fn status(world: &World, document: &DynamicObject, is: impl Fn(&Value) -> bool) -> Value {
    let types = document.types.clone().unwrap();
    let namespace = document.metadata.namespace.as_deref().unwrap();
    let name = document.metadata.name.as_deref().unwrap();
    let api = world
        .objects
        .api(&types.api_version, &types.kind, namespace)
        .await
        .unwrap();
    let mut last = Value::Null;
    for _ in 0..150 {
        last = api.get(name).await.unwrap().data["status"].clone();
        if is(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the status of {name} stays {last:#}");
}

fn is_ready(status: &Value, ready: &str) -> bool {
    status["conditions"][0]["status"] == ready
}

/// What each receiver heard, in order: path, rule, object, status.
fn told(world: &World) -> Vec<String> {
    let hooks = world.webhook.messages().into_iter();
    let line = |hook: bellwether_testkit::receivers::webhook::Delivery| {
        let json = hook.json();
        let labels = &json["alerts"][0]["labels"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {} {}",
            hook.path,
            text(&labels["alertname"]),
            text(&labels["name"]),
            text(&json["status"])
        )
    };
    hooks.map(line).collect()
}

async fn started(command: &mut Command) -> Bridge {
    let bridge = command.start().await;
    bridge.ready().await;
    bridge
}

#[tokio::test]
async fn a_rule_in_the_cluster_is_reported_edited_wrong_and_removed() {
    let world = world("docs").await;
    let namespace = world.namespace.clone();
    let failed = rule("failed", "object.status.phase == 'Failed'", "");
    let text = failed.clone() + &hook(&world, "hook");
    let documents = world.objects.apply(&namespace, &text).await.unwrap();
    let (document, receiver) = (&documents[0], &documents[2]);
    let database = world.database("orders").await;
    let recordings = world.folder.path().join("recordings");
    std::fs::create_dir(&recordings).unwrap();
    let record = ["--record", recordings.to_str().unwrap()];
    let bridge = started(&mut command(&world, &record).await).await;
    let reported = status(&world, document, |it| it["objects"] == 1).await;
    assert!(is_ready(&reported, "True"), "{reported:#}");

    world.phase(&database, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(told(&world), ["/hook failed orders firing"]);
    let sent = |it: &Value| it["firing"] == 1 && it["lastNotification"].is_string();
    status(&world, document, sent).await;
    status(&world, receiver, |it| it["lastNotification"].is_string()).await;

    // Wrong: the last good version runs, its alert stays, and the document says what is wrong.
    let wrong = rule("failed", "object.status.phase ==", "");
    world.objects.apply(&namespace, &wrong).await.unwrap();
    let reported = status(&world, document, |it| is_ready(it, "False")).await;
    let message = reported["conditions"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("in `when: object.status.phase ==`: "),
        "{message}"
    );
    assert!(
        message.ends_with("Its last good version runs."),
        "{message}"
    );
    assert_eq!(reported["observedGeneration"], 2);
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world).len(), 1, "{}", bridge.log());

    // A restart finds no version that is right: nothing is resolved for that.
    let log = bridge.log();
    drop(bridge);
    let bridge = started(&mut command(&world, &record).await).await;
    bridge.says("this document does not run").await;
    let frozen = |it: &Value| {
        let message = it["conditions"][0]["message"].as_str();
        message.is_some_and(|message| message.contains("It does not run"))
    };
    status(&world, document, frozen).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world).len(), 1, "{log}\n{}", bridge.log());

    // Right again, it goes on; removed, its alert is over.
    world.objects.apply(&namespace, &failed).await.unwrap();
    status(&world, document, |it| {
        is_ready(it, "True") && it["firing"] == 1
    })
    .await;
    assert_eq!(told(&world).len(), 1, "{}", bridge.log());
    world.objects.delete(document).await.unwrap();
    world.webhook.wait_for(2, SOON).await.unwrap();
    assert_eq!(told(&world)[1], "/hook failed orders resolved");

    // Both runs are decided the same again, with the documents that there were.
    drop(bridge);
    for recording in std::fs::read_dir(&recordings).unwrap() {
        let mut replay = Command::new("replay", world.folder.path());
        replay.arguments(&[recording.unwrap().path().to_str().unwrap()]);
        let (code, text) = replay.printed();
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("the same is decided as then"), "{text}");
    }
}

#[tokio::test]
async fn a_tenant_sees_only_its_namespace_and_reaches_only_what_it_may() {
    let world = world("tenants").await;
    let team = world.cluster.namespace("team").await.unwrap();
    let own = rule(
        "failed",
        "object.status.phase == 'Failed'",
        "notify: [operator]",
    ) + &hook(&world, "operator");
    world.objects.apply(&world.namespace, &own).await.unwrap();
    let stolen = "
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: stolen}
spec: {webhook: {url: {env: OPERATORS_URL}}}
---
# The operator has a Secret of this name, the team has none.
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: borrowed}
spec: {webhook: {url: {secretKeyRef: {name: operator, key: url}}}, groupBy: [...]}
";
    let theirs =
        rule("ours", "object.status.phase == 'Failed'", "") + &hook(&world, "team") + stolen;
    let theirs = world.objects.apply(&team, &theirs).await.unwrap();
    let mut allowed = command(&world, &["--allow-internal-addresses"]).await;
    allowed.variable("OPERATORS_URL", "http://127.0.0.1:1/");
    let bridge = started(&mut allowed).await;
    let reported = status(&world, &theirs[3], |it| is_ready(it, "False")).await;
    let message = reported["conditions"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("cannot use `env` of the bridge"),
        "{message}"
    );
    status(&world, &theirs[0], |it| is_ready(it, "True")).await;

    let there = world.database("orders").await;
    world.phase(&there, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    let manifest = "
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {name: carts}
spec: {engine: postgres, version: '17.2', storageGB: 10}
";
    let here = world
        .objects
        .apply(&team, manifest)
        .await
        .unwrap()
        .remove(0);
    world.phase(&here, "Failed").await;
    world.webhook.wait_for(3, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    let mut heard = told(&world);
    heard.sort();
    let ours = format!("/team {team}/ours carts firing");
    let operators = [
        "/operator failed carts firing",
        "/operator failed orders firing",
    ];
    assert_eq!(heard[..2], operators, "{}", bridge.log());
    assert_eq!(heard[2..], [ours], "{}", bridge.log());
    bridge
        .says("cannot read key \\\"url\\\" of Secret \\\"operator\\\"")
        .await;
    drop(bridge);

    // Without leave, a tenant's messages stay off the cluster's network; the operator's do not.
    let bridge = started(&mut command(&world, &[]).await).await;
    world.phase(&here, "Running").await;
    bridge.says("is not a public address").await;
    world.webhook.wait_for(4, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(told(&world)[3], "/operator failed carts resolved");
    assert_eq!(told(&world).len(), 4, "{}", bridge.log());
}
