//! What a dry run found, a [`Row`] for each alert and for each rule that is unknown on an object.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::DryRun;
use crate::alert::{Alert, Nature, State};
use crate::names::{ObjectRef, RuleName};

/// One line of the report; in JSON exactly these fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Row {
    pub rule: RuleName,
    #[serde(serialize_with = "without_uid")]
    pub object: ObjectRef,
    /// `firing`, `pending`, `resolved`, `unknown` or `ok`.
    pub state: &'static str,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub reason: String,
    pub notifies: Vec<String>,
}

impl Row {
    /// Rows that say the same of the same alert have the same key; only the time left may differ.
    #[must_use]
    pub fn key(&self) -> Row {
        let mut key = self.clone();
        if self.state == "pending" {
            key.reason.clear();
        }
        key
    }
}

fn without_uid<S: serde::Serializer>(object: &ObjectRef, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Object<'a> {
        api_version: &'a str,
        kind: &'a str,
        namespace: Option<&'a str>,
        name: &'a str,
    }
    let object = Object {
        api_version: &object.api_version,
        kind: &object.kind,
        namespace: object.namespace.as_deref(),
        name: &object.name,
    };
    object.serialize(serializer)
}

impl DryRun<'_> {
    /// The rows, by rule and object; with `all`, also the rules that are false.
    #[must_use]
    pub fn rows(&self, all: bool) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .alerts
            .values()
            .filter(|alert| !alert.is_notice())
            .map(|alert| self.row(alert))
            .collect();
        for (rule, object, since, why) in self.engine.unknown() {
            rows.push(Row {
                rule,
                object,
                state: "unknown",
                since: Some(since),
                until: None,
                reason: why.to_owned(),
                notifies: Vec::new(),
            });
        }
        if all {
            let said: BTreeSet<(RuleName, ObjectRef)> = rows
                .iter()
                .map(|row| (row.rule.clone(), row.object.clone()))
                .collect();
            let watched = self.engine.watched().into_iter();
            let silent = watched.filter(|pair| !said.contains(pair));
            rows.extend(silent.map(|(rule, object)| Row {
                rule,
                object,
                state: "ok",
                since: None,
                until: None,
                reason: "not true".to_owned(),
                notifies: Vec::new(),
            }));
        }
        rows.sort_by(|a, b| {
            (&a.rule, &a.object, a.since, &a.reason).cmp(&(&b.rule, &b.object, b.since, &b.reason))
        });
        rows
    }

    /// The rows of the pending alerts that ended before they fired.
    #[must_use]
    pub fn withdrawn_rows(&self) -> Vec<Row> {
        let withdrawn = self.withdrawn.iter();
        let rows = withdrawn.map(|alert| Row {
            state: "ok",
            until: Some(self.now()),
            reason: "no longer true, and was not held for long enough".to_owned(),
            notifies: Vec::new(),
            ..self.row(alert)
        });
        rows.collect()
    }

    fn row(&self, alert: &Alert) -> Row {
        let rule = self.loaded.rules.rule(&alert.rule);
        let ends = rule.and_then(|rule| alert.active_since.checked_add(rule.hold).ok());
        let (state, until, reason) = match alert.state {
            State::Pending => {
                let left = ends.map_or(SignedDuration::ZERO, |at| at.duration_since(self.now()));
                let reason = match alert.unknown_since {
                    Some(_) => "its hold pauses: the rule is unknown".to_owned(),
                    None => format!("true, fires in {}", in_words(left)),
                };
                ("pending", ends, reason)
            }
            State::Firing if alert.nature == Nature::Occurrence => {
                ("firing", None, happened(alert))
            }
            State::Firing => ("firing", None, "true".to_owned()),
            State::Resolved => {
                let over = alert.resolution.as_ref();
                let reason = over.map_or("resolved", |over| over.reason.as_str());
                ("resolved", over.map(|over| over.at), reason.to_owned())
            }
        };
        Row {
            rule: alert.rule.clone(),
            object: alert.object.clone(),
            state,
            since: Some(alert.active_since),
            until,
            reason,
            notifies: self.notifies(alert),
        }
    }

    /// The receivers that its rule names, or that the routes lead to.
    fn notifies(&self, alert: &Alert) -> Vec<String> {
        if alert.shadow {
            return Vec::new();
        }
        let receivers = self.engine.receivers_of(alert).into_iter();
        receivers.map(|receiver| receiver.to_string()).collect()
    }

    /// What a person reads at the end: how many of what.
    #[must_use]
    pub fn summary(&self, rows: &[Row]) -> String {
        let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
        let firing = count("firing") + self.totals.happened;
        let resolved = count("resolved") + self.totals.resolved;
        let streams = self.engine.status().streams;
        let watched = self.loaded.rules.sources.iter().zip(&streams);
        let watched = watched.filter(|(source, _)| !source.rules.is_empty());
        let objects: usize = watched.map(|(_, stream)| stream.objects).sum();
        format!(
            "{}, {}: {firing} firing, {} pending, {resolved} resolved, {} unknown; \
             {} would have been sent",
            counted(objects, "object"),
            counted(self.loaded.rules.rules.len(), "rule"),
            count("pending"),
            count("unknown"),
            counted(self.totals.sent, "notification")
        )
    }
}

/// The rows as a table with aligned columns, nothing cut.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let head = ["RULE", "OBJECT", "STATE", "SINCE", "WHY", "NOTIFIES"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        let since = row.since.map(|since| format!("{since:.0}"));
        let notifies = Some(row.notifies.join(",")).filter(|names| !names.is_empty());
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            row.rule.to_string(),
            row.object.to_string(),
            row.state.to_owned(),
            or_none(since),
            row.reason.clone(),
            or_none(notifies),
        ]
    });
    let lines: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(lines).collect();
    aligned(&lines)
}

/// Rows of equal length in columns as wide as what stands in them.
#[must_use]
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}   ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `1 rule`, `2 rules`.
#[must_use]
pub fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A duration as people write it: `4m50s`.
fn in_words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn happened(alert: &Alert) -> String {
    match alert.count {
        1 => "it happened".to_owned(),
        count => format!("it happened {count} times"),
    }
}
