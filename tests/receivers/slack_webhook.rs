//! An incoming webhook of Slack: every kind of message, every kind of answer, and the pace.

use std::time::Instant;

use bellwether::deliver::Deliverer;
use bellwether::notify::{Cause, Status};
use bellwether::outbox::Outcome;
use bellwether_testkit::receivers;

use super::{
    Arc, Named, Receiver, SECOND, attempt_by, by_webhook, file, fire, notification, receiver, send,
    why,
};

/// A Slack stand-in, a receiver for it, and the file that its URL is in.
pub(super) async fn slack() -> (receivers::Slack, Receiver, tempfile::NamedTempFile) {
    let slack = receivers::Slack::start().await.unwrap();
    let (file, webhook_url) = file(&slack.webhook_url("XXXSECRETXXX"));
    let service = by_webhook(webhook_url);
    (slack, receiver(service), file)
}

#[tokio::test]
async fn slack_takes_every_kind_of_message() {
    let (slack, receiver, _file) = slack().await;
    for (cause, status) in [
        (Cause::New, Status::Firing),
        (Cause::Resolved, Status::Resolved),
        (Cause::Occurred, Status::Firing),
        (Cause::Heartbeat, Status::Firing),
        (Cause::Drill, Status::Firing),
    ] {
        let outcome = send(&receiver, &notification(cause, status)).await;
        assert_eq!(outcome, Outcome::Accepted, "{cause:?}");
    }
    assert_eq!(slack.messages().len(), 5);
    insta::assert_snapshot!(slack.messages()[0], @"
    ┌─ Slack #XXXSECRETXXX
    │ ━━ 🔴 database-failed: DatabaseInstance prod/orders
    │ ▏ *orders <failed> & is down*
    │ ▏ *Object* DatabaseInstance prod/orders *Severity* critical
    │ ▏ *Cluster* prod-eu                    *Since* 2026-11-22 11:48 UTC
    │ ▏ · Bellwether, 2026-11-22 12:00 UTC
    └─
    ");
}

#[tokio::test]
async fn an_incoming_webhook_gets_one_message_a_second_whichever_receivers_share_it() {
    let (slack, receiver, _file) = slack().await;
    slack.enforce_pace(SECOND);
    let mut shares_it = receiver.clone();
    shares_it.name = "second".into();
    let receivers = [receiver, shares_it];
    let deliverer = Deliverer::new(&receivers, Arc::new(Named)).ok().unwrap();
    let began = Instant::now();
    let [first, second] = receivers.each_ref().map(|one| attempt_by(&deliverer, one));
    let told = tokio::join!(first, second);
    assert_eq!(told, (Outcome::Accepted, Outcome::Accepted));
    assert!(slack.refused().is_empty(), "{:?}", slack.refused());
    assert!(began.elapsed() >= SECOND, "one of the two waited");
}

#[tokio::test]
async fn slacks_refusals_are_final_and_its_failures_are_not() {
    let (slack, receiver, _file) = slack().await;
    let host = slack.base_url().replace("http://", "");
    let mut told = Vec::new();
    for (status, wait) in [
        (404, None),
        (403, None),
        (410, None),
        (429, Some(30 * SECOND)),
        (500, None),
    ] {
        slack.fail_next(1, status, wait);
        told.push(why(fire(&receiver).await));
    }
    slack.reset_connections(1);
    told.push(why(fire(&receiver).await).replace(&host, "HOST"));
    slack.answer_too_late(1, SECOND);
    told.push(why(fire(&receiver).await).replace(&host, "HOST"));
    slack.redirect_next(1, 302, "https://elsewhere.example/secret/path");
    told.push(why(fire(&receiver).await));
    insta::assert_snapshot!(told.join("\n"), @"
    refused: Slack: no_service; the webhook was removed or its URL is wrong: make a new one in Slack
    refused: Slack: action_prohibited; an administrator of Slack does not allow it there
    refused: Slack: channel_is_archived; the channel is gone, or the bot may not see it: choose another, or invite the bot
    retry after 30s: Slack: HTTP 429: rate_limited
    retry: Slack: HTTP 500: rollup_error
    retry: HOST: Connection reset by peer (os error 104)
    retry: HOST: no answer within 500ms
    refused: Slack: HTTP 302 to elsewhere.example; redirects are not followed: give the final address
    ");
    assert!(!told.join("\n").contains("XXXSECRETXXX"));
}
