//! From alert changes to notifications that are due: group, dedup, repeat, limit.
//!
//! In: alerts that fired, changed or resolved, and time. Out: [`Notification`]s, or a decision
//! why not. The order and the meaning of the words are Alertmanager's
//! (<https://prometheus.io/docs/alerting/latest/configuration/#route>). It sends nothing.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::names::{Fingerprint, GroupKey, Labels, NotificationId, ReceiverName};

/// What the core knows of a receiver: everything but where it is and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub receiver: ReceiverName,
    pub group_by: GroupBy,
    /// How long a new group waits for more alerts before its first notification.
    pub group_wait: SignedDuration,
    /// How long after a notification the group's next news are told.
    pub group_interval: SignedDuration,
    /// How long after a notification without news the group is told again.
    pub repeat_interval: SignedDuration,
    pub send_resolved: bool,
    pub limit: Option<Limit>,
    /// How many notifications may be under way at once.
    pub max_in_flight: u32,
    /// For how long a notification is tried.
    pub give_up_after: SignedDuration,
    pub heartbeat: Option<SignedDuration>,
}

/// Which labels make a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    Labels(Vec<Arc<str>>),
    /// `[...]`: every alert is a group of one.
    All,
}

/// At most this many notifications in that time, and this many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub notifications: u32,
    pub per: SignedDuration,
    pub burst: u32,
}

/// Whether a notification says that something is wrong, or that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Firing,
    Resolved,
}

/// What made a notification due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The first notification of its group.
    New,
    /// Alerts joined or left the group.
    Changed,
    /// Nothing changed for a whole `repeatInterval`.
    Repeat,
    /// All alerts of the group have resolved.
    Resolved,
    /// Something happened (`on` rules): told once.
    Occurred,
    /// What a limit had held back.
    Digest,
    /// A sign of life for a dead man's switch.
    Heartbeat,
    /// Somebody is trying a receiver out.
    Drill,
}

/// A message that somebody should get. It holds everything that its template may read and
/// nothing that can still change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The idempotency key.
    pub id: NotificationId,
    pub receiver: ReceiverName,
    pub group: GroupKey,
    pub group_labels: Labels,
    pub status: Status,
    pub cause: Cause,
    /// When it was decided.
    pub at: Timestamp,
    /// Firing alerts first, then those resolved since the last notification.
    pub alerts: Vec<Arc<Alert>>,
    /// How many more alerts there are than `alerts` holds.
    pub omitted: u64,
    /// With [`Cause::Digest`]: what was held back, counted by rule.
    pub digest: Vec<Digest>,
}

/// One line of a digest: "37 more from database-failed, 12 namespaces".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub rule: crate::names::RuleName,
    pub alerts: u64,
    pub namespaces: u64,
}

/// A group as it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub receiver: ReceiverName,
    pub labels: Labels,
    /// How many notifications this group has had: the next one's part of the idempotency key.
    pub sequence: u64,
    /// When the group is looked at next.
    pub flush_at: Timestamp,
    /// When its last notification was decided.
    pub notified_at: Option<Timestamp>,
    /// The alerts of the last notification that fired.
    pub told_firing: Vec<Fingerprint>,
    /// The alerts of the last notification that had resolved.
    pub told_resolved: Vec<Fingerprint>,
    /// All alerts that belong to the group now.
    pub members: Vec<Fingerprint>,
}

/// A limit's cell as it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitRecord {
    /// The cell's theoretical arrival time (GCRA).
    pub arrival: Timestamp,
    /// The alerts held back so far, for the digest.
    pub held: Vec<Fingerprint>,
}
#[derive(Debug, Default)]
pub struct Notify;
impl Notify {
    pub fn restore(
        _: Vec<Policy>,
        _: Vec<(GroupKey, GroupRecord)>,
        _: Vec<(ReceiverName, LimitRecord)>,
        _: &std::collections::BTreeMap<Fingerprint, Arc<Alert>>,
    ) -> Self {
        Self
    }
    pub fn alert(&mut self, _: Timestamp, _: &Arc<Alert>, _: &mut crate::engine::Effects) {}
    pub fn flush(
        &mut self,
        _: Timestamp,
        _: &dyn Fn(&Alert) -> bool,
        _: &mut crate::engine::Effects,
    ) -> Vec<Notification> {
        vec![]
    }
    pub fn next_wake(&self) -> Option<Timestamp> {
        None
    }
    pub fn take_released(&mut self) -> Vec<Fingerprint> {
        vec![]
    }
}
