//! A receiver that fails is left alone: one attempt at a time until one succeeds.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::backoff;
use crate::names::{NotificationId, ReceiverName};
use crate::notify::later;

/// So many different notifications fail one after another before the breaker opens: a single
/// bad one, however often it fails, is not a broken receiver.
const TRIPS_AT: usize = 5;

/// The state of one receiver's breaker. It lives in memory only: after a restart it takes a
/// few failures to learn again.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// What failed since the last success, up to [`TRIPS_AT`].
    failed: BTreeSet<NotificationId>,
    /// How many attempts failed while open.
    probes: u32,
    /// While open: no attempt before this moment.
    probe_at: Option<Timestamp>,
}

impl Breaker {
    /// The receiver answered: it is there.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// An attempt failed.
    pub(crate) fn failed(&mut self, now: Timestamp, receiver: &ReceiverName, id: &NotificationId) {
        if self.failed.len() < TRIPS_AT {
            self.failed.insert(id.clone());
        }
        if self.is_open() {
            self.probes = self.probes.saturating_add(1);
            let wait = backoff::delay(receiver.as_str(), self.probes);
            self.probe_at = Some(later(now, wait));
        }
    }

    /// Whether only one attempt at a time is allowed.
    pub(crate) fn is_open(&self) -> bool {
        self.failed.len() >= TRIPS_AT
    }

    /// No attempt before this moment.
    pub(crate) fn probe_at(&self) -> Option<Timestamp> {
        self.probe_at
    }
}
