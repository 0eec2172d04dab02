//! What people wait for: a recorded day played again, a thousand tests, a look at many manifests.
//! `cargo bench --bench tools`
//!
//! The program as they run it, on the sample rules. What takes longer than it may is an error: a day
//! of a million transitions has a minute, a thousand tests of ten steps two seconds.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bellwether::cel::Json;
use bellwether::recording::{Recorder, Redaction};
use bellwether::watch::{Change, Observation, Signal, Signalled, Source};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const TRANSITIONS: u64 = 1_000_000;
const OBJECTS: u64 = 2_000;
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = folder.path().join("day.jsonl.gz");
    record(&day);
    let replay = ["replay", text(&day), "--rules", RULES, "-o", "json"];
    let (took, peak) = measured(&replay);
    println!(
        "a recorded day, {TRANSITIONS} transitions of {OBJECTS} objects, played to the sample rules: \
         {:.1} s, {peak} MB",
        took.as_secs_f64()
    );
    assert!(took < Duration::from_mins(1), "a day has a minute");

    let tests = folder.path().join("tests.yaml");
    fs::write(&tests, thousand_tests()).expect("the tests are written");
    let (took, peak) = measured(&["test", RULES, text(&tests), "--run", "ten-steps"]);
    println!(
        "1,000 tests of ten steps: {:.2} s, {peak} MB",
        took.as_secs_f64()
    );
    assert!(took < Duration::from_secs(2), "they have two seconds");

    let manifests = folder.path().join("objects.jsonl");
    let objects = (0..20_000).map(|number| format!("{}\n", database(number, number)));
    fs::write(&manifests, objects.collect::<String>()).expect("the manifests are written");
    let (took, peak) = measured(&["dry-run", "--rules", RULES, "--from", text(&manifests)]);
    println!(
        "a dry run on 20,000 manifests: {:.1} s, {peak} MB",
        took.as_secs_f64()
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ASCII")
}

/// How long the program takes for this, and how many megabytes at most (Linux).
fn measured(arguments: &[&str]) -> (Duration, usize) {
    let began = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let status = format!("/proc/{}/status", program.id());
    let mut peak = 0;
    loop {
        let told = fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0) / 1_000);
        if let Some(ended) = program.try_wait().expect("it is our child") {
            assert!(ended.success(), "{arguments:?} fails");
            return (began.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A database in its so many-th state: one in fifty states is a failure.
fn database(number: u64, state: u64) -> Value {
    let phase = if state % 50 == 7 { "Failed" } else { "Running" };
    let ready = if state % 50 == 7 { "False" } else { "True" };
    json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": format!("db-{number}"), "namespace": format!("team-{}", number % 40),
            "uid": format!("00000000-0000-0000-0000-{number:012}"), "resourceVersion": state.to_string(),
            "generation": 1, "creationTimestamp": "2026-11-01T00:00:00Z", "labels": {"app": "db"}},
        "spec": {"engine": "postgres", "version": "17", "storageGB": 100, "replicas": 3},
        "status": {"phase": phase, "availableReplicas": 3, "storageUsedGB": 40 + state % 9,
            "observedGeneration": 1, "lastBackupTime": "2026-11-22T17:00:00Z",
            "connectionString": "postgres://db.prod.svc:5432",
            "conditions": [{"type": "Ready", "status": ready, "reason": "AsExpected", "observedGeneration": 1,
                "lastTransitionTime": "2026-11-22T17:50:00Z", "message": "all is as it is expected to be"}]}
    })
}

/// A day on which each database changes five hundred times.
fn record(to: &Path) {
    let start: Timestamp = "2026-11-22T18:00:00Z".parse().expect("a moment");
    let source = Source::of("stable.example.com/v1", "DatabaseInstance");
    let key = source.key();
    let none = Redaction::default();
    let recorder = Recorder::create(to, start, vec![source], none, u64::MAX);
    let mut recorder = recorder.expect("the file is made");
    let mut say = |at, signal| {
        let source = key.clone();
        let said = recorder.record(at, Signalled { source, signal });
        said.expect("it is written");
    };
    let applied = |number, state| {
        let object = Json::from(database(number, state));
        Signal::Applied(Observation::of(Change::Applied, object).expect("an object"))
    };
    say(start, Signal::ListBegan);
    for number in 0..OBJECTS {
        say(start, applied(number, 0));
    }
    say(start, Signal::ListEnded);
    let step = SignedDuration::from_hours(24).as_micros() / i128::from(TRANSITIONS);
    let mut at = start;
    for change in 0..TRANSITIONS {
        let step = SignedDuration::from_micros(i64::try_from(step).expect("a short time"));
        at = at.checked_add(step).expect("a moment");
        say(at, applied(change % OBJECTS, change / OBJECTS + 1));
    }
    recorder.finish(at).expect("the file is finished");
}

fn thousand_tests() -> String {
    let mut text = String::new();
    for number in 0..1_000 {
        let _ = writeln!(
            text,
            "---\napiVersion: bellwether.dev/v1alpha1\nkind: RuleTest\nmetadata: {{name: ten-steps-{number}}}\n\
             spec:\n  rules: [database-failed]\n  timeline:"
        );
        for step in 0..10 {
            let phase = if step % 2 == 0 { "Failed" } else { "Running" };
            let _ = writeln!(
                text,
                "    - {{at: {}m, apply: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance, \
                 metadata: {{name: orders}}, status: {{phase: {phase}}}}}}}",
                step * 6
            );
        }
        text.push_str("  expect: [{at: 5m, alerts: [{state: firing}]}, {at: 2h, alerts: []}]\n");
    }
    text
}
