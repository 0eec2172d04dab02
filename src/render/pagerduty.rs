//! PagerDuty events, within the limits of the Events API v2.
//!
//! In: a message, and what a template gave where the receiver has one. Out: the event's JSON
//! without its `routing_key`, which is a credential and is added by `deliver`
//! (<https://developer.pagerduty.com/docs/send-alert-event>). A heartbeat is a change event: it
//! must not wake anybody (<https://developer.pagerduty.com/docs/send-change-event>).

use serde_json::{Map, Value, json};

use super::links::{Offered, Shown};
use super::message::{Message, Told, digest_line, status, subject};
use super::{PagerDuty, cut};
use crate::alert::Nature;
use crate::config::Occurrences;
use crate::names::Fingerprint;
use crate::notify::Cause;

/// Bytes of a whole event: 512 KB are allowed, and the routing key is still to come.
const EVENT: usize = 500 * 1000;
const SUMMARY: usize = 1024;
/// Other texts of the payload: undocumented, so well below anything sensible.
const FIELD: usize = 255;
/// Texts within the details.
const DETAIL: usize = 4000;
/// Alerts of a group that the details hold.
const ALERTS: usize = 100;

/// What a receiver's template gives.
pub(super) enum Override {
    /// A text, for the summary.
    Summary(String),
    /// A JSON object, laid over the payload.
    Payload(Map<String, Value>),
}

/// What an event offers besides its payload.
pub(super) struct Offers {
    pub links: Vec<Offered>,
    pub images: Vec<Shown>,
}

/// Whether it is an event for `/v2/change/enqueue`: a sign of life, or what only happened, where the
/// receiver wants it so.
pub(super) fn is_change(message: &Message, format: &PagerDuty) -> bool {
    let mut alerts = message.alerts.iter();
    let notification = message.notification;
    match notification.cause {
        Cause::Heartbeat => true,
        _ => {
            format.occurrences == Occurrences::Change
                && !message.alerts.is_empty()
                && !message.is_resolved()
                && alerts.all(|told| told.alert.nature == Nature::Occurrence)
        }
    }
}

/// The event.
pub(super) fn event(
    message: &Message,
    format: &PagerDuty,
    with: Option<Override>,
    offers: &Offers,
) -> Value {
    if message.notification.cause == Cause::Heartbeat {
        return heartbeat(message);
    }
    if is_change(message, format) {
        return change(message, format, with, offers);
    }
    let dedup_key = dedup_key(message);
    if message.is_resolved() {
        return json!({"event_action": "resolve", "dedup_key": dedup_key});
    }
    if message.notification.cause == Cause::Acknowledged {
        return json!({"event_action": "acknowledge", "dedup_key": dedup_key});
    }
    let mut payload = payload(message, format);
    lay_over(&mut payload, with);
    limit(&mut payload);
    let mut event = json!({
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": cut::to_characters(format.client.as_deref().unwrap_or("Bellwether"), FIELD),
        "payload": payload,
    });
    if let Some(url) = &format.client_url {
        event["client_url"] = url.clone().into();
    }
    offer(&mut event, offers);
    shrink(&mut event);
    event
}

/// A change event: it has a summary, a source, a time and details, and nothing of an incident.
fn change(message: &Message, format: &PagerDuty, with: Option<Override>, offers: &Offers) -> Value {
    let mut payload = payload(message, format);
    lay_over(&mut payload, with);
    limit(&mut payload);
    let known = ["summary", "source", "timestamp", "custom_details"];
    payload.retain(|name, _| known.contains(&name.as_str()));
    let mut event = json!({ "payload": payload });
    offer(&mut event, offers);
    if let Some(event) = event.as_object_mut() {
        event.remove("images");
    }
    shrink(&mut event);
    event
}

fn lay_over(payload: &mut Map<String, Value>, with: Option<Override>) {
    match with {
        Some(Override::Summary(text)) if !text.trim().is_empty() => {
            payload.insert("summary".to_owned(), text.trim().into());
        }
        Some(Override::Payload(map)) => payload.extend(map),
        _ => {}
    }
}

fn offer(event: &mut Value, offers: &Offers) {
    let links = offers.links.iter();
    let links: Vec<Value> = links
        .map(|link| json!({"href": link.url, "text": link.text}))
        .collect();
    if !links.is_empty() {
        event["links"] = links.into();
    }
    let images = offers.images.iter().map(|image| {
        let mut shown = json!({"src": image.src});
        for (name, text) in [("href", &image.href), ("alt", &image.alt)] {
            if let Some(text) = text {
                shown[name] = text.clone().into();
            }
        }
        shown
    });
    let images: Vec<Value> = images.collect();
    if !images.is_empty() {
        event["images"] = images.into();
    }
}

/// The incident that a group's events belong to: stable for the receiver and the group.
fn dedup_key(message: &Message) -> String {
    let notification = message.notification;
    let parts = [
        "pagerduty",
        notification.receiver.as_str(),
        notification.group.as_str(),
    ];
    Fingerprint::of(&parts).to_string()
}

fn heartbeat(message: &Message) -> Value {
    json!({"payload": {
        "summary": message.title,
        "source": "Bellwether",
        "timestamp": message.notification.at,
    }})
}

fn payload(message: &Message, format: &PagerDuty) -> Map<String, Value> {
    let first = message.alerts.first();
    let about_itself = matches!(message.notification.cause, Cause::Drill | Cause::Digest);
    let summary = match message.only() {
        Some(told) if !about_itself => told.summary.clone(),
        _ => message.title.clone(),
    };
    let source = match (message.only(), message.cluster()) {
        (Some(told), Some(cluster)) => format!("{cluster}: {}", told.alert.object),
        (Some(told), None) => told.alert.object.to_string(),
        (None, Some(cluster)) => cluster.to_owned(),
        (None, None) => "Kubernetes".to_owned(),
    };
    let class = first.map(|told| told.alert.rule.to_string());
    let component = first.map(|told| told.alert.object.kind.to_string());
    let Value::Object(payload) = json!({
        "summary": summary,
        "source": source,
        "severity": message.severity.as_str(),
        "timestamp": first.map_or(message.notification.at, |told| told.alert.active_since),
        "component": format.component.clone().or(component),
        "group": message.notification.group.as_str(),
        "class": format.class.clone().or(class),
        "custom_details": details(message),
    }) else {
        return Map::new();
    };
    payload
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect()
}

fn details(message: &Message) -> Value {
    let (firing, resolved) = message.counts();
    let alerts: Vec<Value> = message.alerts.iter().take(ALERTS).map(detail).collect();
    let more = message.count() - alerts.len() as u64;
    let mut details = json!({
        "firing": firing + message.notification.omitted,
        "resolved": resolved,
        "alerts": alerts,
    });
    if more > 0 {
        details["more"] = more.into();
    }
    if !message.notification.digest.is_empty() {
        let lines = message.notification.digest.iter().take(ALERTS);
        details["digest"] = lines
            .map(|line| {
                let rule = cut::to_characters(line.rule.as_str(), FIELD);
                json!(digest_line(line, &rule))
            })
            .collect();
    }
    if !message.failures.is_empty() {
        details["template_failed"] = json!(message.failures.iter().take(5).collect::<Vec<_>>());
    }
    details
}

fn detail(told: &Told) -> Value {
    let alert = told.alert;
    let short = |text: &str| cut::to_characters(text, DETAIL);
    let labels = alert.labels.iter().take(50);
    let labels: Map<String, Value> = labels
        .map(|(name, value)| (name.to_string(), cut::to_characters(value, FIELD).into()))
        .collect();
    json!({
        "status": status(alert),
        "severity": alert.severity,
        "object": subject(alert),
        "summary": short(&told.summary),
        "description": told.description.as_deref().map(short),
        "since": alert.active_since,
        "count": alert.count,
        "labels": labels,
    })
}

/// Cuts what PagerDuty would refuse, also where a template wrote it, and repairs a severity that
/// it does not know.
fn limit(payload: &mut Map<String, Value>) {
    let limits = [
        ("summary", SUMMARY),
        ("source", FIELD),
        ("component", FIELD),
        ("group", FIELD),
        ("class", FIELD),
    ];
    for (name, most) in limits {
        if let Some(value) = payload.get_mut(name) {
            let text = super::function::text_of(value);
            let text = cut::to_characters(text.trim(), most);
            *value = if text.is_empty() {
                "–".into()
            } else {
                text.into()
            };
        }
    }
    let known = ["critical", "error", "warning", "info"];
    let severity = payload.get("severity").and_then(Value::as_str);
    if !severity.is_some_and(|severity| known.contains(&severity)) {
        payload.insert("severity".to_owned(), "error".into());
    }
}

/// Halves the alerts in the details until the event is small enough; what a template added and is
/// still too large goes as a whole.
fn shrink(event: &mut Value) {
    while event.to_string().len() > EVENT {
        let alerts = event.pointer_mut("/payload/custom_details/alerts");
        match alerts.and_then(Value::as_array_mut) {
            Some(alerts) if !alerts.is_empty() => alerts.truncate(alerts.len() / 2),
            _ => return keep_required(event),
        }
    }
}

/// Only what PagerDuty requires.
fn keep_required(event: &mut Value) {
    if let Some(event) = event.as_object_mut() {
        event.remove("links");
        event.remove("images");
        event.remove("client_url");
    }
    if let Some(payload) = event["payload"].as_object_mut() {
        payload.retain(|name, _| {
            ["summary", "source", "severity", "timestamp"].contains(&name.as_str())
        });
        payload.insert("custom_details".to_owned(), "too large, left out".into());
    }
}
