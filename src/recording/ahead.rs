//! A recording is read on a thread of its own: lines are inflated and parsed while rules look at
//! those before them.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::{Frame, Recording, RecordingError};

/// So many frames go over at once.
const BATCH: usize = 32;
/// So many times that wait at most.
const BATCHES: usize = 4;

type Read = Result<Frame, RecordingError>;

impl Recording {
    /// Gives all that is still to be read, in order; nothing follows an error.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn read_ahead<T>(
        &mut self,
        take: impl FnOnce(&mut dyn Iterator<Item = Read>) -> T,
    ) -> io::Result<T> {
        thread::scope(|scope| {
            let (batches, read) = sync_channel(BATCHES);
            let reader = thread::Builder::new().name("recording".to_owned());
            reader.spawn_scoped(scope, move || self.send(&batches))?;
            Ok(take(&mut read.into_iter().flatten()))
        })
    }

    /// Until the end, or until nobody listens any more.
    fn send(&mut self, batches: &SyncSender<Vec<Read>>) {
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH && batch.last().is_none_or(Read::is_ok) {
                match self.read().transpose() {
                    Some(read) => batch.push(read),
                    None => break,
                }
            }
            let failed = batch.last().is_some_and(Read::is_err);
            let is_last = failed || batch.len() < BATCH;
            if batches.send(batch).is_err() || is_last {
                return;
            }
        }
    }
}
