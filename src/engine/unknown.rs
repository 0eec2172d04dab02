//! [`Unknowns`]: which rules cannot be evaluated on which objects, since when, and whom that concerns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Effects, Engine};
use crate::evaluate::Trigger;
use crate::journal::{Key, Record};
use crate::names::{RuleName, Uid};
use crate::transition::object_ref;

/// How long an alert may be unknown before somebody is told.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

/// A rule, by number, and an object.
type Pair = (usize, Uid);

/// Of what it was told that it cannot be evaluated: a rule on an object about which it has an alert,
/// or on all of its objects.
pub(super) type Noticed = (RuleName, Option<Uid>);

/// What cannot be told.
#[derive(Debug, Default)]
pub struct Unknowns {
    since: HashMap<Pair, (Timestamp, Arc<str>)>,
    by_rule: HashMap<usize, usize>,
    timers: BTreeSet<(Timestamp, Pair)>,
    told: BTreeSet<Noticed>,
}

impl Unknowns {
    /// A verdict was unknown, since then if that is new. `true` if that, or the reason, is new.
    pub(super) fn note(&mut self, since: Timestamp, pair: Pair, why: &str) -> bool {
        if let Some((_, before)) = self.since.get_mut(&pair) {
            let differs = **before != *why;
            if differs {
                *before = why.into();
            }
            return differs;
        }
        self.since.insert(pair, (since, why.into()));
        *self.by_rule.entry(pair.0).or_default() += 1;
        if let Ok(at) = since.checked_add(TOLERANCE) {
            self.timers.insert((at, pair));
        }
        true
    }

    /// A verdict was true or false.
    pub(super) fn known(&mut self, pair: Pair, rule: &RuleName, effects: &mut Effects) {
        if !self.told.is_empty() {
            for told in [(rule.clone(), None), (rule.clone(), Some(pair.1))] {
                if self.told.remove(&told) {
                    effects.remove(Key::Notice(told.0, told.1));
                }
            }
        }
        if self.since.is_empty() {
            return;
        }
        let Some((since, _)) = self.since.remove(&pair) else {
            return;
        };
        if let Some(count) = self.by_rule.get_mut(&pair.0) {
            *count = count.saturating_sub(1);
        }
        if let Ok(at) = since.checked_add(TOLERANCE) {
            self.timers.remove(&(at, pair));
        }
    }

    /// Puts each under the number that its rule has now, or forgets it.
    pub(super) fn renumber(&mut self, number: &dyn Fn(usize) -> Option<usize>) {
        let renumbered = |(rule, uid): Pair| Some((number(rule)?, uid));
        let before = std::mem::take(self);
        for (pair, since) in before.since {
            if let Some(pair) = renumbered(pair) {
                self.since.insert(pair, since);
                *self.by_rule.entry(pair.0).or_default() += 1;
            }
        }
        let timers = before.timers.into_iter();
        self.timers = timers
            .filter_map(|(at, pair)| Some((at, renumbered(pair)?)))
            .collect();
        self.told = before.told;
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Why the last verdict of a rule about an object was unknown, and since when it has been.
    #[must_use]
    pub fn why(&self, pair: Pair) -> Option<(Timestamp, &str)> {
        self.since.get(&pair).map(|(since, why)| (*since, &**why))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Pair, Timestamp, &str)> {
        self.since
            .iter()
            .map(|(pair, (since, why))| (*pair, *since, &**why))
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<(Pair, Arc<str>)> {
        let (at, pair) = *self.timers.first()?;
        if at > now {
            return None;
        }
        self.timers.pop_first();
        let (_, why) = self.since.get(&pair)?;
        Some((pair, why.clone()))
    }
}

impl Engine {
    /// An alert that has been unknown for long, or a rule that is unknown on all its objects, is
    /// told of once.
    pub(super) fn tell_of_unknowns(&mut self, effects: &mut Effects) {
        while self.unknowns.next_wake().is_some_and(|at| at <= self.now) {
            let Some(((number, uid), why)) = self.unknowns.pop_due(self.now) else {
                continue;
            };
            let rule = self.rules.rules[number].clone();
            if let Some(alert) = self.alerts.active(uid, &rule.name).cloned() {
                let what = (rule.name.clone(), Some(uid));
                if self.is_newly_noticed(what, effects) {
                    let (object, source) = (&alert.object, &alert.source);
                    let notice = self.notice(&rule, object, source, "unknown", &why);
                    self.tell_notice(notice, effects);
                }
                continue;
            }
            let everywhere = self.unknowns.by_rule.get(&number).copied().unwrap_or(0)
                >= self.objects_of(number).max(1);
            let Some((object, source)) = self.example(number, uid).filter(|_| everywhere) else {
                continue;
            };
            if self.is_newly_noticed((rule.name.clone(), None), effects) {
                let why = format!("{why} (on all objects that it watches)");
                let notice = self.notice(&rule, &object, &source, "unknown", &why);
                self.tell_notice(notice, effects);
            }
        }
    }

    /// Whether it was not told yet; from now on it was, also after a restart.
    fn is_newly_noticed(&mut self, what: Noticed, effects: &mut Effects) -> bool {
        let key = Key::Notice(what.0.clone(), what.1);
        let is_new = self.unknowns.told.insert(what);
        if is_new {
            effects.put(key, Record::Notice);
        }
        is_new
    }

    /// What was told before the start.
    pub(super) fn restore_notices(&mut self, told: Vec<Noticed>) {
        self.unknowns.told = told.into_iter().collect();
        let mut effects = std::mem::take(&mut self.unfinished);
        self.forget_notices_of_no_rule(&mut effects);
        self.unfinished = effects;
    }

    pub(super) fn forget_notices_of_no_rule(&mut self, effects: &mut Effects) {
        let numbers = &self.numbers;
        let alerts = &self.alerts;
        self.unknowns.told.retain(|(rule, uid)| {
            let is_there = numbers.contains_key(rule)
                && uid.is_none_or(|uid| alerts.active(uid, rule).is_some());
            if !is_there {
                effects.remove(Key::Notice(rule.clone(), *uid));
            }
            is_there
        });
    }

    fn objects_of(&self, number: usize) -> usize {
        let streams = self.rules.sources.iter().zip(&self.streams);
        streams
            .filter(|(source, _)| source.rules.contains(&number))
            .map(|(_, stream)| stream.objects.len())
            .sum()
    }

    fn example(
        &self,
        number: usize,
        uid: Uid,
    ) -> Option<(crate::names::ObjectRef, crate::names::SourceKey)> {
        let mut streams = self.rules.sources.iter().zip(&self.streams);
        streams.find_map(|(source, stream)| {
            let object = stream.objects.get(uid)?;
            let watched = source.rules.contains(&number);
            watched.then(|| (object_ref(uid, &object), source.key.clone()))
        })
    }

    /// Whether a rule's `when` reads Events: then the stream of Events must be believed too.
    pub(super) fn rule_reads_events(&self, number: usize) -> bool {
        let rule = &self.rules.rules[number];
        match &rule.trigger {
            Trigger::State { reads_events, .. } => *reads_events,
            Trigger::Occurrence { .. } => rule.reads_events,
        }
    }
}
