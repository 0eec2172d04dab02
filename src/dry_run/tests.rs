//! The dry run on texts.

use insta::assert_snapshot;
use jiff::Timestamp;

use super::{DryRun, input, report};
use crate::setup::{Files, Loaded, load};

fn loaded(rule: &str) -> Loaded {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("rules.yaml");
    let text = format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: r}}\nspec:\n  \
         watch: {{apiVersion: example.com/v1, kind: Thing}}\n  {rule}\n---\n\
         apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {{name: hook}}\n\
         spec: {{webhook: {{url: http://127.0.0.1/}}}}\n"
    );
    std::fs::write(&file, text).expect("the rules can be written");
    let files = Files {
        rules: vec![file],
        ..Files::default()
    };
    load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)))
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z"
        .parse()
        .expect("the moment is RFC 3339")
}

fn run(rule: &str, text: &str, all: bool) -> String {
    let loaded = loaded(rule);
    let facts = input::read(text, now()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let start = facts.first().map_or(now(), |fact| fact.at);
    let mut run = DryRun::new(&loaded, "test", start);
    run.play(&facts, None);
    report::table(&run.rows(all))
}

fn thing(name: &str, phase: &str) -> String {
    format!(
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: {name}, namespace: a}}\n\
         status: {{phase: {phase}}}\n---\n"
    )
}

#[test]
fn a_state_that_is_true_fires_and_others_are_ok_only_if_asked() {
    let text = format!("{}{}", thing("x", "Failed"), thing("z", "Running"));
    let rule = "when: object.status.phase == 'Failed'";
    assert_snapshot!(run(rule, &text, false), @r"
    RULE   OBJECT      STATE    SINCE                  WHY    NOTIFIES
    r      Thing/a/x   firing   2026-11-22T12:00:00Z   true   hook
    ");
    assert_snapshot!(run(rule, &text, true), @r"
    RULE   OBJECT      STATE    SINCE                  WHY        NOTIFIES
    r      Thing/a/x   firing   2026-11-22T12:00:00Z   true       hook
    r      Thing/a/z   ok       -                      not true   -
    ");
}

#[test]
fn a_hold_that_has_not_passed_is_pending() {
    let rule = "when: object.status.phase == 'Failed'\n  for: 5m";
    assert_snapshot!(run(rule, &thing("x", "Failed"), false), @r"
    RULE   OBJECT      STATE     SINCE                  WHY                   NOTIFIES
    r      Thing/a/x   pending   2026-11-22T12:00:00Z   true, fires in 5m0s   hook
    ");
}

#[test]
fn documents_of_one_object_are_its_successive_states() {
    let text = format!("{}{}", thing("x", "Failed"), thing("x", "Running"));
    assert_snapshot!(run("when: object.status.phase == 'Failed'", &text, false), @r"
    RULE   OBJECT      STATE      SINCE                  WHY              NOTIFIES
    r      Thing/a/x   resolved   2026-11-22T12:00:00Z   no longer true   hook
    ");
    let rule = "on: object.status.phase != oldObject.status.phase";
    assert_snapshot!(run(rule, &text, false), @r"
    RULE   OBJECT      STATE    SINCE                  WHY           NOTIFIES
    r      Thing/a/x   firing   2026-11-22T12:00:00Z   it happened   hook
    ");
}

#[test]
fn a_recorded_watch_is_played_in_its_own_time() {
    let event = |type_: &str, at: &str, phase: &str| {
        format!(
            r#"{{"type":"{type_}","at":"{at}","object":{{"apiVersion":"example.com/v1","kind":"Thing","metadata":{{"name":"x","namespace":"a","uid":"u"}},"status":{{"phase":"{phase}"}}}}}}"#
        )
    };
    let text = [
        event("ADDED", "0s", "Running"),
        event("MODIFIED", "10s", "Failed"),
        event("MODIFIED", "6m", "Failed"),
    ]
    .join("\n");
    let rule = "when: object.status.phase == 'Failed'\n  for: 5m";
    assert_snapshot!(run(rule, &text, false), @r"
    RULE   OBJECT      STATE    SINCE                  WHY    NOTIFIES
    r      Thing/a/x   firing   2026-11-22T12:00:10Z   true   hook
    ");
}

#[test]
fn an_event_document_is_an_event_of_its_object() {
    let event = "apiVersion: v1\nkind: Event\nmetadata: {name: e, namespace: a}\ntype: Warning\n\
                 reason: FailedProvisioning\nmessage: no quota\n\
                 involvedObject: {apiVersion: example.com/v1, kind: Thing, namespace: a, name: x}\n";
    let text = format!("{}{event}", thing("x", "Running"));
    assert_snapshot!(run("on: event.reason == 'FailedProvisioning'", &text, false), @r"
    RULE   OBJECT      STATE    SINCE                  WHY           NOTIFIES
    r      Thing/a/x   firing   2026-11-22T12:00:00Z   it happened   hook
    ");
}

#[test]
fn what_cannot_be_told_is_unknown_with_its_place() {
    let text = run(
        "when: object.status.phase > 5",
        &thing("x", "Failed"),
        false,
    );
    assert!(text.contains("unknown"), "{text}");
    assert!(text.contains("object.status.phase"), "{text}");
}

#[test]
fn what_is_no_object_is_said_with_its_number() {
    let errors = input::read("kind: Thing\n---\nfoo: 1\n", now()).expect_err("it is no object");
    assert_eq!(
        errors,
        [
            input::InputError::NoObject(1),
            input::InputError::NoObject(2)
        ]
    );
}

#[test]
fn states_of_one_object_in_a_list_are_told_apart() {
    let item = |phase: &str| {
        format!(
            r#"{{"apiVersion":"example.com/v1","kind":"Thing","metadata":{{"name":"x","namespace":"a"}},"status":{{"phase":"{phase}"}}}}"#
        )
    };
    let items = [item("A"), item("B"), item("C")].join(",");
    let text = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{items}]}}"#);
    let rule = "on: object.status.phase != oldObject.status.phase";
    assert_eq!(run(rule, &text, false).matches("it happened").count(), 2);
}
