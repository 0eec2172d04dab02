//! What holds for every input, whatever it is. The targets of cargo-fuzz call these functions, and
//! so does `tests/cel_fuzz.rs`, which needs no fuzzer.

#![allow(dead_code, reason = "a target calls one of them")]

use bellwether::cel::types::schema::of_custom_resource;
use bellwether::cel::{
    Bindings, Budget, Env, ErrorKind, Evaluation, Json, Kind, PathSet, Program, Type, Types,
};

/// What stands between an expression and its document.
pub const BETWEEN: &str = "\n---\n";

pub fn env(strict: bool) -> Env {
    Env::new()
        .variable("object", Kind::Watched)
        .variable("oldObject", Kind::Watched)
        .variable("now", Kind::Time)
        .strict(strict)
}

fn now() -> bellwether::cel::Value<'static> {
    let program = Env::new().compile("timestamp('2026-11-22T18:00:00Z')");
    let program = program.expect("the moment is one");
    let evaluation = program.evaluate(&Bindings::new(), &mut Budget::default());
    evaluation.result.expect("the moment is one").into_static()
}

/// An expression that compiles, or problems that stand in its text.
pub fn compile(input: &[u8]) {
    let source = String::from_utf8_lossy(input);
    for strict in [false, true] {
        match env(strict).compile(&source) {
            Ok(program) => {
                assert_eq!(program.source(), source);
                for root in program.roots() {
                    let paths = program.reads(root).expect("it reads its roots").paths();
                    let again = PathSet::of(paths.iter().map(String::as_str));
                    assert_eq!(
                        again.expect("a path comes back as it was written"),
                        *program.reads(root).expect("it reads its roots"),
                    );
                }
            }
            Err(problems) => {
                assert!(!problems.is_empty());
                for problem in problems {
                    assert!(source.get(problem.span.clone()).is_some(), "{problem:?}");
                    assert!((1..4_096).contains(&problem.message.len()), "{problem:?}");
                }
            }
        }
    }
}

/// The two parts of an input; without the line between them it is an expression alone.
pub fn parts(input: &[u8]) -> (String, Json) {
    let text = String::from_utf8_lossy(input);
    let (source, document) = text.split_once(BETWEEN).unwrap_or((&text, "{}"));
    let document = serde_json::from_str(document).unwrap_or_default();
    (source.to_owned(), document)
}

/// The answer as text; a failure by its kind.
fn answer(evaluation: Evaluation<'_>) -> Result<String, ErrorKind> {
    evaluation
        .result
        .map(|value| format!("{} {}", value.type_name(), value.to_json()))
        .map_err(|error| error.kind)
}

fn run(program: &Program, object: &Json) -> Result<String, ErrorKind> {
    let bindings = Bindings::new()
        .json("object", object)
        .json("oldObject", object)
        .value("now", now());
    let mut budget = Budget::default();
    let evaluation = program.evaluate(&bindings, &mut budget);
    if let Err(error) = &evaluation.result {
        assert!(
            program.source().get(error.span.clone()).is_some(),
            "{error:?}"
        );
        assert!(
            error.message.len() < 4_096,
            "a message for people: {error:?}"
        );
    }
    answer(evaluation)
}

/// Whatever the expression and the document, there is an answer within the budget; where the
/// standard has one, it is this one; and the tree of the explanation has it at its root.
pub fn evaluate(input: &[u8]) {
    let (source, object) = parts(input);
    let Ok(program) = env(false).compile(&source) else {
        return;
    };
    let found = run(&program, &object);
    if let Ok(strict) = env(true).compile(&source)
        && let Ok(wanted) = run(&strict, &object)
        && found != Err(ErrorKind::Budget)
    {
        assert_eq!(found, Ok(wanted), "{source}");
    }
    // An explanation evaluates parts again: of what took long there is none to compare.
    let bindings = Bindings::new()
        .json("object", &object)
        .json("oldObject", &object)
        .value("now", now());
    let mut budget = Budget {
        steps: 2_000,
        ..Budget::default()
    };
    if program.evaluate(&bindings, &mut budget).result.is_ok() {
        let tree = program.explain(&bindings);
        let shown = tree
            .value
            .map(|value| format!("{} {value}", tree.type_name));
        assert_eq!(shown.map_err(|error| error.kind), found, "{source}");
    }
}

/// What documents of the corpus have, by a schema that JSON does not show.
fn schema() -> Type {
    let text = || serde_json::json!({"type": "string"});
    let time = || serde_json::json!({"type": "string", "format": "date-time"});
    of_custom_resource(
        "Fuzzed",
        &serde_json::json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
            "a": {"type": "number"}, "b": {"type": "array", "items": {"type": "number"}},
            "t": time(), "d": {"type": "string", "format": "duration"}, "s": text(),
            "spec": {"type": "object", "properties": {
                "replicas": {"type": "integer"}, "engine": {"type": "string", "enum": ["a", "b"]},
                "version": text(),
            }},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "phase": text(), "lastBackupTime": time(), "startTime": time(),
                "conditions": {"type": "array", "items": {"type": "object", "properties": {
                    "type": text(), "status": text(), "lastTransitionTime": time(),
                }}},
            }},
        }}),
    )
}

/// Whatever the expression, its check ends, what it says stands in its text, and a program that
/// goes by the schema has an answer within the budget. Where nothing is known of the names, going
/// by it changes no answer.
pub fn check(input: &[u8]) {
    let (source, object) = parts(input);
    let Ok(program) = env(false).compile(&source) else {
        return;
    };
    let known = Types::new()
        .with("object", schema())
        .with("oldObject", schema())
        .with("now", Type::Timestamp);
    for types in [known, Types::new()] {
        let checked = program.check(&types);
        for problem in &checked.problems {
            assert!(source.get(problem.span.clone()).is_some(), "{problem:?}");
            assert!((1..4_096).contains(&problem.message.len()), "{problem:?}");
        }
        let answer = run(&program.clone().read_as(&checked), &object);
        if types.of("object") == Type::Dyn && !source.contains("now") {
            assert_eq!(answer, run(&program, &object), "{source}");
        }
    }
}

/// An expression sees the same in the fields that it reads as in the whole document, also where
/// only those are decoded.
pub fn project(input: &[u8]) {
    let (source, object) = parts(input);
    for strict in [false, true] {
        let Ok(program) = env(strict).compile(&source) else {
            continue;
        };
        let mut reads = program.reads("object").cloned().unwrap_or_default();
        if let Some(old) = program.reads("oldObject") {
            reads = reads.union(old);
        }
        let projected = reads.project(&object);
        let found = run(&program, &object);
        assert_eq!(run(&program, &projected), found, "{source} reads {reads:?}");
        let decoded = reads.decode(object.to_string().as_bytes());
        assert_eq!(
            decoded.expect("it is JSON"),
            projected,
            "{source} reads {reads:?}"
        );
    }
}
