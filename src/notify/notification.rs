//! A message that somebody should get, before it is put into words.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Nature};
use crate::names::{Fingerprint, GroupKey, Labels, NotificationId, ReceiverName, RuleName};

/// How many alerts one notification holds; `omitted` counts the others. No receiver shows
/// more, and an outbox record stays bounded whatever happens in the cluster.
pub const MAX_ALERTS: usize = 500;

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
    /// Somebody has silenced all of a group that was told of.
    Acknowledged,
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
    /// Nothing that fires was told of this group before: if it is taken back, nobody has heard
    /// that anything was wrong.
    pub opens: bool,
    /// Of `alerts`, those whose firing nothing before this told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<Fingerprint>,
    /// When it was decided.
    pub at: Timestamp,
    /// Firing alerts first, then those resolved since the last notification; each the newest
    /// first, and at most [`MAX_ALERTS`] in all.
    pub alerts: Vec<Arc<Alert>>,
    /// How many more alerts there are than `alerts` holds.
    pub omitted: u64,
    /// With [`Cause::Digest`]: what was held back, counted by rule.
    pub digest: Vec<Digest>,
    /// The receiver that did not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<ReceiverName>,
}

impl Notification {
    /// Whether more will be said of its group: something in it will be over. What only happened is
    /// told once.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let mut alerts = self.alerts.iter();
        alerts.any(|alert| alert.nature == Nature::State)
    }
}

/// One line of a digest: "37 more from database-failed, 12 namespaces".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub rule: RuleName,
    pub alerts: u64,
    pub namespaces: u64,
}
