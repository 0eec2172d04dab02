//! Counts of one stream, for metrics: written by the stream, read by whoever likes.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happened on a stream since it was started.
#[derive(Debug, Default)]
pub struct WatchStats {
    /// Watch requests that the server accepted; the first one and every one after it.
    pub connections: Counter,
    /// Attempts that failed: refused, cut, silent, expired.
    pub failures: Counter,
    /// Complete lists.
    pub lists: Counter,
    /// Objects and Events received, in lists and after them.
    pub received: Counter,
    /// Bookmarks received.
    pub bookmarks: Counter,
    /// Lines that could not be understood and were skipped.
    pub refused: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
