//! The loop around the engine, its single owner: inputs in, effects out, one timer.
//!
//! All that has arrived is put in before time acts once ([`Input::Tick`]), so that a burst is told
//! together. Every queue in front of it and behind it is bounded: a slow disk slows the engine, a
//! slow engine slows the streams, and nothing piles up.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::recording::Feed;
use crate::engine::{Effect, Engine, Input, Setup, Status};
use crate::names::NotificationId;
use crate::notify::{Silence, SilenceChange};
use crate::outbox::{DeadLetter, Delivery, OutboxChange, Waiting};
use crate::setup::written::Written;
use crate::watch::{Signal, Signalled};

/// How many signals are taken before time acts: no flood keeps a timer waiting.
const BURST: usize = 1024;

/// No timer fires sooner than this after a turn: a mistake in one must not eat a processor.
const BREATH: Duration = Duration::from_millis(5);

/// Who wakes so much later than it meant to has stood still: suspended, frozen, or starved.
const STANDSTILL: SignedDuration = SignedDuration::from_secs(30);

/// How long attempts that are under way may take once the bridge is asked to stop. Kubernetes
/// kills after 30 s by default; we promise to be gone within 10.
pub const DRAIN: Duration = Duration::from_secs(8);

/// How an attempt ended, on its way to the engine.
#[derive(Debug)]
pub struct Ended {
    pub id: NotificationId,
    pub delivery: Delivery,
}

/// What was decided and not delivered.
#[derive(Debug)]
pub struct Undelivered {
    pub waiting: Vec<Queued>,
    pub dead: Vec<DeadLetter>,
}

/// What waits in a queue.
#[derive(Debug)]
pub struct Queued {
    pub waiting: Waiting,
    /// An attempt is being made.
    pub under_way: bool,
    /// When it is attempted next, if its turn has come.
    pub next: Option<Timestamp>,
}

/// A question to the engine.
#[derive(Debug)]
pub enum Question {
    Status(oneshot::Sender<Status>),
    /// Whether the loop still turns.
    Alive(oneshot::Sender<()>),
    /// All silences, with whether each was made while the bridge runs.
    Silences(oneshot::Sender<Vec<(Silence, bool)>>),
    /// What is not delivered.
    Outbox(oneshot::Sender<Undelivered>),
    /// Somebody sends again, or drops, what was not delivered.
    Change(OutboxChange, oneshot::Sender<()>),
    /// Somebody makes or ends a silence; the answer comes when the engine has it.
    Silence(SilenceChange, oneshot::Sender<()>),
}

/// Other rules and receivers. The streams that they change have ended: all that they said is on its
/// way already, and goes in first. Those that follow begin after the answer.
#[derive(Debug)]
pub struct Reload {
    pub setup: Setup,
    /// What it was made of, if somebody records it.
    pub written: Option<Box<Written>>,
    pub taken: oneshot::Sender<()>,
}

/// The ends of the channels that the engine is connected by.
pub struct Wires {
    pub signals: mpsc::Receiver<Signalled>,
    /// Who is told that the process stood still: the streams have to list again.
    pub stood_still: Arc<Notify>,
    pub ended: mpsc::UnboundedReceiver<Ended>,
    pub questions: mpsc::Receiver<Question>,
    pub reloads: mpsc::Receiver<Reload>,
    /// Where effects go, a turn at a time.
    pub turns: mpsc::Sender<Vec<Effect>>,
    /// Completes when the bridge is asked to stop.
    pub stop: oneshot::Receiver<()>,
}

/// The engine and what it is connected to.
pub struct Drive {
    engine: Engine,
    clock: Clock,
    wires: Wires,
    /// Where turns are recorded, if they are.
    feed: Option<Feed>,
    /// Attempts handed out and not yet ended.
    in_flight: u64,
    /// When to stop waiting for them.
    drained_by: Option<Instant>,
}

impl Drive {
    #[must_use]
    pub fn new(engine: Engine, clock: Clock, wires: Wires, feed: Option<Feed>) -> Self {
        Self {
            engine,
            clock,
            wires,
            feed,
            in_flight: 0,
            drained_by: None,
        }
    }

    /// Runs until it is asked to stop and no attempt is under way, or until nobody is left to
    /// carry out effects. Says how many attempts were left.
    pub async fn run(mut self) -> u64 {
        let mut inputs = Vec::new();
        loop {
            if self.turn(&mut inputs).await.is_err() {
                return self.in_flight;
            }
            if self.drained_by.is_some() && self.in_flight == 0 {
                return 0;
            }
            if !self.gather(&mut inputs).await {
                return self.in_flight;
            }
        }
    }

    /// Puts the inputs in, and then the time.
    async fn turn(&mut self, inputs: &mut Vec<Input>) -> Result<(), Gone> {
        let mut effects = Vec::new();
        let now = self.clock.now();
        let taken = self.feed.as_mut().and_then(|feed| feed.take(inputs));
        for input in inputs.drain(..).chain([Input::Tick]) {
            effects.extend(self.engine.step(now, input));
        }
        if let (Some(feed), Some(taken)) = (&mut self.feed, taken) {
            feed.turn(now, taken, &effects);
        }
        if effects.is_empty() {
            return Ok(());
        }
        let attempts = effects.iter().filter(|e| matches!(e, Effect::Deliver(_)));
        self.in_flight += attempts.count() as u64;
        self.wires.turns.send(effects).await.map_err(|_| Gone)
    }

    /// Waits for something to happen and takes all that has. False: waiting is over.
    async fn gather(&mut self, inputs: &mut Vec<Input>) -> bool {
        let began = self.clock.now();
        let wake = self.wake();
        let draining = self.drained_by.is_some();
        let mut signals = Vec::new();
        tokio::select! {
            // The streams end right after the bridge is asked to stop: that must be heard first, or
            // nobody waits for what is under way.
            biased;
            _ = &mut self.wires.stop, if !draining => {
                self.drained_by = Some(Instant::now() + DRAIN);
                inputs.push(Input::Draining);
            }
            // Nor does a flood of signals keep a probe waiting.
            Some(question) = self.wires.questions.recv() => self.answer(question, inputs),
            _ = self.wires.signals.recv_many(&mut signals, BURST), if !draining => {
                // Streams end with the bridge, never before it.
                if signals.is_empty() {
                    return false;
                }
            }
            Some(ended) = self.wires.ended.recv() => self.ended(ended, inputs),
            Some(reload) = self.wires.reloads.recv(), if !draining => {
                self.reload(reload, inputs);
            }
            () = until(wake) => {}
            () = until(self.drained_by) => return false,
        }
        inputs.extend(signals.into_iter().map(Input::Signalled));
        while let Ok(ended) = self.wires.ended.try_recv() {
            self.ended(ended, inputs);
        }
        self.notice_standstill(began, inputs);
        true
    }

    /// Where time passed that nothing was heard in, what is due must not act on what was heard before.
    fn notice_standstill(&mut self, began: Timestamp, inputs: &mut Vec<Input>) {
        let due = self.engine.next_wake().map(|wake| wake.max(began));
        let Some(late) = due.map(|due| self.clock.now().duration_since(due)) else {
            return;
        };
        if late <= STANDSTILL || self.drained_by.is_some() {
            return;
        }
        tracing::warn!("stood still for {late:#}: everything is listed again");
        let signalled = |source| {
            Input::Signalled(Signalled {
                source,
                signal: Signal::StoodStill,
            })
        };
        let doubted: Vec<Input> = self.engine.sources().map(signalled).collect();
        inputs.splice(0..0, doubted);
        self.wires.stood_still.notify_one();
    }

    fn reload(&mut self, reload: Reload, inputs: &mut Vec<Input>) {
        for _ in 0..self.wires.signals.len() {
            inputs.extend(self.wires.signals.try_recv().map(Input::Signalled));
        }
        inputs.push(Input::Reloaded(reload.setup));
        if let (Some(feed), Some(written)) = (&mut self.feed, reload.written) {
            feed.reloaded(written);
        }
        // Whoever asked may have gone with the bridge.
        let _ = reload.taken.send(());
    }

    fn ended(&mut self, ended: Ended, inputs: &mut Vec<Input>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Ended { id, delivery } = ended;
        inputs.push(Input::Delivered { id, delivery });
    }

    fn answer(&self, question: Question, inputs: &mut Vec<Input>) {
        // Whoever asked may have gone: then nobody wants the answer.
        match question {
            Question::Status(reply) => drop(reply.send(self.engine.status())),
            Question::Alive(reply) => {
                let _ = reply.send(());
            }
            Question::Silences(reply) => {
                let silences = self.engine.silences();
                drop(reply.send(silences.map(|(it, made)| (it.clone(), made)).collect()));
            }
            Question::Outbox(reply) => {
                let outbox = self.engine.outbox();
                let waiting = outbox.waiting().map(|it| Queued {
                    waiting: it.clone(),
                    under_way: outbox.is_under_way(&it.notification),
                    next: outbox.next_attempt_of(it),
                });
                let undelivered = Undelivered {
                    waiting: waiting.collect(),
                    dead: outbox.dead().cloned().collect(),
                };
                drop(reply.send(undelivered));
            }
            Question::Change(change, reply) => {
                inputs.push(Input::OutboxChanged(vec![change]));
                let _ = reply.send(());
            }
            Question::Silence(change, reply) => {
                inputs.push(Input::SilencesChanged(vec![change]));
                let _ = reply.send(());
            }
        }
    }

    /// When the engine wants to be woken, on the runtime's clock.
    fn wake(&mut self) -> Option<Instant> {
        let wake = self.engine.next_wake()?;
        Some(Instant::now() + from_now(self.clock.now(), wake).max(BREATH))
    }
}

/// Nobody carries out effects any more.
struct Gone;

/// How long from now until then; nothing if it has passed.
fn from_now(now: Timestamp, then: Timestamp) -> Duration {
    /// Longer than any timer of the runtime takes; whoever wakes early looks again.
    const LONGEST: SignedDuration = SignedDuration::from_hours(24);
    let wait = then
        .duration_since(now)
        .clamp(SignedDuration::ZERO, LONGEST);
    wait.unsigned_abs()
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
