//! `/healthz`, `/readyz`, `/metrics`.
//!
//! `/healthz` says whether the engine still turns (a restart would help); `/readyz` whether
//! everything that rules read has been listed and the state file can be written, and if not, what
//! is missing, as JSON, with what is wrong with the files that were last read; `/metrics` is `OpenMetrics` text.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::commit;
use super::drive::Question;
use super::metrics::{Metrics, Streams};
use super::reload;
use crate::engine::Status;

/// How long the engine may take to answer before it counts as stuck: half of what a probe with
/// `timeoutSeconds: 10` waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the answers are made of.
#[derive(Clone)]
pub struct Sources {
    pub questions: mpsc::Sender<Question>,
    pub journal: commit::Health,
    pub configuration: reload::Health,
    pub metrics: Metrics,
    pub streams: Streams,
}

/// Answers until it is dropped.
///
/// # Errors
/// The listener breaks.
pub async fn serve(listener: TcpListener, sources: Sources) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(sources));
    axum::serve(listener, routes).await
}

impl Sources {
    /// Asks the engine; nothing if it does not answer in time.
    async fn ask<A>(&self, question: impl FnOnce(oneshot::Sender<A>) -> Question) -> Option<A> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.questions.send(question(reply)).await.ok()?;
            answer.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }
}

async fn health(State(sources): State<Arc<Sources>>) -> Response {
    match sources.ask(Question::Alive).await {
        Some(()) => "ok\n".into_response(),
        None => stuck(),
    }
}

async fn ready(State(sources): State<Arc<Sources>>) -> Response {
    let Some(status) = sources.ask(Question::Status).await else {
        return stuck();
    };
    let problems = sources.configuration.problems();
    let readiness = Readiness::of(&status, problems, sources.journal.trouble());
    let code = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, axum::Json(readiness)).into_response()
}

async fn metrics(State(sources): State<Arc<Sources>>) -> Response {
    let Some(status) = sources.ask(Question::Status).await else {
        return stuck();
    };
    let text = sources.metrics.text(&status, &sources.streams);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn stuck() -> Response {
    let text = "the engine does not answer\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// The answer of `/readyz`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    ready: bool,
    /// What rules read and nobody has listed yet.
    waiting_for: Vec<Waiting>,
    /// Kinds that the cluster does not have; their rules sleep, which is no reason to wait.
    dormant: Vec<Waiting>,
    /// Rules that stay as they were last read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frozen: Vec<Frozen>,
    /// What is wrong with the files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
    /// Why the state file cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_file: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Frozen {
    rule: String,
    why: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Waiting {
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Readiness {
    fn of(status: &Status, problems: Vec<String>, state_file: Option<String>) -> Self {
        let (mut waiting_for, mut dormant) = (Vec::new(), Vec::new());
        for stream in &status.streams {
            let source = stream.source.to_string();
            if let Some(why) = &stream.dormant {
                let why = Some(why.clone());
                dormant.push(Waiting { source, why });
            } else if !stream.listed {
                let why = stream.broken.as_ref().map(|(_, why)| why.clone());
                waiting_for.push(Waiting { source, why });
            }
        }
        let frozen = status.frozen.iter().map(|(rule, why)| Frozen {
            rule: rule.to_string(),
            why: why.to_string(),
        });
        Self {
            ready: waiting_for.is_empty() && state_file.is_none(),
            waiting_for,
            dormant,
            frozen: frozen.collect(),
            problems,
            state_file,
        }
    }
}
