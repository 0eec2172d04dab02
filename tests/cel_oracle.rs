//! The same answers as Kubernetes gives.
//!
//! `tests/oracle` is a program on Kubernetes' own CEL libraries; its answers to thousands of
//! expressions are in `answers.txt`, and this compares ours with them: the same value of the same
//! type, and an error exactly where there is one. What differs is listed in `KNOWN`, with the
//! reason.

use bellwether::cel::{Bindings, Budget, Env, Json, Kind, Value};
use std::collections::BTreeSet;

/// What the name `object` stands for, here and in the program.
const OBJECT: &str = r#"{
  "spec": {"replicas": 3, "ratio": 0.5, "name": "orders", "paused": false, "tags": ["a", "b"],
           "mixed": [1, "a", 2.5, null, true]},
  "status": {"phase": "Failed", "message": null}}"#;

/// Expressions whose answers differ, and why.
const KNOWN: &[(&str, &str)] = &[];

/// A value as the program shows it.
fn shown(value: &Value<'_>) -> String {
    if let Some(elements) = value.elements() {
        let elements: Vec<String> = elements.iter().map(shown).collect();
        return format!("[{}]", elements.join(", "));
    }
    if let Some(pairs) = value.pairs() {
        let mut pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}: {}", shown(key), shown(value)))
            .collect();
        pairs.sort();
        return format!("{{{}}}", pairs.join(", "));
    }
    match value {
        Value::Null => "null".to_owned(),
        Value::Double(d) if d.is_nan() => "double NaN".to_owned(),
        Value::Double(d) if d.is_infinite() => {
            format!("double {}", if *d > 0.0 { "+Inf" } else { "-Inf" })
        }
        Value::Double(d) => {
            let text = format!("{d:e}");
            let (digits, exponent) = text.split_once('e').expect("it was formatted so");
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("double {digits}e{sign}{exponent:0>2}")
        }
        Value::Uint(u) => format!("uint {u}"),
        Value::Duration(d) => format!("duration {}", d.as_nanos()),
        Value::Type(name) => format!("type {name}"),
        Value::Optional(None) => "optional none".to_owned(),
        Value::Optional(Some(inner)) => format!("optional {}", shown(inner)),
        Value::Opaque(opaque) => match opaque.type_name() {
            "kubernetes.NamedFormat" => "format".to_owned(),
            "quantity" => format!("quantity {}", value.to_json().as_str().unwrap_or_default()),
            name => format!("{name} {}", value.to_json()),
        },
        Value::Bytes(_) | Value::Timestamp(_) => {
            let json = value.to_json();
            format!("{} {}", value.type_name(), json.as_str().unwrap_or_default())
        }
        other => format!("{} {}", other.type_name(), other.to_json()),
    }
}

fn answer(env: &Env, object: &Json, source: &str) -> String {
    let Ok(program) = env.compile(source) else {
        return "error".to_owned();
    };
    let bindings = Bindings::new().json("object", object);
    let result = program.evaluate(&bindings, &mut Budget::default()).result;
    result.map_or_else(|_| "error".to_owned(), |value| shown(&value))
}

#[test]
fn expressions_have_the_answers_of_kubernetes() {
    let env = Env::new().strict(true).variable("object", Kind::Plain);
    let object: Json = serde_json::from_str(OBJECT).expect("the object is valid");
    let mut different = BTreeSet::new();
    let (mut asked, mut news) = (0, Vec::new());
    for line in include_str!("oracle/answers.txt").lines() {
        let Some((source, wanted)) = line.split_once('\t') else {
            continue;
        };
        asked += 1;
        let found = answer(&env, &object, source);
        if found != wanted {
            different.insert(source);
            if !KNOWN.iter().any(|(known, _)| *known == source) {
                news.push(format!("{source}\n    {found}\n    Kubernetes: {wanted}"));
            }
        }
    }
    assert!(asked > 3_000, "{asked} expressions were read");
    assert!(
        news.is_empty(),
        "{} of {asked} differ:\n{}",
        news.len(),
        news.join("\n")
    );
    let mended: Vec<&str> = KNOWN
        .iter()
        .map(|(source, _)| *source)
        .filter(|source| !different.contains(source))
        .collect();
    assert!(mended.is_empty(), "these are the same now: {mended:?}");
}
