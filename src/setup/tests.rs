//! Loading whole directories, as every command does.

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
