//! PagerDuty's Events API v2: `/v2/enqueue` and `/v2/change/enqueue`.
//!
//! Written from PagerDuty's documentation: "Send an Alert Event", "Send a Change Event", "PD-CEF" and the
//! OpenAPI document of the Events API v2. It also keeps the incidents that the events make, so that a
//! test can ask what a person on call would have seen.

use std::fmt;

use http::Method;
use serde_json::{Map, Value, json};

use super::{Answer, Receiver, Request, Service};

mod event;
mod incident;

pub use incident::{Incident, State};

/// A stand-in for PagerDuty.
pub type PagerDuty = Receiver<Events>;

/// Documented as 512 KB.
const EVENT_BYTES: usize = 512 * 1024;

/// An accepted event. `Display` draws what a person sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    /// The key it was answered with: its own, or one that PagerDuty made. Empty for change events.
    pub dedup_key: String,
    pub routing_key: String,
    /// The whole body.
    pub body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Trigger,
    Acknowledge,
    Resolve,
    Change,
}

impl Event {
    /// `payload.summary`, or nothing.
    pub fn summary(&self) -> &str {
        self.body["payload"]["summary"].as_str().unwrap_or_default()
    }
}

/// The state of the stand-in.
#[derive(Debug, Default)]
pub struct Events {
    incidents: Vec<Incident>,
    /// Integration keys that are known; all are while this is empty.
    integrations: Vec<String>,
}

impl PagerDuty {
    /// Starts it; every routing key of 32 characters is taken.
    pub async fn start() -> std::io::Result<PagerDuty> {
        Receiver::serve(Events::default()).await
    }

    /// From now on takes only this routing key, and those named earlier.
    pub fn only_integration(&self, routing_key: &str) {
        self.with_service(|events| events.integrations.push(routing_key.to_owned()));
    }

    /// Every incident there was, the oldest first.
    pub fn incidents(&self) -> Vec<Incident> {
        self.with_service(|events| events.incidents.clone())
    }
}

impl Service for Events {
    type Message = Event;

    fn take(&mut self, request: &Request) -> Result<(Event, Answer), (Answer, String)> {
        let change = match (&request.method, request.path.as_str()) {
            (&Method::POST, "/v2/enqueue") => false,
            (&Method::POST, "/v2/change/enqueue") => true,
            (method, path) => {
                let answer = problem(404, "Not Found", "Not Found", &[]);
                return Err((answer, format!("{method} {path}")));
            }
        };
        self.accept(change, &request.body).map_err(|answer| {
            let why = answer.body.clone();
            (answer, why)
        })
    }

    fn failure(&self, status: u16) -> Answer {
        match status {
            429 => problem(
                429,
                "throttle exceeded",
                "Requests for this service are arriving too quickly. Please retry later.",
                &[],
            ),
            400 => problem(
                400,
                "invalid event",
                "Event object is invalid",
                &["scripted".to_owned()],
            ),
            _ => problem(status, "error", "Internal Server Error", &[]),
        }
    }
}

impl Events {
    fn accept(&mut self, change: bool, body: &[u8]) -> Result<(Event, Answer), Answer> {
        if body.len() > EVENT_BYTES {
            return Err(problem(
                413,
                "invalid event",
                "Event object is too large",
                &[format!("{} bytes", body.len())],
            ));
        }
        let unreadable = |_| {
            problem(
                400,
                "Unrecognized object",
                "Event object format is unrecognized",
                &["JSON parse error".to_owned()],
            )
        };
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(unreadable)?;
        let body = Value::Object(body);
        let mut errors = if change {
            event::check_change(&body)
        } else {
            event::check(&body)
        };
        let routing_key = body["routing_key"].as_str().unwrap_or_default();
        if errors.is_empty()
            && !self.integrations.is_empty()
            && !self.integrations.iter().any(|known| known == routing_key)
        {
            errors.push("Invalid routing key".to_owned());
        }
        if !errors.is_empty() {
            return Err(problem(
                400,
                "invalid event",
                "Event object is invalid",
                &errors,
            ));
        }
        let event = Event {
            kind: kind(change, &body),
            dedup_key: self.dedup_key(change, &body),
            routing_key: routing_key.to_owned(),
            body,
        };
        incident::apply(&mut self.incidents, &event);
        let answer = match event.kind {
            EventKind::Change => json!({"status": "success", "message": "Change event processed"}),
            _ => {
                json!({"status": "success", "message": "Event processed", "dedup_key": event.dedup_key})
            }
        };
        Ok((event, Answer::json(202, &answer)))
    }

    /// The event's own key, or one made for it.
    fn dedup_key(&self, change: bool, body: &Value) -> String {
        match body["dedup_key"].as_str() {
            Some(key) => key.to_owned(),
            None if change => String::new(),
            None => format!("{:032x}", self.incidents.len() + 1),
        }
    }
}

fn kind(change: bool, body: &Value) -> EventKind {
    match body["event_action"].as_str() {
        _ if change => EventKind::Change,
        Some("acknowledge") => EventKind::Acknowledge,
        Some("resolve") => EventKind::Resolve,
        _ => EventKind::Trigger,
    }
}

fn problem(status: u16, short: &str, message: &str, errors: &[String]) -> Answer {
    let mut body = json!({"status": short, "message": message});
    if !errors.is_empty() {
        body["errors"] = json!(errors);
    }
    Answer::json(status, &body)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = &self.body["payload"];
        let action = match self.kind {
            EventKind::Trigger => "TRIGGERED",
            EventKind::Acknowledge => "ACKNOWLEDGED",
            EventKind::Resolve => "RESOLVED",
            EventKind::Change => "CHANGE",
        };
        write!(f, "┌─ PagerDuty {action}")?;
        if let Some(severity) = payload["severity"].as_str() {
            write!(f, " · {severity}")?;
        }
        writeln!(f)?;
        if !self.summary().is_empty() {
            writeln!(f, "│ {}", self.summary())?;
        }
        for field in ["source", "component", "group", "class"] {
            if let Some(value) = payload[field].as_str() {
                writeln!(f, "│ {field:<10} {value}")?;
            }
        }
        for (name, value) in payload["custom_details"].as_object().into_iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            writeln!(f, "│ {name:<10} {}", value.replace('\n', "\n│            "))?;
        }
        for link in self.body["links"].as_array().into_iter().flatten() {
            let href = link["href"].as_str().unwrap_or_default();
            writeln!(
                f,
                "│ → {} {href}",
                link["text"].as_str().unwrap_or_default()
            )?;
        }
        write!(f, "└─ {}", self.dedup_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const KEY: &str = "e93facc04764012d7bfb002500d5d1a6";

    fn send(events: &mut Events, path: &str, body: &str) -> (u16, Value) {
        let request = Request {
            method: Method::POST,
            path: path.to_owned(),
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
            arrived: Instant::now(),
        };
        let (Ok((_, answer)) | Err((answer, _))) = events.take(&request);
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    fn trigger() -> Value {
        json!({"routing_key": KEY, "event_action": "trigger",
               "payload": {"summary": "db failed", "source": "shop/orders", "severity": "critical"}})
    }

    #[test]
    fn an_event_is_answered_with_its_key_or_with_a_new_one() {
        let mut events = Events::default();
        let mut event = trigger();
        let (status, answer) = send(&mut events, "/v2/enqueue", &event.to_string());
        assert_eq!(status, 202);
        assert_eq!(answer["dedup_key"].as_str().unwrap().len(), 32);
        event["dedup_key"] = json!("mine");
        let answer = send(&mut events, "/v2/enqueue", &event.to_string());
        assert_eq!(
            answer,
            (
                202,
                json!({"status": "success", "message": "Event processed", "dedup_key": "mine"})
            )
        );
    }

    #[test]
    fn what_is_wrong_is_listed_all_at_once() {
        let wrong = json!({"routing_key": "short", "event_action": "shout", "payload": {"severity": "bad"}});
        let (status, answer) = send(&mut Events::default(), "/v2/enqueue", &wrong.to_string());
        assert_eq!(status, 400);
        insta::assert_snapshot!(format!("{answer:#}"), @r#"
        {
          "status": "invalid event",
          "message": "Event object is invalid",
          "errors": [
            "Length of 'routing_key' is incorrect (should be 32 characters)",
            "'event_action' is invalid (must be one of: 'trigger', 'acknowledge', 'resolve')",
            "'payload.summary' is missing or blank",
            "'payload.source' is missing or blank",
            "'payload.severity' is invalid (must be one of: 'critical', 'warning', 'error', 'info')"
          ]
        }
        "#);
    }

    #[test]
    fn what_is_no_json_object_is_not_recognized() {
        for body in ["", "{", "[]", "routing_key=x"] {
            let (status, answer) = send(&mut Events::default(), "/v2/enqueue", body);
            assert_eq!(
                (status, &answer["status"]),
                (400, &json!("Unrecognized object")),
                "{body}"
            );
        }
    }

    #[test]
    fn an_event_has_512_kilobytes() {
        let sized = |bytes: usize| {
            let mut event = trigger();
            event["payload"]["custom_details"] = json!({"log": ""});
            let length = event.to_string().len();
            event["payload"]["custom_details"]["log"] = json!("x".repeat(bytes - length));
            event.to_string()
        };
        assert_eq!(
            send(&mut Events::default(), "/v2/enqueue", &sized(512 * 1024)).0,
            202
        );
        assert_eq!(
            send(
                &mut Events::default(),
                "/v2/enqueue",
                &sized(512 * 1024 + 1)
            )
            .0,
            413
        );
    }

    #[test]
    fn an_unknown_integration_is_refused() {
        let mut events = Events {
            integrations: vec!["0".repeat(32)],
            ..Events::default()
        };
        let (status, answer) = send(&mut events, "/v2/enqueue", &trigger().to_string());
        assert_eq!(
            (status, &answer["errors"]),
            (400, &json!(["Invalid routing key"]))
        );
    }

    #[test]
    fn a_change_event_opens_no_incident() {
        let mut events = Events::default();
        let change = json!({"routing_key": KEY, "payload": {"summary": "version 15 to 16"}});
        let answer = send(&mut events, "/v2/change/enqueue", &change.to_string());
        assert_eq!(
            answer,
            (
                202,
                json!({"status": "success", "message": "Change event processed"})
            )
        );
        assert_eq!(events.incidents, []);
    }

    #[test]
    fn an_event_looks_as_it_does_on_a_phone() {
        let mut body = trigger();
        body["payload"]["custom_details"] =
            json!({"since": "09:41", "log": "one\ntwo", "count": 3});
        body["links"] = json!([{"href": "https://example.test", "text": "Runbook"}]);
        let event = Event {
            kind: EventKind::Trigger,
            dedup_key: "k".to_owned(),
            routing_key: KEY.to_owned(),
            body,
        };
        insta::assert_snapshot!(event, @"
        ┌─ PagerDuty TRIGGERED · critical
        │ db failed
        │ source     shop/orders
        │ since      09:41
        │ log        one
        │            two
        │ count      3
        │ → Runbook https://example.test
        └─ k
        ");
    }
}
