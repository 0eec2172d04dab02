//! Time has passed: the groups that are due are told, held back, or let go.

use std::sync::Arc;

use jiff::Timestamp;

use super::acknowledge::acknowledge;
use super::dedup::needs_update;
use super::digest::waits;
use super::group::{Group, GroupKind, Heard, just_after};
use super::heartbeat;
use super::notification::{Cause, Notification};
use super::per_rule::rules_of;
use super::policy::Policy;
use super::timers::later;
use super::{Notify, WITHOUT_RECEIVER, about, put_group, put_member};
use crate::alert::Alert;
use crate::decision::{About, Reason};
use crate::engine::Effects;
use crate::journal::Key;
use crate::names::{Fingerprint, ReceiverName};

impl Notify {
    /// Ends a step: all groups that are due. A group with an alert whose rule may not act now
    /// (`held`) waits, and is tried again at each flush after.
    pub fn flush(
        &mut self,
        now: Timestamp,
        held: &dyn Fn(&Alert) -> bool,
        effects: &mut Effects,
    ) -> Vec<Notification> {
        if std::mem::take(&mut self.reloaded) {
            self.start_heartbeats(now, effects);
            self.forget_idle_rules(now, effects);
            let unheard: Vec<_> = self.unheard.values().cloned().collect();
            for alert in unheard {
                self.alert(now, &alert, effects);
            }
        }
        self.end_silences(now, effects);
        self.look_at_silenced(now, effects);
        self.retell(now, effects);
        self.unblock(held);
        let mut due = Vec::new();
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(group) = self.groups.remove(&key) {
                self.flush_group(now, group, held, &mut due, effects);
            }
        }
        due
    }

    /// Groups whose rule may act again are due again.
    fn unblock(&mut self, held: &dyn Fn(&Alert) -> bool) {
        let groups = &mut self.groups;
        let timers = &mut self.timers;
        // `held` is a matter of the rule: one alert speaks for all that wait for it.
        self.blocked.retain(|_, keys| {
            let witness = keys.iter().find_map(|key| {
                let group = groups.get(key)?;
                group.members.get(&group.blocked_by?)
            });
            if witness.is_some_and(|alert| held(alert)) {
                return true;
            }
            for key in keys.iter() {
                if let Some(group) = groups.get_mut(key) {
                    group.blocked_by = None;
                    timers.set(group.flush_at(), group.rank(), key.clone());
                }
            }
            false
        });
    }

    /// Told occurrences whose interval is over: those that happened again are told again, the
    /// others are forgotten.
    fn retell(&mut self, now: Timestamp, effects: &mut Effects) {
        let receivers: Vec<ReceiverName> = self
            .told
            .receivers()
            .map(|(name, _)| name.clone())
            .collect();
        for receiver in receivers {
            let interval = self.repeat_interval(&receiver);
            while let Some((fingerprint, again)) = self.told.pop_due(&receiver, interval, now) {
                let policy = again.as_ref().and_then(|it| self.policy_for(it, &receiver));
                match (again, policy) {
                    (Some(alert), Some(policy)) => self.join(now, &policy, &alert, effects),
                    (Some(alert), None) => {
                        let about = about(&alert, Some(&receiver), None);
                        effects.decide(now, Reason::NoReceiver, about);
                        self.forget(&receiver, fingerprint, effects);
                    }
                    (None, _) => self.forget(&receiver, fingerprint, effects),
                }
            }
        }
    }

    /// The policy by which the receiver is told of the alert.
    fn policy_for(&self, alert: &Alert, receiver: &ReceiverName) -> Option<Arc<Policy>> {
        let to = self.routes.destinations(alert).to;
        let found = to.into_iter().find(|(name, _)| name == receiver);
        self.policy_at(receiver, found.and_then(|(_, route)| route).as_ref())
    }

    /// An occurrence is over for this receiver.
    fn forget(&mut self, receiver: &ReceiverName, alert: Fingerprint, effects: &mut Effects) {
        effects.remove(Key::Member(receiver.clone(), alert));
        if !self.is_needed(alert) {
            self.released.insert(alert);
        }
    }

    /// Looks at one group that is due, and files it again under its next flush, or away.
    fn flush_group(
        &mut self,
        now: Timestamp,
        mut group: Group,
        held: &dyn Fn(&Alert) -> bool,
        due: &mut Vec<Notification>,
        effects: &mut Effects,
    ) {
        if let Some(alert) = group.members.values().find(|alert| held(alert)) {
            group.blocked_by = Some(alert.fingerprint);
            let waiting = self.blocked.entry(alert.rule.clone()).or_default();
            waiting.insert(group.key.clone());
            self.groups.insert(group.key.clone(), group);
            return;
        }
        let told = due.len();
        let next = match self.policy_of(&group) {
            None if group.kind() == GroupKind::Heartbeat => {
                effects.remove(Key::Group(group.key));
                return;
            }
            None => {
                self.let_go_unheard(now, &mut group, effects);
                later(now, WITHOUT_RECEIVER)
            }
            Some(policy) if group.kind() == GroupKind::Heartbeat => {
                let Some(period) = policy.heartbeat else {
                    effects.remove(Key::Group(group.key));
                    return;
                };
                due.push(group.notification(now, Cause::Heartbeat, [].iter(), [].iter()));
                heartbeat::next(group.flush_at(), period, now)
            }
            Some(policy) if policy.times.mute(now) => Self::shut(now, &mut group, &policy, effects),
            Some(policy) => {
                group.shut.clear();
                self.mute(now, &mut group, effects);
                due.extend(self.tell_states(now, &mut group, &policy, effects));
                due.extend(self.tell_occurrences(now, &mut group, effects));
                due.extend(acknowledge(now, &mut group, &policy, effects));
                group.record.flushed_at.get_or_insert(now);
                self.next_flush(&group, &policy, now)
            }
        };
        if group.members.is_empty() && group.kind() != GroupKind::Heartbeat && due.len() == told {
            effects.remove(Key::Group(group.key));
            return;
        }
        self.schedule(&mut group, next);
        put_group(&group, effects);
        self.groups.insert(group.key.clone(), group);
    }

    /// When this group is looked at next; a digest that waits, when its limit has room.
    pub(super) fn next_flush(&self, group: &Group, policy: &Policy, now: Timestamp) -> Timestamp {
        match self.room_at(now, group) {
            Some(room_at) if waits(group) => room_at.max(just_after(now)),
            _ => group.next_flush(policy, now),
        }
    }

    /// The notification about the group's states, if one is due and the limit has room.
    fn tell_states(
        &mut self,
        now: Timestamp,
        group: &mut Group,
        policy: &Policy,
        effects: &mut Effects,
    ) -> Option<Notification> {
        self.hold_back_by_rule(now, group, policy, effects);
        let mut cause = needs_update(group.standing(), policy, now);
        let asks = !group.untold.is_empty() || cause == Some(Cause::Repeat);
        if cause.is_some() && !self.has_room(now, group, asks, effects) && asks {
            self.hold_back(now, group, effects);
            // What is left to say is a resolve that was waited for, or nothing.
            cause = needs_update(group.standing(), policy, now)
                .filter(|cause| group.untold.is_empty() && *cause != Cause::Repeat);
        }
        if cause.is_some() && group.kind() == GroupKind::Labels {
            let told = rules_of(group, &group.untold);
            self.charge_rules(now, &group.receiver().clone(), told, effects);
        }
        let notification = cause.map(|cause| {
            let opens = opens(group);
            let told = state_notification(now, group, cause, policy);
            let told_of = told.alerts.iter().map(|alert| alert.fingerprint);
            let first = told_of.filter(|one| group.untold.contains(one)).collect();
            Notification {
                opens,
                first,
                ..told
            }
        });
        if cause == Some(Cause::Digest) {
            self.remember(now, group, effects);
        }
        self.settle(now, group, cause, policy, effects);
        notification
    }

    /// The group after its states were told, or had no need to be.
    fn settle(
        &mut self,
        now: Timestamp,
        group: &mut Group,
        told: Option<Cause>,
        policy: &Policy,
        effects: &mut Effects,
    ) {
        if told.is_some() {
            for alert in std::mem::take(&mut group.untold) {
                group.left_out.remove(&alert);
                put_member(group, alert, Heard::Firing, effects);
            }
            group.leave_out_muted(effects);
        }
        let over = match group.kind() {
            GroupKind::Digest => group.standing().firing + group.untold.len() == 0,
            _ => told.is_some() || !policy.send_resolved,
        };
        if !over {
            return;
        }
        for fingerprint in std::mem::take(&mut group.resolved) {
            if let Some(alert) = self.leave(group, fingerprint, effects)
                && !policy.send_resolved
            {
                let about = about(&alert, Some(group.receiver()), Some(&group.key));
                effects.decide(now, Reason::ResolveNotWanted, about);
            }
        }
    }

    /// Takes an alert out of its group for good.
    pub(super) fn leave(
        &mut self,
        group: &mut Group,
        fingerprint: Fingerprint,
        effects: &mut Effects,
    ) -> Option<Arc<Alert>> {
        let alert = group.take(fingerprint)?;
        let receiver = group.receiver().clone();
        self.places.remove(&(fingerprint, receiver.clone()));
        effects.remove(Key::Member(receiver, fingerprint));
        self.release_unless_needed(&alert);
        Some(alert)
    }

    /// The receiver is gone: what is over leaves the group unheard, what fires waits for the
    /// receiver to come back.
    fn let_go_unheard(&mut self, now: Timestamp, group: &mut Group, effects: &mut Effects) {
        let over: Vec<_> = group.resolved.union(&group.occurred).copied().collect();
        for fingerprint in over {
            if let Some(alert) = self.leave(group, fingerprint, effects) {
                let about = about(&alert, Some(group.receiver()), Some(&group.key));
                effects.decide(now, Reason::NoReceiver, about);
            }
        }
    }

    /// The notification about what occurred in the group: told once, then remembered.
    fn tell_occurrences(
        &mut self,
        now: Timestamp,
        group: &mut Group,
        effects: &mut Effects,
    ) -> Option<Notification> {
        if group.occurred.is_empty() {
            return None;
        }
        if !self.has_room(now, group, true, effects) {
            self.hold_back(now, group, effects);
            return None;
        }
        let cause = if group.kind() == GroupKind::Digest {
            Cause::Digest
        } else {
            let told = rules_of(group, &group.occurred);
            self.charge_rules(now, &group.receiver().clone(), told, effects);
            Cause::Occurred
        };
        let occurred = group.occurred.clone();
        let notification = Notification {
            opens: opens(group),
            ..group.notification(now, cause, occurred.iter(), [].iter())
        };
        self.remember(now, group, effects);
        Some(notification)
    }

    /// Takes the told occurrences out of their group and remembers them.
    fn remember(&mut self, now: Timestamp, group: &mut Group, effects: &mut Effects) {
        let receiver = group.receiver().clone();
        for fingerprint in std::mem::take(&mut group.occurred) {
            let Some(alert) = group.take(fingerprint) else {
                continue;
            };
            self.places.remove(&(fingerprint, receiver.clone()));
            let heard = Heard::Occurred {
                at: now,
                count: alert.count,
            };
            put_member(group, fingerprint, heard, effects);
            if let Some(oldest) = self.told.remember(&receiver, fingerprint, now, alert.count) {
                let about = About {
                    alert: Some(oldest),
                    receiver: Some(receiver.clone()),
                    ..About::default()
                };
                let why = "too many occurrences told: the oldest is no longer remembered";
                effects.decide(now, Reason::Bounded(why.into()), about);
                self.forget(&receiver, oldest, effects);
            }
        }
    }
}

/// Whether nothing that fires was told of the group.
fn opens(group: &Group) -> bool {
    let standing = group.standing();
    standing.firing + standing.resolved + standing.heard_before == 0
}

/// What the group says about its states: all that fire, and those newly resolved. A digest
/// also says what occurred, so that it is one message.
fn state_notification(
    now: Timestamp,
    group: &mut Group,
    cause: Cause,
    policy: &Policy,
) -> Notification {
    let not_firing = |one: &&Fingerprint| !group.resolved.contains(one);
    let with_occurred = cause == Cause::Digest;
    let firing: Vec<Fingerprint> = group
        .members
        .keys()
        .filter(not_firing)
        .filter(|one| with_occurred || !group.occurred.contains(one))
        .filter(|one| !group.muted.contains_key(one))
        .copied()
        .collect();
    let tells_resolved =
        policy.send_resolved && (cause == Cause::Resolved || cause == Cause::Changed);
    let resolved: Vec<Fingerprint> = if tells_resolved {
        group.resolved.iter().copied().collect()
    } else {
        Vec::new()
    };
    group.record.notified_at = Some(now);
    group.notification(now, cause, firing.iter(), resolved.iter())
}
