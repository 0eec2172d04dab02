//! A group: the alerts of one receiver that are told of together, Alertmanager's `aggrGroup`.
//!
//! It knows what its receiver has heard and when it is looked at next. It decides nothing
//! about limits and writes nothing down.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::dedup::Standing;
use super::mute::Mute;
use super::notification::{Cause, MAX_ALERTS, Notification, Status};
use super::policy::{GroupBy, Policy};
use super::timers::{Rank, later, tick};
use super::{SHORTEST_INTERVAL, digest};
use crate::alert::{Alert, Nature, State};
use crate::names::{
    Fingerprint, GroupKey, Labels, NotificationId, ReceiverName, RouteName, RuleName,
};

/// What holds a group together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// The labels that the receiver groups by.
    Labels,
    /// A limit held its alerts back.
    Digest,
    /// Nothing: it has no alerts and is told on a beat.
    Heartbeat,
}

/// A group as it is kept in the journal; its members are [`MemberRecord`]s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub kind: GroupKind,
    pub receiver: ReceiverName,
    /// The route that brings its alerts, and its times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteName>,
    /// Of a digest: the rule whose own limit held its alerts back; none: the receiver's did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    pub labels: Labels,
    /// How many notifications this group has had: the next one's part of the idempotency key.
    pub sequence: u64,
    /// When the group is looked at next.
    pub flush_at: Timestamp,
    /// When it last spoke: its ticks are whole group intervals after that.
    pub flushed_at: Option<Timestamp>,
    /// When its last notification about states was decided: what `repeatInterval` counts from.
    pub notified_at: Option<Timestamp>,
    /// The receiver was told that somebody is at it, and all of it is silenced since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledged: bool,
}

/// What a receiver knows of one alert, as it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    pub group: GroupKey,
    pub heard: Heard,
}

/// What was decided to be told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heard {
    Nothing,
    Firing,
    /// That it fires; but its group was told of without it since, while it was muted.
    LeftOut,
    /// That it occurred this many times. It has left its group and is remembered so that the
    /// next count waits for `repeatInterval`.
    Occurred {
        at: Timestamp,
        count: u64,
    },
}

/// A group of alerts at one receiver.
#[derive(Debug)]
pub struct Group {
    pub key: GroupKey,
    pub(crate) record: GroupRecord,
    pub(crate) members: BTreeMap<Fingerprint, Arc<Alert>>,
    /// Members that fire and were not told.
    pub(crate) untold: BTreeSet<Fingerprint>,
    /// Members that occurred and were not told.
    pub(crate) occurred: BTreeSet<Fingerprint>,
    /// Members that were told as firing and have resolved since.
    pub(crate) resolved: BTreeSet<Fingerprint>,
    /// Members that fire and may not be told now; in none of the sets above.
    pub(crate) muted: BTreeMap<Fingerprint, Mute>,
    /// Members that were told, and then the group without them.
    pub(crate) left_out: BTreeSet<Fingerprint>,
    /// Members of which it was said that they wait for the route's hours.
    pub(crate) shut: BTreeSet<Fingerprint>,
    /// The member whose rule may not act, while the group waits for that rule.
    pub(crate) blocked_by: Option<Fingerprint>,
}

/// What an update did to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The receiver will hear of it.
    News,
    /// It resolved before anything was told, and is no longer a member.
    Withdrawn,
    /// Nothing that the receiver would be told.
    Nothing,
}

impl Group {
    pub(crate) fn new(key: GroupKey, record: GroupRecord) -> Self {
        Self {
            key,
            record,
            members: BTreeMap::new(),
            untold: BTreeSet::new(),
            occurred: BTreeSet::new(),
            resolved: BTreeSet::new(),
            muted: BTreeMap::new(),
            left_out: BTreeSet::new(),
            shut: BTreeSet::new(),
            blocked_by: None,
        }
    }

    /// A group that nobody has heard of, first looked at at `flush_at`.
    pub(crate) fn open(
        key: GroupKey,
        kind: GroupKind,
        receiver: ReceiverName,
        labels: Labels,
        flush_at: Timestamp,
    ) -> Self {
        let record = GroupRecord {
            kind,
            receiver,
            route: None,
            rule: None,
            labels,
            sequence: 0,
            flush_at,
            flushed_at: None,
            notified_at: None,
            acknowledged: false,
        };
        Self::new(key, record)
    }

    #[must_use]
    pub fn receiver(&self) -> &ReceiverName {
        &self.record.receiver
    }

    #[must_use]
    pub fn kind(&self) -> GroupKind {
        self.record.kind
    }

    /// When the group is looked at next.
    #[must_use]
    pub fn flush_at(&self) -> Timestamp {
        self.record.flush_at
    }

    /// Its alerts: those that fire or occurred, and those whose resolve is yet to be told.
    pub fn alerts(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.members.values()
    }

    /// Whether the group waits for a rule that may not act now.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.blocked_by.is_some()
    }

    pub(crate) fn rank(&self) -> Rank {
        match self.record.kind {
            GroupKind::Digest => Rank::Digest,
            _ => Rank::Other,
        }
    }

    /// Takes in an alert with what the receiver has heard of it.
    pub(crate) fn insert(&mut self, alert: &Arc<Alert>, heard: Heard) {
        let fingerprint = alert.fingerprint;
        self.members.insert(fingerprint, Arc::clone(alert));
        if alert.nature == Nature::Occurrence {
            self.occurred.insert(fingerprint);
        } else if heard == Heard::Nothing {
            self.untold.insert(fingerprint);
        } else {
            if heard == Heard::LeftOut {
                self.left_out.insert(fingerprint);
            }
            if alert.state == State::Resolved {
                self.resolved.insert(fingerprint);
            } else if heard == Heard::LeftOut {
                self.untold.insert(fingerprint);
            }
        }
    }

    /// Takes a member out, told or not.
    pub(crate) fn take(&mut self, fingerprint: Fingerprint) -> Option<Arc<Alert>> {
        self.untold.remove(&fingerprint);
        self.occurred.remove(&fingerprint);
        self.resolved.remove(&fingerprint);
        self.muted.remove(&fingerprint);
        self.left_out.remove(&fingerprint);
        self.shut.remove(&fingerprint);
        self.members.remove(&fingerprint)
    }

    /// A member changed.
    pub(crate) fn update(&mut self, alert: &Arc<Alert>) -> Change {
        let fingerprint = alert.fingerprint;
        self.members.insert(fingerprint, Arc::clone(alert));
        if alert.nature == Nature::Occurrence || alert.state != State::Resolved {
            if self.resolved.remove(&fingerprint) && self.left_out.contains(&fingerprint) {
                self.untold.insert(fingerprint);
                return Change::News;
            }
            return Change::Nothing;
        }
        let muted_unheard = self
            .muted
            .get(&fingerprint)
            .map(|it| it.heard == Heard::Nothing);
        let untold = self.untold.contains(&fingerprint) && !self.left_out.contains(&fingerprint);
        if untold || muted_unheard == Some(true) {
            self.take(fingerprint);
            return Change::Withdrawn;
        }
        self.untold.remove(&fingerprint);
        self.muted.remove(&fingerprint);
        if self.resolved.insert(fingerprint) {
            Change::News
        } else {
            Change::Nothing
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        let not_told = self.untold.len() + self.muted.len();
        let not_firing = not_told + self.occurred.len() + self.resolved.len();
        Standing {
            untold: self.untold.len(),
            firing: self.members.len() - not_firing,
            resolved: self.resolved.len(),
            heard_before: self.heard_before(),
            notified_at: self.record.notified_at,
            digest: self.record.kind == GroupKind::Digest,
        }
    }

    /// When the group is to be looked at next, always after `now` if it has spoken before; for
    /// one that holds alerts back, its limit has a word too.
    pub(crate) fn next_flush(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        let Some(flushed_at) = self.record.flushed_at else {
            return later(now, policy.group_wait);
        };
        let interval = policy.group_interval.max(SHORTEST_INTERVAL);
        let standing = self.standing();
        let resolves = if standing.digest {
            standing.resolved > 0 && standing.firing == 0
        } else {
            standing.resolved > 0
        };
        if standing.untold > 0 || !self.occurred.is_empty() || resolves {
            return tick(flushed_at, interval, now);
        }
        let unmuted = tick(flushed_at, interval, self.unmuted_at().max(just_after(now)));
        if standing.firing == 0 && !self.muted.is_empty() {
            return unmuted;
        }
        let quiet_until = match self.record.notified_at {
            Some(notified_at) if standing.firing > 0 => later(notified_at, policy.repeat_interval),
            _ => flushed_at,
        };
        let next = tick(flushed_at, interval, quiet_until);
        if next > now {
            next.min(unmuted)
        } else {
            tick(flushed_at, interval, just_after(now))
        }
    }

    /// The group's next notification: of the members among `firing` and `resolved`, the newest
    /// first, as many as one may hold.
    pub(crate) fn notification<'a>(
        &mut self,
        now: Timestamp,
        cause: Cause,
        firing: impl Iterator<Item = &'a Fingerprint>,
        resolved: impl Iterator<Item = &'a Fingerprint>,
    ) -> Notification {
        let firing = newest_first(&self.members, firing);
        let resolved = newest_first(&self.members, resolved);
        let all = firing.len() + resolved.len();
        let digest = match self.record.kind {
            GroupKind::Digest => digest::lines(firing.iter().chain(&resolved)),
            _ => Vec::new(),
        };
        self.record.sequence += 1;
        self.record.flushed_at = Some(now);
        Notification {
            id: notification_id(&self.key, self.record.sequence, now),
            receiver: self.record.receiver.clone(),
            group: self.key.clone(),
            group_labels: self.record.labels.clone(),
            status: match cause {
                Cause::Resolved => Status::Resolved,
                _ => Status::Firing,
            },
            cause,
            opens: false,
            instead_of: None,
            first: Vec::new(),
            at: now,
            omitted: all.saturating_sub(MAX_ALERTS) as u64,
            alerts: firing
                .into_iter()
                .chain(resolved)
                .take(MAX_ALERTS)
                .cloned()
                .collect(),
            digest,
        }
    }
}

/// The smallest step of time later.
pub(crate) fn just_after(now: Timestamp) -> Timestamp {
    later(now, SignedDuration::from_nanos(1))
}

fn newest_first<'m, 'f>(
    members: &'m BTreeMap<Fingerprint, Arc<Alert>>,
    chosen: impl Iterator<Item = &'f Fingerprint>,
) -> Vec<&'m Arc<Alert>> {
    let mut alerts: Vec<_> = chosen.filter_map(|one| members.get(one)).collect();
    alerts.sort_unstable_by_key(|alert| {
        let began = alert.fired_at.unwrap_or(alert.active_since);
        (Reverse(began), alert.fingerprint)
    });
    alerts
}

/// The idempotency key: what is decided a second time at another moment is another notification.
fn notification_id(group: &GroupKey, sequence: u64, at: Timestamp) -> NotificationId {
    let sequence = sequence.to_string();
    let at = at.as_nanosecond().to_string();
    Fingerprint::of(&["notification", group.as_str(), &sequence, &at])
        .to_string()
        .into()
}

/// The group that an alert belongs to at a receiver, and the labels that make it.
pub(crate) fn group_of(policy: &Policy, alert: &Alert) -> (GroupKey, Labels) {
    let labels: Labels = match &policy.group_by {
        GroupBy::All => alert.labels.clone(),
        GroupBy::Labels(names) => names
            .iter()
            .filter_map(|name| alert.labels.get_key_value(name))
            .map(|(name, value)| (Arc::clone(name), Arc::clone(value)))
            .collect(),
    };
    let mut key = match &policy.route {
        Some(route) => format!("{}@{route}{{", policy.receiver),
        None => format!("{}{{", policy.receiver),
    };
    for (place, (name, value)) in labels.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(key, "{comma}{name}={value:?}");
    }
    if policy.group_by == GroupBy::All {
        // Two alerts of the same labels are still two groups.
        let _ = write!(key, "#{}", alert.fingerprint);
    }
    key.push('}');
    (key.into(), labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::fixture::{alert, policy};

    #[test]
    fn a_key_names_the_receiver_and_the_labels_that_the_alert_has() {
        let mut policy = policy("chat");
        policy.group_by = GroupBy::Labels(vec!["name".into(), "alertname".into(), "zone".into()]);
        let (key, labels) = group_of(&policy, &alert("failed", "db-\"1\"", 0));
        insta::assert_snapshot!(key, @r#"chat{alertname="failed",name="db-\"1\""}"#);
        assert_eq!(labels.len(), 2);
    }

    #[test]
    fn ungrouped_alerts_are_groups_of_one_even_with_equal_labels() {
        let mut policy = policy("chat");
        policy.group_by = GroupBy::All;
        let one = alert("failed", "db", 0);
        let mut other = one.clone();
        other.fingerprint = Fingerprint::of(&["another"]);
        assert_ne!(group_of(&policy, &one).0, group_of(&policy, &other).0);
    }

    #[test]
    fn an_id_tells_groups_sequences_and_moments_apart() {
        let at = crate::notify::fixture::at;
        let id = notification_id(&"a{}".into(), 1, at(0));
        assert_eq!(id, notification_id(&"a{}".into(), 1, at(0)));
        assert_ne!(id, notification_id(&"b{}".into(), 1, at(0)));
        assert_ne!(id, notification_id(&"a{}".into(), 2, at(0)));
        assert_ne!(id, notification_id(&"a{}".into(), 1, at(1)));
    }
}
