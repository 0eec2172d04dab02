//! PagerDuty: incidents, signs of life, and what only happened.

use bellwether::alert::Nature;
use bellwether::config::{Image, Link, Occurrences, PagerDuty, Service};
use bellwether::notify::{Cause, Status};
use bellwether::outbox::Outcome;
use bellwether_testkit::receivers;
use bellwether_testkit::receivers::pagerduty::EventKind;

use super::{Arc, Receiver, fire, notification, receiver, secret, send, why};

async fn pagerduty() -> (receivers::PagerDuty, Receiver) {
    let pagerduty = receivers::PagerDuty::start().await.unwrap();
    let service = Service::PagerDuty(document(&pagerduty));
    (pagerduty, receiver(service))
}

fn document(pagerduty: &receivers::PagerDuty) -> PagerDuty {
    PagerDuty {
        // Keys have 32 characters.
        routing_key: secret("0123456789abcdef0123456789abcde", ""),
        base_url: pagerduty.base_url(),
        client: None,
        client_url: None,
        class: None,
        component: None,
        occurrences: Occurrences::Alert,
        acknowledge_silenced: true,
        links: Vec::new(),
        images: Vec::new(),
    }
}

#[tokio::test]
async fn pagerduty_opens_an_incident_and_closes_the_same_one() {
    let (pagerduty, receiver) = pagerduty().await;
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
    insta::assert_snapshot!(pagerduty.incidents()[0].title(), @"orders <failed> & is down");
    let over = notification(Cause::Resolved, Status::Resolved);
    assert_eq!(send(&receiver, &over).await, Outcome::Accepted);
    let incidents = pagerduty.incidents();
    assert_eq!(incidents.len(), 1);
    insta::assert_debug_snapshot!(incidents[0].state, @"Resolved");
}

#[tokio::test]
async fn pagerduty_is_told_that_somebody_is_at_an_incident_by_its_key_and_without_words() {
    let (pagerduty, receiver) = pagerduty().await;
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
    let somebody = notification(Cause::Acknowledged, Status::Firing);
    assert_eq!(send(&receiver, &somebody).await, Outcome::Accepted);
    let incidents = pagerduty.incidents();
    assert_eq!(incidents.len(), 1);
    insta::assert_debug_snapshot!(incidents[0].state, @"Acknowledged");
    let event = &pagerduty.messages()[1];
    assert_eq!(event.kind, EventKind::Acknowledge);
    let names: Vec<&String> = event.body.as_object().unwrap().keys().collect();
    insta::assert_debug_snapshot!(names, @r#"
    [
        "event_action",
        "dedup_key",
        "routing_key",
    ]
    "#);
    let over = notification(Cause::Resolved, Status::Resolved);
    assert_eq!(send(&receiver, &over).await, Outcome::Accepted);
    insta::assert_debug_snapshot!(pagerduty.incidents()[0].state, @"Resolved");
}

#[tokio::test]
async fn a_heartbeat_wakes_nobody_at_pagerduty() {
    let (pagerduty, receiver) = pagerduty().await;
    let heartbeat = notification(Cause::Heartbeat, Status::Firing);
    assert_eq!(send(&receiver, &heartbeat).await, Outcome::Accepted);
    assert!(pagerduty.incidents().is_empty());
    assert_eq!(pagerduty.messages().len(), 1);
}

#[tokio::test]
async fn pagerdutys_refusals_are_quoted_without_the_key() {
    let (pagerduty, receiver) = pagerduty().await;
    pagerduty.only_integration("ffffffffffffffffffffffffffffffff");
    let mut told = vec![why(fire(&receiver).await)];
    pagerduty.fail_next(1, 429, None);
    told.push(why(fire(&receiver).await));
    pagerduty.fail_next(1, 502, None);
    told.push(why(fire(&receiver).await));
    insta::assert_snapshot!(told.join("\n"), @r#"
    refused: PagerDuty: HTTP 400: Event object is invalid: Invalid routing key; take the integration key of an Events API v2 integration
    retry: PagerDuty: HTTP 429: {"status":"throttle exceeded","message":"Requests for this service are arriving too quickly. Please retry later."}
    retry: PagerDuty: HTTP 502: {"status":"error","message":"Internal Server Error"}
    "#);
    assert!(!told.join("\n").contains("0123456789abcdef"));
}

#[tokio::test]
async fn what_only_happened_is_a_change_event_where_the_receiver_wants_it_so() {
    let (pagerduty, _) = pagerduty().await;
    let service = Service::PagerDuty(PagerDuty {
        occurrences: Occurrences::Change,
        links: vec![Link {
            text: "Database".into(),
            url: "https://bells.example/{{alert.namespace}}/{{alert.name}}".into(),
        }],
        ..document(&pagerduty)
    });
    let receiver = receiver(service);
    let mut happened = notification(Cause::Occurred, Status::Firing);
    let mut alert = (*happened.alerts[0]).clone();
    alert.nature = Nature::Occurrence;
    happened.alerts = vec![Arc::new(alert)];
    assert_eq!(send(&receiver, &happened).await, Outcome::Accepted);
    let event = &pagerduty.messages()[0];
    assert_eq!(event.kind, EventKind::Change);
    insta::assert_snapshot!(event, @r#"
    ┌─ PagerDuty CHANGE
    │ orders <failed> & is down
    │ source     prod-eu: DatabaseInstance/prod/orders
    │ firing     1
    │ resolved   0
    │ alerts     [{"status":"occurred","severity":"critical","object":"DatabaseInstance prod/orders","summary":"orders <failed> & is down","description":null,"since":"2026-11-22T11:48:00Z","count":1,"labels":{"cluster":"prod-eu"}}]
    │ → Database https://bells.example/prod/orders
    └─
    "#);
    assert_eq!(
        event.body["links"][0]["href"],
        "https://bells.example/prod/orders"
    );
    assert!(pagerduty.incidents().is_empty());
    // What will be over is an incident all the same.
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
    assert_eq!(pagerduty.incidents().len(), 1);
}

#[tokio::test]
async fn an_incident_has_links_and_pictures_and_what_is_none_is_left_out_and_said() {
    let (pagerduty, _) = pagerduty().await;
    let image = |src: &str| Image {
        src: src.into(),
        href: Some("https://graphs.example/{{alert.name}}".into()),
        alt: Some("Storage".into()),
    };
    let service = Service::PagerDuty(PagerDuty {
        links: vec![
            Link {
                text: "Silence".into(),
                url: "https://bells.example/?rule={{rule.name}}".into(),
            },
            Link {
                text: "Nowhere".into(),
                url: "javascript:{{rule.name}}".into(),
            },
        ],
        images: vec![
            image("https://graphs.example/{{alert.name}}.png"),
            image("http://graphs.example/{{alert.name}}.png"),
        ],
        ..document(&pagerduty)
    });
    let receiver = receiver(service);
    assert_eq!(fire(&receiver).await, Outcome::Accepted);
    let body = &pagerduty.messages()[0].body;
    insta::assert_snapshot!(body["links"], @r#"[{"href":"https://bells.example/?rule=database-failed","text":"Silence"}]"#);
    insta::assert_snapshot!(body["images"], @r#"[{"src":"https://graphs.example/orders.png","href":"https://graphs.example/orders","alt":"Storage"}]"#);
    insta::assert_snapshot!(format!("{:#}", body["payload"]["custom_details"]["template_failed"]), @r#"
    [
      "pagerduty.links[1].url: what it gave is no web address",
      "pagerduty.images[1].src: PagerDuty shows pictures by https only"
    ]
    "#);
}
