//! An alert comes in: it joins its groups, changes in them, or leaves them unheard.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::group::{Change, Group, GroupKind, Heard, group_of};
use super::policy::Policy;
use super::{Notify, about, put_group, put_member};
use crate::alert::{Alert, Nature, State};
use crate::decision::Reason;
use crate::engine::Effects;
use crate::journal::Key;
use crate::names::{ReceiverName, RouteName};
use crate::planted::{self, Bug};

impl Notify {
    /// An alert fired, changed while it fires, resolved, occurred, or occurred again (with a
    /// higher count).
    pub fn alert(&mut self, now: Timestamp, alert: &Arc<Alert>, effects: &mut Effects) {
        if alert.state == State::Pending {
            return;
        }
        if self.inhibitions.notice(alert) {
            self.set_free(now, alert.fingerprint, effects);
        }
        self.released.remove(&alert.fingerprint);
        let speaks = alert.nature == Nature::Occurrence || alert.state == State::Firing;
        let found = self.routes.destinations(alert);
        for why in found.complaints.into_iter().filter(|_| speaks) {
            effects.decide(now, Reason::Unknown(why), about(alert, None, None));
        }
        let nowhere = found.to.is_empty();
        let mut receivers: BTreeMap<ReceiverName, Option<RouteName>> =
            found.to.into_iter().collect();
        let known: Vec<_> = self.groups_of(alert.fingerprint).collect();
        for (receiver, _) in known {
            receivers.entry(receiver.clone()).or_default();
        }
        let mut refused = Vec::new();
        for (receiver, route) in receivers {
            if self.update(now, &receiver, alert, effects) || !speaks {
                continue;
            }
            match self.policy_at(&receiver, route.as_ref()) {
                Some(policy) if !alert.shadow => self.join(now, &policy, alert, effects),
                _ => refused.push(Some(receiver)),
            }
        }
        if speaks && nowhere {
            refused.push(None);
        }
        self.note_unheard(now, alert, &refused, effects);
        self.release_unless_needed(alert);
    }

    /// Remembers, and says once, that the alert is not told to these receivers.
    fn note_unheard(
        &mut self,
        now: Timestamp,
        alert: &Arc<Alert>,
        refused: &[Option<ReceiverName>],
        effects: &mut Effects,
    ) {
        if refused.is_empty() {
            self.unheard.remove(&alert.fingerprint);
            return;
        }
        if alert.nature == Nature::State {
            let known = self.unheard.insert(alert.fingerprint, Arc::clone(alert));
            if known.is_some_and(|known| known.shadow == alert.shadow) {
                return;
            }
        }
        for receiver in refused {
            let reason = if alert.shadow {
                Reason::Shadowed
            } else {
                Reason::NoReceiver
            };
            effects.decide(now, reason, about(alert, receiver.as_ref(), None));
        }
    }

    /// Changes the alert where the receiver already has it: in its group, or among what it
    /// was told. Gives whether it has it.
    fn update(
        &mut self,
        now: Timestamp,
        receiver: &ReceiverName,
        alert: &Arc<Alert>,
        effects: &mut Effects,
    ) -> bool {
        let place = (alert.fingerprint, receiver.clone());
        let Some(key) = self.places.get(&place) else {
            return alert.nature == Nature::Occurrence && self.told.notice(receiver, alert);
        };
        let Some(mut group) = self.groups.remove(key) else {
            return false;
        };
        match group.update(alert) {
            Change::Nothing => {}
            Change::News if alert.state == State::Resolved && planted::has(Bug::ResolveSleeps) => {}
            Change::News => {
                self.bring_forward(now, &mut group, effects);
                decide_grouped(now, alert, &group, effects);
            }
            Change::Withdrawn => {
                let about = about(alert, Some(receiver), Some(&group.key));
                effects.decide(now, Reason::Cancelled, about);
                effects.remove(Key::Member(receiver.clone(), alert.fingerprint));
                self.places.remove(&place);
                if group.blocked_by == Some(alert.fingerprint) {
                    self.release_from(&mut group, alert);
                }
                // It may have been all that a digest with nothing but resolves waited for.
                self.bring_forward(now, &mut group, effects);
            }
        }
        self.groups.insert(group.key.clone(), group);
        true
    }

    /// Puts an alert that the receiver has not heard of into its group.
    pub(super) fn join(
        &mut self,
        now: Timestamp,
        policy: &Policy,
        alert: &Arc<Alert>,
        effects: &mut Effects,
    ) {
        let receiver = &policy.receiver;
        let (key, labels) = group_of(policy, alert);
        let mut group = self.groups.remove(&key).unwrap_or_else(|| {
            // Far in the future, so that the first alert brings it forward to its wait.
            let never = Timestamp::MAX;
            let mut group = Group::open(key, GroupKind::Labels, receiver.clone(), labels, never);
            group.record.route.clone_from(&policy.route);
            group
        });
        group.insert(alert, Heard::Nothing);
        put_member(&group, alert.fingerprint, Heard::Nothing, effects);
        self.places
            .insert((alert.fingerprint, receiver.clone()), group.key.clone());
        self.bring_forward(now, &mut group, effects);
        if group.flush_at() > now {
            decide_grouped(now, alert, &group, effects);
        }
        self.groups.insert(group.key.clone(), group);
    }

    /// What the group waited for is no longer in it: it is due, if nothing else holds it back.
    fn release_from(&mut self, group: &mut Group, alert: &Alert) {
        if let Some(waiting) = self.blocked.get_mut(&alert.rule) {
            waiting.remove(&group.key);
        }
        group.blocked_by = None;
        self.timers
            .set(group.flush_at(), group.rank(), group.key.clone());
    }

    /// There may be news in the group: it is told at the next tick, if that was not so already.
    fn bring_forward(&mut self, now: Timestamp, group: &mut Group, effects: &mut Effects) {
        let Some(policy) = self.policy_of(group) else {
            return;
        };
        let next = self.next_flush(group, &policy, now);
        if next < group.flush_at() {
            self.schedule(group, next);
            put_group(group, effects);
        }
    }
}

/// The alert waits in its group.
fn decide_grouped(now: Timestamp, alert: &Alert, group: &Group, effects: &mut Effects) {
    let about = about(alert, Some(group.receiver()), Some(&group.key));
    effects.decide_until(now, Reason::Grouped, about, Some(group.flush_at()));
}
