//! What must survive a crash.
//!
//! In: a [`Batch`] of records from the engine, committed whole or not at all. Out, once, at
//! the start: everything that was committed. It decides nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::cel::PathSet;
use crate::names::{Fingerprint, GroupKey, NotificationId, ReceiverName, SourceKey, Uid};
use crate::outbox::Waiting;
use crate::transition::{EventSeen, ObjectSeen};

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
