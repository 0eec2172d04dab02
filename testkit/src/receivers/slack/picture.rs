//! A Slack message drawn for a terminal: what a person would see.

use std::fmt::{self, Formatter};

use serde_json::Value;

use super::{Kind, Message};

pub(super) fn draw(message: &Message, f: &mut Formatter<'_>) -> fmt::Result {
    let how = match message.kind {
        Kind::Webhook | Kind::Post => "",
        Kind::Change => " (changed)",
        Kind::Reply => " (in the thread)",
    };
    writeln!(f, "┌─ Slack #{}{how}", message.channel)?;
    let mut lines = Vec::new();
    if message.blocks.is_empty() {
        lines.extend(shown(&message.text));
    }
    for block in &message.blocks {
        lines.extend(block_lines(block));
    }
    for attachment in message.payload["attachments"]
        .as_array()
        .into_iter()
        .flatten()
    {
        lines.extend(attachment["text"].as_str().into_iter().flat_map(shown));
        let blocks = attachment["blocks"].as_array().into_iter().flatten();
        lines.extend(blocks.flat_map(block_lines).map(|line| format!("▏ {line}")));
    }
    for line in lines {
        writeln!(f, "│ {line}")?;
    }
    write!(f, "└─")
}

fn block_lines(block: &Value) -> Vec<String> {
    let texts = |list: &Value| -> Vec<String> {
        let entries = list.as_array().into_iter().flatten();
        entries.map(|entry| text_of(entry).join(" ")).collect()
    };
    match block["type"].as_str() {
        Some("header") => text_of(&block["text"])
            .into_iter()
            .map(|line| format!("━━ {line}"))
            .collect(),
        Some("section") => {
            let mut lines = text_of(&block["text"]);
            lines.extend(pairs(&texts(&block["fields"])));
            lines.extend(button(&block["accessory"]));
            lines
        }
        Some("context") => vec![format!("· {}", texts(&block["elements"]).join("  "))],
        Some("actions") => {
            let buttons = block["elements"].as_array().into_iter().flatten();
            vec![buttons.filter_map(button).collect::<Vec<_>>().join(" ")]
        }
        Some("image") => vec![format!(
            "[image: {}]",
            block["alt_text"].as_str().unwrap_or_default()
        )],
        _ => vec!["──────────".to_owned()],
    }
}

/// Slack sets fields in two columns.
fn pairs(fields: &[String]) -> Vec<String> {
    fields
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => format!("{left:<36} {right}"),
            rest => rest.concat(),
        })
        .collect()
}

fn button(element: &Value) -> Option<String> {
    let label = element["text"]["text"].as_str()?;
    Some(match element["url"].as_str() {
        Some(url) => format!("[{label}]({url})"),
        None => format!("[{label}]"),
    })
}

fn text_of(object: &Value) -> Vec<String> {
    let text = object["text"].as_str().unwrap_or_default();
    if object["type"] == "mrkdwn" {
        shown(text)
    } else {
        text.lines().map(str::to_owned).collect()
    }
}

/// Markup as Slack shows it: links by their label, the three entities by their characters. Anything
/// else between angle brackets is a mention, and stays visible as one.
fn shown(mrkdwn: &str) -> Vec<String> {
    let mut out = String::new();
    let mut rest = mrkdwn;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((inside, behind)) = after.split_once('>') else {
            out.push('<');
            rest = after;
            continue;
        };
        out.push_str(&link(inside));
        rest = behind;
    }
    out.push_str(rest);
    let plain = out
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    plain.lines().map(str::to_owned).collect()
}

fn link(inside: &str) -> String {
    match inside.split_once('|') {
        Some((url, label)) if url.contains("://") => format!("{label} ({url})"),
        // A moment in the reader's own zone; the label is what old clients show.
        Some((date, label)) if date.starts_with("!date^") => label.to_owned(),
        None if inside.contains("://") => inside.to_owned(),
        _ => format!("‹PINGS {inside}›"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_looks_as_it_does_in_slack() {
        let blocks = json!([
            {"type": "header", "text": {"type": "plain_text", "text": "Database failed"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "a &lt; b &amp;lt; <https://example.test|runbook>\nsecond line"},
             "fields": [{"type": "mrkdwn", "text": "one"}, {"type": "plain_text", "text": "<two>"}, {"type": "mrkdwn", "text": "three"}]},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "for 5m"}, {"type": "mrkdwn", "text": "<!here>"}]},
            {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Runbook"}, "url": "https://example.test"}]},
        ]);
        let message = Message {
            channel: "alerts".to_owned(),
            text: "fallback".to_owned(),
            blocks: blocks.as_array().unwrap().clone(),
            payload: json!({}),
            kind: Kind::Webhook,
        };
        insta::assert_snapshot!(message, @"
        ┌─ Slack #alerts
        │ ━━ Database failed
        │ a < b &lt; runbook (https://example.test)
        │ second line
        │ one                                  <two>
        │ three
        │ ──────────
        │ · for 5m  ‹PINGS !here›
        │ [Runbook](https://example.test)
        └─
        ");
    }

    #[test]
    fn without_blocks_the_text_is_shown() {
        let message = Message {
            channel: "alerts".to_owned(),
            text: "2 > 1 & <b".to_owned(),
            blocks: vec![],
            payload: json!({}),
            kind: Kind::Webhook,
        };
        insta::assert_snapshot!(message, @"
        ┌─ Slack #alerts
        │ 2 > 1 & <b
        └─
        ");
    }
}
