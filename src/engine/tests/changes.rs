//! `changes`: since when `spec` is compared, over everything that can happen to an object.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::world::{World, database, rule, setup};

fn drift(trigger: &str) -> String {
    rule(
        "drift",
        &format!("{trigger}\ndescription: '{{{{changes.command}}}}'"),
    )
}

fn failed() -> String {
    drift("when: object.status.phase == 'Failed'")
}

fn replicas(replicas: i64, phase: &str) -> Value {
    let mut object = database("orders", json!({"phase": phase}));
    object["spec"]["replicas"] = replicas.into();
    object["metadata"]["managedFields"] = json!([
        {"manager": "k9s", "operation": "Update", "time": "2026-01-01T01:00:00Z",
         "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]);
    object
}

/// What the last message says was changed.
fn changed(world: &World) -> String {
    let Some((_, notification)) = world.sent.last() else {
        return "nothing was told".to_owned();
    };
    let view = Value::from((*notification.alerts[0].view).clone());
    let changes = &view["changes"];
    if changes["known"] == false {
        return "it was never seen well".to_owned();
    }
    let fields = changes["fields"].as_array().expect("a list");
    let fields = fields.iter().map(|field| {
        let [path, by] = [&field["path"], &field["by"]].map(|text| text.as_str().unwrap());
        format!("{path}: {} → {} by {by}", field["from"], field["to"])
    });
    let fields: Vec<String> = fields.collect();
    format!("[{}]", fields.join(", "))
}

#[test]
fn what_was_changed_shortly_before_it_failed_is_named() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    world.run_to(3600);
    world.apply(&replicas(1, "Running"));
    world.run_to(3900);
    world.apply(&replicas(1, "Failed"));
    assert_snapshot!(changed(&world), @"[spec.replicas: 3 → 1 by k9s]");
}

#[test]
fn what_was_changed_long_before_it_failed_is_not_named() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    assert!(
        world.engine.last_well.is_empty(),
        "what is well costs nothing"
    );
    world.run_to(3600);
    world.apply(&replicas(1, "Running"));
    world.run_to(4300);
    world.apply(&replicas(1, "Failed"));
    assert_snapshot!(changed(&world), @"[]");
}

#[test]
fn changes_that_follow_on_each_other_are_told_together() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    for (second, replicas_, phase) in [
        (60, 2, "Updating"),
        (120, 1, "Updating"),
        (180, 1, "Failed"),
    ] {
        world.run_to(second);
        world.apply(&replicas(replicas_, phase));
    }
    assert_snapshot!(changed(&world), @"[spec.replicas: 3 → 1 by k9s]");
}

#[test]
fn what_is_tried_while_it_is_failed_is_compared_with_what_was_good() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    for (second, replicas_, phase) in [(60, 2, "Failed"), (7200, 5, "Failed")] {
        world.run_to(second);
        world.apply(&replicas(replicas_, phase));
    }
    world.run_to(7300);
    let alert = world.engine.alerts().next().expect("it fires").clone();
    assert_eq!(
        alert
            .view
            .at(&["changes", "fields"])
            .and_then(|it| it.as_list())
            .map(<[_]>::len),
        Some(1)
    );
    assert_snapshot!(alert.view.at(&["changes", "patch"]).unwrap(), @r#"{"spec":{"replicas":3}}"#);
}

#[test]
fn a_short_recovery_does_not_make_the_bad_spec_the_good_one() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    for (second, phase) in [(60, "Failed"), (120, "Running"), (180, "Failed")] {
        world.run_to(second);
        world.apply(&replicas(1, phase));
    }
    assert_snapshot!(changed(&world), @"[spec.replicas: 3 → 1 by k9s]");
}

#[test]
fn a_crash_between_the_change_and_the_failure_forgets_nothing() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    world.run_to(3600);
    world.apply(&replicas(1, "Running"));
    world.run_to(3700);
    world.crash();
    world.list(&[replicas(1, "Running")]);
    world.run_to(3800);
    world.apply(&replicas(1, "Failed"));
    assert_snapshot!(changed(&world), @"[spec.replicas: 3 → 1 by k9s]");
}

#[test]
fn what_was_changed_while_nobody_watched_is_named() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    world.run_to(3600);
    world.crash();
    world.list(&[replicas(1, "Failed")]);
    assert_snapshot!(changed(&world), @"[spec.replicas: 3 → 1 by k9s]");
}

#[test]
fn an_object_that_was_found_failed_was_never_seen_well() {
    let mut world = World::listed(&failed(), &[replicas(3, "Failed")]);
    world.run_to(10);
    assert_snapshot!(changed(&world), @"it was never seen well");
}

#[test]
fn a_new_object_is_not_known_to_be_well_before_it_has_been_so_for_a_while() {
    let mut world = World::listed(&failed(), &[]);
    world.apply(&replicas(3, "Pending"));
    world.run_to(120);
    world.apply(&replicas(1, "Failed"));
    assert_snapshot!(changed(&world), @"it was never seen well");
}

#[test]
fn a_rule_that_is_new_does_not_know_how_a_failed_object_was_when_it_was_well() {
    let other = rule(
        "upgraded",
        "on: object.spec.version != oldObject.spec.version",
    );
    let mut world = World::listed(&other, &[replicas(3, "Failed")]);
    let rules = format!("{other}{}", failed());
    world.reload(setup(&rules), &[replicas(3, "Failed")]);
    world.run_to(10);
    assert_snapshot!(changed(&world), @"it was never seen well");
}

#[test]
fn a_reload_that_keeps_the_rule_forgets_nothing() {
    let mut world = World::listed(&failed(), &[replicas(3, "Running")]);
    world.run_to(3600);
    world.apply(&replicas(1, "Running"));
    let rules = format!(
        "{}{}",
        rule("another", "when: object.status.phase == 'X'"),
        failed()
    );
    world.reload(setup(&rules), &[replicas(1, "Running")]);
    world.run_to(3700);
    world.apply(&replicas(1, "Failed"));
    assert_snapshot!(changed(&world), @"[spec.replicas: 3 → 1 by k9s]");
}

#[test]
fn a_rule_on_a_change_compares_with_what_was_just_before() {
    let rules = drift("on: changed(object.spec)");
    let mut world = World::listed(&rules, &[replicas(3, "Running")]);
    for (second, count) in [(60, 2), (120, 1)] {
        world.run_to(second);
        world.apply(&replicas(count, "Running"));
    }
    world.run_to(130);
    assert_snapshot!(changed(&world), @"[spec.replicas: 2 → 1 by k9s]");
}

#[test]
fn writers_that_write_nothing_else_make_no_rule_look() {
    let mut world = World::listed(&failed(), &[replicas(3, "Failed")]);
    world.run_to(10);
    let looks = world.decisions.len();
    let mut again = replicas(3, "Failed");
    again["metadata"]["managedFields"][0]["time"] = "2026-01-01T02:00:00Z".into();
    world.apply(&again);
    world.run_to(100);
    assert_eq!(world.decisions.len(), looks);
    assert_eq!(world.sent.len(), 1);
}
