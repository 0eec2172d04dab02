//! Values as people read them: YAML, and what differs between two.

use std::collections::BTreeSet;

use serde_json::Value;

/// How deep a value is followed; what lies deeper is written as JSON.
const DEPTH: usize = 32;

/// The value as YAML, without a trailing newline.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write_yaml(&mut text, value, 0, DEPTH);
    text.trim_end_matches('\n').to_owned()
}

fn write_yaml(text: &mut String, value: &Value, indent: usize, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() && depth > 0 => {
            for (nth, (key, value)) in map.iter().enumerate() {
                if nth > 0 {
                    text.push_str(&"  ".repeat(indent));
                }
                text.push_str(&scalar(key));
                text.push(':');
                write_nested(text, value, indent, depth);
            }
        }
        Value::Array(items) if !items.is_empty() && depth > 0 => {
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    text.push_str(&"  ".repeat(indent));
                }
                text.push_str("- ");
                write_yaml(text, item, indent + 1, depth - 1);
            }
        }
        Value::String(string) => {
            text.push_str(&scalar(string));
            text.push('\n');
        }
        other => {
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

/// The value of a key: a map or list on the lines below, anything else on this one.
fn write_nested(text: &mut String, value: &Value, indent: usize, depth: usize) {
    let below = match value {
        Value::Object(map) => !map.is_empty() && depth > 1,
        Value::Array(items) => !items.is_empty() && depth > 1,
        _ => false,
    };
    if below {
        text.push('\n');
        text.push_str(&"  ".repeat(indent + 1));
    } else {
        text.push(' ');
    }
    write_yaml(text, value, indent + 1, depth - 1);
}

/// A text without quotes where nobody could take it for anything else.
fn scalar(text: &str) -> String {
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    if word && !reserved {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// What differs, a line for each path: `spec.replicas: 3 → 2`.
#[must_use]
pub fn diff(old: &Value, new: &Value) -> String {
    let mut lines = Vec::new();
    compare(&mut lines, "", old, new, DEPTH);
    lines.join("\n")
}

fn compare(lines: &mut Vec<String>, path: &str, old: &Value, new: &Value, depth: usize) {
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(after), 1..) = (old, new, depth) else {
        let path = if path.is_empty() { "value" } else { path };
        lines.push(format!("{path}: {old} → {new}"));
        return;
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) => compare(lines, &path, old, new, depth - 1),
            (Some(old), None) => lines.push(format!("{path}: {old} → removed")),
            (None, Some(new)) => lines.push(format!("{path}: added {new}")),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_value_is_written_as_block_yaml() {
        let value = json!({"spec": {"engine": "postgres", "version": "15", "tags": ["a: b", {"x": 1, "y": [true]}], "none": {}}});
        insta::assert_snapshot!(yaml(&value), @r#"
        spec:
          engine: postgres
          version: "15"
          tags:
            - "a: b"
            - x: 1
              "y":
                - true
          none: {}
        "#);
    }

    #[test]
    fn a_difference_is_told_path_by_path() {
        let old = json!({"spec": {"version": "15", "replicas": 3, "engine": "postgres"}});
        let new = json!({"spec": {"version": "16", "replicas": 3, "storageGB": 5}});
        insta::assert_snapshot!(diff(&old, &new), @r#"
        spec.engine: "postgres" → removed
        spec.storageGB: added 5
        spec.version: "15" → "16"
        "#);
        assert_eq!(diff(&old, &old), "");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_value(value in value()) {
            let text = yaml(&value);
            let read: Value = serde_saphyr::from_str(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(read, value, "{}", text);
        }
    }
}
