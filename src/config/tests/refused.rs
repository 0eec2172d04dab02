//! Bad input: each with the exact report.

use super::*;

fn refused(text: &str) -> String {
    load(text).expect_err("it should be refused").to_string()
}

/// The messages alone, where the places are plain.
fn messages(text: &str) -> String {
    let diagnostics = load(text).expect_err("it should be refused");
    let message = |d: &crate::diagnostic::Diagnostic| {
        let place = d
            .place
            .as_ref()
            .map_or(String::new(), |place| format!("{place}: "));
        let help = d
            .help
            .as_ref()
            .map_or(String::new(), |help| format!(" ({help})"));
        format!("{place}{}{help}", d.message)
    };
    diagnostics
        .iter()
        .map(message)
        .collect::<Vec<_>>()
        .join("\n")
}

fn receiver(spec: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {{name: chat}}\nspec:\n{spec}"
    )
}

#[test]
fn an_unknown_key_shows_what_was_meant() {
    insta::assert_snapshot!(refused(&rule("  when: 'true'\n  severty: critical\n  owner: me\n")), @"
    error: unknown key `severty` in `spec`
     --> rules.yaml:7:3
      |
    7 |   severty: critical
      |   ^^^^^^^
      |
      = help: did you mean `severity`?

    error: unknown key `owner` in `spec`
     --> rules.yaml:8:3
      |
    8 |   owner: me
      |   ^^^^^
      |
      = help: known here: `watch`, `params`, `variables`, `when`, `on`, `until`, `for`, `keepFiringFor`, `severity`, `labels`, `labelExpressions`, `dedupKey`, `summary`, `description`, `runbook`, `notify`, `onDelete`, `onStartup`, `shadow`, `formerly`
    ");
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = rule(
        "  when: true
  on: object.spec.x != oldObject.spec.x
  for: 5
  keepFiringFor: soon
  severity: fatal
  shadow: yes
  labels: {severity: high, 1st: x}
  notify: nobody
  formerly:
",
    );
    insta::assert_snapshot!(messages(&text), @r#"
    rules.yaml:6:9: `when` takes a string, not a boolean (write it in quotes: `"true"`)
    rules.yaml:7:3: the rule has both `when` and `on` (make two rules of it)
    rules.yaml:8:8: `for`: 5 has no unit (write `5s`, `5m` or `5h`)
    rules.yaml:9:18: `keepFiringFor`: `soon` is neither a duration nor `params.NAME`: there is no number before `soon`
    rules.yaml:10:13: `fatal` is no value of `severity` (one of `info`, `warning`, `critical`)
    rules.yaml:11:11: `shadow` takes `true` or `false`, not a string
    rules.yaml:12:12: every alert has its own label `severity` (choose another name)
    rules.yaml:12:28: `1st` is no label name (letters, digits and `_`, not a digit first)
    rules.yaml:13:11: `notify` takes a list, not a string (a list of one is written `[nobody]`)
    rules.yaml:14:11: `formerly` takes a list, not nothing (give it a value, or leave the key out)
    "#);
}

#[test]
fn a_rule_has_exactly_one_of_when_and_on() {
    insta::assert_snapshot!(refused(&rule("  summary: nothing\n")), @"
    error: the rule has neither `when` nor `on`
     --> rules.yaml:4:1
      |
    4 | spec:
      | ^^^^
      |
      = help: `when:` takes a state (true as long as it lasts), `on:` an occurrence (told once), both in CEL
    ");
    insta::assert_snapshot!(refused(&rule("  when: a\n  on: b\n")), @"
    error: the rule has both `when` and `on`
     --> rules.yaml:7:3
      |
    6 |   when: a
      |   ---- a state
    7 |   on: b
      |   ^^ an occurrence
      |
      = help: make two rules of it
    ");
}

#[test]
fn an_occurrence_has_no_length_and_a_state_no_end() {
    insta::assert_snapshot!(refused(&rule("  on: a\n  for: 5m\n")), @"
    error: `for` belongs to `when`
     --> rules.yaml:7:3
      |
    7 |   for: 5m
      |   ^^^
      |
      = help: an occurrence (`on`) has no length; `until` says when it is over
    ");
    insta::assert_snapshot!(refused(&rule("  when: a\n  until: b\n")), @"
    error: `until` belongs to `on`
     --> rules.yaml:7:3
      |
    7 |   until: b
      |   ^^^^^
      |
      = help: a state (`when`) is over when it is no longer true
    ");
}

#[test]
fn two_documents_of_one_name_show_both_places() {
    let files = [
        ("a.yaml", rule("  when: a\n")),
        ("b.yaml", rule("  when: b\n")),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let error = load_with(&files, &LoadOptions::default()).expect_err("two rules of one name");
    insta::assert_snapshot!(error, @"
    error: two rules are called `failed`
     --> b.yaml:3:18
      |
    3 | metadata: {name: failed}
      |                  ^^^^^^ again here
      |
     ::: a.yaml:3:18
      |
    3 | metadata: {name: failed}
      |                  ------ first here
    ");
}

#[test]
fn a_receiver_that_does_not_exist_shows_the_nearest() {
    let text = rule("  when: a\n  notify: [chat, caht]\n") + "---" + super::RECEIVER;
    insta::assert_snapshot!(refused(&text), @"
    error: there is no receiver `caht`
     --> rules.yaml:7:18
      |
    7 |   notify: [chat, caht]
      |                  ^^^^
      |
      = help: did you mean `chat`?
    ");
    insta::assert_snapshot!(messages(&rule("  when: a\n  notify: [chat]\n")), @"rules.yaml:7:12: there is no receiver `chat` (there are no receivers in the rules path)");
}

#[test]
fn a_hold_names_a_param_that_is_a_duration() {
    let text = "  when: a\n  params: {hold: 5, wait: 5m}\n  for: params.hold\n  keepFiringFor: params.wiat\n";
    insta::assert_snapshot!(refused(&rule(text)), @"
    error: `for`: param `hold` is 5, not a duration
     --> rules.yaml:8:8
      |
    7 |   params: {hold: 5, wait: 5m}
      |                  - its value
    8 |   for: params.hold
      |        ^^^^^^^^^^^
      |
      = help: write it with its unit: `5m`

    error: `keepFiringFor`: there is no param `wiat`
     --> rules.yaml:9:18
      |
    9 |   keepFiringFor: params.wiat
      |                  ^^^^^^^^^^^
      |
      = help: did you mean `wait`?
    ");
}

#[test]
fn the_wrong_kind_or_version_is_named() {
    let document =
        |version: &str, kind: &str| messages(&format!("apiVersion: {version}\nkind: {kind}\n"));
    let all = [
        document("bellwether.dev/v1alpha1", "Rul"),
        document("bellwether.dev/v1alpha1", "Silence"),
        document("bellwether.dev/v1", "Rule"),
        document("belwether.dev/v1alpha1", "Rule"),
        document("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        messages("kind: Rule\n"),
        messages("- a\n- b\n"),
        messages(
            "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nname: x\nspecs: {}\nmetadata: {name: X}\n",
        ),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    rules.yaml:2:7: there is no kind `Rul` in bellwether.dev (did you mean `Rule`?)
    rules.yaml:2:7: kind `Silence` is not supported in this version (take the document out of the rules path)
    rules.yaml:1:13: `bellwether.dev/v1` is not supported (write `apiVersion: bellwether.dev/v1alpha1`)
    rules.yaml:1:13: unknown apiVersion `belwether.dev/v1alpha1` (did you mean `bellwether.dev/v1alpha1`?)
    rules.yaml:1:13: a `CustomResourceDefinition` of `apiextensions.k8s.io/v1` is not for Bellwether (only documents of `bellwether.dev/v1alpha1` belong in the rules path; keep others elsewhere)
    rules.yaml:1:1: `apiVersion` is missing
    rules.yaml:1:1: a document is a mapping with `apiVersion` and `kind`, not a list
    rules.yaml:3:1: unknown key `name` (it belongs under `metadata`: `metadata: {name: …}`)
    rules.yaml:4:1: unknown key `specs` (did you mean `spec`?)
    rules.yaml:5:18: `X` is no name that Kubernetes takes (lower-case letters, digits, `-` and `.`, a letter or digit first and last)
    ");
}

#[test]
fn what_is_missing_is_named() {
    let text = "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {name: x}\n";
    insta::assert_snapshot!(messages(text), @"rules.yaml:1:1: `spec` is missing");
    insta::assert_snapshot!(messages(&format!("{text}spec: {{when: a, watch: {{kind: Pod}}}}\n")), @"rules.yaml:4:24: `watch` lacks `apiVersion`");
    insta::assert_snapshot!(messages("# nothing but a comment\n"), @"there are no rules (rules.yaml was read; a rule is a document with `kind: Rule`)");
    insta::assert_snapshot!(messages(" \n"), @"rules.yaml is empty");
}

#[test]
fn yaml_that_is_none_shows_where_it_breaks() {
    insta::assert_snapshot!(refused("a: b: c\n"), @"
    error: not valid YAML: mapping values are not allowed in this context
     --> rules.yaml:1:5
      |
    1 | a: b: c
      |     ^
      |
      = help: a text that contains `: ` needs quotes around it, or a block: `key: >-` and the text indented below
    ");
    insta::assert_snapshot!(refused("spec:\n\twhen: a\n"), @"
    error: not valid YAML: tabs disallowed within this context (block indentation)
     --> rules.yaml:2:2
      |
    2 |     when: a
      |     ^
      |
      = help: indent with spaces; YAML does not allow tabs there
    ");
    insta::assert_snapshot!(refused("summary: {{object.metadata.name}}\n"), @"
    error: not valid YAML: expected string scalar
     --> rules.yaml:1:11
      |
    1 | summary: {{object.metadata.name}}
      |           ^
      |
      = help: a text that begins with `{{` needs quotes around it
    ");
    insta::assert_snapshot!(refused("a: [1, 2\nb: 3\n"), @"
    error: not valid YAML: illegal placement of ':' indicator
     --> rules.yaml:2:2
      |
    2 | b: 3
      |  ^
    ");
    insta::assert_snapshot!(refused("a: 1\nb: 2\na: 3\n"), @"
    error: `apiVersion` is missing
     --> rules.yaml:1:1
      |
    1 | a: 1
      | ^

    error: `kind` is missing
     --> rules.yaml:1:1
      |
    1 | a: 1
      | ^

    error: `a` is there twice
     --> rules.yaml:3:1
      |
    1 | a: 1
      | - first here
    2 | b: 2
    3 | a: 3
      | ^
    ");
    insta::assert_snapshot!(refused("a: !!python/object x\n"), @"
    error: not valid YAML: unsupported tag '!!python/object'
     --> rules.yaml:1:20
      |
    1 | a: !!python/object x
      |                    ^
    ");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..10 {
        text += &format!(
            "a{n}: &a{n} [{}]\n",
            vec![format!("*a{}", n - 1); 10].join(",")
        );
    }
    insta::assert_snapshot!(messages(&text), @"rules.yaml:5:10: not valid YAML: its aliases stand for too much");
    let deep = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    insta::assert_snapshot!(messages(&deep), @"rules.yaml:1:259: not valid YAML: recursion limit exceeded (it is nested too deeply)");
}

#[test]
fn a_secret_in_the_document_is_refused_and_not_shown() {
    let text = receiver(
        "  pagerduty: {routingKey: 0123456789abcdef}
  webhook:
    url: https://user:hunter2@example.com/
    headers: {Authorization: Bearer hunter2, X-Team: db}
    bearerToken: {env: A, file: b}
    hmac: {secret: {}}
",
    );
    let report = refused(&text);
    assert!(!report.contains("hunter2") && !report.contains("0123456789abcdef"));
    insta::assert_snapshot!(report, @"
    error: `routingKey` is a secret and cannot stand in the document
     --> rules.yaml:5:27
      |
    5 |   pagerduty: {routingKey: ****************}
      |                           ^^^^^^^^^^^^^^^^
      |
      = help: say where the secret is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`

    error: the receiver names both `pagerduty` and `webhook`
     --> rules.yaml:6:3
      |
    6 |   webhook:
      |   ^^^^^^^
      |
      = help: exactly one of `slack`, `pagerduty`, `webhook`

    error: `url` has a password in it
     --> rules.yaml:7:10
      |
    7 |     url: *********************************
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: use `basic`, or keep the whole address elsewhere: `url: {env: NAME}`

    error: the header `Authorization` is a secret and cannot stand in the document
     --> rules.yaml:8:15
      |
    8 |     headers: {Authorization: **************, X-Team: db}
      |               ^^^^^^^^^^^^^
      |
      = help: say where it is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`

    error: `bearerToken` needs exactly one of `env`, `file`, `secretKeyRef`
     --> rules.yaml:9:18
      |
    9 |     bearerToken: {env: A, file: b}
      |                  ^

    error: `secret` needs exactly one of `env`, `file`, `secretKeyRef`
      --> rules.yaml:10:20
       |
    10 |     hmac: {secret: {}}
       |                    ^
    ");
    let slack = refused(&receiver(
        "  slack:\n    webhookUrl: https://hooks.slack.com/services/T0/B0/xyz\n",
    ));
    assert!(!slack.contains("xyz"));
    insta::assert_snapshot!(slack, @"
    error: `webhookUrl` is a secret and cannot stand in the document
     --> rules.yaml:6:17
      |
    6 |     webhookUrl: ******************************************
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: say where the secret is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`
    ");
}

#[test]
fn a_receiver_that_cannot_work_is_refused() {
    let text = receiver(
        "  webhook: {url: example.com, method: GET, successCodes: [200, 1000], headers: {'a b': c}}
  groupBy: [alertname, ...]
  groupInterval: 0s
  limit: {notifications: 0, per: 1}
  maxInFlight: -1
",
    );
    insta::assert_snapshot!(messages(&text), @"
    rules.yaml:5:18: `url` is no address (write `https://…`)
    rules.yaml:5:39: `GET` sends no body (`POST`, `PUT` or `PATCH`)
    rules.yaml:5:64: 1000 is no HTTP status
    rules.yaml:5:81: `a b` is no header's name
    rules.yaml:6:24: `...` stands for all labels, and alone (write `groupBy: [...]`)
    rules.yaml:7:18: `groupInterval` is at least one second, not `0s`
    rules.yaml:8:26: `notifications` takes a whole number, at least 1, not 0
    rules.yaml:8:34: `per`: 1 has no unit (write `1s`, `1m` or `1h`)
    rules.yaml:9:16: `maxInFlight` takes a whole number, at least 1, not -1
    ");
    insta::assert_snapshot!(messages(&receiver("  sendResolved: false\n")), @"rules.yaml:4:1: the receiver names no service (exactly one of `slack`, `pagerduty`, `webhook`)");
}

#[test]
fn a_watch_that_the_api_could_not_serve_is_refused() {
    let text = "apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: x, namespace: tenant}
spec:
  when: a
  watch:
    apiVersion: stable.example.com
    kind: databaseinstances.stable
    labelSelector: tier in (gold
    fieldSelector: metadata.name
    namespaces: [tenant, other, Bad_Name]
";
    insta::assert_snapshot!(messages(text), @"
    rules.yaml:7:17: `stable.example.com` is no apiVersion (`group/version`, or `v1` for the core group; `kubectl api-resources` lists them)
    rules.yaml:8:11: `databaseinstances.stable` is no kind (as in a manifest: `Deployment`)
    rules.yaml:9:20: `tier in (gold` lacks a `)`
    rules.yaml:10:20: `fieldSelector`: `metadata.name` is not `path=value` or `path!=value`
    rules.yaml:11:26: a rule in namespace `tenant` sees only that namespace, not `other`
    rules.yaml:11:33: `Bad_Name` is no namespace's name
    ");
}

#[test]
fn names_in_expressions_are_names_and_unique() {
    let text = rule(
        "  when: a
  params: {max-age: 1h, in: 2}
  variables: [{name: ready, expression: a}, {name: ready, expression: b}, {name: 2nd, expression: c}]
  labels: {team: x}
  labelExpressions: {team: y}
",
    );
    insta::assert_snapshot!(messages(&text), @"
    rules.yaml:7:12: `max-age` cannot be a name in an expression (letters, digits and `_`, not a digit first)
    rules.yaml:7:25: `in` is a word of CEL and cannot be a name
    rules.yaml:8:52: two variables are called `ready`
    rules.yaml:8:82: `2nd` cannot be a name in an expression (letters, digits and `_`, not a digit first)
    rules.yaml:10:22: label `team` is in `labels` too
    ");
}

#[test]
fn a_former_name_is_not_another_rules_name() {
    let other = rule("  when: a\n").replace("name: failed", "name: other")
        + "  formerly: [failed, older]\n";
    insta::assert_snapshot!(messages(&(rule("  when: a\n") + "---\n" + &other)), @"rules.yaml:14:14: `formerly`: a rule is called `failed` now");
}

#[test]
fn an_override_that_fits_nowhere_is_refused() {
    let text = rule("  when: a\n  params: {hold: 5m, threshold: 0.9}\n  for: params.hold\n");
    let with = |param: &str| {
        let options = LoadOptions {
            params: vec![param.to_owned()],
            ..LoadOptions::default()
        };
        load_with(&[("rules.yaml", &text)], &options)
            .map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    };
    let all = [
        "hodl=5s",
        "failed.hodl=5s",
        "faild.hold=5s",
        "hold",
        "threshold=high",
        "hold=soon",
        "failed.hold=5s",
    ];
    insta::assert_snapshot!(all.map(with).join("\n"), @"
    error: param `hodl`: no rule has param `hodl`
     |
     = help: did you mean `hold`?
    error: param `failed.hodl`: rule `failed` has no param `hodl`
     |
     = help: did you mean `hold`?
    error: param `faild.hold`: there is no rule `faild`
     |
     = help: did you mean `failed`?
    error: param `hold` has no value
     |
     = help: write `NAME=VALUE` or `RULE.NAME=VALUE`
    error: param `threshold`: `high` is not a number, as it is in rule `failed`
    error: `for`: param `hold` is not a duration: there is no number before `soon`
     --> rules.yaml:8:8
      |
    7 |   params: {hold: 5m, threshold: 0.9}
      |                  -- its value
    8 |   for: params.hold
      |        ^^^^^^^^^^^
    ok
    ");
}

#[test]
fn a_path_that_is_not_there_shows_its_neighbour() {
    let root = tempfile::tempdir().expect("a directory");
    let at = |name: &str| root.path().join(name);
    std::fs::write(at("rules.yaml"), b"a: \xff\n").expect("written");
    std::fs::write(at("big.yaml"), " ".repeat(5 << 20)).expect("written");
    std::fs::create_dir(at("empty")).expect("created");
    let report = |name: &str| {
        let error =
            Configuration::load(&[at(name)], &LoadOptions::default()).expect_err("no rules");
        error
            .to_string()
            .replace(&root.path().display().to_string(), "DIR")
    };
    insta::assert_snapshot!(["rule.yaml", "rules.yaml", "big.yaml", "empty"].map(report).join("\n\n"), @"
    error: DIR/rule.yaml does not exist
     |
     = help: did you mean `DIR/rules.yaml`?

    error: not UTF-8
     --> DIR/rules.yaml:1:4
      |
    1 | a: �
      |    ^
      |
      = help: save the file as UTF-8

    error: DIR/big.yaml is larger than 4 MiB
     |
     = help: is it a file of rules? if so, split it

    error: there are no rules
     |
     = help: no `.yaml` or `.yml` file was found; a rule is a document with `kind: Rule`
    ");
}
