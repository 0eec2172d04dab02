//! What receivers get: the messages themselves.

use super::sample::{self, firing, group, resolved};
use super::*;
use crate::notify::{Digest, Status};
use serde_json::json;

mod formats;

fn slack() -> Format {
    Format::Slack(Slack::default())
}

fn pagerduty() -> Format {
    Format::PagerDuty(PagerDuty::default())
}

fn webhook() -> Format {
    Format::Webhook(Webhook::default())
}

fn with_template(name: &str, source: &str) -> Arc<Template> {
    let mut templates = Templates::default();
    templates.insert(name, source).unwrap();
    templates.get(name).unwrap().clone()
}

fn preview(notification: &Notification, format: &Format) -> String {
    render(notification, format).preview()
}

fn json_of(payload: &Payload) -> Value {
    serde_json::from_slice(&payload.body).unwrap()
}

fn notification(cause: Cause) -> Notification {
    sample::of(cause, Status::Firing, Vec::new())
}

#[test]
fn slack_is_told_of_one_alert_in_full() {
    insta::assert_snapshot!(preview(&firing(), &slack()), @r##"
    {
      "text": "🔴 database-failed: DatabaseInstance prod/orders: orders is Failed &lt;now&gt; &amp; then",
      "blocks": [
        {
          "type": "header",
          "text": {
            "type": "plain_text",
            "text": "🔴 database-failed: DatabaseInstance prod/orders",
            "emoji": true
          }
        }
      ],
      "attachments": [
        {
          "color": "#d7263d",
          "fallback": "🔴 database-failed: DatabaseInstance prod/orders: orders is Failed &lt;now&gt; &amp; then",
          "blocks": [
            {
              "type": "section",
              "text": {
                "type": "mrkdwn",
                "text": "*orders is Failed &lt;now&gt; &amp; then*\nStorage 19 of 20 GB."
              }
            },
            {
              "type": "section",
              "fields": [
                {
                  "type": "mrkdwn",
                  "text": "*Object*\nDatabaseInstance prod/orders"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Severity*\ncritical"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Cluster*\nprod-eu"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Since*\n<!date^1795348080^{date_short_pretty} {time}|2026-11-22 11:48 UTC>"
                }
              ]
            },
            {
              "type": "actions",
              "elements": [
                {
                  "type": "button",
                  "action_id": "link-0",
                  "text": {
                    "type": "plain_text",
                    "text": "Runbook",
                    "emoji": true
                  },
                  "url": "https://runbooks.example/database-failed"
                }
              ]
            },
            {
              "type": "context",
              "elements": [
                {
                  "type": "mrkdwn",
                  "text": "Bellwether, <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>"
                }
              ]
            }
          ]
        }
      ]
    }
    "##);
}

#[test]
fn slack_is_told_that_it_is_over_in_green() {
    let message = json_of(&render(&resolved(), &slack()));
    assert_eq!(message["attachments"][0]["color"], "#2eb67d");
    assert_eq!(
        message["blocks"][0]["text"]["text"],
        "✅ database-failed: DatabaseInstance prod/orders resolved"
    );
    insta::assert_snapshot!(message["attachments"][0]["blocks"][1]["fields"].to_string(), @r#"[{"type":"mrkdwn","text":"*Object*\nDatabaseInstance prod/orders"},{"type":"mrkdwn","text":"*Severity*\ncritical"},{"type":"mrkdwn","text":"*Cluster*\nprod-eu"},{"type":"mrkdwn","text":"*Since*\n<!date^1795348080^{date_short_pretty} {time}|2026-11-22 11:48 UTC>"},{"type":"mrkdwn","text":"*Resolved*\n<!date^1795348770^{date_short_pretty} {time}|2026-11-22 11:59 UTC>, after 11m 30s"},{"type":"mrkdwn","text":"*Why*\nno longer true"}]"#);
}

#[test]
fn slack_is_told_of_a_group_as_a_list_with_the_rest_counted() {
    let message = json_of(&render(&group(17, 20), &slack()));
    assert_eq!(
        message["blocks"][0]["text"]["text"],
        "🔴 database-failed: 37 firing"
    );
    insta::assert_snapshot!(message["attachments"][0]["blocks"][0]["text"]["text"].as_str().unwrap(), @"
    • *prod/db-0* db-0 is Failed &lt;now&gt; &amp; then
    • *prod/db-1* db-1 is Failed &lt;now&gt; &amp; then
    • *prod/db-2* db-2 is Failed &lt;now&gt; &amp; then
    • *prod/db-3* db-3 is Failed &lt;now&gt; &amp; then
    • *prod/db-4* db-4 is Failed &lt;now&gt; &amp; then
    • *prod/db-5* db-5 is Failed &lt;now&gt; &amp; then
    • *prod/db-6* db-6 is Failed &lt;now&gt; &amp; then
    • *prod/db-7* db-7 is Failed &lt;now&gt; &amp; then
    • *prod/db-8* db-8 is Failed &lt;now&gt; &amp; then
    • *prod/db-9* db-9 is Failed &lt;now&gt; &amp; then
    • *prod/db-10* db-10 is Failed &lt;now&gt; &amp; then
    • *prod/db-11* db-11 is Failed &lt;now&gt; &amp; then
    • *prod/db-12* db-12 is Failed &lt;now&gt; &amp; then
    • *prod/db-13* db-13 is Failed &lt;now&gt; &amp; then
    • *prod/db-14* db-14 is Failed &lt;now&gt; &amp; then
    … and 22 more
    ");
}

#[test]
fn a_digest_a_heartbeat_and_a_drill_are_readable_everywhere() {
    let mut digest = notification(Cause::Digest);
    digest.digest = vec![Digest {
        rule: "database-failed".into(),
        alerts: 37,
        namespaces: 12,
    }];
    let drill = sample::of(Cause::Drill, Status::Firing, vec![sample::alert("orders")]);
    let heartbeat = notification(Cause::Heartbeat);
    let told = |notification: &Notification| {
        let slack = json_of(&render(notification, &slack()));
        let blocks = slack["attachments"][0]["blocks"].as_array().unwrap();
        let pagerduty = render(notification, &pagerduty());
        format!(
            "{}\n{}\n{}\n{:?} {}",
            slack["blocks"][0]["text"]["text"].as_str().unwrap(),
            blocks[0]["text"]["text"].as_str().unwrap(),
            blocks.last().unwrap()["elements"][0]["text"]
                .as_str()
                .unwrap(),
            pagerduty.endpoint,
            json_of(&pagerduty)["payload"]["summary"],
        )
    };
    insta::assert_snapshot!(told(&digest), @r#"
    🟠 37 more alerts from 1 rule
    • 37 more from *database-failed*, 12 namespaces
    Bellwether, <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>
    Default "37 more alerts from 1 rule"
    "#);
    insta::assert_snapshot!(told(&heartbeat), @r#"
    💚 Bellwether is watching
    A sign of life, sent <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>. If it stops, look after the bridge.
    Bellwether, <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>
    Change "Bellwether is watching"
    "#);
    insta::assert_snapshot!(told(&drill), @r#"
    🔔 Drill: database-failed: DatabaseInstance prod/orders
    *orders is Failed &lt;now&gt; &amp; then*
    Storage 19 of 20 GB.
    This is a drill: nobody needs to act  ·  Bellwether, <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>
    Default "Drill: database-failed: DatabaseInstance prod/orders"
    "#);
}

#[test]
fn pagerduty_is_triggered_with_what_the_person_needs() {
    insta::assert_snapshot!(preview(&firing(), &pagerduty()), @r#"
    {
      "event_action": "trigger",
      "dedup_key": "5dd6d76969c7fcd6a9685d9d974b56bb",
      "client": "Bellwether",
      "payload": {
        "summary": "orders is Failed <now> & then",
        "source": "prod-eu: DatabaseInstance/prod/orders",
        "severity": "critical",
        "timestamp": "2026-11-22T11:48:00Z",
        "component": "DatabaseInstance",
        "group": "oncall{alertname=\"database-failed\"}",
        "class": "database-failed",
        "custom_details": {
          "firing": 1,
          "resolved": 0,
          "alerts": [
            {
              "status": "firing",
              "severity": "critical",
              "object": "DatabaseInstance prod/orders",
              "summary": "orders is Failed <now> & then",
              "description": "Storage 19 of 20 GB.",
              "since": "2026-11-22T11:48:00Z",
              "count": 1,
              "labels": {
                "alertname": "database-failed",
                "cluster": "prod-eu",
                "kind": "DatabaseInstance",
                "name": "orders",
                "namespace": "prod",
                "severity": "critical"
              }
            }
          ]
        }
      },
      "links": [
        {
          "href": "https://runbooks.example/database-failed",
          "text": "Runbook"
        }
      ]
    }
    "#);
}

#[test]
fn pagerduty_resolves_the_incident_that_the_firing_opened() {
    let fired = json_of(&render(&firing(), &pagerduty()));
    let over = json_of(&render(&resolved(), &pagerduty()));
    assert_eq!(over["event_action"], "resolve");
    assert_eq!(over["dedup_key"], fired["dedup_key"]);
}

#[test]
fn a_webhook_without_a_template_gets_the_whole_notification() {
    insta::assert_snapshot!(preview(&resolved(), &webhook()), @r#"
    {
      "version": "1",
      "id": "n-1",
      "receiver": "oncall",
      "status": "resolved",
      "cause": "resolved",
      "severity": "critical",
      "at": "2026-11-22T12:00:00Z",
      "title": "database-failed: DatabaseInstance prod/orders",
      "group": {
        "key": "oncall{alertname=\"database-failed\"}",
        "labels": {
          "alertname": "database-failed"
        },
        "firing": 0,
        "resolved": 1
      },
      "alerts": [
        {
          "fingerprint": "dc562163f522e63935102b00aadfe1b9",
          "rule": "database-failed",
          "status": "resolved",
          "nature": "state",
          "severity": "critical",
          "labels": {
            "alertname": "database-failed",
            "cluster": "prod-eu",
            "kind": "DatabaseInstance",
            "name": "orders",
            "namespace": "prod",
            "severity": "critical"
          },
          "object": {
            "apiVersion": "stable.example.com/v1",
            "kind": "DatabaseInstance",
            "namespace": "prod",
            "name": "orders",
            "uid": "0b5e3a52-7b7e-4f3f-9c59-0b0b9f4c2f10"
          },
          "summary": "orders is Failed <now> & then",
          "description": "Storage 19 of 20 GB.",
          "runbook": "https://runbooks.example/database-failed",
          "since": "2026-11-22T11:48:00Z",
          "firedAt": "2026-11-22T11:53:00Z",
          "resolvedAt": "2026-11-22T11:59:30Z",
          "reason": "no longer true",
          "count": 1,
          "late": false,
          "dedupKey": null
        }
      ],
      "omitted": 0,
      "digest": [],
      "templateFailures": []
    }
    "#);
}

#[test]
fn the_published_schema_is_the_schema_of_the_body() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/webhook.schema.json");
    let schema = format!("{:#}\n", webhook::schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert!(
        published == schema,
        "run this test with UPDATE_SCHEMA=1 and commit {path}"
    );
}

#[test]
fn a_rule_without_a_summary_gets_one() {
    let mut alert = sample::alert("orders");
    alert.texts = crate::alert::Texts::default();
    let payload = render(
        &sample::of(Cause::New, Status::Firing, vec![alert]),
        &webhook(),
    );
    assert_eq!(
        json_of(&payload)["alerts"][0]["summary"],
        "database-failed: DatabaseInstance prod/orders"
    );
}

#[test]
fn an_absent_value_and_a_failing_text_never_lose_the_message() {
    let mut alert = sample::alert("orders");
    alert.texts.summary = Some("{{object.status.nothing}}".into());
    alert.texts.description = Some("{{ago object.status.phase}}".into());
    let notification = sample::of(Cause::New, Status::Firing, vec![alert]);
    let payload = render(&notification, &webhook());
    assert_eq!(payload.missing, ["object.status.nothing"]);
    insta::assert_snapshot!(payload.failures.join("\n"), @r#"description of database-failed:1:1: ago: "Failed" is not a time"#);
    let message = json_of(&render(&notification, &slack()));
    assert_eq!(
        message["attachments"][0]["blocks"][0]["text"]["text"],
        "*‹missing: object.status.nothing›*"
    );
    insta::assert_snapshot!(message["attachments"][0]["blocks"][3]["elements"][0]["text"].as_str().unwrap(), @r#"Bellwether, <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>  ·  ⚠ a template failed, built-in text used: description of database-failed:1:1: ago: "Failed" is not a time"#);
}

#[test]
fn a_template_of_the_user_replaces_the_text_or_the_whole_message() {
    let text = Format::Slack(Slack {
        template: Some(with_template(
            "t.mrkdwn.hbs",
            "*{{alert.name}}*: {{object.status.phase}} {{title}}",
        )),
        channel: Some("#ops".into()),
        ..Slack::default()
    });
    let message = json_of(&render(&firing(), &text));
    assert_eq!(message["channel"], "#ops");
    assert_eq!(
        message["attachments"][0]["blocks"][0]["text"]["text"],
        "*orders*: Failed database-failed: DatabaseInstance prod/orders"
    );
    let whole = Format::Slack(Slack {
        template: Some(with_template(
            "t.json.hbs",
            r#"{"text": "{{alert.summary}}"}"#,
        )),
        ..Slack::default()
    });
    let message = json_of(&render(&firing(), &whole));
    assert_eq!(message, json!({"text": "orders is Failed <now> & then"}));
}

#[test]
fn a_template_that_fails_goes_out_in_the_built_in_format_and_says_so() {
    for (source, why) in [
        (
            "{\"text\": ",
            "t.json.hbs: what it gave is not JSON: EOF while parsing a value at line 1 column 9",
        ),
        ("[]", "a Slack message is a JSON object"),
        ("{}", "a Slack message has text, blocks or attachments"),
        (
            "{\"text\": \"{{ago title}}\"}",
            "t.json.hbs:1:11: ago: \"database-failed: DatabaseInstance prod/orders\" is not a time",
        ),
    ] {
        let format = Format::Slack(Slack {
            template: Some(with_template("t.json.hbs", source)),
            ..Slack::default()
        });
        let payload = render(&firing(), &format);
        assert_eq!(payload.failures, [why]);
        let text = payload.preview();
        assert!(
            text.contains("a template failed, built-in text used"),
            "{text}"
        );
        assert!(text.contains("orders is Failed"), "{text}");
    }
}

#[test]
fn pagerduty_takes_a_summary_or_a_payload_from_a_template() {
    let render_with = |name, source| {
        let template = Some(with_template(name, source));
        let format = Format::PagerDuty(PagerDuty {
            template,
            ..PagerDuty::default()
        });
        json_of(&render(&firing(), &format))["payload"].clone()
    };
    assert_eq!(
        render_with("s.txt.hbs", "{{alert.name}} is down & out")["summary"],
        "orders is down & out"
    );
    let payload = render_with(
        "p.json.hbs",
        r#"{"severity": "fatal", "custom_details": {{json object.status}}}"#,
    );
    assert_eq!(payload["severity"], "error");
    assert_eq!(payload["custom_details"]["phase"], "Failed");
}

/// The examples under `templates/` work, and what they give is what their services take.
#[test]
fn the_templates_that_we_ship_work() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let mut rendered = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "hbs") {
            continue;
        }
        let template = with_template(&name, &std::fs::read_to_string(&path).unwrap());
        let format = match name.split('.').next() {
            Some("slack") => Format::Slack(Slack {
                template: Some(template),
                ..Slack::default()
            }),
            Some("pagerduty") => Format::PagerDuty(PagerDuty {
                template: Some(template),
                ..PagerDuty::default()
            }),
            _ => Format::Webhook(Webhook {
                body: Some(template),
                ..Webhook::default()
            }),
        };
        for notification in [firing(), resolved(), group(3, 2)] {
            let payload = render(&notification, &format);
            assert_eq!(payload.failures, Vec::<String>::new(), "{name}");
            assert_eq!(payload.missing, Vec::<String>::new(), "{name}");
        }
        rendered.push((name, json_of(&render(&firing(), &format))));
    }
    rendered.sort_by(|a, b| a.0.cmp(&b.0));
    let shown: Vec<String> = rendered
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r##"
    cloudevents.json.hbs: {"specversion":"1.0","id":"n-1","source":"/bellwether/prod-eu","type":"dev.bellwether.alert.firing","subject":"oncall{alertname=\"database-failed\"}","time":"2026-11-22T12:00:00Z","datacontenttype":"application/json","data":{"title":"database-failed: DatabaseInstance prod/orders","severity":"critical","alerts":[{"object":{"metadata":{"name":"orders"},"spec":{"storageGB":20},"status":{"phase":"Failed","storageUsedGB":19}},"fingerprint":"dc562163f522e63935102b00aadfe1b9","rule":{"name":"database-failed","severity":"critical"},"severity":"critical","labels":{"alertname":"database-failed","cluster":"prod-eu","kind":"DatabaseInstance","name":"orders","namespace":"prod","severity":"critical"},"nature":"state","status":"firing","reason":null,"count":1,"late":false,"dedupKey":null,"since":"2026-11-22T11:48:00Z","firedAt":"2026-11-22T11:53:00Z","resolvedAt":null,"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","namespace":"prod","name":"orders","subject":"DatabaseInstance prod/orders","cluster":"prod-eu","runbook":"https://runbooks.example/database-failed","summary":"orders is Failed <now> & then","description":"Storage 19 of 20 GB."}]}}
    pagerduty.txt.hbs: {"event_action":"trigger","dedup_key":"5dd6d76969c7fcd6a9685d9d974b56bb","client":"Bellwether","payload":{"summary":"CRITICAL database-failed: DatabaseInstance prod/orders on prod-eu","source":"prod-eu: DatabaseInstance/prod/orders","severity":"critical","timestamp":"2026-11-22T11:48:00Z","component":"DatabaseInstance","group":"oncall{alertname=\"database-failed\"}","class":"database-failed","custom_details":{"firing":1,"resolved":0,"alerts":[{"status":"firing","severity":"critical","object":"DatabaseInstance prod/orders","summary":"orders is Failed <now> & then","description":"Storage 19 of 20 GB.","since":"2026-11-22T11:48:00Z","count":1,"labels":{"alertname":"database-failed","cluster":"prod-eu","kind":"DatabaseInstance","name":"orders","namespace":"prod","severity":"critical"}}]}},"links":[{"href":"https://runbooks.example/database-failed","text":"Runbook"}]}
    slack.mrkdwn.hbs: {"text":"🔴 database-failed: DatabaseInstance prod/orders: orders is Failed &lt;now&gt; &amp; then","blocks":[{"type":"header","text":{"type":"plain_text","text":"🔴 database-failed: DatabaseInstance prod/orders","emoji":true}}],"attachments":[{"color":"#d7263d","fallback":"🔴 database-failed: DatabaseInstance prod/orders: orders is Failed &lt;now&gt; &amp; then","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*DatabaseInstance prod/orders* firing, 12m ago: orders is Failed &lt;now&gt; &amp; then <https://runbooks.example/database-failed|Runbook>\n\n"}},{"type":"actions","elements":[{"type":"button","action_id":"link-0","text":{"type":"plain_text","text":"Runbook","emoji":true},"url":"https://runbooks.example/database-failed"}]},{"type":"context","elements":[{"type":"mrkdwn","text":"Bellwether, <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>"}]}]}]}
    teams.json.hbs: {"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","msteams":{"width":"Full"},"body":[{"type":"TextBlock","size":"Large","weight":"Bolder","wrap":true,"color":"Attention","text":"database-failed: DatabaseInstance prod/orders"},{"type":"FactSet","facts":[{"title":"firing","value":"DatabaseInstance prod/orders"},{"title":"Since","value":"2026-11-22 11:48:00 UTC"},{"title":"Summary","value":"orders is Failed <now> & then"}]},{"type":"TextBlock","wrap":true,"text":"Runbook: https://runbooks.example/database-failed"}]}}]}
    "##);
}

#[test]
fn a_bots_message_names_no_channel_and_leaves_details_to_its_thread() {
    let bot = Format::Slack(Slack {
        threads: true,
        ..Slack::default()
    });
    let mut long = sample::alert("orders");
    long.texts.description = Some("line & more\n".repeat(600).into());
    let payload = render(&sample::of(Cause::New, Status::Firing, vec![long]), &bot);
    let message = json_of(&payload);
    assert!(message["channel"].is_null());
    assert!(!message.to_string().contains("line &amp; more"));
    let details = payload.replies.details.unwrap();
    let blocks = details["blocks"].as_array().unwrap();
    assert_eq!(
        blocks.len(),
        4,
        "a description of 8,000 characters, escaped"
    );
    for block in blocks {
        assert!(
            block["text"]["text"]
                .as_str()
                .unwrap()
                .encode_utf16()
                .count()
                <= 3000
        );
    }
    // What only happened has no thread: it is one message.
    let mut occurred = sample::alert("orders");
    occurred.nature = crate::alert::Nature::Occurrence;
    let payload = render(
        &sample::of(Cause::Occurred, Status::Firing, vec![occurred]),
        &bot,
    );
    assert_eq!(payload.replies, Replies::default());
    assert!(
        json_of(&payload)
            .to_string()
            .contains("Storage 19 of 20 GB.")
    );
}
