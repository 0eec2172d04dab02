//! The JSON that a webhook receives when its receiver has no template of its own: version 1.
//!
//! `templates/webhook.schema.json` is made from these types. Fields may be added within a
//! version; none is renamed or removed, and readers should ignore what they do not know.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::message::{Message, Told, status};
use crate::alert::Nature;
use crate::names::{Labels, ReceiverName, Severity};
use crate::notify::{Cause, Status};

/// A notification.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Body<'a> {
    /// The version of this format.
    #[schemars(extend("const" = "1"))]
    version: &'static str,
    /// The notification's identity, the same in every attempt and in `Idempotency-Key`.
    id: &'a str,
    /// The name of the receiver.
    receiver: &'a str,
    /// The receiver that did not take it, if this one stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<&'a str>,
    /// `resolved` when no alert of the group fires any more.
    #[schemars(extend("enum" = ["firing", "resolved"]))]
    status: &'static str,
    /// What made the notification due.
    #[schemars(extend("enum" = ["new", "changed", "repeat", "resolved", "occurred", "digest", "heartbeat", "drill"]))]
    cause: &'static str,
    /// The worst severity of the alerts that fire.
    #[schemars(extend("enum" = ["info", "warning", "critical"]))]
    severity: &'static str,
    /// When it was decided, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// What it is about, in a few words.
    title: &'a str,
    group: Group<'a>,
    /// Firing alerts first, then those that resolved since the last notification.
    alerts: Vec<Alert<'a>>,
    /// How many more alerts there are than `alerts` holds.
    omitted: u64,
    /// What a limit had held back, by rule.
    digest: Vec<Digest<'a>>,
    /// Templates that failed while this was written; the built-in text stands in their place.
    template_failures: Vec<&'a str>,
}

/// The group of the alerts.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group<'a> {
    /// Stable: a firing and its resolve have the same key.
    key: &'a str,
    /// The labels that all its alerts share and that make the group.
    labels: &'a Labels,
    /// How many of `alerts` fire.
    firing: u64,
    /// How many of `alerts` have resolved.
    resolved: u64,
}

/// One alert.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert<'a> {
    /// The alert's identity through restarts and edits of its rule.
    fingerprint: String,
    rule: &'a str,
    /// `occurred` for something that happened, which never resolves.
    #[schemars(extend("enum" = ["firing", "resolved", "occurred"]))]
    status: &'static str,
    #[schemars(extend("enum" = ["state", "occurrence"]))]
    nature: &'static str,
    #[schemars(extend("enum" = ["info", "warning", "critical"]))]
    severity: &'static str,
    labels: &'a Labels,
    object: Object<'a>,
    summary: &'a str,
    description: Option<&'a str>,
    runbook: Option<&'a str>,
    /// Since when the rule has been true, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// When it began to fire.
    fired_at: Option<String>,
    resolved_at: Option<String>,
    /// Why it resolved.
    reason: Option<&'static str>,
    /// How often its Event was seen.
    count: u64,
    /// It happened while nobody watched.
    late: bool,
    dedup_key: Option<&'a str>,
}

/// The object that an alert is about.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Object<'a> {
    api_version: &'a str,
    kind: &'a str,
    /// Null for a cluster-scoped object.
    namespace: Option<&'a str>,
    name: &'a str,
    uid: String,
}

/// One line of a digest.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digest<'a> {
    rule: &'a str,
    alerts: u64,
    namespaces: u64,
}

impl<'a> Body<'a> {
    pub(super) fn of(message: &'a Message<'a>) -> Self {
        let notification = message.notification;
        let (firing, resolved) = message.counts();
        let digest = notification.digest.iter().map(|line| Digest {
            rule: line.rule.as_str(),
            alerts: line.alerts,
            namespaces: line.namespaces,
        });
        Self {
            version: "1",
            id: notification.id.as_str(),
            receiver: notification.receiver.as_str(),
            instead_of: notification.instead_of.as_ref().map(ReceiverName::as_str),
            status: match notification.status {
                Status::Firing => "firing",
                Status::Resolved => "resolved",
            },
            cause: cause(notification.cause),
            severity: severity(message.severity),
            at: time(notification.at),
            title: &message.title,
            group: Group {
                key: notification.group.as_str(),
                labels: &notification.group_labels,
                firing,
                resolved,
            },
            alerts: message.alerts.iter().map(alert).collect(),
            omitted: notification.omitted,
            digest: digest.collect(),
            template_failures: message.failures.iter().map(String::as_str).collect(),
        }
    }
}

fn alert<'a>(told: &'a Told<'a>) -> Alert<'a> {
    let alert = told.alert;
    Alert {
        fingerprint: alert.fingerprint.to_string(),
        rule: alert.rule.as_str(),
        status: status(alert),
        nature: match alert.nature {
            Nature::State => "state",
            Nature::Occurrence => "occurrence",
        },
        severity: severity(alert.severity),
        labels: &alert.labels,
        object: Object {
            api_version: &alert.object.api_version,
            kind: &alert.object.kind,
            namespace: alert.object.namespace.as_deref(),
            name: &alert.object.name,
            uid: alert.object.uid.to_string(),
        },
        summary: &told.summary,
        description: told.description.as_deref(),
        runbook: told.runbook.as_deref(),
        since: time(alert.active_since),
        fired_at: alert.fired_at.map(time),
        resolved_at: alert
            .resolution
            .as_ref()
            .map(|resolution| time(resolution.at)),
        reason: alert
            .resolution
            .as_ref()
            .map(|resolution| resolution.reason.as_str()),
        count: alert.count,
        late: alert.late,
        dedup_key: alert.dedup_key.as_deref(),
    }
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn severity(severity: Severity) -> &'static str {
    severity.as_str()
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::New => "new",
        Cause::Changed => "changed",
        Cause::Repeat => "repeat",
        Cause::Resolved => "resolved",
        Cause::Acknowledged => "acknowledged",
        Cause::Occurred => "occurred",
        Cause::Digest => "digest",
        Cause::Heartbeat => "heartbeat",
        Cause::Drill => "drill",
    }
}

/// The JSON Schema of the body, as it is published in `templates/webhook.schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Body);
    schema.insert(
        "title".to_owned(),
        "Bellwether notification, version 1".into(),
    );
    schema.to_value()
}
