//! What `check` says of templates that do not keep the limits of their service.

use super::*;

fn receiver(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {{name: {name}}}\nspec:\n{spec}"
    )
}

/// What is said of these receivers and templates, whether or not it refuses them.
fn told(receivers: &[String], templates: &[(&str, &str)]) -> String {
    let rules = receivers.concat() + "---\n" + &RULE.replace("notify: [hook]", "notify: [a]");
    let mut texts = vec![("rules/rules.yaml", rules.as_str())];
    texts.extend(templates);
    let (folder, files) = files(&texts);
    let files = Files {
        limits: Limits::Checked,
        ..files
    };
    let told = match load(&files) {
        Ok(loaded) => loaded.advice,
        Err(problems) => problems,
    };
    let text = told.human(false);
    text.replace(&*folder.path().to_string_lossy(), "DIR")
}

const SLACK: &str = "  slack: {webhookUrl: {env: A}}\n  template: a.json.hbs\n";

#[test]
fn a_header_that_is_too_long_by_itself_is_refused_and_one_that_can_become_so_is_told_of() {
    let header = |text: &str| {
        format!(
            "{{\n  \"blocks\": [\n    {{\"type\": \"header\", \"text\": {{\"type\": \"plain_text\", \"text\": \"{text}\"}}}}\n  ]\n}}\n"
        )
    };
    let receivers = [receiver("a", SLACK), receiver("b", SLACK)];
    let template = header(&"x".repeat(151));
    let told_of = |template: &str| told(&receivers, &[("templates/a.json.hbs", template)]);
    assert_snapshot!(told_of(&template), @r#"
    error: a header has 151 characters before any value is in it
     --> DIR/templates/a.json.hbs:3:14
      |
    3 |     {"type": "header", "text": {"type": "plain_text", "text": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
      |              ^^^^^^^^
      |
      = help: at most 150: make it shorter
    "#);
    assert_snapshot!(told_of(&header("{{alert.summary}}")), @r#"
    warning: a header can exceed 150 characters
     --> DIR/templates/a.json.hbs:3:14
      |
    3 |     {"type": "header", "text": {"type": "plain_text", "text": "{{alert.summary}}"}}
      |              ^^^^^^^^
      |
      = help: it is cut there with `…`; `{{truncate … 75}}` bounds a value
    "#);
    assert_eq!(told_of(&header("{{truncate alert.summary 150}}")), "");
}

#[test]
fn a_template_in_the_document_is_held_to_its_form_there() {
    let spec = "  webhook:
    url: https://in.example
    contentType: application/cloudevents+json
    body: |
      {\"specversion\": \"1.0\", \"id\": \"{{id}}\",
       \"source\": \"/the {{severity}} one\", \"type\": \"x\"}
";
    assert_snapshot!(told(&[receiver("a", spec)], &[("templates/other.txt.hbs", "")]), @r#"
    error: `source` of the CloudEvent is no URI reference: /the critical one
      --> DIR/rules/rules.yaml:11:8
       |
    11 |        "source": "/the {{severity}} one", "type": "x"}
       |        ^^^^^^^^
       |
       = help: CloudEvents 1.0 has `specversion` "1.0", `id`, `source` and `type`
    "#);
    let spec = "  webhook:\n    url: https://in.example\n    body: '{{title}} is down'\n";
    assert_snapshot!(told(&[receiver("a", spec)], &[("templates/other.txt.hbs", "")]), @"
    error: what it writes is not JSON: trailing characters at line 1 column 2
     --> DIR/rules/rules.yaml:8:12
      |
    8 |     body: '{{title}} is down'
      |            ^^^^^^^^^^^^^^^^^
      |
      = help: values stand in quotes, or come from `{{json …}}`, which writes its own
    ");
}

#[test]
fn no_other_command_refuses_what_is_only_cut() {
    let rules = receiver("a", SLACK) + "---\n" + &RULE.replace("notify: [hook]", "notify: [a]");
    let template = format!(
        "{{\"blocks\": [{{\"type\": \"header\", \"text\": {{\"type\": \"plain_text\", \"text\": \"{}\"}}}}]}}",
        "x".repeat(151)
    );
    let (_folder, files) = files(&[
        ("rules/rules.yaml", &rules),
        ("templates/a.json.hbs", &template),
    ]);
    assert!(load(&files).unwrap().advice.is_empty());
}
