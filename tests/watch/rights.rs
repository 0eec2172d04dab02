//! Users who may not, and users who are not.

use bellwether::watch::Source;
use bellwether_testkit as testkit;

use crate::mirror::{Health, Mirror};
use crate::world::{World, connect};

#[tokio::test]
async fn a_missing_right_is_named_and_its_grant_is_noticed() {
    let world = World::shared("rights").await;
    let testbed = testkit::Cluster::shared().await;
    let user = testbed.user("watcher-of-maps").expect("a user");
    let cluster = connect(user.kubeconfig().expect("a kubeconfig")).await;
    let mut mirror = Mirror::of(&cluster, world.config_maps());
    mirror
        .until("it is refused", |m| m.health == Health::Broken)
        .await;
    let why = mirror.broken[0].replace(&world.namespace, "NAMESPACE");
    insta::assert_snapshot!(why, @r#"not allowed (403 Forbidden): configmaps is forbidden: User "watcher-of-maps" cannot watch resource "configmaps" in API group "" in the namespace "NAMESPACE"; grant it in a ClusterRole, as deploy/base/clusterrole.yaml does"#);

    world
        .objects
        .apply(
            &world.namespace,
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: maps}
rules:
  - {apiGroups: [''], resources: [configmaps], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: maps}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maps}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: watcher-of-maps}]
",
        )
        .await
        .expect("granted");
    mirror
        .until("it is allowed", |m| {
            m.lists == 1 && m.health == Health::Good
        })
        .await;
    assert_eq!(mirror.broken.len(), 1);
}

#[tokio::test]
async fn credentials_that_the_server_does_not_know_are_refused_in_words() {
    let testbed = testkit::Cluster::shared().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    let text = std::fs::read_to_string(testbed.admin().kubeconfig().expect("a kubeconfig"));
    let mut kubeconfig: serde_json::Value =
        serde_json::from_str(&text.expect("readable")).expect("the testkit writes JSON");
    kubeconfig["users"][0]["user"] = serde_json::json!({"token": "hunter2"});
    std::fs::write(&path, kubeconfig.to_string()).expect("writable");

    let cluster = connect(path).await;
    let error = cluster.identity().await.expect_err("unknown").to_string();
    insta::assert_snapshot!(error, @"the API server refuses the credentials (401 Unauthorized): they are expired or of another cluster; renew the kubeconfig's user, or the service account's token");
    let mut mirror = Mirror::of(&cluster, Source::of("v1", "Namespace"));
    mirror
        .until("it is refused", |m| m.health == Health::Broken)
        .await;
    assert_eq!(mirror.broken[0], error);
}
