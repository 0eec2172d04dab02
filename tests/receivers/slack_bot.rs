//! A bot's messages: one for each group, changed in place, with a thread below.

use std::sync::Arc;
use std::time::Instant;

use bellwether::alert::{Alert, State};
use bellwether::config::{Link, Mention, Mentions, Service, Slack, SlackWay};
use bellwether::decision::Ending;
use bellwether::names::{Fingerprint, NotificationId};
use bellwether::notify::{Cause, Notification, Status};
use bellwether::outbox::{Delivery, Outcome, Posted};
use bellwether_testkit::receivers;

use super::{Receiver, SECOND, attempt, file, notification, receiver, why};

const TOKEN: &str = "xoxb-XXXSECRETXXX";

struct Chat {
    slack: receivers::Slack,
    receiver: Receiver,
    /// What the core remembers.
    posted: Option<Posted>,
    _file: tempfile::NamedTempFile,
}

impl Chat {
    async fn open() -> Self {
        let slack = receivers::Slack::start().await.unwrap();
        slack.channel("databases");
        let (file, token) = file(TOKEN);
        let service = Service::Slack(Slack {
            way: SlackWay::Bot {
                token,
                channel: "#databases".into(),
                base_url: slack.base_url(),
            },
            username: None,
            icon: None,
            mentions: Mentions {
                critical: vec![
                    Mention::parse("here").unwrap(),
                    Mention::parse("U024BE7LH").unwrap(),
                ],
                ..Mentions::default()
            },
            buttons: vec![Link {
                text: "Silence".into(),
                url: "https://bells.example/silence?rule={{rule.name}}&on={{alert.name}}".into(),
            }],
        });
        Self {
            slack,
            receiver: receiver(service),
            posted: None,
            _file: file,
        }
    }

    /// Tells as the outbox does: what was posted is remembered, whatever came of the attempt.
    async fn tell(&mut self, told: &Notification) -> Outcome {
        let posted = self.posted.clone();
        let Delivery { outcome, post } = attempt(&self.receiver, told, posted).await;
        if let Some(post) = post {
            self.posted = Some(Posted {
                post,
                by: told.id.clone(),
                at: told.at,
            });
        }
        outcome
    }

    fn picture(&self) -> String {
        self.slack.picture("databases").to_string()
    }

    /// The message and its thread, by how often each was changed.
    fn shape(&self) -> Vec<(bool, usize)> {
        let posts = self.slack.picture("databases").0;
        posts
            .iter()
            .map(|it| (it.thread.is_some(), it.changes))
            .collect()
    }
}

fn alert(name: &str, state: State) -> Arc<Alert> {
    let mut alert = (*notification(Cause::New, Status::Firing).alerts[0]).clone();
    alert.fingerprint = Fingerprint::of(&[name]);
    alert.object.name = name.into();
    alert.state = state;
    alert.texts.summary = Some(format!("{name} is <down>").into());
    alert.texts.description = Some("Its disk is full.\nSince the backup.".into());
    alert.texts.runbook = Some("https://runbooks.example/database-failed".into());
    if state == State::Resolved {
        alert.resolution = Some(bellwether::alert::Resolution {
            at: "2026-11-22T12:05:00Z".parse().unwrap(),
            reason: Ending::Cleared,
        });
    }
    Arc::new(alert)
}

/// The group's n-th notification; the first alert is new in it.
fn told(number: u32, cause: Cause, alerts: Vec<Arc<Alert>>) -> Notification {
    let status = match cause {
        Cause::Resolved => Status::Resolved,
        _ => Status::Firing,
    };
    let firing = alerts.iter().filter(|alert| alert.state == State::Firing);
    let first = firing.take(1).map(|alert| alert.fingerprint).collect();
    Notification {
        id: NotificationId::from(format!("n-{number}")),
        opens: cause == Cause::New,
        first,
        alerts,
        ..notification(cause, status)
    }
}

#[tokio::test]
async fn a_group_is_one_message_that_changes_and_what_people_wrote_stays() {
    let mut chat = Chat::open().await;
    let firing = |name| alert(name, State::Firing);
    let first = told(1, Cause::New, vec![firing("orders")]);
    assert_eq!(chat.tell(&first).await, Outcome::Accepted);
    let thread = chat.posted.clone().unwrap().post.ts;
    chat.slack.say("databases", &thread, "I am looking at it");
    let second = told(2, Cause::Changed, vec![firing("users"), firing("orders")]);
    assert_eq!(chat.tell(&second).await, Outcome::Accepted);
    let over = |name| alert(name, State::Resolved);
    let third = told(3, Cause::Resolved, vec![over("users"), over("orders")]);
    assert_eq!(chat.tell(&third).await, Outcome::Accepted);
    insta::assert_snapshot!(chat.picture(), @"
    ┌─ Slack #databases
    │ ━━ ✅ database-failed: 2 resolved
    │ ▏ ✅ *prod/users* users is <down>
    │ ▏ ✅ *prod/orders* orders is <down>
    │ ▏ [Runbook](https://runbooks.example/database-failed) [Silence](https://bells.example/silence?rule=database-failed&on=users)
    │ ▏ · Bellwether, 2026-11-22 12:00 UTC
    └─ (edited)
       ↳ │ Its disk is full.
       ↳ │ Since the backup.
       ↳ └─
       ↳ │ I am looking at it
       ↳ └─
       ↳ │ ‹PINGS !here› ‹PINGS @U024BE7LH› 🔥 *prod/users* users is <down>
       ↳ └─
       ↳ │ ✅ *prod/users* resolved after 17m: no longer true
       ↳ │ ✅ *prod/orders* resolved after 17m: no longer true
       ↳ └─
    ");
    let message = &chat.slack.picture("databases").0[0].message;
    assert_eq!(
        message.payload["attachments"][0]["color"], "#2eb67d",
        "green"
    );
}

#[tokio::test]
async fn the_first_message_mentions_who_is_called_and_links_to_what_helps() {
    let mut chat = Chat::open().await;
    let first = told(1, Cause::New, vec![alert("a/b c", State::Firing)]);
    assert_eq!(chat.tell(&first).await, Outcome::Accepted);
    insta::assert_snapshot!(chat.picture(), @"
    ┌─ Slack #databases
    │ ━━ 🔴 database-failed: DatabaseInstance prod/a/b c
    │ ‹PINGS !here› ‹PINGS @U024BE7LH›
    │ ▏ *a/b c is <down>*
    │ ▏ *Object* DatabaseInstance prod/a/b c *Severity* critical
    │ ▏ *Cluster* prod-eu                    *Since* 2026-11-22 11:48 UTC
    │ ▏ [Runbook](https://runbooks.example/database-failed) [Silence](https://bells.example/silence?rule=database-failed&on=a%2Fb%20c)
    │ ▏ · Bellwether, 2026-11-22 12:00 UTC
    └─
       ↳ │ Its disk is full.
       ↳ │ Since the backup.
       ↳ └─
    ");
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_posted_anew() {
    let mut chat = Chat::open().await;
    let first = told(1, Cause::New, vec![alert("orders", State::Firing)]);
    assert_eq!(chat.tell(&first).await, Outcome::Accepted);
    let deleted = chat.posted.clone().unwrap().post.ts;
    chat.slack.delete("databases", &deleted);
    let still = told(2, Cause::Repeat, vec![alert("orders", State::Firing)]);
    assert_eq!(chat.tell(&still).await, Outcome::Accepted);
    assert_ne!(chat.posted.clone().unwrap().post.ts, deleted);
    assert_eq!(chat.shape(), [(false, 0), (true, 0)]);
}

#[tokio::test]
async fn a_message_whose_thread_failed_is_not_posted_twice() {
    let mut chat = Chat::open().await;
    let first = told(1, Cause::New, vec![alert("orders", State::Firing)]);
    chat.slack.enforce_pace(60 * SECOND);
    let outcome = chat.tell(&first).await;
    insta::assert_snapshot!(why(outcome), @r#"retry after 1m: Slack: HTTP 429: {"ok":false,"error":"ratelimited"}"#);
    assert_eq!(chat.shape(), [(false, 0)]);
    chat.slack.enforce_pace(SECOND / 2);
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(chat.tell(&first).await, Outcome::Accepted);
    assert_eq!(chat.shape(), [(false, 1), (true, 0)]);
    assert!(chat.picture().contains("Its disk is full."), "the details");
}

#[tokio::test]
async fn a_channel_gets_one_message_a_second() {
    let mut chat = Chat::open().await;
    chat.slack.enforce_pace(SECOND);
    let began = Instant::now();
    let first = told(1, Cause::New, vec![alert("orders", State::Firing)]);
    assert_eq!(chat.tell(&first).await, Outcome::Accepted);
    assert!(began.elapsed() >= SECOND);
    assert_eq!(chat.slack.refused().len(), 0);
}

#[tokio::test]
async fn slacks_words_say_whether_another_attempt_helps_and_what_to_do() {
    let mut chat = Chat::open().await;
    let first = told(1, Cause::New, vec![alert("orders", State::Firing)]);
    let mut lines = Vec::new();
    for word in [
        "ratelimited",
        "internal_error",
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "invalid_auth",
        "missing_scope",
        "msg_too_long",
        "restricted_action",
    ] {
        chat.slack.refuse_calls(1, word);
        lines.push(why(chat.tell(&first).await));
    }
    chat.slack.fail_next(1, 429, Some(30 * SECOND));
    lines.push(why(chat.tell(&first).await));
    chat.slack.fail_next(1, 503, None);
    lines.push(why(chat.tell(&first).await));
    assert!(!lines.concat().contains("XXXSECRETXXX"));
    assert_eq!(chat.shape(), []);
    insta::assert_snapshot!(lines.join("\n"), @r#"
    retry: Slack: HTTP 200: {"ok":false,"error":"ratelimited"}
    retry: Slack: HTTP 200: {"ok":false,"error":"internal_error"}
    refused: Slack: channel_not_found; the channel is gone, or the bot may not see it: choose another, or invite the bot
    refused: Slack: is_archived; the channel is gone, or the bot may not see it: choose another, or invite the bot
    refused: Slack: not_in_channel; invite the bot to the channel
    refused: Slack: invalid_auth; the bot's token is not one that Slack knows: install the app again
    refused: Slack: missing_scope; give the app this scope and install it again
    refused: Slack: msg_too_long; the message is not one that Slack takes: look at the receiver's template
    refused: Slack: restricted_action; an administrator of Slack does not allow it there
    retry after 30s: Slack: HTTP 429: rate_limited
    retry: Slack: HTTP 503: rollup_error
    "#);
}

#[tokio::test]
async fn a_message_that_may_not_be_changed_is_posted_anew_and_a_busy_slack_is_asked_again() {
    let mut chat = Chat::open().await;
    let first = told(1, Cause::New, vec![alert("orders", State::Firing)]);
    assert_eq!(chat.tell(&first).await, Outcome::Accepted);
    let over = told(2, Cause::Resolved, vec![alert("orders", State::Resolved)]);
    chat.slack.refuse_calls(1, "ratelimited");
    assert!(matches!(chat.tell(&over).await, Outcome::Retry { .. }));
    assert_eq!(chat.shape(), [(false, 0), (true, 0)]);
    chat.slack.refuse_calls(1, "cant_update_message");
    assert_eq!(chat.tell(&over).await, Outcome::Accepted);
    let news = chat.slack.picture("databases").0;
    let news: Vec<_> = news.iter().filter(|post| post.thread.is_none()).collect();
    assert_eq!(news.len(), 2);
    assert!(
        news[1].message.text.contains("resolved"),
        "{}",
        news[1].message.text
    );
}
