//! The pure core as one machine: `step(now, input) -> effects`.
//!
//! In: what was observed, what was delivered, the passing of time. Out: what to persist, what
//! to deliver, and what was decided. It never blocks, never fails and never reads a clock;
//! [`Engine::next_wake`] is the only timer there is.
//!
//! `observe` takes what the streams say, `begin` says who may act on it, `join` finds what else it
//! concerns, `decide` brings transitions to rules and verdicts to alerts (`occur` those of rules that
//! are `on` something), `well` remembers what objects were like when they were well, `turn` is what
//! time does, `restore` is how it begins again after a crash, `reload` how it goes on with other rules.

mod begin;
pub mod blind;
pub mod decide;
pub mod effect;
pub mod explain;
mod join;
pub mod observe;
mod occur;
mod pass;
mod refresh;
mod reload;
pub mod restore;
pub mod status;
pub mod stream;
mod tenants;
mod deferred;
pub mod turn;
pub mod unknown;
pub mod wakes;
mod well;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::alert::Alerts;
use crate::evaluate::RuleSet;
use crate::names::{Fingerprint, NotificationId, ReceiverName, RuleName, SourceKey, Uid};
use crate::notify::{Notify, Pipeline, Policy, SilenceChange};
use crate::outbox::{Delivery, Outbox, OutboxChange};
use crate::transition::{Events, LastWell};
use crate::watch::{KubernetesEvent, Signalled};

pub use effect::{Effect, Effects};
pub use status::Status;
use stream::{EventStream, Stream};
use unknown::Unknowns;
use wakes::Wakes;

/// How long a transition without effect may wait for others before it is written down.
pub const COALESCE: SignedDuration = SignedDuration::from_secs(5);

/// What the engine runs on.
#[derive(Clone, Debug)]
pub struct Setup {
    pub rules: Arc<RuleSet>,
    pub policies: Vec<Policy>,
    /// Rules whose document is invalid or cannot be read, and why. They stay as they are in
    /// `rules`; one that is not there keeps its alerts all the same: it was not removed.
    pub frozen: BTreeMap<RuleName, Arc<str>>,
    pub pipeline: Pipeline,
    /// The `cluster` label.
    pub cluster: Arc<str>,
}

/// All that can happen to the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// A stream said something.
    Signalled(Signalled),
    /// Time passed. Timers act, groups are flushed and attempts are made on this input only, so
    /// that everything that arrived before it is told together.
    Tick,
    /// An attempt ended.
    Delivered {
        id: NotificationId,
        delivery: Delivery,
    },
    /// The rules and receivers are these from now on. A stream that reads other paths than before
    /// is read again: [`crate::watch::Signal::Refreshed`], or a list.
    Reloaded(Setup),
    /// Somebody made a silence, or ended one.
    SilencesChanged(Vec<SilenceChange>),
    /// Somebody sends again, or drops, what was not delivered.
    OutboxChanged(Vec<OutboxChange>),
    /// The end is near: make no new attempts.
    Draining,
}

/// The core and all its state.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    numbers: HashMap<RuleName, usize>,
    frozen: BTreeMap<RuleName, Arc<str>>,
    cluster: Arc<str>,
    now: Timestamp,
    draining: bool,

    streams: Vec<Stream>,
    by_key: HashMap<SourceKey, usize>,
    events: Events,
    /// In the order of [`RuleSet::events`].
    event_streams: Vec<EventStream>,
    /// Events that wait for rules that wait for a first list, and whether they happened while nobody
    /// watched.
    late_events: VecDeque<(Arc<KubernetesEvent>, bool)>,

    alerts: Alerts,
    /// The last verdict of the `on` rules that fire when they become true.
    levels: HashMap<(usize, Uid), bool>,
    /// The `spec` with which rules whose templates read `changes` last found objects well, where it
    /// is not known to be the present one.
    last_well: HashMap<(usize, Uid), LastWell>,
    /// Answers that rules share while they look at one object; kept for its memory only.
    memo: crate::cel::Memo,
    unknowns: Unknowns,
    tenants: tenants::Tenants,
    wakes: Wakes,
    deferred: deferred::Deferred,
    /// What would have acted on streams that may not be believed.
    stalled: BTreeSet<Fingerprint>,
    /// The same by rule.
    stalled_wakes: BTreeMap<usize, Vec<wakes::Wake>>,

    receivers: Vec<ReceiverName>,
    notify: Notify,
    outbox: Outbox,

    /// Objects whose stored state is behind, by stream.
    dirty: BTreeSet<(usize, Uid)>,
    dirty_events: BTreeSet<Uid>,
    write_at: Option<Timestamp>,
    /// What the restart found to be done; it goes out with the first step.
    unfinished: Effects,
    counts: status::Counts,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(now: Timestamp, setup: Setup) -> Self {
        Self::restore(now, setup, Vec::new())
    }

    /// Takes one input and says what is to be done about it. `now` never goes backwards: a
    /// moment before the last one counts as that one.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut effects = std::mem::take(&mut self.unfinished);
        match input {
            Input::Signalled(signalled) => self.observe(signalled, &mut effects),
            Input::Tick => self.turn(&mut effects),
            Input::Delivered { id, delivery } => {
                self.outbox.delivered(self.now, &id, delivery, &mut effects);
            }
            Input::Reloaded(setup) => self.reload(setup, &mut effects),
            Input::SilencesChanged(changes) => {
                for change in changes {
                    self.notify.change_silence(self.now, change, &mut effects);
                }
            }
            Input::OutboxChanged(changes) => {
                for change in &changes {
                    self.outbox.change(self.now, change, &mut effects);
                }
            }
            Input::Draining => self.draining = true,
        }
        effects.into_vec()
    }

    /// The streams that it listens to.
    pub fn sources(&self) -> impl Iterator<Item = SourceKey> {
        let objects = self.rules.sources.iter().map(|watched| watched.key.clone());
        objects.chain(self.event_streams.iter().map(|stream| stream.key.clone()))
    }

    /// When to come back with a [`Input::Tick`] at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let deliveries = (!self.draining).then(|| self.outbox.next_wake()).flatten();
        [
            self.alerts.next_wake(),
            self.wakes.next(),
            self.unknowns.next_wake(),
            self.next_blind(),
            self.notify.next_wake(),
            deliveries,
            self.write_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
