//! The engine without consequences: what would fire, on what, since when, why, and to whom.
//!
//! In: rules, and what happened (from files: [`input`]; or signals of a live cluster). Out:
//! [`Row`]s and the notifications that would have been sent. It is a driver of the same
//! `Engine::step` as the bridge: nothing is written, every attempt is answered with yes.

mod documents;
mod hear;
pub mod input;
mod owners;
pub mod report;
pub mod selector;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::alert::{Alert, Nature, State};
use crate::cel::Json;
use crate::decision::Decision;
use crate::engine::{Effect, Engine, Input};
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, NotificationId, ReceiverName, Uid};
use crate::notify::{Notification, SilenceChange};
use crate::outbox::Outcome;
use crate::setup::Loaded;
use crate::transition::events::covers;
use crate::watch::object::with_identity;
use crate::watch::{Change, Observation, Signal, Signalled, Source};
use input::{Fact, What};

pub use report::Row;

/// How many there were, those counted that are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub sent: usize,
    /// Ended alerts that are not kept any more.
    pub resolved: usize,
    /// Occurrences that are not kept any more.
    pub happened: usize,
}

/// An engine, and what it would have done.
pub struct DryRun<'a> {
    loaded: &'a Loaded,
    pub engine: Engine,
    now: Timestamp,
    /// Every alert there was, as it was last.
    pub alerts: BTreeMap<Fingerprint, Arc<Alert>>,
    /// What would have been sent, and was not taken yet.
    pub sent: Vec<Arc<Notification>>,
    /// Pending alerts that ended before they fired, and were not taken yet.
    pub withdrawn: Vec<Arc<Alert>>,
    pub totals: Totals,
    /// What was decided and not taken yet, if somebody wants to know.
    pub decisions: Option<Vec<Decision>>,
    /// What would have been written down, if somebody wants to restart.
    journal: Option<BTreeMap<Key, Record>>,
    /// What receivers answer that do not say yes.
    answers: BTreeMap<ReceiverName, Outcome>,
    cluster: Arc<str>,
    /// Objects that each stream has said, to tell an object that entered its selection from one
    /// that is new.
    inside: HashMap<usize, BTreeSet<Uid>>,
}

impl<'a> DryRun<'a> {
    #[must_use]
    pub fn new(loaded: &'a Loaded, cluster: &str, now: Timestamp) -> Self {
        Self {
            loaded,
            engine: Engine::new(now, loaded.setup(cluster)),
            now,
            alerts: BTreeMap::new(),
            sent: Vec::new(),
            withdrawn: Vec::new(),
            totals: Totals::default(),
            decisions: None,
            journal: None,
            answers: BTreeMap::new(),
            cluster: cluster.into(),
            inside: HashMap::new(),
        }
    }

    /// Plays what happened. What is known at the start is the first list; the rest happens at its
    /// moment. Time runs on to the last moment, or to `until` if that is later.
    pub fn play(&mut self, facts: &[Fact], until: Option<Timestamp>) {
        let (listed, later): (Vec<_>, Vec<_>) = facts.iter().partition(|fact| fact.listed);
        self.say_lists(&listed);
        // What was said of the objects by then is known when the first of them is told of.
        let (said, later): (Vec<_>, Vec<_>) = later
            .into_iter()
            .partition(|fact| fact.at <= self.now && matches!(fact.what, What::Event(_)));
        for fact in said {
            self.tell_event(fact);
        }
        self.step(Input::Tick);
        for fact in later {
            self.run_to(fact.at);
            self.happen(fact);
        }
        if let Some(until) = until {
            self.run_to(until);
        }
    }

    /// Every stream lists: this is all that there is.
    pub fn list(&mut self, all: &[&Fact]) {
        self.say_lists(all);
        self.step(Input::Tick);
    }

    fn say_lists(&mut self, all: &[&Fact]) {
        for (at, watched) in self.loaded.rules.sources.iter().enumerate() {
            self.signal(&watched.source, Signal::ListBegan);
            for fact in all {
                self.tell_stream(at, fact);
            }
            self.signal(&watched.source, Signal::ListEnded);
        }
        for events in &self.loaded.rules.events {
            self.signal(events, Signal::ListBegan);
        }
        for fact in all {
            self.tell_event(fact);
        }
        for events in &self.loaded.rules.events {
            self.signal(events, Signal::ListEnded);
        }
    }

    /// Something happens now.
    pub fn happen(&mut self, fact: &Fact) {
        self.tell_event(fact);
        for at in 0..self.loaded.rules.sources.len() {
            self.tell_stream(at, fact);
        }
        self.step(Input::Tick);
    }

    /// Keeps what would be written down, for [`Self::restart`].
    pub fn remember(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// Somebody makes or ends a silence.
    pub fn silence(&mut self, change: SilenceChange) {
        self.step(Input::SilencesChanged(vec![change]));
        self.step(Input::Tick);
    }

    /// What a receiver answers from now on.
    pub fn answer(&mut self, receiver: ReceiverName, outcome: Outcome) {
        self.answers.insert(receiver, outcome);
    }

    /// The process is killed, and starts again with what was written down; then every stream lists.
    pub fn restart(&mut self, all: &[&Fact]) {
        let records = self.journal.iter().flatten();
        let records = records.map(|(key, record)| (key.clone(), record.clone()));
        let setup = self.loaded.setup(self.cluster.clone());
        self.engine = Engine::restore(self.now, setup, records.collect());
        self.inside.clear();
        self.list(all);
    }

    /// Goes on with other rules; every stream lists, as it does where other paths are read.
    pub fn reload(&mut self, loaded: &'a Loaded, all: &[&Fact]) {
        self.loaded = loaded;
        self.inside.clear();
        let setup = loaded.setup(self.cluster.clone());
        self.step(Input::Reloaded(setup));
        self.list(all);
    }

    fn tell_event(&mut self, fact: &Fact) {
        let What::Event(event) = &fact.what else {
            return;
        };
        for source in &self.loaded.rules.events {
            if covers(&source.namespace, &event.namespace) {
                self.signal(source, Signal::Event(event.clone()));
            }
        }
    }

    /// Brings a fact to a stream as the server would: what its selectors leave out is not said,
    /// what no longer matches is said to be deleted.
    fn tell_stream(&mut self, at: usize, fact: &Fact) {
        let (object, change) = match &fact.what {
            What::Applied(object) => (object, Change::Applied),
            What::Deleted(object) => (object, Change::Deleted),
            What::Event(_) => return,
        };
        let watched = &self.loaded.rules.sources[at];
        if !selector::is_of_kind(&watched.source, object) {
            return;
        }
        let projection = with_identity(&watched.paths).project(object);
        let Some(observation) = Observation::of(change, projection) else {
            return;
        };
        let uid = observation.header.uid;
        let matches = selector::matches(&watched.source, object);
        let inside = self.inside.entry(at).or_default();
        let was_inside = inside.contains(&uid);
        let signal = if change == Change::Applied && matches {
            inside.insert(uid);
            Signal::Applied(observation)
        } else if was_inside {
            inside.remove(&uid);
            let change = match change {
                Change::Applied => Change::Left,
                gone => gone,
            };
            Signal::Deleted(Observation {
                change,
                ..observation
            })
        } else {
            return;
        };
        let source = watched.source.clone();
        self.signal(&source, signal);
    }

    fn signal(&mut self, source: &Source, signal: Signal) {
        self.observe(Signalled {
            source: source.key(),
            signal,
        });
    }

    /// Takes what a live stream says.
    pub fn observe(&mut self, signalled: Signalled) {
        self.step(Input::Signalled(signalled));
    }

    /// Lets time run, waking the engine when it asks for it.
    pub fn run_to(&mut self, until: Timestamp) {
        while let Some(wake) = self.engine.next_wake().filter(|wake| *wake <= until) {
            // Something that is due and cannot act yet must not hold up the time.
            let soon = self
                .now
                .saturating_add(jiff::SignedDuration::from_millis(1))
                .unwrap_or(until);
            self.now = wake.max(soon).min(until);
            self.step(Input::Tick);
            if self.now >= until {
                break;
            }
        }
        self.now = self.now.max(until);
        self.step(Input::Tick);
    }

    fn step(&mut self, input: Input) {
        let mut effects = self.engine.step(self.now, input);
        while !effects.is_empty() {
            let mut delivered = Vec::new();
            for effect in effects {
                self.note(effect, &mut delivered);
            }
            effects = Vec::new();
            for (id, outcome) in delivered {
                effects.extend(self.engine.step(
                    self.now,
                    Input::Delivered {
                        id,
                        delivery: outcome.into(),
                    },
                ));
            }
            if !effects.is_empty() {
                effects.extend(self.engine.step(self.now, Input::Tick));
            }
        }
    }

    fn note(&mut self, effect: Effect, delivered: &mut Vec<(NotificationId, Outcome)>) {
        match effect {
            Effect::Persist(batch) => {
                for (key, record) in batch.0 {
                    if let Some(journal) = &mut self.journal {
                        match record.clone() {
                            Some(record) => journal.insert(key.clone(), record),
                            None => journal.remove(&key),
                        };
                    }
                    self.note_record(&key, record);
                }
            }
            Effect::Deliver(attempt) => {
                let told = attempt.notification;
                let outcome = self.answers.get(&told.receiver).cloned();
                let outcome = outcome.unwrap_or(Outcome::Accepted);
                delivered.push((told.id.clone(), outcome.clone()));
                if outcome == Outcome::Accepted {
                    self.totals.sent += 1;
                    self.sent.push(told);
                }
            }
            Effect::Decided(decision) => {
                if let Some(decisions) = &mut self.decisions {
                    decisions.push(decision);
                }
            }
        }
    }

    /// A pending alert that is removed was withdrawn; any other one happened.
    fn note_record(&mut self, key: &Key, record: Option<Record>) {
        match (key, record) {
            (_, Some(Record::Alert(alert))) => {
                self.alerts.insert(alert.fingerprint, alert);
            }
            (Key::Alert(fingerprint), None) => {
                let pending = |alert: &Arc<Alert>| alert.state == State::Pending;
                if self.alerts.get(fingerprint).is_some_and(pending)
                    && let Some(alert) = self.alerts.remove(fingerprint)
                {
                    self.withdrawn.push(alert);
                }
            }
            _ => {}
        }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the clock of a live run.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.step(Input::Tick);
    }

    /// Lets the groups have what they wait for, so that what is due now is also sent.
    pub fn settle(&mut self) {
        let waits = self.loaded.policies.iter().map(|policy| policy.group_wait);
        if let Some(settled) = waits.max().and_then(|wait| self.now.checked_add(wait).ok()) {
            self.run_to(settled);
        }
    }

    /// Keeps only what goes on: a run that follows a cluster for days must not grow.
    pub fn forget_what_is_over(&mut self) {
        let Totals {
            resolved, happened, ..
        } = &mut self.totals;
        self.alerts
            .retain(|_, alert| match (alert.state, alert.nature) {
                (State::Resolved, _) => {
                    *resolved += 1;
                    false
                }
                (State::Firing, Nature::Occurrence) => {
                    *happened += 1;
                    false
                }
                _ => true,
            });
        self.sent.clear();
        self.withdrawn.clear();
    }

    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        self.loaded
    }
}

/// The text at a path of an object.
fn text<'j>(object: &'j Json, path: &[&str]) -> &'j str {
    object.at(path).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
