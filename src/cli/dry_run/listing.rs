//! Everything that a cluster has now, listed once by the streams of the rules.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::cli::ClusterArgs;
use crate::cli::failure::{self, Failure};
use crate::cli::typed::by_schemas;
use crate::dry_run::DryRun;
use crate::live::clock::Clock;
use crate::setup::{self, Files};
use crate::watch::cluster::Cluster;
use crate::watch::stream::{self, WatchSettings};
use crate::watch::{Signal, Signalled};

/// How long a cluster may say nothing while it lists.
const SILENCE: Duration = Duration::from_mins(1);

/// A cluster whose streams have listed.
pub(in crate::cli) struct Listed<'l> {
    pub(in crate::cli) run: DryRun<'l>,
    pub(super) said: mpsc::Receiver<Signalled>,
    streams: Vec<stream::Watching>,
}

impl Listed<'_> {
    /// Ends the streams before the process does.
    pub(in crate::cli) async fn end(self) {
        for stream in self.streams {
            stream.end().await;
        }
    }
}

/// Connects, and lets the rules go by the cluster's schemas.
pub(in crate::cli) async fn connected(
    arguments: &ClusterArgs,
    files: &Files,
    loaded: setup::Loaded,
) -> Result<(Cluster, setup::Loaded), Failure> {
    let cluster = Cluster::connect(&arguments.address()).await?;
    cluster.identity().await?;
    let loaded = by_schemas(&cluster, files, loaded).await?;
    if !loaded.advice.is_empty() {
        eprintln!("{}", loaded.advice.human(crate::cli::colour()));
    }
    Ok((cluster, loaded))
}

/// Waits until every stream has listed.
pub(in crate::cli) async fn listed<'l>(
    cluster: &Cluster,
    loaded: &'l setup::Loaded,
    arguments: &ClusterArgs,
    clock: &mut Clock,
) -> Result<Listed<'l>, Failure> {
    let name = arguments.cluster_name.as_deref().unwrap_or(cluster.name());
    let mut run = DryRun::new(loaded, name, clock.now());
    let (signals, mut said) = mpsc::channel(1024);
    let streams = loaded.rules.streams().into_iter();
    let streams = streams
        .map(|(source, paths)| {
            let settings = WatchSettings::default();
            stream::start(cluster, source, &paths, settings, signals.clone())
        })
        .collect();
    let mut progress = Progress::new();
    while !run.engine.is_ready() {
        match tokio::time::timeout(SILENCE, said.recv()).await {
            Ok(Some(signalled)) => {
                progress.more(&signalled.signal);
                run.observe(signalled);
            }
            Ok(None) | Err(_) => return Err(not_listed(&run)),
        }
    }
    drop(progress);
    run.set_now(clock.now());
    Ok(Listed { run, said, streams })
}

/// How many objects were listed so far, on a terminal, once that takes long.
struct Progress {
    objects: u64,
    shown: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        let shown = std::io::stderr().is_terminal().then(Instant::now);
        Self { objects: 0, shown }
    }

    fn more(&mut self, signal: &Signal) {
        self.objects += u64::from(matches!(signal, Signal::Applied(_) | Signal::Event(_)));
        let every = Duration::from_millis(500);
        if let Some(shown) = &mut self.shown
            && shown.elapsed() > every
        {
            *shown = Instant::now();
            eprint!("\r{} objects and Events listed", self.objects);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            // The line is for nobody any more.
            eprint!("\r\x1b[K");
        }
    }
}

fn not_listed(run: &DryRun<'_>) -> Failure {
    let status = run.engine.status();
    let missing = status.streams.iter().filter(|stream| !stream.listed);
    let lines = missing.map(|stream| match &stream.broken {
        Some((_, why)) => format!("error: {} cannot be listed: {why}", stream.source),
        None => format!(
            "error: {} was not listed: nothing came for a minute",
            stream.source
        ),
    });
    Failure {
        exit: failure::CLUSTER,
        report: lines.collect::<Vec<_>>().join("\n"),
    }
}
