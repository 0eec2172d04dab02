//! A server that misbehaves on request, for what a real one does not do when asked.
//!
//! It serves one kind, `v1` Thing, and answers each list or watch of it as a script says.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use bellwether::watch::Source;
use bellwether::watch::cluster::Cluster;
use futures::StreamExt;
use futures::stream;

use crate::world::connect;

pub struct Scripted {
    pub cluster: Cluster,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
}

/// What came before, and what is asked for now.
pub struct Asked<'a> {
    /// How many lists and watches came before this one.
    pub before: usize,
    pub query: &'a str,
    /// The media types of the answer, by preference.
    pub accept: &'a str,
}

impl Scripted {
    pub async fn start(
        answer: impl Fn(Asked<'_>) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let asked: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), asked.clone());
        let serve = axum::routing::get(move |request: Request<Body>| {
            let (answer, log) = (answer.clone(), log.clone());
            async move {
                let query = request.uri().query().unwrap_or_default();
                let before = {
                    let mut log = log.lock().expect("no test panics while it holds this");
                    log.push((Instant::now(), query.to_owned()));
                    log.len() - 1
                };
                let accept = request.headers().get("accept");
                let accept = accept.and_then(|value| value.to_str().ok());
                let accept = accept.unwrap_or_default();
                answer(Asked {
                    before,
                    query,
                    accept,
                })
            }
        });
        let router = axum::Router::new()
            .route("/api/v1", axum::routing::get(discovery))
            .route("/api/v1/things", serve)
            .route(
                "/api/v1/namespaces/a/secrets/b",
                axum::routing::get(async || r#"{"data":"hunter2"}"#),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "scripted",
            "clusters": [{"name": "scripted", "cluster": {"server": format!("http://{address}")}}],
            "contexts": [{"name": "scripted", "context": {"cluster": "scripted"}}],
        });
        std::fs::write(&path, kubeconfig.to_string()).expect("writable");
        Self {
            cluster: connect(path).await,
            asked,
        }
    }

    /// When each list or watch was asked for, and with which query.
    pub fn asked(&self) -> Vec<(Instant, String)> {
        self.asked
            .lock()
            .expect("no test panics while it holds this")
            .clone()
    }
}

async fn discovery() -> String {
    serde_json::json!({
        "kind": "APIResourceList", "groupVersion": "v1",
        "resources": [{"name": "things", "kind": "Thing", "namespaced": false, "verbs": ["list", "watch"]}],
    })
    .to_string()
}

pub fn things() -> Source {
    Source::of("v1", "Thing")
}

pub fn thing(name: &str, version: u32) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Thing",
        "metadata": {"name": name, "uid": name, "resourceVersion": version.to_string()},
    })
}

pub fn added(name: &str, version: u32) -> String {
    serde_json::json!({"type": "ADDED", "object": thing(name, version)}).to_string()
}

pub fn bookmark(version: u32, initial_events_end: bool) -> String {
    let annotations = if initial_events_end {
        serde_json::json!({"k8s.io/initial-events-end": "true"})
    } else {
        serde_json::json!({})
    };
    serde_json::json!({
        "type": "BOOKMARK",
        "object": {"kind": "Thing", "apiVersion": "v1",
            "metadata": {"resourceVersion": version.to_string(), "annotations": annotations}},
    })
    .to_string()
}

/// These lines, and then nothing for ever.
pub fn open(lines: Vec<String>) -> Response<Body> {
    Response::new(Body::from_stream(bytes(lines).chain(stream::pending())))
}

/// These lines, and then the end.
pub fn ended(lines: Vec<String>) -> Response<Body> {
    Response::new(Body::from_stream(bytes(lines)))
}

fn bytes(lines: Vec<String>) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    stream::iter(lines.into_iter().map(|line| Ok(Bytes::from(line + "\n"))))
}

/// A `Status`, with `Retry-After` if the seconds are given.
pub fn refused(code: u16, message: &str, retry_after: Option<u32>) -> Response<Body> {
    let status =
        serde_json::json!({"kind": "Status", "apiVersion": "v1", "code": code, "message": message});
    let mut response = Response::builder().status(code);
    if let Some(seconds) = retry_after {
        response = response.header("Retry-After", seconds);
    }
    response
        .body(Body::from(status.to_string()))
        .expect("a response")
}

/// A page of a list.
pub fn page(items: &[serde_json::Value], version: u32, next: &str) -> Response<Body> {
    let list = serde_json::json!({
        "kind": "ThingList", "apiVersion": "v1",
        "metadata": {"resourceVersion": version.to_string(), "continue": next}, "items": items,
    });
    Response::new(Body::from(list.to_string()))
}
