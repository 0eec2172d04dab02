//! What must survive a crash.
//!
//! In: a [`Batch`] of records from the engine, committed whole or not at all. Out, once, at
//! the start: everything that was committed. It decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::cel::{Json, PathSet};
use crate::names::{Fingerprint, GroupKey, NotificationId, ReceiverName, RuleName, SourceKey, Uid};
use crate::outbox::Waiting;

/// Where a record stands. The order is the order of loading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    Source(SourceKey),
    Object(SourceKey, Uid),
    Event(Uid),
    Alert(Fingerprint),
    Group(GroupKey),
    Member(ReceiverName, Fingerprint),
    Outbox(ReceiverName, NotificationId),
    Limit(ReceiverName),
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The stream has completed a list; its objects are projections on these paths.
    Source(PathSet),
    Object(ObjectSeen),
    Event(EventSeen),
    Alert(Arc<Alert>),
    Group(crate::notify::GroupRecord),
    Member(crate::notify::MemberRecord),
    Outbox(Waiting),
    Limit(crate::notify::LimitRecord),
}

/// The last known state of an object: the fields that something reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectSeen {
    pub object: Arc<Json>,
    /// The last verdicts of the `on` rules that fire when they become true.
    #[serde(default)]
    pub verdicts: BTreeMap<RuleName, bool>,
}

/// How often a Kubernetes Event was seen, so that a relist or a restart fires only increases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSeen {
    pub count: u64,
    pub last_seen: Timestamp,
}

/// Changes that are committed together. A record of `None` is a removal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch(pub Vec<(Key, Option<Record>)>);

impl Batch {
    pub fn put(&mut self, key: Key, record: Record) {
        self.0.push((key, Some(record)));
    }

    pub fn remove(&mut self, key: Key) {
        self.0.push((key, None));
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
