//! How the engine goes on with other rules and receivers.
//!
//! Rules are the same by name (or `formerly`), streams by what they ask the server: neither the
//! place in a file nor the text of an expression is anybody's identity. A rule that is as it was
//! goes on as if nothing had happened. One that is new or was edited looks at every object again,
//! once its stream has all that it reads: what it finds is where it starts, not something that
//! happened. One that is gone ends its alerts, unless it is only frozen.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::restore::{by_key, numbers, renamed};
use super::stream::Stream;
use super::wakes::Wake;
use super::{Effects, Engine, Setup};
use crate::alert::{Alert, Ending, Nature, State};
use crate::decision::{About, Reason};
use crate::evaluate::{Rule, RuleSet};
use crate::journal::{Key, Record};
use crate::names::{RuleName, SourceKey};
use crate::watch::Source;

/// Where the rules and streams of before are now.
struct Moves {
    rules: Vec<Option<usize>>,
    streams: Vec<Option<usize>>,
    /// Rules of now that are new, or not as they were.
    introduced: BTreeSet<usize>,
    /// Rules of before whose verdicts are no longer what was asked for.
    forgotten: BTreeSet<usize>,
}

impl Moves {
    fn between(before: &RuleSet, now: &RuleSet) -> Self {
        let (numbers, streams) = (numbers(now), by_key(now));
        let renamed = renamed(now);
        let same = |rule: &Arc<Rule>| -> Option<usize> {
            let name = &rule.name;
            let number = numbers.get(name);
            number.or_else(|| numbers.get(*renamed.get(name)?)).copied()
        };
        let rules: Vec<Option<usize>> = before.rules.iter().map(same).collect();
        let mut introduced: BTreeSet<usize> = (0..now.rules.len()).collect();
        let mut forgotten = BTreeSet::new();
        for (number, rule) in before.rules.iter().enumerate() {
            let Some(now) = rules[number].map(|at| (at, &now.rules[at])) else {
                continue;
            };
            if now.1.is_same(rule) {
                introduced.remove(&now.0);
            } else if now.1.question != rule.question {
                forgotten.insert(number);
            }
        }
        let sources = before.sources.iter();
        Self {
            rules,
            streams: sources
                .map(|watched| streams.get(&watched.key).copied())
                .collect(),
            introduced,
            forgotten,
        }
    }

    /// The number of a rule whose verdicts still count.
    fn remembered(&self, number: usize) -> Option<usize> {
        let forgotten = self.forgotten.contains(&number);
        self.rules[number].filter(|_| !forgotten)
    }

    fn wake(&self, wake: Wake) -> Option<Wake> {
        Some(Wake {
            stream: self.streams[wake.stream]?,
            rule: self.remembered(wake.rule)?,
            uid: wake.uid,
        })
    }
}

impl Engine {
    pub(super) fn reload(&mut self, setup: Setup, effects: &mut Effects) {
        let Setup {
            rules,
            policies,
            frozen,
            cluster,
        } = setup;
        let before = std::mem::replace(&mut self.rules, rules);
        let moves = Moves::between(&before, &self.rules);
        self.cluster = cluster;
        self.numbers = numbers(&self.rules);
        self.by_key = by_key(&self.rules);
        self.memo = crate::cel::Memo::default();
        self.renumber(&moves);
        self.move_streams(&before, &moves, effects);
        self.move_events(&before, effects);

        self.receivers = policies.iter().map(|it| it.receiver.clone()).collect();
        self.outbox.set_policies(&policies);
        self.notify.set_policies(self.now, policies);

        self.freeze(frozen, effects);
        let alerts: Vec<Arc<Alert>> = self.alerts.iter().cloned().collect();
        let renamed = owned(renamed(&self.rules));
        for alert in alerts {
            let alert = self.rename(alert, &renamed, effects);
            self.keep_or_end(&alert, effects);
        }
        for at in 0..self.streams.len() {
            self.introduce(at, &moves.introduced, effects);
        }
        self.resume();
    }

    /// What is remembered of rules, under the numbers that they have now.
    fn renumber(&mut self, moves: &Moves) {
        self.wakes.renumber(&|wake| moves.wake(wake));
        let stalled = std::mem::take(&mut self.stalled_wakes).into_iter();
        self.stalled_wakes = stalled.filter_map(|wake| moves.wake(wake)).collect();
        self.unknowns.renumber(&|rule| moves.remembered(rule));
        let levels = std::mem::take(&mut self.levels).into_iter();
        self.levels = levels
            .filter_map(|((rule, uid), level)| Some(((moves.remembered(rule)?, uid), level)))
            .collect();
        let rules = self.rules.rules.len();
        self.counts.renumber(rules, &|rule| moves.rules[rule]);
    }

    /// Streams that go on keep their objects; what nobody watches any more is forgotten.
    fn move_streams(&mut self, before: &RuleSet, moves: &Moves, effects: &mut Effects) {
        let now = self.rules.clone();
        let streams = now.sources.iter().map(|_| Stream::default()).collect();
        let former = std::mem::replace(&mut self.streams, streams);
        for (number, mut stream) in former.into_iter().enumerate() {
            let was = &before.sources[number];
            let Some(at) = moves.streams[number] else {
                forget(&was.key, &stream, effects);
                continue;
            };
            let introduced = std::mem::take(&mut stream.introduced).into_iter();
            stream.introduced = introduced.filter_map(|rule| moves.rules[rule]).collect();
            let paths = &now.sources[at].paths;
            if *paths != was.paths {
                stream.read_again(&was.paths);
                shrink(&was.key, &mut stream, paths, effects);
            }
            self.streams[at] = stream;
        }
        let now_at = |at: usize| moves.streams[at];
        let dirty = std::mem::take(&mut self.dirty).into_iter();
        self.dirty = dirty
            .filter_map(|(at, uid)| Some((now_at(at)?, uid)))
            .collect();
        let late = std::mem::take(&mut self.late_events).into_iter();
        self.late_events = late
            .filter_map(|(at, told)| Some((now_at(at)?, told)))
            .collect();
    }

    /// Events of kinds that nobody watched before were passed over: they are listed again. Where
    /// nobody reads Events any more, they are forgotten.
    fn move_events(&mut self, before: &RuleSet, effects: &mut Effects) {
        if self.rules.reads_events() {
            let added = self.rules.kinds.difference(&before.kinds).cloned();
            let added: HashSet<Arc<str>> = added.collect();
            if before.reads_events() && !added.is_empty() {
                self.events_health.listing = false;
                self.events.list_aborted();
                self.new_kinds.extend(added);
            }
            return;
        }
        for uid in self.events.forget() {
            effects.remove(Key::Event(uid));
        }
        if self.events_written {
            effects.remove(Key::Source(Source::events().key()));
        }
        self.events_health = super::stream::Health::default();
        self.events_known = false;
        self.events_written = false;
        self.new_kinds.clear();
        self.dirty_events.clear();
        for stream in &mut self.streams {
            stream.waiting_for_events.clear();
        }
        self.late_events.clear();
    }

    /// Says of each rule once that its document is not to be had, and why.
    pub(super) fn freeze(
        &mut self,
        frozen: std::collections::BTreeMap<RuleName, Arc<str>>,
        effects: &mut Effects,
    ) {
        for (rule, why) in &frozen {
            if self.frozen.get(rule) != Some(why) {
                let about = About {
                    rule: Some(rule.clone()),
                    ..About::default()
                };
                effects.decide(self.now, Reason::Frozen(why.to_string()), about);
            }
        }
        self.frozen = frozen;
    }

    /// The alert under the name that its rule has now. Everybody who holds it gets it anew.
    fn rename(
        &mut self,
        alert: Arc<Alert>,
        renamed: &HashMap<RuleName, RuleName>,
        effects: &mut Effects,
    ) -> Arc<Alert> {
        let name = renamed.get(&alert.rule);
        let Some(name) = name.filter(|_| !self.numbers.contains_key(&alert.rule)) else {
            return alert;
        };
        let alert = Alert {
            rule: name.clone(),
            ..Alert::clone(&alert)
        };
        let alert = self.alerts.put(alert, effects);
        self.tell(&alert, effects);
        alert
    }

    /// An alert goes on if its rule does, or is only frozen, and may still watch its object.
    pub(super) fn keep_or_end(&mut self, alert: &Arc<Alert>, effects: &mut Effects) {
        if alert.nature == Nature::Occurrence || alert.state == State::Resolved {
            return;
        }
        let Some((number, rule)) = self.rule_of(alert) else {
            if !self.frozen.contains_key(&alert.rule) {
                self.end(alert, Ending::RuleRemoved, effects);
            }
            return;
        };
        let alert = match self.source_of(number, alert) {
            Some(source) if source == alert.source => alert.clone(),
            Some(source) => self.adopt(alert, source, effects),
            None => return self.end(alert, Ending::LeftSelection, effects),
        };
        self.alerts.arm(&rule, &alert);
    }

    /// Where a rule may find the object of an alert: where it found it before, if it still looks
    /// there.
    fn source_of(&self, number: usize, alert: &Alert) -> Option<SourceKey> {
        let sources = self.rules.sources.iter();
        let of_rule: Vec<_> = sources.filter(|it| it.rules.contains(&number)).collect();
        let fits = |source: &Source| {
            source.kind == alert.object.kind
                && (source.namespace.is_none() || source.namespace == alert.object.namespace)
        };
        let same = of_rule.iter().find(|it| it.key == alert.source);
        same.or_else(|| of_rule.iter().find(|it| fits(&it.source)))
            .map(|it| it.key.clone())
    }

    /// The rule watches something else now, which may have the object too: its stream says so.
    fn adopt(
        &mut self,
        alert: &Arc<Alert>,
        source: SourceKey,
        effects: &mut Effects,
    ) -> Arc<Alert> {
        let stream = &mut self.streams[self.by_key[&source]];
        stream.adopted.insert(alert.fingerprint);
        let alert = Alert {
            source,
            ..Alert::clone(alert)
        };
        let alert = self.alerts.put(alert, effects);
        self.tell(&alert, effects);
        alert
    }

    fn end(&mut self, alert: &Arc<Alert>, ending: Ending, effects: &mut Effects) {
        if let Some(over) = self.alerts.end(self.now, alert, ending, effects) {
            self.tell(&over, effects);
        }
    }

    /// Lets the rules that are new or were edited look at a stream's objects, or has them wait for
    /// what they read.
    fn introduce(&mut self, at: usize, introduced: &BTreeSet<usize>, effects: &mut Effects) {
        let numbers = self.rules.sources[at].rules.iter().copied();
        let numbers = numbers.filter(|number| introduced.contains(number));
        self.streams[at].introduced.extend(numbers);
        self.look_if_it_may_act(at, effects);
    }
}

/// Nobody watches these objects any more.
fn forget(source: &SourceKey, stream: &Stream, effects: &mut Effects) {
    for uid in stream.objects.uids() {
        effects.remove(Key::Object(source.clone(), uid));
    }
    effects.remove(Key::Source(source.clone()));
}

/// From now on objects are written with these paths: those of before must not be relied on.
fn shrink(
    source: &SourceKey,
    stream: &mut Stream,
    paths: &crate::cel::PathSet,
    effects: &mut Effects,
) {
    if let Some(written) = stream.written.take() {
        let both = written.intersect(paths);
        if both != written {
            effects.put(Key::Source(source.clone()), Record::Source(both.clone()));
        }
        stream.written = Some(both);
    }
}

fn owned(names: HashMap<&RuleName, &RuleName>) -> HashMap<RuleName, RuleName> {
    let names = names.into_iter();
    names
        .map(|(former, now)| (former.clone(), now.clone()))
        .collect()
}
