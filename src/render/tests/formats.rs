//! The templates of other services' formats, held to these formats' rules.

use super::*;
use crate::notify::{Digest, Notification};

/// Bytes of a message that a Teams workflow takes.
const TEAMS: usize = 28 * 1024;

fn shipped(name: &str) -> Format {
    let path = format!("{}/templates/{name}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    let template = Template::compile(name, &source, Target::of_file(name), Scope::Message);
    Format::Webhook(Webhook {
        content_type: "application/json".to_owned(),
        body: Some(Arc::new(template.unwrap())),
    })
}

/// Of each kind one; many alerts, long and hostile texts, no namespace, no runbook.
fn all() -> Vec<Notification> {
    let hostile = |name: &str| {
        let mut alert = sample::alert(&name.repeat(80));
        alert.texts.summary = Some("\"}]\\ ü\n\u{0}<b>".repeat(400).into());
        alert.texts.runbook = None;
        alert.object.namespace = None;
        alert
    };
    let digest = Notification {
        digest: vec![Digest {
            rule: "r\"".into(),
            alerts: 37,
            namespaces: 12,
        }],
        ..sample::of(Cause::Digest, Status::Firing, Vec::new())
    };
    let mut occurred = sample::alert("orders");
    occurred.nature = crate::alert::Nature::Occurrence;
    vec![
        firing(),
        resolved(),
        group(500, 12),
        digest,
        sample::of(Cause::Occurred, Status::Firing, vec![occurred]),
        sample::of(
            Cause::New,
            Status::Firing,
            (0..60).map(|_| hostile("x\"é")).collect(),
        ),
    ]
}

fn words<'v>(value: &'v Value, known: &[&str]) -> &'v str {
    let word = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"));
    assert!(known.contains(&word), "{word} is none of {known:?}");
    word
}

fn only(value: &Value, known: &[&str]) {
    for name in value.as_object().unwrap().keys() {
        assert!(
            known.contains(&name.as_str()),
            "{name} is none of {known:?}"
        );
    }
}

fn filled(value: &Value) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"));
    assert!(!text.trim().is_empty());
}

/// <https://adaptivecards.io/explorer/>, of version 1.4, as far as the template goes.
fn is_adaptive_card(card: &Value) {
    only(card, &["$schema", "type", "version", "body", "msteams"]);
    assert_eq!(card["type"], "AdaptiveCard");
    assert_eq!(card["version"], "1.4");
    for element in card["body"].as_array().unwrap() {
        if words(&element["type"], &["TextBlock", "FactSet"]) == "TextBlock" {
            only(
                element,
                &[
                    "type", "text", "size", "weight", "wrap", "color", "isSubtle",
                ],
            );
            filled(&element["text"]);
            if !element["color"].is_null() {
                words(
                    &element["color"],
                    &[
                        "Default",
                        "Dark",
                        "Light",
                        "Accent",
                        "Good",
                        "Warning",
                        "Attention",
                    ],
                );
            }
        } else {
            only(element, &["type", "facts"]);
            let facts = element["facts"].as_array().unwrap();
            assert!(!facts.is_empty());
            for fact in facts {
                only(fact, &["title", "value"]);
                filled(&fact["title"]);
                filled(&fact["value"]);
            }
        }
    }
}

#[test]
fn what_teams_gets_is_a_message_with_one_adaptive_card_of_a_size_that_it_takes() {
    let format = shipped("teams.json.hbs");
    for notification in all() {
        let payload = render(&notification, &format);
        assert_eq!(payload.failures, Vec::<String>::new());
        assert!(payload.body.len() <= TEAMS, "{} bytes", payload.body.len());
        let message = json_of(&payload);
        only(&message, &["type", "attachments"]);
        assert_eq!(message["type"], "message");
        let attachments = message["attachments"].as_array().unwrap();
        assert_eq!(attachments.len(), 1);
        only(&attachments[0], &["contentType", "content"]);
        assert_eq!(
            attachments[0]["contentType"],
            "application/vnd.microsoft.card.adaptive"
        );
        is_adaptive_card(&attachments[0]["content"]);
    }
}

#[test]
fn the_source_of_a_cloud_event_is_a_uri_reference_whatever_the_cluster_is_called() {
    let format = shipped("cloudevents.json.hbs");
    for (name, source) in [
        ("prod-eu", "/bellwether/prod-eu"),
        ("", "/bellwether/cluster"),
        ("prod eu/1", "/bellwether/prod%20eu%2F1"),
        (
            "//evil.example?a#b",
            "/bellwether/%2F%2Fevil.example%3Fa%23b",
        ),
        (
            "arn:aws:eks:eu:1:cluster/a",
            "/bellwether/arn%3Aaws%3Aeks%3Aeu%3A1%3Acluster%2Fa",
        ),
        (
            "\"größe\\ %41\n",
            "/bellwether/%22gr%C3%B6%C3%9Fe%5C%20%2541%0A",
        ),
        ("..", "/bellwether/.."),
        ("🔔", "/bellwether/%F0%9F%94%94"),
    ] {
        let mut alert = sample::alert("orders");
        alert.labels.insert("cluster".into(), name.into());
        let notification = sample::of(Cause::New, Status::Firing, vec![alert]);
        let payload = render(&notification, &format);
        assert_eq!(payload.failures, Vec::<String>::new());
        assert_eq!(json_of(&payload)["source"], source, "{name}");
    }
}

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>, and its JSON format.
#[test]
fn a_cloud_event_has_the_attributes_that_the_specification_asks_for() {
    let format = shipped("cloudevents.json.hbs");
    for notification in all() {
        let payload = render(&notification, &format);
        assert_eq!(payload.failures, Vec::<String>::new());
        let event = json_of(&payload);
        for name in event.as_object().unwrap().keys() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(name.len() <= 20 && name.chars().all(plain), "{name}");
        }
        assert_eq!(event["specversion"], "1.0");
        for required in ["id", "source", "type"] {
            filled(&event[required]);
        }
        filled(&event["subject"]);
        // RFC 3986, 4.1: no character that a reference cannot hold.
        let source = event["source"].as_str().unwrap();
        let in_uri = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        assert!(source.chars().all(in_uri), "{source}");
        let time: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time, notification.at);
        assert_eq!(event["datacontenttype"], "application/json");
        let alerts = event["data"]["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), notification.alerts.len());
    }
}
