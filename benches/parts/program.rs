//! Programs that a benchmark runs beside a real API server, and what they take of the machine.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether_testkit::receivers::Webhook;
use bellwether_testkit::{Cluster, Objects};
use kube::api::DynamicObject;
use serde_json::json;

pub const KIND: &str = "watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}";
pub const HOOK: &str = "webhook: {url: {env: HOOK_URL}}\ngroupBy: [...]\ngroupWait: 0s\n\
                        groupInterval: 1s\nmaxInFlight: 32";

pub fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  \
         {}\n---\n",
        spec.trim().replace('\n', "\n  ")
    )
}

/// A program, and its end with the benchmark.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("it starts"))
    }

    /// The bridge on the rules of this folder.
    pub fn bridge(cluster: &Cluster, folder: &Path, hook: &Webhook) -> Self {
        Self::start(
            Command::new(env!("CARGO_BIN_EXE_bellwether"))
                .arg("run")
                .arg("--rules")
                .arg(folder.join("rules.yaml"))
                .arg("--state")
                .arg(folder.join("state"))
                .arg("--kubeconfig")
                .arg(cluster.admin().kubeconfig().expect("a kubeconfig"))
                .args(["--listen", "off", "--log-level", "error"])
                .env("HOOK_URL", format!("{}/in", hook.base_url())),
        )
    }

    /// Seconds of CPU that it has taken, from /proc (Linux; a tick is 10 ms).
    pub fn cpu(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.0.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after.split_whitespace().skip(11).take(2);
        ticks
            .filter_map(|ticks| ticks.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }

    pub fn resident(&self) -> usize {
        resident_of(&self.0.id().to_string())
    }
}

/// Bytes of resident memory of a process, or of `self`, from /proc (Linux).
pub fn resident_of(process: &str) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages = statm.split_whitespace().nth(1);
    pages
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or(0)
        * 4096
}

/// Who writes to a cluster that knows our kind.
pub async fn objects(cluster: &Cluster) -> Objects {
    let objects = Objects::new(cluster.admin().client().await.expect("a client"));
    let crd = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/databaseinstance.yaml");
    let crd = std::fs::read_to_string(crd).expect("the CRD");
    objects.apply("", &crd).await.expect("the CRD is taken");
    let name = "databaseinstances.stable.example.com";
    let soon = Duration::from_secs(30);
    objects.established(name, soon).await.expect("it is there");
    objects
}

/// Rules of which one tells every change of `storageUsedGB`, and the others compare it with what it
/// never reaches.
pub fn rules(count: usize) -> String {
    let told = format!(
        "{KIND}\n\"on\": object.status.storageUsedGB != oldObject.status.storageUsedGB\n\
         summary: '{{{{object.status.storageUsedGB}}}}'"
    );
    let mut text = document("Receiver", "hook", HOOK) + &document("Rule", "changed", &told);
    for n in 1..count {
        let when = format!(
            "{KIND}\nwhen: object.status.storageUsedGB > {}",
            1_000_000 + n
        );
        text += &document("Rule", &format!("rule-{n}"), &when);
    }
    text
}

/// The time from just before a write to the arrival of its message, at 100 writes a second; sorted.
/// Numbers from `first` are written, which no database had before.
pub async fn from_write_to_webhook(
    objects: &Objects,
    databases: &[DynamicObject],
    hook: &Webhook,
    first: usize,
) -> Vec<Duration> {
    const WRITES: usize = 2_000;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let (databases, objects) = (Arc::new(databases.to_vec()), Arc::new(objects.clone()));
    let mut writes = Vec::new();
    for number in 0..WRITES {
        pace.tick().await;
        let (databases, objects) = (databases.clone(), objects.clone());
        writes.push(tokio::spawn(async move {
            let began = Instant::now();
            let status = json!({ "storageUsedGB": first + number });
            let database = &databases[number % databases.len()];
            let written = objects.patch_status(database, status).await;
            written.expect("it is written");
            began
        }));
    }
    let mut began = Vec::new();
    for write in writes {
        began.push(write.await.expect("a write"));
    }
    if let Err(error) = hook.wait_for(WRITES, Duration::from_secs(30)).await {
        println!("not all messages came: {error}");
    }
    let mut times: Vec<Duration> = Vec::new();
    for accepted in hook.accepted() {
        let summary = accepted.message.json()["alerts"][0]["summary"].clone();
        let number = summary.as_str().and_then(|text| text.parse::<usize>().ok());
        if let Some(at) = number.and_then(|number| began.get(number.checked_sub(first)?)) {
            times.push(accepted.arrived.duration_since(*at));
        }
    }
    times.sort_unstable();
    times
}

/// The time that so many percent of them keep, in milliseconds.
pub fn percentile(times: &[Duration], share: usize) -> f64 {
    times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3
}
