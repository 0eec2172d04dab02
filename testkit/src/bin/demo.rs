//! `make demo`: a database fails on a real API server, and a page, a chat message and a webhook
//! arrive. Everything runs on loopback and is gone at the end.
//!
//! Arguments: the program, the project's folder.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bellwether_testkit::objects::Event;
use bellwether_testkit::receivers::{PagerDuty, Slack, Webhook};
use bellwether_testkit::{Cluster, Objects};
use serde_json::json;

const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "a secret that both sides know";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(program), Some(root)) = (arguments.next(), arguments.next()) else {
        return Err("usage: demo PROGRAM PROJECT, or `make demo`".into());
    };
    tokio::select! {
        told = tell(&program, &root) => told,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn tell(program: &Path, root: &Path) -> Result<()> {
    let began = Instant::now();
    step("starting etcd and kube-apiserver on loopback");
    let cluster = Cluster::start().await?;
    let objects = Objects::new(cluster.admin().client().await?);
    for file in ["databaseinstance", "rule", "receiver"] {
        let path = root.join("crds").join(format!("{file}.yaml"));
        objects.apply("", &std::fs::read_to_string(path)?).await?;
    }
    let namespace = cluster.namespace("prod").await?;

    let receivers = Receivers::start().await?;
    let mut bridge = receivers.bridge(program, root, &cluster)?;
    step("the bridge runs with the rules in rules/, their holds shortened: --param hold=3s");

    let database = &objects.apply(&namespace, DATABASE).await?[0];
    step("a database: Pending");
    objects
        .patch_status(database, json!({"phase": "Pending"}))
        .await?;
    pause(2).await;
    step("it is Running");
    objects.patch_status(database, running()).await?;
    pause(2).await;
    step("it has Failed, and an Event says why");
    objects.patch_status(database, failed()).await?;
    let why = Event {
        kind: "Warning",
        reason: "FailedProvisioning",
        message: "no quota left in zone b",
        count: 1,
    };
    objects.event(database, why).await?;
    receivers.show_until(&mut bridge, 1).await?;
    step("it is Running again");
    objects.patch_status(database, running()).await?;
    receivers.show_until(&mut bridge, 2).await?;

    step("stopping");
    Command::new("kill")
        .arg(bridge.0.id().to_string())
        .status()?;
    bridge.0.wait()?;
    println!(
        "\nAll of it took {} s, and nothing of it is left.",
        began.elapsed().as_secs()
    );
    Ok(())
}

/// The bridge; it ends with the demo.
struct Bridge(Child);

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Receivers {
    slack: Slack,
    pagerduty: PagerDuty,
    webhook: Webhook,
    folder: tempfile::TempDir,
    shown: std::cell::Cell<[usize; 3]>,
}

impl Receivers {
    async fn start() -> Result<Self> {
        let webhook = Webhook::start().await?;
        webhook.require_signature("X-Bellwether-Signature", SECRET.as_bytes());
        Ok(Self {
            slack: Slack::start().await?,
            pagerduty: PagerDuty::start().await?,
            webhook,
            folder: tempfile::tempdir()?,
            shown: std::cell::Cell::default(),
        })
    }

    fn bridge(&self, program: &Path, root: &Path, cluster: &Cluster) -> Result<Bridge> {
        let file = self.folder.path().join("receivers.yaml");
        std::fs::write(&file, self.documents())?;
        let mut rules = vec![file];
        for entry in std::fs::read_dir(root.join("rules"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("database-") {
                rules.push(path);
            }
        }
        let log = std::fs::File::create(self.folder.path().join("log"))?;
        let child = Command::new(program)
            .args([
                "run",
                "--param",
                "hold=3s",
                "--listen",
                "off",
                "--cluster-name",
                "demo",
            ])
            .arg("--rules")
            .args(rules)
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .arg("--kubeconfig")
            .arg(cluster.admin().kubeconfig()?)
            .env("SLACK_WEBHOOK_URL", self.slack.webhook_url("databases"))
            .env("PAGERDUTY_ROUTING_KEY", ROUTING_KEY)
            .env("WEBHOOK_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Bridge(child))
    }

    fn documents(&self) -> String {
        let document = |name: &str, spec: &str| {
            format!(
                "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\n\
                 metadata: {{name: {name}}}\nspec:\n  groupInterval: 2s\n  {spec}\n---\n"
            )
        };
        [
            document("chat", "slack: {webhookUrl: {env: SLACK_WEBHOOK_URL}}"),
            document(
                "pager",
                &format!(
                    "pagerduty: {{routingKey: {{env: PAGERDUTY_ROUTING_KEY}}, baseUrl: {}}}",
                    self.pagerduty.base_url()
                ),
            ),
            document(
                "automation",
                &format!(
                    "webhook: {{url: {}, hmac: {{secret: {{env: WEBHOOK_SECRET}}}}}}",
                    self.webhook.base_url()
                ),
            ),
        ]
        .concat()
    }

    /// Shows each message as it arrives, until so many pages are there and nothing more comes.
    async fn show_until(&self, bridge: &mut Bridge, pages: usize) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        let mut quiet_since = Instant::now();
        loop {
            if self.show() {
                quiet_since = Instant::now();
            }
            let arrived = self.pagerduty.messages().len() >= pages;
            if arrived && quiet_since.elapsed() > Duration::from_secs(4) {
                return Ok(());
            }
            let over = bridge.0.try_wait()?.is_some();
            if over || Instant::now() > end {
                let log = std::fs::read_to_string(self.folder.path().join("log"))?;
                let what = if over {
                    "the bridge stopped"
                } else {
                    "no page arrived in 30 s"
                };
                return Err(format!("{what}; it said:\n{log}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Shows what is new. `true` if anything was.
    fn show(&self) -> bool {
        let before = self.shown.get();
        let now = [
            show("Slack", &self.slack.messages(), before[0]),
            show("PagerDuty", &self.pagerduty.messages(), before[1]),
            show("webhook", &self.webhook.messages(), before[2]),
        ];
        self.shown.set(now);
        now != before
    }
}

fn show<M: Display>(name: &str, messages: &[M], shown: usize) -> usize {
    for message in &messages[shown.min(messages.len())..] {
        println!("\n  ── {name} ──");
        for line in message.to_string().lines() {
            println!("  {line}");
        }
    }
    messages.len()
}

fn step(what: &str) {
    println!("\n▶ {what}");
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

const DATABASE: &str = "
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {name: orders}
spec: {engine: postgres, version: '16', storageGB: 100, replicas: 2}
";

fn condition(status: &str, reason: &str, message: &str) -> serde_json::Value {
    json!([{"type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}])
}

fn running() -> serde_json::Value {
    json!({"phase": "Running", "availableReplicas": 2, "storageUsedGB": 12, "observedGeneration": 1,
        "lastBackupTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "conditions": condition("True", "Up", "")})
}

fn failed() -> serde_json::Value {
    json!({"phase": "Failed", "availableReplicas": 0,
        "conditions": condition("False", "NoQuota", "no quota left in zone b")})
}
