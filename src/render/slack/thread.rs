//! What the thread below a group's message says: details once it is posted, changes from then on.
//!
//! The message above is changed without a sound; a reply is what those who follow it hear.

use serde_json::{Value, json};

use super::limit::limit;
use super::{LINE, LISTED, Slack, date, digest, fallback, headline, icon, line, mentions, section};
use crate::alert::State;
use crate::notify::Cause;
use crate::render::Replies;
use crate::render::cut;
use crate::render::escape::Target;
use crate::render::message::{Message, Told, counted, place, status};
use crate::render::time;

/// Characters of a section's text.
const SECTION: usize = 3000;
/// Alerts of a group whose details are told.
const DETAILED: usize = 45;
/// Characters of one of them.
const DETAIL: usize = 600;

/// Both replies; which of them is needed shows when the message is sent.
pub(in crate::render) fn replies(message: &Message, format: &Slack) -> Replies {
    if !message.notification.goes_on() {
        return Replies::default();
    }
    Replies {
        details: details(message, format),
        changes: Some(changes(message, format)),
    }
}

/// What the message has no room for. A receiver's own template says it all itself.
fn details(message: &Message, format: &Slack) -> Option<Value> {
    if format.template.is_some() {
        return None;
    }
    let escape = |text: &str| Target::Mrkdwn.escape(text);
    let texts: Vec<String> = if let Some(told) = message.only() {
        told.description.iter().map(|text| escape(text)).collect()
    } else {
        let described = message.alerts.iter().any(|told| told.description.is_some());
        let all = message.alerts.iter().take(DETAILED);
        let all = all.filter(|_| described || message.alerts.len() > LISTED);
        all.map(detail).collect()
    };
    reply(&texts, "Details", format)
}

fn detail(told: &Told) -> String {
    let mut text = line(told);
    if let Some(description) = &told.description {
        let description = Target::Mrkdwn.escape(description);
        text.push('\n');
        text.push_str(&cut::mrkdwn(&description, DETAIL));
    }
    text
}

/// What is new since the message was last changed.
fn changes(message: &Message, format: &Slack) -> Value {
    let notification = message.notification;
    let mut texts = match notification.cause {
        Cause::Repeat => vec![still(message)],
        Cause::Digest if !message.is_resolved() => digest(message),
        _ => news(message),
    };
    if texts.is_empty() {
        let text = format!("{} {}", icon(message), headline(message));
        texts.push(Target::Mrkdwn.escape(&text));
    }
    let asks = match notification.cause {
        Cause::Repeat => true,
        _ => !notification.first.is_empty(),
    };
    if let Some(mentions) = mentions(message, format).filter(|_| asks) {
        texts[0] = format!("{mentions} {}", texts[0]);
    }
    let fallback = fallback(message);
    // At least one text: there is a reply.
    reply(&texts, &fallback, format).unwrap_or_else(|| json!({"text": fallback}))
}

fn still(message: &Message) -> String {
    let firing = |told: &&Told| told.alert.state == State::Firing;
    let first = message
        .alerts
        .iter()
        .filter(firing)
        .map(|told| told.alert.active_since);
    let since = first.min().map(|since| format!(", since {}", date(since)));
    let count = match message.only() {
        Some(_) => String::new(),
        None => format!(": {}", counted(message.count(), "alert")),
    };
    format!("Still firing{count}{}", since.unwrap_or_default())
}

/// The alerts that fire for the first time, and those that are over.
fn news(message: &Message) -> Vec<String> {
    let first = &message.notification.first;
    let is_new = |told: &&Told| {
        told.alert.state == State::Resolved || first.contains(&told.alert.fingerprint)
    };
    let all: Vec<&Told> = message.alerts.iter().filter(is_new).collect();
    let mut texts: Vec<String> = all.iter().take(LISTED).map(|told| change(told)).collect();
    let more = all.len() - texts.len();
    if more > 0 {
        texts.push(format!("… and {more} more"));
    }
    texts
}

fn change(told: &Told) -> String {
    let alert = told.alert;
    let Some(resolution) = alert
        .resolution
        .as_ref()
        .filter(|_| status(alert) == "resolved")
    else {
        return line(told).replacen('•', "🔥", 1);
    };
    let lasted = time::span(resolution.at.duration_since(alert.active_since));
    let place = Target::Mrkdwn.escape(&place(alert));
    let text = format!(
        "✅ *{place}* resolved after {lasted}: {}",
        resolution.reason.as_str()
    );
    cut::mrkdwn(&text, LINE)
}

/// A message of these texts, as few sections as hold them; none without a text.
fn reply(texts: &[String], fallback: &str, format: &Slack) -> Option<Value> {
    let lines = texts.iter().flat_map(|text| text.split('\n'));
    let mut sections: Vec<String> = Vec::new();
    for line in lines {
        let line = cut::mrkdwn(line, SECTION);
        match sections.last_mut() {
            Some(last) if size(last) + size(&line) < SECTION => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => sections.push(line),
        }
    }
    sections.retain(|text| !text.trim().is_empty());
    if sections.is_empty() {
        return None;
    }
    let blocks: Vec<Value> = sections.iter().map(|text| section(text)).collect();
    let mut value = json!({"text": fallback, "blocks": blocks});
    super::address(&mut value, format);
    limit(&mut value, format);
    Some(value)
}

fn size(text: &str) -> usize {
    text.encode_utf16().count()
}
