//! `deploy/base` as `kubectl apply -k` would send it, and the bridge as its Deployment starts it.

use std::fs;
use std::time::Duration;

use kube::ResourceExt as _;
use serde_json::Value;

use crate::bridge::Command;
use crate::world::{World, root};

/// The value at a path of keys and indices.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    let found = value.pointer(path);
    found.unwrap_or_else(|| panic!("there is no {path} in {value:#}"))
}

#[tokio::test]
async fn the_base_is_accepted_and_its_bridge_runs_with_its_rules_and_its_role() {
    let world = World::new("deploy").await;
    let kustomization = fs::read_to_string(root().join("deploy/base/kustomization.yaml")).unwrap();
    let resources: Vec<&str> = kustomization
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .collect();
    let mut applied = Vec::new();
    for file in &resources {
        let text = fs::read_to_string(root().join("deploy/base").join(file)).unwrap();
        applied.extend(world.objects.apply("bellwether", &text).await.unwrap());
    }
    let kind = |wanted: &str| {
        let mut objects = applied.iter();
        let found = objects.find(|object| {
            object
                .types
                .as_ref()
                .is_some_and(|types| types.kind == wanted)
        });
        found.unwrap_or_else(|| panic!("the base has no {wanted}"))
    };
    for wanted in [
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "PersistentVolumeClaim",
        "Deployment",
    ] {
        kind(wanted);
    }
    let deployment = &kind("Deployment").data;
    assert_eq!(at(deployment, "/spec/strategy/type"), "Recreate");
    let container = at(deployment, "/spec/template/spec/containers/0");
    assert_eq!(
        at(container, "/securityContext/readOnlyRootFilesystem"),
        true
    );
    assert_eq!(
        at(
            deployment,
            "/spec/template/spec/securityContext/runAsNonRoot"
        ),
        true
    );
    at(container, "/resources/limits/memory");

    // The pod's files, in a folder of this machine.
    let pod = world.folder.path();
    let rules = at(&kind("ConfigMap").data, "/data/rules.yaml")
        .as_str()
        .unwrap();
    let folder = pod.join("etc/bellwether/rules");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(pod.join("var/lib/bellwether")).unwrap();
    let secrets = pod.join("var/run/secrets/bellwether");
    fs::create_dir_all(&secrets).unwrap();
    let here = |text: &str| {
        let text = text.replace(
            "/etc/bellwether",
            &pod.join("etc/bellwether").to_string_lossy(),
        );
        let text = text.replace(
            "/var/lib/bellwether",
            &pod.join("var/lib/bellwether").to_string_lossy(),
        );
        text.replace("/var/run/secrets/bellwether", &secrets.to_string_lossy())
    };
    fs::write(folder.join("rules.yaml"), here(rules)).unwrap();
    fs::write(
        secrets.join("slack-webhook-url"),
        world.slack.webhook_url("alerts"),
    )
    .unwrap();
    for mount in at(container, "/volumeMounts").as_array().unwrap() {
        let path = at(mount, "/mountPath").as_str().unwrap();
        assert!(
            std::path::Path::new(&here(path)).exists(),
            "{path} is not used"
        );
    }

    // Its arguments, its role and nothing else; only the port is one that is free.
    let account = kind("ServiceAccount").name_any();
    let user = world
        .cluster
        .service_account("bellwether", &account)
        .await
        .unwrap();
    let arguments = at(container, "/args").as_array().unwrap().iter();
    let arguments: Vec<String> = arguments
        .map(|argument| here(argument.as_str().unwrap()).replace("0.0.0.0:8080", "127.0.0.1:0"))
        .collect();
    assert_eq!(arguments[0], "run");
    let arguments: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
    let mut command = Command::new("run", pod);
    command
        .arguments(&arguments)
        .path("--kubeconfig", &user.kubeconfig().unwrap());
    let bridge = command.start().await;
    bridge.ready().await;
    for probe in ["livenessProbe", "readinessProbe"] {
        let path = at(container, &format!("/{probe}/httpGet/path"))
            .as_str()
            .unwrap();
        assert_eq!(bridge.get(path).await.0, 200, "{probe}");
    }
    let database = world.database("orders").await;
    let event = bellwether_testkit::Event {
        kind: "Warning",
        reason: "FailedProvisioning",
        message: "no quota",
        count: 1,
    };
    world.objects.event(&database, event).await.unwrap();
    let chat = world
        .slack
        .wait_for(1, Duration::from_secs(20))
        .await
        .unwrap();
    assert!(chat[0].to_string().contains("no quota"), "{}", chat[0]);
}
