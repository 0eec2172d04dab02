//! The life of an alert: what each verdict, each timer and each ending does to it.
//!
//! ```text
//!            true            for is over           false (and keepFiringFor is over)
//! inactive ───────▶ pending ─────────────▶ firing ───────────────────────────────▶ resolved
//!     ▲                │ false                                                         │ told
//!     └────────────────┴───────────────────────────────────────────────────────────────┘
//! ```
//! Unknown changes no state: a hold pauses, a firing alert goes on firing.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::draw::{about, complain, draw, fingerprint};
use super::{Alert, Alerts, Ending, Nature, Resolution, State};
use crate::decision::Reason;
use crate::engine::Effects;
use crate::evaluate::changes::Base;
use crate::evaluate::{Moment, Rule, Verdict};
use crate::names::{ObjectRef, RuleName, SourceKey};
use crate::planted::{self, Bug};

/// The object that a verdict is about, at the moment of the verdict.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub object: &'a ObjectRef,
    pub source: &'a SourceKey,
    pub cluster: &'a Arc<str>,
    pub moment: &'a Moment<'a>,
    /// What its `changes` are counted from.
    pub base: Base<'a>,
}

impl Alerts {
    /// Takes the verdict of a rule's `when`. Gives the alerts that somebody may have to be told
    /// of: fired, resolved, or firing on with something new to show. (Two, when a changed dedup
    /// key ends one and begins another.)
    pub fn judge(
        &mut self,
        rule: &Rule,
        subject: &Subject<'_>,
        verdict: &Verdict,
        effects: &mut Effects,
    ) -> Vec<Arc<Alert>> {
        let now = subject.moment.now;
        let verdict = match verdict {
            Verdict::Unknown(_) if planted::has(Bug::UnknownIsFalse) => &Verdict::False,
            verdict => verdict,
        };
        let current = self.active(subject.object.uid, &rule.name).cloned();
        let changed = match (current, verdict) {
            (None, Verdict::True) => self.begin(rule, subject, effects),
            (None, Verdict::False | Verdict::Unknown(_)) => None,
            (Some(alert), Verdict::True) => return self.continues(rule, subject, &alert, effects),
            (Some(alert), Verdict::False) => self.stops(rule, now, &alert, effects),
            (Some(alert), Verdict::Unknown(_)) => {
                self.pause(now, &alert, effects);
                None
            }
        };
        Vec::from_iter(changed)
    }

    /// Something happened that a rule is `on`. `occurrence` tells it from every other occurrence:
    /// the Event's UID, else the object's resource version. A higher `count` of the same one is
    /// a repeat.
    pub fn occur(
        &mut self,
        rule: &Rule,
        subject: &Subject<'_>,
        occurrence: &str,
        count: u64,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        let moment = subject.moment;
        let uid = subject.object.uid.to_string();
        let key = complain(rule, subject, rule.dedup_key_at(moment), effects)?;
        // What was told under a former name of the rule is the same.
        let of_name =
            |name: &RuleName| fingerprint(&["on", name.as_str(), &uid, occurrence], key.as_deref());
        let mut former = rule.formerly.iter().map(of_name);
        let known = former.find(|former| self.get(*former).is_some());
        let fingerprint = known.unwrap_or_else(|| of_name(&rule.name));
        if rule.resolves() {
            if self.active(subject.object.uid, &rule.name).is_some() {
                return None;
            }
            let mut alert = draw(rule, subject, fingerprint, key, Nature::State, effects);
            return Some(self.fire(rule, moment.now, &mut alert, effects));
        }
        let before = self.get(fingerprint).map(|alert| alert.count);
        if before.is_some_and(|before| before >= count) {
            return None;
        }
        let mut alert = draw(rule, subject, fingerprint, key, Nature::Occurrence, effects);
        alert.state = State::Firing;
        alert.fired_at = Some(moment.now);
        alert.count = count;
        let reason = before.map_or(Reason::Occurred, |_| Reason::Repeated(count));
        effects.decide(moment.now, reason, about(&alert));
        Some(self.keep(alert, effects))
    }

    /// The timer of an alert is over. Gives the alert if somebody may have to be told. It says what
    /// is so now, not when its hold began: `subject`, if the object is still known.
    pub fn elapsed(
        &mut self,
        rule: &Rule,
        now: Timestamp,
        alert: &Arc<Alert>,
        subject: Option<&Subject<'_>>,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        match alert.state {
            State::Pending if now >= later(alert.active_since, rule.hold) => {
                let mut alert = Alert::clone(alert);
                if let Some(subject) = subject {
                    let moment = subject.moment;
                    let key = alert.dedup_key.as_ref();
                    (alert.labels, _) = rule.labels(moment, subject.object, subject.cluster, key);
                    alert.view = Arc::new(rule.view_at(moment, subject.object, subject.base));
                    alert.owners = moment.owners.to_vec();
                }
                Some(self.fire(rule, now, &mut alert, effects))
            }
            State::Firing => {
                let since = alert.keep_since?;
                (now >= later(since, rule.keep_firing_for))
                    .then(|| self.resolve(now, alert, Ending::Cleared, effects))
            }
            State::Pending | State::Resolved => {
                self.arm(rule, alert);
                None
            }
        }
    }

    /// An alert is over for another reason than its rule's verdict.
    pub fn end(
        &mut self,
        now: Timestamp,
        alert: &Arc<Alert>,
        ending: Ending,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        match alert.state {
            State::Pending => {
                self.withdraw(now, alert, effects);
                None
            }
            State::Firing => Some(self.resolve(now, alert, ending, effects)),
            State::Resolved => None,
        }
    }

    /// The deletion of its object makes an alert fire (`onDelete: fire`); nothing will say that it
    /// is over, so it is told as something that happened. What fired before it is over: gives both.
    pub fn fire_on_deletion(
        &mut self,
        rule: &Rule,
        subject: &Subject<'_>,
        effects: &mut Effects,
    ) -> Vec<Arc<Alert>> {
        let active = self.active(subject.object.uid, &rule.name).cloned();
        let now = subject.moment.now;
        let ended = active.and_then(|alert| self.end(now, &alert, Ending::Deleted, effects));
        let fires = self.deletion(rule, subject, effects);
        ended.into_iter().chain(fires).collect()
    }

    fn deletion(
        &mut self,
        rule: &Rule,
        subject: &Subject<'_>,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        let key = complain(rule, subject, rule.dedup_key_at(subject.moment), effects)?;
        let uid = subject.object.uid.to_string();
        let parts = ["deleted", rule.name.as_str(), &uid];
        let fingerprint = fingerprint(&parts, key.as_deref());
        let mut alert = draw(rule, subject, fingerprint, key, Nature::Occurrence, effects);
        alert.state = State::Firing;
        alert.fired_at = Some(subject.moment.now);
        effects.decide(subject.moment.now, Reason::Occurred, about(&alert));
        Some(self.keep(alert, effects))
    }

    /// Sets the timer that an alert's state asks for.
    pub fn arm(&mut self, rule: &Rule, alert: &Alert) {
        let at = match alert.state {
            State::Pending if alert.unknown_since.is_none() => {
                Some(later(alert.active_since, rule.hold))
            }
            State::Firing => alert
                .keep_since
                .filter(|_| alert.unknown_since.is_none())
                .map(|since| later(since, rule.keep_firing_for)),
            State::Pending | State::Resolved => None,
        };
        self.set_timer(alert.fingerprint, at);
    }

    fn begin(
        &mut self,
        rule: &Rule,
        subject: &Subject<'_>,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        let now = subject.moment.now;
        let key = complain(rule, subject, rule.dedup_key_at(subject.moment), effects)?;
        let uid = subject.object.uid.to_string();
        let fingerprint = fingerprint(&["when", rule.name.as_str(), &uid], key.as_deref());
        let mut alert = draw(rule, subject, fingerprint, key, Nature::State, effects);
        if rule.hold <= SignedDuration::ZERO {
            return Some(self.fire(rule, now, &mut alert, effects));
        }
        alert.resolution = self
            .get(fingerprint)
            .and_then(|former| former.resolution.clone());
        let until = later(now, rule.hold);
        effects.decide_until(now, Reason::Pending, about(&alert), Some(until));
        let alert = self.keep(alert, effects);
        self.arm(rule, &alert);
        None
    }

    /// Still true: a hold that paused goes on, an alert that was about to end does not.
    fn continues(
        &mut self,
        rule: &Rule,
        subject: &Subject<'_>,
        alert: &Arc<Alert>,
        effects: &mut Effects,
    ) -> Vec<Arc<Alert>> {
        let now = subject.moment.now;
        let key = rule.dedup_key_at(subject.moment);
        let Some(key) = complain(rule, subject, key, effects) else {
            return Vec::new();
        };
        if key != alert.dedup_key {
            let ended = self.end(now, alert, Ending::KeyChanged, effects);
            let begun = self.begin(rule, subject, effects);
            return ended.into_iter().chain(begun).collect();
        }
        let mut next = Alert::clone(alert);
        if let Some(since) = next.unknown_since.take()
            && next.state == State::Pending
        {
            next.active_since = later(next.active_since, now.duration_since(since));
        }
        next.keep_since = None;
        next.shadow = rule.shadow;
        if next.state == State::Pending {
            next.severity = rule.severity;
            next.receivers.clone_from(&rule.receivers);
            next.routed = rule.routed;
            next.texts = rule.texts.clone();
            let (cluster, key) = (subject.cluster, next.dedup_key.as_ref());
            (next.labels, _) = rule.labels(subject.moment, subject.object, cluster, key);
        }
        if next.state == State::Firing {
            next.view = Arc::new(rule.view_at(subject.moment, subject.object, subject.base));
            next.texts = rule.texts.clone();
        }
        if next == **alert {
            return Vec::new();
        }
        let shows_more = next.state == State::Firing;
        let next = self.keep(next, effects);
        self.arm(rule, &next);
        Vec::from_iter(shows_more.then_some(next))
    }

    fn stops(
        &mut self,
        rule: &Rule,
        now: Timestamp,
        alert: &Arc<Alert>,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        if alert.state == State::Pending {
            self.withdraw(now, alert, effects);
            return None;
        }
        if rule.keep_firing_for <= SignedDuration::ZERO {
            return Some(self.resolve(now, alert, Ending::Cleared, effects));
        }
        let mut next = Alert::clone(alert);
        if let Some(since) = next.unknown_since.take() {
            let paused = now.duration_since(since);
            next.keep_since = next.keep_since.map(|since| later(since, paused));
        }
        next.keep_since.get_or_insert(now);
        if next != **alert {
            let next = self.keep(next, effects);
            self.arm(rule, &next);
        }
        None
    }

    fn pause(&mut self, now: Timestamp, alert: &Arc<Alert>, effects: &mut Effects) {
        if alert.unknown_since.is_none() {
            let mut paused = Alert::clone(alert);
            paused.unknown_since = Some(now);
            let paused = self.keep(paused, effects);
            self.set_timer(paused.fingerprint, None);
        }
    }

    fn fire(
        &mut self,
        rule: &Rule,
        now: Timestamp,
        alert: &mut Alert,
        effects: &mut Effects,
    ) -> Arc<Alert> {
        alert.state = State::Firing;
        alert.fired_at = Some(now);
        alert.resolution = None;
        effects.decide(now, Reason::Firing, about(alert));
        let alert = self.keep(alert.clone(), effects);
        self.arm(rule, &alert);
        alert
    }

    fn resolve(
        &mut self,
        now: Timestamp,
        alert: &Arc<Alert>,
        ending: Ending,
        effects: &mut Effects,
    ) -> Arc<Alert> {
        let mut over = Alert::clone(alert);
        over.state = State::Resolved;
        over.keep_since = None;
        over.unknown_since = None;
        over.resolution = Some(Resolution {
            at: now,
            reason: ending,
        });
        effects.decide(now, Reason::Resolved(ending), about(&over));
        self.set_timer(over.fingerprint, None);
        self.keep(over, effects)
    }

    /// A pending alert is not to be. Its former life, if its end is still to be told, comes back.
    fn withdraw(&mut self, now: Timestamp, alert: &Arc<Alert>, effects: &mut Effects) {
        effects.decide(now, Reason::Withdrawn, about(alert));
        self.set_timer(alert.fingerprint, None);
        if alert.resolution.is_some() {
            let mut former = Alert::clone(alert);
            former.state = State::Resolved;
            self.keep(former, effects);
        } else {
            self.forget(alert.fingerprint, effects);
        }
    }
}

/// A moment later than that; the end of time where there is none.
fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}
