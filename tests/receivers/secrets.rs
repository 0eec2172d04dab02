//! Whose Secrets a receiver reads.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bellwether::config::{SecretKey, Service, Webhook};
use bellwether::deliver::{Deliverer, Secret, SecretReader, Tenants};
use bellwether::names::ReceiverName;
use bellwether::outbox::Outcome;
use bellwether_testkit::receivers;
use futures::future::BoxFuture;

use super::{Arc, Receiver, attempt_by, receiver, secret, webhook_to, why};

/// The Secrets of several namespaces, and who asked for which.
#[derive(Default)]
struct Namespaces {
    /// By namespace; the bridge's own has no name here.
    tokens: BTreeMap<Option<String>, String>,
    asked: Mutex<Vec<(Option<String>, String)>>,
}

impl SecretReader for Namespaces {
    fn read<'a>(
        &'a self,
        namespace: Option<&'a str>,
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Secret, String>> {
        let namespace = namespace.map(str::to_owned);
        let mut asked = self.asked.lock().unwrap();
        asked.push((namespace.clone(), key.name.clone()));
        let token = self.tokens.get(&namespace).cloned();
        Box::pin(async move { token.map(Secret::new).ok_or("not found".to_owned()) })
    }
}

fn of(namespace: Option<&str>, url: &str) -> Receiver {
    let mut receiver = receiver(Service::Webhook(Webhook {
        bearer_token: Some(secret("hook", "token")),
        ..webhook_to(url.to_owned())
    }));
    receiver.namespace = namespace.map(str::to_owned);
    if let Some(namespace) = namespace {
        receiver.name = ReceiverName::from(format!("{namespace}/oncall").as_str());
    }
    receiver
}

#[tokio::test]
async fn a_receiver_reads_the_secrets_of_its_own_namespace_and_of_no_other() {
    let webhook = receivers::Webhook::start().await.unwrap();
    let tokens = [
        (None, "of-the-bridge"),
        (Some("blue".to_owned()), "of-blue"),
        (Some("red".to_owned()), "of-red"),
    ];
    let reader = Arc::new(Namespaces {
        tokens: tokens
            .into_iter()
            .map(|(namespace, token)| (namespace, token.to_owned()))
            .collect(),
        asked: Mutex::default(),
    });
    let namespaces = [None, Some("blue"), Some("red"), Some("green")];
    let mut outcomes = Vec::new();
    for namespace in namespaces {
        let receiver = of(namespace, &webhook.base_url());
        let deliverer = Deliverer::with(
            std::slice::from_ref(&receiver),
            reader.clone(),
            Tenants::ReachAll,
        );
        let deliverer = deliverer.map_err(|errors| errors[0].to_string()).unwrap();
        outcomes.push(why(attempt_by(&deliverer, &receiver).await));
    }
    let sent: Vec<_> = webhook
        .messages()
        .iter()
        .map(|message| message.header("authorization").to_owned())
        .collect();
    assert_eq!(
        sent,
        ["Bearer of-the-bridge", "Bearer of-blue", "Bearer of-red"]
    );
    insta::assert_snapshot!(outcomes[3], @r#"retry: webhook.bearerToken: cannot read key "token" of Secret "hook": not found; kubectl create secret generic hook --from-literal=token=…, and allow bellwether to get it"#);
    let asked = reader.asked.lock().unwrap();
    let asked: Vec<_> = asked.iter().map(|(of, _)| of.as_deref()).collect();
    assert_eq!(asked, namespaces);
    assert_eq!(outcomes[..3], vec![why(Outcome::Accepted); 3]);
}
