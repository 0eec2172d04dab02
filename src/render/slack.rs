//! Slack messages in Block Kit, within Slack's limits.
//!
//! In: a message, and a template's text where the receiver has one. Out: the JSON of an incoming
//! webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>): a
//! header, and beside a bar in the colour of the severity what happened. [`limit()`] holds every message to
//! Slack's limits, ours and those of templates.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cut;
use super::escape::Target;
use super::links::{Offered, is_web};
use super::message::{Message, Told, counted, digest_line, place, status, subject};
use super::{Slack, time};
use crate::alert::{Nature, State};
use crate::names::Severity;
use crate::notify::Cause;

/// Alerts of a group that are listed; the rest is counted.
const LISTED: usize = 15;
/// Characters of one line of that list.
const LINE: usize = 180;

mod limit;
mod thread;

pub(super) use self::thread::replies;

use self::limit::{BUTTONS, limit};

/// A whole message as we write it; `text`, where a template gave one, stands for the description
/// of the alerts.
pub(super) fn message(
    message: &Message,
    format: &Slack,
    text: Option<&str>,
    links: &[Offered],
) -> Value {
    let headline = format!("{} {}", icon(message), headline(message));
    let mut blocks = match text {
        Some(text) => vec![section(text)],
        None => body(message, format),
    };
    blocks.extend(buttons(links));
    blocks.push(footer(message));
    let header =
        json!({"type": "header", "text": {"type": "plain_text", "text": headline, "emoji": true}});
    let mentions = mentions(message, format).filter(|_| format.threads || asks(message));
    let top: Vec<Value> = std::iter::once(header)
        .chain(mentions.map(|mentions| section(&mentions)))
        .collect();
    let mut value = json!({
        "text": fallback(message),
        "blocks": top,
        "attachments": [{"color": colour(message), "fallback": fallback(message), "blocks": blocks}],
    });
    address(&mut value, format);
    limit(&mut value, format);
    value
}

/// A template's own JSON as a message.
///
/// # Errors
/// It is no message.
pub(super) fn of_template(
    value: Value,
    message: &Message,
    format: &Slack,
) -> Result<Value, String> {
    let Value::Object(mut map) = value else {
        return Err("a Slack message is a JSON object".to_owned());
    };
    if !["text", "blocks", "attachments"]
        .iter()
        .any(|key| map.contains_key(*key))
    {
        return Err("a Slack message has text, blocks or attachments".to_owned());
    }
    let has_text = map
        .get("text")
        .and_then(Value::as_str)
        .is_some_and(|text| !text.trim().is_empty());
    if !has_text {
        map.insert("text".to_owned(), fallback(message).into());
    }
    let mut value = Value::Object(map);
    address(&mut value, format);
    limit(&mut value, format);
    Ok(value)
}

/// Channel, name and icon, where the receiver sets them.
fn address(value: &mut Value, format: &Slack) {
    let Value::Object(map) = value else { return };
    let settings = [
        ("channel", &format.channel),
        ("username", &format.username),
        ("icon_emoji", &format.icon),
    ];
    for (key, setting) in settings {
        if let Some(setting) = setting {
            map.insert(key.to_owned(), setting.clone().into());
        }
    }
}

/// Who is mentioned. That something is over wakes nobody.
fn mentions(message: &Message, format: &Slack) -> Option<String> {
    if message.is_resolved() || message.notification.cause == Cause::Heartbeat {
        return None;
    }
    let mentions = format.mentions.of(message.severity).iter();
    let mentions: Vec<String> = mentions.map(ToString::to_string).collect();
    (!mentions.is_empty()).then(|| mentions.join(" "))
}

/// Whether a message says something that somebody has to look at.
fn asks(message: &Message) -> bool {
    let notification = message.notification;
    notification.cause != Cause::Changed || !notification.first.is_empty()
}

fn buttons(links: &[Offered]) -> Option<Value> {
    let buttons = links.iter().take(BUTTONS).enumerate().map(|(at, link)| {
        let text = json!({"type": "plain_text", "text": link.text, "emoji": true});
        json!({"type": "button", "action_id": format!("link-{at}"), "text": text, "url": link.url})
    });
    let buttons: Vec<Value> = buttons.collect();
    (!buttons.is_empty()).then(|| json!({"type": "actions", "elements": buttons}))
}

fn icon(message: &Message) -> &'static str {
    match (message.notification.cause, message.severity) {
        (Cause::Heartbeat, _) => "💚",
        (Cause::Drill, _) => "🔔",
        _ if message.is_resolved() => "✅",
        (_, Severity::Critical) => "🔴",
        (_, Severity::Warning) => "🟠",
        (_, Severity::Info) => "🔵",
    }
}

fn colour(message: &Message) -> &'static str {
    match message.severity {
        _ if message.notification.cause == Cause::Heartbeat => "#9aa0a6",
        _ if message.is_resolved() => "#2eb67d",
        Severity::Critical => "#d7263d",
        Severity::Warning => "#f2a33a",
        Severity::Info => "#2e86de",
    }
}

fn headline(message: &Message) -> String {
    match message.only() {
        Some(_) if message.is_resolved() && message.notification.cause != Cause::Digest => {
            format!("{} resolved", message.title)
        }
        _ => message.title.clone(),
    }
}

/// What a phone shows, and what search finds.
fn fallback(message: &Message) -> String {
    let text = match message.only() {
        Some(told) if told.summary != headline(message) => {
            format!("{}: {}", headline(message), told.summary)
        }
        _ => headline(message),
    };
    Target::Mrkdwn.escape(&format!("{} {text}", icon(message)))
}

fn body(message: &Message, format: &Slack) -> Vec<Value> {
    match (message.notification.cause, message.only()) {
        (Cause::Heartbeat, _) => {
            let at = date(message.notification.at);
            vec![section(&format!(
                "A sign of life, sent {at}. If it stops, look after the bridge."
            ))]
        }
        (Cause::Digest, _) => vec![section(&digest(message).join("\n"))],
        (_, Some(told)) => alert(told, format),
        (_, None) => list(message),
    }
}

/// One alert in full.
fn alert(told: &Told, format: &Slack) -> Vec<Value> {
    let alert = told.alert;
    let escape = |text: &str| Target::Mrkdwn.escape(text);
    let mut text = format!("*{}*", escape(&told.summary));
    // A message that has a thread has it there.
    let here = !(format.threads && alert.nature == Nature::State);
    if let Some(description) = told.description.as_ref().filter(|_| here) {
        text.push('\n');
        text.push_str(&escape(description));
    }
    let mut fields = vec![
        ("Object", escape(&subject(alert))),
        ("Severity", alert.severity.to_string()),
    ];
    if let Some(cluster) = alert.labels.get("cluster").filter(|name| !name.is_empty()) {
        fields.push(("Cluster", escape(cluster)));
    }
    fields.push(("Since", date(alert.active_since)));
    if let Some(resolution) = &alert.resolution {
        let lasted = time::span(resolution.at.duration_since(alert.active_since));
        fields.push((
            "Resolved",
            format!("{}, after {lasted}", date(resolution.at)),
        ));
        fields.push(("Why", resolution.reason.as_str().to_owned()));
    }
    if alert.count > 1 {
        fields.push(("Seen", format!("{} times", alert.count)));
    }
    if alert.late {
        fields.push(("Note", "it happened while nobody watched".to_owned()));
    }
    let fields: Vec<Value> = fields
        .into_iter()
        .map(|(name, value)| json!({"type": "mrkdwn", "text": format!("*{name}*\n{value}")}))
        .collect();
    vec![section(&text), json!({"type": "section", "fields": fields})]
}

/// The alerts of a group, a line each.
fn list(message: &Message) -> Vec<Value> {
    let mut lines: Vec<String> = message.alerts.iter().take(LISTED).map(line).collect();
    let more = message.count() - lines.len() as u64;
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    vec![section(&lines.join("\n"))]
}

fn line(told: &Told) -> String {
    let alert = told.alert;
    let mark = match status(alert) {
        "resolved" => "✅",
        _ => "•",
    };
    let place = Target::Mrkdwn.escape(&place(alert));
    let summary = Target::Mrkdwn.escape(&told.summary.replace('\n', " "));
    let times = if alert.count > 1 {
        format!(" ({} times)", alert.count)
    } else {
        String::new()
    };
    let line = format!("{mark} *{place}* {summary}{times}");
    cut::mrkdwn(&line, LINE)
}

/// What a limit had held back, a line for each rule.
fn digest(message: &Message) -> Vec<String> {
    let lines = message.notification.digest.iter().take(LISTED).map(|line| {
        let rule = Target::Mrkdwn.escape(line.rule.as_str());
        let rule = cut::mrkdwn(&rule, LINE);
        format!("• {}", digest_line(line, &format!("*{rule}*")))
    });
    let mut lines: Vec<String> = lines.collect();
    let more = message.notification.digest.len() - lines.len();
    if more > 0 {
        lines.push(format!("… and {} more", counted(more as u64, "rule")));
    }
    lines
}

/// The small print: where to read on, which rule it was, what went wrong with the message itself.
fn footer(message: &Message) -> Value {
    let mut parts = Vec::new();
    if message.notification.cause == Cause::Drill {
        parts.push("This is a drill: nobody needs to act".to_owned());
    }
    let runbook = message
        .alerts
        .iter()
        .find_map(|told| told.runbook.as_deref());
    // One that can be opened is a button.
    if let Some(runbook) = runbook.filter(|runbook| !is_web(runbook)) {
        let runbook = cut::mrkdwn(&Target::Mrkdwn.escape(runbook), 500);
        parts.push(format!("Runbook: {runbook}"));
    }
    let firing = message
        .alerts
        .iter()
        .find(|told| told.alert.state == State::Firing);
    if let (Some(told), None) = (firing, message.only()) {
        parts.push(format!("first since {}", date(told.alert.active_since)));
    }
    if message.notification.cause == Cause::Repeat {
        parts.push("still firing".to_owned());
    }
    parts.push(format!("Bellwether, {}", date(message.notification.at)));
    if let Some(failure) = message.failures.first() {
        let failure = cut::mrkdwn(&Target::Mrkdwn.escape(failure), 600);
        parts.push(format!(
            "⚠ a template failed, built-in text used: {failure}"
        ));
    }
    json!({"type": "context", "elements": [{"type": "mrkdwn", "text": parts.join("  ·  ")}]})
}

/// A time in the reader's own zone.
fn date(at: Timestamp) -> String {
    let plain = time::date(at, None, Some("%Y-%m-%d %H:%M UTC")).unwrap_or_else(|_| at.to_string());
    format!(
        "<!date^{}^{{date_short_pretty}} {{time}}|{plain}>",
        at.as_second()
    )
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}
