//! The shell around the real engine, in the simulated world.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::cluster::{self, Cluster, Said};
use super::death::Fuse;
use super::model::Model;
use super::plan::{SILENCED, STREAMS, Step, Stream};
use super::receivers::Receiver;
use super::recorded::Given;
use super::setup::{Edits, RECEIVERS, setup};
use crate::alert::Alert;
use crate::cel::PathSet;
use crate::engine::{Effect, Engine, Input, Setup};
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, GroupKey, NotificationId, Uid};
use crate::notify::{Cause, Notification, SilenceChange, later};
use crate::outbox::Outcome;
use crate::watch::Signal;

pub struct Bridge {
    pub(super) setup: Setup,
    pub(super) edits: Edits,
    pub(super) engine: Engine,
    pub(super) journal: BTreeMap<Key, Record>,
    pub(super) now: Timestamp,
    pub(super) cluster: Cluster,
    pub(super) receivers: [Receiver; 2],
    pub(super) model: Model,
    pub(super) answers: Vec<(Timestamp, usize, NotificationId, Outcome)>,
    pub(super) fuse: Option<Fuse>,
    /// How often it was killed.
    pub(super) deaths: usize,
    /// What began to fire or happened, and was decided so.
    pub(super) fired: BTreeMap<Fingerprint, Alert>,
    /// Objects that were created, and told so.
    pub(super) created: BTreeSet<Uid>,
    /// What each notification is about, as it was written down.
    pub(super) written: BTreeMap<NotificationId, Vec<Fingerprint>>,
    /// Alerts that a receiver need not hear of, and a decision says why.
    pub(super) explained: BTreeSet<(String, Fingerprint)>,
    /// Rules of which somebody silenced occurrences: those are over then, and the decision that says
    /// so may have been cut off with the process.
    pub(super) silenced: BTreeSet<String>,
    /// How many silences were over the alerts of a group when it was acknowledged last.
    pub(super) acknowledged: BTreeMap<GroupKey, usize>,
    /// How often somebody silenced something.
    pub(super) silences: usize,
    pub(super) broken: Option<String>,
    /// What was attempted and decided, a line each.
    pub told: Vec<String>,
    /// What the engine was given, if somebody wants to know.
    pub(super) given: Option<Vec<Given>>,
}

impl Bridge {
    pub fn start() -> Self {
        Self::begin(None)
    }

    /// The same, writing down what the engine is given.
    pub(super) fn recorded() -> Self {
        Self::begin(Some(Vec::new()))
    }

    fn begin(given: Option<Vec<Given>>) -> Self {
        let setup = setup(Edits::default());
        let now = Timestamp::from_second(1_000_000).expect("a moment of 1970");
        let mut bridge = Self {
            engine: Engine::new(now, setup.clone()),
            setup,
            edits: Edits::default(),
            journal: BTreeMap::new(),
            now,
            cluster: Cluster::default(),
            receivers: [Receiver::new(), Receiver::new()],
            model: Model::default(),
            answers: Vec::new(),
            fuse: None,
            deaths: 0,
            fired: BTreeMap::new(),
            created: BTreeSet::new(),
            written: BTreeMap::new(),
            explained: BTreeSet::new(),
            silenced: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            silences: 0,
            broken: None,
            told: Vec::new(),
            given,
        };
        bridge.note_beginning();
        bridge.list_all(0);
        bridge
    }

    /// The first promise that was broken.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    pub(super) fn breaks(&mut self, what: impl Into<String>) {
        self.broken.get_or_insert(what.into());
    }

    pub fn happen(&mut self, step: &Step) {
        match step {
            Step::Database(which, change) => self.cluster.change(self.now, *which, *change),
            Step::Cache(which, failed) => self.cluster.cache(*which, *failed),
            Step::DeleteDatabase(which) => self.cluster.delete_database(*which),
            Step::DeleteCache(which) => self.cluster.delete_cache(*which),
            Step::Warn(which) => self.cluster.warn(self.now, *which),
            Step::Flow(stream, most) => self.flow(*stream, *most),
            Step::Cut(stream) => self.cut(*stream),
            Step::Mend(stream) => self.mend(*stream),
            Step::List(stream, aborted) => self.list(*stream, *aborted),
            Step::Receiver(which, mode) => self.receivers[*which].mode = *mode,
            Step::Reload(edited) => {
                self.edits.edited = *edited;
                self.reload();
            }
            Step::Routes(routed) => {
                self.edits.routed = *routed;
                self.reload();
            }
            Step::Rule(extra) => {
                self.edits.extra = *extra;
                self.model.extra(self.now, *extra);
                self.reload();
            }
            Step::Silence(which, seconds) => self.silence(SILENCED[*which], *seconds),
            Step::Unsilence(which) => {
                let name = SILENCED[*which].into();
                self.step(Input::SilencesChanged(vec![SilenceChange::Expire(name)]));
            }
            Step::Wait(seconds) => {
                self.run_to(later(self.now, SignedDuration::from_secs(*seconds)));
            }
            Step::StandStill(seconds) => self.stand_still(*seconds),
            Step::Kill { after, away, clock } => {
                self.fuse = Some(Fuse {
                    left: *after,
                    away: *away,
                    clock: *clock,
                });
                if *after == 0 {
                    self.kill();
                }
            }
        }
        self.step(Input::Tick);
    }

    fn reload(&mut self) {
        self.setup = setup(self.edits);
        self.step(Input::Reloaded(self.setup.clone()));
    }

    /// Nothing is done for so long. The shell notices what is longer than half a minute, and has
    /// everything listed again.
    fn stand_still(&mut self, seconds: i64) {
        self.now = later(self.now, SignedDuration::from_secs(seconds));
        self.model.woke = Some(self.now);
        if seconds <= 30 {
            return;
        }
        let deaths = self.deaths;
        for stream in STREAMS {
            self.model.doubted.insert(stream);
            let signal = cluster::signalled(stream, Signal::StoodStill);
            // All of it goes in before time acts.
            for effect in self.give(Input::Signalled(signal)) {
                self.carry_out(effect);
                if self.deaths > deaths {
                    return;
                }
            }
        }
        self.step(Input::Tick);
        if self.deaths == deaths {
            self.list_all(seconds);
        }
    }

    fn flow(&mut self, stream: Stream, most: usize) {
        for _ in 0..most {
            let connection = &mut self.cluster.streams[stream as usize];
            if !connection.open {
                return;
            }
            let Some(said) = connection.waits.pop_front() else {
                return;
            };
            self.tell(stream, &said);
        }
    }

    /// One thing that a stream says.
    fn tell(&mut self, stream: Stream, said: &Said) {
        if self.cluster.streams[stream as usize].listed {
            self.model.told(self.now, said);
        }
        let signal = Cluster::signal(said, &self.paths(stream));
        self.say(stream, signal);
    }

    fn paths(&self, stream: Stream) -> PathSet {
        let key = cluster::source(stream).key();
        let sources = self.setup.rules.sources.iter();
        let mut of_it = sources.filter(|source| source.key == key);
        of_it
            .next()
            .map_or_else(PathSet::all, |source| source.paths.clone())
    }

    fn say(&mut self, stream: Stream, signal: Signal) {
        self.step(Input::Signalled(cluster::signalled(stream, signal)));
    }

    fn cut(&mut self, stream: Stream) {
        let connection = &mut self.cluster.streams[stream as usize];
        if std::mem::take(&mut connection.open) {
            self.model.broken.insert(stream, self.now);
            let why = "the connection is gone".to_owned();
            self.say(stream, Signal::Broken { why });
        }
    }

    fn mend(&mut self, stream: Stream) {
        let connection = &mut self.cluster.streams[stream as usize];
        if connection.resumable && !connection.open {
            connection.open = true;
            self.model.broken.remove(&stream);
            self.model.believed.insert(stream, self.now);
            self.say(stream, Signal::Recovered);
        }
    }

    fn list(&mut self, stream: Stream, aborted: Option<usize>) {
        let all = self.cluster.list(stream);
        let deaths = self.deaths;
        self.cluster.streams[stream as usize].waits.clear();
        self.cluster.streams[stream as usize].resumable = false;
        self.say(stream, Signal::ListBegan);
        for said in all.iter().take(aborted.unwrap_or(usize::MAX)) {
            if self.deaths > deaths {
                return;
            }
            self.tell(stream, said);
        }
        if self.deaths > deaths {
            return;
        }
        if aborted.is_some() {
            self.cluster.streams[stream as usize].open = false;
            let since = self.now;
            self.model.broken.entry(stream).or_insert(since);
            let why = "the list was cut off".to_owned();
            self.say(stream, Signal::ListAborted { why });
            return;
        }
        let connection = &mut self.cluster.streams[stream as usize];
        connection.open = true;
        connection.resumable = true;
        let first = !std::mem::replace(&mut connection.listed, true);
        self.model.listed(stream, &all);
        self.model.broken.remove(&stream);
        self.model.believed.insert(stream, self.now);
        self.model.doubted.remove(&stream);
        if first {
            for said in &all {
                self.model.told(self.now, said);
            }
        }
        self.say(stream, Signal::ListEnded);
    }

    /// Lists everything, in one order or another.
    pub(super) fn list_all(&mut self, order: i64) {
        let mut streams = STREAMS;
        streams.rotate_left(usize::try_from(order.rem_euclid(3)).unwrap_or(0));
        let deaths = self.deaths;
        for stream in streams {
            if self.deaths == deaths {
                self.list(stream, None);
            }
        }
    }

    /// One input; then the answers that are there at once, and what they make due.
    pub(super) fn step(&mut self, input: Input) {
        let deaths = self.deaths;
        let mut inputs = vec![input, Input::Tick];
        while !inputs.is_empty() {
            for input in std::mem::take(&mut inputs) {
                self.model.tick(self.now);
                let effects = self.give(input);
                for effect in effects {
                    self.carry_out(effect);
                    if self.deaths > deaths {
                        return;
                    }
                }
            }
            let now = self.now;
            for (_, which, id, outcome) in self.answers.extract_if(.., |(at, ..)| *at <= now) {
                self.receivers[which].answered(now, &outcome);
                inputs.push(Input::Delivered {
                    id,
                    delivery: outcome.into(),
                });
            }
            if !inputs.is_empty() {
                inputs.push(Input::Tick);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        if let Some(fuse) = &mut self.fuse {
            match fuse.left.checked_sub(1) {
                Some(left) => fuse.left = left,
                None => return self.kill(),
            }
        }
        match effect {
            Effect::Persist(batch) => self.persist(batch.0),
            Effect::Decided(decision) => self.decided(&decision),
            Effect::Deliver(attempt) => self.deliver(&attempt.notification),
        }
    }

    fn persist(&mut self, changes: Vec<(Key, Option<Record>)>) {
        let mut written_now = Vec::new();
        for (key, record) in changes {
            match record {
                Some(record) => {
                    // The way through the file: what cannot be written and read back is lost.
                    let text = serde_json::to_string(&record).expect("a record can be written");
                    let record = serde_json::from_str(&text).expect("a record can be read");
                    if let Record::Outbox(waiting) = &record {
                        let alerts = waiting.notification.alerts.iter();
                        let fingerprints = alerts.clone().map(|it| it.fingerprint).collect();
                        let id = waiting.notification.id.clone();
                        if self.written.insert(id, fingerprints).is_none() {
                            written_now.push(waiting.notification.clone());
                        }
                    }
                    self.journal.insert(key, record);
                }
                None => {
                    self.journal.remove(&key);
                }
            }
        }
        for notification in written_now {
            if notification.cause == Cause::Acknowledged {
                self.somebody_is_at(&notification);
                continue;
            }
            let mut alerts = notification.alerts.iter();
            if let Some(why) = alerts.find_map(|alert| self.is_kept_back(alert)) {
                let (receiver, group) = (&notification.receiver, &notification.group);
                self.breaks(format!("{receiver} is told of {group}, and {why}"));
            }
        }
    }

    fn deliver(&mut self, told: &Notification) {
        let which = RECEIVERS
            .iter()
            .position(|name| *name == told.receiver.as_str());
        let Some(which) = which else {
            return self.breaks(format!("{} is not there", told.receiver));
        };
        let alerts = told.alerts.iter().map(|alert| {
            let (rule, object, state) = (&alert.rule, &alert.object.name, alert.state);
            format!("{rule} of {object} {state:?}")
        });
        let alerts: Vec<String> = alerts.collect();
        self.told.push(format!(
            "{} {} is told {} {:?} {:?} by {}: {}",
            self.now,
            told.receiver,
            told.group,
            told.status,
            told.cause,
            told.id,
            alerts.join(", ")
        ));
        match self.receivers[which].attempt(self.now, told) {
            Ok(answer) => {
                let id = told.id.clone();
                self.answers.push((answer.at, which, id, answer.outcome));
            }
            Err(why) => self.breaks(format!("{}: {why}", told.receiver)),
        }
    }

    /// Lets time run, waking the engine when it asks for it.
    pub(super) fn run_to(&mut self, end: Timestamp) {
        let deaths = self.deaths;
        while self.now < end && self.deaths == deaths && self.broken.is_none() {
            let answer = self.answers.iter().map(|(at, ..)| *at).min();
            let wake = self.engine.next_wake();
            let next = [answer, wake, Some(end)].into_iter().flatten().min();
            let next = next.unwrap_or(end).min(end);
            // What is due and was not done waits for something else: time goes on.
            let soon = later(self.now, SignedDuration::from_secs(1)).min(end);
            self.now = if next > self.now { next } else { soon };
            self.step(Input::Tick);
        }
    }
}

/// The notification that a record of the outbox is about.
pub(super) fn waiting(key: &Key) -> Option<&NotificationId> {
    match key {
        Key::Outbox(_, id) => Some(id),
        _ => None,
    }
}
