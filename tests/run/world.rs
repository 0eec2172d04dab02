//! A namespace with databases, a user with the least role, rules and receivers in files.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bellwether_testkit::receivers::{PagerDuty, Slack, Webhook};
use bellwether_testkit::{Cluster, Objects, User};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::bridge::Command;

/// PagerDuty's integration keys have 32 characters.
const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A receiver that hears of each alert by itself, at once.
pub const HOOK: &str = "
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec:
  webhook: {url: {env: HOOK_URL}}
  groupBy: [...]
  groupWait: 0s
  groupInterval: 1s
  maxInFlight: 10
";

pub struct World {
    pub cluster: &'static Cluster,
    pub objects: Objects,
    pub namespace: String,
    pub user: User,
    pub folder: tempfile::TempDir,
    pub slack: Slack,
    pub pagerduty: PagerDuty,
    pub webhook: Webhook,
}

impl World {
    pub async fn new(prefix: &str) -> Self {
        Self::on(Cluster::shared().await, prefix).await
    }

    /// The same on a cluster that the test has for itself.
    pub async fn on(cluster: &'static Cluster, prefix: &str) -> Self {
        let world = Self::without_rights(cluster, prefix).await;
        let role = fs::read_to_string(root().join("deploy/base/clusterrole.yaml")).unwrap();
        world.objects.apply("", &role).await.unwrap();
        world.bind("ClusterRole", "bellwether", "").await;
        world
    }

    /// The same with a user who may do nothing.
    pub async fn without_rights(cluster: &'static Cluster, prefix: &str) -> Self {
        let namespace = cluster.namespace(prefix).await.unwrap();
        let user = cluster.user(&namespace).unwrap();
        let objects = Objects::new(cluster.admin().client().await.unwrap());
        let text = fs::read_to_string(root().join("crds/databaseinstance.yaml")).unwrap();
        objects.apply("", &text).await.unwrap();
        Self {
            cluster,
            objects,
            namespace,
            user,
            folder: tempfile::tempdir().unwrap(),
            slack: Slack::start().await.unwrap(),
            pagerduty: PagerDuty::start().await.unwrap(),
            webhook: Webhook::start().await.unwrap(),
        }
    }

    /// Gives the world's user a role: in a namespace, or everywhere.
    async fn bind(&self, kind: &str, role: &str, namespace: &str) {
        let user = &self.namespace;
        let binding = format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}Binding
metadata: {{name: {role}-{user}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {role}}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]
"
        );
        self.objects.apply(namespace, &binding).await.unwrap();
    }

    /// What `rbac` prints for the world's rules, asking the cluster.
    pub fn rbac(&self) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"));
        let kubeconfig = self.cluster.admin().kubeconfig().unwrap();
        command
            .env_clear()
            .args(["rbac", "--name", &self.namespace])
            .args(["--namespace", &self.namespace])
            .arg("--rules")
            .arg(self.rules())
            .arg("--kubeconfig")
            .arg(kubeconfig);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Gives the world's user all of it.
    pub async fn grant(&self, roles: &str) {
        for role in self.objects.apply("", roles).await.unwrap() {
            let kind = role.types.as_ref().unwrap().kind.clone();
            let namespace = role.metadata.namespace.unwrap_or_default();
            self.bind(&kind, &self.namespace, &namespace).await;
        }
    }

    /// The rule of the example, watching this namespace, and three receivers. `of_webhook` goes
    /// into the webhook's document.
    pub fn write_rules(&self, hold: &str, of_webhook: &str) {
        fs::write(self.rules(), self.text(hold, of_webhook)).unwrap();
    }

    fn text(&self, hold: &str, of_webhook: &str) -> String {
        let namespace = &self.namespace;
        let pagerduty = self.pagerduty.base_url();
        format!(
            "
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: database-failed}}
spec:
  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance, namespaces: [{namespace}]}}
  when: object.status.phase == 'Failed'
  for: {hold}
  severity: critical
  summary: \"{{{{object.metadata.name}}}} has failed\"
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: chat}}
spec:
  slack: {{webhookUrl: {{env: SLACK_WEBHOOK_URL}}}}
  groupWait: 1s
  groupInterval: 2s
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: pager}}
spec:
  pagerduty: {{routingKey: {{env: PAGERDUTY_ROUTING_KEY}}, baseUrl: '{pagerduty}'}}
  groupWait: 1s
  groupInterval: 2s
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: hook}}
spec:
  webhook: {{url: {{env: HOOK_URL}}}}
  groupBy: [...]
  groupInterval: 1s
{of_webhook}
"
        )
    }

    /// A rule on the databases of this namespace.
    pub fn rule(&self, name: &str, spec: &str) -> String {
        format!(
            "
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: {name}}}
spec:
  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance, namespaces: [{}]}}
  {}
",
            self.namespace,
            spec.trim().replace('\n', "\n  ")
        )
    }

    /// The rules of `rules/`, watching this namespace only, and receivers of the names that they
    /// notify. Each alert is a message of its own, so that a test can tell them apart.
    pub async fn copy_sample_rules(&self) {
        let mut text = String::new();
        for entry in fs::read_dir(root().join("rules")).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("receivers.yaml") || path.extension().is_none_or(|end| end != "yaml")
            {
                continue;
            }
            text += &fs::read_to_string(&path).unwrap();
            text += "\n---\n";
        }
        let everywhere = "kind: DatabaseInstance}";
        let here = format!("kind: DatabaseInstance, namespaces: [{}]}}", self.namespace);
        assert!(text.contains(everywhere));
        text = text.replace(everywhere, &here);
        let pagerduty = self.pagerduty.base_url();
        let receivers = format!(
            "
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: chat}}
spec:
  slack: {{webhookUrl: {{env: SLACK_WEBHOOK_URL}}}}
  groupBy: [...]
  groupInterval: 1s
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: pager}}
spec:
  pagerduty: {{routingKey: {{env: PAGERDUTY_ROUTING_KEY}}, baseUrl: '{pagerduty}'}}
  groupInterval: 1s
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: automation}}
spec:
  webhook: {{url: {{env: HOOK_URL}}}}
  groupInterval: 1s
"
        );
        text += &receivers;
        fs::write(self.rules(), text).unwrap();
        // They read more than the rules of `deploy/base` do.
        self.grant(&self.rbac()).await;
    }

    pub fn rules(&self) -> PathBuf {
        self.folder.path().join("rules.yaml")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The program with everything it needs, not yet started.
    pub fn command(&self) -> Command {
        self.command_with(&self.rules(), &self.user.kubeconfig().unwrap())
    }

    /// The same, its connections to the API server going through a proxy.
    pub fn command_through(&self, proxy: SocketAddr) -> Command {
        self.command_with(&self.rules(), &self.user.kubeconfig_through(proxy).unwrap())
    }

    /// The same with the rules of another place, looked at so often.
    pub fn command_reading(&self, rules: &Path, every: &str) -> Command {
        let mut command = self.command_with(rules, &self.user.kubeconfig().unwrap());
        command.arguments(&["--reload-interval", every]);
        command
    }

    fn command_with(&self, rules: &Path, kubeconfig: &Path) -> Command {
        let mut command = Command::new("run", self.folder.path());
        command
            .path("--rules", rules)
            .path("--state", &self.state())
            .path("--kubeconfig", kubeconfig)
            .arguments(&["--listen", "127.0.0.1:0"])
            .variable("SLACK_WEBHOOK_URL", &self.slack.webhook_url("alerts"))
            .variable("PAGERDUTY_ROUTING_KEY", ROUTING_KEY)
            .variable("HOOK_URL", &format!("{}/in", self.webhook.base_url()));
        command
    }

    pub async fn database(&self, name: &str) -> DynamicObject {
        let manifest = format!(
            "
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {{name: {name}}}
spec: {{engine: postgres, version: '17.2', storageGB: 10}}
"
        );
        let mut applied = self
            .objects
            .apply(&self.namespace, &manifest)
            .await
            .unwrap();
        applied.remove(0)
    }

    /// A Pod of a database, through the `StatefulSet` that its operator would make.
    pub async fn pod(&self, database: &DynamicObject) -> DynamicObject {
        let name = database.name_any();
        let set = format!(
            "
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}, {owner}}}
spec:
  serviceName: {name}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: db, image: db}}]}}
",
            owner = owned_by(database)
        );
        let mut set = self.objects.apply(&self.namespace, &set).await.unwrap();
        let pod = format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: {name}-0, {owner}}}
spec: {{containers: [{{name: db, image: db}}]}}
",
            owner = owned_by(&set.remove(0))
        );
        let mut pod = self.objects.apply(&self.namespace, &pod).await.unwrap();
        pod.remove(0)
    }

    /// The Pod's container is in this state.
    pub async fn container(&self, pod: &DynamicObject, state: Value) {
        let container = json!({
            "name": "db", "image": "db", "imageID": "db", "ready": false, "restartCount": 7,
            "state": state,
        });
        let status = json!({"phase": "Running", "containerStatuses": [container]});
        self.objects.patch_status(pod, status).await.unwrap();
    }

    pub async fn phase(&self, database: &DynamicObject, phase: &str) {
        let status = json!({ "phase": phase });
        self.objects.patch_status(database, status).await.unwrap();
    }
}

/// A reference to an owner, as it stands in the metadata of what it owns.
fn owned_by(owner: &DynamicObject) -> String {
    let types = owner.types.as_ref().unwrap();
    format!(
        "ownerReferences: [{{apiVersion: {}, kind: {}, name: {}, uid: {}, controller: true}}]",
        types.api_version,
        types.kind,
        owner.name_any(),
        owner.uid().unwrap()
    )
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
