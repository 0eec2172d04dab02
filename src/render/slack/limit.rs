//! Holds a message to Slack's limits.
//!
//! In: a message, ours or a template's. Out: the same, with what is too long cut and what is too many
//! left out (<https://docs.slack.dev/reference/block-kit/blocks>).

use serde_json::{Map, Value};

use super::Slack;
use super::cut;

/// Slack's limits, in characters and counts.
const TEXT: usize = 40_000;
/// What `chat.update` takes.
const CHANGED_TEXT: usize = 4000;
pub(super) const BUTTONS: usize = 25;
const BUTTON: usize = 75;
const BLOCKS: usize = 50;
const HEADER: usize = 150;
const SECTION: usize = 3000;
const FIELDS: usize = 10;
const FIELD: usize = 2000;
const ELEMENTS: usize = 10;
const ATTACHMENTS: usize = 20;

/// Cuts whatever Slack would refuse for its size, and fills what it would refuse for its emptiness.
pub(super) fn limit(value: &mut Value, format: &Slack) {
    let Value::Object(map) = value else { return };
    let text = if format.threads { CHANGED_TEXT } else { TEXT };
    limit_text(map, "text", text);
    let mut left = BLOCKS;
    limit_blocks(map, &mut left);
    if let Some(Value::Array(attachments)) = map.get_mut("attachments") {
        attachments.truncate(ATTACHMENTS);
        for attachment in attachments.iter_mut().filter_map(Value::as_object_mut) {
            limit_text(attachment, "fallback", SECTION);
            limit_text(attachment, "text", TEXT);
            limit_blocks(attachment, &mut left);
        }
    }
}

fn limit_blocks(parent: &mut Map<String, Value>, left: &mut usize) {
    let Some(Value::Array(blocks)) = parent.get_mut("blocks") else {
        return;
    };
    blocks.truncate(*left);
    *left -= blocks.len();
    for block in blocks.iter_mut().filter_map(Value::as_object_mut) {
        let text = match block.get("type").and_then(Value::as_str) {
            Some("header") => HEADER,
            _ => SECTION,
        };
        if let Some(object) = block.get_mut("text") {
            limit_text_object(object, text);
        }
        let elements = match block.get("type").and_then(Value::as_str) {
            Some("actions") => BUTTONS,
            _ => ELEMENTS,
        };
        for (key, most, size) in [("fields", FIELDS, FIELD), ("elements", elements, SECTION)] {
            if let Some(Value::Array(items)) = block.get_mut(key) {
                items.truncate(most);
                for item in items {
                    limit_text_object(item, size);
                    if let Some(label) = item.get_mut("text").filter(|text| text.is_object()) {
                        limit_text_object(label, BUTTON);
                    }
                }
            }
        }
    }
}

fn limit_text_object(object: &mut Value, most: usize) {
    let Value::Object(object) = object else {
        return;
    };
    let plain = object.get("type").and_then(Value::as_str) == Some("plain_text");
    match object.get_mut("text") {
        Some(Value::String(text)) if plain => *text = filled(cut::to_characters(text, most)),
        _ => limit_text(object, "text", most),
    }
}

fn limit_text(parent: &mut Map<String, Value>, key: &str, most: usize) {
    if let Some(Value::String(text)) = parent.get_mut(key) {
        *text = filled(cut::mrkdwn(text, most));
    }
}

/// Slack refuses a text without any character.
fn filled(text: String) -> String {
    if text.trim().is_empty() {
        "–".to_owned()
    } else {
        text
    }
}
