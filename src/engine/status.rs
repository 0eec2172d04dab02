//! [`Status`]: what can be asked of a running engine, for metrics, probes and explanations.

use jiff::Timestamp;

use super::Engine;
use crate::alert::{Alert, State};
use crate::evaluate::Verdict;
use crate::names::{ObjectRef, ReceiverName, RuleName, SourceKey};
use crate::notify::Silence;
use crate::transition::object_ref;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub transitions: u64,
    /// By number of the rule: true, false, unknown.
    verdicts: Vec<[u64; 3]>,
}

impl Counts {
    pub(super) fn new(rules: usize) -> Self {
        Self {
            transitions: 0,
            verdicts: vec![[0; 3]; rules],
        }
    }

    /// Puts the counts of each rule under the number that it has now.
    pub(super) fn renumber(&mut self, rules: usize, number: &dyn Fn(usize) -> Option<usize>) {
        let before = std::mem::replace(&mut self.verdicts, vec![[0; 3]; rules]);
        for (rule, counts) in before.into_iter().enumerate() {
            if let Some(verdicts) = number(rule).and_then(|rule| self.verdicts.get_mut(rule)) {
                *verdicts = counts;
            }
        }
    }

    pub(super) fn verdict(&mut self, rule: usize, verdict: &Verdict) {
        let at = match verdict {
            Verdict::True => 0,
            Verdict::False => 1,
            Verdict::Unknown(_) => 2,
        };
        if let Some(counts) = self.verdicts.get_mut(rule) {
            counts[at] += 1;
        }
    }
}

/// A snapshot.
#[derive(Clone, Debug, Default)]
pub struct Status {
    pub streams: Vec<StreamStatus>,
    pub transitions: u64,
    /// How often each rule was true, false, unknown.
    pub verdicts: Vec<(RuleName, [u64; 3])>,
    /// Pending and firing alerts by rule.
    pub alerts: BTreeMap<(RuleName, &'static str), u64>,
    /// How many objects each rule watches.
    pub objects: BTreeMap<RuleName, u64>,
    /// On how many objects each rule cannot be evaluated, and why on one of them.
    pub unknown: BTreeMap<RuleName, (u64, String)>,
    /// Rules whose document is invalid or cannot be read, and why.
    pub frozen: Vec<(RuleName, Arc<str>)>,
    pub outbox: Vec<(ReceiverName, usize)>,
    pub events_retained: usize,
    pub events_cut: u64,
    pub retained_bytes: usize,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    pub source: SourceKey,
    pub listed: bool,
    pub dormant: Option<String>,
    pub broken: Option<(Timestamp, String)>,
    pub objects: usize,
}

impl Engine {
    /// What there is to be said now. Walks all objects: not for every step.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut alerts = BTreeMap::new();
        for alert in self.alerts.iter() {
            let state = match alert.state {
                State::Pending => "pending",
                State::Firing => "firing",
                State::Resolved => continue,
            };
            *alerts.entry((alert.rule.clone(), state)).or_default() += 1;
        }
        let names = self.rules.rules.iter().map(|rule| rule.name.clone());
        Status {
            streams: self.stream_statuses(),
            transitions: self.counts.transitions,
            verdicts: names.zip(self.counts.verdicts.iter().copied()).collect(),
            alerts,
            objects: self.objects_by_rule(),
            unknown: self.unknown_by_rule(),
            frozen: self.frozen.clone().into_iter().collect(),
            outbox: self.depths(),
            events_retained: self.events.len(),
            events_cut: self.events.cut,
            retained_bytes: self
                .streams
                .iter()
                .map(|stream| stream.objects.retained_bytes())
                .sum(),
        }
    }

    /// What is not delivered: see there.
    #[must_use]
    pub fn outbox(&self) -> &crate::outbox::Outbox {
        &self.outbox
    }

    /// The receivers that an alert goes to now.
    #[must_use]
    pub fn receivers_of(&self, alert: &Alert) -> Vec<ReceiverName> {
        self.notify.receivers_of(alert)
    }

    /// All silences, with whether each was made while the bridge runs.
    pub fn silences(&self) -> impl Iterator<Item = (&Silence, bool)> {
        self.notify.silences()
    }

    /// Pending, firing, and resolved ones that somebody has not been told of.
    pub fn alerts(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.alerts.iter()
    }

    /// Rules that cannot be evaluated on an object: the rule, the object, since when, why.
    pub fn unknown(&self) -> impl Iterator<Item = (RuleName, ObjectRef, Timestamp, &str)> {
        self.unknowns
            .iter()
            .filter_map(|((number, uid), since, why)| {
                let mut streams = self.streams.iter();
                let object = streams.find_map(|stream| stream.objects.get(uid))?;
                let rule = self.rules.rules[number].name.clone();
                Some((rule, object_ref(uid, &object), since, why))
            })
    }

    /// Every rule with every object that it watches.
    #[must_use]
    pub fn watched(&self) -> Vec<(RuleName, ObjectRef)> {
        let mut pairs = Vec::new();
        for (source, stream) in self.rules.sources.iter().zip(&self.streams) {
            for (uid, object) in stream.objects.iter() {
                let object = object_ref(uid, &object);
                let rules = source.rules.iter();
                let names = rules.map(|number| self.rules.rules[*number].name.clone());
                pairs.extend(names.map(|name| (name, object.clone())));
            }
        }
        pairs
    }

    /// Whether every stream has completed a list, or has nothing to list.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.stream_statuses()
            .iter()
            .all(|stream| stream.listed || stream.dormant.is_some())
    }

    fn objects_by_rule(&self) -> BTreeMap<RuleName, u64> {
        let mut objects = BTreeMap::new();
        for (source, stream) in self.rules.sources.iter().zip(&self.streams) {
            for number in &source.rules {
                let name = self.rules.rules[*number].name.clone();
                *objects.entry(name).or_default() += stream.objects.len() as u64;
            }
        }
        objects
    }

    fn unknown_by_rule(&self) -> BTreeMap<RuleName, (u64, String)> {
        let mut unknown: BTreeMap<RuleName, (u64, String)> = BTreeMap::new();
        for ((number, _), _, why) in self.unknowns.iter() {
            let name = self.rules.rules[number].name.clone();
            let of_rule = unknown.entry(name).or_insert_with(|| (0, why.to_owned()));
            of_rule.0 += 1;
        }
        unknown
    }

    fn depths(&self) -> Vec<(ReceiverName, usize)> {
        let receivers = self.receivers.iter();
        receivers
            .map(|receiver| (receiver.clone(), self.outbox.depth(receiver)))
            .collect()
    }

    fn stream_statuses(&self) -> Vec<StreamStatus> {
        let sources = self.rules.sources.iter().zip(&self.streams);
        let objects = sources
            .map(|(source, stream)| (source.key.clone(), &stream.health, stream.objects.len()));
        let events = self.event_streams.iter().map(|stream| {
            let count = self.events.count(&stream.scope);
            (stream.key.clone(), &stream.health, count)
        });
        objects
            .chain(events)
            .map(|(source, health, objects)| StreamStatus {
                source,
                listed: health.listed,
                dormant: health.dormant.clone(),
                broken: health
                    .broken
                    .as_ref()
                    .map(|broken| (broken.since, broken.why.clone())),
                objects,
            })
            .collect()
    }
}
