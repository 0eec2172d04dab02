//! A real Alertmanager: what it is told of alerts is what it then says of them.

use std::time::Duration;

use bellwether::alert::{Alert, Nature, Resolution, State};
use bellwether::config::{
    Alertmanager, GroupBy, Heartbeat, LiteralOrCredential, Receiver, Service,
};
use bellwether::decision::Ending;
use bellwether::names::Fingerprint;
use bellwether::notify::{Cause, Digest, Notification, Status};
use bellwether::outbox::Outcome;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Arc, notification, receiver, secret, send, why};

/// Four times as long an alert lives there.
const AGAIN: Duration = Duration::from_mins(1);

async fn alertmanager() -> (bellwether_testkit::Alertmanager, Receiver) {
    let alertmanager = bellwether_testkit::Alertmanager::start().await.unwrap();
    let receiver = at(alertmanager.base_url());
    (alertmanager, receiver)
}

fn at(url: String) -> Receiver {
    let mut receiver = receiver(Service::Alertmanager(Alertmanager {
        url: LiteralOrCredential::Literal(url),
        bearer_token: Some(secret("XXXSECRETXXX", "token")),
        basic: None,
        ca_file: None,
        client_certificate: None,
    }));
    receiver.spec.group_by = GroupBy::All;
    receiver.spec.repeat_interval = AGAIN;
    receiver.spec.heartbeat = Some(Heartbeat { every: AGAIN });
    receiver
}

/// An alert of now: Alertmanager goes by its own clock.
fn alert(name: &str) -> Alert {
    let mut alert = (*notification(Cause::New, Status::Firing).alerts[0]).clone();
    alert.fingerprint = Fingerprint::of(&[name]);
    alert.active_since = Timestamp::now() - SignedDuration::from_mins(12);
    let labels = [
        ("alertname", "database-failed"),
        ("name", name),
        ("note", "a \"quoted\" é\n"),
        ("empty", ""),
    ];
    alert.labels = labels
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    alert.texts.description = Some("Its disk is full.".into());
    alert.texts.runbook = Some("https://runbooks.example/database-failed".into());
    alert
}

fn told(cause: Cause, alerts: Vec<Alert>) -> Notification {
    let status = match cause {
        Cause::Resolved => Status::Resolved,
        _ => Status::Firing,
    };
    Notification {
        at: Timestamp::now(),
        alerts: alerts.into_iter().map(Arc::new).collect(),
        ..notification(cause, status)
    }
}

/// How long an alert will live from now on, in minutes.
fn minutes_left(alert: &Value) -> i64 {
    let ends_at: Timestamp = alert["endsAt"].as_str().unwrap().parse().unwrap();
    let left = ends_at.duration_since(Timestamp::now());
    left.as_secs().div_euclid(60) + 1
}

#[tokio::test]
async fn an_alert_is_active_there_until_it_has_resolved() {
    let (alertmanager, receiver) = alertmanager().await;
    let firing = told(Cause::New, vec![alert("orders"), alert("users")]);
    assert_eq!(send(&receiver, &firing).await, Outcome::Accepted);
    let again = told(Cause::Repeat, vec![alert("orders"), alert("users")]);
    assert_eq!(send(&receiver, &again).await, Outcome::Accepted);
    let active = alertmanager.alerts().await.unwrap();
    assert_eq!(active.len(), 2, "the same alerts by their labels");
    assert_eq!(minutes_left(&active[0]), 4);
    assert_eq!(
        active[0]["labels"],
        json!({"alertname": "database-failed", "name": "orders", "note": "a \"quoted\" é\n"})
    );
    assert_eq!(
        active[0]["annotations"],
        json!({
            "summary": "orders <failed> & is down",
            "description": "Its disk is full.",
            "runbook_url": "https://runbooks.example/database-failed",
        })
    );
    let mut over = alert("orders");
    over.state = State::Resolved;
    over.resolution = Some(Resolution {
        at: Timestamp::now() - SignedDuration::from_secs(1),
        reason: Ending::Cleared,
    });
    assert_eq!(
        send(&receiver, &told(Cause::Resolved, vec![over])).await,
        Outcome::Accepted
    );
    let active = alertmanager.alerts().await.unwrap();
    let names: Vec<&Value> = active
        .iter()
        .map(|alert| &alert["labels"]["name"])
        .collect();
    assert_eq!(names, ["users"]);
}

#[tokio::test]
async fn what_only_happened_a_digest_and_a_sign_of_life_end_by_themselves() {
    let (alertmanager, receiver) = alertmanager().await;
    let mut happened = alert("orders");
    happened.nature = Nature::Occurrence;
    let digest = Notification {
        digest: vec![Digest {
            rule: "database-failed".into(),
            alerts: 37,
            namespaces: 12,
        }],
        ..told(Cause::Digest, Vec::new())
    };
    for told in [
        told(Cause::Occurred, vec![happened]),
        digest,
        told(Cause::Heartbeat, Vec::new()),
    ] {
        assert_eq!(send(&receiver, &told).await, Outcome::Accepted);
    }
    let active = alertmanager.alerts().await.unwrap();
    let lines: Vec<String> = active
        .iter()
        .map(|alert| {
            let minutes = minutes_left(alert);
            format!(
                "{}: {}, {minutes}m",
                alert["labels"]["alertname"], alert["annotations"]
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "BellwetherDigest": {"description":"37 more from database-failed, 12 namespaces","summary":"37 more alerts from 1 rule"}, 4m
    "BellwetherHeartbeat": {"summary":"Bellwether is watching"}, 4m
    "database-failed": {"description":"Its disk is full.","runbook_url":"https://runbooks.example/database-failed","summary":"orders <failed> & is down"}, 4m
    "#);
}

#[tokio::test]
async fn what_alertmanager_refuses_is_told_in_its_words_and_no_token_with_it() {
    let (alertmanager, receiver) = alertmanager().await;
    let mut nameless = alert("orders");
    nameless.labels.clear();
    let refused = send(&receiver, &told(Cause::New, vec![nameless])).await;
    insta::assert_snapshot!(why(refused), @r#"refused: Alertmanager: HTTP 400: "at least one label pair required""#);
    let wrong = at(alertmanager.base_url() + "/prefix/");
    let refused = why(send(&wrong, &told(Cause::New, vec![alert("orders")])).await);
    assert!(!refused.contains("XXXSECRETXXX"));
    insta::assert_snapshot!(refused, @"refused: Alertmanager: HTTP 404: 404 page not found");
}
