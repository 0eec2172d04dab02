//! What no server on loopback shows: names that change their minds.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::dns::Resolve as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::guard::Lookup;
use super::*;

/// Answers each question with the next of these addresses, and the last one from then on.
struct Rebinding(Mutex<VecDeque<Vec<SocketAddr>>>);

impl Rebinding {
    fn to(answers: &[&[&str]]) -> Arc<Self> {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
        let answers = answers.iter().map(|of| of.iter().map(address).collect());
        Arc::new(Self(Mutex::new(answers.collect())))
    }
}

impl Lookup for Rebinding {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        async move { Ok(next) }.boxed()
    }
}

/// A server that says yes to whoever connects.
struct Inside {
    listener: TcpListener,
    port: u16,
}

impl Inside {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// Nobody has connected, and nobody is about to.
    fn is_untouched(&self) -> bool {
        self.listener.accept().now_or_never().is_none()
    }
}

/// What becomes of a request to a name at this port.
async fn asked(guard: &Arc<Guard>, port: u16) -> Outcome {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = tls::plain(guard);
    let request = client.get(format!("http://rebind.example:{port}/"));
    match request.timeout(Duration::from_mins(1)).send().await {
        Ok(_) => Outcome::Accepted,
        Err(error) => failed("rebind.example", &error.without_url(), Duration::ZERO),
    }
}

#[tokio::test]
async fn a_name_that_was_public_when_it_was_looked_at_and_is_private_now_is_not_connected_to() {
    let inside = Inside::open().await;
    for private in ["127.0.0.1", "::1", "10.96.0.1", "::ffff:127.0.0.1"] {
        let lookup = Rebinding::to(&[&["1.1.1.1"], &[private]]);
        let guard = Arc::new(Guard::by(Reach::Public, lookup));
        // Whoever checks a name before the connection is made is told of a public address.
        let before = guard.resolve("rebind.example".parse().unwrap()).await;
        let before: Vec<_> = before.ok().unwrap().map(|at| at.ip().to_string()).collect();
        assert_eq!(before, ["1.1.1.1"]);
        let outcome = asked(&guard, inside.port).await;
        let canonical = private.trim_start_matches("::ffff:");
        let why = format!(
            "rebind.example: {canonical} is not a public address, and receivers of tenants' \
             namespaces may send only to those; an operator allows it with \
             --allow-internal-addresses"
        );
        assert_eq!(outcome, Outcome::Refused { why });
    }
    assert!(inside.is_untouched());
}

#[tokio::test]
async fn a_private_address_among_public_ones_is_not_connected_to_either() {
    let inside = Inside::open().await;
    let lookup = Rebinding::to(&[&["127.0.0.1", "1.1.1.1"]]);
    let guard = Arc::new(Guard::by(Reach::Public, lookup));
    let outcome = asked(&guard, inside.port).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert!(inside.is_untouched());
}

#[tokio::test]
async fn the_operators_receivers_reach_the_same_server_by_its_name() {
    let inside = Inside::open().await;
    let lookup = Rebinding::to(&[&["127.0.0.1"]]);
    let guard = Arc::new(Guard::by(Reach::Anywhere, lookup));
    let port = inside.port;
    let serve = async {
        let (mut stream, _) = inside.listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream
    };
    let (outcome, _stream) = tokio::join!(asked(&guard, port), serve);
    assert_eq!(outcome, Outcome::Accepted);
}

#[tokio::test]
async fn a_name_that_leads_to_a_metadata_service_is_refused_for_good_whoever_sends() {
    let lookup = Rebinding::to(&[&["169.254.169.254"]]);
    let outcome = asked(&Arc::new(Guard::by(Reach::Anywhere, lookup)), 80).await;
    assert_eq!(
        outcome,
        Outcome::Refused {
            why: "rebind.example: 169.254.169.254 is a link-local or metadata address, \
                  where nothing is sent"
                .to_owned()
        }
    );
}
