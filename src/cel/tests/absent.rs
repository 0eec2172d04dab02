//! Fields that are not there.

use super::super::{Bindings, Budget, Env, Kind};
use super::{about, eval, json};

#[test]
fn an_absent_field_reads_as_the_zero_of_what_it_is_used_as() {
    let empty = json(r#"{"metadata": {"name": "new"}}"#);
    for source in [
        "object.status.phase != 'Running'",
        "object.status.availableReplicas < 1",
        "!(object.status.unavailableReplicas > 0)",
        "object.status.conditions.all(c, false)",
        "!object.status.conditions.exists(c, true)",
        "object.status.conditions.map(c, c.type) == []",
        "size(object.status.conditions) == 0",
        "!('a' in object.metadata.labels)",
        "!object.spec.paused",
        "object.spec.paused == false && object.spec.paused != true",
        "object.spec.paused ? false : true",
        "object.spec.x == object.status.y",
        "object.status.phase == ''",
        "object.status.phase.size() == 0 && object.status.phase.startsWith('')",
        "object.status.count + 5 == 5 && 5 - object.status.count == 5",
        "object.status.ratio * 2.0 == 0.0",
        "'x' + object.status.text == 'x'",
        "object.status.list + [1] == [1]",
        "-object.status.count == 0",
        "string(object.status.count) == '' && int(object.status.count) == 0",
        "now - timestamp(object.status.lastBackupTime) > duration('24h')",
        "age(object.status.lastBackupTime) > duration('24h')",
        "now - object.status.lastBackupTime > duration('24h')",
        "object.metadata.labels['a']['b'].c == ''",
        "!has(object.status) && !has(object.status.phase)",
        "condition(object, 'Ready').status == 'Unknown'",
        "condition(object, 'Ready').message == ''",
        "object.?status.?phase.orValue('none') == 'none'",
        "object.status.phase in ['', 'Pending']",
        "[1, 2].exists(x, x > object.status.least)",
        "object.status.conditions == [] && object.metadata.annotations == {}",
        "object.status.phase.matches('^$')",
        "timestamp(object.status.t) == timestamp('0001-01-01T00:00:00Z')",
        "object.status.t.getFullYear() == 1",
        "math.greatest(object.status.a, 3) == 3",
    ] {
        assert_eq!(about(&empty, source), "true", "{source}");
    }
}

#[test]
fn a_null_field_is_null_and_reads_as_zero_where_null_would_be_an_error() {
    for source in [
        "object.status.message == null",
        "object.status.message != 'x' && object.status.message != ''",
        "has(object.status.message)",
        "object.status.message.size() == 0",
        "object.status.message.inner == ''",
        "!object.status.message.startsWith('x')",
        "object.status.nothing == null",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
}

#[test]
fn what_is_not_a_missing_field_stays_an_error() {
    insta::assert_snapshot!(eval("object.status.conditions[7].type"), @"Range: index 7 is out of a list of 2 in `object.status.conditions[7]` at object.status.conditions[]");
    insta::assert_snapshot!(eval("object.status.none[0].type"), @"Range: index 0 is out of a list of 0 in `object.status.none[0]` at object.status.none[]");
    insta::assert_snapshot!(eval("params.nothing == 1"), @"NoSuchKey: there is no key 'nothing' in `params.nothing` at params.nothing");
    insta::assert_snapshot!(eval("{'a': 1}.b == 1"), @"NoSuchKey: there is no key 'b' in `{'a': 1}.b`");
    insta::assert_snapshot!(eval("1 / object.status.nothing"), @"DivideByZero: division by zero in `1 / object.status.nothing` at object.status.nothing");
    insta::assert_snapshot!(eval("object.spec.replicas.x"), @"Type: an int has no field 'x' in `object.spec.replicas.x` at object.spec.replicas.x");
}

#[test]
fn strict_mode_knows_no_absent_fields() {
    let env = Env::new().variable("object", Kind::Watched).strict(true);
    let object = json("{}");
    let bindings = Bindings::new().json("object", &object);
    let program = env
        .compile("object.status.phase == ''")
        .expect("it compiles");
    let error = program
        .evaluate(&bindings, &mut Budget::default())
        .result
        .expect_err("strict");
    assert_eq!(error.message, "there is no key 'status'");
}
