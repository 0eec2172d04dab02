//! The shell around the real engine, in the simulated world.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::cluster::{self, Cluster, Said};
use super::model::Model;
use super::plan::{SILENCED, STREAMS, Step, Stream};
use super::receivers::Receiver;
use super::setup::{RECEIVERS, SHUT_MINUTES, of_rule, setup};
use crate::alert::{Alert, Nature, State};
use crate::cel::PathSet;
use crate::decision::{Decision, Reason};
use crate::engine::{Effect, Engine, Input, Setup};
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, NotificationId, Uid};
use crate::notify::{Notification, Silence, SilenceChange, later};
use crate::outbox::Outcome;
use crate::watch::Signal;

/// The process is about to be killed.
#[derive(Clone, Copy)]
pub(super) struct Fuse {
    left: usize,
    away: i64,
    clock: i64,
}

pub struct Bridge {
    pub(super) setup: Setup,
    edited: bool,
    pub(super) routed: bool,
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
    pub(super) broken: Option<String>,
    /// What was attempted and decided, a line each.
    pub told: Vec<String>,
}

impl Bridge {
    pub fn start() -> Self {
        let setup = setup(false, false);
        let now = Timestamp::from_second(1_000_000).expect("a moment of 1970");
        let mut bridge = Self {
            engine: Engine::new(now, setup.clone()),
            setup,
            edited: false,
            routed: false,
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
            broken: None,
            told: Vec::new(),
        };
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
                self.edited = *edited;
                self.reload();
            }
            Step::Routes(routed) => {
                self.routed = *routed;
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
        self.setup = setup(self.edited, self.routed);
        self.step(Input::Reloaded(self.setup.clone()));
    }

    fn silence(&mut self, rule: &str, seconds: i64) {
        self.silenced.insert(rule.to_owned());
        let silence = Silence {
            name: rule.into(),
            namespace: None,
            matchers: of_rule(rule),
            condition: None,
            starts_at: self.now,
            ends_at: later(self.now, SignedDuration::from_secs(seconds)),
            comment: "simulated".to_owned(),
            created_by: None,
        };
        self.step(Input::SilencesChanged(vec![SilenceChange::Put(silence)]));
    }

    /// Whether the hours of a route are now, or begin or end so soon.
    pub(super) fn is_shut(&self, margin: SignedDuration) -> bool {
        let minutes = |at: Timestamp| at.as_second().rem_euclid(3600) / 60;
        let at = [self.now, later(self.now, -margin), later(self.now, margin)];
        at.iter().any(|at| minutes(*at) < i64::from(SHUT_MINUTES))
    }

    /// Nobody is told, in something that is written down now, of what is to be kept back.
    fn is_kept_back(&self, alert: &Alert) -> Option<String> {
        let rule = alert.rule.as_str();
        let is_over = alert.nature == Nature::State && alert.state != State::Firing;
        // That nothing can be seen is told whatever somebody silenced.
        if is_over || alert.is_notice() {
            return None;
        }
        let silence = self.journal.get(&Key::Silence(rule.into()));
        if let Some(Record::Silence(silence)) = silence
            && (silence.starts_at..silence.ends_at).contains(&self.now)
        {
            return Some(format!("{rule} is silenced until {}", silence.ends_at));
        }
        if self.routed && rule == "large" && self.is_shut(SignedDuration::ZERO) {
            return Some(format!("{rule} is told outside of its hours"));
        }
        let explains = |record: &Record| match record {
            Record::Alert(other) => {
                other.rule.as_str() == "failed"
                    && other.state == State::Firing
                    && other.object.uid == alert.object.uid
                    && other.fired_at.is_some_and(|at| at < self.now)
            }
            _ => false,
        };
        let explained = self.routed && rule == "short" && self.journal.values().any(explains);
        explained.then(|| format!("{rule} is explained by failed"))
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
    fn step(&mut self, input: Input) {
        let deaths = self.deaths;
        let mut inputs = vec![input, Input::Tick];
        while !inputs.is_empty() {
            for input in std::mem::take(&mut inputs) {
                self.model.tick(self.now);
                let effects = self.engine.step(self.now, input);
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
            let mut alerts = notification.alerts.iter();
            if let Some(why) = alerts.find_map(|alert| self.is_kept_back(alert)) {
                let (receiver, group) = (&notification.receiver, &notification.group);
                self.breaks(format!("{receiver} is told of {group}, and {why}"));
            }
        }
    }

    fn decided(&mut self, decision: &Decision) {
        let about = &decision.about;
        self.told
            .push(format!("{} {} {about:?}", decision.at, decision.reason));
        match decision.reason {
            Reason::Cancelled
            | Reason::Superseded
            | Reason::Silenced(_)
            | Reason::Inhibited(_)
            | Reason::Muted(_) => {
                let receiver = about.receiver.as_ref().map_or("", |name| name.as_str());
                let told = about
                    .notification
                    .as_ref()
                    .and_then(|id| self.written.get(id));
                let alerts = told.into_iter().flatten().chain(&about.alert);
                let alerts = alerts.map(|alert| (receiver.to_owned(), *alert));
                self.explained.extend(alerts);
            }
            Reason::Firing => {
                if let (Some(rule), Some(object)) = (&about.rule, &about.object) {
                    let may = self.model.may_fire(self.now, rule.as_str(), object.uid);
                    if let Err(why) = may {
                        self.breaks(why);
                    }
                }
            }
            Reason::Occurred => {
                if let (Some(rule), Some(object)) = (&about.rule, &about.object)
                    && rule.as_str() == "created"
                    && !self.created.insert(object.uid)
                {
                    self.breaks(format!("{} was created twice", object.name));
                }
            }
            _ => {}
        }
        if matches!(decision.reason, Reason::Firing | Reason::Occurred)
            && let Some(fingerprint) = about.alert
            && let Some(Record::Alert(alert)) = self.journal.get(&Key::Alert(fingerprint))
        {
            self.fired.insert(fingerprint, Alert::clone(alert));
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

    /// The process dies here, and starts again with what was persisted.
    fn kill(&mut self) {
        let Some(fuse) = self.fuse.take() else { return };
        self.told.push(format!("{} killed", self.now));
        self.deaths += 1;
        let waiting: Vec<&NotificationId> = self.journal.keys().filter_map(waiting).collect();
        for receiver in &mut self.receivers {
            let told = waiting.iter().filter(|id| receiver.has_heard(id));
            let told: Vec<NotificationId> = told.map(|id| (*id).clone()).collect();
            receiver.excused.extend(told);
        }
        for (receiver, name) in self.receivers.iter_mut().zip(RECEIVERS) {
            let paused = self.journal.values().filter_map(|record| match record {
                Record::Outbox(one) if one.notification.receiver.as_str() == name => {
                    one.paused_until
                }
                _ => None,
            });
            receiver.killed(paused.max());
        }
        let fires = |fingerprint: &Fingerprint| {
            let record = self.journal.get(&Key::Alert(*fingerprint));
            matches!(record, Some(Record::Alert(alert)) if alert.state == State::Firing)
        };
        // The decision that says why may not have been told any more.
        self.fired.retain(|fingerprint, _| fires(fingerprint));
        let alerts = self.journal.values().filter_map(|record| match record {
            Record::Alert(alert) => Some(&**alert),
            _ => None,
        });
        self.model
            .killed(alerts.filter(|alert| alert.nature == Nature::State));
        self.answers.clear();
        for connection in &mut self.cluster.streams {
            *connection = cluster::Connection::default();
        }
        let away = SignedDuration::from_secs(fuse.away + fuse.clock);
        self.now = self.now.checked_add(away).unwrap_or(self.now);
        if fuse.clock != 0 {
            self.receivers.iter_mut().for_each(Receiver::clock_was_set);
        }
        self.model.started(self.now);
        let records = self.journal.clone().into_iter().collect();
        self.engine = Engine::restore(self.now, self.setup.clone(), records);
        self.list_all(fuse.away);
    }
}

/// The notification that a record of the outbox is about.
pub(super) fn waiting(key: &Key) -> Option<&NotificationId> {
    match key {
        Key::Outbox(_, id) => Some(id),
        _ => None,
    }
}
