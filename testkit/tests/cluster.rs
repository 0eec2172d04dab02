//! The test cluster is a real one, its faults are real, and nothing of it is left behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bellwether_testkit::{Cluster, CutProxy, Event, Objects};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::json;

const WIDGETS: &str = include_str!("widgets.yaml");

async fn admin(cluster: &Cluster) -> Objects {
    Objects::new(cluster.admin().client().await.unwrap())
}

fn status_of(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("not an answer of the API server: {other}"),
    }
}

#[tokio::test]
async fn it_is_the_pinned_kubernetes() {
    let client = Cluster::shared().await.admin().client().await.unwrap();
    assert_eq!(
        client.apiserver_version().await.unwrap().git_version,
        "v1.37.2"
    );
}

#[tokio::test]
async fn a_manifest_may_hold_a_custom_resource_and_its_definition() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("apply").await.unwrap();
    let objects = admin(cluster).await;
    let widget = objects
        .apply(&namespace, WIDGETS)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(widget.namespace(), Some(namespace));

    let changed = objects
        .acting_as("night-shift")
        .patch(&widget, json!({"spec": {"size": 2}}))
        .await
        .unwrap();
    assert_eq!(changed.data["spec"]["size"], 2);
    assert!(
        changed
            .managed_fields()
            .iter()
            .any(|entry| entry.manager.as_deref() == Some("night-shift"))
    );

    let failed = objects
        .patch_status(&widget, json!({"phase": "Failed"}))
        .await
        .unwrap();
    assert_eq!(failed.data["status"]["phase"], "Failed");
    assert_eq!(failed.metadata.generation, Some(2));

    objects.delete(&widget).await.unwrap();
    let again = objects.delete(&widget).await.unwrap_err();
    assert_eq!(again.to_string(), "Widget first");
}

#[tokio::test]
async fn an_object_that_the_schema_forbids_is_refused_by_name() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("schema").await.unwrap();
    let objects = admin(cluster).await;
    let widget = objects
        .apply(&namespace, WIDGETS)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let error = objects
        .patch(&widget, json!({"spec": {"size": 0}}))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "Widget first");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("should be greater than or equal to 1"),
        "{cause}"
    );
}

#[tokio::test]
async fn events_of_both_apis_arrive() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("events").await.unwrap();
    let objects = admin(cluster).await;
    let widget = objects
        .apply(&namespace, WIDGETS)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let event = Event {
        kind: "Warning",
        reason: "OutOfPaint",
        message: "no more blue",
        count: 3,
    };
    objects.event(&widget, event).await.unwrap();
    objects.core_event(&widget, event).await.unwrap();

    let api = objects
        .api("events.k8s.io/v1", "Event", &namespace)
        .await
        .unwrap();
    let about_widgets = ListParams::default().fields("regarding.kind=Widget");
    let mut counts = Vec::new();
    for listed in api.list(&about_widgets).await.unwrap() {
        assert_eq!(listed.data["regarding"]["uid"], json!(widget.uid()));
        counts.push((
            listed.data["series"]["count"].as_i64(),
            listed.data["deprecatedCount"].as_i64(),
        ));
    }
    counts.sort_unstable();
    assert_eq!(counts, [(None, Some(3)), (Some(3), None)]);
}

#[tokio::test]
async fn a_user_may_do_nothing_until_a_role_is_bound() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("rights").await.unwrap();
    let reader = cluster.user("reader-of-maps").unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(reader.client().await.unwrap(), &namespace);
    let refused = maps.list(&ListParams::default()).await.unwrap_err();
    assert_eq!(status_of(&refused), 403);
    assert!(refused.to_string().contains("reader-of-maps"), "{refused}");

    admin(cluster)
        .await
        .apply(&namespace, include_str!("rights.yaml"))
        .await
        .unwrap();
    until("the binding is known", async || {
        maps.list(&ListParams::default()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_service_account_uses_a_real_token() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("account").await.unwrap();
    let account = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: bridge}}";
    admin(cluster)
        .await
        .apply(&namespace, account)
        .await
        .unwrap();
    let bridge = cluster.service_account(&namespace, "bridge").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(bridge.client().await.unwrap(), &namespace);
    let refused = maps.list(&ListParams::default()).await.unwrap_err();
    let name = format!("system:serviceaccount:{namespace}:bridge");
    assert!(refused.to_string().contains(&name), "{refused}");
}

#[tokio::test]
async fn a_cut_breaks_a_watch_that_is_open_and_the_next_one_works() {
    use kube::runtime::WatchStreamExt;
    let cluster = Cluster::shared().await;
    let proxy = CutProxy::start(cluster.address()).await.unwrap();
    let client = cluster
        .admin()
        .client_through(proxy.address())
        .await
        .unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    let mut seen = Box::pin(watcher(namespaces, watcher::Config::default()).default_backoff());
    next(&mut seen, |event| {
        matches!(event, Ok(watcher::Event::InitDone))
    })
    .await;
    proxy.cut();
    let name = cluster.namespace("cut").await.unwrap();
    next(&mut seen, |event| matches!(event, Ok(watcher::Event::Apply(namespace)) if namespace.name_any() == name)).await;
    assert!(
        proxy.accepted() > 1,
        "the watch went on without connecting again"
    );
}

#[tokio::test]
async fn restarts_an_outage_a_pause_and_a_compaction_do_what_they_say() {
    let cluster = Cluster::start().await.unwrap();
    let objects = admin(&cluster).await;
    let widget = objects
        .apply("default", WIDGETS)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let client = cluster.admin().client().await.unwrap();

    cluster.restart_etcd().await.unwrap();
    let api = objects
        .api("example.test/v1", "Widget", "default")
        .await
        .unwrap();
    until("the API server finds etcd again", async || {
        api.get("first").await.is_ok()
    })
    .await;

    cluster.pause().unwrap();
    let asked = tokio::time::timeout(Duration::from_millis(300), client.apiserver_version()).await;
    assert!(asked.is_err(), "a frozen server answered");
    cluster.resume().unwrap();
    client.apiserver_version().await.unwrap();

    cluster.stop_apiserver();
    client.apiserver_version().await.unwrap_err();
    cluster.start_apiserver().await.unwrap();
    assert_eq!(api.get("first").await.unwrap().uid(), widget.uid());

    assert_eq!(watch_answer(&cluster, &client, &widget).await, 410);
}

/// What the server answers to a watch from the first revision of `widget`, which is compacted here.
async fn watch_answer(cluster: &Cluster, client: &Client, widget: &DynamicObject) -> u16 {
    use futures::StreamExt;
    let objects = Objects::new(client.clone());
    for size in 2..5 {
        objects
            .patch(widget, json!({"spec": {"size": size}}))
            .await
            .unwrap();
    }
    let revision = cluster.compact_etcd().await.unwrap();
    assert!(revision > widget.resource_version().unwrap().parse().unwrap());
    cluster.restart_apiserver().await.unwrap();
    let api = objects
        .api("example.test/v1", "Widget", "default")
        .await
        .unwrap();
    let watch = api
        .watch(&WatchParams::default(), &widget.resource_version().unwrap())
        .await;
    match watch {
        Err(error) => status_of(&error),
        Ok(events) => match Box::pin(events).next().await.unwrap() {
            Ok(WatchEvent::Error(status)) => status.code,
            Ok(other) => panic!("not gone: {other:?}"),
            Err(error) => status_of(&error),
        },
    }
}

#[test]
fn nothing_survives_a_killed_test_process() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_testcluster"));
    let mut running = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = BufReader::new(running.stdout.take().unwrap())
        .lines()
        .take(2)
        .map(Result::unwrap)
        .collect();
    let kubeconfig = lines[0].strip_prefix("KUBECONFIG=").unwrap();
    let folder = Path::new(kubeconfig).parent().unwrap();
    let processes: Vec<&str> = lines[1]
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|id| runs(id)) && folder.exists());

    running.kill().unwrap();
    running.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while processes.iter().any(|id| runs(id)) || folder.exists() {
        assert!(
            Instant::now() < deadline,
            "left behind: {processes:?} {}",
            folder.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that has ended but whose new parent has not asked for its status yet does not run.
fn runs(id: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn a_server_that_cannot_start_tells_why() {
    let error = Cluster::start_with(&["--no-such-flag"])
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("kube-apiserver ended with exit status: 1"),
        "{error}"
    );
    assert!(
        error.to_string().contains("unknown flag: --no-such-flag"),
        "{error}"
    );
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn next<T: std::fmt::Debug>(
    stream: &mut (impl futures::Stream<Item = T> + Unpin),
    wanted: impl Fn(&T) -> bool,
) {
    use futures::StreamExt;
    let found = async { while !wanted(&stream.next().await.expect("a watcher never ends")) {} };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .expect("within 20 s");
}
