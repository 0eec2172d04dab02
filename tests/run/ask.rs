//! What somebody asks a running bridge, or its state file: silences and the ledger.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::{Bridge, Command};
use crate::world::{HOOK, World};

const SOON: Duration = Duration::from_secs(20);
/// Longer than a mistake takes to be heard.
const QUIET: Duration = Duration::from_secs(3);

/// What a command prints: exit code, and both outputs.
fn ask(world: &World, subcommand: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(subcommand, world.folder.path());
    command.variable("USER", "ada").arguments(arguments);
    command.path("--state", &world.state());
    command.printed()
}

async fn started(world: &World) -> Bridge {
    fs::write(
        world.rules(),
        world.rule("failed", "when: object.status.phase == 'Failed'") + HOOK,
    )
    .unwrap();
    let bridge = world.command().start().await;
    bridge.ready().await;
    bridge
}

#[tokio::test]
async fn a_silence_made_on_the_command_line_survives_a_kill_and_ends_when_somebody_says_so() {
    let world = World::new("quiet").await;
    let database = world.database("orders").await;
    let bridge = started(&world).await;
    let matcher = format!("namespace={}", world.namespace);
    let add = [
        "add",
        "alertname=failed",
        &matcher,
        "--comment",
        "an upgrade",
        "--name",
        "upgrade",
    ];
    assert_eq!(
        ask(&world, "silence", &add),
        (Some(0), "upgrade\n".to_owned())
    );
    world.phase(&database, "Failed").await;
    bridge.says("silenced: upgrade: an upgrade").await;
    bridge.kill();

    let bridge = world.command().start().await;
    bridge.ready().await;
    let (code, listed) = ask(&world, "silence", &["list"]);
    assert_eq!(code, Some(0), "{listed}");
    for part in [
        "upgrade",
        "alertname=\"failed\"",
        "active",
        "ada",
        "command",
        "an upgrade",
    ] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    tokio::time::sleep(QUIET).await;
    assert!(world.webhook.messages().is_empty(), "{}", bridge.log());

    assert_eq!(
        ask(&world, "silence", &["expire", "upgrade"]),
        (Some(0), String::new())
    );
    world.webhook.wait_for(1, SOON).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(world.webhook.messages().len(), 1, "{}", bridge.log());

    // And somebody asks what it was.
    let object = format!("{}/orders", world.namespace);
    let (code, told) = ask(&world, "ledger", &["--object", &object]);
    assert_eq!(code, Some(0));
    let decisions: Vec<&str> = told
        .lines()
        .skip(1)
        .map(|line| line.split("   ").last().unwrap_or_default().trim())
        .collect();
    let silenced = decisions
        .iter()
        .filter(|it| it.starts_with("silenced: upgrade: an upgrade (until"));
    assert_eq!(silenced.count(), 1, "{told}");
    assert!(decisions.contains(&"firing"), "{told}");
    let (_, sent) = ask(
        &world,
        "ledger",
        &["--receiver", "hook", "--reason", "sent", "-o", "json"],
    );
    let sent: serde_json::Value = serde_json::from_str(sent.trim()).expect("one line");
    assert_eq!(
        (&sent["reason"], &sent["count"]),
        (&"sent".into(), &1.into())
    );
}

#[tokio::test]
async fn the_ledger_is_read_from_the_file_when_no_bridge_runs() {
    let world = World::new("ledger").await;
    let database = world.database("orders").await;
    let mut bridge = started(&world).await;
    world.phase(&database, "Failed").await;
    world.webhook.wait_for(1, SOON).await.unwrap();
    bridge.says("\"sent\"").await;
    bridge.signal("-TERM");
    bridge.end(SOON).await;
    let (code, told) = ask(&world, "ledger", &["--rule", "failed", "--since", "1h"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("firing"), "{told}");
    assert_eq!(
        ask(
            &world,
            "ledger",
            &["--since", "2000-01-01T00:00:00Z", "--rule", "other"]
        )
        .1,
        "nothing that fits was decided\n"
    );
    let (code, refused) = ask(&world, "silence", &["list"]);
    assert_eq!(code, Some(4), "{refused}");
    assert!(
        refused.starts_with("error: no bridge runs on "),
        "{refused}"
    );
}

#[tokio::test]
async fn what_a_receiver_refused_is_kept_through_a_kill_and_sent_again_when_somebody_says_so() {
    let world = World::new("dead").await;
    let database = world.database("orders").await;
    let bridge = started(&world).await;
    world.webhook.fail_next(1, 400, None);
    world.phase(&database, "Failed").await;
    bridge.says("\"refused").await;
    let list = |expected: &str| {
        let (code, listed) = ask(&world, "outbox", &["list", "--receiver", "hook"]);
        assert_eq!(code, Some(0), "{listed}");
        assert!(listed.contains(expected), "{expected}: {listed}");
    };
    list("   dead   ");
    list("firing hook{");
    bridge.kill();
    list("   dead   ");

    let bridge = world.command().start().await;
    bridge.ready().await;
    assert!(world.webhook.messages().is_empty(), "{}", bridge.log());
    let retried = ask(&world, "outbox", &["retry", "--dead"]);
    assert_eq!(retried, (Some(0), "1 message sent again\n".to_owned()));
    world.webhook.wait_for(1, SOON).await.unwrap();
    bridge.says("\"sent\"").await;
    list("everything is delivered");
    let (code, refused) = ask(&world, "outbox", &["drop", "nonsense"]);
    assert_eq!(code, Some(1), "{refused}");
    assert_eq!(refused, "error: there is no undelivered message nonsense\n");
}

#[tokio::test]
async fn of_what_waits_the_last_error_and_the_next_attempt_are_told_also_after_a_kill() {
    let world = World::new("waits").await;
    let database = world.database("orders").await;
    let bridge = started(&world).await;
    world
        .webhook
        .fail_next(1, 503, Some(Duration::from_hours(1)));
    world.phase(&database, "Failed").await;
    bridge.says("\"retrying").await;
    let listed = || {
        let (code, listed) = ask(&world, "outbox", &["list", "-o", "json"]);
        assert_eq!(code, Some(0), "{listed}");
        let letter: serde_json::Value = serde_json::from_str(listed.trim()).expect("one line");
        let moment =
            |name: &str| -> Timestamp { letter[name].as_str().expect(&listed).parse().unwrap() };
        let wait = moment("next").duration_since(moment("decidedAt"));
        assert!((3_600..3_700).contains(&wait.as_secs()), "{letter}");
        assert_eq!(letter["attempts"], 1);
        assert_eq!(letter["lastError"], "the webhook: HTTP 503: scripted");
        letter
    };
    let by_the_bridge = listed();
    let (_, table) = ask(&world, "outbox", &["list"]);
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].contains("NEXT ATTEMPT") && rows[0].contains("LAST ERROR"));
    assert!(
        rows[1].ends_with("the webhook: HTTP 503: scripted"),
        "{table}"
    );
    bridge.kill();
    assert_eq!(
        listed(),
        by_the_bridge,
        "the file says what the bridge said"
    );
    let bridge = world.command().start().await;
    bridge.ready().await;
    assert_eq!(listed(), by_the_bridge, "{}", bridge.log());
    assert!(world.webhook.messages().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_silence_is_said_before_anybody_is_asked() {
    let world = World::new("wrong-silence").await;
    let say = |arguments: &[&str]| {
        let all = [&["add", "--comment", "x"][..], arguments].concat();
        let (code, text) = ask(&world, "silence", &all);
        format!("{}: {text}", code.unwrap_or(-1))
    };
    insta::assert_snapshot!(say(&["alertname"]), @r#"
    2: error: "alertname" is no matcher: one of `=`, `!=`, `=~` and `!~` must stand before ``
    help: such as alertname=database-failed, 'team=~"db|storage"' (quoted for the shell)
    "#);
    insta::assert_snapshot!(say(&["alertname=~("]), @r#"
    2: error: "alertname=~(" is no matcher: `(` is no regular expression: unclosed group
    help: such as alertname=database-failed, 'team=~"db|storage"' (quoted for the shell)
    "#);
    insta::assert_snapshot!(say(&["alertname=~.*"]), @r#"
    2: error: the silence would match every alert
    help: such as alertname=database-failed, 'team=~"db|storage"' (quoted for the shell)
    "#);
    insta::assert_snapshot!(say(&["alertname=a", "--duration", "soon"]), @r#"
    2: error: --duration "soon": there is no number before `soon`
    help: such as 30m, 2h or 7d
    "#);
    insta::assert_snapshot!(say(&["alertname=a", "--end", "2020-01-01T00:00:00Z"]), @"
    2: error: the silence would be over at 2020-01-01T00:00:00Z, before it begins
    help: say --duration, or another --end
    ");
}
