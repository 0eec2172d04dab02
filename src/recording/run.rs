//! A recording of a bridge that ran: everything that its engine was given, and when, and what it
//! decided.
//!
//! In: what the engine began with, and its [`Turn`]s. Out: a compressed file of JSON lines, and the
//! same again. Whoever gives all of it to an engine again, in that order and at those moments, gets
//! the same decisions: the engine knows nothing else. Objects are what the bridge kept of them,
//! redacted; documents stand in it without credentials.
//!
//! Nothing in it is random: what a failed attempt waits is a hash of what failed, not a dice.

mod read;
mod write;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::engine::{Effect, Input, Setup};
use crate::journal::{Key, Record};
use crate::names::NotificationId;
use crate::notify::SilenceChange;
use crate::outbox::{Delivery, OutboxChange};
use crate::setup::written::Written;
use crate::watch::Signalled;

pub use read::RunRecording;
pub use write::RunRecorder;

/// What stands in a recording of a run, in this order: how it began, and its turns.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Began(Box<Began>),
    Turn(Turn),
    Lost(Lost),
}

/// What an engine began with.
#[derive(Clone, Debug, PartialEq)]
pub struct Began {
    pub at: Timestamp,
    /// The `cluster` label.
    pub cluster: Arc<str>,
    pub written: Written,
    /// What its state file held.
    pub records: Vec<(Key, Record)>,
}

/// What an engine was given at one moment, with [`Input::Tick`] after it, and what it decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub at: Timestamp,
    pub inputs: Vec<Taken>,
    pub decided: Decided,
}

/// What an engine decided in a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempted>,
}

/// An attempt that was to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    pub id: NotificationId,
    /// Which one it is, from 1.
    pub number: u32,
}

/// An [`Input`], as it can be written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Taken {
    Said(Signalled),
    Delivered(NotificationId, Delivery),
    Reloaded(Box<Written>),
    Silences(Vec<SilenceChange>),
    Outbox(Vec<OutboxChange>),
    Draining,
}

/// What could not be written because too much was happening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub turns: u64,
    pub inputs: u64,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// What the state file held.
    State(Key, Box<Record>),
    /// The engine begins with this, and with the state before it.
    Began {
        at: Timestamp,
        cluster: Arc<str>,
        written: Box<Written>,
    },
    In(Box<Taken>),
    /// The inputs before it were given then, and this was decided.
    Turn {
        at: Timestamp,
        #[serde(flatten)]
        decided: Decided,
    },
    Lost(Lost),
}

impl Taken {
    /// An input; `written` is what an [`Input::Reloaded`] was made of. Nothing is as good as a
    /// [`Input::Tick`]: every turn ends with one.
    #[must_use]
    pub fn of(input: &Input, written: impl FnOnce() -> Option<Box<Written>>) -> Option<Self> {
        Some(match input {
            Input::Signalled(signalled) => Self::Said(signalled.clone()),
            Input::Delivered { id, delivery } => Self::Delivered(id.clone(), delivery.clone()),
            Input::Reloaded(_) => Self::Reloaded(written()?),
            Input::SilencesChanged(changes) => Self::Silences(changes.clone()),
            Input::OutboxChanged(changes) => Self::Outbox(changes.clone()),
            Input::Draining => Self::Draining,
            Input::Tick => return None,
        })
    }

    /// The same input; `setup` makes what a bridge runs on of its documents.
    ///
    /// # Errors
    /// Those of `setup`.
    pub fn input<E>(self, setup: impl FnOnce(&Written) -> Result<Setup, E>) -> Result<Input, E> {
        Ok(match self {
            Self::Said(signalled) => Input::Signalled(signalled),
            Self::Delivered(id, delivery) => Input::Delivered { id, delivery },
            Self::Reloaded(written) => Input::Reloaded(setup(&written)?),
            Self::Silences(changes) => Input::SilencesChanged(changes),
            Self::Outbox(changes) => Input::OutboxChanged(changes),
            Self::Draining => Input::Draining,
        })
    }
}

impl Decided {
    #[must_use]
    pub fn of(effects: &[Effect]) -> Self {
        let mut decided = Self::default();
        for effect in effects {
            match effect {
                Effect::Decided(decision) => decided.decisions.push(decision.clone()),
                Effect::Deliver(attempt) => decided.attempts.push(Attempted {
                    id: attempt.notification.id.clone(),
                    number: attempt.number,
                }),
                Effect::Persist(_) => {}
            }
        }
        decided
    }
}

#[cfg(test)]
mod tests;
