//! What the engine asks of the shell.

use jiff::Timestamp;

use crate::decision::{About, Decision, Reason};
use crate::journal::{Batch, Key, Record};
use crate::outbox::Attempt;
use crate::planted::{self, Bug};

/// One thing for the shell to do. Effects are carried out in order, and nothing is delivered
/// before the batch that stands in front of it is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Commit this, whole or not at all.
    Persist(Batch),
    /// Make this attempt and come back with its outcome.
    Deliver(Attempt),
    /// Tell those who ask why.
    Decided(Decision),
}

/// The effects of one step while it runs: each stage adds its own.
#[derive(Debug, Default)]
pub struct Effects {
    batch: Batch,
    decisions: Vec<Decision>,
    attempts: Vec<Attempt>,
}

impl Effects {
    pub fn put(&mut self, key: Key, record: Record) {
        self.batch.put(key, record);
    }

    pub fn remove(&mut self, key: Key) {
        self.batch.remove(key);
    }

    pub fn deliver(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
    }

    pub fn decide(&mut self, at: Timestamp, reason: Reason, about: About) {
        self.decide_until(at, reason, about, None);
    }

    pub fn decide_until(
        &mut self,
        at: Timestamp,
        reason: Reason,
        about: About,
        until: Option<Timestamp>,
    ) {
        self.decisions.push(Decision {
            at,
            reason,
            about,
            until,
        });
    }

    /// How many things were asked for so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.0.len() + self.decisions.len() + self.attempts.len()
    }

    /// Whether nothing was asked for so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.decisions.is_empty() && self.attempts.is_empty()
    }

    /// All of it, in the order in which it must be carried out: one batch, then the rest.
    #[must_use]
    pub fn into_vec(self) -> Vec<Effect> {
        let mut effects = Vec::with_capacity(1 + self.decisions.len() + self.attempts.len());
        if !self.batch.is_empty() {
            effects.push(Effect::Persist(self.batch));
        }
        effects.extend(self.decisions.into_iter().map(Effect::Decided));
        effects.extend(self.attempts.into_iter().map(Effect::Deliver));
        if planted::has(Bug::DeliverBeforePersist) {
            effects.reverse();
        }
        effects
    }
}
