//! What is there against what is expected: by some fields, and in words.

use serde_json::{Map, Value};

/// How what is there differs from what is expected, a line each; nothing if it does not. Each
/// expected element stands for one that is there, in any order.
pub(super) fn differences(
    what: &str,
    expected: &[Map<String, Value>],
    there: &[Value],
    or_more: bool,
) -> Vec<String> {
    let mut left: Vec<&Value> = there.iter().collect();
    let mut missing = Vec::new();
    for wanted in expected {
        let wanted = Value::Object(wanted.clone());
        match left
            .iter()
            .position(|one| mismatches("", &wanted, one).is_empty())
        {
            Some(at) => {
                left.remove(at);
            }
            None => missing.push(wanted),
        }
    }
    let mut lines = Vec::new();
    for wanted in missing {
        lines.push(format!("expected {what} {}", brief(&wanted)));
        // What is nearest is what was probably meant.
        let nearest = (0..left.len()).min_by_key(|at| mismatches("", &wanted, left[*at]).len());
        if let Some(at) = nearest {
            let near = left.remove(at);
            lines.extend(mismatches("", &wanted, near));
        }
    }
    if !or_more {
        let more = left.iter();
        lines.extend(more.map(|one| format!("unexpected {what} {}", brief(&short(one)))));
    }
    if there.is_empty() && !lines.is_empty() {
        lines.push(format!("there is no {what}"));
    }
    lines
}

/// What a person recognises a notification by; anything else as it is.
fn short(value: &Value) -> Value {
    const FIELDS: [&str; 4] = ["receiver", "status", "cause", "title"];
    match value {
        Value::Object(fields) if fields.contains_key("title") => {
            let field = |name: &str| Some((name.to_owned(), fields.get(name)?.clone()));
            Value::Object(FIELDS.into_iter().filter_map(field).collect())
        }
        other => other.clone(),
    }
}

/// The fields that are not as wanted.
fn mismatches(path: &str, wanted: &Value, there: &Value) -> Vec<String> {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => wanted
            .iter()
            .flat_map(|(name, value)| {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                mismatches(&path, value, there.get(name).unwrap_or(&Value::Null))
            })
            .collect(),
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => wanted
            .iter()
            .zip(there)
            .enumerate()
            .flat_map(|(at, (wanted, there))| mismatches(&format!("{path}[{at}]"), wanted, there))
            .collect(),
        (wanted, there) if same(wanted, there) => Vec::new(),
        _ => vec![format!(
            "  {path}: expected {}, is {}",
            brief(wanted),
            brief(there)
        )],
    }
}

/// Numbers are the same by their value.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a - b).abs() < f64::EPSILON,
        _ => a == b,
    }
}

/// A value on one line, as long as anybody reads.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 300;
    let mut text = value.to_string();
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}
