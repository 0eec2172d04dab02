//! Loading whole directories, as every command does.

mod limits;
mod reloads;

use std::fs;

use insta::assert_snapshot;

use super::*;

const RULE: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: database-failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  variables:
    - {name: ready, expression: \"object.status.ready\"}
    - {name: other, expression: \"object.status.other\"}
  when: object.status.phase == 'Failed'
  summary: \"{{object.spec.engine}} {{variables.ready.message}}\"
  notify: [hook]
";

const RECEIVER: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec:
  webhook: {url: 'https://in.example'}
  template: hook.json.hbs
";

fn files(texts: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in texts {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let files = Files {
        rules: vec![folder.path().join("rules")],
        templates: Some(folder.path().join("templates")),
        ..Files::default()
    };
    (folder, files)
}

fn refusal(texts: &[(&str, &str)]) -> String {
    let (folder, files) = files(texts);
    let problems = load(&files).unwrap_err();
    let text = problems.human(false);
    text.replace(&*folder.path().to_string_lossy(), "DIR")
}

#[test]
fn what_templates_read_is_kept_of_the_object() {
    let (_folder, files) = files(&[
        ("rules/rule.yaml", RULE),
        ("rules/receiver.yaml", RECEIVER),
        (
            "templates/hook.json.hbs",
            r#"{"text": "{{object.spec.version}}"}"#,
        ),
    ]);
    let loaded = load(&files).unwrap();
    let paths = loaded.rules.sources[0].paths.paths();
    assert_eq!(
        paths,
        [
            "spec.engine",
            "spec.version",
            "status.phase",
            "status.ready"
        ]
    );
    assert_eq!(loaded.policies.len(), 1);
}

#[test]
fn a_mistake_in_a_text_is_shown_where_it_stands() {
    let rule = RULE.replace("{{object.spec.engine}}", "{{objekt.spec.engine}}");
    assert_snapshot!(refusal(&[
        ("rules/rule.yaml", &rule),
        ("rules/receiver.yaml", RECEIVER),
        ("templates/hook.json.hbs", "{}"),
    ]), @r#"
    error: there is no "objekt"
      --> DIR/rules/rule.yaml:10:13
       |
    10 |   summary: "{{objekt.spec.engine}} {{variables.ready.message}}"
       |             ^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: did you mean "object"?
    "#);
}

#[test]
fn mistakes_of_all_files_are_told_at_once() {
    let rule = RULE.replace("== 'Failed'", "== ");
    assert_snapshot!(refusal(&[
        ("rules/rule.yaml", &rule),
        ("rules/receiver.yaml", &RECEIVER.replace("hook.json.hbs", "hok.json.hbs")),
        ("templates/hook.json.hbs", "{\n  \"a\": \"{{#if}}\"\n}"),
    ]), @r#"
    error: there is no template "hok.json.hbs"
     --> DIR/rules/receiver.yaml:3:18
      |
    3 | metadata: {name: hook}
      |                  ^^^^
      |
      = help: name a template directory with --templates

    error: the expression ends too early
     --> DIR/rules/rule.yaml:9:31
      |
    9 |   when: object.status.phase == 
      |                               ^

    error: something is not closed here
     --> DIR/templates/hook.json.hbs:3:2
      |
    3 | }
      |  ^
      |
      = help: {{#if …}} ends with {{/if}}, {{#each …}} with {{/each}}
    "#);
}

#[test]
fn a_directory_of_templates_that_does_not_exist_is_said() {
    assert_snapshot!(refusal(&[
        ("rules/rule.yaml", RULE),
        ("rules/receiver.yaml", &RECEIVER.replace("  template: hook.json.hbs\n", "")),
    ]), @r#"
    error: cannot read the templates in DIR/templates: No such file or directory (os error 2)
     |
     = help: --templates takes a directory of .hbs files
    "#);
}

#[test]
fn a_document_that_cannot_be_read_hides_nothing_of_another() {
    let cut = RULE.replace("  when:", "  wen:");
    let wrong = RULE
        .replace("database-failed", "other")
        .replace("== 'Failed'", "= 'Failed'");
    let text = refusal(&[
        ("rules/cut.yaml", &cut),
        ("rules/wrong.yaml", &wrong),
        ("rules/receiver.yaml", RECEIVER),
        ("templates/hook.json.hbs", "{}"),
    ]);
    for mistake in ["unknown key `wen`", "'=' has no meaning here"] {
        assert!(text.contains(mistake), "{mistake} is missing: {text}");
    }
}

const CRD: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: databaseinstances.stable.example.com}
spec:
  group: stable.example.com
  names: {kind: DatabaseInstance, plural: databaseinstances}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {engine: {type: string}, replicas: {type: integer}}
            status:
              type: object
              properties:
                phase: {type: string, enum: [Pending, Running, Failed]}
                lastBackupTime: {type: string, format: date-time}
                conditions:
                  type: array
                  items:
                    type: object
                    properties: {type: {type: string}, status: {type: string}, message: {type: string}}
";

/// What is wrong with a rule on a database with this schema.
fn against_the_schema(spec: &str) -> String {
    let rule = format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: r}}\nspec:\n  \
         watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}\n{spec}\n"
    );
    let receiver = RECEIVER.replace("  template: hook.json.hbs\n", "");
    let (folder, files) = files(&[
        ("rules/rule.yaml", &rule),
        ("rules/receiver.yaml", &receiver),
        ("templates/none.hbs", ""),
        ("crds/database.yaml", CRD),
    ]);
    let files = Files {
        crds: vec![folder.path().join("crds")],
        ..files
    };
    match load(&files) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(problems) => {
            let text = problems.human(false);
            text.replace(&*folder.path().to_string_lossy(), "DIR")
        }
    }
}

#[test]
fn a_field_that_the_schema_does_not_have_is_underlined_with_the_nearest_one() {
    assert_snapshot!(against_the_schema("  when: >-\n    object.status.phse == 'Failed' &&\n    object.spec.replicas > 0"), @"
    error: no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
     --> DIR/rules/rule.yaml:7:19
      |
    7 |     object.status.phse == 'Failed' &&
      |                   ^^^^
    ");
    assert_snapshot!(against_the_schema("  when: object.status.phase == 'Failed'\n  summary: \"{{object.spec.engin}} of {{object.metadata.name}}\""), @r#"
    error: no field 'engin' in DatabaseInstance.spec, did you mean 'engine'?
     --> DIR/rules/rule.yaml:7:27
      |
    7 |   summary: "{{object.spec.engin}} of {{object.metadata.name}}"
      |                           ^^^^^
    "#);
}

#[test]
fn what_can_never_be_true_is_refused() {
    assert_snapshot!(against_the_schema("  when: object.status.phase == 'Faild'"), @"
    error: object.status.phase is never 'Faild', did you mean 'Failed'?
     --> DIR/rules/rule.yaml:6:32
      |
    6 |   when: object.status.phase == 'Faild'
      |                                ^^^^^^^
    ");
    assert_snapshot!(against_the_schema("  when: object.spec.replicas == '3'"), @"
    error: an int is never equal to a string
     --> DIR/rules/rule.yaml:6:9
      |
    6 |   when: object.spec.replicas == '3'
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write 3, without quotes
    ");
    assert_snapshot!(against_the_schema("  when: object.status.phase"), @"
    error: this is a string, not a bool
     --> DIR/rules/rule.yaml:6:9
      |
    6 |   when: object.status.phase
      |         ^^^^^^^^^^^^^^^^^^^
      |
      = help: compare it with something: it must be true or false
    ");
    assert_snapshot!(against_the_schema("  variables: [{name: ready, expression: \"condition(object, 'Ready')\"}]\n  when: variables.ready.state == 'True'"), @"
    error: no field 'state' in DatabaseInstance.status.conditions[]
     --> DIR/rules/rule.yaml:7:25
      |
    7 |   when: variables.ready.state == 'True'
      |                         ^^^^^
      |
      = help: it has message, status, type
    ");
}

#[test]
fn a_state_may_read_only_what_is_now() {
    assert_snapshot!(against_the_schema("  when: events.size() > 0 && event.reason == 'Failed' || change == 'ADDED'"), @"
    error: `when` may not read `event`: a state is a function of what is now
     --> DIR/rules/rule.yaml:6:30
      |
    6 |   when: events.size() > 0 && event.reason == 'Failed' || change == 'ADDED'
      |                              ^^^^^
      |
      = help: write it as `on:` if it is something that happens

    error: `when` may not read `change`: a state is a function of what is now
     --> DIR/rules/rule.yaml:6:58
      |
    6 |   when: events.size() > 0 && event.reason == 'Failed' || change == 'ADDED'
      |                                                          ^^^^^^
      |
      = help: write it as `on:` if it is something that happens
    ");
    assert_snapshot!(against_the_schema("  \"on\": change == 'ADDED'\n  until: oldObject.status.phase == 'Failed'"), @"
    error: `until` may not read `oldObject`: a state is a function of what is now
     --> DIR/rules/rule.yaml:7:10
      |
    7 |   until: oldObject.status.phase == 'Failed'
      |          ^^^^^^^^^
      |
      = help: write it as `on:` if it is something that happens
    ");
}

#[test]
fn a_change_is_an_event_only_where_the_event_is_read() {
    assert_snapshot!(against_the_schema("  \"on\": change == 'ADDED' || change == 'EVENT'"), @r#"
    error: `change` is never 'EVENT' here: this does not read `event`
     --> DIR/rules/rule.yaml:6:40
      |
    6 |   "on": change == 'ADDED' || change == 'EVENT'
      |                                        ^^^^^^^
      |
      = help: say which Event: event.reason == '…'
    "#);
}

#[test]
fn the_fields_of_related_objects_are_checked_like_the_objects_own() {
    let related = "  related: [{name: replicas, apiVersion: stable.example.com/v1, kind: DatabaseInstance}, {name: pods, apiVersion: v1, kind: Pod}]\n";
    let wrong = [
        "  when: related.replicas.exists(one, one.status.phse == 'Failed')",
        "  when: related.pods.exists(pod, pod.status.whatever == 'Failed')",
        "  when: related.replica.size() == 0",
        "  when: related.replicas.phase == 'Failed'",
        "  when: object.status.phase == 'Failed'\n  summary: \"{{#each related.replicas}}{{status.phse}}{{/each}}{{related.pod}}\"",
    ];
    let found = wrong.map(|spec| against_the_schema(&format!("{related}{spec}")));
    assert_snapshot!(found.join("\n"), @r#"
    error: no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
     --> DIR/rules/rule.yaml:7:49
      |
    7 |   when: related.replicas.exists(one, one.status.phse == 'Failed')
      |                                                 ^^^^
    nothing is wrong
    error: there is nothing called 'related.replica' here
     --> DIR/rules/rule.yaml:7:9
      |
    7 |   when: related.replica.size() == 0
      |         ^^^^^^^^^^^^^^^
      |
      = help: did you mean 'related.replicas'?

    error: a null has no size()
     --> DIR/rules/rule.yaml:7:9
      |
    7 |   when: related.replica.size() == 0
      |         ^^^^^^^^^^^^^^^^^^^^^^
    error: a list has no field 'phase'
     --> DIR/rules/rule.yaml:7:26
      |
    7 |   when: related.replicas.phase == 'Failed'
      |                          ^^^^^
      |
      = help: write .exists(item, item.phase == …), .map(item, item.phase) or [0].phase
    error: no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
     --> DIR/rules/rule.yaml:8:48
      |
    8 |   summary: "{{#each related.replicas}}{{status.phse}}{{/each}}{{related.pod}}"
      |                                                ^^^^

    error: no field 'pod' in related, did you mean 'pods'?
     --> DIR/rules/rule.yaml:8:73
      |
    8 |   summary: "{{#each related.replicas}}{{status.phse}}{{/each}}{{related.pod}}"
      |                                                                         ^^^
    "#);
}

#[test]
fn what_the_schema_allows_is_not_refused() {
    for spec in [
        "  when: object.status.conditions.exists(c, c.type == 'Ready' && c.status != 'True')",
        "  when: now - object.status.lastBackupTime > duration('24h')",
        "  when: age(object.status.lastBackupTime) > duration(params.max)\n  params: {max: 24h}",
        "  when: object.metadata.labels['app.kubernetes.io/name'] == 'x' && !has(object.status.phase)",
        "  on: object.spec.engine != oldObject.spec.engine && change == 'MODIFIED'",
        "  on: event.reason == 'FailedProvisioning' && event.count > 3",
        "  when: events.exists(e, e.type == 'Warning') && object.spec.replicas * 2 >= 4",
    ] {
        assert_eq!(against_the_schema(spec), "nothing is wrong", "{spec}");
    }
}

#[test]
fn crds_that_are_none_are_said() {
    let (folder, files) = files(&[
        ("rules/rule.yaml", RULE),
        ("crds/other.yaml", "kind: List\n"),
    ]);
    let crds = vec![folder.path().join("crds"), folder.path().join("nowhere")];
    let problems = load(&Files { crds, ..files }).unwrap_err().human(false);
    assert!(problems.contains("nowhere: No such file"), "{problems}");
}

#[test]
fn a_state_that_a_new_object_has_already_is_known() {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let is_true = |when: &str| {
        let rule = RULE.replace("object.status.phase == 'Failed'", when);
        let (_folder, files) = files(&[
            ("rules/rule.yaml", &rule),
            ("rules/receiver.yaml", RECEIVER),
            ("templates/hook.json.hbs", "{}"),
        ]);
        let loaded = load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)));
        let watch = &loaded.configuration.rules[0].spec.watch;
        crate::evaluate::blank::is_true_of_blank(&loaded.rules.rules[0], watch, now)
    };
    assert!(is_true("object.status.phase != 'Running'"));
    assert!(is_true("condition(object, 'Ready').status != 'True'"));
    assert!(!is_true("object.status.phase == 'Failed'"));
    assert!(!is_true("object.status.phase > 3"));
}

#[test]
fn what_a_template_reads_and_no_rule_has_is_refused() {
    let rule = |name: &str, summary: &str| {
        let rule = RULE.replace("database-failed", name);
        rule.replace(
            "{{object.spec.engine}} {{variables.ready.message}}",
            summary,
        )
    };
    let receiver = |body: &str| {
        let template = "  template: hook.json.hbs\n";
        let url = "url: 'https://in.example'";
        let receiver = RECEIVER.replace(template, "");
        receiver.replace(url, &format!("{url}, body: '{body}'"))
    };
    assert_snapshot!(refusal(&[
        ("rules/a.yaml", &rule("a", "{{variables.redy}} {{params.hodl}}")),
        ("rules/b.yaml", &rule("b", "{{object.anything}} {{event.reson}}")),
        ("rules/receiver.yaml", &receiver(r#"{\"a\": {{json alert.variables.otter}}}"#)),
        ("templates/none.hbs", ""),
    ]), @r#"
    error: no field 'redy' in variables, did you mean 'ready'?
      --> DIR/rules/a.yaml:10:25
       |
    10 |   summary: "{{variables.redy}} {{params.hodl}}"
       |                         ^^^^

    error: no field 'hodl' in params
      --> DIR/rules/a.yaml:10:41
       |
    10 |   summary: "{{variables.redy}} {{params.hodl}}"
       |                                         ^^^^
       |
       = help: it has none

    error: no field 'reson' in event, did you mean 'reason'?
      --> DIR/rules/b.yaml:10:41
       |
    10 |   summary: "{{object.anything}} {{event.reson}}"
       |                                         ^^^^^

    error: no field 'otter' in variables, did you mean 'other'?
     --> DIR/rules/receiver.yaml:5:78
      |
    5 |   webhook: {url: 'https://in.example', body: '{\"a\": {{json alert.variables.otter}}}'}
      |                                                                              ^^^^^
    "#);
    let (folder, files) = files(&[
        ("rules/rule.yaml", &rule("a", "failed")),
        ("rules/receiver.yaml", RECEIVER),
        (
            "templates/hook.json.hbs",
            "{\"engine\": {{json object.spec.engine}},\n \"is\": {{json object.status.phse}}}",
        ),
        ("crds/database.yaml", CRD),
    ]);
    let crds = vec![folder.path().join("crds")];
    let problems = load(&Files { crds, ..files }).unwrap_err().human(false);
    assert_snapshot!(problems.replace(&*folder.path().to_string_lossy(), "DIR"), @r#"
    error: no field 'ready' in DatabaseInstance.status
     --> DIR/rules/rule.yaml:7:48
      |
    7 |     - {name: ready, expression: "object.status.ready"}
      |                                                ^^^^^
      |
      = help: it has conditions, lastBackupTime, phase

    error: no field 'other' in DatabaseInstance.status
     --> DIR/rules/rule.yaml:8:48
      |
    8 |     - {name: other, expression: "object.status.other"}
      |                                                ^^^^^
      |
      = help: it has conditions, lastBackupTime, phase

    error: no field 'phse' in DatabaseInstance.status, did you mean 'phase'?
     --> DIR/templates/hook.json.hbs:2:29
      |
    2 |  "is": {{json object.status.phse}}}
      |                             ^^^^
    "#);
}

#[test]
fn a_template_for_many_kinds_may_read_what_one_of_them_has() {
    let variables = RULE.find("  variables:").unwrap()..RULE.find("  when:").unwrap();
    let mut rule = RULE.replace("{{variables.ready.message}}", "");
    rule.replace_range(variables, "");
    let other = rule
        .replace("database-failed", "other")
        .replace("DatabaseInstance", "Other")
        .replace("{{object.spec.engine}} ", "");
    let (folder, files) = files(&[
        ("rules/rule.yaml", &rule),
        ("rules/other.yaml", &other),
        ("rules/receiver.yaml", RECEIVER),
        (
            "templates/hook.json.hbs",
            "{\"a\": {{json object.spec.engine}}, \"b\": {{json object.spec.other}}}",
        ),
        ("crds/database.yaml", CRD),
    ]);
    let crds = vec![folder.path().join("crds")];
    let refused = load(&Files { crds, ..files }).map(|_| ());
    assert_eq!(refused.map_err(|problems| problems.human(false)), Ok(()));
}
