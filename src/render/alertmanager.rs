//! Alerts as Alertmanager takes them: the body of `POST /api/v2/alerts`.
//!
//! In: a message. Out: its alerts as JSON (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>).
//! One that fires ends by itself some repeats later: a bridge that is gone leaves no alert behind that
//! nobody ends. What only happened, or is a sign of life, ends in the same way.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::Alertmanager;
use super::message::{Message, Told, digest_line};
use crate::alert::State;
use crate::names::Labels;
use crate::notify::{Cause, later};

/// The alerts of a message.
pub(super) fn alerts(message: &Message, format: &Alertmanager) -> Value {
    let notification = message.notification;
    let ends_at = later(notification.at, format.lifetime);
    match notification.cause {
        Cause::Heartbeat => {
            let ends_at = later(notification.at, format.heartbeat_lifetime);
            let labels = own("BellwetherHeartbeat", message);
            json!([alert(
                &labels,
                [("summary", &*message.title)],
                notification.at,
                ends_at
            )])
        }
        _ if message.alerts.is_empty() => {
            let lines = notification.digest.iter();
            let lines: Vec<_> = lines
                .map(|line| digest_line(line, line.rule.as_str()))
                .collect();
            let labels = own("BellwetherDigest", message);
            let texts = [
                ("summary", &*message.title),
                ("description", &*lines.join("\n")),
            ];
            json!([alert(&labels, texts, notification.at, ends_at)])
        }
        _ => message
            .alerts
            .iter()
            .map(|one| told(one, ends_at))
            .collect(),
    }
}

fn told(told: &Told, ends_at: Timestamp) -> Value {
    let one = told.alert;
    let resolution = one
        .resolution
        .as_ref()
        .filter(|_| one.state == State::Resolved);
    // No alert ends before it begins: Alertmanager refuses that.
    let ends_at = resolution.map_or(ends_at, |it| it.at.max(one.active_since));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (description, runbook) = (text(&told.description), text(&told.runbook));
    let texts = [
        ("summary", &*told.summary),
        ("description", &*description),
        ("runbook_url", &*runbook),
    ];
    alert(&one.labels, texts, one.active_since, ends_at)
}

/// A label without a value is none there, and no annotation needs to be empty.
fn alert<const N: usize>(
    labels: &Labels,
    annotations: [(&str, &str); N],
    starts_at: Timestamp,
    ends_at: Timestamp,
) -> Value {
    let filled =
        |(name, value): (&str, &str)| (!value.is_empty()).then(|| (name.to_owned(), value.into()));
    let labels = labels.iter().map(|(name, value)| (&**name, &**value));
    let labels: Map<String, Value> = labels.filter_map(filled).collect();
    let annotations: Map<String, Value> = annotations.into_iter().filter_map(filled).collect();
    json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": starts_at,
        "endsAt": ends_at,
    })
}

/// The labels of what is about the bridge itself.
fn own(name: &str, message: &Message) -> Labels {
    let receiver = message.notification.receiver.as_str();
    [
        ("alertname".into(), name.into()),
        ("receiver".into(), receiver.into()),
    ]
    .into()
}

/// How long an alert lives that is sent again every so often: as with Prometheus, three may be lost.
pub(super) fn lifetime(again: SignedDuration) -> SignedDuration {
    again.saturating_mul(4)
}
