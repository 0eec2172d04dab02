//! The dry run on texts.

use insta::assert_snapshot;
use jiff::Timestamp;

use super::{DryRun, input, report};
use crate::setup::{Files, Loaded, load};

fn loaded(rule: &str) -> Loaded {
    loaded_with(rule, false)
}

fn loaded_with(rule: &str, assume_held: bool) -> Loaded {
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
        assume_held,
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

/// What is wrong with a text, a line each.
fn refused(text: &str) -> String {
    let errors = input::read(text, now()).expect_err("something is wrong with it");
    let lines = errors.iter().map(ToString::to_string);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_that_is_wrong_with_a_file_is_said_with_its_line() {
    let good = thing("x", "Failed");
    let text = format!(
        "# databases\n---\nkind: Thing\n---\n{good}at: soon\nkind: Event\n---\na: [1,\n  b: {{\n"
    );
    assert_snapshot!(refused(&text), @"
    3: no apiVersion, kind and metadata.name, so it is no object (a name such as 1 is text only in quotes)
    10: at `soon` is neither a moment (RFC 3339) nor an offset such as 30s
    14: not valid YAML: unclosed bracket '{'
    ");
}

#[test]
fn a_recording_that_was_cut_says_so() {
    let line =
        r#"{"type":"ADDED","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}}"#;
    assert_snapshot!(refused(&format!("{line}\n{}", &line[..40])), @"2: the JSON that begins here has no end: was the recording cut?");
    assert_snapshot!(refused(&line[..40]), @"1: the JSON that begins here has no end: was the recording cut?");
    assert_snapshot!(refused(&format!("{line}\n{{\"type\": ADDED}}")), @"2: not valid JSON: expected value");
    assert_snapshot!(refused(&format!("{line}\n{{\"type\": \"GONE\", \"object\": {{}}}}")), @"2: `GONE` is no type of a watch event; they are ADDED, MODIFIED, DELETED");
}

#[test]
fn a_name_that_older_yaml_takes_for_a_truth_is_a_name() {
    let table = run(
        "when: object.status.phase == 'Failed'",
        &thing("y", "Failed"),
        false,
    );
    assert!(table.contains("Thing/a/y"), "{table}");
}

#[test]
fn with_held_assumed_what_would_be_pending_fires() {
    let files = |assume_held| {
        let loaded = loaded_with(
            "when: object.status.phase == 'Failed'\n  for: 5m",
            assume_held,
        );
        let facts = input::read(&thing("x", "Failed"), now()).expect("the text is right");
        let mut run = DryRun::new(&loaded, "test", now());
        run.play(&facts, None);
        (run.rows(false)[0].state, run.totals.sent)
    };
    assert_eq!(files(false), ("pending", 0));
    assert_eq!(files(true), ("firing", 1));
}

#[test]
fn what_was_pending_and_is_withdrawn_is_told_once() {
    let loaded = loaded("when: object.status.phase == 'Failed'\n  for: 5m");
    let text = format!("{}{}", thing("x", "Failed"), thing("x", "Running"));
    let facts = input::read(&text, now()).expect("the text is right");
    let mut run = DryRun::new(&loaded, "test", now());
    run.play(&facts, None);
    assert_snapshot!(report::table(&run.withdrawn_rows()), @"
    RULE   OBJECT      STATE   SINCE                  WHY                                                NOTIFIES
    r      Thing/a/x   ok      2026-11-22T12:00:00Z   no longer true, and was not held for long enough   -
    ");
    run.forget_what_is_over();
    assert!(run.withdrawn_rows().is_empty());
}

#[test]
fn a_run_that_follows_keeps_only_what_goes_on() {
    let loaded = loaded("when: object.status.phase == 'Failed'");
    let text = [
        thing("x", "Failed"),
        thing("z", "Failed"),
        thing("x", "Running"),
    ]
    .concat();
    let facts = input::read(&text, now()).expect("the text is right");
    let mut run = DryRun::new(&loaded, "test", now());
    run.play(&facts, None);
    let before = run.summary(&run.rows(false));
    run.forget_what_is_over();
    assert_eq!((run.alerts.len(), run.sent.len()), (1, 0));
    assert_eq!(run.summary(&run.rows(false)), before);
    assert_snapshot!(before, @"2 objects, 1 rule: 1 firing, 0 pending, 1 resolved, 0 unknown; 1 notification would have been sent");
}

proptest::proptest! {
    #[test]
    fn the_order_of_unrelated_objects_does_not_matter(
        phases in proptest::collection::vec("Failed|Running|Gone", 1..8), seed in 0_u64..u64::MAX,
    ) {
        let named = phases.iter().enumerate().map(|(number, phase)| thing(&format!("t{number}"), phase));
        let mut texts: Vec<String> = named.collect();
        let rule = "when: object.status.phase == 'Failed'\n  for: 1m";
        let before = run(rule, &texts.concat(), true);
        fastrand::Rng::with_seed(seed).shuffle(&mut texts);
        proptest::prop_assert_eq!(run(rule, &texts.concat(), true), before);
    }
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

/// A Thing, and a Pod of it through a `StatefulSet`, as manifests: nobody has a UID.
const MANIFESTS: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: x-0
  namespace: a
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: x}]
status: {phase: Failed}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: x, namespace: a}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: x
  namespace: a
  ownerReferences: [{apiVersion: example.com/v1beta1, kind: Thing, name: x}]
---
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {tier: gold}}
---
apiVersion: v1
kind: Event
metadata: {name: x-0.1, namespace: a}
involvedObject: {apiVersion: v1, kind: Pod, namespace: a, name: x-0}
type: Warning
reason: BackOff
message: it crashed
";

#[test]
fn manifests_of_several_kinds_are_joined_by_their_owners() {
    let rule = "related: [{name: pods, apiVersion: v1, kind: Pod, via: [apps/v1/StatefulSet]}]\n  \
                when: related.pods.exists(pod, pod.status.phase == 'Failed') && namespaceObject.metadata.labels.tier == 'gold'\n  \
                summary: \"{{#each related.pods}}{{metadata.name}}: {{status.phase}}{{/each}}, {{events.[0].message}}\"";
    let loaded = loaded(rule);
    let facts = input::read(MANIFESTS, now()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut run = DryRun::new(&loaded, "test", now());
    run.play(&facts, None);
    run.settle();
    assert_snapshot!(report::table(&run.rows(false)), @"
    RULE   OBJECT      STATE    SINCE                  WHY    NOTIFIES
    r      Thing/a/x   firing   2026-11-22T12:00:00Z   true   hook
    ");
    let view = run
        .alerts
        .values()
        .next()
        .map(|alert| alert.view.to_string());
    assert_snapshot!(view.unwrap_or_default(), @r#"{"events":[{"count":1,"firstSeen":"2026-11-22T12:00:00Z","lastSeen":"2026-11-22T12:00:00Z","message":"it crashed","reason":"BackOff","regarding":{"apiVersion":"v1","kind":"Pod","name":"x-0","namespace":"a"},"reportingController":"","type":"Warning"}],"object":{},"related":{"pods":[{"metadata":{"name":"x-0"},"status":{"phase":"Failed"}}]}}"#);
    let rule = loaded.rules.rules[0].name.clone();
    let uid = run.engine.watched()[0].1.uid;
    let explained = run
        .engine
        .explain(&rule, uid, crate::engine::explain::Before::default());
    let related = explained.map(|explanation| format!("{:?}", explanation.related));
    assert_snapshot!(related.unwrap_or_default(), @r#"[("related.pods", [ObjectRef { api_version: "v1", kind: "Pod", namespace: Some("a"), name: "x-0", uid: ff1bc44c-bf42-32dc-6d24-1832849b91c4 }])]"#);
}
