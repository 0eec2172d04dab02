//! [`Report`]: decisions and messages, counted by rule, object and receiver, the noisiest first; and
//! what a week of it would be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Missing;
use crate::decision::{Decision, Reason};
use crate::dry_run::report::{aligned, counted};
use crate::evaluate::RuleSet;
use crate::names::{ReceiverName, RuleName};
use crate::notify::Notification;

/// How many objects are named.
const NOISIEST: usize = 10;
const WEEK: f64 = 7.0 * 24.0 * 3600.0;
/// What is shorter, in seconds, says nothing of a week.
const SHORTEST: f64 = 600.0;

/// What rules made of some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub began: Timestamp,
    pub ended: Timestamp,
    /// Objects and Events after the first list.
    pub transitions: u64,
    pub rules: BTreeMap<RuleName, OfRule>,
    /// Messages by the object that they are about.
    pub objects: BTreeMap<String, u64>,
    pub receivers: BTreeMap<ReceiverName, u64>,
    /// Messages by rule and object, for a comparison.
    pub told: BTreeMap<(RuleName, String), u64>,
    /// All of them.
    pub messages: u64,
    /// What shadow rules would have sent.
    pub shadow: Shadow,
    /// What the rules read and the recording does not hold.
    pub missing: Missing,
    /// The recording ends in the middle of something.
    pub is_cut: bool,
}

/// What shadow rules would have sent: a message for each alert that began and each receiver, as if
/// nothing were grouped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shadow {
    pub messages: u64,
    pub objects: BTreeMap<String, u64>,
    pub receivers: BTreeMap<ReceiverName, u64>,
}

/// What one rule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfRule {
    /// How often it began to fire, or found that something happened.
    pub fired: u64,
    pub resolved: u64,
    /// Messages about it; of a shadow, those that it would have sent.
    pub messages: u64,
    pub shadow: bool,
    /// How often it could not be evaluated.
    pub unknown: u64,
}

/// How often one set of rules told of something, and another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub rule: RuleName,
    pub object: String,
    pub before: u64,
    pub after: u64,
}

impl Report {
    /// Of these rules, which have done nothing yet.
    #[must_use]
    pub fn of(rules: &RuleSet, began: Timestamp) -> Self {
        let mut report = Self {
            began,
            ended: began,
            ..Self::default()
        };
        report.follows(rules);
        report
    }

    /// From now on it is about these rules too.
    pub fn follows(&mut self, rules: &RuleSet) {
        for rule in &rules.rules {
            self.rules.entry(rule.name.clone()).or_default().shadow = rule.shadow;
        }
    }

    /// Something was decided so many times.
    pub fn decided(&mut self, decision: &Decision, times: u64) {
        let Some(rule) = &decision.about.rule else {
            return;
        };
        let of_rule = self.rules.entry(rule.clone()).or_default();
        match decision.reason {
            Reason::Firing | Reason::Occurred => of_rule.fired += times,
            Reason::Resolved(_) => of_rule.resolved += times,
            Reason::Unknown(_) => of_rule.unknown += times,
            Reason::Shadowed => {
                of_rule.messages += times;
                of_rule.shadow = true;
                self.shadow.messages += times;
                if let Some(object) = &decision.about.object {
                    *self.shadow.objects.entry(object.to_string()).or_default() += times;
                }
                if let Some(receiver) = &decision.about.receiver {
                    *self.shadow.receivers.entry(receiver.clone()).or_default() += times;
                }
            }
            _ => {}
        }
    }

    /// A receiver was told.
    pub fn told(&mut self, told: &Notification) {
        let about = told.alerts.iter();
        let about = about.map(|alert| (alert.rule.clone(), alert.object.to_string()));
        self.messages_about(&told.receiver, about.collect(), 1);
    }

    /// A receiver was told so many times, of these alerts.
    pub fn messages_about(
        &mut self,
        receiver: &ReceiverName,
        mut about: Vec<(RuleName, String)>,
        times: u64,
    ) {
        self.messages += times;
        *self.receivers.entry(receiver.clone()).or_default() += times;
        about.sort();
        about.dedup();
        let mut rules: Vec<&RuleName> = about.iter().map(|(rule, _)| rule).collect();
        rules.dedup();
        for rule in rules {
            self.rules.entry(rule.clone()).or_default().messages += times;
        }
        for (rule, object) in about {
            *self.objects.entry(object.clone()).or_default() += times;
            *self.told.entry((rule, object)).or_default() += times;
        }
    }

    /// How long the recording is.
    #[must_use]
    pub fn length(&self) -> SignedDuration {
        self.ended.duration_since(self.began)
    }

    /// So many in the time that there is: how many a week. Nothing for less than ten minutes.
    #[must_use]
    pub fn a_week(&self, count: u64) -> Option<u64> {
        let seconds = self.length().as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let week = (count as f64 * WEEK / seconds).round() as u64;
        (seconds >= SHORTEST).then_some(week)
    }

    /// What two sets of rules told of differently, the largest difference first.
    #[must_use]
    pub fn differences(&self, other: &Report) -> Vec<Difference> {
        let keys = self.told.keys().chain(other.told.keys());
        let keys: std::collections::BTreeSet<_> = keys.collect();
        let count = |report: &Report, key| report.told.get(key).copied().unwrap_or(0);
        let mut all: Vec<Difference> = keys
            .into_iter()
            .map(|key| Difference {
                rule: key.0.clone(),
                object: key.1.clone(),
                before: count(self, key),
                after: count(other, key),
            })
            .filter(|one| one.before != one.after)
            .collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.before.abs_diff(one.after)));
        all
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|(_, of)| std::cmp::Reverse((of.messages, of.fired)));
        let head = ["RULE", "FIRED", "RESOLVED", "UNKNOWN", "MESSAGES", "A WEEK"];
        let rules = rules.into_iter().map(|(name, of)| {
            let shadow = if of.shadow {
                " (shadow: would have sent)"
            } else {
                ""
            };
            vec![
                name.to_string(),
                of.fired.to_string(),
                of.resolved.to_string(),
                of.unknown.to_string(),
                format!("{}{shadow}", of.messages),
                self.week(of.messages),
            ]
        });
        text += &table(&head, rules);
        text += &self.receivers_text("RECEIVER", &self.receivers);
        text += &self.receivers_text("RECEIVER (OF SHADOWS)", &self.shadow.receivers);
        text += &objects_text("NOISIEST OBJECTS", &self.objects);
        text += &objects_text("NOISIEST OBJECTS (OF SHADOWS)", &self.shadow.objects);
        text
    }

    fn receivers_text(&self, head: &str, receivers: &BTreeMap<ReceiverName, u64>) -> String {
        let rows = receivers
            .iter()
            .map(|(name, count)| vec![name.to_string(), count.to_string(), self.week(*count)]);
        table(&[head, "MESSAGES", "A WEEK"], rows)
    }

    /// What a person reads at the end.
    #[must_use]
    pub fn summary(&self) -> String {
        self.summary_of("would have sent")
    }

    /// The same, where `verb` is what became of the messages.
    #[must_use]
    pub fn summary_of(&self, verb: &str) -> String {
        format!(
            "{} to {}: {}, {}; {verb} {}",
            self.began,
            self.ended,
            counted(
                usize::try_from(self.transitions).unwrap_or(usize::MAX),
                "transition"
            ),
            counted(self.rules.len(), "rule"),
            self.messages_text(),
        )
    }

    /// `12 messages, about 84 a week; 7 of them about Pod/prod/db-0`.
    #[must_use]
    pub fn messages_text(&self) -> String {
        let messages = |count: u64| {
            let week = self.a_week(count);
            let week = week.map_or_else(String::new, |week| format!(", about {week} a week"));
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            counted(count, "message") + &week
        };
        let mut text = messages(self.messages);
        if let Some((object, count)) = noisiest(&self.objects).first() {
            let _ = write!(text, "; {count} of them about {object}");
        }
        if self.shadow.messages > 0 {
            let _ = write!(
                text,
                "; shadows would have sent {}",
                messages(self.shadow.messages)
            );
        }
        text
    }

    /// For scripts: one object.
    #[must_use]
    pub fn json(&self) -> Value {
        let rules = self.rules.iter().map(|(name, of)| {
            json!({
                "rule": name.as_str(), "fired": of.fired, "resolved": of.resolved, "unknown": of.unknown,
                "messages": of.messages, "shadow": of.shadow, "aWeek": self.a_week(of.messages),
            })
        });
        let receivers = |all: &BTreeMap<ReceiverName, u64>| -> Value {
            let all = all.iter();
            all.map(|(name, count)| {
                json!({"receiver": name.as_str(), "messages": count, "aWeek": self.a_week(*count)})
            })
            .collect()
        };
        let objects = |all| -> Value {
            let all = noisiest(all).into_iter();
            all.map(|(name, count)| json!({"object": name, "messages": count}))
                .collect()
        };
        json!({
            "began": self.began, "ended": self.ended, "transitions": self.transitions,
            "messages": self.messages, "aWeek": self.a_week(self.messages), "cut": self.is_cut,
            "rules": rules.collect::<Vec<_>>(), "receivers": receivers(&self.receivers),
            "objects": objects(&self.objects),
            "shadow": {
                "messages": self.shadow.messages, "aWeek": self.a_week(self.shadow.messages),
                "receivers": receivers(&self.shadow.receivers),
                "objects": objects(&self.shadow.objects),
            },
            "notTried": self.missing.json(),
        })
    }

    fn week(&self, count: u64) -> String {
        self.a_week(count)
            .map_or_else(|| "-".to_owned(), |week| week.to_string())
    }
}

fn noisiest(objects: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let objects = objects.iter();
    let mut objects: Vec<_> = objects
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    objects.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    objects
}

fn objects_text(head: &str, objects: &BTreeMap<String, u64>) -> String {
    let objects = noisiest(objects).into_iter().take(NOISIEST);
    let rows = objects.map(|(name, count)| vec![name.to_owned(), count.to_string()]);
    table(&[head, "MESSAGES"], rows)
}

/// The differences as a table.
#[must_use]
pub fn differences(all: &[Difference]) -> String {
    let rows = all.iter().map(|one| {
        vec![
            one.rule.to_string(),
            one.object.clone(),
            one.before.to_string(),
            one.after.to_string(),
        ]
    });
    table(&["RULE", "OBJECT", "MESSAGES", "AGAINST"], rows)
}

/// A table with a line before the next; nothing without rows.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let all: Vec<_> = std::iter::once(head).chain(rows).collect();
    aligned(&all) + "\n"
}
