//! Receivers that mean no good: every attempt ends within its time, takes little memory, and is
//! judged by what was said.

use std::time::Instant;

use bellwether::config::{LiteralOrCredential, Service};
use bellwether::outbox::Outcome;
use bellwether_testkit::receivers::{self, Hostile, Manner};

use super::slack_webhook::slack;
use super::{Receiver, SECOND, by_webhook, file, fire, receiver, webhook_to, why};

/// An attempt has half a second; this machine may be busy with other tests.
const LONGEST: std::time::Duration = SECOND.saturating_mul(20);
/// The 64 KiB that are read, what the HTTP library holds, and what the network does on both sides.
const MOST: usize = 16 << 20;

struct Attacked {
    hostile: Hostile,
    told: String,
}

async fn attacked(manner: Manner, receiver_of: impl Fn(&Hostile) -> Receiver) -> Attacked {
    let hostile = Hostile::start(manner).await.unwrap();
    let began = Instant::now();
    let told = why(fire(&receiver_of(&hostile)).await);
    assert!(began.elapsed() < LONGEST, "{manner:?}");
    let host = hostile.base_url().replace("http://", "");
    let told = told.replace(&host, "HOST");
    Attacked { hostile, told }
}

fn by_http(hostile: &Hostile) -> Receiver {
    receiver(Service::Webhook(webhook_to(hostile.base_url())))
}

#[tokio::test]
async fn whatever_a_webhook_answers_the_attempt_ends_and_is_judged_by_its_status() {
    let mut lines = Vec::new();
    for manner in [
        Manner::EndlessBody,
        Manner::SlowBody,
        Manner::HalfABody,
        Manner::SlowHead,
        Manner::EndlessHeader,
        Manner::ManyHeaders,
        Manner::Silence,
        Manner::Noise,
        Manner::RedirectsToItself,
    ] {
        let Attacked { hostile, told } = attacked(manner, by_http).await;
        assert!(hostile.taken() < MOST, "{manner:?}: {}", hostile.taken());
        assert_eq!(hostile.requests(), 1, "{manner:?}");
        lines.push(format!("{manner:?}: {told}"));
    }
    insta::assert_snapshot!(lines.join("\n"), @"
    EndlessBody: accepted
    SlowBody: accepted
    HalfABody: accepted
    SlowHead: retry: HOST: no answer within 500ms
    EndlessHeader: retry: HOST: message head is too large
    ManyHeaders: retry: HOST: message head is too large
    Silence: retry: HOST: no answer within 500ms
    Noise: retry: HOST: invalid HTTP version parsed
    RedirectsToItself: refused: the webhook: HTTP 307 to HOST; redirects are not followed: give the final address
    ");
}

#[tokio::test]
async fn a_slack_that_does_not_come_to_say_ok_is_asked_again() {
    for manner in [Manner::EndlessBody, Manner::SlowBody] {
        let (place, url) = file("");
        let of = |hostile: &Hostile| {
            std::fs::write(place.path(), hostile.base_url() + "/services/a").unwrap();
            receiver(by_webhook(url.clone()))
        };
        let Attacked { hostile, told } = attacked(manner, of).await;
        assert!(hostile.taken() < MOST, "{}", hostile.taken());
        assert!(
            told.starts_with("retry: Slack, 200 without \"ok\""),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed() {
    let inside = receivers::Webhook::start().await.unwrap();
    let (slack, receiver_of_slack, _file) = slack().await;
    let outside = receivers::Webhook::start().await.unwrap();
    let by_webhook = receiver(Service::Webhook(webhook_to(outside.base_url())));
    for status in [301, 302, 303, 307, 308] {
        for to in [
            inside.base_url() + "/latest/meta-data",
            "http://169.254.169.254/latest/meta-data".to_owned(),
            "//10.0.0.1/".to_owned(),
            "file:///etc/passwd".to_owned(),
        ] {
            outside.redirect_next(1, status, &to);
            let outcome = fire(&by_webhook).await;
            assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
            slack.redirect_next(1, status, &to);
            let outcome = fire(&receiver_of_slack).await;
            assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
        }
    }
    assert!(inside.messages().is_empty() && inside.refused().is_empty());
}

#[tokio::test]
async fn a_tenants_redirect_into_the_cluster_leads_nowhere() {
    let inside = receivers::Webhook::start().await.unwrap();
    let mut tenant = receiver(Service::Webhook(webhook_to(inside.base_url())));
    tenant.namespace = Some("blue".into());
    let told = why(fire(&tenant).await);
    insta::assert_snapshot!(told, @"refused: 127.0.0.1 is not a public address, and receivers of tenants' namespaces may send only to those; an operator allows it with --allow-internal-addresses");
    if let Service::Webhook(webhook) = &mut tenant.spec.service {
        let by_name = inside.base_url().replace("127.0.0.1", "localhost");
        webhook.url = LiteralOrCredential::Literal(by_name);
    }
    let told = why(fire(&tenant).await);
    assert!(told.starts_with("refused: localhost"), "{told}");
    assert!(told.contains("not a public address"), "{told}");
    assert!(inside.messages().is_empty() && inside.refused().is_empty());
}
