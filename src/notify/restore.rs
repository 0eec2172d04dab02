//! The state of this stage from its records, after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::group::{Group, GroupKind, GroupRecord, Heard, MemberRecord};
use super::limit::{Cell, LimitRecord};
use super::policy::Policy;
use super::{Notify, Pipeline, Silence, later};
use crate::alert::{Alert, Nature, State};
use crate::names::{Fingerprint, GroupKey, ReceiverName, RuleName};
use crate::planted::{self, Bug};

/// The records of this stage.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub groups: Vec<(GroupKey, GroupRecord)>,
    pub members: Vec<(ReceiverName, Fingerprint, MemberRecord)>,
    pub limits: Vec<(ReceiverName, LimitRecord)>,
    pub rule_limits: Vec<((ReceiverName, RuleName), LimitRecord)>,
    /// Those that were made while the bridge ran.
    pub silences: Vec<Silence>,
}

impl Notify {
    /// Goes on where the records stop. A moment in them that lies after `now` (the clock went
    /// back) is read as now, so that it freezes nothing. Records that belong to nothing are
    /// passed over.
    #[must_use]
    pub fn restore(
        now: Timestamp,
        policies: Vec<Policy>,
        pipeline: Pipeline,
        kept: Kept,
        alerts: &BTreeMap<Fingerprint, Arc<Alert>>,
    ) -> Self {
        let mut notify = Self::new(policies, pipeline);
        if !planted::has(Bug::SilencesForgotten) {
            notify.silences.restore(kept.silences);
        }
        for alert in alerts.values() {
            notify.inhibitions.notice(alert);
        }
        for (key, mut record) in kept.groups {
            record.flushed_at = record.flushed_at.map(|at| at.min(now));
            record.notified_at = record.notified_at.map(|at| at.min(now));
            let group = Group::new(key, record);
            notify
                .timers
                .set(group.flush_at(), group.rank(), group.key.clone());
            notify.groups.insert(group.key.clone(), group);
        }
        for (receiver, fingerprint, record) in kept.members {
            if let Some(alert) = alerts.get(&fingerprint) {
                notify.restore_member(now, receiver, alert, &record);
            }
        }
        for (receiver, record) in kept.limits {
            notify.restore_cell(&receiver, record, now);
        }
        for (place, record) in kept.rule_limits {
            notify.restore_rule_cell(place, record, now);
        }
        for alert in alerts.values() {
            notify.restore_alone(alert);
        }
        notify.hurry(now);
        notify
    }

    fn restore_member(
        &mut self,
        now: Timestamp,
        receiver: ReceiverName,
        alert: &Arc<Alert>,
        record: &MemberRecord,
    ) {
        if let Heard::Occurred { at, count } = record.heard {
            self.told
                .remember(&receiver, alert.fingerprint, at.min(now), count);
            self.told.notice(&receiver, alert);
        } else if let Some(group) = self.groups.get_mut(&record.group) {
            group.insert(alert, record.heard);
            let place = (alert.fingerprint, receiver);
            self.places.insert(place, record.group.clone());
        }
    }

    /// An alert that no receiver has: over and done with, or not told yet to somebody who now
    /// exists.
    fn restore_alone(&mut self, alert: &Arc<Alert>) {
        let fires = alert.nature == Nature::State && alert.state == State::Firing;
        let heard = self.groups_of(alert.fingerprint).count();
        let wanted = self.routes.destinations(alert).to.len();
        if fires && heard < wanted.max(1) {
            self.unheard.insert(alert.fingerprint, Arc::clone(alert));
        }
        if alert.state != State::Pending {
            self.release_unless_needed(alert);
        }
    }

    pub(super) fn restore_cell(
        &mut self,
        receiver: &ReceiverName,
        record: LimitRecord,
        now: Timestamp,
    ) {
        let limit = self.policies.get(receiver).and_then(|policy| policy.limit);
        if let Some(limit) = limit {
            let cell = Cell::restore(limit, record, now);
            self.cells.insert(receiver.clone(), cell);
        }
    }

    /// Brings each group's next flush as near as its policy has it now.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in keys {
            let Some(mut group) = self.groups.remove(&key) else {
                continue;
            };
            if let Some(policy) = self.policy_of(&group) {
                let next = match (group.kind(), policy.heartbeat) {
                    (GroupKind::Heartbeat, Some(period)) => later(now, period),
                    (GroupKind::Heartbeat, None) => now,
                    _ => self.next_flush(&group, &policy, now),
                };
                let next = next.min(group.flush_at());
                self.schedule(&mut group, next);
            }
            self.groups.insert(key, group);
        }
    }
}
