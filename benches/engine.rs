//! What a transition costs, from the bytes of an object to the effects, and what an object keeps.
//! `cargo bench --bench engine`
//!
//! CPU time of one thread, without network and without the journal's file: decode, compare,
//! evaluate, alert, group. The objects have 4 KB.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use bellwether::cel::PathSet;
use bellwether::engine::{Engine, Input};
use bellwether::names::SourceKey;
use bellwether::setup::{Files, Loaded, load};
use bellwether::watch::object::with_identity;
use bellwether::watch::{Change, Observation, Signal, Signalled, Source};
use jiff::Timestamp;

/// As in the program: it decides how much an object takes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 2_000;

fn main() {
    // First: what others leave behind in the allocator would be taken again, and not be counted.
    memory(50_000);
    println!("one transition of a 4 KB object, decode to effects (CPU, median of {ROUNDS})");
    println!(
        "{:>6} {:>26} {:>26}",
        "rules", "no rule's fields changed", "all rules affected"
    );
    for rules in [1, 100, 1000] {
        let unaffected = transitions(rules, false);
        let affected = transitions(rules, true);
        println!("{rules:>6} {unaffected:>23.1} µs {affected:>23.1} µs");
    }
}

/// Rules on different thresholds of the same fields, none of them true.
fn rules(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: rule-{number}}}\n\
             spec:\n  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}\n  \
             when: object.status.storageUsedGB > {} && object.status.phase != 'Terminating'\n---\n",
            1_000_000 + number
        );
    }
    text.push_str(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {name: hook}\n\
         spec: {webhook: {url: http://127.0.0.1/}}\n",
    );
    text
}

fn loaded(rules: Vec<PathBuf>) -> Loaded {
    let files = Files {
        rules,
        ..Files::default()
    };
    load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)))
}

/// A database as the server sends it: most of the bytes are fields that no rule reads. No two
/// were made, backed up or written at the same time.
fn database(name: &str, version: usize, storage: usize) -> Vec<u8> {
    let hour = |day: usize| {
        let (minute, second) = (version / 60 % 60, version % 60);
        format!(
            "2026-11-{day:02}T{:02}:{minute:02}:{second:02}Z",
            version / 3600 % 24
        )
    };
    let managed: Vec<serde_json::Value> = (0..14)
        .map(|n| {
            serde_json::json!({"manager": format!("controller-{n}"), "operation": "Update",
                "apiVersion": "stable.example.com/v1", "time": hour(n + 1),
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:annotations":
                {".": {}, format!("f:example.com/key-{n}"): {}}}, "f:spec": {"f:version": {}}}})
        })
        .collect();
    let object = serde_json::json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": name, "namespace": "prod", "uid": name, "generation": 4,
            "resourceVersion": version.to_string(), "creationTimestamp": hour(1),
            "labels": {"team": "payments"}, "managedFields": managed},
        "spec": {"engine": "postgres", "version": "16", "storageGB": 100, "replicas": 3},
        "status": {"phase": "Running", "availableReplicas": 3, "storageUsedGB": storage,
            "observedGeneration": 4, "lastBackupTime": hour(22),
            "connectionString": format!("postgres://{name}.prod.svc:5432/app"),
            "conditions": [{"type": "Ready", "status": "True", "reason": "Up", "message": "",
                "lastTransitionTime": hour(2), "observedGeneration": 4}]}
    });
    object.to_string().into_bytes()
}

fn now() -> Timestamp {
    "2026-11-22T18:00:00Z"
        .parse()
        .expect("the moment is RFC 3339")
}

struct Bench {
    engine: Engine,
    paths: PathSet,
    source: SourceKey,
}

impl Bench {
    fn new(loaded: &Loaded) -> Self {
        let source = Source::of("stable.example.com/v1", "DatabaseInstance").key();
        let watched = loaded
            .rules
            .sources
            .iter()
            .find(|watched| watched.key == source);
        let paths = &watched.expect("the rules watch databases").paths;
        let mut bench = Self {
            engine: Engine::new(now(), loaded.setup("bench")),
            paths: with_identity(paths),
            source,
        };
        bench.say(Signal::ListBegan);
        bench
    }

    fn say(&mut self, signal: Signal) {
        let source = self.source.clone();
        let input = Input::Signalled(Signalled { source, signal });
        black_box(self.engine.step(now(), input));
    }

    fn apply(&mut self, bytes: &[u8]) {
        let object = self.paths.decode(bytes).expect("the object is JSON");
        let observation = Observation::of(Change::Applied, object).expect("it is an object");
        self.say(Signal::Applied(observation));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn transitions(count: usize, affected: bool) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, rules(count)).expect("the rules can be written");
    let loaded = loaded(vec![file]);
    let mut bench = Bench::new(&loaded);
    bench.apply(&database("orders", 0, 10));
    bench.say(Signal::ListEnded);
    black_box(bench.engine.step(now(), Input::Tick));
    let objects: Vec<Vec<u8>> = (1..=ROUNDS)
        .map(|version| database("orders", version, if affected { 10 + version } else { 10 }))
        .collect();
    let mut times: Vec<u128> = objects
        .iter()
        .map(|object| {
            let start = Instant::now();
            bench.apply(object);
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let median = u32::try_from(times[ROUNDS / 2]).expect("a transition takes less than 4 s");
    f64::from(median) / 1000.0
}

/// Resident memory per watched object with the sample rules.
fn memory(count: usize) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join("rules")).expect("there are rules");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let samples = paths.filter(|path| path.is_file()).collect();
    let mut bench = Bench::new(&loaded(samples));
    let before = resident();
    for number in 0..count {
        bench.apply(&database(&format!("db-{number}"), number, 10));
    }
    bench.say(Signal::ListEnded);
    black_box(bench.engine.step(now(), Input::Tick));
    let bytes = resident().saturating_sub(before) / count;
    let kept = bench.engine.status().retained_bytes / count;
    println!(
        "{count} watched objects, sample rules: {bytes} bytes of RSS an object \
         ({kept} of them projections)"
    );
}

/// Bytes of resident memory, from /proc (Linux).
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is there on Linux");
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number of statm is the resident pages") * 4096
}
