//! `deploy/base` as `kubectl apply -k` would send it, and the bridge as its Deployment starts it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::bridge::Command;
use crate::world::{World, root};

/// The value at a path of keys and indices.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    let found = value.pointer(path);
    found.unwrap_or_else(|| panic!("there is no {path} in {value:#}"))
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    at(value, path).as_str().unwrap()
}

/// The objects of the base, as the API server took them.
struct Base(Vec<DynamicObject>);

impl Base {
    async fn apply(world: &World) -> Self {
        let folder = root().join("deploy/base");
        let kustomization = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        let files = kustomization
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- "));
        let mut applied = Vec::new();
        for file in files {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            applied.extend(world.objects.apply("bellwether", &text).await.unwrap());
        }
        Self(applied)
    }

    fn kind(&self, wanted: &str) -> &DynamicObject {
        let is = |object: &&DynamicObject| object.types.as_ref().is_some_and(|t| t.kind == wanted);
        let found = self.0.iter().find(is);
        found.unwrap_or_else(|| panic!("the base has no {wanted}"))
    }

    fn container(&self) -> &Value {
        at(
            &self.kind("Deployment").data,
            "/spec/template/spec/containers/0",
        )
    }
}

/// A text of the pod with its folders under another one.
fn under(folder: &Path, text: &str) -> String {
    ["/etc/bellwether", "/var/lib/bellwether", "/var/run/secrets"]
        .iter()
        .fold(text.to_owned(), |text, path| {
            text.replace(path, &format!("{}{path}", folder.display()))
        })
}

/// The files that the pod's volumes bring.
fn write_volumes(base: &Base, world: &World) {
    let folder = world.folder.path();
    for mount in at(base.container(), "/volumeMounts").as_array().unwrap() {
        let path = under(folder, text(mount, "/mountPath"));
        assert!(
            path.starts_with(&*folder.to_string_lossy()),
            "{path} is unknown"
        );
        fs::create_dir_all(path).unwrap();
    }
    let rules = text(&base.kind("ConfigMap").data, "/data/rules.yaml");
    let file = under(folder, "/etc/bellwether/rules/rules.yaml");
    fs::write(file, under(folder, rules)).unwrap();
    let file = under(folder, "/var/run/secrets/bellwether/slack-webhook-url");
    fs::write(file, world.slack.webhook_url("alerts")).unwrap();
}

/// The program as the Deployment starts it, as the pod's service account; only the port is one
/// that is free.
async fn command(base: &Base, world: &World) -> Command {
    let account = base.kind("ServiceAccount").name_any();
    let user = world.cluster.service_account("bellwether", &account).await;
    let arguments = at(base.container(), "/args").as_array().unwrap().iter();
    let arguments: Vec<String> = arguments
        .map(|argument| under(world.folder.path(), argument.as_str().unwrap()))
        .map(|argument| argument.replace("0.0.0.0:8080", "127.0.0.1:0"))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = Command::new(arguments[0], world.folder.path());
    command
        .arguments(&arguments[1..])
        .path("--kubeconfig", &user.unwrap().kubeconfig().unwrap());
    command
}

#[tokio::test]
async fn the_base_is_accepted_and_its_bridge_runs_with_its_rules_and_its_role() {
    let world = World::new("deploy").await;
    let base = Base::apply(&world).await;
    for kind in ["Namespace", "ClusterRole", "ClusterRoleBinding", "Service"] {
        base.kind(kind);
    }
    let deployment = &base.kind("Deployment").data;
    assert_eq!(text(deployment, "/spec/strategy/type"), "Recreate");
    let pod = at(deployment, "/spec/template/spec");
    assert_eq!(at(pod, "/securityContext/runAsNonRoot"), true);
    let container = base.container();
    assert_eq!(
        at(container, "/securityContext/readOnlyRootFilesystem"),
        true
    );
    at(container, "/resources/limits/memory");
    let claim = base.kind("PersistentVolumeClaim").name_any();
    let mut volumes = at(pod, "/volumes").as_array().unwrap().iter();
    let claimed = "/persistentVolumeClaim/claimName";
    assert!(volumes.any(|volume| volume.pointer(claimed).and_then(Value::as_str) == Some(&*claim)));

    write_volumes(&base, &world);
    let bridge = command(&base, &world).await.start().await;
    bridge.ready().await;
    for probe in ["/livenessProbe", "/readinessProbe"] {
        let path = text(at(container, probe), "/httpGet/path");
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
    let chat = world.slack.wait_for(1, Duration::from_secs(20)).await;
    let chat = chat.unwrap().remove(0).to_string();
    assert!(chat.contains("no quota"), "{chat}");
}
