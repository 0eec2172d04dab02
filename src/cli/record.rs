//! `bellwether record`: what a cluster says, into a file.

#![expect(
    clippy::disallowed_methods,
    reason = "a command of the shell: it waits for streams and reads the clock"
)]

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc;

use super::failure::{self, Failure};
use super::typed::load;
use super::{ClusterArgs, FileArgs};
use crate::cel::PathSet;
use crate::live::clock::Clock;
use crate::recording::{Recorder, Redaction};
use crate::setup::Loaded;
use crate::watch::Source;
use crate::watch::cluster::Cluster;
use crate::watch::stream::{self, WatchSettings};

const EXAMPLES: &str = "\
Examples:
  bellwether record --rules rules/ --output day.jsonl.gz        # until Ctrl-C
  bellwether record --rules rules/ --output day.jsonl.gz --for 24h --max-size 100Mi
  bellwether record --rules rules/ --output day.jsonl.gz --redact 'spec.users[].password'
  bellwether replay day.jsonl.gz --rules rules/

It records the kinds that the rules read, with what is related to them and their Events: whole
objects, so that other rules can be tried on them, in the namespaces of the rules, whatever their
selectors. Left out are the values of Secrets, the annotation in which kubectl keeps what was
applied, and what --redact names. What was written survives a kill; a file is never overwritten. One
that is larger than --max-size is followed by FILE.1, FILE.2 and so on, which `replay FILE` reads
too.";

/// Record what a cluster says, for `replay`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Record {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// How long to record; else until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::config::duration::parse)]
    lasts: Option<Duration>,
    /// A file that is larger is followed by another: `100Mi`, `1Gi`.
    #[arg(long, value_name = "SIZE", default_value = "1Gi")]
    max_size: Size,
    /// A path of values that are left out: `spec.users[].password`. May be given several times.
    #[arg(long, value_name = "PATH")]
    redact: Vec<String>,
}

/// Bytes, as Kubernetes writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [
            ("Ki", 1 << 10),
            ("Mi", 1 << 20),
            ("Gi", 1_u64 << 30),
            ("", 1),
        ];
        let (number, unit) = units
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
            .unwrap_or((text, &1));
        let bytes = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*unit));
        let bytes = bytes.filter(|bytes| *bytes > 0);
        bytes
            .map(Self)
            .ok_or_else(|| "a size such as 100Mi or 1Gi".to_owned())
    }
}

/// How often what was written is made safe.
const FLUSH: Duration = Duration::from_secs(2);

/// Records.
///
/// # Errors
/// The rules are wrong, the cluster cannot be reached, or the file cannot be written.
pub async fn run(arguments: &Record) -> Result<(), Failure> {
    let redaction = redaction(&arguments.redact)?;
    let files = arguments.files.files_of(&arguments.cluster).await?;
    let loaded = load(&files)?;
    let cluster = Cluster::connect(&arguments.cluster.address()).await?;
    cluster.identity().await?;
    let sources = sources(&loaded);
    let mut clock = Clock::start();
    let size = arguments.max_size.0;
    let mut recorder = Recorder::create(
        &arguments.output,
        clock.now(),
        sources.clone(),
        redaction,
        size,
    )?;
    let (signals, mut said) = mpsc::channel(1024);
    let streams: Vec<_> = sources
        .into_iter()
        .map(|source| {
            let settings = WatchSettings::default();
            stream::start(&cluster, source, &PathSet::all(), settings, signals.clone())
        })
        .collect();
    let began = Instant::now();
    let mut flush = tokio::time::interval(FLUSH);
    let mut told = false;
    loop {
        let left = arguments
            .lasts
            .map(|lasts| lasts.saturating_sub(began.elapsed()));
        tokio::select! {
            signalled = said.recv() => match signalled {
                Some(signalled) => recorder.record(clock.now(), signalled)?,
                None => break,
            },
            _ = flush.tick() => recorder.flush(clock.now())?,
            _ = tokio::signal::ctrl_c() => break,
            () = until(left) => break,
        }
        if recorder.has_begun() && !std::mem::replace(&mut told, true) {
            eprintln!("all that is there is recorded; changes follow, until Ctrl-C");
        }
    }
    for stream in streams {
        stream.end().await;
    }
    let (lines, whole) = (recorder.lines, recorder.has_begun());
    recorder.finish(clock.now())?;
    if !whole {
        return Err(Failure::new(
            failure::CLUSTER,
            "the recording ended before all that is there was listed",
            "record for longer; `RUST_LOG=debug` says what is waited for",
        ));
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r");
    }
    eprintln!(
        "{lines} objects and Events are in {}",
        arguments.output.display()
    );
    Ok(())
}

/// What is left out.
pub(super) fn redaction(paths: &[String]) -> Result<Redaction, Failure> {
    Redaction::of(paths)
        .map_err(|error| Failure::new(failure::USAGE, error, "fields, and [] for each of a list"))
}

/// What to watch: the kinds of the rules, whole namespaces at a time.
fn sources(loaded: &Loaded) -> Vec<Source> {
    let objects = loaded.rules.sources.iter().map(|watched| &watched.source);
    let all = objects.chain(&loaded.rules.events).map(|source| Source {
        label_selector: None,
        field_selector: None,
        ..source.clone()
    });
    let mut all: Vec<Source> = all.collect();
    all.sort();
    all.dedup();
    let everywhere: Vec<Source> = all
        .iter()
        .filter(|it| it.namespace.is_none())
        .cloned()
        .collect();
    all.retain(|source| {
        let covered = |wide: &Source| {
            wide.kind == source.kind && wide.api_version == source.api_version && wide != source
        };
        !everywhere.iter().any(covered)
    });
    all
}

async fn until(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_as_kubernetes_does() {
        assert_eq!("100Mi".parse(), Ok(Size(100 << 20)));
        assert_eq!("512".parse(), Ok(Size(512)));
        for wrong in ["", "0", "1.5Gi", "10MB", "99999999999Gi"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
