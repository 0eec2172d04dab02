//! The conformance suite of CEL (`cel.dev/expr` v0.25.3), in strict mode.
//!
//! `tests/conformance/extract.go` made `cases.jsonl` from it; what does not pass is listed here,
//! each with its reason, and must not grow.

mod known;

use bellwether::cel::{Bindings, Budget, Env, Kind, Program, Type, Types, Value};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value as Tagged;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Case {
    name: String,
    expr: String,
    container: String,
    check_only: bool,
    variables: Vec<String>,
    bindings: BTreeMap<String, Tagged>,
    value: Option<Tagged>,
    error: Option<String>,
}

/// The value that the suite describes.
fn value(tagged: &Tagged) -> Value<'static> {
    let (tag, inner) = tagged
        .as_object()
        .expect("a tagged value")
        .iter()
        .next()
        .expect("a tag");
    let text = || inner.as_str().expect("text");
    match tag.as_str() {
        "null" => Value::Null,
        "bool" => Value::Bool(inner.as_bool().expect("a bool")),
        "int" => Value::Int(text().parse().expect("an int")),
        "uint" => Value::Uint(text().parse().expect("a uint")),
        "double" => Value::Double(text().replace("Inf", "inf").parse().expect("a double")),
        "string" => Value::text(text()),
        "bytes" => {
            let env = Env::new();
            let program = env
                .compile(&format!("base64.decode('{}')", text()))
                .expect("base64");
            let bindings = Bindings::new();
            let evaluation = program.evaluate(&bindings, &mut Budget::default());
            evaluation.result.expect("base64").into_static()
        }
        "type" => {
            let env = Env::new().strict(true);
            let program = env.compile(text()).expect("a type");
            let bindings = Bindings::new();
            let evaluation = program.evaluate(&bindings, &mut Budget::default());
            evaluation.result.expect("a type").into_static()
        }
        "list" => Value::list(
            inner
                .as_array()
                .expect("a list")
                .iter()
                .map(value)
                .collect(),
        ),
        "map" => {
            let entries = inner.as_array().expect("a map").iter();
            Value::map(
                entries
                    .map(|entry| (value(&entry[0]), value(&entry[1])))
                    .collect(),
            )
            .expect("no key twice")
        }
        "timestamp" => Value::Timestamp(text().parse::<Timestamp>().expect("a time")),
        "duration" => {
            let (seconds, nanos) = text().split_once('.').expect("seconds and nanoseconds");
            let seconds = seconds.parse().expect("seconds");
            let nanos: i32 = nanos.parse().expect("nanoseconds");
            Value::Duration(SignedDuration::new(seconds, nanos))
        }
        other => panic!("no such tag: {other}"),
    }
}

/// Like `==`, but 1, 1u and 1.0 are different and NaN is NaN.
fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    if let (Value::Double(a), Value::Double(b)) = (a, b) {
        return a.partial_cmp(b) == Some(Ordering::Equal) || (a.is_nan() && b.is_nan());
    }
    match (a.elements(), b.elements()) {
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(a, b)),
        (None, None) => match (a.pairs(), b.pairs()) {
            (Some(a), Some(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(&b)
                        .all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
            }
            (None, None) => a.type_name() == b.type_name() && a.equals(b),
            _ => false,
        },
        _ => false,
    }
}

fn compiled(case: &Case) -> Result<Program, String> {
    let mut env = Env::new().strict(true).container(&case.container);
    for name in case.variables.iter().chain(case.bindings.keys()) {
        env = env.variable(name, Kind::Plain);
    }
    env.compile(&case.expr)
        .map_err(|problems| problems[0].to_string())
}

/// Runs a case: `Err` with what was wrong.
fn run(case: &Case) -> Result<(), String> {
    let bound: Vec<(String, Value<'static>)> = case
        .bindings
        .iter()
        .map(|(name, tagged)| (name.clone(), value(tagged)))
        .collect();
    let program = match compiled(case) {
        Ok(program) => program,
        Err(_) if case.error.is_some() => return Ok(()),
        Err(problem) => return Err(format!("does not compile: {problem}")),
    };
    if case.check_only {
        return Ok(());
    }
    let mut bindings = Bindings::new();
    for (name, value) in &bound {
        bindings = bindings.value(name, value.clone());
    }
    let result = program.evaluate(&bindings, &mut Budget::default()).result;
    match (&case.value, result) {
        (None, Ok(got)) if case.error.is_some() => Err(format!("no error, but {}", got.to_json())),
        (None, _) => Ok(()),
        (Some(_), Err(error)) => Err(format!("error: {error}")),
        (Some(wanted), Ok(got)) => {
            let wanted = value(wanted);
            if same(&wanted, &got) {
                return Ok(());
            }
            let (got, wanted) = (
                (got.type_name(), got.to_json()),
                (wanted.type_name(), wanted.to_json()),
            );
            Err(format!(
                "{} {} instead of {} {}",
                got.0, got.1, wanted.0, wanted.1
            ))
        }
    }
}

fn cases() -> Vec<Case> {
    include_str!("../conformance/cases.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a case a line"))
        .collect()
}

/// The type that the checker found is the type of the value.
fn is_of(value: &Value<'_>, of: &Type) -> bool {
    let is_list = value.elements().is_some();
    match of {
        Type::Dyn => true,
        Type::Number => matches!(value.type_name(), "int" | "double"),
        Type::List(item) => value
            .elements()
            .is_some_and(|items| items.iter().all(|value| is_of(value, item))),
        Type::Map(key, item) => value.pairs().is_some_and(|pairs| {
            pairs
                .iter()
                .all(|(k, value)| is_of(k, key) && is_of(value, item))
        }),
        Type::Optional(item) => match value {
            Value::Optional(inner) => inner.as_ref().is_none_or(|value| is_of(value, item)),
            _ => false,
        },
        of => !is_list && value.type_name() == of.to_string(),
    }
}

/// Every case that has an answer is accepted by the checker, and its answer is of the type that
/// the checker says.
#[test]
fn the_checker_refuses_nothing_that_has_an_answer() {
    let refused: BTreeSet<&str> = known::REFUSED.iter().map(|(name, _)| *name).collect();
    let mut found = BTreeSet::new();
    let mut news = Vec::new();
    let mut checked = 0;
    let cases = cases();
    for case in &cases {
        let Ok(program) = compiled(case) else {
            continue;
        };
        let bound: Vec<(String, Value<'static>)> = case
            .bindings
            .iter()
            .map(|(name, tagged)| (name.clone(), value(tagged)))
            .collect();
        let mut bindings = Bindings::new();
        for (name, value) in &bound {
            bindings = bindings.value(name, value.clone());
        }
        let Ok(answer) = program.evaluate(&bindings, &mut Budget::default()).result else {
            continue;
        };
        checked += 1;
        let outcome = program.check(&Types::new());
        let why = match outcome.problems.first() {
            Some(problem) => problem.message.clone(),
            None if is_of(&answer, &outcome.of) => continue,
            None => format!("{} is not {}", answer.to_json(), outcome.of),
        };
        found.insert(case.name.as_str());
        if !refused.contains(case.name.as_str()) {
            news.push(format!("{}\n    {}\n    {why}", case.name, case.expr));
        }
    }
    assert!(checked > 1_000, "only {checked} cases have an answer");
    assert!(news.is_empty(), "refused:\n{}", news.join("\n"));
    let mended: Vec<_> = refused.difference(&found).collect();
    assert!(mended.is_empty(), "these are accepted now: {mended:?}");
}

#[test]
fn everything_but_the_known_cases_passes() {
    let cases = cases();
    let known: BTreeSet<&str> = known::FAILURES.iter().map(|(name, _)| *name).collect();
    let mut failed = BTreeSet::new();
    let mut news = Vec::new();
    for case in &cases {
        if let Err(why) = run(case) {
            failed.insert(case.name.as_str());
            if !known.contains(case.name.as_str()) {
                news.push(format!("{}\n    {}\n    {why}", case.name, case.expr));
            }
        }
    }
    let passed = cases.len() - failed.len();
    println!("{passed} of {} cases pass", cases.len());
    assert!(
        news.is_empty(),
        "{} of {} pass; new failures:\n{}",
        passed,
        cases.len(),
        news.join("\n")
    );
    let mended: Vec<_> = known.difference(&failed).collect();
    assert!(
        mended.is_empty(),
        "these pass now, remove them from the list: {mended:?}"
    );
}
