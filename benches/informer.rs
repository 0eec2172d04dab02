//! The bridge beside what one writes in Go for the same: an informer, cel-go, a POST (go-informer/).
//! `cargo bench --bench informer`
//!
//! Both watch the same objects of a real API server, of about 4 KB each, with 100 rules: what they take
//! once they have listed, what an update takes that no rule is about, what they have grown to then,
//! and the time from a write to its message. `BELLWETHER_BENCH_OBJECTS` for other than 20,000. Left
//! out where the pinned API server was not built (`make test` does), or Go is not there.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bellwether_testkit::receivers::Webhook;
use bellwether_testkit::{Cluster, Objects};
use futures::{StreamExt as _, stream};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

#[path = "parts/program.rs"]
mod program;
use program::{Running, document, percentile, resident_of};

const RULES: usize = 100;
/// Writers at once.
const WRITERS: usize = 16;

#[tokio::main]
async fn main() {
    let (cluster, informer) = match (Cluster::start().await, informer()) {
        (Ok(cluster), Some(informer)) => (cluster, informer),
        (Err(error), _) => return println!("no API server ({error}): left out"),
        (_, None) => return println!("go is not installed: left out"),
    };
    let count = std::env::var("BELLWETHER_BENCH_OBJECTS").ok();
    let count = count.and_then(|it| it.parse().ok()).unwrap_or(20_000);
    let world = World::new(&cluster, count).await;
    println!(
        "{count} objects of about 4 KB, {RULES} rules; this process takes {} MB",
        resident_of("self") / 1_000_000
    );

    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yaml"), program::rules(RULES)).expect("the rules");
    assert!(program::rules(1).contains(&document("Receiver", "hook", program::HOOK)));
    let hook = Webhook::start().await.expect("a webhook");
    let ours = world
        .measure(Running::bridge(&cluster, folder.path(), &hook), &hook, 1)
        .await;
    let hook = Webhook::start().await.expect("a webhook");
    let theirs = Running::start(
        Command::new(informer)
            .arg(cluster.admin().kubeconfig().expect("a kubeconfig"))
            .arg(format!("{}/in", hook.base_url()))
            .arg(RULES.to_string()),
    );
    let theirs = world.measure(theirs, &hook, 10_000).await;
    println!(
        "{:44} {:>10} {:>10} {:>7}",
        "", "bellwether", "in Go", "ratio"
    );
    for ((what, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        println!(
            "{what:44} {ours:>10.1} {theirs:>10.1} {:>7.1}",
            theirs / ours
        );
    }
}

/// The informer, built; `None`: there is no Go.
fn informer() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/go-informer");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("informer");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&to).arg(".");
    let done = build.current_dir(folder).status().ok()?;
    assert!(done.success(), "benches/go-informer does not build");
    Some(to)
}

/// The objects that both watch.
struct World {
    objects: Objects,
    databases: Vec<DynamicObject>,
    api: Api<DynamicObject>,
}

impl World {
    async fn new(cluster: &Cluster, count: usize) -> Self {
        let objects = program::objects(cluster).await;
        let namespace = cluster.namespace("informer").await.expect("a namespace");
        let kind = "DatabaseInstance";
        let api = objects.api("stable.example.com/v1", kind, &namespace).await;
        let api = api.expect("the kind is served");
        let created = stream::iter(0..count).map(async |number| {
            let object = serde_json::from_value(database(number)).expect("an object");
            let created = api.create(&PostParams::default(), &object).await;
            created.expect("it is created")
        });
        let databases: Vec<_> = created.buffer_unordered(WRITERS).collect().await;
        let world = Self {
            objects,
            databases,
            api,
        };
        world.update(0).await;
        world
    }

    /// Every object's status, as its controller would write it; no rule is about what differs.
    async fn update(&self, round: usize) {
        let written = stream::iter(&self.databases).map(async |database| {
            let name = database.metadata.name.as_deref().expect("a name");
            let status = Patch::Merge(status(round));
            let params = PatchParams::default();
            let written = self.api.patch_status(name, &params, &status).await;
            written.expect("it is written");
        });
        written.buffer_unordered(WRITERS).collect::<()>().await;
    }

    async fn measure(
        &self,
        program: Running,
        hook: &Webhook,
        first: usize,
    ) -> Vec<(&'static str, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "megabytes and microseconds")]
        let mb = |bytes: usize| bytes as f64 / 1e6;
        let updates = f64::from(u32::try_from(self.databases.len()).expect("a few"));
        quiet(&program).await;
        let mut measured = vec![
            ("memory when all is listed, MB", mb(program.resident())),
            ("CPU until then, s", program.cpu()),
        ];
        let before = program.cpu();
        self.update(first).await;
        quiet(&program).await;
        let each = (program.cpu() - before) / updates * 1e6;
        measured.push(("CPU of an update that is no news, µs", each));
        measured.push((
            "memory after one update of each, MB",
            mb(program.resident()),
        ));
        let few = &self.databases[..200];
        let times = program::from_write_to_webhook(&self.objects, few, hook, first).await;
        measured.push((
            "write to message, 100 a second, p50, ms",
            percentile(&times, 50),
        ));
        measured.push((
            "write to message, 100 a second, p99, ms",
            percentile(&times, 99),
        ));
        measured
    }
}

/// Waits until a program has had nothing to do for two seconds.
async fn quiet(program: &Running) {
    let began = Instant::now();
    let (mut last, mut since) = (program.cpu(), Instant::now());
    while since.elapsed() < Duration::from_secs(2) || began.elapsed() < Duration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let cpu = program.cpu();
        // What wakes up by itself takes a tick now and then.
        if cpu - last > 0.02 {
            (last, since) = (cpu, Instant::now());
        }
    }
}

fn database(number: usize) -> serde_json::Value {
    let note = "what the people who run it wrote down about it; ".repeat(20);
    json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": format!("db-{number}"),
            "labels": {"team": format!("team-{}", number % 50), "app.kubernetes.io/name": format!("db-{number}")},
            "annotations": {"example.com/note": note, "example.com/number": number.to_string()}},
        "spec": {"engine": "postgres", "version": "17", "storageGB": 100, "replicas": 3}
    })
}

fn status(round: usize) -> serde_json::Value {
    let conditions = ["Ready", "Progressing", "Degraded", "BackedUp"].map(|type_| {
        json!({"type": type_, "status": "True", "reason": "AsExpected", "observedGeneration": 1,
            "lastTransitionTime": "2026-11-22T17:50:00Z",
            "message": format!("looked at {round} times, and all is as it is expected to be")})
    });
    let mut status = json!({"phase": "Running", "availableReplicas": 3, "observedGeneration": 1,
        "connectionString": "postgres://db.prod.svc:5432", "conditions": conditions});
    if round == 0 {
        status["storageUsedGB"] = json!(0);
    }
    json!({ "status": status })
}
