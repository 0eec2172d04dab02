//! What time does: holds end, answers that read `now` are looked at again, groups are flushed,
//! attempts are made, and what is behind in the journal is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::restore::kinds;
use super::well::base;
use super::{COALESCE, Effects, Engine};
use crate::alert::{Alert, State, Subject};
use crate::decision::{About, Reason};
use crate::evaluate::moment::Surroundings;
use crate::evaluate::{Moment, Rule};
use crate::journal::{Key, Record};
use crate::names::{RuleName, SourceKey, Uid};
use crate::planted::{self, Bug};
use crate::transition::{Level, ObjectSeen, Transition};

/// So many objects are written down in one step.
const MOST_AT_ONCE: usize = 1_000;

impl Engine {
    pub(super) fn turn(&mut self, effects: &mut Effects) {
        self.tell_of_blindness(effects);
        if planted::has(Bug::TimersBeforeAnswers) {
            self.holds(effects);
        }
        // What is no longer so does not fire, however late the tick is.
        self.second_looks(effects);
        self.holds(effects);
        self.tell_of_unknowns(effects);
        self.flush(effects);
        if !self.draining {
            self.outbox.due(self.now, effects);
        }
        if self.draining || self.write_at.is_some_and(|at| at <= self.now) {
            self.write_behind(effects);
        }
    }

    /// Timers of alerts. One whose stream may not be believed waits until it may.
    fn holds(&mut self, effects: &mut Effects) {
        while let Some(alert) = self.alerts.pop_due(self.now) {
            let Some((number, rule)) = self.rule_of(&alert) else {
                continue;
            };
            if !self.may_act(&alert.source, number) {
                self.stall(&alert, number, effects);
                continue;
            }
            if let Some(alert) = self.elapsed(number, &rule, &alert, effects) {
                self.tell(&alert, effects);
            }
        }
    }

    /// The timer of an alert is over, and this is its object at this moment.
    fn elapsed(
        &mut self,
        number: usize,
        rule: &Rule,
        alert: &Arc<Alert>,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        let seen = self.seen_now(number, alert);
        let seen = seen.as_ref();
        let moment = seen.map(|(transition, around)| Moment::of(self.now, transition, around));
        let cluster = self.cluster.clone();
        let last_well = self.last_well.get(&(number, alert.object.uid));
        let subject = moment.as_ref().zip(seen);
        let subject = subject.map(|(moment, (transition, _))| Subject {
            object: &alert.object,
            source: &alert.source,
            cluster: &cluster,
            base: base(rule, transition, last_well),
            moment,
        });
        let now = self.now;
        let told = self
            .alerts
            .elapsed(rule, now, alert, subject.as_ref(), effects);
        if let (Some(tenant), Some((_, around))) = (&rule.tenant, seen) {
            self.tenants.charge(tenant, around.spent.take(), now);
        }
        told
    }

    /// An alert's object, to which nothing happens, and what its rule sees around it.
    fn seen_now(&self, number: usize, alert: &Alert) -> Option<(Transition, Surroundings)> {
        let stream = *self.by_key.get(&alert.source)?;
        let numbers = &self.rules.sources[stream].rules;
        let position = numbers.iter().position(|one| *one == number)?;
        let object = self.streams[stream].objects.get(alert.object.uid)?;
        let transition = Transition::seen(alert.object.uid, Some(object.clone()), object);
        let around = self.surroundings((stream, position), &transition);
        Some((transition, around))
    }

    fn stall(&mut self, alert: &Arc<Alert>, number: usize, effects: &mut Effects) {
        let listed = self.has_listed(&alert.source, number);
        if self.stalled.insert(alert.fingerprint) && listed {
            let about = About {
                rule: Some(alert.rule.clone()),
                object: Some(alert.object.clone()),
                alert: Some(alert.fingerprint),
                source: Some(alert.source.clone()),
                ..About::default()
            };
            effects.decide(self.now, Reason::Stale, about);
        }
    }

    /// Looks at what stalled once more: some stream may be believed again.
    pub(super) fn resume(&mut self) {
        for fingerprint in std::mem::take(&mut self.stalled) {
            if let Some(alert) = self.alerts.get(fingerprint).cloned()
                && let Some((_, rule)) = self.rule_of(&alert)
            {
                self.alerts.arm(&rule, &alert);
            }
        }
        for wake in std::mem::take(&mut self.stalled_wakes)
            .into_values()
            .flatten()
        {
            self.wakes.set(wake, Some(self.now));
        }
    }

    /// Answers that time alone may have changed.
    fn second_looks(&mut self, effects: &mut Effects) {
        while let Some(wake) = self.wakes.pop_due(self.now) {
            let source = self.rules.sources[wake.stream].key.clone();
            if self.may_act(&source, wake.rule) {
                self.look_again(wake, effects);
                continue;
            }
            // Once for all objects: there may be thousands of them.
            let said = self.stalled_wakes.contains_key(&wake.rule);
            if !said && self.has_listed(&source, wake.rule) {
                let about = About {
                    rule: Some(self.rules.rules[wake.rule].name.clone()),
                    source: Some(source),
                    ..About::default()
                };
                effects.decide(self.now, Reason::Stale, about);
            }
            let stalled = self.stalled_wakes.entry(wake.rule).or_default();
            stalled.push(wake);
        }
    }

    /// Groups that are due go to the outbox; alerts that nobody needs any more go.
    fn flush(&mut self, effects: &mut Effects) {
        let mut notify = std::mem::take(&mut self.notify);
        let held = |alert: &Alert| match self.rule_of(alert) {
            Some((number, _)) if !alert.is_notice() => !self.may_act(&alert.source, number),
            _ => false,
        };
        let due = notify.flush(self.now, &held, effects);
        self.notify = notify;
        for notification in due {
            self.outbox.push(self.now, notification, effects);
        }
        for fingerprint in self.notify.take_released() {
            self.alerts.release(fingerprint, effects);
        }
    }

    /// The rule that an alert belongs to, if it is still there.
    pub(super) fn rule_of(&self, alert: &Alert) -> Option<(usize, Arc<crate::evaluate::Rule>)> {
        self.numbered(&alert.rule)
    }

    pub(super) fn numbered(&self, name: &RuleName) -> Option<(usize, Arc<crate::evaluate::Rule>)> {
        let number = *self.numbers.get(name)?;
        Some((number, self.rules.rules[number].clone()))
    }

    pub(super) fn health_of(&self, source: &SourceKey) -> Option<&super::stream::Health> {
        if let Some(at) = self.by_key.get(source) {
            return Some(&self.streams[*at].health);
        }
        let mut events = self.event_streams.iter();
        let of_events = events.find(|stream| stream.key == *source)?;
        Some(&of_events.health)
    }

    /// Writes an object's state down with the effects of its transition.
    pub(super) fn write_object(&mut self, stream: usize, uid: Uid, effects: &mut Effects) {
        self.dirty.remove(&(stream, uid));
        if self.rules.sources[stream].rules.is_empty() {
            return;
        }
        let key = Key::Object(self.rules.sources[stream].key.clone(), uid);
        match self.streams[stream].objects.get(uid) {
            Some(object) => {
                let seen = ObjectSeen {
                    object,
                    levels: self.levels_of(stream, uid),
                    last_well: self.last_well_of(stream, uid),
                };
                effects.put(key, Record::Object(seen));
            }
            None => effects.remove(key),
        }
    }

    fn levels_of(&self, stream: usize, uid: Uid) -> BTreeMap<RuleName, Level> {
        if self.levels.is_empty() {
            return BTreeMap::new();
        }
        let numbers = self.rules.sources[stream].rules.iter();
        numbers
            .filter_map(|number| {
                let is = *self.levels.get(&(*number, uid))?;
                let rule = &self.rules.rules[*number];
                let question = rule.question;
                Some((rule.name.clone(), Level { is, question }))
            })
            .collect()
    }

    /// Writes an object's state down with others, soon.
    pub(super) fn write_later(&mut self, stream: usize, uid: Uid) {
        if self.rules.sources[stream].rules.is_empty() {
            return;
        }
        self.dirty.insert((stream, uid));
        self.write_soon();
    }

    pub(super) fn write_event(&mut self, uid: Uid, effects: &mut Effects) {
        self.dirty_events.remove(&uid);
        if let Some(seen) = self.events.seen(uid) {
            effects.put(Key::Event(uid), Record::Event(seen));
        }
    }

    pub(super) fn write_event_later(&mut self, uid: Uid) {
        self.dirty_events.insert(uid);
        self.write_soon();
    }

    fn write_soon(&mut self) {
        if self.write_at.is_none() {
            self.write_at = self.now.checked_add(COALESCE).ok();
        }
    }

    /// Writes what is behind: all of it before the end, else so much at once that a list of many
    /// objects is neither held in memory as trees nor one huge commit.
    fn write_behind(&mut self, effects: &mut Effects) {
        let most = if self.draining {
            usize::MAX
        } else {
            MOST_AT_ONCE
        };
        let left = self.dirty.iter().nth(most).copied();
        let later = left.map(|first| self.dirty.split_off(&first));
        for (stream, uid) in std::mem::take(&mut self.dirty) {
            self.write_object(stream, uid, effects);
        }
        for uid in std::mem::take(&mut self.dirty_events) {
            self.write_event(uid, effects);
        }
        self.write_at = later.is_some().then_some(self.now);
        self.dirty = later.unwrap_or_default();
        self.write_known_when_written(effects);
    }

    /// Says in the journal what its objects are projections on, and that it has the Events: not
    /// before it has them all, or a crash in between would make news of what is old.
    pub(super) fn write_known_when_written(&mut self, effects: &mut Effects) {
        for (at, stream) in self.streams.iter_mut().enumerate() {
            let watched = &self.rules.sources[at];
            if watched.rules.is_empty() {
                continue;
            }
            let written = stream.written.as_ref() == Some(&watched.paths);
            let of_stream = |(stream, _): &(usize, Uid)| *stream == at;
            let known = stream.health.listed && stream.behind.is_empty();
            if !written && known && !self.dirty.iter().any(of_stream) {
                stream.written = Some(watched.paths.clone());
                let record = Record::Source(watched.paths.clone());
                effects.put(Key::Source(watched.key.clone()), record);
            }
        }
        if self.event_streams.is_empty() || !self.dirty_events.is_empty() {
            return;
        }
        let kinds = kinds(&self.rules.kinds);
        for stream in &mut self.event_streams {
            let known = stream.health.listed && stream.new_kinds.is_empty();
            if known && stream.written.as_ref() != Some(&kinds) {
                stream.written = Some(kinds.clone());
                let record = Record::Source(kinds.clone());
                effects.put(Key::Source(stream.key.clone()), record);
            }
        }
    }

    /// Alerts about objects that no list names any more: what the journal lost of the object
    /// itself, or kept of a former life.
    pub(super) fn end_alerts_of_the_gone(&mut self, stream: usize, effects: &mut Effects) {
        let source = &self.rules.sources[stream].key;
        let orphans: Vec<Arc<Alert>> = self
            .alerts
            .iter()
            .filter(|alert| alert.source == *source && alert.state != State::Resolved)
            .filter(|alert| alert.nature == crate::alert::Nature::State)
            .filter(|alert| !self.streams[stream].objects.contains(alert.object.uid))
            .filter(|alert| !self.keeps_after_deletion(alert))
            .cloned()
            .collect();
        let adopted = std::mem::take(&mut self.streams[stream].adopted);
        for alert in orphans {
            let ending = if adopted.contains(&alert.fingerprint) {
                crate::alert::Ending::LeftSelection
            } else {
                crate::alert::Ending::Deleted
            };
            if let Some(alert) = self.alerts.end(self.now, &alert, ending, effects) {
                self.tell(&alert, effects);
            }
        }
    }

    fn keeps_after_deletion(&self, alert: &Alert) -> bool {
        alert.state == State::Firing
            && self
                .rule_of(alert)
                .is_some_and(|(_, rule)| rule.on_delete == crate::config::OnDelete::Keep)
    }
}
