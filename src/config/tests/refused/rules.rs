//! Rules.

use super::*;

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
      = help: known here: `watch`, `related`, `params`, `variables`, `when`, `on`, `until`, `for`, `keepFiringFor`, `severity`, `labels`, `labelExpressions`, `dedupKey`, `summary`, `description`, `runbook`, `notify`, `onDelete`, `onStartup`, `shadow`, `formerly`
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
fn related_objects_have_a_name_a_kind_and_a_way_to_them() {
    let related = [
        "{name: a-b, apiVersion: v1, kind: Pod}",
        "{name: pods, apiVersion: V1, kind: 'Pod*', via: [StatefulSet, apps/v1/]}",
        "{name: said, apiVersion: v1, kind: Event}",
        "{name: pods, apiVersion: v1, kind: Job}",
    ];
    let list: Vec<String> = related.iter().map(|one| format!("    - {one}\n")).collect();
    insta::assert_snapshot!(refused(&rule(&format!("  related:\n{}  when: 'true'\n", list.concat()))), @"
    error: `a-b` cannot be a name in an expression
     --> rules.yaml:7:14
      |
    7 |     - {name: a-b, apiVersion: v1, kind: Pod}
      |              ^^^
      |
      = help: letters, digits and `_`, not a digit first

    error: `V1` is no apiVersion
     --> rules.yaml:8:32
      |
    8 |     - {name: pods, apiVersion: V1, kind: 'Pod*', via: [StatefulSet, apps/v1/]}
      |                                ^^
      |
      = help: `group/version`, or `v1` for the core group; `kubectl api-resources` lists them

    error: `Pod*` is no kind
     --> rules.yaml:8:42
      |
    8 |     - {name: pods, apiVersion: V1, kind: 'Pod*', via: [StatefulSet, apps/v1/]}
      |                                          ^^^^^^
      |
      = help: as in a manifest: `Deployment`

    error: `StatefulSet` names no kind
     --> rules.yaml:8:56
      |
    8 |     - {name: pods, apiVersion: V1, kind: 'Pod*', via: [StatefulSet, apps/v1/]}
      |                                                        ^^^^^^^^^^^
      |
      = help: `group/version/Kind`: `apps/v1/StatefulSet`

    error: `apps/v1/` names no kind
     --> rules.yaml:8:69
      |
    8 |     - {name: pods, apiVersion: V1, kind: 'Pod*', via: [StatefulSet, apps/v1/]}
      |                                                                     ^^^^^^^^
      |
      = help: `group/version/Kind`: `apps/v1/StatefulSet`

    error: Events are not related by ownership
     --> rules.yaml:9:42
      |
    9 |     - {name: said, apiVersion: v1, kind: Event}
      |                                          ^^^^^
      |
      = help: `events` has those of the object and of its related objects

    error: two related lists are called `pods`
      --> rules.yaml:10:14
       |
     8 |     - {name: pods, apiVersion: V1, kind: 'Pod*', via: [StatefulSet, apps/v1/]}
       |              ---- first here
     9 |     - {name: said, apiVersion: v1, kind: Event}
    10 |     - {name: pods, apiVersion: v1, kind: Job}
       |              ^^^^
    ");
}
