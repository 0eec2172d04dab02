//! A bridge that is recorded.

use super::*;
use crate::engine::{Effect, Engine, Input};
use crate::names::NotificationId;
use crate::notify::{Silence, SilenceChange};
use crate::outbox::{Delivery, Outcome};
use crate::recording::run::{Began, Decided, Entry, RunRecorder, Taken, Turn};
use crate::setup::written::Written;

/// A bridge that is recorded: its engine, and what it was given.
pub(super) struct Live {
    engine: Engine,
    pub(super) entries: Vec<Entry>,
    under_way: Vec<NotificationId>,
    pub(super) decisions: Vec<Decision>,
}

impl Live {
    pub(super) fn start(rules: &str) -> Self {
        let loaded = loaded(rules);
        let began = Began {
            at: at(0),
            cluster: "live".into(),
            written: Written::of(&loaded, &Files::default()),
            records: Vec::new(),
        };
        Self {
            engine: Engine::new(at(0), loaded.setup("live")),
            entries: vec![Entry::Began(Box::new(began))],
            under_way: Vec::new(),
            decisions: Vec::new(),
        }
    }

    pub(super) fn turn(&mut self, minute: i64, inputs: Vec<Input>, rules: Option<&str>) {
        let loaded = rules.map(loaded);
        let reload = loaded
            .as_ref()
            .map(|loaded| Input::Reloaded(loaded.setup("live")));
        let inputs: Vec<Input> = inputs.into_iter().chain(reload).collect();
        let written = loaded.map(|loaded| Box::new(Written::of(&loaded, &Files::default())));
        let taken = inputs
            .iter()
            .filter_map(|input| Taken::of(input, || written.clone()));
        let taken = taken.collect();
        let inputs = inputs.into_iter().chain([Input::Tick]);
        let effects: Vec<Effect> = inputs
            .flat_map(|input| self.engine.step(at(minute), input))
            .collect();
        let decided = Decided::of(&effects);
        self.under_way
            .extend(decided.attempts.iter().map(|one| one.id.clone()));
        self.decisions.extend(decided.decisions.clone());
        self.entries.push(Entry::Turn(Turn {
            at: at(minute),
            inputs: taken,
            decided,
        }));
    }

    pub(super) fn say(&mut self, minute: i64, signals: Vec<Signal>) {
        let source = Source::of("stable.example.com/v1", "DatabaseInstance").key();
        let signals = signals.into_iter().map(|signal| {
            let source = source.clone();
            Input::Signalled(Signalled { source, signal })
        });
        self.turn(minute, signals.collect(), None);
    }

    /// All attempts under way end like this.
    fn answer(&mut self, minute: i64, outcome: &Outcome) {
        let ids = std::mem::take(&mut self.under_way).into_iter();
        let inputs = ids.map(|id| Input::Delivered {
            id,
            delivery: Delivery::from(outcome.clone()),
        });
        self.turn(minute, inputs.collect(), None);
    }

    pub(super) fn recorded(self, folder: &std::path::Path) -> std::path::PathBuf {
        let path = folder.join("run");
        let redaction = Redaction::default();
        let mut recorder =
            RunRecorder::create(&path, at(0), Vec::new(), redaction, u64::MAX).unwrap();
        for entry in self.entries {
            recorder.write(entry).unwrap();
        }
        recorder.finish().unwrap();
        path
    }
}

pub(super) const PLAIN: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
  for: 5m
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec: {webhook: {url: 'http://127.0.0.1/'}, groupBy: [...], groupWait: 0s, groupInterval: 1s}
";

/// `orders` fails: a message fails once and is taken; then the rule is edited, and all is silenced
/// when `orders` fails again.
pub(super) fn history() -> Live {
    let mut live = Live::start(PLAIN);
    live.say(
        0,
        vec![
            Signal::ListBegan,
            phase("orders", "Running", 0),
            Signal::ListEnded,
        ],
    );
    live.say(1, vec![phase("orders", "Failed", 1)]);
    live.turn(6, Vec::new(), None);
    let busy = Outcome::Retry {
        after: None,
        why: "503".to_owned(),
    };
    live.answer(7, &busy);
    live.turn(8, Vec::new(), None);
    live.answer(8, &Outcome::Accepted);
    live.say(9, vec![phase("orders", "Running", 2)]);
    live.turn(10, Vec::new(), None);
    live.answer(10, &Outcome::Accepted);
    live.turn(11, Vec::new(), Some(&PLAIN.replace("for: 5m", "for: 1m")));
    let silence = Silence {
        name: "night".into(),
        namespace: None,
        matchers: "alertname=failed".parse().unwrap(),
        condition: None,
        starts_at: at(11),
        ends_at: at(60),
        comment: "an upgrade".to_owned(),
        created_by: None,
    };
    let put = SilenceChange::Put(silence);
    live.turn(11, vec![Input::SilencesChanged(vec![put])], None);
    live.say(12, vec![phase("orders", "Failed", 3)]);
    live.turn(13, Vec::new(), None);
    live.turn(20, vec![Input::Draining], None);
    live
}
