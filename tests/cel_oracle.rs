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
const KNOWN: &[(&str, &str)] = &[
    ("quantity('1') == dyn(1)", EQUALITY),
    ("semver('1.2.3') == dyn('1.2.3')", EQUALITY),
    ("[dyn(1), dyn('a')].isSorted()", MIXED),
    ("[dyn(1), dyn('a')].min()", MIXED),
    ("[dyn(1), dyn('a')].max()", MIXED),
    ("[dyn('a'), dyn(1)].isSorted()", MIXED),
    ("[dyn('a'), dyn(1)].min()", MIXED),
    ("[dyn('a'), dyn(1)].max()", MIXED),
    (
        "[dyn(2.5), dyn(1)].sort()",
        "the numbers of a JSON list are ints where they are whole",
    ),
    (
        "[1.5].filter(x, x > 5.0).sum()",
        "an empty list has no type at run time",
    ),
    (
        "[duration('9223372036s'), duration('9223372036s')].sum()",
        LONG,
    ),
    ("duration('2562047h47m16.854775808s')", LONG),
    ("duration('9223372037s')", LONG),
    ("duration('2562047h') + duration('2562047h')", LONG),
    (
        "timestamp('9999-12-30T00:00:00Z') - timestamp('0001-01-01T00:00:00Z')",
        LONG,
    ),
    (
        "timestamp(253402300799)",
        "a jiff::Timestamp ends a day before the year 10000, so that every time zone can show it",
    ),
    ("timestamp('2020-01-01T00:00:00,5Z')", GO),
    ("timestamp('2020-01-01T0:00:00Z')", GO),
    ("double('0x1p4')", GO),
    (
        "timestamp('2024-02-29T23:59:58.987654321Z').getHours('+99:00')",
        GO,
    ),
    (
        "timestamp('2024-02-29T23:59:58.987654321Z').getHours('Local')",
        "an answer does not depend on the machine",
    ),
    (
        "timestamp('2024-02-29T23:59:58.987654321Z').getHours('utc')",
        "the names of zones are known in any case",
    ),
    ("duration('3h25m45.678s').getMilliseconds()", SPECIFIED),
    ("duration('-90m').getMilliseconds()", SPECIFIED),
    ("{'a': 1, 'a': 2}", SPECIFIED),
    ("{dyn(1): 'a', dyn(1u): 'b'}", SPECIFIED),
    ("{dyn(1.5): 'a'}", SPECIFIED),
];

const EQUALITY: &str = "in CEL values of different types are not equal, and that is no error";
const MIXED: &str = "what has no order has no smallest element; Kubernetes' type checker says so, \
                     unless dyn() hides the types from it";
const LONG: &str = "a duration of CEL has ten thousand years, one of Go has 292";
const GO: &str = "a notation that only Go's own parsers have";
const SPECIFIED: &str = "the conformance suite of CEL wants what we do";

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
            format!(
                "{} {}",
                value.type_name(),
                json.as_str().unwrap_or_default()
            )
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
