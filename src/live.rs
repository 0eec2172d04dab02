//! The shell that joins clock, streams, journal and delivery to the engine.
//!
//! In: streams of the cluster, outcomes of attempts, changed files, signals. Out: attempts, log
//! lines, metrics, the state file. It decides nothing about rules, alerts or notifications: the engine does.
//!
//! ```text
//! watch streams ─signals→ drive (engine) ─turns→ commit (state file) ─released→ courier
//!                            ↑ reload                                              │
//!                            └───────────────────── ended ─────────────────────────┘
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: it reads the clock, waits and runs things beside each other"
)]

pub mod attempt;
pub mod clock;
pub mod commit;
pub mod control;
pub mod courier;
pub mod drive;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod recording;
pub mod reload;
pub mod report;
pub mod secrets;
pub mod signals;
pub mod streams;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use crate::deliver::Deliverer;
use crate::engine::Engine;
use crate::journal::{Journal, Key, Record};
use crate::recording::run::{Began, RunRecorder};
use crate::setup::Loaded;
use crate::setup::written::Written;
use crate::watch::cluster::Cluster;
use attempt::{Attempts, Ways};
use clock::Clock;
use commit::{CommitError, Committer};
use drive::{Drive, Wires};
use metrics::Metrics;
use reload::{Reload, Watched};
use report::Reports;
use signals::Signals;
use streams::{Ended, Streams};

/// Signals that wait for the engine; a stream that has more waits itself.
const SIGNALS: usize = 1024;
/// Turns that wait for the disk.
const TURNS: usize = 16;
/// How long the last commits may take once the engine has stopped.
const FLUSH: Duration = Duration::from_millis(1500);

/// What a bridge runs on, all of it opened and checked.
pub struct Parts {
    pub loaded: Loaded,
    /// The files that it was loaded from.
    pub watched: Watched,
    pub cluster: Cluster,
    /// The `cluster` label.
    pub cluster_name: Arc<str>,
    pub deliverer: Deliverer,
    pub journal: Box<dyn Journal>,
    pub epoch: u64,
    /// What the journal held.
    pub records: Vec<(Key, Record)>,
    /// Where probes and scrapes are answered, if anywhere.
    pub listener: Option<TcpListener>,
    /// Where the other commands ask.
    pub control: Option<control::Listener>,
    /// Where what the engine is given is recorded, if it is.
    pub recorder: Option<RunRecorder>,
}

/// Why a running bridge stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error(transparent)]
    Commit(CommitError),
    #[error("{what} panicked: {error}")]
    Panicked {
        what: &'static str,
        error: JoinError,
    },
    #[error("{what} stopped although nobody asked it to")]
    Stopped { what: &'static str },
    #[error("probes and scrapes can no longer be answered: {0}")]
    Http(io::Error),
}

/// Runs until a signal asks it to stop and what is under way has ended, or for at most about ten
/// seconds after that.
///
/// # Errors
/// Something broke that must not break. A restart goes on from the state file.
pub async fn run(parts: Parts, mut signals: Signals) -> Result<(), LiveError> {
    let (stop, stopped) = oneshot::channel();
    let mut tasks = start(parts, stopped);
    let which = tokio::select! {
        which = signals.next() => which,
        error = tasks.broken() => return Err(error),
    };
    tracing::info!(
        "{which}: waiting for what is under way, at most {:?}",
        drive::DRAIN
    );
    tokio::spawn(signals.end_at_next());
    // The engine may be gone already: then the tasks' end says why.
    let _ = stop.send(());
    tasks.finish().await
}

fn start(parts: Parts, stop: oneshot::Receiver<()>) -> Tasks {
    let metrics = Metrics::new();
    let (to_engine, from_streams) = mpsc::channel(SIGNALS);
    let (turns, to_commit) = mpsc::channel(TURNS);
    let (release, released) = mpsc::unbounded_channel();
    let (ended, attempts_ended) = mpsc::unbounded_channel();
    let (questions, asked) = mpsc::channel(8);

    let (to_reload, reloads) = mpsc::channel(1);

    let counts = metrics::Streams::default();
    let own = parts.cluster.namespace().clone();
    let mut streams = Streams::new(parts.cluster, to_engine, counts.clone());
    streams.go_on(&parts.loaded.rules, Ended::default());

    let mut records = parts.records;
    let ledger = Arc::new(Mutex::new(control::take_ledger(&mut records)));
    let committer = Committer::new(
        parts.journal,
        parts.epoch,
        release,
        metrics.clone(),
        ledger.clone(),
    );
    let control = control::Sources {
        questions: questions.clone(),
        ledger: ledger.clone(),
    };
    let reports = parts.watched.documents.clone().map(|documents| Reports {
        documents,
        taken: parts.watched.taken.subscribe(),
        questions: questions.clone(),
        ledger,
        own,
    });
    let answers = http::Sources {
        questions,
        journal: committer.health(),
        configuration: parts.watched.health.clone(),
        metrics: metrics.clone(),
        streams: counts,
    };
    let mut clock = Clock::start();
    let setup = parts.loaded.setup(parts.cluster_name.clone());
    let now = clock.now();
    let recorded = parts.recorder.map(|recorder| {
        let began = Began {
            at: now,
            cluster: parts.cluster_name.clone(),
            written: Written::of(&parts.loaded, parts.watched.last_good.files()),
            records: records.clone(),
        };
        recording::start(recorder, began, metrics.clone())
    });
    let (feed, recorded) = recorded.unzip();
    let engine = Engine::restore(now, setup, records);
    let stood_still = Arc::<Notify>::default();
    let wires = Wires {
        signals: from_streams,
        stood_still: stood_still.clone(),
        ended: attempts_ended,
        questions: asked,
        reloads,
        turns,
        stop,
    };
    let ways = Ways {
        formats: parts.loaded.formats,
        deliverer: parts.deliverer,
    };
    let attempts = Arc::new(Attempts::new(ways, metrics.clone()));
    let reload = Reload {
        watched: parts.watched,
        cluster_name: parts.cluster_name,
        streams,
        attempts: attempts.clone(),
        engine: to_reload,
        stood_still,
        metrics,
        is_recorded: feed.is_some(),
    };
    Tasks {
        streams: Task::start(reload.run()),
        drive: Task::start(Drive::new(engine, clock, wires, feed).run()),
        commit: Task::start(committer.run(to_commit)),
        courier: Task::start(courier::run(released, ended, move |attempt| {
            attempts.clone().make(attempt)
        })),
        http: Task::start_some(parts.listener.map(|it| http::serve(it, answers))),
        reports: Task::start_some(reports.map(Reports::run)),
        recorded,
        control: Task::start_some(parts.control.map(|it| it.serve(control))),
    }
}

/// A task that ends with its handle.
struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// The same, or one that never ends.
    fn start_some(work: Option<impl Future<Output = T> + Send + 'static>) -> Self {
        Self::start(async move {
            match work {
                Some(work) => work.await,
                None => std::future::pending().await,
            }
        })
    }

    async fn end(&mut self) -> Result<T, JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everything that runs, watched for an end that nobody asked for.
struct Tasks {
    /// The streams, and the files that say which.
    streams: Task<Result<(), JoinError>>,
    drive: Task<u64>,
    commit: Task<Result<(), CommitError>>,
    courier: Task<Result<(), JoinError>>,
    http: Task<io::Result<()>>,
    control: Task<()>,
    /// What becomes of the cluster's documents, if they count.
    reports: Task<()>,
    /// When the recording is written to its end, if there is one.
    recorded: Option<oneshot::Receiver<()>>,
}

impl Tasks {
    /// The first of them that breaks.
    async fn broken(&mut self) -> LiveError {
        tokio::select! {
            end = self.streams.end() => of_task("a watch", end.and_then(|end| end)),
            end = self.courier.end() => of_task("a delivery", end.and_then(|end| end)),
            end = self.commit.end() => of_commit(end),
            end = self.http.end() => match end {
                Ok(Err(error)) => LiveError::Http(error),
                end => of_task("the HTTP server", end.map(|_| ())),
            },
            end = self.reports.end() => of_task("the reports of documents", end),
            end = self.control.end() => of_task("the control socket", end),
            end = self.drive.end() => match end {
                // It stops by itself only when nobody carries out its effects any more.
                Ok(_) => of_commit(self.commit.end().await),
                Err(error) => of_task("the engine", Err(error)),
            },
        }
    }

    /// Waits for the attempts that are under way and for the last commits.
    async fn finish(&mut self) -> Result<(), LiveError> {
        self.streams.0.abort();
        let left = tokio::select! {
            end = self.drive.end() => end.map_err(|error| of_task("the engine", Err(error)))?,
            end = self.courier.end() => {
                return Err(of_task("a delivery", end.and_then(|end| end)));
            }
        };
        if left > 0 {
            tracing::warn!(
                "{left} attempts did not end in time; they are made again after the start"
            );
        }
        let (committed, recorded) = tokio::join!(
            timeout(FLUSH, self.commit.end()),
            timeout(FLUSH, until_recorded(self.recorded.take()))
        );
        if recorded.is_err() {
            tracing::warn!("the recording took too long: its end is missing");
        }
        match committed {
            Ok(Ok(Ok(()))) => tracing::info!("stopped; everything is saved"),
            Ok(end) => return Err(of_commit(end)),
            Err(_) => {
                tracing::error!("the state file took too long: the last changes are not saved");
            }
        }
        Ok(())
    }
}

async fn until_recorded(recorded: Option<oneshot::Receiver<()>>) {
    if let Some(recorded) = recorded {
        // However it ended.
        let _ = recorded.await;
    }
}

fn of_task(what: &'static str, end: Result<(), JoinError>) -> LiveError {
    match end {
        Ok(()) => LiveError::Stopped { what },
        Err(error) => LiveError::Panicked { what, error },
    }
}

fn of_commit(end: Result<Result<(), CommitError>, JoinError>) -> LiveError {
    match end {
        Ok(Err(error)) => LiveError::Commit(error),
        end => of_task("the journal", end.map(|_| ())),
    }
}

#[cfg(test)]
mod tests;
