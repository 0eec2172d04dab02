//! [`World`]: everything around the engine, under the test's control.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cel::{Json, PathSet, Type};
use crate::config::{self, Configuration, LoadOptions};
use crate::decision::{Decision, Reason};
use crate::diagnostic;
use crate::engine::{Effect, Engine, Input, Setup};
use crate::evaluate::{ViewReads, WatchedSource, compile};
use crate::journal::{Key, Record};
use crate::names::{ReceiverName, SourceKey, Uid};
use crate::notify::{GroupBy, Notification, Policy};
use crate::outbox::Outcome;
use crate::transition::object_ref;
use crate::watch::{
    Change, Header, KubernetesEvent, Observation, Regarding, Signal, Signalled, Source,
};

/// The receiver that all rules of the tests notify.
pub const RECEIVER: &str = "chat";

pub struct World {
    pub engine: Engine,
    pub setup: Setup,
    pub journal: BTreeMap<Key, Record>,
    pub now: Timestamp,
    pub sent: Vec<(i64, Notification)>,
    pub decisions: Vec<Decision>,
    /// Whether the receiver answers.
    pub receiver_is_up: bool,
    version: u64,
    /// The last version of each object that was seen.
    versions: BTreeMap<Uid, u64>,
}

/// A rule about databases with this trigger. One with a description reads `changes` in it.
pub fn rule(name: &str, spec: &str) -> String {
    let spec = spec.trim().replace('\n', "\n  ");
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: {name}}}\nspec:\n  \
         watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}\n  {spec}\n---\n"
    )
}

pub fn setup(rules: &str) -> Setup {
    let receiver = "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\n\
                    metadata: {name: chat}\nspec: {webhook: {url: http://127.0.0.1/}}\n";
    let text = format!("{rules}{receiver}");
    let source = diagnostic::Source::new("rules.yaml", text);
    let configuration = Configuration::from_sources(&[source], &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let receivers = |_: &config::Rule| vec![ReceiverName::from(RECEIVER)];
    let view = |rule: &config::Rule| ViewReads {
        object: PathSet::of(["status.phase"]).expect("the path is well-formed"),
        changes: rule.spec.description.is_some(),
        ..ViewReads::default()
    };
    let rules = compile(&configuration, &receivers, &view, &|_, _| Type::Dyn)
        .rules
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    Setup {
        pipeline: crate::notify::Pipeline::default(),
        rules: Arc::new(rules),
        policies: vec![policy()],
        frozen: BTreeMap::new(),
        cluster: "test".into(),
    }
}

pub fn policy() -> Policy {
    Policy {
        receiver: ReceiverName::from(RECEIVER),
        group_by: GroupBy::All,
        group_wait: SignedDuration::ZERO,
        group_interval: SignedDuration::from_secs(1),
        repeat_interval: SignedDuration::from_hours(4),
        send_resolved: true,
        limit: None,
        limit_per_rule: None,
        max_in_flight: 1,
        give_up_after: SignedDuration::from_hours(24),
        heartbeat: None,
        fallback: None,
        keeps_pace: false,
        acknowledges: false,
        route: None,
        times: crate::notify::Times::default(),
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a small number of seconds is a timestamp")
}

/// A database with this status.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the status is written in place, with json!"
)]
pub fn database(name: &str, status: Value) -> Value {
    json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": name, "namespace": "prod", "uid": name, "generation": 1},
        "spec": {"engine": "postgres", "version": "15", "replicas": 2},
        "status": status,
    })
}

pub fn databases() -> SourceKey {
    Source::of("stable.example.com/v1", "DatabaseInstance").key()
}

impl World {
    /// At second 0, with streams that have not listed.
    pub fn new(rules: &str) -> Self {
        let setup = setup(rules);
        Self {
            engine: Engine::new(at(0), setup.clone()),
            setup,
            journal: BTreeMap::new(),
            now: at(0),
            sent: Vec::new(),
            decisions: Vec::new(),
            receiver_is_up: true,
            version: 0,
            versions: BTreeMap::new(),
        }
    }

    /// A world whose streams have listed these objects.
    pub fn listed(rules: &str, objects: &[Value]) -> Self {
        let mut world = Self::new(rules);
        world.list_events(&[]);
        world.list(objects);
        world
    }

    /// One input, and then what time asks for at this moment.
    pub fn input(&mut self, input: Input) {
        self.step(input);
        self.step(Input::Tick);
    }

    pub fn say(&mut self, signal: Signal) {
        self.say_of(&databases(), signal);
    }

    pub fn say_of(&mut self, source: &SourceKey, signal: Signal) {
        let source = source.clone();
        self.input(Input::Signalled(Signalled { source, signal }));
    }

    pub fn say_of_events(&mut self, signal: Signal) {
        let source = Source::events().key();
        self.input(Input::Signalled(Signalled { source, signal }));
    }

    /// A complete list.
    pub fn list(&mut self, objects: &[Value]) {
        self.list_of(&databases(), objects);
    }

    pub fn list_of(&mut self, source: &SourceKey, objects: &[Value]) {
        self.say_of(source, Signal::ListBegan);
        for object in objects {
            self.apply_to(source, object);
        }
        self.say_of(source, Signal::ListEnded);
    }

    pub fn list_events(&mut self, events: &[KubernetesEvent]) {
        self.say_of_events(Signal::ListBegan);
        for event in events {
            self.say_of_events(Signal::Event(event.clone()));
        }
        self.say_of_events(Signal::ListEnded);
    }

    /// Every stream says so: all that the tests watch is in one namespace.
    pub fn apply(&mut self, object: &Value) {
        let observation = self.observation(object, Change::Applied);
        for source in self.sources_of(object) {
            self.say_of(&source, Signal::Applied(observation.clone()));
        }
    }

    pub fn apply_to(&mut self, source: &SourceKey, object: &Value) {
        let observation = self.observation(object, Change::Applied);
        self.say_of(source, Signal::Applied(observation));
    }

    pub fn delete(&mut self, object: &Value) {
        let observation = self.observation(object, Change::Deleted);
        for source in self.sources_of(object) {
            self.say_of(&source, Signal::Deleted(observation.clone()));
        }
    }

    pub fn delete_from(&mut self, source: &SourceKey, object: &Value) {
        let observation = self.observation(object, Change::Deleted);
        self.say_of(source, Signal::Deleted(observation));
    }

    fn sources_of(&self, object: &Value) -> Vec<SourceKey> {
        let sources = self.setup.rules.sources.iter();
        let of_kind = sources.filter(|watched| object["kind"] == *watched.source.kind);
        of_kind.map(|watched| watched.key.clone()).collect()
    }

    /// A complete list of every stream.
    pub fn list_all(&mut self, objects: &[Value]) {
        let sources = self.setup.rules.sources.iter();
        let sources: Vec<_> = sources
            .map(|it| (it.key.clone(), it.source.kind.clone()))
            .collect();
        for (source, kind) in sources {
            let objects = objects.iter().filter(|object| object["kind"] == *kind);
            let objects: Vec<Value> = objects.cloned().collect();
            self.list_of(&source, &objects);
        }
    }

    /// The next version of an object, cut down to what the rules read.
    pub fn observation(&mut self, object: &Value, change: Change) -> Observation {
        self.version += 1;
        self.versions.insert(uid_of(object), self.version);
        self.observation_of(object, self.version, change)
    }

    fn observation_of(&self, object: &Value, version: u64, change: Change) -> Observation {
        let uid = uid_of(object);
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = Value::from(version.to_string());
        let whole = Json::from(object);
        let header = ["apiVersion", "kind", "metadata"];
        let header = PathSet::of(header).expect("the paths are well-formed");
        let of_kind = |watched: &&WatchedSource| {
            let kind = whole.get("kind").and_then(Json::as_str);
            kind == Some(&*watched.source.kind)
        };
        let sources = self.setup.rules.sources.iter().filter(of_kind);
        let read = sources.fold(header, |all, watched| all.union(&watched.paths));
        Observation {
            change,
            header: Header {
                uid,
                object: object_ref(uid, &whole),
                resource_version: version.to_string().into(),
            },
            object: read.project(&whole),
        }
    }

    /// Lets time run to this second, waking the engine whenever it asks for it.
    pub fn run_to(&mut self, second: i64) {
        self.run_to_in_steps_of(second, i64::MAX);
    }

    /// The same with a tick at least each so many seconds.
    pub fn run_to_in_steps_of(&mut self, second: i64, step: i64) {
        let end = at(second);
        while self.now < end {
            let own = at(self.now.as_second().saturating_add(step).min(second));
            let next = self.engine.next_wake().unwrap_or(end).min(own);
            self.now = next.max(self.now).min(end);
            self.step(Input::Tick);
            if next <= self.now && self.engine.next_wake().is_some_and(|wake| wake <= self.now) {
                // What is due now and was not done waits for a stream; time goes on.
                self.now = self.now.max(at(self.now.as_second() + 1).min(end));
            }
        }
        self.step(Input::Tick);
    }

    fn step(&mut self, input: Input) {
        let mut effects = self.engine.step(self.now, input);
        while !effects.is_empty() {
            let mut outcomes = Vec::new();
            for effect in effects {
                self.carry_out(effect, &mut outcomes);
            }
            effects = Vec::new();
            for (id, outcome) in outcomes {
                effects.extend(self.engine.step(
                    self.now,
                    Input::Delivered {
                        id,
                        delivery: outcome.into(),
                    },
                ));
            }
            if !effects.is_empty() {
                effects.extend(self.engine.step(self.now, Input::Tick));
            }
        }
    }

    fn carry_out(
        &mut self,
        effect: Effect,
        outcomes: &mut Vec<(crate::names::NotificationId, Outcome)>,
    ) {
        match effect {
            Effect::Persist(batch) => self.persist(batch.0),
            Effect::Decided(decision) => self.decisions.push(decision),
            Effect::Deliver(attempt) => {
                let notification = Notification::clone(&attempt.notification);
                let outcome = if self.receiver_is_up {
                    self.sent.push((self.now.as_second(), notification.clone()));
                    Outcome::Accepted
                } else {
                    Outcome::Retry {
                        after: None,
                        why: "connection refused".to_owned(),
                    }
                };
                outcomes.push((notification.id, outcome));
            }
        }
    }

    fn persist(&mut self, changes: Vec<(Key, Option<Record>)>) {
        for (key, record) in changes {
            match record {
                Some(record) => {
                    // The way through the file: what cannot be written and read back is lost.
                    let text = serde_json::to_string(&record).expect("a record can be written");
                    let record = serde_json::from_str(&text).expect("a record can be read");
                    self.journal.insert(key, record);
                }
                None => {
                    self.journal.remove(&key);
                }
            }
        }
    }

    /// The process dies here and starts again with what was persisted, on the same rules.
    pub fn crash(&mut self) {
        let setup = self.setup.clone();
        self.restart_with(setup);
    }

    /// The same with other rules.
    pub fn restart_with(&mut self, setup: Setup) {
        let records = self.journal.clone().into_iter().collect();
        self.engine = Engine::restore(self.now, setup.clone(), records);
        self.setup = setup;
    }

    /// Other rules from now on. As the shell does, a stream that reads other paths is read again,
    /// and one that is new lists.
    pub fn reload(&mut self, setup: Setup, objects: &[Value]) {
        self.input(Input::Reloaded(setup.clone()));
        let before = std::mem::replace(&mut self.setup, setup);
        let setup = self.setup.clone();
        for watched in &setup.rules.sources {
            let of_kind = |object: &&Value| object["kind"] == *watched.source.kind;
            let objects: Vec<Value> = objects.iter().filter(of_kind).cloned().collect();
            let mut was = before.rules.sources.iter();
            match was.find(|was| was.key == watched.key) {
                Some(was) if was.paths == watched.paths => {}
                Some(_) => self.refresh_of(&watched.key, &objects),
                None => self.list_of(&watched.key, &objects),
            }
        }
        for events in &setup.rules.events {
            if !before.rules.events.contains(events) {
                self.list_of(&events.key(), &[]);
            }
        }
    }

    /// The stream reads all objects again, as they were when they were last seen.
    pub fn refresh(&mut self, objects: &[Value]) {
        self.refresh_of(&databases(), objects);
    }

    fn refresh_of(&mut self, source: &SourceKey, objects: &[Value]) {
        for object in objects {
            let version = self.versions.get(&uid_of(object)).copied();
            let version = version.unwrap_or_default();
            let observation = self.observation_of(object, version, Change::Applied);
            self.say_of(source, Signal::Refreshed(observation));
        }
        self.say_of(source, Signal::RefreshEnded);
    }

    /// What was sent so far, a line each: when, what, about what.
    pub fn told(&self) -> String {
        let mut text = String::new();
        for (second, notification) in &self.sent {
            let alerts: Vec<String> = notification
                .alerts
                .iter()
                .map(|alert| format!("{} {}", alert.rule, alert.object.name))
                .collect();
            let _ = writeln!(
                text,
                "{second}s {:?} {:?}: {}",
                notification.status,
                notification.cause,
                alerts.join(", ")
            );
        }
        text
    }

    /// What the alerts that were sent said of `changes`.
    pub fn changes(&self) -> Vec<String> {
        let alerts = self.sent.iter().flat_map(|(_, sent)| &sent.alerts);
        let changes = alerts.filter_map(|alert| alert.view.get("changes"));
        changes.map(ToString::to_string).collect()
    }

    /// The reasons of the decisions about alerts, in order.
    pub fn reasons(&self) -> Vec<String> {
        let about_alerts = self.decisions.iter().filter(|decision| {
            !matches!(
                decision.reason,
                Reason::Queued | Reason::Sent | Reason::Grouped
            )
        });
        about_alerts
            .map(|decision| decision.reason.to_string())
            .collect()
    }
}

fn uid_of(object: &Value) -> Uid {
    Uid::parse(object["metadata"]["uid"].as_str().unwrap_or_default())
}

/// A Warning about an object.
pub fn warning(uid: &str, about: &str, count: u64, last_seen: Timestamp) -> KubernetesEvent {
    KubernetesEvent {
        uid: Uid::parse(uid),
        type_: "Warning".into(),
        reason: "FailedProvisioning".into(),
        message: "no quota".into(),
        count,
        first_seen: last_seen,
        last_seen,
        regarding: Regarding {
            api_version: "stable.example.com/v1".into(),
            kind: "DatabaseInstance".into(),
            namespace: "prod".into(),
            name: about.into(),
            uid: Some(Uid::parse(about)),
        },
        reporting_controller: "operator".into(),
        namespace: "prod".into(),
        name: format!("{about}.{uid}").into(),
    }
}
