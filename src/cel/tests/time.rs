//! When the answer changes by time alone.

use super::super::{Bindings, Budget, Json};
use super::{compiled, json, now};
use jiff::Timestamp;

const OBJECT: &str = r#"{"at": "2026-11-22T17:58:00Z", "later": "2026-11-22T18:10:00Z", "n": 1}"#;

/// The answer at a moment, and when it can change.
fn at(object: &Json, source: &str, moment: Timestamp) -> (bool, Option<Timestamp>) {
    let program = compiled(source);
    let bindings = Bindings::new().json("object", object).time("now", moment);
    let evaluation = program.evaluate(&bindings, &mut Budget::default());
    let answer = evaluation
        .result
        .expect("no error")
        .as_bool()
        .expect("a bool");
    (answer, evaluation.next)
}

fn next(source: &str) -> String {
    let (answer, next) = at(&json(OBJECT), source, now());
    format!(
        "{answer} {}",
        next.map_or("never".to_owned(), |next| next.to_string())
    )
}

#[test]
fn linear_comparisons_are_solved() {
    insta::assert_snapshot!(next("now - timestamp(object.at) > duration('5m')"), @"false 2026-11-22T18:03:00.000000001Z");
    insta::assert_snapshot!(next("now - timestamp(object.at) >= duration('5m')"), @"false 2026-11-22T18:03:00Z");
    insta::assert_snapshot!(next("age(object.at) >= duration('5m')"), @"false 2026-11-22T18:03:00Z");
    insta::assert_snapshot!(next("duration('5m') <= age(object.at)"), @"false 2026-11-22T18:03:00Z");
    insta::assert_snapshot!(next("age(object.at) < duration('1m')"), @"false never");
    insta::assert_snapshot!(next("now > timestamp(object.later) + duration('1m')"), @"false 2026-11-22T18:11:00.000000001Z");
    insta::assert_snapshot!(next("timestamp(object.later) - now < duration('5m')"), @"false 2026-11-22T18:05:00.000000001Z");
    insta::assert_snapshot!(next("now == timestamp(object.later)"), @"false 2026-11-22T18:10:00Z");
    insta::assert_snapshot!(next("now != timestamp(object.later)"), @"true 2026-11-22T18:10:00Z");
    insta::assert_snapshot!(next("now <= timestamp('2026-11-22T18:00:00Z')"), @"true 2026-11-22T18:00:00.000000001Z");
    insta::assert_snapshot!(next("now - now < duration('1s')"), @"true never");
}

#[test]
fn the_earliest_of_what_was_evaluated_counts() {
    insta::assert_snapshot!(next("object.n == 2 && age(object.at) > duration('5m')"), @"false never");
    insta::assert_snapshot!(next("object.n == 1 && !(age(object.at) >= duration('5m'))"), @"true 2026-11-22T18:03:00Z");
    insta::assert_snapshot!(next("age(object.at) >= duration('5m') || age(object.at) >= duration('3m')"), @"false 2026-11-22T18:01:00Z");
    insta::assert_snapshot!(next("[duration('9m'), duration('4m')].exists(d, age(object.at) >= d)"), @"false 2026-11-22T18:02:00Z");
    insta::assert_snapshot!(next("cel.bind(a, age(object.at), a > duration('1h') || a >= duration('4m'))"), @"false 2026-11-22T18:02:00Z");
}

#[test]
fn what_is_not_linear_is_looked_at_again_in_a_minute() {
    insta::assert_snapshot!(next("(now - timestamp(object.at)).getSeconds() > 300"), @"false 2026-11-22T18:01:00Z");
    insta::assert_snapshot!(next("now.getHours() >= 9"), @"true 2026-11-22T18:01:00Z");
    insta::assert_snapshot!(next("object.n == 1"), @"true never");
}

#[test]
fn never_is_long_ago() {
    insta::assert_snapshot!(next("now - timestamp(object.never) > duration('24h')"), @"true never");
}

#[test]
fn the_answer_holds_until_the_moment_and_not_beyond() {
    let object = json(OBJECT);
    for source in [
        "now - timestamp(object.at) > duration('5m')",
        "age(object.at) >= duration('5m') && now < timestamp(object.later)",
        "now + duration('1m') > timestamp(object.later) ? age(object.at) > duration('20m') : false",
        "now == timestamp(object.later)",
        "timestamp(object.later) - now <= now - timestamp(object.at)",
    ] {
        let mut moment = now();
        for _ in 0..6 {
            let (answer, next) = at(&object, source, moment);
            let Some(next) = next else { break };
            assert!(next > moment, "{source}");
            let just_before = next - jiff::SignedDuration::from_nanos(1);
            assert_eq!(
                at(&object, source, just_before).0,
                answer,
                "{source} until {next}"
            );
            moment = next;
        }
    }
}
