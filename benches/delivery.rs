//! What a delivery costs, and how what is decided scales.
//! `cargo bench --bench delivery`
//!
//! 1. A transition that makes an alert fire and one that resolves it, with many alerts that fire,
//!    routes, inhibitions and silences beside it (CPU of one thread, no network, no file).
//! 2. A receiver that is dead at 100 occurrences a second, in virtual time: memory, file. For an hour;
//!    with `BELLWETHER_BENCH_HOURS=24` for a day.
//! 3. From a write to the API server to the webhook's arrival, at 100 transitions a second with 100
//!    rules; and how many notifications a second leave a bridge that has many to deliver. Both on a
//!    real API server and the real program, with every step on disk; left out where the pinned
//!    API server was not built (`make test` does).

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether::cel::PathSet;
use bellwether::engine::{Effect, Engine, Input};
use bellwether::journal::{Batch, Journal, Key, Record, Store};
use bellwether::outbox::{Outcome, Waiting};
use bellwether::setup::{Files, Loaded, load};
use bellwether::watch::object::with_identity;
use bellwether::watch::{Change, Observation, Signal, Signalled, Source};
use bellwether_testkit::Cluster;
use bellwether_testkit::receivers::Webhook;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

#[path = "parts/program.rs"]
mod program;
use program::{HOOK, KIND, Running, document, percentile, resident_of};

/// As in the program: it decides how much is resident.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    println!("an alert that fires and one that resolves, beside others (CPU, median of 500)");
    for (alerts, documents) in [
        (0, 0),
        (1_000, 0),
        (10_000, 0),
        (10_000, 100),
        (10_000, 1_000),
    ] {
        let each = beside(alerts, documents);
        println!(
            "{alerts:>8} alerts fire, {documents:>5} routes, inhibitions and silences: {each:>8.1} µs"
        );
    }
    let hours = std::env::var("BELLWETHER_BENCH_HOURS");
    dead_for(hours.ok().and_then(|hours| hours.parse().ok()).unwrap_or(1));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match Cluster::start().await {
            Ok(cluster) => {
                let cluster: &'static Cluster = Box::leak(Box::new(cluster));
                from_write_to_webhook(cluster).await;
                drained(cluster).await;
            }
            Err(error) => println!("no API server ({error}): latency and throughput left out"),
        }
    });
}

fn loaded(text: &str) -> Loaded {
    let file = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile()
        .expect("a file");
    std::fs::write(file.path(), text).expect("the rules can be written");
    let files = Files {
        rules: vec![file.path().to_owned()],
        ..Files::default()
    };
    load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)))
}

fn start() -> Timestamp {
    "2026-11-22T18:00:00Z".parse().expect("a moment")
}

fn database(name: &str, phase: &str, version: u64) -> Vec<u8> {
    let object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": name, "namespace": "prod", "uid": name,
            "resourceVersion": version.to_string(), "creationTimestamp": "2026-11-01T00:00:00Z"},
        "spec": {"engine": "postgres", "version": version.to_string()},
        "status": {"phase": phase}
    });
    object.to_string().into_bytes()
}

/// The engine with receivers that say yes at once.
struct Bench {
    engine: Engine,
    now: Timestamp,
    paths: PathSet,
    source: Source,
    journal: Option<Batch>,
    answers: bool,
}

impl Bench {
    fn new(loaded: &Loaded) -> Self {
        let watched = &loaded.rules.sources[0];
        Self {
            engine: Engine::new(start(), loaded.setup("bench")),
            now: start(),
            paths: with_identity(&watched.paths),
            source: watched.source.clone(),
            journal: None,
            answers: true,
        }
    }

    fn say(&mut self, signal: Signal) {
        self.step(Input::Signalled(Signalled {
            source: self.source.key(),
            signal,
        }));
    }

    fn apply(&mut self, bytes: &[u8], change: Change) {
        let object = self.paths.decode(bytes).expect("the object is JSON");
        let observation = Observation::of(change, object).expect("it is an object");
        self.say(match change {
            Change::Applied => Signal::Applied(observation),
            Change::Deleted | Change::Left => Signal::Deleted(observation),
        });
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.engine.step(self.now, input) {
                match effect {
                    Effect::Deliver(attempt) => inputs.push(Input::Delivered {
                        id: attempt.notification.id.clone(),
                        delivery: if self.answers {
                            Outcome::Accepted.into()
                        } else {
                            let why = "it is dead".to_owned();
                            Outcome::Retry { after: None, why }.into()
                        },
                    }),
                    Effect::Persist(batch) => {
                        if let Some(journal) = &mut self.journal {
                            journal.0.extend(batch.0);
                        }
                    }
                    Effect::Decided(decision) => drop(black_box(decision)),
                }
            }
        }
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).expect("a moment");
        self.step(Input::Tick);
    }
}

/// Microseconds for a firing or a resolve with so many alerts, and documents of each kind, beside.
fn beside(alerts: usize, documents: usize) -> f64 {
    let mut text = document(
        "Rule",
        "failed",
        &format!("{KIND}\nwhen: object.status.phase == 'Failed'"),
    ) + &document(
        "Receiver",
        "hook",
        "webhook: {url: 'http://127.0.0.1/'}\ngroupBy: [...]",
    );
    for n in 0..documents {
        let route = format!("matchers: ['team = team-{n}']\nreceivers: [hook]");
        text += &document("Route", &format!("r-{n}"), &route);
        let inhibition = format!(
            "source: {{matchers: ['team = team-{n}']}}\ntarget: {{matchers: ['team = other-{n}']}}\nequal: [namespace]"
        );
        text += &document("Inhibition", &format!("i-{n}"), &inhibition);
        let silence =
            format!("matchers: ['name = gone-{n}']\nendsAt: 2030-01-01T00:00:00Z\ncomment: bench");
        text += &document("Silence", &format!("s-{n}"), &silence);
    }
    text += &document("Route", "rest", "priority: -1\nreceivers: [hook]");
    let loaded = loaded(&text);
    let mut bench = Bench::new(&loaded);
    bench.say(Signal::ListBegan);
    for n in 0..alerts {
        bench.apply(&database(&format!("db-{n}"), "Failed", 1), Change::Applied);
    }
    bench.say(Signal::ListEnded);
    bench.pass(SignedDuration::from_secs(5));
    let mut times = Vec::new();
    for round in 0..500_u64 {
        let phase = if round % 2 == 0 { "Failed" } else { "Running" };
        let bytes = database("orders", phase, round + 2);
        let began = Instant::now();
        bench.apply(&bytes, Change::Applied);
        bench.pass(SignedDuration::from_secs(2));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[250].as_secs_f64() * 1e6
}

/// Memory and file after hours of 100 occurrences a second for a receiver that takes none.
fn dead_for(hours: u64) {
    let text = document(
        "Rule",
        "created",
        &format!("{KIND}\n\"on\": change == 'ADDED'"),
    ) + &document(
        "Receiver",
        "hook",
        "webhook: {url: 'http://127.0.0.1/'}\ngroupBy: [...]\ngiveUpAfter: 48h",
    );
    let loaded = loaded(&text);
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(&folder.path().join("state")).expect("a state file");
    let mut bench = Bench::new(&loaded);
    bench.answers = false;
    bench.journal = Some(Batch::default());
    bench.say(Signal::ListBegan);
    bench.say(Signal::ListEnded);
    let began = Instant::now();
    let (mut most, mut file) = (0, 0);
    for second in 0..hours * 3_600 {
        for n in 0..100 {
            let name = format!("db-{second}-{n}");
            let bytes = database(&name, "Running", second);
            bench.apply(&bytes, Change::Applied);
            bench.apply(&bytes, Change::Deleted);
        }
        bench.pass(SignedDuration::from_secs(1));
        if second % 60 == 0 {
            let batch = bench.journal.replace(Batch::default()).unwrap_or_default();
            store.commit(&batch, store.epoch()).expect("it is written");
            most = most.max(resident_of("self"));
        }
        if second % 600 == 0 {
            let length = std::fs::metadata(folder.path().join("state")).map(|it| it.len());
            file = file.max(length.unwrap_or(0));
        }
    }
    let waiting = bench.engine.outbox().waiting();
    let told: u64 = waiting
        .map(|it| it.notification.omitted + it.notification.alerts.len() as u64)
        .sum();
    println!(
        "a receiver dead for {hours} h, 100 occurrences a second: {told} of {} wait, {} notifications; \
         at most {} MB resident, a state file of {} MB ({:.0} s)",
        hours * 360_000,
        bench.engine.outbox().waiting().count(),
        most / 1_000_000,
        file / 1_000_000,
        began.elapsed().as_secs_f64()
    );
}

/// From a write to its message, with 200 databases and 100 rules.
async fn from_write_to_webhook(cluster: &Cluster) {
    let objects = program::objects(cluster).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yaml"), program::rules(100)).expect("the rules");
    let namespace = cluster.namespace("latency").await.expect("a namespace");
    let mut databases = Vec::new();
    for n in 0..200 {
        let manifest = format!(
            "apiVersion: stable.example.com/v1\nkind: DatabaseInstance\nmetadata: {{name: db-{n}}}\n\
             spec: {{engine: postgres, version: '17', storageGB: 10}}\nstatus: {{storageUsedGB: 0}}\n"
        );
        let applied = objects.apply(&namespace, &manifest).await;
        databases.extend(applied.expect("a database"));
    }
    let hook = Webhook::start().await.expect("a webhook");
    let _bridge = Running::bridge(cluster, folder.path(), &hook);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let times = program::from_write_to_webhook(&objects, &databases, &hook, 1).await;
    println!(
        "from a write to the API server to the webhook, 100 a second, 100 rules, {} messages: p50 {:.1} ms, \
         p99 {:.1} ms",
        times.len(),
        percentile(&times, 50),
        percentile(&times, 99)
    );
}

/// Notifications a second that a bridge delivers which finds many in its outbox.
async fn drained(cluster: &Cluster) {
    const NOTIFICATIONS: u32 = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    let text = document(
        "Rule",
        "created",
        &format!("{KIND}\n\"on\": change == 'ADDED'"),
    ) + &document("Receiver", "hook", HOOK);
    let mut bench = Bench::new(&loaded(
        &text.replace("{env: HOOK_URL}", "'http://127.0.0.1/'"),
    ));
    bench.answers = false;
    bench.say(Signal::ListBegan);
    bench.say(Signal::ListEnded);
    bench.apply(&database("orders", "Running", 1), Change::Applied);
    bench.pass(SignedDuration::from_secs(1));
    let sample = bench.engine.outbox().waiting().next().cloned();
    let sample = sample.expect("one waits");
    let state = folder.path().join("state");
    let mut store = Store::open(&state).expect("a state file");
    let mut batch = Batch::default();
    for number in 0..u64::from(NOTIFICATIONS) {
        let mut notification = (*sample.notification).clone();
        let mut id = String::new();
        let _ = write!(id, "{number:032x}");
        notification.id = id.as_str().into();
        notification.group = format!("hook{{name=\"db-{number}\"}}").into();
        let key = Key::Outbox(notification.receiver.clone(), notification.id.clone());
        let waiting = Waiting {
            notification: Arc::new(notification),
            order: number,
            attempts: 0,
            ..sample.clone()
        };
        batch.put(key, Record::Outbox(waiting));
    }
    store.commit(&batch, store.epoch()).expect("it is written");
    drop(store);
    std::fs::write(folder.path().join("rules.yaml"), text).expect("the rules");
    let hook = Webhook::start().await.expect("a webhook");
    let bridge = Running::bridge(cluster, folder.path(), &hook);
    hook.wait_for(1, Duration::from_mins(1))
        .await
        .expect("the first comes");
    let (began, cpu) = (Instant::now(), bridge.cpu());
    hook.wait_for(NOTIFICATIONS as usize, Duration::from_mins(2))
        .await
        .expect("all come");
    let took = began.elapsed().as_secs_f64();
    let spent = (bridge.cpu() - cpu) / f64::from(NOTIFICATIONS) * 1e6;
    println!(
        "{NOTIFICATIONS} notifications that wait, written down step by step: {:.0} a second, {spent:.0} µs of CPU \
         each, {} MB resident then",
        f64::from(NOTIFICATIONS) / took,
        bridge.resident() / 1_000_000
    );
}
