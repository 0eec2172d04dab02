//! Tests that pass, tests that fail and say why, and how many a second.

use std::fmt::Write as _;
use std::fs;

use insta::assert_snapshot;

use super::*;

const RULES: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  params: {hold: 5m}
  when: object.status.phase == 'Failed'
  for: params.hold
  severity: critical
  summary: \"{{object.metadata.name}} failed\"
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: upgraded}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  on: object.spec.version != oldObject.spec.version
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec:
  webhook: {url: 'https://in.example', body: '{\"text\": \"{{title}}\", \"n\": {{len alerts}}}'}
---
";

const APPLY: &str = "apiVersion: stable.example.com/v1, kind: DatabaseInstance, \
                     metadata: {name: orders, namespace: prod}";

fn rule_test(name: &str, spec: &str) -> String {
    let spec = spec.replace("ORDERS", APPLY);
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: RuleTest\nmetadata: {{name: {name}}}\nspec:\n{spec}\n---\n"
    )
}

/// What the tests say.
fn play(tests: &[String]) -> String {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("rules.yaml");
    fs::write(&path, RULES.to_owned() + &tests.concat()).expect("a file");
    let files = Files {
        rules: vec![path],
        ..Files::default()
    };
    let text = match Suite::read(&files, &|_| true) {
        Err(problems) => problems.human(false),
        Ok(suite) => {
            let told = suite.play().map(|outcome| {
                if outcome.is_ok() {
                    format!("ok {}", outcome.name)
                } else {
                    outcome.diagnostics().human(false)
                }
            });
            told.collect::<Vec<_>>().join("\n")
        }
    };
    text.replace(&*folder.path().to_string_lossy(), "DIR")
}

#[test]
fn a_hold_a_resolve_and_the_payload_are_as_expected() {
    let test = rule_test(
        "holds",
        "  rules: [failed]
  timeline:
    - {at: 0s, apply: {ORDERS, status: {phase: Failed}}}
    - {at: 6m, apply: {status: {phase: null}}}
  expect:
    - {at: 299s, alerts: [{state: pending, name: orders}], notifications: []}
    - {at: 5m, alerts: [{state: firing}], notifications: [{receiver: hook, status: firing, payload: {n: 1}}]}
    - {at: 10m, alerts: [], notifications: [{status: resolved}]}",
    );
    assert_eq!(play(&[test]), "ok holds");
}

#[test]
fn a_payload_is_compared_by_what_is_named_or_exactly() {
    let test = |name: &str, payload: &str, exactly: bool| {
        rule_test(
            name,
            &format!(
                "  rules: [failed]
  timeline:
    - {{at: 0s, apply: {{ORDERS, status: {{phase: Failed}}}}}}
  expect:
    - {{at: 5m, exactly: {exactly}, notifications: [{{receiver: hook, payload: {payload}}}]}}"
            ),
        )
    };
    let whole = "{text: 'failed: DatabaseInstance prod/orders', n: 1}";
    assert_eq!(play(&[test("some", "{n: 1}", false)]), "ok some");
    assert_eq!(play(&[test("all", whole, true)]), "ok all");
    let less = play(&[test("less", "{n: 1}", true)]);
    assert!(
        less.contains("payload.text: not expected, is \"failed: DatabaseInstance prod/orders\""),
        "{less}"
    );
}

#[test]
fn what_is_not_as_expected_is_said_field_by_field_at_its_line() {
    let test = rule_test(
        "wrong",
        "  rules: [failed]
  timeline:
    - {at: 0s, apply: {ORDERS, status: {phase: Failed}}}
  expect:
    - {at: 1m, alerts: [{state: firing, name: orders}]}
    - {at: 4m59s, alerts: []}
    - {at: 5m, notifications: []}
    - {at: 6m, alerts: [{name: orders}, {name: carts}]}",
    );
    assert_snapshot!(play(&[test]), @r#"
    error: wrong: at 1m
           expected alert {"state":"firing","name":"orders"}
             state: expected "firing", is "pending"
      --> DIR/rules.yaml:33:7
       |
    33 |     - {at: 1m, alerts: [{state: firing, name: orders}]}
       |       ^

    error: wrong: at 5m
           unexpected notification {"receiver":"hook","status":"firing","cause":"new","title":"failed: DatabaseInstance prod/orders"}
      --> DIR/rules.yaml:35:7
       |
    35 |     - {at: 5m, notifications: []}
       |       ^

    error: wrong: at 6m
           expected alert {"name":"carts"}
      --> DIR/rules.yaml:36:7
       |
    36 |     - {at: 6m, alerts: [{name: orders}, {name: carts}]}
       |       ^
    "#);
}

#[test]
fn a_silence_keeps_an_alert_back_for_as_long_as_it_lasts() {
    let test = rule_test(
        "silence",
        "  rules: [failed]
  given: [{ORDERS, status: {phase: Failed}}]
  timeline:
    - {at: 1m, silence: {matchers: [alertname = failed], for: 1h}}
    - {at: 20m, restart: true}
    - {at: 30m, silence: {for: 0s}}
  expect:
    - {at: 29m, alerts: [{state: firing}], notifications: []}
    - {at: 31m, notifications: [{receiver: hook, status: firing}]}
    - {at: 3h, notifications: []}",
    );
    assert_snapshot!(play(&[test]), @"ok silence");
}

/// A cluster that has failed, its database, and a database that nobody owns, which fail too.
const OWNED: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: cluster-failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: Cluster}
  when: object.status.phase == 'Failed'
---
apiVersion: bellwether.dev/v1alpha1
kind: Inhibition
metadata: {name: clusters-explain}
spec:
  source: {matchers: [alertname = cluster-failed]}
  target: {matchers: [alertname = failed]}
  owner: true
---
";

#[test]
fn a_failed_cluster_mutes_its_databases_and_no_others() {
    let test = rule_test(
        "owner",
        "  rules: [failed, cluster-failed]
  given:
    - apiVersion: stable.example.com/v1
      kind: Cluster
      metadata: {name: east, namespace: prod}
      status: {phase: Failed}
    - apiVersion: stable.example.com/v1
      kind: DatabaseInstance
      metadata:
        name: owned
        namespace: prod
        ownerReferences: [{apiVersion: stable.example.com/v1, kind: Cluster, name: east}]
      status: {phase: Failed}
    - {ORDERS, status: {phase: Failed}}
  timeline:
    - {at: 10m, restart: true}
    - at: 20m
      apply:
        apiVersion: stable.example.com/v1
        kind: Cluster
        metadata: {name: east, namespace: prod}
        status: {phase: Running}
  expect:
    - {at: 1m, notifications: [{title: 'cluster-failed: Cluster prod/east'}]}
    - {at: 19m, notifications: [{alerts: [{labels: {name: orders}}]}]}
    - at: 30m
      notifications: [{status: resolved}, {alerts: [{labels: {name: orders}}, {labels: {name: owned}}]}]",
    );
    assert_eq!(play(&[OWNED.to_owned(), test]), "ok owner");
}

#[test]
fn a_restart_a_reload_a_deletion_and_a_deaf_receiver_happen_as_they_do() {
    let test = rule_test(
        "life",
        "  rules: [failed]
  given: [{ORDERS, status: {phase: Failed}}]
  timeline:
    - {at: 1m, restart: true}
    - {at: 2m, reload: {params: {hold: 3m}}}
    - {at: 2m30s, receiver: {name: hook, answer: retry, retryAfter: 5m}}
    - {at: 4m, receiver: {name: hook, answer: accepted}}
    - {at: 20m, delete: {}}
  expect:
    - {at: 3m, alerts: [{state: firing, since: '2026-01-01T00:00:00Z'}], notifications: []}
    - {at: 7m59s, notifications: []}
    - {at: 8m, notifications: [{status: firing}]}
    - {at: 21m, alerts: [], notifications: [{status: resolved, alerts: [{reason: the object was deleted}]}]}",
    );
    let upgrade = rule_test(
        "upgrade",
        "  rules: [upgraded]
  timeline:
    - {at: 0s, apply: {ORDERS, spec: {version: '16'}}}
    - {at: 1m, apply: {spec: {version: '17'}}}
    - {at: 2m, restart: true}
  expect:
    - {at: 5m, notifications: [{cause: occurred}]}",
    );
    assert_eq!(play(&[test, upgrade]), "ok life\nok upgrade");
}

#[test]
fn a_test_that_cannot_be_played_says_why() {
    let unknown = rule_test("unknown", "  rules: [faild]\n  expect: []");
    assert_snapshot!(play(&[unknown]), @"
    error: unknown tests `faild`, and there is no such rule
      --> DIR/rules.yaml:27:18
       |
    27 | metadata: {name: unknown}
       |                  ^^^^^^^
    ");
    let typo = rule_test("typo", "  timelin: []\n  expect: [{at: 5, alerts: []}]");
    assert_snapshot!(play(&[typo]), @"
    error: unknown key `timelin` in `spec`
      --> DIR/rules.yaml:29:3
       |
    29 |   timelin: []
       |   ^^^^^^^
       |
       = help: did you mean `timeline`?

    error: `at`: 5 has no unit
      --> DIR/rules.yaml:30:17
       |
    30 |   expect: [{at: 5, alerts: []}]
       |                 ^
       |
       = help: write `5s`, `5m` or `5h`
    ");
    let steps = [
        rule_test(
            "nothing",
            "  timeline: [{at: 1s, delete: {}}]\n  expect: []",
        ),
        rule_test("params", "  params: {hodl: 1m}\n  expect: []"),
        rule_test(
            "receiver",
            "  timeline: [{at: 1s, receiver: {name: chat, answer: refused}}]\n  expect: []",
        ),
    ];
    assert_snapshot!(play(&steps), @"
    error: nothing: there is no object yet that it could be about: say its kind and name
      --> DIR/rules.yaml:29:14
       |
    29 |   timeline: [{at: 1s, delete: {}}]
       |              ^
    error: params: its rules cannot be loaded
           error: param `hodl`: no rule has param `hodl`
            |
            = help: did you mean `hold`?
      --> DIR/rules.yaml:34:18
       |
    34 | metadata: {name: params}
       |                  ^^^^^^
    error: receiver: there is no receiver `chat`
      --> DIR/rules.yaml:43:14
       |
    43 |   timeline: [{at: 1s, receiver: {name: chat, answer: refused}}]
       |              ^
    ");
}

#[test]
fn a_thousand_tests_of_ten_steps_are_played() {
    let mut tests = Vec::new();
    for number in 0..1_000 {
        let mut spec = String::from("  rules: [failed]\n  timeline:\n");
        for step in 0..10 {
            let phase = if step % 2 == 0 { "Failed" } else { "Running" };
            let _ = writeln!(
                spec,
                "    - {{at: {}m, apply: {{ORDERS, status: {{phase: {phase}}}}}}}",
                step * 6
            );
        }
        spec.push_str(
            "  expect: [{at: 5m, notifications: [{receiver: hook}]}, {at: 2h, alerts: []}]",
        );
        tests.push(rule_test(&format!("t{number}"), &spec));
    }
    let told = play(&tests);
    assert_eq!(told.lines().count(), 1_000);
    assert!(told.lines().all(|line| line.starts_with("ok ")), "{told}");
}

/// An alert lives four times as long there as it takes to hear of it again.
#[test]
fn an_alertmanager_hears_of_what_fires_every_minute_and_of_its_end() {
    let alertmanager = "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {name: am}\n\
                        spec: {alertmanager: {url: 'http://am.example'}}\n---\n";
    let test = rule_test(
        "again",
        "  rules: [failed]
  timeline:
    - {at: 0s, apply: {ORDERS, status: {phase: Failed}}}
    - {at: 9m30s, apply: {status: {phase: Running}}}
  expect:
    - {at: 5m, notifications: [{receiver: am, cause: new}], orMore: true}
    - {at: 6m, notifications: [{receiver: am, cause: repeat}]}
    - {at: 9m, notifications: [{receiver: am}, {receiver: am}, {receiver: am}]}
    - {at: 11m, notifications: [{receiver: am, status: resolved}], orMore: true}
    - {at: 60m, notifications: []}",
    );
    assert_eq!(play(&[alertmanager.to_owned(), test.clone()]), "ok again");
    // Whatever a route says: it would forget the alert.
    let route = "apiVersion: bellwether.dev/v1alpha1\nkind: Route\nmetadata: {name: all}\n\
                 spec: {receivers: [am, hook], groupBy: [cluster], repeatInterval: 4h}\n---\n";
    let all = [alertmanager.to_owned(), route.to_owned(), test];
    assert_eq!(play(&all), "ok again");
}
