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
use super::stream::{EventStream, Stream, Waiting};
use super::wakes::Wake;
use super::{Effects, Engine, Setup};
use crate::alert::{Alert, Ending, Nature, State};
use crate::decision::{About, Reason};
use crate::evaluate::{Rule, RuleSet, WatchedSource};
use crate::journal::{Key, Record};
use crate::names::{RuleName, SourceKey};
use crate::planted::{self, Bug};
use crate::transition::events::Scope;
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

    /// What a stream remembers of its rules, as it is now.
    fn rules_of(&self, stream: &mut Stream, was: &WatchedSource, now: &WatchedSource) {
        let introduced = std::mem::take(&mut stream.introduced).into_iter();
        stream.introduced = introduced.filter_map(|rule| self.rules[rule]).collect();
        let begun = was.rules.iter().zip(std::mem::take(&mut stream.begun));
        let begun = begun.filter(|(_, begun)| *begun);
        let begun: BTreeSet<usize> = begun.filter_map(|(rule, _)| self.rules[*rule]).collect();
        let rules = now.rules.iter();
        stream.begun = rules.map(|rule| begun.contains(rule)).collect();
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
            pipeline,
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
        self.begin_anew(&moves);

        self.receivers = policies.iter().map(|it| it.receiver.clone()).collect();
        self.outbox.set_policies(&policies);
        self.notify.set_policies(self.now, policies);
        self.notify.set_pipeline(self.now, pipeline, effects);

        self.freeze(frozen, effects);
        self.forget_notices_of_no_rule(effects);
        let alerts: Vec<Arc<Alert>> = self.alerts.iter().cloned().collect();
        let renamed = owned(renamed(&self.rules));
        for alert in alerts {
            let alert = self.rename(alert, &renamed, effects);
            self.keep_or_end(&alert, effects);
        }
        self.begin(None, effects);
        for at in 0..self.streams.len() {
            self.look_if_it_may_act(at, effects);
        }
        self.write_known_when_written(effects);
        self.resume();
    }

    /// What is remembered of rules, under the numbers that they have now.
    fn renumber(&mut self, moves: &Moves) {
        self.wakes.renumber(&|wake| moves.wake(wake));
        let stalled = std::mem::take(&mut self.stalled_wakes).into_values();
        for wake in stalled.flatten().filter_map(|wake| moves.wake(wake)) {
            self.stalled_wakes.entry(wake.rule).or_default().push(wake);
        }
        self.deferred.renumber(&|wake| moves.wake(wake));
        self.unknowns.renumber(&|rule| moves.remembered(rule));
        let levels = std::mem::take(&mut self.levels).into_iter();
        self.levels = levels
            .filter_map(|((rule, uid), level)| Some(((moves.remembered(rule)?, uid), level)))
            .collect();
        let last_well = std::mem::take(&mut self.last_well).into_iter();
        let reads = |rule: &usize| self.rules.rules[*rule].view.changes;
        self.last_well = last_well
            .filter_map(|((rule, uid), known)| {
                let rule = moves.rules[rule].filter(reads)?;
                Some(((rule, uid), known))
            })
            .collect();
        let rules = self.rules.rules.len();
        self.counts.renumber(rules, &|rule| moves.rules[rule]);
    }

    /// Streams that go on keep their objects; what nobody watches any more is forgotten.
    fn move_streams(&mut self, before: &RuleSet, moves: &Moves, effects: &mut Effects) {
        let now = self.rules.clone();
        let streams = now.sources.iter().map(Stream::new).collect();
        let former = std::mem::replace(&mut self.streams, streams);
        let dirty = std::mem::take(&mut self.dirty).into_iter();
        for (number, mut stream) in former.into_iter().enumerate() {
            let was = &before.sources[number];
            let Some(at) = moves.streams[number] else {
                forget(was, &stream, effects);
                continue;
            };
            let watched = &now.sources[at];
            moves.rules_of(&mut stream, was, watched);
            stream.objects.index_by(watched.indexes);
            if watched.paths != was.paths {
                stream.read_again(&was.paths);
                shrink(&was.key, &mut stream, &watched.paths, effects);
            }
            if watched.rules.is_empty() {
                forget(was, &stream, effects);
                stream.written = None;
                stream.waiting.clear();
            }
            self.streams[at] = stream;
            if was.rules.is_empty() && !watched.rules.is_empty() {
                self.watch_what_was_joined(at);
            }
        }
        let now_at = |at: usize| moves.streams[at].filter(|at| !now.sources[*at].rules.is_empty());
        self.dirty
            .extend(dirty.filter_map(|(at, uid)| Some((now_at(at)?, uid))));
    }

    /// Objects that only others read so far have rules of their own now: they are written down, and
    /// those of a list under way are part of it.
    fn watch_what_was_joined(&mut self, at: usize) {
        for uid in self.streams[at].objects.uids() {
            self.write_later(at, uid);
            let stream = &mut self.streams[at];
            if !stream.health.listed {
                stream.waiting.entry(uid).or_insert(Waiting {
                    old: stream.objects.get(uid),
                    gone: None,
                    baseline: true,
                });
            }
        }
    }

    /// Events of kinds that nobody watched before were passed over: they are listed again. Where
    /// nobody reads Events any more, they are forgotten.
    fn move_events(&mut self, before: &RuleSet, effects: &mut Effects) {
        let added = self.rules.kinds.difference(&before.kinds).cloned();
        let added: HashSet<Arc<str>> = added.collect();
        let former = std::mem::take(&mut self.event_streams);
        let known: BTreeSet<Scope> = former.iter().flat_map(|it| it.known.clone()).collect();
        let mut former: HashMap<SourceKey, EventStream> =
            former.into_iter().map(|it| (it.key.clone(), it)).collect();
        for source in &self.rules.events {
            let going_on = former.remove(&source.key());
            let mut stream = going_on.unwrap_or_else(|| EventStream {
                known: known.clone(),
                ..EventStream::new(source)
            });
            if stream.health.listed && !added.is_empty() {
                stream.health.listing = false;
                self.events.list_aborted(&stream.scope);
            }
            if !known.is_empty() {
                stream.new_kinds.extend(added.iter().cloned());
            }
            self.event_streams.push(stream);
        }
        for stream in former
            .into_values()
            .filter(|stream| stream.written.is_some())
        {
            effects.remove(Key::Source(stream.key));
        }
        let scopes = self.event_streams.iter().map(|stream| stream.scope.clone());
        for uid in self.events.forget_others(&scopes.collect::<Vec<_>>()) {
            self.dirty_events.remove(&uid);
            effects.remove(Key::Event(uid));
        }
        if self.event_streams.is_empty() {
            self.late_events.clear();
        }
    }

    /// Which rules may act: a rule that is as it was and has all that it reads goes on; one that has
    /// to wait for what others read looks at every object then.
    fn begin_anew(&mut self, moves: &Moves) {
        let rules = self.rules.clone();
        for (at, watched) in rules.sources.iter().enumerate() {
            for (position, &number) in watched.rules.iter().enumerate() {
                let reader = (at, position);
                let listed = self.all_is_listed(reader);
                let waits = !self.all_else_is_listed(reader);
                let stream = &mut self.streams[at];
                let had_begun = std::mem::replace(&mut stream.begun[position], listed);
                if moves.introduced.contains(&number) {
                    stream.introduced.insert(number);
                } else if !had_begun {
                    stream.begun[position] = false;
                } else if waits {
                    stream.introduced.insert(number);
                }
            }
            if self.streams[at].health.listed && self.all_have_begun(at) {
                self.streams[at].waiting.clear();
            }
        }
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
            let frozen = self.frozen.contains_key(&alert.rule);
            if !frozen && !planted::has(Bug::RemovedRuleFires) {
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
}

/// Nobody watches these objects any more.
fn forget(was: &WatchedSource, stream: &Stream, effects: &mut Effects) {
    if was.rules.is_empty() {
        return;
    }
    for uid in stream.objects.uids() {
        effects.remove(Key::Object(was.key.clone(), uid));
    }
    effects.remove(Key::Source(was.key.clone()));
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
