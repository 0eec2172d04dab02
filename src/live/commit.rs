//! First on disk, then into the world.
//!
//! In: the effects of the engine's turns, in order. Out: the attempts among them, each only after
//! every batch in front of it is on disk; decisions, to the log and the counters.
//!
//! While one commit is under way the next effects gather and are committed together, so the disk
//! sets the pace and no notification waits for more than two commits.
//!
//! A state file that cannot be written (a full disk) does not silence the bridge: batches gather in
//! memory, the newest record of each key, and are tried again with back-off; attempts go on, marked
//! as unsaved. Until the file can be written a crash may tell twice what was told meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::logs;
use super::metrics::Metrics;
use crate::decision::Decision;
use crate::decision::ledger::Ledger;
use crate::engine::Effect;
use crate::journal::{Batch, Journal, JournalError, Key, Record};
use crate::outbox::Attempt;

/// How many turns are committed together at most.
const GROUP: usize = 256;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// An attempt that may be made now.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    pub attempt: Attempt,
    /// Whether everything that led to it is on disk.
    pub saved: bool,
}

/// Since the state file could not be written: why. For `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Option<String>>>);

impl Health {
    /// Why the state file cannot be written; `None` while it can.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Why committing ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another process owns the state now: going on would tell everything twice.
    #[error(transparent)]
    Fenced(JournalError),
    #[error("the journal panicked: {0}")]
    Panicked(tokio::task::JoinError),
}

/// Carries out effects in order.
pub struct Committer {
    /// Absent only while a commit is under way.
    journal: Option<Box<dyn Journal>>,
    epoch: u64,
    unsaved: BTreeMap<Key, Option<Record>>,
    trouble: Option<Trouble>,
    release: mpsc::UnboundedSender<Released>,
    metrics: Metrics,
    health: Health,
    ledger: SharedLedger,
}

/// What was decided lately, for those who ask while it is written.
pub type SharedLedger = Arc<Mutex<Ledger>>;

#[derive(Clone, Copy)]
struct Trouble {
    retry_at: Instant,
    wait: Duration,
}

impl Committer {
    /// `release` takes what may be sent; it is unbounded because the outbox bounds what is under
    /// way at once.
    #[must_use]
    pub fn new(
        journal: Box<dyn Journal>,
        epoch: u64,
        release: mpsc::UnboundedSender<Released>,
        metrics: Metrics,
        ledger: SharedLedger,
    ) -> Self {
        Self {
            journal: Some(journal),
            epoch,
            unsaved: BTreeMap::new(),
            trouble: None,
            release,
            metrics,
            health: Health::default(),
            ledger,
        }
    }

    /// How the state file fares.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Runs until the last sender of `turns` is gone and everything is on disk, as far as it can be.
    ///
    /// # Errors
    /// Another process took over, or the journal panicked.
    pub async fn run(mut self, mut turns: mpsc::Receiver<Vec<Effect>>) -> Result<(), CommitError> {
        let mut effects = Vec::new();
        loop {
            let retry_at = self.trouble.map(|trouble| trouble.retry_at);
            let received = tokio::select! {
                received = turns.recv_many(&mut effects, GROUP) => received,
                () = wait_until(retry_at) => {
                    self.commit().await?;
                    continue;
                }
            };
            if received == 0 {
                return self.commit().await;
            }
            self.turn(effects.drain(..).flatten().collect()).await?;
        }
    }

    async fn turn(&mut self, effects: Vec<Effect>) -> Result<(), CommitError> {
        let mut then = Vec::with_capacity(effects.len());
        for effect in effects {
            match effect {
                Effect::Persist(batch) => self.unsaved.extend(batch.0),
                other => {
                    if let Effect::Decided(decision) = &other {
                        self.note(decision);
                    }
                    then.push(other);
                }
            }
        }
        if self.trouble.is_none() {
            self.commit().await?;
        }
        let saved = self.trouble.is_none();
        self.metrics.unsaved(self.unsaved.len());
        for effect in then {
            match effect {
                Effect::Decided(decision) => {
                    self.metrics.decided(&decision);
                    logs::decided(&decision);
                }
                Effect::Deliver(attempt) => {
                    // Nobody makes attempts any more once the bridge stops: they stay in the outbox.
                    let _ = self.release.send(Released { attempt, saved });
                }
                Effect::Persist(_) => {}
            }
        }
        Ok(())
    }

    /// Takes a decision down in the ledger.
    fn note(&mut self, decision: &Decision) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, entry) in ledger.note(decision) {
            let record = entry.map(|entry| Record::Decision(Box::new(entry)));
            self.unsaved.insert(Key::Decision(number), record);
        }
    }

    /// Commits what is unsaved, off the runtime's threads.
    async fn commit(&mut self) -> Result<(), CommitError> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let Some(mut journal) = self.journal.take() else {
            return Ok(());
        };
        let batch = Batch(std::mem::take(&mut self.unsaved).into_iter().collect());
        let epoch = self.epoch;
        let began = Instant::now();
        let commit = spawn_blocking(move || {
            let outcome = journal.commit(&batch, epoch);
            (journal, batch, outcome)
        });
        let (journal, batch, outcome) = commit.await.map_err(CommitError::Panicked)?;
        self.journal = Some(journal);
        match outcome {
            Ok(()) => {
                self.metrics.committed(began.elapsed());
                self.metrics.unsaved(0);
                if self.trouble.take().is_some() {
                    self.health.set(None);
                    tracing::info!("the state file can be written again; everything is saved");
                }
                Ok(())
            }
            Err(fenced @ JournalError::Fenced { .. }) => Err(CommitError::Fenced(fenced)),
            Err(error) => {
                self.unsaved = batch.0.into_iter().collect();
                self.failed(&error);
                Ok(())
            }
        }
    }

    fn failed(&mut self, error: &JournalError) {
        let wait = match self.trouble {
            Some(Trouble { wait, .. }) => (wait * 2).min(LAST_RETRY),
            None => FIRST_RETRY,
        };
        self.trouble = Some(Trouble {
            retry_at: Instant::now() + wait,
            wait,
        });
        self.metrics.commit_failed();
        self.health.set(Some(error.to_string()));
        tracing::error!(
            unsaved = self.unsaved.len(),
            help = error.help(),
            "{error}; deliveries go on, unsaved; trying again in {wait:?}"
        );
    }
}

async fn wait_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
