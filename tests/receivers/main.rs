//! Delivery to receivers that enforce the limits of the real ones: every kind of answer, and no
//! credential in any of the words that come back.

#![expect(
    clippy::disallowed_methods,
    reason = "tests go by the clock of the servers that they talk to"
)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bellwether::alert::{Alert, Nature, State, Texts};
use bellwether::cel::Json;
use bellwether::config::{
    Basic, Credential, GroupBy, Hmac, LiteralOrCredential, Mentions, Receiver, ReceiverSpec,
    SecretKey, Service, Slack, SlackWay, Webhook,
};
use bellwether::deliver::{Deliverer, NoSecrets, Secret, SecretReader};
use bellwether::diagnostic::{Place, Source};
use bellwether::names::{Fingerprint, GroupKey, NotificationId, ObjectRef, Severity, Uid};
use bellwether::notify::{Cause, Notification, Status};
use bellwether::outbox::{Attempt, Delivery, Outcome, Posted};
use bellwether::render::{Format, Templates, render};
use bellwether_testkit::receivers;
use futures::future::BoxFuture;
use serde_json::json;

mod alertmanager;
mod hostile;
mod pagerduty;
mod secrets;
mod slack_bot;
mod slack_webhook;
mod tls;

const SECOND: Duration = Duration::from_secs(1);

/// Reads every Secret as `name.key`.
struct Named;

impl SecretReader for Named {
    fn read<'a>(
        &'a self,
        _: Option<&'a str>,
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Secret, String>> {
        Box::pin(async move { Ok(Secret::new(format!("{}.{}", key.name, key.key))) })
    }
}

fn secret(name: &str, key: &str) -> Credential {
    Credential::SecretKeyRef(SecretKey {
        name: name.into(),
        key: key.into(),
    })
}

/// A credential in a file, which lives as long as the handle.
fn file(value: &str) -> (tempfile::NamedTempFile, Credential) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{value}\n")).unwrap();
    let credential = Credential::File(file.path().to_owned());
    (file, credential)
}

fn receiver(service: Service) -> Receiver {
    let spec = ReceiverSpec {
        service,
        group_by: GroupBy::All,
        group_wait: Duration::ZERO,
        group_interval: SECOND,
        repeat_interval: SECOND,
        send_resolved: true,
        limit: None,
        limit_per_rule: None,
        max_in_flight: NonZeroU32::MIN,
        timeout: Duration::from_millis(500),
        give_up_after: SECOND,
        heartbeat: None,
        fallback: None,
        template: None,
        shared: false,
    };
    let source = Source::new("test.yaml", "");
    Receiver {
        name: "oncall".into(),
        namespace: None,
        spec,
        place: Place {
            source,
            start: 0,
            end: 0,
        },
    }
}

fn webhook_to(url: String) -> Webhook {
    Webhook {
        url: LiteralOrCredential::Literal(url),
        method: "POST".into(),
        headers: std::collections::BTreeMap::default(),
        body: None,
        content_type: "application/json".into(),
        bearer_token: None,
        basic: None,
        hmac: None,
        success_codes: Vec::new(),
        ca_file: None,
        client_certificate: None,
    }
}

fn notification(cause: Cause, status: Status) -> Notification {
    let alert = Alert {
        fingerprint: Fingerprint::of(&["a"]),
        rule: "database-failed".into(),
        source: "databases".into(),
        object: ObjectRef {
            api_version: "stable.example.com/v1".into(),
            kind: "DatabaseInstance".into(),
            namespace: Some("prod".into()),
            name: "orders".into(),
            uid: Uid::parse("0b5e3a52-7b7e-4f3f-9c59-0b0b9f4c2f10"),
        },
        dedup_key: None,
        nature: Nature::State,
        state: State::Firing,
        labels: [("cluster".into(), "prod-eu".into())].into(),
        severity: Severity::Critical,
        receivers: Vec::new(),
        active_since: "2026-11-22T11:48:00Z".parse().unwrap(),
        fired_at: None,
        keep_since: None,
        unknown_since: None,
        resolution: None,
        count: 1,
        owners: Vec::new(),
        late: false,
        shadow: false,
        routed: false,
        texts: Texts {
            summary: Some("{{object.metadata.name}} <failed> & is down".into()),
            ..Texts::default()
        },
        view: Arc::new(Json::from(
            json!({"object": {"metadata": {"name": "orders"}}}),
        )),
    };
    let heartbeat = cause == Cause::Heartbeat;
    Notification {
        instead_of: None,
        id: NotificationId::from("n-1"),
        receiver: "oncall".into(),
        group: GroupKey::from("oncall{}"),
        group_labels: std::collections::BTreeMap::default(),
        status,
        cause,
        opens: true,
        first: Vec::new(),
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
        alerts: if heartbeat {
            Vec::new()
        } else {
            vec![Arc::new(alert)]
        },
        omitted: 0,
        digest: Vec::new(),
    }
}

async fn send(receiver: &Receiver, notification: &Notification) -> Outcome {
    attempt(receiver, notification, None).await.outcome
}

/// An attempt at a notification whose group has this message already.
async fn attempt(
    receiver: &Receiver,
    notification: &Notification,
    posted: Option<Posted>,
) -> Delivery {
    let format = Format::of(&receiver.spec, &Templates::default()).unwrap();
    let payload = render(notification, &format);
    let attempt = Attempt {
        notification: Arc::new(notification.clone()),
        number: 1,
        posted,
    };
    deliverer(receiver).deliver(&attempt, &payload).await
}

fn deliverer(receiver: &Receiver) -> Deliverer {
    let deliverer = Deliverer::new(std::slice::from_ref(receiver), Arc::new(Named));
    deliverer.map_err(|errors| errors[0].to_string()).unwrap()
}

/// The same with a deliverer that goes on.
async fn attempt_by(deliverer: &Deliverer, receiver: &Receiver) -> Outcome {
    let notification = Notification {
        receiver: receiver.name.clone(),
        ..notification(Cause::New, Status::Firing)
    };
    let format = Format::of(&receiver.spec, &Templates::default()).unwrap();
    let payload = render(&notification, &format);
    let attempt = Attempt {
        notification: Arc::new(notification),
        number: 1,
        posted: None,
    };
    deliverer.deliver(&attempt, &payload).await.outcome
}

async fn fire(receiver: &Receiver) -> Outcome {
    send(receiver, &notification(Cause::New, Status::Firing)).await
}

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Accepted => "accepted".to_owned(),
        Outcome::Retry {
            after: Some(after),
            why,
        } => format!("retry after {after:#}: {why}"),
        Outcome::Retry { after: None, why } => format!("retry: {why}"),
        Outcome::Refused { why } => format!("refused: {why}"),
    }
}

fn by_webhook(url: Credential) -> Service {
    Service::Slack(Slack {
        way: SlackWay::Webhook { url, channel: None },
        username: None,
        icon: None,
        mentions: Mentions::default(),
        buttons: Vec::new(),
    })
}

#[tokio::test]
async fn a_closed_port_is_tried_again() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = port.local_addr().unwrap().to_string();
    drop(port);
    let webhook = webhook_to(format!("http://{host}/hook"));
    let told = why(fire(&receiver(Service::Webhook(webhook))).await);
    insta::assert_snapshot!(told.replace(&host, "HOST"), @"retry: cannot connect to HOST: Connection refused (os error 111)");
}

#[tokio::test]
async fn a_webhook_is_signed_authenticated_and_recognisable_when_it_comes_twice() {
    let endpoint = receivers::Webhook::start().await.unwrap();
    endpoint.require_signature("X-Bellwether-Signature", b"webhook.hmac");
    let mut webhook = webhook_to(endpoint.base_url() + "/hook");
    webhook.hmac = Some(Hmac {
        secret: secret("webhook", "hmac"),
        header: "X-Bellwether-Signature".into(),
    });
    webhook.bearer_token = Some(secret("webhook", "token"));
    let tenant = LiteralOrCredential::Literal("blue".into());
    webhook.headers.insert("X-Tenant".into(), tenant);
    let receiver = receiver(Service::Webhook(webhook));
    endpoint.answer_too_late(1, SECOND);
    assert!(matches!(fire(&receiver).await, Outcome::Retry { .. }));
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
    let messages = endpoint.messages();
    assert_eq!(messages.len(), 2);
    for message in &messages {
        assert_eq!(message.header("idempotency-key"), "n-1");
        assert_eq!(message.header("authorization"), "Bearer webhook.token");
        assert_eq!(message.header("x-tenant"), "blue");
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!(message.json()["version"], "1");
    }
}

#[tokio::test]
async fn a_webhook_with_basic_authentication_and_a_template() {
    let endpoint = receivers::Webhook::start().await.unwrap();
    let mut webhook = webhook_to(endpoint.base_url());
    webhook.basic = Some(Basic {
        username: "bell".into(),
        password: secret("a", "b"),
    });
    webhook.method = "PUT".into();
    webhook.body = Some(r#"{"text": "{{alert.summary}}"}"#.into());
    let receiver = receiver(Service::Webhook(webhook));
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
    let message = &endpoint.messages()[0];
    // printf 'bell:a.b' | base64
    assert_eq!(message.header("authorization"), "Basic YmVsbDphLmI=");
    assert_eq!(message.json(), json!({"text": "orders <failed> & is down"}));
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    let endpoint = receivers::Webhook::start().await.unwrap();
    let receiver = receiver(Service::Webhook(webhook_to(endpoint.base_url())));
    endpoint.answer_hugely(1, 50 * 1024 * 1024);
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
}

#[tokio::test]
async fn a_forbidden_address_is_refused_before_anything_is_sent() {
    let url = "http://169.254.169.254/latest/meta-data".to_owned();
    let receiver = receiver(Service::Webhook(webhook_to(url)));
    insta::assert_snapshot!(why(fire(&receiver).await), @"refused: 169.254.169.254 is a link-local or metadata address, where nothing is sent");
}

#[tokio::test]
async fn what_is_missing_is_told_at_the_start_and_tried_again_later() {
    let service = by_webhook(Credential::Env("BELLWETHER_TEST_NOT_SET".into()));
    let receivers = [receiver(service)];
    let deliverer = Deliverer::new(&receivers, Arc::new(NoSecrets))
        .ok()
        .unwrap();
    let missing = deliverer.verify().await;
    insta::assert_snapshot!(missing[0], @"receiver oncall: slack.webhookUrl: the environment variable BELLWETHER_TEST_NOT_SET is not set");
    insta::assert_snapshot!(why(fire(&receivers[0]).await), @"retry: slack.webhookUrl: the environment variable BELLWETHER_TEST_NOT_SET is not set; set it where bellwether runs: export BELLWETHER_TEST_NOT_SET=…, or env in the Deployment");
}

#[tokio::test]
async fn a_url_that_is_none_is_not_repeated() {
    let (_file, webhook_url) = file("hooks.slack.com/services/T/B/XXXSECRETXXX");
    let service = by_webhook(webhook_url);
    insta::assert_snapshot!(why(fire(&receiver(service)).await), @"retry: slack.webhookUrl: the value is not an http or https URL");
}

#[test]
fn a_ca_file_that_is_none_is_an_error_at_the_start() {
    let (file, _) = file("no certificate");
    let mut webhook = webhook_to("https://internal.example".into());
    webhook.ca_file = Some(file.path().to_owned());
    let made = Deliverer::new(&[receiver(Service::Webhook(webhook))], Arc::new(NoSecrets));
    let error = made.err().unwrap()[0].to_string();
    let error = error.replace(&*file.path().to_string_lossy(), "FILE");
    insta::assert_snapshot!(error, @"receiver oncall: caFile FILE holds no PEM certificate");
}
