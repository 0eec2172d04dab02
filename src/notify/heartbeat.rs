//! A sign of life for a dead man's switch: a group without alerts that is told on a beat.

use jiff::{SignedDuration, Timestamp};

use super::group::{Group, GroupKind, just_after};
use super::timers::tick;
use super::{Notify, later, put_group};
use crate::engine::Effects;
use crate::names::Labels;

/// No heart beats faster than this, whatever its policy says.
const SHORTEST_BEAT: SignedDuration = SignedDuration::from_secs(1);

/// The beat after the one that was due at `last`; those that were missed are not made up for.
pub(super) fn next(last: Timestamp, period: SignedDuration, now: Timestamp) -> Timestamp {
    tick(last, period.max(SHORTEST_BEAT), just_after(now))
}

impl Notify {
    /// The receivers that want a heartbeat and have none get their first one now; a beat that
    /// is further away than its period comes nearer.
    pub(super) fn start_heartbeats(&mut self, now: Timestamp, effects: &mut Effects) {
        let policies: Vec<_> = self.policies.values().cloned().collect();
        for policy in policies {
            let Some(period) = policy.heartbeat else {
                continue;
            };
            let key = format!("{}{{heartbeat}}", policy.receiver).into();
            let (mut group, at) = if let Some(group) = self.groups.remove(&key) {
                let at = group.flush_at().min(later(now, period.max(SHORTEST_BEAT)));
                (group, at)
            } else {
                let receiver = policy.receiver.clone();
                let labels = Labels::new();
                (
                    Group::open(key, GroupKind::Heartbeat, receiver, labels, now),
                    now,
                )
            };
            self.schedule(&mut group, at);
            put_group(&group, effects);
            self.groups.insert(group.key.clone(), group);
        }
    }
}
