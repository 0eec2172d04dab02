//! What goes into the engine in which order.

use std::fs;

use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::cel::Json;
use crate::decision::Reason;
use crate::setup::{self, Files};
use crate::watch::{Change, Observation, Signal, Source};

/// A rule for each of these kinds.
fn rules(kinds: &[&str]) -> Setup {
    let rule = |kind: &&str| {
        format!(
            "---\napiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: {}}}\nspec:\n  \
             watch: {{apiVersion: stable.example.com/v1, kind: {kind}}}\n  when: object.failed\n",
            kind.to_lowercase()
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    fs::write(&path, kinds.iter().map(rule).collect::<String>()).unwrap();
    let files = Files {
        rules: vec![path],
        ..Files::default()
    };
    let loaded = setup::load(&files).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.setup("test")
}

fn failed() -> Signal {
    let object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "Database",
        "metadata": {"name": "orders", "uid": "1"}, "failed": true,
    });
    Signal::Applied(Observation::of(Change::Applied, Json::from(object)).unwrap())
}

#[tokio::test]
async fn what_the_streams_said_before_a_reload_is_heard_before_it() {
    // Which of two channels is looked at first is left to chance.
    for _ in 0..20 {
        said_and_reloaded().await;
    }
}

async fn said_and_reloaded() {
    let (said, signals) = mpsc::channel(16);
    let (turns, mut carried_out) = mpsc::channel(16);
    let (ask_to_reload, reloads) = mpsc::channel(1);
    let (_ends, ended) = mpsc::unbounded_channel();
    let (_ask, questions) = mpsc::channel(1);
    let (_stop, stop) = oneshot::channel();
    let wires = Wires {
        signals,
        stood_still: Arc::default(),
        ended,
        questions,
        reloads,
        turns,
        stop,
    };
    let source = Source::of("stable.example.com/v1", "Database").key();
    for signal in [Signal::ListBegan, failed(), Signal::ListEnded] {
        let source = source.clone();
        said.try_send(Signalled { source, signal }).unwrap();
    }
    let (taken, is_taken) = oneshot::channel();
    let setup = rules(&["Cache"]);
    ask_to_reload
        .try_send(Reload {
            setup,
            written: None,
            taken,
        })
        .unwrap();

    let mut clock = Clock::start();
    let engine = Engine::new(clock.now(), rules(&["Database", "Cache"]));
    let drive = tokio::spawn(Drive::new(engine, clock, wires, None).run());
    is_taken.await.unwrap();
    let mut reasons = Vec::new();
    while reasons.len() < 2 {
        let turn = timeout(Duration::from_secs(10), carried_out.recv()).await;
        for effect in turn.expect("both are decided at once").unwrap() {
            if let Effect::Decided(decision) = effect
                && matches!(decision.reason, Reason::Firing | Reason::Resolved(_))
            {
                reasons.push(decision.reason.to_string());
            }
        }
    }
    assert_eq!(reasons, ["firing", "resolved: the rule was removed"]);
    drive.abort();
}
