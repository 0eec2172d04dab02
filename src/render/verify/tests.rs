//! Templates that keep their limits, could exceed them, or do.

use std::sync::Arc;

use super::*;
use crate::render::{PagerDuty, Scope, Slack};

fn template(name: &str, source: &str) -> Arc<Template> {
    let template = Template::compile(name, source, Target::of_file(name), Scope::Message);
    Arc::new(template.unwrap())
}

fn slack(source: &str) -> Format {
    Format::Slack(Slack {
        template: Some(template("a.json.hbs", source)),
        ..Slack::default()
    })
}

fn header(text: &str) -> Format {
    slack(&format!(
        r#"{{"blocks": [{{"type": "header", "text": {{"type": "plain_text", "text": "{text}"}}}}]}}"#
    ))
}

fn pagerduty(name: &str, source: &str) -> Format {
    Format::PagerDuty(PagerDuty {
        template: Some(template(name, source)),
        ..PagerDuty::default()
    })
}

fn webhook(content_type: &str, source: &str) -> Format {
    Format::Webhook(Webhook {
        content_type: content_type.to_owned(),
        body: Some(template("a.json.hbs", source)),
    })
}

fn told(format: &Format) -> String {
    let lines = findings(format).into_iter().map(|found| {
        let level = if found.always { "error" } else { "warning" };
        let help = found.help.unwrap_or_default();
        format!("{level}: {} ({help})", found.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_header_that_is_too_long_is_an_error_and_one_that_can_become_so_a_warning() {
    insta::assert_snapshot!(told(&header(&"x".repeat(151))), @"error: a header has 151 characters before any value is in it (at most 150: make it shorter)");
    for unbounded in [
        "{{title}}",
        "{{alert.summary}}",
        "{{object.metadata.annotations.owner}}",
        "{{#each object.status.conditions}}{{message}}{{/each}}",
        "{{alert.labels.team}}",
        "{{group.labels.team}}",
    ] {
        let told = told(&header(unbounded));
        assert_eq!(
            told,
            "warning: a header can exceed 150 characters (it is cut there with `…`; \
             `{{truncate … 75}}` bounds a value)",
            "{unbounded}"
        );
    }
    for bounded in [
        "All is well",
        "{{truncate title 150}}",
        "{{severity}}: {{truncate object.spec.owner 100}}",
        "{{date at}}",
    ] {
        assert_eq!(told(&header(bounded)), "", "{bounded}");
    }
}

#[test]
fn counts_and_sizes_of_slack_are_held_too() {
    let text = |size: usize| format!(r#"{{"type": "mrkdwn", "text": "{}"}}"#, "x".repeat(size));
    let section = |size| format!(r#"{{"type": "section", "text": {}}}"#, text(size));
    let fields = |count, size| {
        let fields = vec![text(size); count].join(",");
        format!(r#"{{"type": "section", "fields": [{fields}]}}"#)
    };
    let blocks = |blocks: &[String]| slack(&format!(r#"{{"blocks": [{}]}}"#, blocks.join(",")));
    insta::assert_snapshot!(told(&blocks(&[section(3001), fields(11, 2001)])), @"
    error: the text of a section has 3001 characters before any value is in it (at most 3000: make it shorter)
    error: a field has 2001 characters before any value is in it (at most 2000: make it shorter)
    error: a section has 11 fields before any value is in it (at most 10: make it shorter)
    ");
    assert_eq!(told(&blocks(&[section(3000), fields(10, 2000)])), "");
    insta::assert_snapshot!(told(&blocks(&vec![section(1); 51])), @"error: the message has 51 blocks before any value is in it (at most 50: make it shorter)");
    let each = r#"{"blocks": [{"type": "divider"}{{#each alerts}}, {"type": "section", "text": {"type": "mrkdwn", "text": "{{summary}}"}}{{/each}}]}"#;
    insta::assert_snapshot!(told(&slack(each)), @"warning: the message can exceed 50 blocks (what is more is left out; bound the list with `{{#if (lt @index 20)}}`)");
    let some = each.replace("{{#each alerts}}", "{{#each alerts}}{{#if (lt @index 20)}}");
    let some = some.replace("{{/each}}", "{{/if}}{{/each}}");
    assert_eq!(told(&slack(&some)), "");
    insta::assert_snapshot!(told(&slack(r#"{"color": "red"}"#)), @"error: it is no Slack message (an object with `text`, `blocks` or `attachments`)");
}

#[test]
fn a_summary_of_pagerduty_has_1024_characters() {
    assert_eq!(told(&pagerduty("a.txt.hbs", "{{title}}")), "");
    insta::assert_snapshot!(told(&pagerduty("a.txt.hbs", "{{alert.summary}}")), @"warning: the summary can exceed 1024 characters (it is cut there with `…`; `{{truncate … 512}}` bounds a value)");
    insta::assert_snapshot!(told(&pagerduty("a.json.hbs", &format!(r#"{{"summary": "{}"}}"#, "x".repeat(1025)))), @"error: the summary has 1025 characters before any value is in it (at most 1024: make it shorter)");
    insta::assert_snapshot!(told(&pagerduty("a.json.hbs", "[]")), @"error: it is no PagerDuty payload (an object, which is laid over ours)");
}

#[test]
fn a_body_is_json_and_a_cloud_event_has_what_it_needs() {
    let event = "application/cloudevents+json; charset=utf-8";
    insta::assert_snapshot!(told(&webhook("application/json", r#"{"text": {{title}} }"#)), @"error: what it writes is not JSON: expected `,` or `}` at line 1 column 11 (values stand in quotes, or come from `{{json …}}`, which writes its own)");
    assert_eq!(
        told(&webhook(
            "application/json",
            r#"{"replicas": {{object.spec.replicas}}, "text": "{{title}}"}"#
        )),
        ""
    );
    assert_eq!(
        told(&webhook("application/json", r#"{"specversion": "0.3"}"#)),
        ""
    );
    insta::assert_snapshot!(told(&webhook(event, r#"{"specversion": "0.3"}"#)), @r#"error: it is no CloudEvent of version 1.0 (CloudEvents 1.0 has `specversion` "1.0", `id`, `source` and `type`)"#);
    insta::assert_snapshot!(told(&webhook(event, r#"{"specversion": "1.0", "id": "{{id}}", "source": "/a b", "type": "x"}"#)), @r#"error: `source` of the CloudEvent is no URI reference: /a b (CloudEvents 1.0 has `specversion` "1.0", `id`, `source` and `type`)"#);
    insta::assert_snapshot!(told(&webhook(event, r#"{"specversion": "1.0", "id": "{{id}}", "source": "/a"}"#)), @r#"error: the CloudEvent has no `type` (CloudEvents 1.0 has `specversion` "1.0", `id`, `source` and `type`)"#);
}

#[test]
fn a_card_for_teams_can_be_too_large() {
    let card = |text: &str| {
        let attachment = format!(
            r#"{{"contentType": "application/vnd.microsoft.card.adaptive", "content": {{"type": "AdaptiveCard", "body": [{text}]}}}}"#
        );
        webhook(
            "application/json",
            &format!(r#"{{"type": "message", "attachments": [{attachment}]}}"#),
        )
    };
    let all = r#"{"type": "TextBlock", "text": "{{#each alerts}}{{summary}}{{object.a}}{{object.b}}{{object.c}}{{/each}}"}"#;
    insta::assert_snapshot!(told(&card(all)), @"warning: the card can exceed 28672 bytes (Teams refuses more; bound lists with `{{#if (lt @index 20)}}` and values with `truncate`)");
}

#[test]
fn the_templates_that_we_ship_keep_their_limits() {
    let shipped = |name: &str| {
        let path = format!("{}/templates/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let mrkdwn = shipped("slack.mrkdwn.hbs");
    let all = [
        Format::Slack(Slack {
            template: Some(template("slack.mrkdwn.hbs", &mrkdwn)),
            ..Slack::default()
        }),
        pagerduty("pagerduty.txt.hbs", &shipped("pagerduty.txt.hbs")),
        webhook("application/json", &shipped("teams.json.hbs")),
        webhook(
            "application/cloudevents+json",
            &shipped("cloudevents.json.hbs"),
        ),
    ];
    assert_eq!(all.each_ref().map(told), [""; 4]);
}
