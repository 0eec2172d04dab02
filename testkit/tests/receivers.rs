//! What every stand-in does over a real connection: answers, faults, records.

use std::time::{Duration, Instant};

use bellwether_testkit::receivers::{PagerDuty, Slack, Webhook};
use reqwest::Client;
use serde_json::json;

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_millis(500)).build().unwrap()
}

async fn post(client: &Client, url: &str) -> reqwest::Result<reqwest::Response> {
    client
        .post(url)
        .json(&json!({"text": "hello"}))
        .send()
        .await
}

#[tokio::test]
async fn slack_answers_in_plain_text_and_shows_the_message() {
    let slack = Slack::start().await.unwrap();
    let answer = post(&client(), &slack.webhook_url("alerts")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "ok");
    let message = &slack.wait_for(1, Duration::from_secs(1)).await.unwrap()[0];
    assert_eq!(
        (message.channel.as_str(), message.text.as_str()),
        ("alerts", "hello")
    );
}

#[tokio::test]
async fn slack_refuses_a_url_that_is_no_webhook() {
    let slack = Slack::start().await.unwrap();
    let answer = post(&client(), &format!("{}/services/T0", slack.base_url()))
        .await
        .unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.text().await.unwrap().as_str()
        ),
        (404, "no_team")
    );
    assert_eq!(slack.refused()[0].why, "/services/T0 is not a webhook");
}

#[tokio::test]
async fn pagerduty_opens_and_resolves_an_incident() {
    let pagerduty = PagerDuty::start().await.unwrap();
    let url = format!("{}/v2/enqueue", pagerduty.base_url());
    for action in ["trigger", "resolve"] {
        let event = json!({"routing_key": "0".repeat(32), "event_action": action, "dedup_key": "k",
                           "payload": {"summary": "db failed", "source": "shop/orders", "severity": "critical"}});
        let answer = client().post(&url).json(&event).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    let incidents = pagerduty.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].title(), "db failed");
    assert_eq!(
        incidents[0].state,
        bellwether_testkit::receivers::pagerduty::State::Resolved
    );
}

#[tokio::test]
async fn scripted_failures_come_in_order_and_then_it_works_again() {
    let slack = Slack::start().await.unwrap();
    let (client, url) = (client(), slack.webhook_url("alerts"));
    slack.fail_next(1, 429, Some(Duration::from_secs(30)));
    slack.fail_next(2, 500, None);

    let limited = post(&client, &url).await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "30");
    assert_eq!(limited.text().await.unwrap(), "rate_limited");
    for _ in 0..2 {
        assert_eq!(post(&client, &url).await.unwrap().status(), 500);
    }
    assert_eq!(post(&client, &url).await.unwrap().status(), 200);
    assert_eq!((slack.messages().len(), slack.refused().len()), (1, 3));
}

#[tokio::test]
async fn a_reset_is_a_reset_and_nothing_is_accepted() {
    let webhook = Webhook::start().await.unwrap();
    webhook.reset_connections(1);
    let error = post(&client(), &webhook.base_url()).await.unwrap_err();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
        error.source()
    });
    let last = causes.last().unwrap().to_string();
    assert!(last.contains("reset by peer"), "{last}");
    assert_eq!((webhook.messages().len(), webhook.resets()), (0, 1));
    assert_eq!(
        post(&client(), &webhook.base_url()).await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn an_answer_too_late_was_heard_all_the_same() {
    let webhook = Webhook::start().await.unwrap();
    webhook.answer_too_late(1, Duration::from_secs(5));
    assert!(
        post(&client(), &webhook.base_url())
            .await
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(webhook.messages().len(), 1);
}

#[tokio::test]
async fn a_slow_receiver_hears_only_after_its_delay_until_it_recovers() {
    let webhook = Webhook::start().await.unwrap();
    webhook.slow(Duration::from_millis(200));
    let started = Instant::now();
    post(&client(), &webhook.base_url()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200));
    webhook.recover();
    let started = Instant::now();
    post(&client(), &webhook.base_url()).await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(150));
}

#[tokio::test]
async fn it_redirects_and_answers_hugely_as_told() {
    let webhook = Webhook::start().await.unwrap();
    webhook.redirect_next(1, 307, "http://169.254.169.254/latest");
    let answer = post(&client(), &webhook.base_url()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (307, &"http://169.254.169.254/latest".parse().unwrap())
    );
    webhook.answer_hugely(1, 1_000_000);
    let answer = post(&client(), &webhook.base_url()).await.unwrap();
    assert_eq!(answer.bytes().await.unwrap().len(), 1_000_000);
}

#[tokio::test]
async fn a_webhook_that_demands_a_signature_refuses_what_has_none() {
    let webhook = Webhook::start().await.unwrap();
    webhook.require_signature("X-Bellwether-Signature", b"secret");
    assert_eq!(
        post(&client(), &webhook.base_url()).await.unwrap().status(),
        401
    );
    assert_eq!(webhook.messages().len(), 0);
}

#[tokio::test]
async fn waiting_in_vain_says_what_came_instead() {
    let slack = Slack::start().await.unwrap();
    let url = slack.webhook_url("alerts");
    client().post(&url).json(&json!({})).send().await.unwrap();
    let error = slack
        .wait_for(1, Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "0 of 1 messages within 50 ms; 1 requests were refused, the last one: no text, blocks or attachments"
    );
}
