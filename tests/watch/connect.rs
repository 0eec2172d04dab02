//! Connecting: where the cluster is found, and what is said when it is not.

use std::path::PathBuf;

use bellwether::watch::cluster::{Address, Cluster};
use bellwether_testkit as testkit;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: here, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: me, user: {token: hunter2}}]
contexts:
  - {name: one, context: {cluster: here, user: me, namespace: alerts}}
  - {name: two, context: {cluster: elsewhere, user: me}}
";

/// Connects with this text as the kubeconfig; errors name it as `KUBECONFIG`.
async fn connect(text: &str, context: Option<&str>) -> Result<Cluster, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, text).expect("writable");
    try_connect(path, context).await
}

async fn try_connect(path: PathBuf, context: Option<&str>) -> Result<Cluster, String> {
    let shown = path.display().to_string();
    let address = Address {
        kubeconfig: Some(path),
        context: context.map(str::to_owned),
        namespace: None,
    };
    let connected = Cluster::connect(&address).await;
    connected.map_err(|error| error.to_string().replace(&shown, "KUBECONFIG"))
}

#[tokio::test]
async fn the_identity_of_a_cluster_is_the_same_through_any_user() {
    let testbed = testkit::Cluster::shared().await;
    let path = testbed.admin().kubeconfig().expect("a kubeconfig");
    let cluster = try_connect(path, None).await.expect("connected");
    let identity = cluster.identity().await.expect("an answer");
    assert_eq!(identity, cluster.identity().await.expect("an answer"));
    assert_eq!(&**cluster.name(), "test");
}

#[tokio::test]
async fn a_context_gives_the_name_and_the_namespace() {
    let cluster = connect(KUBECONFIG, None).await.expect("connected");
    assert_eq!(
        (&**cluster.name(), &**cluster.namespace()),
        ("one", "alerts")
    );
    assert_eq!(cluster.url(), "http://127.0.0.1:1");
    assert!(!format!("{cluster:?}").contains("hunter2"));
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_said() {
    let problem = async |text: &str, context| connect(text, context).await.expect_err("refused");
    insta::assert_snapshot!(problem(KUBECONFIG, Some("three")).await, @r#"kubeconfig KUBECONFIG has no context "three"; it has: one, two"#);
    insta::assert_snapshot!(problem(KUBECONFIG, Some("two")).await, @r#"kubeconfig KUBECONFIG: the context names the cluster "elsewhere", which is not in it"#);
    insta::assert_snapshot!(problem(&KUBECONFIG.replace("current-context: one", ""), None).await, @"kubeconfig KUBECONFIG has no current context; choose one with --context: one, two");
    insta::assert_snapshot!(problem("users: [{name: a, token: hunter2}, b\n", None).await, @"kubeconfig KUBECONFIG: line 1, column 8: this is not a kubeconfig (YAML of kind Config)");
    insta::assert_snapshot!(problem("", None).await, @"kubeconfig KUBECONFIG: it has no contexts: is it a kubeconfig?");
    let missing = try_connect(PathBuf::from("/nowhere/config"), None).await;
    insta::assert_snapshot!(missing.expect_err("missing"), @"kubeconfig KUBECONFIG: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named() {
    let cluster = connect(KUBECONFIG, None)
        .await
        .expect("nothing is sent yet");
    let error = cluster.identity().await.expect_err("nobody listens");
    insta::assert_snapshot!(error, @"cannot reach the API server at http://127.0.0.1:1: client error (Connect): tcp connect error: Connection refused (os error 111); check that it runs, the address, and the network between");
}
