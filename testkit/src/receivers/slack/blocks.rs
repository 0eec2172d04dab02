//! Block Kit's rules, as Slack's "Block Kit reference" states them. Lengths are in characters.

use std::collections::HashSet;

use serde_json::Value;

use crate::receivers::characters;

/// Checks the blocks of one message; the error says which block breaks which rule.
pub(super) fn check(blocks: &[Value]) -> Result<(), String> {
    at_most("blocks", blocks.len(), 50)?;
    let mut ids = HashSet::new();
    for (number, block) in blocks.iter().enumerate() {
        let kind = block["type"].as_str().unwrap_or("(no type)");
        check_block(kind, block).map_err(|why| format!("block {number}, {kind}: {why}"))?;
        if let Some(id) = string(block, "block_id", 255)?
            && !ids.insert(id)
        {
            return Err(format!(
                "block {number}, {kind}: block_id {id} is used twice"
            ));
        }
    }
    Ok(())
}

fn check_block(kind: &str, block: &Value) -> Result<(), String> {
    match kind {
        "header" => text(&block["text"], 150, &["plain_text"]),
        "section" => section(block),
        "context" => each(block, "elements", 10, context_element),
        "actions" => each(block, "elements", 25, button),
        "image" => image(block),
        "divider" => Ok(()),
        _ => Err("unknown type".to_owned()),
    }
}

fn section(block: &Value) -> Result<(), String> {
    if block["text"].is_null() && block["fields"].is_null() {
        return Err("neither text nor fields".to_owned());
    }
    if !block["text"].is_null() {
        text(&block["text"], 3000, &["plain_text", "mrkdwn"])?;
    }
    if !block["fields"].is_null() {
        each(block, "fields", 10, |field| {
            text(field, 2000, &["plain_text", "mrkdwn"])
        })?;
    }
    match block["accessory"]["type"].as_str() {
        None if block["accessory"].is_null() => Ok(()),
        Some("button") => button(&block["accessory"]),
        Some("image") => image(&block["accessory"]),
        _ => Err("unknown accessory".to_owned()),
    }
}

fn context_element(element: &Value) -> Result<(), String> {
    match element["type"].as_str() {
        Some("image") => image(element),
        _ => text(element, 3000, &["plain_text", "mrkdwn"]),
    }
}

fn button(element: &Value) -> Result<(), String> {
    if element["type"] != "button" {
        return Err(format!("unknown element {}", element["type"]));
    }
    text(&element["text"], 75, &["plain_text"])?;
    string(element, "action_id", 255)?;
    string(element, "value", 2000)?;
    if string(element, "url", 3000)?.is_some_and(|url| !is_web_address(url)) {
        return Err("url is not http or https".to_owned());
    }
    match element["style"].as_str() {
        None if element["style"].is_null() => Ok(()),
        Some("primary" | "danger") => Ok(()),
        _ => Err("style is neither primary nor danger".to_owned()),
    }
}

fn image(image: &Value) -> Result<(), String> {
    let url = string(image, "image_url", 3000)?.ok_or("no image_url")?;
    string(image, "alt_text", 2000)?.ok_or("no alt_text")?;
    if !is_web_address(url) {
        return Err("image_url is not http or https".to_owned());
    }
    if image["title"].is_null() {
        Ok(())
    } else {
        text(&image["title"], 2000, &["plain_text"])
    }
}

/// A text object: `{"type": "mrkdwn", "text": "…"}`, never empty.
fn text(object: &Value, limit: usize, kinds: &[&str]) -> Result<(), String> {
    let kind = object["type"]
        .as_str()
        .ok_or("a text object without a type")?;
    if !kinds.contains(&kind) {
        return Err(format!("text of type {kind}"));
    }
    let content = object["text"]
        .as_str()
        .ok_or("a text object without text")?;
    match characters(content) {
        0 => Err("empty text".to_owned()),
        length => at_most("characters", length, limit),
    }
}

fn each(
    block: &Value,
    name: &str,
    limit: usize,
    check: impl Fn(&Value) -> Result<(), String>,
) -> Result<(), String> {
    let entries = block[name].as_array().ok_or_else(|| format!("no {name}"))?;
    if entries.is_empty() {
        return Err(format!("no {name}"));
    }
    at_most(name, entries.len(), limit)?;
    entries.iter().try_for_each(check)
}

/// A field that, if it is there, is a string of at most `limit` characters, and not empty.
fn string<'a>(object: &'a Value, name: &str, limit: usize) -> Result<Option<&'a str>, String> {
    match &object[name] {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Err(format!("empty {name}")),
        Value::String(text) => at_most(name, characters(text), limit).map(|()| Some(text.as_str())),
        other => Err(format!("{name} is {other}")),
    }
}

fn at_most(what: &str, count: usize, limit: usize) -> Result<(), String> {
    if count <= limit {
        Ok(())
    } else {
        Err(format!("{count} {what}, at most {limit}"))
    }
}

fn is_web_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(block: Value) -> Result<(), String> {
        check(&[block])
    }

    fn mrkdwn(length: usize) -> Value {
        json!({"type": "mrkdwn", "text": "é".repeat(length)})
    }

    fn plain(length: usize) -> Value {
        json!({"type": "plain_text", "text": "é".repeat(length)})
    }

    /// At the limit it is accepted, one over it is refused, and so is nothing at all.
    fn limit(limit: usize, block: impl Fn(usize) -> Value) {
        assert_eq!(one(block(limit)), Ok(()));
        let over = one(block(limit + 1)).unwrap_err();
        assert!(over.ends_with(&format!("at most {limit}")), "{over}");
        one(block(0)).unwrap_err();
    }

    #[test]
    fn a_header_has_150_characters_of_plain_text() {
        limit(
            150,
            |length| json!({"type": "header", "text": plain(length)}),
        );
        one(json!({"type": "header", "text": mrkdwn(5)})).unwrap_err();
        one(json!({"type": "header", "text": "bare"})).unwrap_err();
    }

    #[test]
    fn a_section_has_3000_characters_or_10_fields_of_2000() {
        limit(
            3000,
            |length| json!({"type": "section", "text": mrkdwn(length)}),
        );
        limit(
            2000,
            |length| json!({"type": "section", "fields": [mrkdwn(length)]}),
        );
        limit(
            10,
            |count| json!({"type": "section", "fields": vec![mrkdwn(1); count]}),
        );
        one(json!({"type": "section"})).unwrap_err();
    }

    #[test]
    fn a_message_has_50_blocks() {
        assert_eq!(check(&vec![json!({"type": "divider"}); 50]), Ok(()));
        assert_eq!(
            check(&vec![json!({"type": "divider"}); 51]),
            Err("51 blocks, at most 50".to_owned())
        );
    }

    #[test]
    fn a_context_has_10_elements_of_text_or_image() {
        limit(
            10,
            |count| json!({"type": "context", "elements": vec![mrkdwn(1); count]}),
        );
        limit(
            3000,
            |length| json!({"type": "context", "elements": [plain(length)]}),
        );
        let image =
            json!({"type": "image", "image_url": "https://example.test/x.png", "alt_text": "x"});
        assert_eq!(one(json!({"type": "context", "elements": [image]})), Ok(()));
        one(json!({"type": "context", "elements": [{"type": "button", "text": plain(1)}]}))
            .unwrap_err();
    }

    #[test]
    fn actions_are_25_buttons_of_75_characters_with_a_url_of_3000() {
        let button = |length| json!({"type": "button", "text": plain(length), "action_id": "a"});
        limit(
            25,
            |count| json!({"type": "actions", "elements": vec![button(1); count]}),
        );
        limit(
            75,
            |length| json!({"type": "actions", "elements": [button(length)]}),
        );
        let url = |length: usize| {
            let url = "https://example.test/".to_owned() + &"x".repeat(length.saturating_sub(21));
            json!({"type": "section", "text": mrkdwn(1), "accessory": {"type": "button", "text": plain(1), "url": url}})
        };
        assert_eq!(one(url(3000)), Ok(()));
        one(url(3001)).unwrap_err();
        let script = json!({"type": "button", "text": plain(1), "url": "javascript:alert(1)"});
        one(json!({"type": "actions", "elements": [script]})).unwrap_err();
        let styled = json!({"type": "button", "text": plain(1), "style": "warning"});
        one(json!({"type": "actions", "elements": [styled]})).unwrap_err();
    }

    #[test]
    fn an_image_needs_an_address_and_a_description() {
        let image = |length: usize| json!({"type": "image", "image_url": "https://example.test/", "alt_text": "é".repeat(length)});
        limit(2000, image);
        one(json!({"type": "image", "image_url": "https://example.test/"})).unwrap_err();
        one(json!({"type": "image", "alt_text": "x"})).unwrap_err();
    }

    #[test]
    fn block_ids_have_255_characters_and_are_used_once() {
        limit(
            255,
            |length| json!({"type": "divider", "block_id": "é".repeat(length)}),
        );
        let same = json!({"type": "divider", "block_id": "same"});
        assert_eq!(
            check(&[same.clone(), same]),
            Err("block 1, divider: block_id same is used twice".to_owned())
        );
    }

    #[test]
    fn an_unknown_block_is_refused() {
        assert_eq!(
            one(json!({"type": "sektion"})),
            Err("block 0, sektion: unknown type".to_owned())
        );
        assert_eq!(
            one(json!({})),
            Err("block 0, (no type): unknown type".to_owned())
        );
    }
}
