//! TLS: who is believed to be the receiver, and whom the receiver believes us to be.

use std::path::Path;

use bellwether::config::{ClientCertificate, Credential, Service, Webhook};
use bellwether::deliver::Deliverer;
use bellwether::outbox::Outcome;
use bellwether_testkit::certificates::{Authority, Pair};
use bellwether_testkit::receivers::{self, Tls};

use super::{Arc, Named, Receiver, SECOND, attempt_by, deliverer, fire, receiver, webhook_to, why};

/// Whenever this runs.
const GOOD: (i32, i32) = (2020, 4000);

/// A webhook behind TLS.
struct Server {
    webhook: receivers::Webhook,
    tls: Tls,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start(pair: &Pair, clients: Option<&Authority>) -> Self {
        let webhook = receivers::Webhook::start().await.unwrap();
        let tls = Tls::start(webhook.address(), pair, clients).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            webhook,
            tls,
            folder,
        }
    }

    fn url(&self) -> String {
        format!("https://{}/hook", self.tls.address())
    }

    /// A receiver that trusts this authority.
    fn trusted(&self, authority: &Authority) -> Webhook {
        let ca_file = self.folder.path().join("ca.pem");
        std::fs::write(&ca_file, authority.certificate()).unwrap();
        Webhook {
            ca_file: Some(ca_file),
            ..webhook_to(self.url())
        }
    }

    /// Writes a certificate and its key down, and says where.
    fn identity(&self, pair: &Pair) -> ClientCertificate {
        let write = |name: &str, pem: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            Credential::File(path)
        };
        ClientCertificate {
            certificate: write("tls.crt", &pair.certificate),
            key: write("tls.key", &pair.key),
        }
    }

    fn told(&self, outcome: Outcome) -> String {
        let folder = Path::display(self.folder.path()).to_string();
        why(outcome)
            .replace(&self.tls.address().to_string(), "HOST")
            .replace(&folder, "FOLDER")
    }
}

/// TLS may take longer than half a second where everything else runs too.
fn patient(webhook: Webhook) -> Receiver {
    let mut receiver = receiver(Service::Webhook(webhook));
    receiver.spec.timeout = 20 * SECOND;
    receiver
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused_and_with_its_ca_file_it_is_told() {
    let authority = Authority::create().unwrap();
    let pair = authority.server_of(&["127.0.0.1"], GOOD).unwrap();
    let server = Server::start(&pair, None).await;
    let refused = server.told(fire(&patient(webhook_to(server.url()))).await);
    insta::assert_snapshot!(refused, @"retry: cannot connect to HOST: invalid peer certificate: UnknownIssuer");
    let another = Authority::create().unwrap();
    let refused = server.told(fire(&patient(server.trusted(&another))).await);
    insta::assert_snapshot!(refused, @"retry: cannot connect to HOST: invalid peer certificate: BadSignature");
    assert_eq!(server.tls.agreed(), 0);
    assert_eq!(
        fire(&patient(server.trusted(&authority))).await,
        Outcome::Accepted
    );
    assert_eq!(server.webhook.messages().len(), 1);
}

#[tokio::test]
async fn a_certificate_for_another_name_or_another_time_is_refused() {
    let authority = Authority::create().unwrap();
    for (names, years) in [
        (["hooks.example"], GOOD),
        (["127.0.0.1"], (2020, 2021)),
        (["127.0.0.1"], (3990, 4000)),
    ] {
        let pair = authority.server_of(&names, years).unwrap();
        let server = Server::start(&pair, None).await;
        let outcome = fire(&patient(server.trusted(&authority))).await;
        let told = server.told(outcome);
        assert!(
            told.starts_with("retry: cannot connect to HOST: "),
            "{told}"
        );
        let cause = match (names, years.1) {
            (["hooks.example"], _) => "not valid for name",
            (_, 2021) => "expired",
            _ => "not valid yet",
        };
        assert!(told.contains(cause), "{told}");
        assert_eq!(server.tls.agreed(), 0);
        assert!(server.webhook.messages().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_asks_who_is_there_is_shown_the_client_certificate() {
    let authority = Authority::create().unwrap();
    let pair = authority.server_of(&["127.0.0.1"], GOOD).unwrap();
    let clients = Authority::create().unwrap();
    let server = Server::start(&pair, Some(&clients)).await;
    let webhook = server.trusted(&authority);
    let nobody = fire(&patient(webhook.clone())).await;
    assert!(matches!(nobody, Outcome::Retry { .. }), "{nobody:?}");
    let stranger = authority.user("bellwether", None).unwrap();
    let mut known = Webhook {
        client_certificate: Some(server.identity(&stranger).into()),
        ..webhook
    };
    let refused = fire(&patient(known.clone())).await;
    assert!(matches!(refused, Outcome::Retry { .. }), "{refused:?}");
    assert!(server.webhook.messages().is_empty());
    let bellwether = clients.user("bellwether", None).unwrap();
    known.client_certificate = Some(server.identity(&bellwether).into());
    assert_eq!(fire(&patient(known)).await, Outcome::Accepted);
    assert_eq!(server.webhook.messages().len(), 1);
}

#[tokio::test]
async fn certificates_that_are_renewed_count_at_the_next_attempt() {
    let (old, new) = (Authority::create().unwrap(), Authority::create().unwrap());
    let pair = new.server_of(&["127.0.0.1"], GOOD).unwrap();
    let server = Server::start(&pair, Some(&new)).await;
    let mut webhook = server.trusted(&old);
    webhook.client_certificate = Some(
        server
            .identity(&old.user("bellwether", None).unwrap())
            .into(),
    );
    let receiver = patient(webhook);
    let deliverer = deliverer(&receiver);
    let before = attempt_by(&deliverer, &receiver).await;
    assert!(matches!(before, Outcome::Retry { .. }), "{before:?}");
    server.trusted(&new);
    server.identity(&new.user("bellwether", None).unwrap());
    assert_eq!(attempt_by(&deliverer, &receiver).await, Outcome::Accepted);
}

#[tokio::test]
async fn a_certificate_that_is_none_or_has_another_key_is_told_at_the_start_without_the_key() {
    let authority = Authority::create().unwrap();
    let pair = authority.server_of(&["127.0.0.1"], GOOD).unwrap();
    let server = Server::start(&pair, None).await;
    let good = authority.user("bellwether", None).unwrap();
    let other = authority.user("bellwether", None).unwrap();
    let mut lines = Vec::new();
    for (certificate, key) in [
        ("no certificate", good.key.as_str()),
        (&good.certificate, "no key: XXXSECRETXXX"),
        (&good.certificate, &other.key),
    ] {
        let mut webhook = server.trusted(&authority);
        webhook.client_certificate = Some(
            server
                .identity(&Pair {
                    certificate: certificate.to_owned(),
                    key: key.to_owned(),
                })
                .into(),
        );
        let receiver = patient(webhook);
        let deliverer = Deliverer::new(std::slice::from_ref(&receiver), Arc::new(Named));
        let deliverer = deliverer.map_err(|errors| errors[0].to_string()).unwrap();
        let unresolved = deliverer.verify().await;
        lines.push(unresolved[0].to_string());
        lines.push(server.told(attempt_by(&deliverer, &receiver).await));
    }
    assert!(server.webhook.messages().is_empty());
    let lines = lines.join("\n");
    assert!(!lines.contains("XXXSECRETXXX") && !lines.contains("BEGIN"));
    insta::assert_snapshot!(lines, @"
    receiver oncall: TLS: the client certificate cannot be used: unexpected error: private key or certificate not found
    retry: the client certificate cannot be used: unexpected error: private key or certificate not found
    receiver oncall: TLS: the client certificate cannot be used: unexpected error: private key or certificate not found
    retry: the client certificate cannot be used: unexpected error: private key or certificate not found
    receiver oncall: TLS: the client certificate cannot be used: keys may not be consistent: KeyMismatch
    retry: the client certificate cannot be used: keys may not be consistent: KeyMismatch
    ");
}
