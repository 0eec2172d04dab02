//! What is decided and not yet delivered: a queue for each receiver that survives a crash.
//!
//! In: notifications, outcomes of attempts, time. Out: the attempts that are due now. It
//! talks to nobody: the shell makes the attempt and comes back with its [`Outcome`].

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::notify::Notification;

/// Make this attempt now.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub notification: Arc<Notification>,
    /// Which one it is, from 1.
    pub number: u32,
}

/// A notification that waits, as it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub notification: Arc<Notification>,
    pub attempts: u32,
    /// No attempt before this moment.
    pub not_before: Timestamp,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver said yes.
    Accepted,
    /// Try again, not before this much time has passed if the receiver said so.
    Retry {
        after: Option<SignedDuration>,
        why: String,
    },
    /// The receiver will never accept it.
    Refused { why: String },
}
#[derive(Debug, Default)]
pub struct Outbox;
impl Outbox {
    pub fn restore(_: Timestamp, _: &[crate::notify::Policy], _: Vec<Waiting>) -> Self {
        Self
    }
    pub fn push(&mut self, _: Timestamp, _: Notification, _: &mut crate::engine::Effects) {}
    pub fn due(&mut self, _: Timestamp, _: &mut crate::engine::Effects) {}
    pub fn delivered(
        &mut self,
        _: Timestamp,
        _: &crate::names::NotificationId,
        _: Outcome,
        _: &mut crate::engine::Effects,
    ) {
    }
    pub fn next_wake(&self) -> Option<Timestamp> {
        None
    }
    pub fn depths(&self) -> Vec<(crate::names::ReceiverName, usize)> {
        vec![]
    }
}
