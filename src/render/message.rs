//! A notification as every receiver needs it: its alerts with their texts expanded, its title
//! and its severity, and what failed on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::escape::Target;
use super::template::{Model, Scope, Template};
use super::{cut, model};
use crate::alert::{Alert, Nature, State};
use crate::names::Severity;
use crate::notify::{Cause, Digest, Notification, Status};

/// Characters of a summary, and of a runbook's address.
const SUMMARY: usize = 2000;
/// Characters of a description: an object of a megabyte must not become one of its messages.
const DESCRIPTION: usize = 8000;

/// A notification with its texts.
pub(super) struct Message<'n> {
    pub notification: &'n Notification,
    pub alerts: Vec<Told<'n>>,
    /// What it is about in a few words, without its status.
    pub title: String,
    /// The worst of the alerts that fire, or of those that have resolved.
    pub severity: Severity,
    /// Templates that failed, with the reason.
    pub failures: Vec<String>,
    /// Paths that had no value.
    pub missing: Vec<String>,
}

/// An alert with its texts expanded: plain text, not yet escaped.
pub(super) struct Told<'n> {
    pub alert: &'n Alert,
    pub summary: String,
    pub description: Option<String>,
    pub runbook: Option<String>,
}

impl<'n> Message<'n> {
    pub fn of(notification: &'n Notification) -> Self {
        let mut message = Self {
            notification,
            alerts: Vec::with_capacity(notification.alerts.len()),
            title: String::new(),
            severity: severity(notification),
            failures: Vec::new(),
            missing: Vec::new(),
        };
        let mut texts = Texts::default();
        for alert in &notification.alerts {
            let told = texts.expand(alert, notification, &mut message);
            message.alerts.push(told);
        }
        message.title = message.title();
        message
    }

    pub fn is_resolved(&self) -> bool {
        self.notification.status == Status::Resolved
    }

    /// All alerts, also those that the notification does not hold.
    pub fn count(&self) -> u64 {
        self.alerts.len() as u64 + self.notification.omitted
    }

    /// The only alert, where there is one.
    pub fn only(&self) -> Option<&Told<'n>> {
        match self.alerts.as_slice() {
            [only] if self.notification.omitted == 0 => Some(only),
            _ => None,
        }
    }

    /// How many alerts of those it holds fire, and how many have resolved.
    pub fn counts(&self) -> (u64, u64) {
        let resolved = |told: &&Told| told.alert.state == State::Resolved;
        let resolved = self.alerts.iter().filter(resolved).count() as u64;
        (self.alerts.len() as u64 - resolved, resolved)
    }

    /// The cluster's name, from the labels.
    pub fn cluster(&self) -> Option<&'n str> {
        let label = |told: &Told<'n>| told.alert.labels.get("cluster").map(|name| &**name);
        let cluster = self.alerts.iter().find_map(label);
        cluster.filter(|name| !name.is_empty())
    }

    fn title(&self) -> String {
        let about = match self.notification.cause {
            Cause::Heartbeat => return "Bellwether is watching".to_owned(),
            Cause::Digest => self.digest_title(),
            _ => match self.only() {
                Some(told) => format!("{}: {}", told.alert.rule, subject(told.alert)),
                None => self.group_title(),
            },
        };
        let about = match self.notification.cause {
            Cause::Drill => return format!("Drill: {about}"),
            _ => about,
        };
        match &self.notification.instead_of {
            Some(receiver) => format!("{about} ({receiver} did not take this)"),
            None => about,
        }
    }

    fn digest_title(&self) -> String {
        let lines = &self.notification.digest;
        let held: u64 = lines.iter().map(|line| line.alerts).sum();
        let rules = counted(lines.len() as u64, "rule");
        if self.is_resolved() {
            format!("{} of {rules} over", counted(held, "alert"))
        } else {
            format!("{} from {rules}", counted(held, "more alert"))
        }
    }

    fn group_title(&self) -> String {
        let rules: BTreeSet<&str> = self.alerts.iter().map(|t| t.alert.rule.as_str()).collect();
        let name = match rules.len() {
            0 => self.notification.group.as_str().to_owned(),
            1 => rules.into_iter().collect(),
            _ => {
                let labels = self.notification.group_labels.values();
                let labels: Vec<&str> = labels.map(|v| &**v).collect();
                if labels.is_empty() {
                    format!("{} rules", rules.len())
                } else {
                    labels.join(", ")
                }
            }
        };
        let (firing, resolved) = self.counts();
        let occurrences = self
            .alerts
            .iter()
            .all(|t| t.alert.nature == Nature::Occurrence);
        let firing = firing + self.notification.omitted;
        let mut counts = Vec::new();
        if occurrences && firing > 0 {
            counts.push(format!("{firing} times"));
        } else if firing > 0 && !self.is_resolved() {
            counts.push(format!("{firing} firing"));
        }
        if self.is_resolved() {
            counts.push(format!("{} resolved", self.count()));
        } else if resolved > 0 {
            counts.push(format!("{resolved} resolved"));
        }
        format!("{name}: {}", counts.join(", "))
    }
}

/// A number with its noun: `1 rule`, `2 rules`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// One line of a digest: `37 more from database-failed, 12 namespaces`.
pub(super) fn digest_line(line: &Digest, rule: &str) -> String {
    if line.namespaces == 0 {
        return format!("{} more from {rule}", line.alerts);
    }
    let namespaces = counted(line.namespaces, "namespace");
    format!("{} more from {rule}, {namespaces}", line.alerts)
}

/// The object as a person would say it: `DatabaseInstance prod/orders`.
pub(super) fn subject(alert: &Alert) -> String {
    format!("{} {}", alert.object.kind, place(alert))
}

/// Where the object is: `prod/orders`, or `worker-1` for one without a namespace.
pub(super) fn place(alert: &Alert) -> String {
    match &alert.object.namespace {
        Some(namespace) => format!("{namespace}/{}", alert.object.name),
        None => alert.object.name.to_string(),
    }
}

/// What an alert is at the moment, in a word.
pub(super) fn status(alert: &Alert) -> &'static str {
    match (alert.nature, alert.state) {
        (_, State::Resolved) => "resolved",
        (Nature::Occurrence, _) => "occurred",
        (Nature::State, _) => "firing",
    }
}

fn severity(notification: &Notification) -> Severity {
    let firing = notification
        .alerts
        .iter()
        .filter(|a| a.state != State::Resolved);
    let worst = firing.map(|alert| alert.severity).max();
    let any = notification.alerts.iter().map(|alert| alert.severity).max();
    worst.or(any).unwrap_or(match notification.cause {
        Cause::Digest => Severity::Warning,
        _ => Severity::Info,
    })
}

/// The compiled texts of the rules: each is compiled once for a message, however many alerts
/// have it.
#[derive(Default)]
struct Texts<'n> {
    compiled: BTreeMap<&'n str, Option<Template>>,
}

impl<'n> Texts<'n> {
    fn expand(
        &mut self,
        alert: &'n Alert,
        notification: &Notification,
        message: &mut Message,
    ) -> Told<'n> {
        let model = model::of_alert(alert, notification);
        let mut text = |name: &str, source: &'n Option<Arc<str>>, most: usize| {
            let source = source.as_deref()?;
            let text = self.text(name, source, alert, &model, message)?;
            let text = cut::to_characters(text.trim(), most);
            Some(text).filter(|text| !text.is_empty())
        };
        let summary = text("summary", &alert.texts.summary, SUMMARY);
        let description = text("description", &alert.texts.description, DESCRIPTION);
        let runbook = text("runbook", &alert.texts.runbook, SUMMARY);
        Told {
            alert,
            summary: summary.unwrap_or_else(|| format!("{}: {}", alert.rule, subject(alert))),
            description,
            runbook,
        }
    }

    fn text(
        &mut self,
        name: &str,
        source: &'n str,
        alert: &Alert,
        model: &Model,
        message: &mut Message,
    ) -> Option<String> {
        if !source.contains("{{") && !source.contains('\\') {
            return Some(source.to_owned());
        }
        let label = format!("{name} of {}", alert.rule);
        let template = self.compiled.entry(source).or_insert_with(|| {
            let compiled = Template::compile(&label, source, Target::Plain, Scope::Alert);
            compiled
                .map_err(|problems| {
                    let first = problems.first().map(|problem| problem.message.clone());
                    message.fail(&format!("{label}: {}", first.unwrap_or_default()));
                })
                .ok()
        });
        match template.as_ref()?.expand(model) {
            Ok(expansion) => {
                message.missing.extend(expansion.missing);
                Some(expansion.text)
            }
            Err(why) => {
                message.fail(&why);
                None
            }
        }
    }
}

impl Message<'_> {
    /// Notes a failure, each reason once.
    pub fn fail(&mut self, why: &str) {
        let why = cut::to_characters(why, 300);
        if !self.failures.contains(&why) {
            self.failures.push(why);
        }
    }
}
