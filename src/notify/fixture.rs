//! Alerts and policies for the tests of this stage and of the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::policy::{GroupBy, Policy};
use super::{Kept, Notification, Notify, Pipeline, Times};
use crate::alert::{Alert, Ending, Nature, Resolution, State, Texts};
use crate::cel::Json;
use crate::decision::Decision;
use crate::engine::{Effect, Effects};
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, ObjectRef, Severity, Uid};
use crate::outbox::Attempt;

/// That many seconds after the start of the test.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Waits 10 s, speaks at most each 60 s, repeats each 600 s, groups by `alertname`.
pub(crate) fn policy(receiver: &str) -> Policy {
    Policy {
        receiver: receiver.into(),
        group_by: GroupBy::Labels(vec!["alertname".into()]),
        group_wait: SignedDuration::from_secs(10),
        group_interval: SignedDuration::from_secs(60),
        repeat_interval: SignedDuration::from_secs(600),
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
        times: Times::default(),
    }
}

/// An alert for `chat` that fires since then.
pub(crate) fn alert(rule: &str, name: &str, since: i64) -> Alert {
    let labels = [("alertname", rule), ("name", name), ("severity", "warning")];
    Alert {
        fingerprint: Fingerprint::of(&[rule, name]),
        rule: rule.into(),
        source: "databases".into(),
        object: ObjectRef {
            api_version: "stable.example.com/v1".into(),
            kind: "DatabaseInstance".into(),
            namespace: Some("prod".into()),
            name: name.into(),
            uid: Uid::parse(name),
        },
        dedup_key: None,
        nature: Nature::State,
        state: State::Firing,
        labels: labels
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        severity: Severity::Warning,
        receivers: vec!["chat".into()],
        active_since: at(since),
        fired_at: Some(at(since)),
        keep_since: None,
        unknown_since: None,
        resolution: None,
        count: 1,
        owners: Vec::new(),
        late: false,
        shadow: false,
        routed: false,
        texts: Texts::default(),
        view: Arc::new(Json::Null),
    }
}

pub(crate) fn resolved(rule: &str, name: &str, since: i64, until: i64) -> Alert {
    let reason = Ending::Cleared;
    Alert {
        state: State::Resolved,
        resolution: Some(Resolution {
            at: at(until),
            reason,
        }),
        ..alert(rule, name, since)
    }
}

pub(crate) fn occurrence(rule: &str, name: &str, count: u64) -> Alert {
    Alert {
        nature: Nature::Occurrence,
        count,
        ..alert(rule, name, 0)
    }
}

/// The records as a journal would have them.
pub(crate) type Store = BTreeMap<Key, Record>;

/// Applies what one step wants to persist.
pub(crate) fn commit(store: &mut Store, effects: Effects) -> (Vec<Decision>, Vec<Attempt>) {
    let (mut decisions, mut attempts) = (Vec::new(), Vec::new());
    for effect in effects.into_vec() {
        match effect {
            Effect::Persist(batch) => {
                for (key, record) in batch.0 {
                    match record {
                        Some(record) => store.insert(key, record),
                        None => store.remove(&key),
                    };
                }
            }
            Effect::Decided(decision) => decisions.push(decision),
            Effect::Deliver(attempt) => attempts.push(attempt),
        }
    }
    (decisions, attempts)
}

/// The stage with a journal and an engine's memory of alerts around it.
pub(crate) struct Rig {
    pub(crate) notify: Notify,
    pub(crate) store: Store,
    pub(crate) alerts: BTreeMap<Fingerprint, Arc<Alert>>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) sent: Vec<Notification>,
    policies: Vec<Policy>,
    pipeline: Pipeline,
    now: Timestamp,
}

impl Rig {
    pub(crate) fn new(policies: Vec<Policy>) -> Self {
        Self::with(policies, Pipeline::default())
    }

    pub(crate) fn with(policies: Vec<Policy>, pipeline: Pipeline) -> Self {
        Self {
            notify: Notify::new(policies.clone(), pipeline.clone()),
            store: Store::new(),
            alerts: BTreeMap::new(),
            decisions: Vec::new(),
            sent: Vec::new(),
            policies,
            pipeline,
            now: at(0),
        }
    }

    /// One step: these alerts, then a flush. Gives what was sent, as text.
    pub(crate) fn step(&mut self, second: i64, alerts: &[Alert]) -> String {
        self.step_while(second, alerts, &|_| false)
    }

    pub(crate) fn step_while(
        &mut self,
        second: i64,
        alerts: &[Alert],
        held: &dyn Fn(&Alert) -> bool,
    ) -> String {
        self.step_at(at(second), alerts, held)
    }

    fn step_at(
        &mut self,
        now: Timestamp,
        alerts: &[Alert],
        held: &dyn Fn(&Alert) -> bool,
    ) -> String {
        self.now = now;
        let mut effects = Effects::default();
        for alert in alerts {
            let alert = Arc::new(alert.clone());
            self.alerts.insert(alert.fingerprint, Arc::clone(&alert));
            self.notify.alert(now, &alert, &mut effects);
        }
        let sent = self.notify.flush(now, held, &mut effects);
        for released in self.notify.take_released() {
            assert!(self.alerts.remove(&released).is_some(), "released twice");
        }
        self.decisions.extend(commit(&mut self.store, effects).0);
        let text: Vec<String> = sent.iter().map(line).collect();
        self.sent.extend(sent);
        text.join("\n")
    }

    /// Lets time pass up to that second, waking whenever the stage asks for it.
    pub(crate) fn run(&mut self, until: i64) -> String {
        self.run_while(until, &|_| false, &mut |_, _| {})
    }

    /// The same with rules that may not act, and something to do after each step.
    pub(crate) fn run_while(
        &mut self,
        until: i64,
        held: &dyn Fn(&Alert) -> bool,
        after: &mut dyn FnMut(&mut Self, Timestamp),
    ) -> String {
        let mut lines = Vec::new();
        while let Some(wake) = self.notify.next_wake().filter(|wake| *wake <= at(until)) {
            // After a restart something may have been due for a while; time does not go back.
            let wake = wake.max(self.now);
            let text = self.step_at(wake, &[], held);
            if !text.is_empty() {
                lines.push(text);
            }
            let next = self.notify.next_wake();
            assert!(next.is_none_or(|next| next > wake), "wakes in a circle");
            after(self, wake);
        }
        lines.join("\n")
    }

    /// Loses all memory and goes on from the records.
    pub(crate) fn crash(&mut self, now: Timestamp) {
        self.now = now;
        let mut kept = Kept::default();
        for (key, record) in self.store.clone() {
            match (key, record) {
                (Key::Group(key), Record::Group(record)) => kept.groups.push((key, record)),
                (Key::Member(receiver, alert), Record::Member(record)) => {
                    kept.members.push((receiver, alert, record));
                }
                (Key::Limit(receiver), Record::Limit(record)) => {
                    kept.limits.push((receiver, record));
                }
                (Key::RuleLimit(receiver, rule), Record::Limit(record)) => {
                    kept.rule_limits.push(((receiver, rule), record));
                }
                (Key::Silence(_), Record::Silence(silence)) => kept.silences.push(silence),
                (key, _) => panic!("not this stage's: {key:?}"),
            }
        }
        let (policies, pipeline) = (self.policies.clone(), self.pipeline.clone());
        self.notify = Notify::restore(now, policies, pipeline, kept, &self.alerts);
    }

    /// The decisions so far, counted by name.
    pub(crate) fn decided(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for decision in &self.decisions {
            *counts.entry(decision.reason.name()).or_default() += 1;
        }
        let counts: Vec<_> = counts
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        counts.join(", ")
    }
}

/// A notification in one line: when, group, cause, the alerts (resolved ones in brackets).
pub(crate) fn line(notification: &Notification) -> String {
    let alerts: Vec<String> = notification
        .alerts
        .iter()
        .map(|alert| match (alert.state, alert.count) {
            (State::Resolved, _) => format!("[{}]", alert.object.name),
            (_, 1) => alert.object.name.to_string(),
            (_, count) => format!("{}×{count}", alert.object.name),
        })
        .collect();
    let second = notification.at.as_second() - at(0).as_second();
    let opens = if notification.opens { " opens" } else { "" };
    let digest: Vec<String> = notification
        .digest
        .iter()
        .map(|line| format!("; {} from {}", line.alerts, line.rule))
        .collect();
    format!(
        "{second} {} {:?}/{:?}{opens}: {}{}",
        notification.group,
        notification.status,
        notification.cause,
        alerts.join(" "),
        digest.concat()
    )
}
