//! Roles as they are printed, for rules of every kind.

use super::*;
use crate::setup::{Files, load};

fn manifests(rules: &str, account: Option<&ServiceAccount>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, rules).expect("writable");
    let files = Files {
        rules: vec![file],
        ..Files::default()
    };
    let loaded = load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)));
    Rights::of(&loaded, "own", &guess).manifests("bellwether", account)
}

fn rule(name: &str, watch: &str, spec: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: {name}}}\n\
         spec:\n  watch: {{{watch}}}\n  {spec}\n---\n"
    )
}

const RECEIVER: &str = "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {name: chat}\n\
                        spec: {slack: {webhookUrl: {secretKeyRef: {name: slack, key: url}}}}\n";
const DATABASE: &str = "apiVersion: stable.example.com/v1, kind: DatabaseInstance";
const CRASHING: &str = "related: [{name: pods, apiVersion: v1, kind: Pod, via: [apps/v1/StatefulSet]}]\n  \
                        when: related.pods.exists(pod, pod.status.phase == 'Failed')";

#[test]
fn rules_need_what_they_watch_what_they_join_and_their_events() {
    let everywhere = rule("crashing", DATABASE, CRASHING);
    let told = rule("told", DATABASE, "\"on\": event.type == 'Warning'");
    let node = rule(
        "node",
        "apiVersion: v1, kind: Node, fieldSelector: metadata.name=main",
        "when: object.spec.unschedulable",
    );
    insta::assert_snapshot!(manifests(&format!("{everywhere}{told}{node}{RECEIVER}"), None), @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: bellwether}
    rules:
      # its UID tells this cluster from every other: a state file of another one is refused
      - apiGroups: [""]
        resources: [namespaces]
        resourceNames: [kube-system]
        verbs: [get]
      # watched by node
      - apiGroups: [""]
        resources: [nodes]
        resourceNames: [main]
        verbs: [list, watch]
      # read by crashing
      - apiGroups: [""]
        resources: [pods]
        verbs: [list, watch]
      # read by crashing
      - apiGroups: [apps]
        resources: [statefulsets]
        verbs: [list, watch]
      # read by told
      # a server without events.k8s.io has them in the core group
      - apiGroups: [events.k8s.io, ""]
        resources: [events]
        verbs: [list, watch]
      # watched by crashing, told
      - apiGroups: [stable.example.com]
        resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: own}
    rules:
      # a credential of receiver chat
      - apiGroups: [""]
        resources: [secrets]
        resourceNames: [slack]
        verbs: [get]
    "#);
}

#[test]
fn rules_in_some_namespaces_need_nothing_elsewhere() {
    let here = format!("{DATABASE}, namespaces: [a, b]");
    let crashing = rule("crashing", &here, CRASHING);
    let gold = rule(
        "gold",
        &format!("{DATABASE}, namespaces: [a]"),
        "when: namespaceObject.metadata.labels.tier == 'gold'",
    );
    let deployments = rule(
        "all",
        "apiVersion: apps/v1, kind: StatefulSet",
        "when: object.status.replicas == 0",
    );
    insta::assert_snapshot!(manifests(&format!("{crashing}{gold}{deployments}{RECEIVER}"), None), @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: bellwether}
    rules:
      # read by gold
      - apiGroups: [""]
        resources: [namespaces]
        resourceNames: [a]
        verbs: [list, watch]
      # its UID tells this cluster from every other: a state file of another one is refused
      - apiGroups: [""]
        resources: [namespaces]
        resourceNames: [kube-system]
        verbs: [get]
      # watched by all
      # read by crashing
      - apiGroups: [apps]
        resources: [statefulsets]
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: a}
    rules:
      # read by crashing
      - apiGroups: [""]
        resources: [pods]
        verbs: [list, watch]
      # watched by crashing, gold
      - apiGroups: [stable.example.com]
        resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: b}
    rules:
      # read by crashing
      - apiGroups: [""]
        resources: [pods]
        verbs: [list, watch]
      # watched by crashing
      - apiGroups: [stable.example.com]
        resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: own}
    rules:
      # a credential of receiver chat
      - apiGroups: [""]
        resources: [secrets]
        resourceNames: [slack]
        verbs: [get]
    "#);
}

#[test]
fn plurals_are_guessed_as_kubernetes_guesses() {
    let plurals = [
        "Pod",
        "Ingress",
        "NetworkPolicy",
        "Endpoints",
        "Gateway",
        "Proxy",
    ]
    .map(|kind| guess(&Source::of("v1", kind)).name);
    insta::assert_snapshot!(plurals.join(" "), @"pods ingresses networkpolicies endpoints gateways proxies");
    assert!(guess(&Source::of("stable.example.com/v1", "DatabaseInstance")).guessed);
    assert!(!guess(&Source::of("networking.k8s.io/v1", "Ingress")).guessed);
}

#[test]
fn each_role_is_bound_to_who_is_to_have_it() {
    let here = rule(
        "here",
        &format!("{DATABASE}, namespaces: [a]"),
        "when: object.metadata.generation > 1",
    );
    let account = ServiceAccount {
        namespace: "own".to_owned(),
        name: "bridge".to_owned(),
    };
    insta::assert_snapshot!(manifests(&format!("{here}{RECEIVER}"), Some(&account)), @r#"
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
      - {kind: ServiceAccount, namespace: own, name: bridge}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: a}
    rules:
      # watched by here
      - apiGroups: [stable.example.com]
        resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
        verbs: [list, watch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata: {name: bellwether, namespace: a}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bellwether}
    subjects:
      - {kind: ServiceAccount, namespace: own, name: bridge}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: bellwether, namespace: own}
    rules:
      # a credential of receiver chat
      - apiGroups: [""]
        resources: [secrets]
        resourceNames: [slack]
        verbs: [get]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata: {name: bellwether, namespace: own}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bellwether}
    subjects:
      - {kind: ServiceAccount, namespace: own, name: bridge}
    "#);
}
