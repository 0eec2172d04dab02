//! Kinds that come and go, and an API server that does.

use std::fs;
use std::time::Duration;

use bellwether_testkit::Cluster;
use kube::api::DynamicObject;
use serde_json::json;

use crate::world::World;

const SOON: Duration = Duration::from_mins(1);

/// The CRD of a kind that no other test has; its group is the namespace's.
pub fn crd(group: &str) -> String {
    format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: caches.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: caches, singular: cache, kind: Cache}}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

/// Lets the world's user watch the kind.
pub async fn allow(world: &World, group: &str) {
    let role = format!(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: caches-{0}}}
rules: [{{apiGroups: ['{group}'], resources: [caches], verbs: [get, list, watch]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: caches-{0}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: caches-{0}}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {0}}}]
",
        world.namespace
    );
    world.objects.apply("", &role).await.unwrap();
}

pub async fn failed_cache(world: &World, group: &str, name: &str) -> DynamicObject {
    let manifest =
        format!("apiVersion: {group}/v1\nkind: Cache\nmetadata: {{name: {name}}}\nphase: Failed\n");
    let applied = world.objects.apply(&world.namespace, &manifest).await;
    applied.unwrap().remove(0)
}

#[tokio::test]
async fn a_kind_that_is_defined_after_the_start_is_watched_from_then_on() {
    let world = World::new("late").await;
    let group = format!("{}.example.com", world.namespace);
    allow(&world, &group).await;
    world.write_rules("0s", "");
    let rules = fs::read_to_string(world.rules()).unwrap();
    let of_caches = format!("{{apiVersion: {group}/v1, kind: Cache}}");
    let start = rules.find("{apiVersion: stable").unwrap();
    let end = start + rules[start..].find('}').unwrap() + 1;
    let rules = rules.replace(&rules[start..end], &of_caches);
    fs::write(
        world.rules(),
        rules.replace("object.status.phase", "object.phase"),
    )
    .unwrap();

    let bridge = world.command().start().await;
    bridge.ready().await;
    bridge
        .says("nothing to watch until this kind appears")
        .await;
    define(&world, &group).await;
    failed_cache(&world, &group, "first").await;
    let hooks = world.webhook.wait_for(1, SOON).await.unwrap();
    assert_eq!(told(&hooks[0].json()), r#"["first","firing"]"#);

    // Whoever removes the kind removes its objects, seen or unseen: they are gone at the latest
    // when it is back without them.
    let removed = world.objects.apply("", &crd(&group)).await.unwrap();
    world.objects.delete(&removed[0]).await.unwrap();
    bridge
        .says_again("nothing to watch until this kind appears", 2)
        .await;
    define(&world, &group).await;
    failed_cache(&world, &group, "second").await;
    let hooks = world.webhook.wait_for(3, SOON).await.unwrap();
    let mut all: Vec<String> = hooks.iter().map(|hook| told(&hook.json())).collect();
    all.sort();
    let wanted = [
        r#"["first","firing"]"#,
        r#"["first","resolved"]"#,
        r#"["second","firing"]"#,
    ];
    assert_eq!(all, wanted);
}

pub async fn define(world: &World, group: &str) {
    world.objects.apply("", &crd(group)).await.unwrap();
    let name = format!("caches.{group}");
    world.objects.established(&name, SOON).await.unwrap();
}

/// Of which object a webhook says what.
fn told(hook: &serde_json::Value) -> String {
    json!([hook["alerts"][0]["labels"]["name"], hook["status"]]).to_string()
}

#[tokio::test]
async fn a_restart_of_the_api_server_loses_nothing_and_repeats_nothing() {
    // Nobody else shares it; it ends with the process of the tests.
    let cluster = Box::leak(Box::new(Cluster::start().await.unwrap()));
    let world = World::on(cluster, "restart").await;
    world.write_rules("0s", "");
    let (orders, carts) = (
        world.database("orders").await,
        world.database("carts").await,
    );
    let bridge = world.command().start().await;
    bridge.ready().await;
    world.phase(&orders, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();

    cluster.stop_apiserver();
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.start_apiserver().await.unwrap();
    world.phase(&carts, "Failed").await;
    world.phase(&orders, "Running").await;

    let hooks = world.webhook.wait_for(3, SOON).await.unwrap();
    let mut told: Vec<String> = hooks.iter().map(|hook| told(&hook.json())).collect();
    told.sort();
    let wanted = [
        r#"["carts","firing"]"#,
        r#"["orders","firing"]"#,
        r#"["orders","resolved"]"#,
    ];
    assert_eq!(told, wanted);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.webhook.messages().len(), 3, "{}", bridge.log());
}
