//! What expressions mean, by example.

mod absent;
mod errors;
mod libraries;
mod properties;
mod reads;
mod time;

use super::{Bindings, Budget, Env, Json, Kind, Program};
use jiff::Timestamp;

/// The object of the tests.
const DATABASE: &str = r#"{
  "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
  "metadata": {"name": "orders", "namespace": "shop", "generation": 3,
    "labels": {"team": "shop", "app.kubernetes.io/name": "orders"},
    "finalizers": ["stable.example.com/backup"]},
  "spec": {"engine": "postgres", "version": "16.2", "storageGB": 100, "replicas": 3},
  "status": {"phase": "Failed", "availableReplicas": 2, "observedGeneration": 3,
    "lastBackupTime": "2026-11-21T18:00:00Z", "message": null,
    "conditions": [
      {"type": "Ready", "status": "False", "reason": "NoQuota", "message": "no quota",
       "lastTransitionTime": "2026-11-22T17:50:00Z"},
      {"type": "Progressing", "status": "True"}]}
}"#;

pub(super) const NOW: &str = "2026-11-22T18:00:00Z";

pub(super) fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("the test's JSON is valid")
}

pub(super) fn env() -> Env {
    Env::new()
        .variable("object", Kind::Watched)
        .variable("oldObject", Kind::Watched)
        .variable("events", Kind::Watched)
        .variable("related.pods", Kind::Watched)
        .variable("params", Kind::Plain)
        .variable("now", Kind::Time)
        .bool("late")
}

pub(super) fn compiled(source: &str) -> Program {
    env()
        .compile(source)
        .unwrap_or_else(|problems| panic!("{source}: {}", problems[0]))
}

pub(super) fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

/// The answer about an object as JSON text, or the error with its place.
pub(super) fn about(object: &Json, source: &str) -> String {
    let program = compiled(source);
    let params = json(r#"{"hold": "5m", "limit": 90}"#);
    let bindings = Bindings::new()
        .json("object", object)
        .json("params", &params)
        .time("now", now());
    match program.evaluate(&bindings, &mut Budget::default()).result {
        Ok(value) => value.to_json().to_string(),
        Err(error) => {
            let path = error
                .path
                .map(|path| format!(" at {path}"))
                .unwrap_or_default();
            format!(
                "{:?}: {} in `{}`{path}",
                error.kind, error.message, &source[error.span]
            )
        }
    }
}

pub(super) fn eval(source: &str) -> String {
    about(&json(DATABASE), source)
}

#[test]
fn rules_as_people_write_them() {
    for source in [
        "object.status.phase == 'Failed'",
        "condition(object, 'Ready').status != 'True'",
        "now - timestamp(object.status.lastBackupTime) >= duration('24h')",
        "object.status.observedGeneration == object.metadata.generation",
        "object.status.availableReplicas < object.spec.replicas",
        "object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')",
        "object.metadata.labels['app.kubernetes.io/name'] == 'orders'",
        "'stable.example.com/backup' in object.metadata.finalizers",
        "object.status.phase in ['Failed', 'Terminating']",
        "object.spec.version.matches('^1[56][.]')",
        "age(object.status.conditions[0].lastTransitionTime) == duration(params.hold) + duration('5m')",
        "object.status.conditions.map(c, c.type).join(' ') == 'Ready Progressing'",
        "'%s has %d'.format([object.metadata.name, object.spec.replicas]) == 'orders has 3'",
        "[3, 1, 2].sort() == [1, 2, 3] && [3, 1].sortBy(x, -x) == [3, 1]",
        "object.metadata.labels.exists(key, key == 'team')",
        "object.metadata.labels.transformMap(k, v, v + '!')['team'] == 'shop!'",
        "cel.bind(s, object.status, s.phase == 'Failed' && s.availableReplicas == 2)",
        "object.?status.?phase.orValue('none') == 'Failed' && !object.?nothing.hasValue()",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
}

#[test]
fn macros_nest_and_shadow() {
    insta::assert_snapshot!(eval("[1, 2].map(x, [10, 20].map(y, x + y))"), @"[[11,21],[12,22]]");
    insta::assert_snapshot!(eval("[1, 2].map(x, [x + 1].map(x, x * 10))"), @"[[20],[30]]");
    insta::assert_snapshot!(eval("[1, 2, 3].filter(x, x != 2).exists_one(x, x == 3)"), @"true");
    insta::assert_snapshot!(eval("[5, 6].transformList(i, v, i > 0, v * i)"), @"[6]");
    insta::assert_snapshot!(eval("{'a': 1, 'b': 2}.transformMapEntry(k, v, {string(v): k})"), @r#"{"1":"a","2":"b"}"#);
}

#[test]
fn changed_and_became_compare_with_the_object_before() {
    let old = json(r#"{"spec": {"version": "15"}, "status": {"phase": "Running"}}"#);
    let new = json(r#"{"spec": {"version": "16"}, "status": {"phase": "Failed"}}"#);
    let is = |source: &str| {
        let program = compiled(source);
        let bindings = Bindings::new().json("object", &new).json("oldObject", &old);
        let result = program.evaluate(&bindings, &mut Budget::default()).result;
        result.expect("no error").as_bool().expect("a bool")
    };
    assert!(is("changed(object.spec.version)"));
    assert!(!is("changed(object.spec.replicas)"));
    assert!(is("became(object.status.phase == 'Failed')"));
    assert!(!is("became(object.spec.version != '')"));
    let program = compiled("diff(oldObject, object)");
    let bindings = Bindings::new().json("object", &new).json("oldObject", &old);
    let result = program.evaluate(&bindings, &mut Budget::default()).result;
    insta::assert_snapshot!(result.expect("no error").to_json(), @r#"[{"from":"15","path":"spec.version","to":"16"},{"from":"Running","path":"status.phase","to":"Failed"}]"#);
}

#[test]
fn definitions_are_evaluated_once_and_when_they_are_used() {
    let ready = compiled("condition(object, 'Ready')");
    let env = env().define("variables", "ready", &ready);
    let slow = env
        .compile("variables.ready.status == 'False' ? 1 : 2")
        .expect("it compiles");
    let env = env.define("variables", "slow", &slow);
    let program = env
        .compile("variables.slow + variables.slow == 2 || variables.ready.reason == 'x'")
        .expect("it compiles");
    let object = json(DATABASE);
    let bindings = Bindings::new().json("object", &object);
    let mut once = Budget::default();
    let result = program
        .evaluate(&bindings, &mut once)
        .result
        .expect("no error");
    assert_eq!(result.as_bool(), Some(true));
    let mut twice = Budget::default();
    let single = env.compile("variables.slow == 1").expect("it compiles");
    let _ = single.evaluate(&bindings, &mut twice);
    assert!(
        twice.steps - once.steps < 8,
        "the second use costs nothing but its name"
    );
}
