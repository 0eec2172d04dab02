//! What templates see: a notification and its alerts as JSON. `render/shape.rs` lists the names.

use serde_json::{Map, Value, json};

use super::message::{Message, Told, status, subject};
use super::template::Model;
use crate::alert::{Alert, Nature};
use crate::notify::{Notification, Status};

/// The model of a rule's own texts.
pub(super) fn of_alert(alert: &Alert, notification: &Notification) -> Model {
    let mut root = view(alert);
    root.insert("rule".to_owned(), rule(alert));
    root.insert("cluster".to_owned(), json!(alert.labels.get("cluster")));
    root.insert("at".to_owned(), json!(notification.at));
    root.insert("alert".to_owned(), Value::Object(bare(alert)));
    Model::new(Value::Object(root), Some(notification.at))
}

/// The model of a message's template.
pub(super) fn of_message(message: &Message) -> Model {
    let notification = message.notification;
    let (firing, resolved) = message.counts();
    let alerts: Vec<Value> = message.alerts.iter().map(told).collect();
    let first = message.alerts.first();
    let mut root = first.map(|told| view(told.alert)).unwrap_or_default();
    let Value::Object(rest) = json!({
        "id": notification.id,
        "receiver": notification.receiver,
        "insteadOf": notification.instead_of,
        "status": status_word(notification.status),
        "cause": notification.cause,
        "severity": message.severity,
        "at": notification.at,
        "title": message.title,
        "group": {
            "key": notification.group,
            "labels": notification.group_labels,
            "firing": firing,
            "resolved": resolved,
            "omitted": notification.omitted,
        },
        "digest": notification.digest,
        "rule": first.map(|told| rule(told.alert)),
        "cluster": message.cluster(),
        "alert": alerts.first(),
        "alerts": alerts,
    }) else {
        return Model::new(Value::Null, None);
    };
    root.extend(rest);
    Model::new(Value::Object(root), Some(notification.at))
}

fn told(told: &Told) -> Value {
    let mut map = bare(told.alert);
    map.insert("summary".to_owned(), json!(told.summary));
    map.insert("description".to_owned(), json!(told.description));
    map.insert("runbook".to_owned(), json!(told.runbook));
    Value::Object(map)
}

fn bare(alert: &Alert) -> Map<String, Value> {
    let mut map = view(alert);
    let Value::Object(rest) = json!({
        "fingerprint": alert.fingerprint,
        "rule": rule(alert),
        "severity": alert.severity,
        "labels": alert.labels,
        "nature": match alert.nature { Nature::State => "state", Nature::Occurrence => "occurrence" },
        "status": status(alert),
        "reason": alert.resolution.as_ref().map(|resolution| resolution.reason.as_str()),
        "count": alert.count,
        "late": alert.late,
        "dedupKey": alert.dedup_key,
        "since": alert.active_since,
        "firedAt": alert.fired_at,
        "resolvedAt": alert.resolution.as_ref().map(|resolution| resolution.at),
        "apiVersion": alert.object.api_version,
        "kind": alert.object.kind,
        "namespace": alert.object.namespace,
        "name": alert.object.name,
        "subject": subject(alert),
        "cluster": alert.labels.get("cluster"),
        "runbook": alert.texts.runbook,
    }) else {
        return map;
    };
    map.extend(rest);
    map
}

/// The frozen values that expressions saw.
fn view(alert: &Alert) -> Map<String, Value> {
    match Value::from((*alert.view).clone()) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn rule(alert: &Alert) -> Value {
    json!({"name": alert.rule, "severity": alert.severity})
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Firing => "firing",
        Status::Resolved => "resolved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use crate::render::shape::Shape;
    use crate::render::{Scope, Target, Template};

    /// Every name that `check` accepts has a value, or is null, in a real model.
    #[test]
    fn the_model_has_the_names_that_check_accepts() {
        let notification = sample::firing();
        let message = Message::of(&notification);
        let view = crate::render::shape::VIEW;
        for (scope, model) in [
            (Scope::Message, of_message(&message)),
            (
                Scope::Alert,
                of_alert(&notification.alerts[0], &notification),
            ),
        ] {
            for name in Shape::of(scope).names() {
                if view.contains(&name) {
                    continue;
                }
                let source = format!("{{{{json {name}}}}}");
                let template = Template::compile("t", &source, Target::Plain, scope).unwrap();
                let expansion = template.expand(&model).unwrap();
                assert_eq!(expansion.missing, Vec::<String>::new(), "{name}");
            }
        }
    }
}
