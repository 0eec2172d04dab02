//! One test on its timeline.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::compare::{Manner, differences};
use super::objects::Objects;
use super::{Failure, Variant, variant};
use crate::alert::{Alert, Nature, State};
use crate::config::rule_test::{Answer, Answers, Expectation, Silencing, Step};
use crate::config::{RuleTest, duration};
use crate::diagnostic::{Diagnostics, Place};
use crate::dry_run::DryRun;
use crate::dry_run::input::{Fact, What};
use crate::names::ReceiverName;
use crate::notify::{Notification, Silence, SilenceChange, later};
use crate::outbox::Outcome;
use crate::render::{Format, Webhook, render};
use crate::setup::Loaded;

/// Of an alert that does not fire yet. Only who asks for such alerts is told of them.
const PENDING: &str = "pending";

type Variants = BTreeMap<Variant, Result<Loaded, Diagnostics>>;

/// A test being played.
pub(super) struct Play<'s> {
    test: &'s RuleTest,
    variants: &'s Variants,
    run: DryRun<'s>,
    start: Timestamp,
    objects: Objects,
    failures: Vec<Failure>,
}

/// What happens next.
enum Next<'s> {
    Step(&'s Step, &'s Place),
    Expectation(&'s Expectation, &'s Place),
}

impl<'s> Play<'s> {
    /// Nothing if the test's rules are not there, which was said already.
    pub(super) fn of(test: &'s RuleTest, variants: &'s Variants) -> Option<Self> {
        let loaded = loaded(variants, &variant(test, &BTreeMap::new()))?;
        // 2026-01-01T00:00:00Z
        let start = Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH);
        let start = test.spec.start.unwrap_or(start);
        let mut run = DryRun::new(loaded, "test", start);
        run.remember();
        Some(Self {
            test,
            variants,
            run,
            start,
            objects: Objects::default(),
            failures: Vec::new(),
        })
    }

    /// Plays it, and gives what is not as expected.
    pub(super) fn run(mut self) -> Vec<Failure> {
        for given in &self.test.spec.given {
            if let Err(why) = self.objects.apply(self.start, given) {
                self.fails(&self.test.place, format!("given: {why}"));
                return self.failures;
            }
        }
        self.list(DryRun::list);
        let test = self.test;
        let steps = test.spec.timeline.iter().zip(&test.steps);
        let steps = steps.map(|(step, place)| (step.at, Next::Step(step, place)));
        let expected = test.spec.expect.iter().zip(&test.expectations);
        let expected = expected.map(|(one, place)| (one.at, Next::Expectation(one, place)));
        let mut all: Vec<(Duration, Next<'_>)> = steps.chain(expected).collect();
        // Stable: at one moment what happens comes before what is expected of it.
        all.sort_by_key(|(at, _)| *at);
        for (at, next) in all {
            let at = SignedDuration::try_from(at).unwrap_or(SignedDuration::MAX);
            self.run.run_to(later(self.start, at));
            match next {
                Next::Step(step, place) => {
                    if let Err(why) = self.step(step) {
                        self.fails(place, why);
                        return self.failures;
                    }
                }
                Next::Expectation(expected, place) => self.expect(expected, place),
            }
        }
        self.failures
    }

    fn fails(&mut self, place: &Place, message: String) {
        self.failures.push(Failure {
            place: place.clone(),
            message,
        });
    }

    fn list(&mut self, how: impl FnOnce(&mut DryRun<'s>, &[&Fact])) {
        let all = self.objects.all(self.run.now());
        how(&mut self.run, &all.iter().collect::<Vec<_>>());
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let now = self.run.now();
        if let Some(patch) = &step.apply {
            let what = self.objects.apply(now, patch)?;
            self.happens(what);
        }
        if let Some(event) = &step.event {
            let what = self.objects.event(now, event)?;
            self.happens(what);
        }
        if let Some(which) = &step.delete {
            let what = self.objects.delete(which)?;
            self.happens(what);
        }
        if let Some(answers) = &step.receiver {
            self.answers(answers)?;
        }
        if let Some(silencing) = &step.silence {
            self.silence(silencing);
        }
        if step.restart {
            self.list(DryRun::restart);
        }
        if let Some(reload) = &step.reload {
            let variant = variant(self.test, &reload.params);
            if let Some(loaded) = loaded(self.variants, &variant) {
                self.list(|run, all| run.reload(loaded, all));
            }
        }
        Ok(())
    }

    fn happens(&mut self, what: What) {
        let at = self.run.now();
        self.run.happen(&Fact {
            at,
            what,
            listed: false,
        });
    }

    fn silence(&mut self, made: &Silencing) {
        let now = self.run.now();
        let name = if made.name.is_empty() {
            "test"
        } else {
            &made.name
        };
        let lasts = SignedDuration::try_from(made.lasts).unwrap_or(SignedDuration::MAX);
        self.run.silence(if lasts.is_zero() {
            SilenceChange::Expire(name.into())
        } else {
            SilenceChange::Put(Silence {
                name: name.into(),
                namespace: None,
                matchers: made.matchers.clone(),
                condition: None,
                starts_at: now,
                ends_at: later(now, lasts),
                comment: "the test says so".to_owned(),
                created_by: None,
            })
        });
    }

    fn answers(&mut self, answers: &Answers) -> Result<(), String> {
        let name = ReceiverName::from(answers.name.as_str());
        if !self.run.loaded().formats.contains_key(&name) {
            return Err(format!("there is no receiver `{name}`"));
        }
        let after = answers.retry_after.map(SignedDuration::try_from);
        self.run.answer(
            name,
            match answers.answer {
                Answer::Accepted => Outcome::Accepted,
                Answer::Retry => Outcome::Retry {
                    after: after.and_then(Result::ok),
                    why: "the test says so".to_owned(),
                },
                Answer::Refused => Outcome::Refused {
                    why: "the test says so".to_owned(),
                },
            },
        );
        Ok(())
    }

    fn expect(&mut self, expected: &Expectation, place: &Place) {
        let mut lines = Vec::new();
        let manner = Manner {
            or_more: expected.or_more,
            exactly: expected.exactly,
        };
        if let Some(alerts) = &expected.alerts {
            let is_pending = |state: &Value| *state == PENDING;
            let counts_pending = alerts
                .iter()
                .any(|alert| alert.get("state").is_some_and(is_pending));
            let (pending, firing): (Vec<_>, _) =
                (self.alerts().into_iter()).partition(|alert| alert["state"] == PENDING);
            let (there, aside) = if counts_pending {
                ([pending, firing].concat(), Vec::new())
            } else {
                (firing, pending)
            };
            lines.extend(differences("alert", alerts, &there, &aside, manner));
        }
        if let Some(notifications) = &expected.notifications {
            let sent = std::mem::take(&mut self.run.sent);
            let there: Vec<Value> = sent.iter().map(|told| self.notification(told)).collect();
            let told = differences("notification", notifications, &there, &[], manner);
            lines.extend(told);
        }
        if !lines.is_empty() {
            let at = duration::format(expected.at);
            self.fails(place, format!("at {at}\n{}", lines.join("\n")));
        }
    }

    /// The states that are pending or fire.
    fn alerts(&self) -> Vec<Value> {
        let alerts = self.run.engine.alerts();
        let states = alerts.filter(|alert| alert.nature == Nature::State);
        let active = states.filter(|alert| alert.state != State::Resolved);
        let mut alerts: Vec<_> = active.map(|alert| described(alert)).collect();
        alerts.sort_by_cached_key(Value::to_string);
        alerts
    }

    /// A notification as webhooks get it, with the payload of its receiver.
    fn notification(&self, told: &Notification) -> Value {
        let plain = Format::Webhook(Webhook::default());
        let mut value = json_of(&render(told, &plain).body);
        if let Some(format) = self.run.loaded().formats.get(&told.receiver) {
            value["payload"] = json_of(&render(told, format).body);
        }
        value
    }
}

fn loaded<'s>(variants: &'s Variants, variant: &Variant) -> Option<&'s Loaded> {
    variants.get(variant)?.as_ref().ok()
}

/// JSON, or the text that it is instead.
fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)))
}

/// An alert, by the names that messages use.
fn described(alert: &Alert) -> Value {
    let state = match alert.state {
        State::Pending => PENDING,
        State::Firing => "firing",
        State::Resolved => "resolved",
    };
    let object = &alert.object;
    let receivers = alert.receivers.iter().map(ReceiverName::as_str);
    json!({
        "rule": alert.rule.as_str(), "state": state, "severity": alert.severity.as_str(),
        "kind": &*object.kind, "namespace": object.namespace.as_deref(), "name": &*object.name,
        "labels": alert.labels, "since": alert.active_since.to_string(),
        "dedupKey": alert.dedup_key.as_deref(), "shadow": alert.shadow,
        "receivers": receivers.collect::<Vec<_>>(),
    })
}
