//! The bridge as a user who has what `rbac` printed for its rules, and no other right.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

use bellwether_testkit::{Cluster, Event};
use insta::assert_snapshot;
use kube::api::DynamicObject;
use serde_json::json;

use crate::world::World;

const SOON: Duration = Duration::from_secs(30);

/// A rule that reads a Namespace, one about a single object, and a receiver whose address is in a Secret.
fn further_documents(namespace: &str) -> String {
    format!(
        "
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: gold-lost}}
spec:
  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance, namespaces: [{namespace}]}}
  when: object.status.phase == 'Failed' && namespaceObject.metadata.labels.tier == 'gold'
  notify: [secret]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: settings-changed}}
spec:
  watch: {{apiVersion: v1, kind: ConfigMap, namespaces: [{namespace}], fieldSelector: metadata.name=settings}}
  \"on\": object.data.mode != oldObject.data.mode
  notify: [secret]
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: secret}}
spec:
  webhook: {{url: {{secretKeyRef: {{name: hook, key: url}}}}}}
  groupBy: [...]
"
    )
}

/// What the further documents are about.
async fn settings(world: &World) -> DynamicObject {
    let namespace = &world.namespace;
    let address = format!("{}/in", world.webhook.base_url());
    let manifests = format!(
        "
{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}, labels: {{tier: gold}}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: hook}}, stringData: {{url: '{address}'}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{mode: old}}}}
"
    );
    let mut applied = world.objects.apply(namespace, &manifests).await.unwrap();
    applied.remove(2)
}

#[tokio::test]
async fn the_bridge_runs_with_what_rbac_printed_and_no_other_right() {
    let world = World::without_rights(Cluster::shared().await, "least").await;
    let namespace = world.namespace.clone();
    let settings = settings(&world).await;
    world.copy_sample_rules().await;
    let mut documents = OpenOptions::new().append(true).open(world.rules()).unwrap();
    documents
        .write_all(further_documents(&namespace).as_bytes())
        .unwrap();
    let roles = world.rbac();
    assert_snapshot!(roles.replace(&namespace, "NAMESPACE"), @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: NAMESPACE}
    rules:
      # its UID tells this cluster from every other: a state file of another one is refused
      - apiGroups: [""]
        resources: [namespaces]
        resourceNames: [kube-system]
        verbs: [get]
      # read by gold-lost
      - apiGroups: [""]
        resources: [namespaces]
        resourceNames: [NAMESPACE]
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: NAMESPACE, namespace: NAMESPACE}
    rules:
      # watched by settings-changed
      - apiGroups: [""]
        resources: [configmaps]
        resourceNames: [settings]
        verbs: [list, watch]
      # read by database-pod-crashing
      - apiGroups: [""]
        resources: [pods]
        verbs: [list, watch]
      # a credential of receiver secret
      - apiGroups: [""]
        resources: [secrets]
        resourceNames: [hook]
        verbs: [get]
      # read by database-pod-crashing
      - apiGroups: [apps]
        resources: [statefulsets]
        verbs: [list, watch]
      # read by database-pod-crashing, database-provisioning-failed
      # a server without events.k8s.io has them in the core group
      - apiGroups: [events.k8s.io, ""]
        resources: [events]
        verbs: [list, watch]
      # watched by database-backup-overdue, database-controller-stuck, database-deletion-stuck and 10 more
      - apiGroups: [stable.example.com]
        resources: [databaseinstances]
        verbs: [list, watch]
    "#);
    world.grant(&roles).await;

    let database = world.database("orders").await;
    let pod = world.pod(&database).await;
    let bridge = world
        .command()
        .arguments(&["--namespace", &namespace])
        .start()
        .await;
    bridge.ready().await;
    world.phase(&database, "Failed").await;
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    world.container(&pod, waiting).await;
    let event = Event {
        kind: "Warning",
        reason: "FailedProvisioning",
        message: "no quota",
        count: 1,
    };
    world.objects.event(&database, event).await.unwrap();
    let mode = json!({"data": {"mode": "new"}});
    world.objects.patch(&settings, mode).await.unwrap();

    let hooks = world.webhook.wait_for(2, SOON).await.unwrap();
    let mut told: Vec<String> = hooks
        .iter()
        .map(|hook| hook.json()["alerts"][0]["labels"]["alertname"].to_string())
        .collect();
    told.sort();
    assert_eq!(told, ["\"gold-lost\"", "\"settings-changed\""]);
    let chats = world.slack.wait_for(2, SOON).await.unwrap();
    let chats: String = chats.iter().map(ToString::to_string).collect();
    assert!(chats.contains("no quota"), "{chats}");
    assert!(chats.contains("orders-0 is crashing"), "{chats}");
    assert!(!bridge.log().contains("forbidden"), "{}", bridge.log());
}

#[tokio::test]
async fn without_a_cluster_the_plurals_are_those_of_crds_or_guesses() {
    let world = World::without_rights(Cluster::shared().await, "guess").await;
    world.write_rules("5m", "");
    let rbac = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"))
            .env_clear()
            .args(["rbac", "--rules"])
            .arg(world.rules())
            .args(arguments)
            .current_dir(crate::world::root())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.replace(&world.namespace, "NAMESPACE")
    };
    assert_snapshot!(rbac(&["--service-account", "bellwether/bellwether"]), @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: bellwether}
    rules:
      # its UID tells this cluster from every other: a state file of another one is refused
      - apiGroups: [""]
        resources: [namespaces]
        resourceNames: [kube-system]
        verbs: [get]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata: {name: bellwether}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bellwether}
    subjects:
      - {kind: ServiceAccount, namespace: bellwether, name: bellwether}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: NAMESPACE}
    rules:
      # watched by database-failed
      - apiGroups: [stable.example.com]
        resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata: {name: bellwether, namespace: NAMESPACE}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bellwether}
    subjects:
      - {kind: ServiceAccount, namespace: bellwether, name: bellwether}
    "#);
    let known = rbac(&["--crds", "crds/databaseinstance.yaml"]);
    assert!(!known.contains("guessed"), "{known}");
    // A Secret of the bridge's own namespace, and no word of which that is.
    let rules = fs::read_to_string(world.rules()).unwrap();
    let secret = rules.replace("{env: HOOK_URL}", "{secretKeyRef: {name: hook, key: url}}");
    fs::write(world.rules(), secret).unwrap();
    assert_eq!(rbac(&[]), "");
    assert!(rbac(&["--namespace", "own"]).contains("resourceNames: [hook]"));
}
