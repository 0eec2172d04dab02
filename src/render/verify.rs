//! Whether a receiver's template keeps the limits and the form of its service by itself.
//!
//! In: a [`Format`]. Out: a [`Finding`] for each limit that its text exceeds whatever an alert holds,
//! or could exceed with the values that it writes. It expands the template for the smallest and for
//! the largest messages ([`super::extremes`]), so what `truncate` bounds is bounded. A message that
//! is sent keeps the limits all the same: it is cut.

use std::collections::BTreeMap;

use serde_json::Value;

use super::extremes::{largest, smallest};
use super::message::Message;
use super::{Format, Target, Template, Webhook, model};
use crate::notify::Notification;

/// What is to be said about a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub message: String,
    pub help: Option<String>,
    /// It is so for every message, not only for some.
    pub always: bool,
    /// A word that stands where it is wrong, if the template has it.
    pub near: &'static str,
}

/// A limit, and what is measured by it.
struct Limit {
    what: &'static str,
    most: usize,
    unit: &'static str,
    near: &'static str,
    /// That values can exceed it is worth a word: what is lost is not the end of a long text.
    warns: bool,
}

const fn limit(
    what: &'static str,
    most: usize,
    unit: &'static str,
    near: &'static str,
    warns: bool,
) -> Limit {
    Limit {
        what,
        most,
        unit,
        near,
        warns,
    }
}

const HEADER: &str = "a header";
const SECTION: &str = "the text of a section";
const FIELD: &str = "a field";
const FIELDS: &str = "a section";
const BUTTON: &str = "the label of a button";
const BUTTONS: &str = "a row";
const BLOCKS: &str = "the message";
const SUMMARY: &str = "the summary";
const CARD: &str = "the card";

/// <https://docs.slack.dev/reference/block-kit/blocks>
const OF_SLACK: [Limit; 7] = [
    limit(HEADER, 150, "characters", "\"header\"", true),
    limit(SECTION, 3000, "characters", "\"section\"", false),
    limit(FIELD, 2000, "characters", "\"fields\"", false),
    limit(FIELDS, 10, "fields", "\"fields\"", true),
    limit(BUTTON, 75, "characters", "\"button\"", true),
    limit(BUTTONS, 25, "buttons", "\"actions\"", true),
    limit(BLOCKS, 50, "blocks", "\"blocks\"", true),
];
/// <https://developer.pagerduty.com/docs/send-alert-event>
const OF_PAGERDUTY: [Limit; 1] = [limit(SUMMARY, 1024, "characters", "\"summary\"", true)];
/// <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>
const OF_TEAMS: [Limit; 1] = [limit(CARD, 28 * 1024, "bytes", "AdaptiveCard", true)];

/// What is measured, with the largest that was found of it.
type Measured = BTreeMap<&'static str, usize>;

/// What is wrong with the receiver's template, or could become wrong.
#[must_use]
pub fn findings(format: &Format) -> Vec<Finding> {
    let Some(template) = format.template() else {
        return Vec::new();
    };
    let small: Vec<_> = smallest(template.reads())
        .iter()
        .filter_map(|message| Written::by(template, message))
        .collect();
    let mut findings = form(format, template, &small);
    let large: Vec<_> = largest(template.reads())
        .iter()
        .filter_map(|message| Written::by(template, message))
        .collect();
    let (always, at_most) = (measured(format, &small), measured(format, &large));
    let limits: &[Limit] = match format {
        Format::Slack(_) => &OF_SLACK,
        Format::PagerDuty(_) => &OF_PAGERDUTY,
        Format::Webhook(_) => &OF_TEAMS,
        Format::Alertmanager(_) => &[],
    };
    findings.extend(
        limits
            .iter()
            .filter_map(|limit| exceeded(limit, &always, &at_most)),
    );
    findings
}

fn exceeded(limit: &Limit, always: &Measured, at_most: &Measured) -> Option<Finding> {
    let Limit {
        what, most, unit, ..
    } = limit;
    let size = |of: &Measured| of.get(what).copied().unwrap_or_default();
    let (least, largest) = (size(always), size(at_most));
    let (message, help) = if least > *most {
        let message = format!("{what} has {least} {unit} before any value is in it");
        (message, format!("at most {most}: make it shorter"))
    } else if largest > *most && limit.warns {
        let help = match *unit {
            "bytes" => {
                "Teams refuses more; bound lists with `{{#if (lt @index 20)}}` and values with \
                        `truncate`"
                    .to_owned()
            }
            "characters" => format!(
                "it is cut there with `…`; `{{{{truncate … {}}}}}` bounds a value",
                most / 2
            ),
            _ => {
                "what is more is left out; bound the list with `{{#if (lt @index 20)}}`".to_owned()
            }
        };
        (format!("{what} can exceed {most} {unit}"), help)
    } else {
        return None;
    };
    Some(Finding {
        message,
        help: Some(help),
        always: least > *most,
        near: limit.near,
    })
}

/// What a template wrote.
enum Written {
    Text(String),
    Json(Value),
    /// It should be JSON.
    NotJson(String),
}

impl Written {
    /// Nothing, if it failed: a function may want another value than the one that was made up.
    fn by(template: &Template, notification: &Notification) -> Option<Self> {
        let message = Message::of(notification);
        let text = template.expand(&model::of_message(&message)).ok()?.text;
        Some(if template.target() == Target::Json {
            match serde_json::from_str(&text) {
                Ok(value) => Self::Json(value),
                Err(error) => Self::NotJson(error.to_string()),
            }
        } else {
            Self::Text(text)
        })
    }
}

/// Whether it is what its service takes at all.
fn form(format: &Format, template: &Template, written: &[Written]) -> Vec<Finding> {
    let wrong = |message: String, help: &str, near| Finding {
        message,
        help: Some(help.to_owned()),
        always: true,
        near,
    };
    // A value that was made up may be of another type than the real one.
    let made_up = template
        .reads()
        .iter()
        .any(|read| !read.of_view().is_empty());
    for one in written {
        let found = match (one, format) {
            (Written::NotJson(why), _) if !made_up => Some(wrong(
                format!("what it writes is not JSON: {why}"),
                "values stand in quotes, or come from `{{json …}}`, which writes its own",
                "",
            )),
            (Written::Json(value), Format::Slack(_)) => {
                let parts = ["text", "blocks", "attachments"];
                let is_message = parts.iter().any(|part| value.get(part).is_some());
                (!is_message).then(|| {
                    wrong(
                        "it is no Slack message".to_owned(),
                        "an object with `text`, `blocks` or `attachments`",
                        "",
                    )
                })
            }
            (Written::Json(value), Format::PagerDuty(_)) => (!value.is_object()).then(|| {
                wrong(
                    "it is no PagerDuty payload".to_owned(),
                    "an object, which is laid over ours",
                    "",
                )
            }),
            (Written::Json(value), Format::Webhook(webhook)) => {
                event(value, webhook).map(|(message, near)| {
                    let help =
                        "CloudEvents 1.0 has `specversion` \"1.0\", `id`, `source` and `type`";
                    wrong(message, help, near)
                })
            }
            _ => None,
        };
        if let Some(found) = found {
            return vec![found];
        }
    }
    Vec::new()
}

/// What a `CloudEvent` lacks, where the receiver says that it sends one.
fn event(value: &Value, webhook: &Webhook) -> Option<(String, &'static str)> {
    let is_event = webhook
        .content_type
        .starts_with("application/cloudevents+json");
    if !is_event {
        return None;
    }
    if value["specversion"] != "1.0" {
        return Some((
            "it is no CloudEvent of version 1.0".to_owned(),
            "specversion",
        ));
    }
    for name in ["id", "source", "type"] {
        let text = value[name].as_str().unwrap_or_default();
        if text.is_empty() {
            return Some((format!("the CloudEvent has no `{name}`"), "specversion"));
        }
        if name == "source" && !text.chars().all(in_uri) {
            let message = format!("`source` of the CloudEvent is no URI reference: {text}");
            return Some((message, "\"source\""));
        }
    }
    None
}

/// A character that a URI reference can hold (RFC 3986, 2).
fn in_uri(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

/// The largest of everything that has a limit.
fn measured(format: &Format, written: &[Written]) -> Measured {
    let mut measured = Measured::new();
    for one in written {
        match (one, format) {
            (Written::Text(text), Format::Slack(_)) => note(&mut measured, SECTION, size(text)),
            (Written::Text(text), Format::PagerDuty(_)) => {
                note(&mut measured, SUMMARY, size(text.trim()));
            }
            (Written::Json(value), Format::Slack(_)) => of_slack(&mut measured, value),
            (Written::Json(value), Format::PagerDuty(_)) => {
                let summary = value["summary"].as_str().unwrap_or_default();
                note(&mut measured, SUMMARY, size(summary.trim()));
            }
            (Written::Json(value), Format::Webhook(_)) if is_card(value) => {
                note(&mut measured, CARD, value.to_string().len());
            }
            _ => {}
        }
    }
    measured
}

fn is_card(value: &Value) -> bool {
    value["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
}

/// The blocks of a Slack message, and of what is attached to it.
fn of_slack(measured: &mut Measured, message: &Value) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let attachments = list(&message["attachments"]);
    let parents = std::iter::once(message).chain(&attachments);
    let blocks: Vec<Value> = parents.flat_map(|parent| list(&parent["blocks"])).collect();
    note(measured, BLOCKS, blocks.len());
    for block in blocks {
        let text = text_of(&block["text"]);
        let (fields, elements) = (list(&block["fields"]), list(&block["elements"]));
        match block["type"].as_str() {
            Some("header") => note(measured, HEADER, text),
            Some("actions") => note(measured, BUTTONS, elements.len()),
            _ => note(measured, SECTION, text),
        }
        note(measured, FIELDS, fields.len());
        for field in &fields {
            note(measured, FIELD, text_of(field));
        }
        for button in &elements {
            note(measured, BUTTON, text_of(&button["text"]));
        }
    }
}

fn text_of(object: &Value) -> usize {
    object["text"].as_str().map_or(0, size)
}

/// Characters, as the limits are kept.
fn size(text: &str) -> usize {
    text.encode_utf16().count()
}

fn note(measured: &mut Measured, what: &'static str, size: usize) {
    let known = measured.entry(what).or_default();
    *known = size.max(*known);
}

#[cfg(test)]
mod tests;
