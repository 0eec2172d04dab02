//! What must survive a crash.
//!
//! In: a [`Batch`] of records from the engine, committed whole or not at all. Out, once, at
//! the start: everything that was committed. It decides nothing.
//!
//! This file holds the types, the promise ([`Journal`]) and its errors; [`Store`] keeps it in one
//! file, [`Memory`] only while the process lives.

pub mod codec;
pub mod error;
pub mod lock;
pub mod memory;
pub mod store;

pub use error::JournalError;
pub use memory::Memory;
pub use store::Store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::cel::PathSet;
use crate::decision::ledger::Entry;
use crate::names::{
    Fingerprint, GroupKey, NotificationId, ReceiverName, RuleName, SilenceName, SourceKey, Uid,
};
use crate::outbox::{DeadLetter, Posted, Waiting};
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
    /// Of a rule by itself, there.
    RuleLimit(ReceiverName, RuleName),
    Silence(SilenceName),
    Dead(NotificationId),
    /// By its number in the ledger.
    Decision(u64),
    /// The message of a group that its receiver can change.
    Post(ReceiverName, GroupKey),
    /// A group of which the receiver's fallback was told.
    Fallen(ReceiverName, GroupKey),
    /// A rule that cannot be evaluated: on an object about which it has an alert, or on all.
    Notice(RuleName, Option<Uid>),
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
    Silence(crate::notify::Silence),
    Dead(DeadLetter),
    Decision(Box<Entry>),
    Post(Posted),
    Fallen(crate::outbox::Fallen),
    /// It was told.
    Notice,
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

    /// Adds what a later batch changes, so that both are committed as one.
    pub fn append(&mut self, later: Batch) {
        self.0.extend(later.0);
    }
}

/// The promise: what `commit` said yes to is there after a crash, whole; what it did not say yes
/// to is there whole or not at all.
pub trait Journal: Send {
    /// Everything that was committed, in the order of [`Key`].
    ///
    /// # Errors
    /// The journal cannot be read, or a record in it cannot be understood.
    fn load(&mut self) -> Result<Vec<(Key, Record)>, JournalError>;

    /// Commits a batch. A later entry of one key wins. After an error the same batch may be
    /// committed again, also together with later ones.
    ///
    /// `epoch` is the fence between two writers that both believe to be the only one: once a
    /// newer epoch was seen, an older one is refused.
    ///
    /// # Errors
    /// Nothing of the batch can be relied upon.
    fn commit(&mut self, batch: &Batch, epoch: u64) -> Result<(), JournalError>;
}
