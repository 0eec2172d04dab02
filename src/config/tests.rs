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
    insta::assert_debug_snapshot!(configuration.receivers[0].spec, @r#"
    ReceiverSpec {
        service: Slack(
            Slack {
                way: Webhook {
                    url: Env(
                        "SLACK_WEBHOOK_URL",
                    ),
                    channel: None,
                },
                username: None,
                icon: None,
                mentions: Mentions {
                    critical: [],
                    warning: [],
                    info: [],
                },
                buttons: [],
            },
        ),
        group_by: Labels(
            [
                "alertname",
            ],
        ),
        group_wait: 0ns,
        group_interval: 60s,
        repeat_interval: 14400s,
        send_resolved: true,
        limit: None,
        limit_per_rule: None,
        max_in_flight: 1,
        timeout: 10s,
        give_up_after: 86400s,
        heartbeat: None,
        fallback: None,
        template: None,
        shared: false,
    }
    "#);
}

#[test]
fn the_sample_rules_are_right_and_their_holds_can_be_shortened() {
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let options = LoadOptions {
        params: vec!["hold=1s".to_owned(), "maxAge=2s".to_owned()],
        ..LoadOptions::default()
    };
    let configuration =
        Configuration::load(&[rules], &options).unwrap_or_else(|error| panic!("{error}"));
    let longest = configuration.rules.iter().map(Rule::held_for).max();
    assert_eq!(longest, Some(Duration::from_secs(1)));
    for rule in &configuration.rules {
        assert!(rule.spec.summary.is_some(), "{} has no summary", rule.name);
        assert!(
            !configuration.receivers_of(rule).is_empty(),
            "{} tells nobody",
            rule.name
        );
    }
}

#[test]
fn a_place_is_found_in_every_style_of_yaml() {
    let text = rule(
        r#"  variables:
    - name: folded
      expression: >-
        object.é &&
        wrong
    - name: literal
      expression: |
        object.a
          && 'x' == wrong
    - name: double
      expression: "object.\"é\\u00e9\" ==
        wrong"
    - {name: single, expression: 'it''s wrong'}
    - name: plain
      expression: object.a ==
        wrong
    - name: quote-first
      expression: |
        "a" == wrong
  when: wrong
"#,
    )
    .replace("quote-first", "quoteFirst");
    let configuration = load(&text).expect("a right configuration");
    let spec = &configuration.rules[0].spec;
    let when = spec.when.as_ref().expect("a `when`");
    for expression in spec
        .variables
        .iter()
        .map(|variable| &variable.expression)
        .chain([when])
    {
        let at = expression.text.find("wrong").expect("the word");
        let place = expression.place_of(at, 5).expect("a place");
        assert_eq!(
            &text[place.start..place.end],
            "wrong",
            "{}",
            expression.text
        );
        let end = expression
            .place_of(expression.text.trim_end().len(), 0)
            .expect("a place");
        assert_eq!(end.start, place.end, "{}", expression.text);
    }
}

#[test]
fn overrides_reach_every_rule_that_has_the_param_or_only_one() {
    let other = rule("  when: a\n  params: {hold: 1h}\n  for: params.hold\n")
        .replace("name: failed", "name: a.b");
    let text = rule("  when: a\n  params: {hold: 5m}\n  for: params.hold\n") + "---\n" + &other;
    let options = LoadOptions {
        params: vec!["hold=5s".to_owned(), "a.b.hold=7s".to_owned()],
        ..LoadOptions::default()
    };
    let configuration =
        load_with(&[("rules.yaml", &text)], &options).expect("a right configuration");
    let holds: Vec<_> = configuration.rules.iter().map(Rule::held_for).collect();
    assert_eq!(holds, [Duration::from_secs(5), Duration::from_secs(7)]);
}

#[test]
fn a_tenants_rule_notifies_its_own_receivers_and_the_shared_ones() {
    let receiver = |metadata: &str, spec: &str| {
        let body = RECEIVER
            .replace("{name: chat}", metadata)
            .replace("spec: {", &format!("spec: {{{spec}"))
            // The environment is the operator's.
            .replace(
                "{env: SLACK_WEBHOOK_URL}",
                "{secretKeyRef: {name: a, key: b}}",
            );
        format!("---{body}")
    };
    let text = rule("  when: a\n").replace("{name: failed}", "{name: failed, namespace: tenant}")
        + &receiver("{name: chat}", "shared: true, ")
        + &receiver("{name: ops}", "shared: true, ")
        + &receiver("{name: secret}", "")
        + &receiver("{name: chat, namespace: tenant}", "")
        + &receiver("{name: theirs, namespace: other}", "")
        + "---\n"
        + &rule("  when: a\n").replace("{name: failed}", "{name: wide, namespace: bellwether}")
        + "---\n"
        + &rule("  when: a\n  notify: [chat]\n")
            .replace("{name: failed}", "{name: named, namespace: tenant}");
    let options = LoadOptions {
        own_namespace: Some("bellwether".to_owned()),
        ..LoadOptions::default()
    };
    let configuration =
        load_with(&[("rules.yaml", &text)], &options).expect("a right configuration");
    let told = |rule: &str| {
        let rule = configuration.rule(&rule.into()).expect("the rule");
        let names = configuration
            .receivers_of(rule)
            .into_iter()
            .map(|receiver| receiver.name.as_str().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told("tenant/failed"), "tenant/chat chat ops");
    assert_eq!(told("tenant/named"), "tenant/chat");
    assert_eq!(told("wide"), "chat ops secret");
}

#[test]
fn tests_and_comments_beside_the_rules_are_passed_over() {
    let text = rule("  when: a\n")
        + "---\n# only a comment\n---\napiVersion: bellwether.dev/v1alpha1\nkind: RuleTest\nspec: {rules: [failed]}\n";
    assert_eq!(load(&text).expect("a right configuration").rules.len(), 1);
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let file = root.path().join("rules.yaml");
    let text = (rule("  when: |\n    a &&\n    b\n") + "---\n" + RECEIVER).replace('\n', "\r\n");
    std::fs::write(&file, format!("\u{feff}{text}")).expect("written");
    let configuration =
        Configuration::load(&[file], &LoadOptions::default()).expect("a right configuration");
    let when = configuration.rules[0].spec.when.as_ref().expect("a `when`");
    assert_eq!(when.text, "a &&\nb\n");
    assert_eq!(
        when.locate(5),
        Some(crate::diagnostic::Position { line: 8, column: 5 })
    );
}

#[test]
fn a_spec_that_comes_as_json_has_no_places() {
    let spec = serde_json::json!({ "watch": { "apiVersion": "v1", "kind": "Pod" }, "when": "a", "for": "1m" });
    let spec: RuleSpec = serde_json::from_value(spec).expect("a spec");
    assert_eq!(spec.when, Some(Text::from("a")));
    assert_eq!(spec.when.and_then(|when| when.place), None);
}

#[test]
fn aliases_and_merge_keys_mean_what_they_stand_for() {
    let text =
        rule("  <<: &x {severity: critical, summary: &s text}\n  when: a\n  description: *s\n");
    let configuration = load(&text).expect("a right configuration");
    let spec = &configuration.rules[0].spec;
    assert_eq!(spec.severity, crate::names::Severity::Critical);
    assert_eq!(spec.description, spec.summary);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "(apiVersion: bellwether.dev/v1alpha1\n)?(kind: Rule\n)?[ a-z:\\[\\]{}'\"|>&*#é\n\t-]{0,80}") {
        if let Err(diagnostics) = load(&text) {
            proptest::prop_assert!(!diagnostics.human(true).is_empty());
            proptest::prop_assert!(!diagnostics.json().is_empty() && !diagnostics.github().is_empty());
        }
    }

    #[test]
    fn the_place_of_any_character_holds_that_character(words in proptest::collection::vec("[a-zé\"'\\\\=]{1,6}", 1..8), style in 0..4_usize) {
        let text = words.join(" ");
        let yaml = match style {
            0 => format!("{{a: {}}}", serde_json::to_string(&text).expect("JSON")),
            1 => format!("a: '{}'", text.replace('\'', "''").replace(' ', "\n   ")),
            2 => format!("a: >\n  {}", text.replace(' ', "\n  ")),
            _ => format!("a: |\n   {text}\n"),
        };
        let source = Source::new("f", yaml.as_str());
        let document = documents::read(&source, &mut Diagnostics::default()).pop().expect("a document");
        let read: Text = decode::decode(&document, document.root.get("a").expect("a key")).expect("a text");
        for (at, character) in read.text.trim_end().char_indices().filter(|(_, c)| c.is_alphabetic()) {
            let place = read.place_of(at, character.len_utf8()).expect("a place");
            proptest::prop_assert_eq!(&yaml[place.start..place.end], character.to_string(), "{}", yaml);
        }
    }
}
