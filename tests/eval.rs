//! `bellwether eval` and `bellwether explain`: the real binary, its output and its exit code.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const OBJECT: &str = r"
apiVersion: stable.example.com/v1
kind: DatabaseInstance
metadata: {name: orders, namespace: prod}
spec: {replicas: 3, version: '16'}
status:
  phase: Failed
  lastBackupTime: 2026-11-22T12:00:00Z
  conditions: [{type: Ready, status: 'False'}, {type: Synced, status: 'True'}]
";

const RULES: &str = r"
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: database-failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed' && object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')
  for: 5m
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: version-changed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  'on': object.spec.version != oldObject.spec.version
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: oncall}
spec: {webhook: {url: {env: HOOK}}}
";

/// Runs the binary in a directory; exit code, standard output and standard error in one text.
fn bellwether(directory: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it has a standard input");
    // It need not read it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    format!(
        "exit {}\n{}{}",
        output.status.code().expect("no signal ended it"),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn eval(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("a file is written");
    };
    write("object.yaml", OBJECT);
    write("old.yaml", &OBJECT.replace("'16'", "'15'"));
    write(
        "events.yaml",
        "apiVersion: v1\nkind: Event\nmetadata: {name: a}\ntype: Warning\nreason: Late\n\
         lastTimestamp: 2026-11-22T11:00:00Z\ninvolvedObject: {kind: DatabaseInstance, name: orders}\n\
         ---\napiVersion: v1\nkind: Event\nmetadata: {name: b}\ntype: Warning\nreason: Later\n\
         lastTimestamp: 2026-11-22T11:30:00Z\ninvolvedObject: {kind: DatabaseInstance, name: orders}\n",
    );
    let arguments = [&["eval"], arguments].concat();
    bellwether(directory.path(), &arguments, OBJECT)
}

#[test]
fn a_value_comes_with_its_type_and_what_it_depends_on() {
    insta::assert_snapshot!(eval(&["1 + 2"]), @"
    exit 0
    value     3
    type      int
    reads     nothing
    by time   does not change
    ");
    insta::assert_snapshot!(eval(&["-1 + params.x.size()", "--param", "x=[1, 2]"]), @"
    exit 0
    value     1
    type      int
    reads     params.x[]?
    by time   does not change
    ");
    insta::assert_snapshot!(eval(&["object.status.phase + params.x", "--object", "-", "--param", "x=!"]), @r#"
    exit 0
    value     "Failed!"
    type      string
    reads     object.status.phase, params.x
    by time   does not change
    "#);
    insta::assert_snapshot!(eval(&[
        "now - timestamp(object.status.lastBackupTime) > duration('24h')",
        "--object", "object.yaml", "--now", "2026-11-23T00:00:00Z",
    ]), @"
    exit 0
    value     false
    type      bool
    reads     now, object.status.lastBackupTime
    by time   changes at 2026-11-23T12:00:00.000000001Z at the earliest
    ");
}

#[test]
fn the_object_before_and_events_are_seen() {
    insta::assert_snapshot!(eval(&[
        "changed(object.spec.version) && change == 'MODIFIED'", "--object", "object.yaml", "--old", "old.yaml", "-o", "json",
    ]), @r#"
    exit 0
    {"type":"bool","value":true,"reads":["change","object.spec.version","oldObject.spec.version"],"next":null}
    "#);
    insta::assert_snapshot!(eval(&[
        "[event.reason] + events.map(e, e.reason)", "--events", "events.yaml", "-o", "json",
    ]), @r#"
    exit 0
    {"type":"list","value":["Later","Later","Late"],"reads":["event.reason","events[].reason","events[]?"],"next":null}
    "#);
}

#[test]
fn what_is_wrong_is_underlined() {
    insta::assert_snapshot!(eval(&["objct.a = 1"]), @"
    exit 1
    error: '=' has no meaning here
     --> expression:1:9
      |
    1 | objct.a = 1
      |         ^
      |
      = help: a comparison is written '=='
    ");
    insta::assert_snapshot!(eval(&["timestamp(object.status.phase) < now", "--object", "object.yaml"]), @"
    exit 1
    error: 'Failed' is not a time in RFC 3339, as in 2026-11-22T18:00:00Z
     --> expression:1:1
      |
    1 | timestamp(object.status.phase) < now
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at object.status.phase
    ");
    insta::assert_snapshot!(eval(&["object.status.nothing == ''", "--object", "object.yaml", "--strict"]), @"
    exit 1
    error: there is no key 'nothing'
     --> expression:1:1
      |
    1 | object.status.nothing == ''
      | ^^^^^^^^^^^^^^^^^^^^^ at object.status.nothing
    ");
    insta::assert_snapshot!(eval(&["objct.a", "-o", "json"]), @r#"
    exit 1
    {"error":"there is nothing called 'objct' here","line":1,"column":1,"help":"did you mean 'object'?"}
    "#);
    insta::assert_snapshot!(eval(&["object.status.phase > 1", "--object", "object.yaml", "-o", "json"]), @r#"
    exit 1
    {"unknown":{"error":"string > int is not possible","line":1,"column":1,"path":"object.status.phase"},"reads":["object.status.phase"]}
    "#);
    insta::assert_snapshot!(eval(&["object.a"]), @"
    exit 1
    error: there is no object here
     --> expression:1:1
      |
    1 | object.a
      | ^^^^^^^^ at object.a
      |
      = help: --object, --old and --events say what there is
    ");
    insta::assert_snapshot!(eval(&["1", "--object", "missing.yaml"]), @"
    exit 1
    error: missing.yaml: No such file or directory (os error 2)
    help: --object takes a file of YAML or JSON, or - for standard input
    ");
    insta::assert_snapshot!(eval(&["1", "--param", "x"]), @r#"
    exit 2
    error: --param "x" has no '='
    help: write it as NAME=VALUE
    "#);
}

#[test]
fn a_batch_has_an_answer_for_every_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let lines = [
        r#"{"expr": "object.a + 1", "object": {"a": 1}}"#,
        r#"{"expr": "x.y == params.z", "vars": {"x": {"y": 1}}, "params": {"z": 1.0}}"#,
        r#"{"expr": "now > timestamp('2026-01-01T00:00:00Z')", "now": "2026-11-22T12:00:00Z"}"#,
        r#"{"expr": "became(object.a == 2)", "object": {"a": 2}, "oldObject": {"a": 1}}"#,
        r#"{"expr": "object.a > 'x'", "object": {"a": 1}}"#,
        r#"{"expr": "1 +"}"#,
        r#"{"expression": "1"}"#,
        "\u{fffd}",
        r#"{"expr": "2u"}"#,
    ];
    insta::assert_snapshot!(bellwether(directory.path(), &["eval", "--batch"], &lines.join("\n")), @r#"
    exit 0
    {"type":"int","value":2,"reads":["object.a"],"next":null}
    {"type":"bool","value":true,"reads":["params.z","x.y"],"next":null}
    {"type":"bool","value":true,"reads":["now"],"next":null}
    {"type":"bool","value":true,"reads":["object.a","oldObject.a"],"next":null}
    {"unknown":{"error":"int > string is not possible","line":1,"column":1,"path":"object.a"},"reads":["object.a"]}
    {"error":"the expression ends too early","line":1,"column":4}
    {"error":"the line is not understood: unknown field `expression`, expected one of `expr`, `object`, `oldObject`, `events`, `params`, `vars`, `now` at line 1 column 13"}
    {"error":"the line is not understood: expected value at line 1 column 1"}
    {"type":"uint","value":2,"reads":[],"next":null}
    "#);
    insta::assert_snapshot!(eval(&["x + 1", "--var", "x=41"]), @"
    exit 0
    value     42
    type      int
    reads     x
    by time   does not change
    ");
    insta::assert_snapshot!(eval(&["x", "--var", "x=y"]), @r#"
    exit 2
    error: --var "x=y": expected value at line 1 column 1
    help: a text is JSON in double quotes: --var 'name="text"'
    "#);
}

fn explain(arguments: &[&str], documents: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("rules.yaml"), RULES).expect("a file is written");
    let rest = ["--rules", "rules.yaml", "--from", "-"];
    let arguments = [&["explain"], arguments, &rest].concat();
    bellwether(directory.path(), &arguments, documents)
}

#[test]
fn a_rule_is_explained_part_by_part() {
    let at = ["--at", "2026-11-23T12:00:00Z"];
    insta::assert_snapshot!(explain(&[&["database-failed", "prod/orders"][..], &at].concat(), OBJECT), @r#"
    exit 0
    rule      database-failed
    object    DatabaseInstance/prod/orders
    state     pending since 2026-11-23T12:00:00Z: true, fires in 5m0s
              fires at 2026-11-23T12:05:00Z
    notifies  oncall
    when      is true

    * object.status.phase == 'Failed' && object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False') = true
    *   object.status.phase == 'Failed' = true
    *     object.status.phase = "Failed"
    *   object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False') = true
    *     object.status.conditions = [{"status":"False","type":"Ready"},{"status":"True","type":"Synced"}]
    *     [{"status":"False","type":"Ready"}] c.type == 'Ready' && c.status == 'False' = true
    *       c.type == 'Ready' = true
    *         c.type = "Ready"
    *       c.status == 'False' = true
    *         c.status = "False"
    "#);
    let healthy = OBJECT.replace("Failed", "Running");
    insta::assert_snapshot!(explain(&[&["database-failed", "orders", "-o", "json"][..], &at].concat(), &healthy), @r#"
    exit 0
    {"rule":"database-failed","when":"object.status.phase == 'Failed' && object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')","verdict":"false","why":null,"next":null,"alerts":[{"rule":"database-failed","object":{"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","namespace":"prod","name":"orders"},"state":"ok","since":null,"until":null,"reason":"not true","notifies":[]}],"related":[],"tree":{"source":"object.status.phase == 'Failed' && object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')","type":"bool","decided":true,"parts":[{"source":"object.status.phase == 'Failed'","type":"bool","decided":true,"parts":[{"source":"object.status.phase","type":"string","decided":true,"parts":[],"value":"Running"}],"value":false}],"value":false}}
    "#);
}

#[test]
fn a_hold_that_is_over_fires_and_a_change_is_told() {
    let held = format!("{OBJECT}at: 2026-11-23T11:00:00Z\n");
    insta::assert_snapshot!(explain(
        &["database-failed", "DatabaseInstance/prod/orders", "--at", "2026-11-23T12:00:00Z"], &held
    ), @r#"
    exit 0
    rule      database-failed
    object    DatabaseInstance/prod/orders
    state     firing since 2026-11-23T11:00:00Z: true
    notifies  oncall
    when      is true

    * object.status.phase == 'Failed' && object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False') = true
    *   object.status.phase == 'Failed' = true
    *     object.status.phase = "Failed"
    *   object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False') = true
    *     object.status.conditions = [{"status":"False","type":"Ready"},{"status":"True","type":"Synced"}]
    *     [{"status":"False","type":"Ready"}] c.type == 'Ready' && c.status == 'False' = true
    *       c.type == 'Ready' = true
    *         c.type = "Ready"
    *       c.status == 'False' = true
    *         c.status = "False"
    "#);
    let changed = format!("{}---{OBJECT}at: 10s\n", OBJECT.replace("'16'", "'15'"));
    insta::assert_snapshot!(explain(&["version-changed", "orders"], &changed).lines().filter(|line| !line.starts_with("state")).collect::<Vec<_>>().join("\n"), @r#"
    exit 0
    rule      version-changed
    object    DatabaseInstance/prod/orders
    notifies  oncall
    on        is true

    * object.spec.version != oldObject.spec.version = true
    *   object.spec.version = "16"
    *   oldObject.spec.version = "15"
    "#);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    insta::assert_snapshot!(explain(&["database-faild", "orders"], OBJECT), @r#"
    exit 2
    error: there is no rule "database-faild"
    help: the rules are database-failed, version-changed
    "#);
    insta::assert_snapshot!(explain(&["database-failed", "order"], OBJECT), @r#"
    exit 2
    error: database-failed watches no object "order"
    help: it watches DatabaseInstance/prod/orders
    "#);
    let two = format!(
        "{OBJECT}---{}",
        OBJECT.replace("namespace: prod", "namespace: test")
    );
    insta::assert_snapshot!(explain(&["database-failed", "orders"], &two), @r#"
    exit 2
    error: "orders" may be several objects
    help: write one of DatabaseInstance/prod/orders, DatabaseInstance/test/orders
    "#);
}

const CRD: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: stable.example.com
  names: {kind: DatabaseInstance}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          properties:
            spec: {properties: {replicas: {type: integer}, ratio: {type: number}}}
            status: {properties: {phase: {enum: [Failed, Running], type: string}, lastBackupTime: {type: string, format: date-time}}}
";

#[test]
fn an_expression_goes_by_the_schema_that_it_is_given() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("a file");
    };
    write("object.yaml", OBJECT);
    write("crd.yaml", CRD);
    let eval = |expression: &str, more: &[&str]| {
        let given = ["eval", expression, "--object", "object.yaml", "-o", "json"];
        bellwether(directory.path(), &[&given, more].concat(), "")
    };
    let time = "object.status.lastBackupTime == timestamp('2026-11-22T13:00:00+01:00')";
    insta::assert_snapshot!(eval(time, &["--schema", "crd.yaml"]), @r#"
    exit 0
    {"type":"bool","value":true,"reads":["object.status.lastBackupTime"],"next":null}
    "#);
    insta::assert_snapshot!(eval(time, &[]), @r#"
    exit 0
    {"type":"bool","value":false,"reads":["object.status.lastBackupTime"],"next":null}
    "#);
    insta::assert_snapshot!(eval("object.status.phse == 'Failed'", &["--schema", "crd.yaml"]), @r#"
    exit 1
    {"error":"no field 'phse' in DatabaseInstance.status, did you mean 'phase'?","line":1,"column":15}
    "#);
    insta::assert_snapshot!(eval("object.status.phase == 'Faild'", &["--schema", "."]), @r#"
    exit 1
    {"error":"object.status.phase is never 'Faild', did you mean 'Failed'?","line":1,"column":24}
    "#);
    insta::assert_snapshot!(eval("true", &["--schema", "object.yaml"]), @"
    exit 1
    error: there are no CRDs in these files
     |
     = help: a CRD is a document with `kind: CustomResourceDefinition`
    ");
}
