//! What is refused, in which words, and where.

use super::super::types::schema::of_custom_resource;
use super::super::{Bindings, Budget, Env, Json, Kind};
use super::*;
use serde_json::json;
use std::fmt::Write as _;

fn database() -> Type {
    let text = || json!({"type": "string"});
    of_custom_resource(
        "DatabaseInstance",
        &json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "engine": {"type": "string", "enum": ["postgres", "mysql"]},
                "version": text(), "replicas": {"type": "integer"}, "ratio": {"type": "number"},
                "timeout": {"type": "string", "format": "duration"},
                "foo-bar": text(), "namespace": text(),
            }},
            "status": {"type": "object", "properties": {
                "phase": {"type": "string", "enum": ["Pending", "Running", "Failed"]},
                "ready": {"type": "boolean"},
                "availableReplicas": {"type": "integer"},
                "lastBackupTime": {"type": "string", "format": "date-time"},
                "startTime": {"type": "string", "format": "date-time"},
                "conditions": {"type": "array", "items": {"type": "object", "properties": {
                    "type": text(), "message": text(),
                    "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                }}},
                "raw": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
        }}),
    )
}

fn env() -> Env {
    Env::new()
        .variable("object", Kind::Watched)
        .variable("oldObject", Kind::Watched)
        .variable("params", Kind::Plain)
        .variable("now", Kind::Time)
}

fn types() -> Types {
    let params = r#"{"hold": "5m", "limit": 90, "names": ["a"]}"#;
    let params = serde_json::from_str(params).expect("JSON");
    Types::new()
        .with("object", database())
        .with("params", Type::of_json("params", &params))
        .with("now", Type::Timestamp)
}

/// The problems, each underlined; else the type.
fn check(source: &str) -> String {
    let program = env()
        .compile(source)
        .unwrap_or_else(|problems| panic!("{source}: {}", problems[0]));
    let checked = program.check(&types());
    if checked.problems.is_empty() {
        return checked.of.to_string();
    }
    let mut shown = source.to_owned();
    for problem in &checked.problems {
        let before = source[..problem.span.start].chars().count();
        let width = source[problem.span.clone()].chars().count();
        let _ = write!(
            shown,
            "\n{}{} {}",
            " ".repeat(before),
            "^".repeat(width),
            problem.message
        );
        if let Some(help) = &problem.help {
            let _ = write!(shown, " ({help})");
        }
    }
    shown
}

#[test]
fn a_field_that_the_schema_does_not_have() {
    insta::assert_snapshot!(check("object.status.phse == 'Failed'"), @"
    object.status.phse == 'Failed'
                  ^^^^ no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
    ");
    insta::assert_snapshot!(check("has(object.status.phse) && object.metadata.lables.app == 'x'"), @"
    has(object.status.phse) && object.metadata.lables.app == 'x'
                      ^^^^ no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
                                               ^^^^^^ no field 'lables' in DatabaseInstance.metadata, did you mean 'labels'?
    ");
    insta::assert_snapshot!(check("object.status.conditions.exists(c, c.tpye == 'Ready')"), @"
    object.status.conditions.exists(c, c.tpye == 'Ready')
                                         ^^^^ no field 'tpye' in DatabaseInstance.status.conditions[], did you mean 'type'?
    ");
    insta::assert_snapshot!(check("object.status.conditions.status == 'True'"), @"
    object.status.conditions.status == 'True'
                             ^^^^^^ a list has no field 'status' (write .exists(item, item.status == …), .map(item, item.status) or [0].status)
    ");
    insta::assert_snapshot!(check("object['status']['phse'] == 'x' || object.?status.?phse.orValue('') == ''"), @"
    object['status']['phse'] == 'x' || object.?status.?phse.orValue('') == ''
                     ^^^^^^ no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
                                                       ^^^^ no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
    ");
    insta::assert_snapshot!(check("condition(object, 'Ready').mesage"), @"
    condition(object, 'Ready').mesage
                               ^^^^^^ no field 'mesage' in DatabaseInstance.status.conditions[], did you mean 'message'?
    ");
    insta::assert_snapshot!(check("changed(object.spec.vers) || oldObject.spec.replica > 1"), @"
    changed(object.spec.vers) || oldObject.spec.replica > 1
                        ^^^^ no field 'vers' in DatabaseInstance.spec (it has engine, foo-bar, namespace, ratio, replicas, timeout, version)
                                                ^^^^^^^ no field 'replica' in DatabaseInstance.spec, did you mean 'replicas'?
    ");
    insta::assert_snapshot!(check("params.hodl"), @"
    params.hodl
           ^^^^ no field 'hodl' in params, did you mean 'hold'?
    ");
    insta::assert_snapshot!(check("object.status.phase.name"), @"
    object.status.phase.name
                        ^^^^ a string has no field 'name'
    ");
    insta::assert_snapshot!(check("object.status.bogus"), @"
    object.status.bogus
                  ^^^^^ no field 'bogus' in DatabaseInstance.status (it has availableReplicas, conditions, lastBackupTime, phase, raw, ready, startTime)
    ");
}

#[test]
fn one_of_two_objects_has_the_fields_of_either() {
    let either = "[object.spec, object.status].exists(part, part.";
    assert_eq!(check(&format!("{either}phase == 'Failed')")), "bool");
    assert_eq!(check(&format!("{either}version == '17')")), "bool");
    insta::assert_snapshot!(check(&format!("{either}phse == 'Failed')")), @"
    [object.spec, object.status].exists(part, part.phse == 'Failed')
                                                   ^^^^ no field 'phse' in DatabaseInstance.spec or DatabaseInstance.status, did you mean 'phase'?
    ");
}

#[test]
fn a_value_that_an_enum_does_not_have() {
    insta::assert_snapshot!(check("object.status.phase == 'Faild'"), @"
    object.status.phase == 'Faild'
                           ^^^^^^^ object.status.phase is never 'Faild', did you mean 'Failed'?
    ");
    insta::assert_snapshot!(check("object.status.phase in ['Failed', 'Runing']"), @"
    object.status.phase in ['Failed', 'Runing']
                                      ^^^^^^^^ object.status.phase is never 'Runing', did you mean 'Running'?
    ");
    insta::assert_snapshot!(check("'Broken' != object.status.phase"), @"
    'Broken' != object.status.phase
    ^^^^^^^^ object.status.phase is never 'Broken' (its values are Pending, Running, Failed)
    ");
    insta::assert_snapshot!(check("condition(object, 'Ready').status == 'true'"), @"
    condition(object, 'Ready').status == 'true'
                                         ^^^^^^ condition(object, 'Ready').status is never 'true', did you mean 'True'?
    ");
    insta::assert_snapshot!(check("object.spec.engine == object.status.phase"), @"
    object.spec.engine == object.status.phase
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ these two have no value in common
    ");
    insta::assert_snapshot!(check("object.status.phase == '' || object.status.phase in ['', 'Failed']"), @"bool");
}

#[test]
fn types_that_do_not_go_together() {
    insta::assert_snapshot!(check("object.spec.version == 16"), @"
    object.spec.version == 16
    ^^^^^^^^^^^^^^^^^^^^^^^^^ a string is never equal to an int (write '16', in quotes)
    ");
    insta::assert_snapshot!(check("object.spec.replicas > '2'"), @"
    object.spec.replicas > '2'
    ^^^^^^^^^^^^^^^^^^^^^^^^^^ int > string is not possible (write 2, without quotes)
    ");
    insta::assert_snapshot!(check("object.spec.replicas * 1.5 > 2.0"), @"
    object.spec.replicas * 1.5 > 2.0
    ^^^^^^^^^^^^^^^^^^^^^^^^^^ int * double is not possible (numbers of two types do not mix: write double(…) or int(…))
    ");
    insta::assert_snapshot!(check("object.spec.version + object.spec.replicas"), @"
    object.spec.version + object.spec.replicas
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ string + int is not possible (write string(…) to join it to text)
    ");
    insta::assert_snapshot!(check("!object.status.phase"), @"
    !object.status.phase
     ^^^^^^^^^^^^^^^^^^^ a bool is expected here, not a string
    ");
    insta::assert_snapshot!(check("object.status.ready && object.status.availableReplicas"), @"
    object.status.ready && object.status.availableReplicas
                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a bool is expected here, not an int
    ");
    insta::assert_snapshot!(check("object.spec.replicas.startsWith('1')"), @"
    object.spec.replicas.startsWith('1')
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ an int has no startsWith(string)
    ");
    insta::assert_snapshot!(check("duration(object.spec.replicas == 1)"), @"
    duration(object.spec.replicas == 1)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ duration() cannot take (bool)
    ");
    insta::assert_snapshot!(check("object.spec.version in [1, 2]"), @"
    object.spec.version in [1, 2]
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a string is never in a list of ints
    ");
    insta::assert_snapshot!(check("'post' in object.spec.engine"), @"
    'post' in object.spec.engine
              ^^^^^^^^^^^^^^^^^^ a string is no list or map to look into (write object.spec.engine.contains('post'))
    ");
    insta::assert_snapshot!(check("object.status.conditions['Ready'].status == 'True'"), @"
    object.status.conditions['Ready'].status == 'True'
                             ^^^^^^^ a list is indexed by a number, not by a string (write object.status.conditions.filter(item, …) to find an item)
    ");
    insta::assert_snapshot!(check("object.spec.version.exists(c, c == 'x')"), @"
    object.spec.version.exists(c, c == 'x')
    ^^^^^^^^^^^^^^^^^^^ a list or map is expected here, not a string
    ");
    insta::assert_snapshot!(check("object.status.phase.orValue('x')"), @"
    object.status.phase.orValue('x')
    ^^^^^^^^^^^^^^^^^^^ an optional is expected here, not a string (`.?field` and `[?key]` give one)
    ");
}

#[test]
fn times_are_text_and_times() {
    insta::assert_snapshot!(check("object.status.lastBackupTime < now - duration('24h')"), @"bool");
    insta::assert_snapshot!(check("timestamp(object.status.lastBackupTime) < now"), @"bool");
    insta::assert_snapshot!(check("now - object.status.lastBackupTime > object.spec.timeout"), @"bool");
    insta::assert_snapshot!(check("object.status.lastBackupTime - object.status.startTime"), @"duration");
    insta::assert_snapshot!(check("object.status.lastBackupTime.startsWith('2026')"), @"bool");
    insta::assert_snapshot!(check("age(object.status.lastBackupTime) > duration(params.hold)"), @"bool");
    insta::assert_snapshot!(check("object.status.lastBackupTime.getHours() + 1"), @"int");
    insta::assert_snapshot!(check("object.status.lastBackupTime == now"), @"bool");
    insta::assert_snapshot!(check("object.spec.timeout > '10s'"), @"
    object.spec.timeout > '10s'
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^ durations in text are compared letter by letter (write duration(object.spec.timeout) > duration('10s'))
    ");
    insta::assert_snapshot!(check("object.spec.version < now"), @"
    object.spec.version < now
    ^^^^^^^^^^^^^^^^^^^^^^^^^ string < timestamp is not possible (write timestamp(object.spec.version))
    ");
    insta::assert_snapshot!(check("age(object.status.ready)"), @"
    age(object.status.ready)
        ^^^^^^^^^^^^^^^^^^^ timestamp() cannot take (bool)
    ");
}

#[test]
fn what_is_right_has_a_type() {
    insta::assert_snapshot!(check("object.status.conditions.filter(c, c.status == 'True').map(c, c.type)"), @"list<string>");
    insta::assert_snapshot!(check("object.metadata.labels.map(k, k + '=')"), @"list<string>");
    insta::assert_snapshot!(check("object.metadata.labels['a/b']"), @"string");
    insta::assert_snapshot!(check("object.spec.foo__dash__bar + object.spec['foo-bar'] + object.spec.__namespace__"), @"string");
    insta::assert_snapshot!(check("object.?spec.?replicas.orValue(1) + 1"), @"int");
    insta::assert_snapshot!(check("object.spec.ratio * 2 + 0.5"), @"double");
    insta::assert_snapshot!(check("object.status.raw.anything.at.all[3] == 'x'"), @"bool");
    insta::assert_snapshot!(check("cel.bind(p, object.status.phase, p == 'Failed')"), @"bool");
    insta::assert_snapshot!(check("object.status.conditions.transformMap(i, c, i < 1, c.message)"), @"map<int, string>");
    insta::assert_snapshot!(check("object.spec.?version.optMap(v, size(v)).orValue(0)"), @"int");
    insta::assert_snapshot!(check("params.limit * object.spec.replicas > 100 && 'a' in params.names"), @"bool");
    insta::assert_snapshot!(check("dyn(object.status.phase) == 1 || dyn(1) < dyn('a')"), @"bool");
    insta::assert_snapshot!(check("object.status.phase == null"), @"bool");
    insta::assert_snapshot!(check("object.spec.replicas > 1 ? object.spec.version : ''"), @"string");
    insta::assert_snapshot!(check("quantity('1Gi').add(quantity('1')).compareTo(quantity('2')) > 0"), @"bool");
    insta::assert_snapshot!(check("diff(oldObject.spec, object.spec).map(d, d.path)"), @"list<dyn>");
}

#[test]
fn without_a_schema_only_what_is_known_is_checked() {
    let check = |source: &str| {
        let program = env().compile(source).expect("compiles");
        let checked = program.check(&Types::new().with("now", Type::Timestamp));
        let messages = checked
            .problems
            .iter()
            .map(|problem| problem.message.clone());
        messages.collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        check("object.a.b == 1 && object.a < now && object.c[0].d.startsWith('x')"),
        ""
    );
    insta::assert_snapshot!(check("now + 1 == now || now == 'x' || size(now) > object.a"), @"timestamp + int is not possible; a timestamp is never equal to a string; size() cannot take (timestamp)");
}

/// The answer of a program that goes by the schema, and of one that does not.
fn with_and_without(source: &str, object: &str) -> String {
    let program = env().compile(source).expect("an expression");
    let checked = program.check(&types());
    assert_eq!(checked.problems, Vec::new(), "{source}");
    let object: Json = serde_json::from_str(object).expect("JSON");
    let answers = [program.clone().read_as(&checked), program].map(|program| {
        let bindings = Bindings::new().json("object", &object);
        let evaluation = program.evaluate(&bindings, &mut Budget::default());
        match evaluation.result {
            Ok(value) => value.to_json().to_string(),
            Err(error) => error.to_string(),
        }
    });
    answers.join(" | ")
}

#[test]
fn where_two_fields_meet_the_schema_says_what_they_are() {
    let object = r#"{
        "spec": {"ratio": 5, "replicas": 2, "timeout": "90s"},
        "status": {"lastBackupTime": "2026-01-01T12:00:00+02:00", "startTime": "2026-01-01T10:00:00Z"}
    }"#;
    let answer = |source: &str| with_and_without(source, object);
    let times = "object.status.lastBackupTime == object.status.startTime";
    insta::assert_snapshot!(answer(times), @"true | false");
    let order = "object.status.lastBackupTime > object.status.startTime";
    insta::assert_snapshot!(answer(order), @"false | true");
    let constant = "object.status.startTime == timestamp('2026-01-01T10:00:00.000Z')";
    insta::assert_snapshot!(answer(constant), @"true | false");
    let member = "object.status.startTime in [timestamp('2026-01-01T10:00:00Z')]";
    insta::assert_snapshot!(answer(member), @"true | false");
    insta::assert_snapshot!(answer("object.spec.timeout == duration('1m30s')"), @"true | false");
    insta::assert_snapshot!(answer("object.status.startTime + object.spec.timeout == timestamp('2026-01-01T10:01:30Z')"), @"true | false");
    insta::assert_snapshot!(answer("object.spec.ratio / 2"), @"2.5 | 2");
    insta::assert_snapshot!(answer("object.spec.replicas / 2"), @"1 | 1");
    // What is absent is never, and no time at all.
    let absent = |source: &str| with_and_without(source, r#"{"spec": {}}"#);
    insta::assert_snapshot!(absent(times), @"true | true");
    insta::assert_snapshot!(absent("object.status.startTime < timestamp('2026-01-01T10:00:00Z')"), @"true | true");
    insta::assert_snapshot!(absent("object.spec.timeout + object.spec.timeout == duration('0s')"), @"true | true");
    // Text stays text where it meets text.
    insta::assert_snapshot!(answer("object.status.startTime == '2026-01-01T10:00:00Z'"), @"true | true");
    insta::assert_snapshot!(answer("object.status.startTime.startsWith('2026')"), @"true | true");
}
