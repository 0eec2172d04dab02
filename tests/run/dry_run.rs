//! `dry-run` as people use it: on the cluster as it is, following it, and on files.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use jiff::Timestamp;

use crate::world::World;

/// The program, seeing neither a kubeconfig nor a credential that is not given to it.
fn dry_run(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command
        .env_clear()
        .args(["dry-run", "--rules"])
        .arg(world.rules())
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn live(world: &World, arguments: &[&str]) -> Command {
    let mut command = dry_run(world, arguments);
    command
        .arg("--kubeconfig")
        .arg(world.user.kubeconfig().unwrap());
    command
}

/// What it printed, with moments and the namespace replaced, and its exit code.
fn shown(world: &World, output: &Output) -> String {
    let code = output.status.code().unwrap();
    let [out, err] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    let text = format!("{out}{err}(exit code {code})").replace(&world.namespace, "NAMESPACE");
    let words = text.split_inclusive([' ', '\n', '"']).map(|word| {
        let end = word.trim_end_matches([' ', '\n', '"']);
        match end.parse::<Timestamp>() {
            Ok(_) => word.replace(end, "MOMENT"),
            Err(_) => word.to_owned(),
        }
    });
    let text: String = words.collect();
    let text = match text.split_once("fires in ") {
        Some((before, after)) => {
            let rest = after.find(' ').map_or("", |end| &after[end..]);
            format!("{before}fires in SOME TIME{rest}")
        }
        None => text,
    };
    // Columns are as wide as the namespace's name: one space is as good as many.
    let lines = text.lines().map(|line| {
        let cells = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>().join("  ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub fn run(world: &World, command: &mut Command) -> String {
    shown(world, &command.output().unwrap())
}

pub fn on_text(world: &World, arguments: &[&str], text: &str) -> String {
    let mut command = dry_run(world, arguments);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    shown(world, &child.wait_with_output().unwrap())
}

fn manifest(phase: &str) -> String {
    format!(
        "apiVersion: stable.example.com/v1\nkind: DatabaseInstance\n\
         metadata: {{name: orders, namespace: NAMESPACE}}\nstatus: {{phase: {phase}}}\n---\n"
    )
}

#[tokio::test]
async fn the_cluster_as_it_is_now_is_a_table_and_an_exit_code() {
    let world = World::new("dry").await;
    world.write_rules("5m", "");
    let (orders, carts) = (
        world.database("orders").await,
        world.database("carts").await,
    );
    world.phase(&orders, "Failed").await;
    world.phase(&carts, "Running").await;
    assert_snapshot!(run(&world, &mut live(&world, &[])), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-failed  DatabaseInstance/NAMESPACE/orders  pending  MOMENT  true, fires in SOME TIME  chat,pager,hook
    2 objects, 1 rule: 0 firing, 1 pending, 0 resolved, 0 unknown; 0 notifications would have been sent
    (exit code 0)
    ");
    assert_snapshot!(run(&world, &mut live(&world, &["--assume-held", "--exit-code", "--all"])), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-failed  DatabaseInstance/NAMESPACE/carts  ok  -  not true  -
    database-failed  DatabaseInstance/NAMESPACE/orders  firing  MOMENT  true  chat,pager,hook
    2 objects, 1 rule: 1 firing, 0 pending, 0 resolved, 0 unknown; 3 notifications would have been sent
    (exit code 3)
    ");
    assert_snapshot!(run(&world, &mut live(&world, &["--assume-held", "-o", "json"])), @r#"
    {"rule":"database-failed","object":{"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","namespace":"NAMESPACE","name":"orders"},"state":"firing","since":"MOMENT","until":null,"reason":"true","notifies":["chat","pager","hook"]}
    2 objects, 1 rule: 1 firing, 0 pending, 0 resolved, 0 unknown; 3 notifications would have been sent
    (exit code 0)
    "#);
    let only = ["--rule", "database-failed", "--object", "carts", "--all"];
    assert_snapshot!(run(&world, &mut live(&world, &only)), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-failed  DatabaseInstance/NAMESPACE/carts  ok  -  not true  -
    2 objects, 1 rule: 0 firing, 0 pending, 0 resolved, 0 unknown; 0 notifications would have been sent
    (exit code 0)
    ");
    let later = Timestamp::now() + jiff::SignedDuration::from_mins(6);
    let then = ["--at", &later.to_string(), "--object", "orders"];
    assert_snapshot!(run(&world, &mut live(&world, &then)), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-failed  DatabaseInstance/NAMESPACE/orders  firing  MOMENT  true  chat,pager,hook
    2 objects, 1 rule: 1 firing, 0 pending, 0 resolved, 0 unknown; 3 notifications would have been sent
    (exit code 0)
    ");
    assert_snapshot!(run(&world, &mut live(&world, &["--rule", "databse-failed"])), @r#"
    error: there is no rule "databse-failed"
    help: `bellwether dry-run` without --rule names those that there are
    (exit code 2)
    "#);
    assert_snapshot!(run(&world, &mut live(&world, &["--at", "2026-01-01T00:00:00Z"])), @"
    error: --at MOMENT has passed: the cluster says only what is so now
    help: give a later moment, or a recording with --from
    (exit code 2)
    ");
    assert!(world.slack.accepted().is_empty() && world.webhook.accepted().is_empty());
}

#[tokio::test]
async fn what_would_be_sent_is_shown_without_credentials() {
    let world = World::new("rendered").await;
    world.write_rules("0s", "");
    let database = world.database("orders").await;
    world.phase(&database, "Failed").await;
    let secret = world.slack.webhook_url("alerts");
    let mut command = live(&world, &["-o", "rendered"]);
    command
        .env("SLACK_WEBHOOK_URL", &secret)
        .env("PAGERDUTY_ROUTING_KEY", "f".repeat(32));
    let text = run(&world, &mut command);
    for payload in [
        "--- to chat at",
        "--- to pager at",
        "--- to hook at",
        "\"event_action\": \"trigger\"",
        "\"blocks\"",
    ] {
        assert!(text.contains(payload), "{payload} is missing: {text}");
    }
    assert!(
        !text.contains(&secret) && !text.contains(&"f".repeat(32)),
        "{text}"
    );
}

/// A dry run that follows; it is killed when the test ends.
struct Following {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Following {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, lines) = std::sync::mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .try_for_each(|line| said.send(line))
        });
        Self { child, lines }
    }

    /// The next line with these words.
    fn says(&self, words: &str) -> String {
        let within = Duration::from_secs(20);
        loop {
            let line = self.lines.recv_timeout(within);
            let line =
                line.unwrap_or_else(|_| panic!("it did not say {words:?} within {within:?}"));
            if line.contains(words) {
                return line;
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn following_tells_what_changes_until_it_is_interrupted() {
    let world = World::new("follow").await;
    world.write_rules("2s", "");
    let database = world.database("orders").await;
    world.phase(&database, "Failed").await;
    let mut following = Following::start(&mut live(&world, &["--watch"]));
    following.says("pending");
    world.phase(&database, "Running").await;
    let withdrawn = following.says("orders");
    assert!(
        withdrawn.contains("was not held for long enough"),
        "{withdrawn}"
    );
    world.phase(&database, "Failed").await;
    following.says("pending");
    following.says("firing");
    world.phase(&database, "Running").await;
    let resolved = following.says("resolved");
    assert!(resolved.contains("no longer true"), "{resolved}");

    let interrupt = Command::new("kill")
        .args(["-INT", &following.child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let status = following.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    let mut summary = String::new();
    std::io::Read::read_to_string(&mut following.child.stderr.take().unwrap(), &mut summary)
        .unwrap();
    assert!(summary.contains("1 resolved"), "{summary}");
    assert!(world.webhook.accepted().is_empty());
}

#[tokio::test]
async fn manifests_and_recordings_are_played_from_a_file_or_standard_input() {
    let world = World::new("files").await;
    world.write_rules("5m", "");
    // The rule watches the test's namespace.
    let here = |text: &str| text.replace("NAMESPACE", &world.namespace);
    let states = here(&[manifest("Failed"), manifest("Running")].concat());
    assert_snapshot!(on_text(&world, &["--from", "-", "--all"], &states), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-failed  DatabaseInstance/NAMESPACE/orders  ok  -  not true  -
    1 object, 1 rule: 0 firing, 0 pending, 0 resolved, 0 unknown; 0 notifications would have been sent
    (exit code 0)
    ");

    let line = |kind: &str, at: &str, phase: &str| {
        format!(
            r#"{{"type":"{kind}",{at}"object":{{"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","metadata":{{"name":"orders","namespace":"{}","uid":"u"}},"status":{{"phase":"{phase}"}}}}}}"#,
            world.namespace
        )
    };
    let day = [
        line("ADDED", r#""at":"0s","#, "Running"),
        line("MODIFIED", r#""at":"1m","#, "Failed"),
        line("MODIFIED", r#""at":"7m","#, "Failed"),
    ];
    let file = world.folder.path().join("day.json");
    std::fs::write(&file, day.join("\n")).unwrap();
    let file = file.to_string_lossy().into_owned();
    assert_snapshot!(run(&world, &mut dry_run(&world, &["--from", &file, "--exit-code"])), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-failed  DatabaseInstance/NAMESPACE/orders  firing  MOMENT  true  chat,pager,hook
    1 object, 1 rule: 1 firing, 0 pending, 0 resolved, 0 unknown; 3 notifications would have been sent
    (exit code 3)
    ");
    let without_times = [line("ADDED", "", "Failed"), line("MODIFIED", "", "Running")].join("\n");
    assert_snapshot!(on_text(&world, &["--from", "-"], &without_times), @"
    1 object, 1 rule: 0 firing, 0 pending, 0 resolved, 0 unknown; 0 notifications would have been sent
    (exit code 0)
    ");

    let cut = &day.join("\n")[..400];
    assert_snapshot!(on_text(&world, &["--from", "-"], cut), @"
    error: -:3: the JSON that begins here has no end: was the recording cut?
    (exit code 1)
    ");
    assert_snapshot!(on_text(&world, &["--from", "-"], "kind: Pod\n---\nat: soon\n"), @"
    error: -:1: no apiVersion, kind and metadata.name, so it is no object (a name such as 1 is text only in quotes)
    error: -:3: at `soon` is neither a moment (RFC 3339) nor an offset such as 30s
    (exit code 1)
    ");
    assert_snapshot!(run(&world, &mut dry_run(&world, &["--from", "/no/such/file"])), @"
    error: /no/such/file: No such file or directory (os error 2)
    help: --from takes a file of YAML or JSON, or - for standard input
    (exit code 1)
    ");
}
