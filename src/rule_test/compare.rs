//! What is there against what is expected: by some fields, and in words.

use serde_json::{Map, Value};

/// How strictly is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// There may be others too.
    pub or_more: bool,
    /// What is named has nothing else in it.
    pub exactly: bool,
}

/// How what is there differs from what is expected, a line each; nothing if it does not. Each
/// expected element stands for one that is there, in any order. What is `aside` is none of them, but
/// may be what was meant.
pub(super) fn differences(
    what: &str,
    expected: &[Map<String, Value>],
    there: &[Value],
    aside: &[Value],
    manner: Manner,
) -> Vec<String> {
    let mut left: Vec<&Value> = there.iter().collect();
    let mut missing = Vec::new();
    for wanted in expected {
        let wanted = Value::Object(wanted.clone());
        match left
            .iter()
            .position(|one| mismatches("", &wanted, one, manner.exactly).is_empty())
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
        let nearest = (0..left.len())
            .min_by_key(|at| mismatches("", &wanted, left[*at], manner.exactly).len());
        let near = nearest.map(|at| left.remove(at)).or(aside.first());
        if let Some(near) = near {
            lines.extend(mismatches("", &wanted, near, manner.exactly));
        }
    }
    if !manner.or_more {
        let more = left.iter();
        lines.extend(more.map(|one| format!("unexpected {what} {}", brief(&short(one)))));
    }
    if there.is_empty() && aside.is_empty() && !lines.is_empty() {
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

/// The fields that are not as wanted; exactly: also those that are not wanted at all, below the first
/// level.
fn mismatches(path: &str, wanted: &Value, there: &Value, exactly: bool) -> Vec<String> {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => {
            let path_of = |name: &String| match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            let differ = wanted.iter().flat_map(|(name, value)| {
                let there = there.get(name).unwrap_or(&Value::Null);
                mismatches(&path_of(name), value, there, exactly)
            });
            let more = there.iter().filter(|(name, _)| {
                exactly && !path.is_empty() && !wanted.contains_key(name.as_str())
            });
            let more = more.map(|(name, value)| {
                format!("  {}: not expected, is {}", path_of(name), brief(value))
            });
            differ.chain(more).collect()
        }
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => wanted
            .iter()
            .zip(there)
            .enumerate()
            .flat_map(|(at, (wanted, there))| {
                mismatches(&format!("{path}[{at}]"), wanted, there, exactly)
            })
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
