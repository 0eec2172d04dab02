//! Everything that the engine is given goes into a file too, if somebody asked for it.
//!
//! In: turns of the engine, in order. Out: a [`crate::recording::run`], written by a thread of its
//! own. The bridge never waits for it: what there is no room for is counted, left out, and said in
//! the file; where the file cannot be written, the recording ends and the bridge goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::metrics::Metrics;
use crate::engine::{Effect, Input};
use crate::recording::RecordingError;
use crate::recording::run::{Began, Decided, Entry, Lost, RunRecorder, Taken, Turn};
use crate::setup::written::Written;

/// Inputs that wait for the disk at most. An object is about a kilobyte: 32 MB.
const MOST: usize = 32_768;
/// Turns that wait for the disk at most.
const TURNS: usize = 4_096;
/// How often what was written is made safe.
const FLUSH: Duration = Duration::from_secs(2);

/// Where the engine's loop puts its turns.
pub struct Feed {
    entries: SyncSender<Entry>,
    /// Inputs on their way to the disk.
    waiting: Arc<AtomicUsize>,
    /// What the reloads among the next inputs were made of.
    reloads: VecDeque<Box<Written>>,
    /// What could not be written since the last turn that was.
    lost: Lost,
    /// Nobody writes any more.
    is_over: bool,
    metrics: Metrics,
}

/// Begins to write. The second part says when all is written.
#[must_use]
pub fn start(
    recorder: RunRecorder,
    began: Began,
    metrics: Metrics,
) -> (Feed, oneshot::Receiver<()>) {
    let (entries, to_write) = sync_channel(TURNS);
    let (over, is_over) = oneshot::channel();
    let waiting = Arc::<AtomicUsize>::default();
    let writer = Writer {
        recorder,
        entries: to_write,
        waiting: waiting.clone(),
    };
    metrics.recording(true);
    let of_thread = metrics.clone();
    let thread = std::thread::Builder::new().name("recording".to_owned());
    let thread = thread.spawn(move || {
        if let Err(error) = writer.run(began) {
            tracing::error!("the recording ends here, the bridge goes on: {error}");
        }
        of_thread.recording(false);
        // Nobody waits for it while the bridge runs.
        let _ = over.send(());
    });
    if let Err(error) = thread {
        tracing::error!("nothing is recorded: no thread can be started: {error}");
        metrics.recording(false);
    }
    let feed = Feed {
        entries,
        waiting,
        reloads: VecDeque::new(),
        lost: Lost::default(),
        is_over: false,
        metrics,
    };
    (feed, is_over)
}

impl Feed {
    /// What the next [`Input::Reloaded`] is made of.
    pub fn reloaded(&mut self, written: Box<Written>) {
        self.reloads.push_back(written);
    }

    /// These inputs, as they can be written, if anybody still writes.
    pub fn take(&mut self, inputs: &[Input]) -> Option<Vec<Taken>> {
        if self.is_over {
            return None;
        }
        let reloads = &mut self.reloads;
        let taken = inputs
            .iter()
            .filter_map(|input| Taken::of(input, || reloads.pop_front()));
        Some(taken.collect())
    }

    /// Writes a turn, or counts it among what is lost.
    pub fn turn(&mut self, at: jiff::Timestamp, inputs: Vec<Taken>, effects: &[Effect]) {
        let weight = 1 + inputs.len();
        if self.lost.turns > 0 && self.has_room(MOST / 2) && self.send(Entry::Lost(self.lost), 1) {
            let Lost { turns, inputs } = std::mem::take(&mut self.lost);
            tracing::warn!(
                turns,
                inputs,
                "the recording goes on; what is between is lost"
            );
        }
        let decided = Decided::of(effects);
        let turn = Turn {
            at,
            inputs,
            decided,
        };
        if self.lost.turns == 0 && self.has_room(MOST) && self.send(Entry::Turn(turn), weight) {
            return;
        }
        if self.is_over {
            return;
        }
        if self.lost.turns == 0 {
            tracing::warn!("the recording cannot keep up; what happens now is not in it");
        }
        self.lost.turns += 1;
        self.lost.inputs += weight as u64 - 1;
        self.metrics.unrecorded(weight as u64 - 1);
    }

    fn has_room(&self, most: usize) -> bool {
        self.waiting.load(Ordering::Relaxed) < most
    }

    fn send(&mut self, entry: Entry, weight: usize) -> bool {
        self.waiting.fetch_add(weight, Ordering::Relaxed);
        let Err(error) = self.entries.try_send(entry) else {
            return true;
        };
        self.waiting.fetch_sub(weight, Ordering::Relaxed);
        self.is_over = matches!(error, std::sync::mpsc::TrySendError::Disconnected(_));
        false
    }
}

struct Writer {
    recorder: RunRecorder,
    entries: Receiver<Entry>,
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    /// Writes until the engine's loop is over.
    fn run(mut self, began: Began) -> Result<(), RecordingError> {
        self.recorder.write(Entry::Began(Box::new(began)))?;
        self.recorder.flush()?;
        let (mut flushed, mut behind) = (Instant::now(), false);
        loop {
            match self.entries.recv_timeout(FLUSH) {
                Ok(entry) => {
                    let weight = match &entry {
                        Entry::Turn(turn) => 1 + turn.inputs.len(),
                        Entry::Lost(_) | Entry::Began(_) => 1,
                    };
                    self.recorder.write(entry)?;
                    self.waiting.fetch_sub(weight, Ordering::Relaxed);
                    behind = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.recorder.finish(),
            }
            if behind && flushed.elapsed() >= FLUSH {
                self.recorder.flush()?;
                (flushed, behind) = (Instant::now(), false);
            }
        }
    }
}

#[cfg(test)]
mod tests;
