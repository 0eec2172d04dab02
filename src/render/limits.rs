//! Whatever the objects hold, every message keeps the limits of its service.

use super::sample::{self, firing, resolved};
use super::*;
use crate::alert::Alert;
use crate::notify::{Digest, Status};
use proptest::prelude::*;
use serde_json::json;

fn slack() -> Format {
    Format::Slack(Slack::default())
}

fn json_of(payload: &Payload) -> Value {
    serde_json::from_slice(&payload.body).unwrap()
}

/// Any text, with what is special in Slack, JSON and Handlebars.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[&<>|*\"\\\\{}\u{0}\n👨‍👩‍👧‍👦e\u{301}a-z ]{0,200}",
        (1_usize..1000, "(\\PC|[&<>]){1,4}").prop_map(|(times, text)| text.repeat(times)),
    ]
}

fn any_alert() -> impl Strategy<Value = Alert> {
    (text(), text(), text(), text(), any::<bool>()).prop_map(
        |(name, summary, value, label, done)| {
            let mut alert = if done {
                (*resolved().alerts[0]).clone()
            } else {
                sample::alert(&name)
            };
            alert.texts.summary = Some(summary.into());
            alert.texts.description = Some("{{object.value}}{{object.status.x}}".into());
            alert.labels.insert("cluster".into(), label.as_str().into());
            alert.view = Arc::new(crate::cel::Json::from(json!({"object": {"value": value}})));
            alert
        },
    )
}

fn any_notification() -> impl Strategy<Value = Notification> {
    let causes = prop_oneof![
        Just(Cause::New),
        Just(Cause::Repeat),
        Just(Cause::Digest),
        Just(Cause::Drill),
        Just(Cause::Heartbeat),
    ];
    (
        causes,
        prop::collection::vec(any_alert(), 0..4),
        0_usize..20,
        text(),
        any::<bool>(),
    )
        .prop_map(|(cause, mut alerts, copies, group, firing)| {
            if let Some(last) = alerts.last().cloned() {
                alerts.extend(std::iter::repeat_n(last, copies));
            }
            let status = if firing {
                Status::Firing
            } else {
                Status::Resolved
            };
            let mut notification = sample::of(cause, status, alerts);
            notification.digest = vec![
                Digest {
                    rule: group.as_str().into(),
                    alerts: 1,
                    namespaces: 1
                };
                60
            ];
            notification.group = group.into();
            notification
        })
}

fn keeps_slacks_limits(message: &Value) -> Result<(), TestCaseError> {
    prop_assert!(!message["text"].as_str().unwrap().is_empty());
    let attachments = message["attachments"].as_array().into_iter().flatten();
    let blocks: Vec<&Value> = std::iter::once(message)
        .chain(attachments)
        .filter_map(|parent| parent["blocks"].as_array())
        .flatten()
        .collect();
    prop_assert!(blocks.len() <= 50);
    for block in blocks {
        let most = if block["type"] == "header" { 150 } else { 3000 };
        let fields = block["fields"].as_array().cloned().unwrap_or_default();
        prop_assert!(fields.len() <= 10);
        let elements = block["elements"].as_array().cloned().unwrap_or_default();
        let texts = fields.iter().map(|field| (field, 2000));
        let texts = texts.chain(elements.iter().map(|element| (element, 3000)));
        for (text, most) in texts.chain(std::iter::once((&block["text"], most))) {
            let Some(content) = text["text"].as_str() else {
                continue;
            };
            prop_assert!(!content.trim().is_empty());
            prop_assert!(content.encode_utf16().count() <= most);
            if text["type"] == "mrkdwn" {
                let bare = content
                    .replace("&amp;", "")
                    .replace("&lt;", "")
                    .replace("&gt;", "");
                prop_assert!(!bare.contains('&'), "{bare}");
                prop_assert_eq!(bare.matches('<').count(), bare.matches('>').count());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_an_object_holds_every_receiver_gets_json_within_its_limits(notification in any_notification()) {
        keeps_slacks_limits(&json_of(&render(&notification, &slack())))?;
        let bot = Format::Slack(Slack { threads: true, ..Slack::default() });
        let told = render(&notification, &bot);
        for message in [Some(json_of(&told)), told.replies.details, told.replies.changes].into_iter().flatten() {
            keeps_slacks_limits(&message)?;
            prop_assert!(message["text"].as_str().unwrap().encode_utf16().count() <= 4000);
        }
        let event = render(&notification, &Format::PagerDuty(PagerDuty::default()));
        prop_assert!(event.body.len() <= 500_000);
        let event = json_of(&event);
        if event["event_action"] == "trigger" {
            prop_assert!(event["payload"]["summary"].as_str().unwrap().encode_utf16().count() <= 1024);
            prop_assert!(!event["payload"]["source"].as_str().unwrap().is_empty());
        }
        let body = json_of(&render(&notification, &Format::Webhook(Webhook::default())));
        prop_assert_eq!(body["alerts"].as_array().unwrap().len(), notification.alerts.len());
    }

    #[test]
    fn a_template_of_blocks_is_held_to_slacks_limits_too(value in text(), blocks in 0_usize..70) {
        let block = json!({"type": "section", "text": {"type": "plain_text", "text": value}, "fields": vec![json!({"type": "plain_text", "text": value}); 12]});
        let source = json!({"blocks": vec![block; blocks], "text": value}).to_string();
        let source = source.replace("{{", "{ {").replace("}}", "} }");
        prop_assume!(source.len() < 60_000);
        let template = Template::compile("t.json.hbs", &source, Target::Json, Scope::Message);
        prop_assume!(template.is_ok());
        let format = Format::Slack(Slack { template: template.ok().map(Arc::new), ..Slack::default() });
        keeps_slacks_limits(&json_of(&render(&firing(), &format)))?;
    }
}
