//! What stays in memory of an object: the fields that something reads.

use std::path::PathBuf;

use bellwether::cel::PathSet;
use bellwether::engine::{Engine, Input};
use bellwether::names::SourceKey;
use bellwether::setup::{Files, Loaded, load};
use bellwether::watch::object::with_identity;
use bellwether::watch::{Change, Observation, Signal, Signalled, Source};
use jiff::Timestamp;
use serde_json::json;

/// The sample rules, without those that watch something else.
fn sample_rules() -> Loaded {
    let files = Files {
        rules: vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules")],
        ..Files::default()
    };
    load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)))
}

struct Watched {
    engine: Engine,
    source: SourceKey,
    paths: PathSet,
}

impl Watched {
    fn databases() -> Self {
        let loaded = sample_rules();
        let source = Source::of("stable.example.com/v1", "DatabaseInstance").key();
        let mut sources = loaded.rules.sources.iter();
        let watched = sources.find(|watched| watched.key == source);
        let paths = with_identity(&watched.expect("the rules watch databases").paths);
        let mut watched = Self {
            engine: Engine::new(now(), loaded.setup("test")),
            source,
            paths,
        };
        for source in [watched.source.clone(), Source::events().key()] {
            watched.source = source;
            watched.say(Signal::ListBegan);
            watched.say(Signal::ListEnded);
        }
        watched.source = Source::of("stable.example.com/v1", "DatabaseInstance").key();
        watched
    }

    fn say(&mut self, signal: Signal) {
        let source = self.source.clone();
        let signalled = Input::Signalled(Signalled { source, signal });
        self.engine.step(now(), signalled);
    }

    fn apply(&mut self, bytes: &[u8]) {
        let object = self.paths.decode(bytes).expect("the object is JSON");
        let observation = Observation::of(Change::Applied, object).expect("it is an object");
        self.say(Signal::Applied(observation));
    }
}

fn now() -> Timestamp {
    let moment = "2026-11-22T18:00:00Z".parse();
    moment.expect("the moment is RFC 3339")
}

/// A healthy database with a megabyte in an annotation, and one in a field of its status that no
/// rule reads.
fn huge(name: &str) -> Vec<u8> {
    let object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": name, "namespace": "prod", "uid": name, "generation": 4,
            "resourceVersion": "17", "creationTimestamp": "2026-11-22T08:00:00Z",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x".repeat(1 << 20)}},
        "spec": {"engine": "postgres", "version": "16", "storageGB": 100, "replicas": 3},
        "status": {"phase": "Running", "availableReplicas": 3, "storageUsedGB": 10,
            "observedGeneration": 4, "lastBackupTime": "2026-11-22T17:00:00Z",
            "history": vec![json!({"phase": "Running", "at": "2026-11-22T17:00:00Z"}); 20_000],
            "conditions": [{"type": "Ready", "status": "True", "reason": "Up", "message": "",
                "lastTransitionTime": "2026-11-22T08:05:00Z", "observedGeneration": 4}]}
    });
    object.to_string().into_bytes()
}

#[test]
fn of_a_megabyte_on_which_no_rule_fires_less_than_4_kb_stay() {
    let mut watched = Watched::databases();
    // The words that all objects share, and the tables' first growth, are not the object's.
    for number in 0..8 {
        watched.apply(&huge(&format!("before-{number}")));
    }
    let object = huge("orders");
    let kept = allocation_counter::measure(|| watched.apply(&object)).bytes_current;
    assert_eq!(watched.engine.alerts().count(), 0, "no rule fires on it");
    assert!((1..4096).contains(&kept), "{kept} bytes stay");
}
