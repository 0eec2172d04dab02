//! The schema of an event: what is required, of which type, how long. Lengths are in characters.

use jiff::Timestamp;
use jiff::fmt::strtime;
use serde_json::Value;

use crate::receivers::characters;

const ACTIONS: [&str; 3] = ["trigger", "acknowledge", "resolve"];
const SEVERITIES: [&str; 4] = ["critical", "warning", "error", "info"];

/// Everything that is wrong with an alert event, in PagerDuty's words where they are known.
pub(super) fn check(event: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    errors.routing_key(event);
    errors.one_of("event_action", &event["event_action"], &ACTIONS);
    errors.text("dedup_key", &event["dedup_key"], 255);
    let action = event["event_action"].as_str().unwrap_or_default();
    if ["acknowledge", "resolve"].contains(&action) {
        errors.required("dedup_key", &event["dedup_key"]);
    }
    // Only a trigger needs a payload, but what is there must be right.
    if action == "trigger" || event["payload"].is_object() {
        let payload = &event["payload"];
        errors.required("payload.summary", &payload["summary"]);
        errors.text("payload.summary", &payload["summary"], 1024);
        errors.required("payload.source", &payload["source"]);
        errors.one_of("payload.severity", &payload["severity"], &SEVERITIES);
        for field in ["source", "component", "group", "class"] {
            errors.text(&format!("payload.{field}"), &payload[field], usize::MAX);
        }
        errors.details(payload);
    }
    for field in ["client", "client_url"] {
        errors.text(field, &event[field], usize::MAX);
    }
    errors.links(event);
    errors.0
}

/// Everything that is wrong with a change event.
pub(super) fn check_change(event: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    let payload = &event["payload"];
    errors.routing_key(event);
    errors.required("payload.summary", &payload["summary"]);
    errors.text("payload.summary", &payload["summary"], 1024);
    errors.text("payload.source", &payload["source"], usize::MAX);
    errors.details(payload);
    errors.links(event);
    errors.0
}

#[derive(Default)]
struct Errors(Vec<String>);

impl Errors {
    fn routing_key(&mut self, event: &Value) {
        self.required("routing_key", &event["routing_key"]);
        if event["routing_key"]
            .as_str()
            .is_some_and(|key| characters(key) != 32)
        {
            self.0
                .push("Length of 'routing_key' is incorrect (should be 32 characters)".to_owned());
        }
    }

    fn required(&mut self, name: &str, value: &Value) {
        if value.is_null() || value == "" {
            self.0.push(format!("'{name}' is missing or blank"));
        }
    }

    fn one_of(&mut self, name: &str, value: &Value, allowed: &[&str]) {
        if value.is_null() {
            self.required(name, value);
        } else if !value.as_str().is_some_and(|value| allowed.contains(&value)) {
            self.0.push(format!(
                "'{name}' is invalid (must be one of: '{}')",
                allowed.join("', '")
            ));
        }
    }

    fn text(&mut self, name: &str, value: &Value, limit: usize) {
        match value {
            Value::Null => {}
            Value::String(text) if characters(text) <= limit => {}
            Value::String(_) => self.0.push(format!(
                "Length of '{name}' is incorrect (should be at most {limit} characters)"
            )),
            _ => self
                .0
                .push(format!("'{name}' is invalid (must be a string)")),
        }
    }

    /// What the payloads of alerts and changes have in common.
    fn details(&mut self, payload: &Value) {
        if !payload["custom_details"].is_null() && !payload["custom_details"].is_object() {
            self.0
                .push("'payload.custom_details' is invalid (must be an object)".to_owned());
        }
        let timestamp = &payload["timestamp"];
        if !timestamp.is_null() && !timestamp.as_str().is_some_and(is_timestamp) {
            self.0.push(
                "'payload.timestamp' is invalid (must be an ISO 8601 time with an offset)"
                    .to_owned(),
            );
        }
    }

    fn links(&mut self, event: &Value) {
        for (list, address) in [("links", "href"), ("images", "src")] {
            match &event[list] {
                Value::Null => {}
                Value::Array(entries) => {
                    for entry in entries {
                        self.required(&format!("{list}.{address}"), &entry[address]);
                    }
                }
                _ => self
                    .0
                    .push(format!("'{list}' is invalid (must be an array)")),
            }
        }
        let images = event["images"].as_array().into_iter().flatten();
        let insecure = images
            .filter_map(|image| image["src"].as_str())
            .filter(|src| !src.starts_with("https://"));
        self.0
            .extend(insecure.map(|_| "'images.src' is invalid (must be https)".to_owned()));
    }
}

/// RFC 3339, or the form of PagerDuty's own example, whose offset has no colon.
fn is_timestamp(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        json!({"routing_key": "e93facc04764012d7bfb002500d5d1a6", "event_action": "trigger", "dedup_key": "k",
               "payload": {"summary": "s", "source": "o", "severity": "info"}})
    }

    /// The errors after one change to an event that has none.
    fn with(pointer: &str, value: Value) -> Vec<String> {
        let mut event = event();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[field] = value;
        check(&event)
    }

    #[test]
    fn a_whole_event_has_no_errors() {
        assert_eq!(check(&event()), [""; 0]);
    }

    #[test]
    fn each_required_field_is_missed() {
        for (pointer, name) in [
            ("/routing_key", "routing_key"),
            ("/event_action", "event_action"),
            ("/payload/summary", "payload.summary"),
            ("/payload/source", "payload.source"),
            ("/payload/severity", "payload.severity"),
        ] {
            let errors = with(pointer, Value::Null);
            assert!(
                errors.contains(&format!("'{name}' is missing or blank")),
                "{pointer}: {errors:?}"
            );
        }
    }

    #[test]
    fn lengths_are_right_to_the_character() {
        let over = |pointer: &str, length: usize| with(pointer, json!("é".repeat(length))).len();
        assert_eq!(
            [
                over("/routing_key", 31),
                over("/routing_key", 32),
                over("/routing_key", 33)
            ],
            [1, 0, 1]
        );
        assert_eq!(
            [
                over("/payload/summary", 1024),
                over("/payload/summary", 1025)
            ],
            [0, 1]
        );
        assert_eq!([over("/dedup_key", 255), over("/dedup_key", 256)], [0, 1]);
    }

    #[test]
    fn an_unknown_action_or_severity_is_refused_and_every_known_one_taken() {
        assert_eq!(
            ACTIONS.map(|action| with("/event_action", json!(action)).len()),
            [0; 3]
        );
        assert_eq!(
            SEVERITIES.map(|severity| with("/payload/severity", json!(severity)).len()),
            [0; 4]
        );
        assert_eq!(with("/event_action", json!("Trigger")).len(), 1);
        assert_eq!(
            with("/payload/severity", json!("page")),
            [
                "'payload.severity' is invalid (must be one of: 'critical', 'warning', 'error', 'info')"
            ]
        );
    }

    #[test]
    fn an_acknowledgement_and_a_resolve_need_a_key_but_no_payload() {
        for action in ["acknowledge", "resolve"] {
            let event = |key: Value| {
                check(
                    &json!({"routing_key": "0".repeat(32), "event_action": action, "dedup_key": key}),
                )
            };
            assert_eq!(event(json!("k")), [""; 0]);
            for none in [Value::Null, json!("")] {
                assert_eq!(event(none), ["'dedup_key' is missing or blank"]);
            }
            assert_eq!(event(json!("k".repeat(256))).len(), 1);
            assert_eq!(event(json!(1)).len(), 1);
        }
    }

    #[test]
    fn types_are_checked() {
        for (pointer, value) in [
            ("/payload/summary", json!(1)),
            ("/payload/component", json!({})),
            ("/payload/custom_details", json!("text")),
            ("/payload/timestamp", json!("yesterday")),
            ("/payload/timestamp", json!(1_700_000_000)),
            ("/links", json!({})),
            ("/links", json!([{"text": "no href"}])),
            ("/images", json!([{"src": "http://example.test/x.png"}])),
        ] {
            assert_eq!(with(pointer, value.clone()).len(), 1, "{pointer} {value}");
        }
        for time in [
            "2026-11-22T09:41:00Z",
            "2026-11-22T09:41:00.5+01:00",
            "2015-07-17T08:42:58.315+0000",
        ] {
            assert_eq!(with("/payload/timestamp", json!(time)), [""; 0], "{time}");
        }
    }

    #[test]
    fn a_change_needs_a_key_and_a_summary_only() {
        let change = json!({"routing_key": "0".repeat(32), "payload": {"summary": "s"}});
        assert_eq!(check_change(&change), [""; 0]);
        assert_eq!(check_change(&json!({})).len(), 2);
        let long = json!({"routing_key": "0".repeat(32), "payload": {"summary": "é".repeat(1025)}});
        assert_eq!(check_change(&long).len(), 1);
    }
}
