//! What a user writes, and what it becomes.

mod refused;

use std::time::Duration;

use super::*;

const RECEIVER: &str = "
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: chat}
spec: {slack: {webhookUrl: {env: SLACK_WEBHOOK_URL}}}
";

fn load_with(files: &[(&str, &str)], options: &LoadOptions) -> Result<Configuration, Diagnostics> {
    let sources: Vec<_> = files
        .iter()
        .map(|(name, text)| Source::new(*name, *text))
        .collect();
    Configuration::from_sources(&sources, options)
}

fn load(text: &str) -> Result<Configuration, Diagnostics> {
    load_with(&[("rules.yaml", text)], &LoadOptions::default())
}

/// A rule around the lines of a `spec`, indented by two.
fn rule(spec: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: failed}}\nspec:\n  \
         watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}\n{spec}"
    )
}

#[test]
fn the_rule_of_the_language_page_is_read() {
    let text = r#"apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: database-failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance, labelSelector: {matchLabels: {tier: gold}}}
  params: {hold: 5m}
  variables:
    - {name: ready, expression: "condition(object, 'Ready')"}
  when: object.status.phase == 'Failed'
  for: params.hold
  keepFiringFor: 2m
  severity: critical
  labels: {service: databases}
  labelExpressions: {team: object.metadata.labels.team}
  summary: "{{object.metadata.name}}: {{variables.ready.message}}"
  runbook: https://example.com/runbooks/database
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: chat}
spec: {slack: {webhookUrl: {env: SLACK_WEBHOOK_URL}}}
"#;
    let configuration = load(text).expect("a right configuration");
    let rule = &configuration.rules[0];
    assert_eq!(rule.held_for(), Duration::from_mins(5));
    assert_eq!(rule.kept_firing_for(), Duration::from_mins(2));
    assert_eq!(rule.spec.watch.label_selector.as_deref(), Some("tier=gold"));
    let when = rule.spec.when.as_ref().expect("a `when`");
    assert_eq!(
        when.locate(14),
        Some(crate::diagnostic::Position {
            line: 9,
            column: 23
        })
    );
    assert_eq!(
        rule.spec.variables[0]
            .expression
            .place
            .as_ref()
            .expect("a place")
            .to_string(),
        "rules.yaml:8:33"
    );
    insta::assert_debug_snapshot!(configuration.receivers[0].spec, @"");
}
