//! `bellwether run`: the bridge.
//!
//! What is wrong is told in the order in which a person can mend it: files, credentials, state
//! file, cluster. Once it runs, an unreachable cluster is waited for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::control::default_state;
use super::failure::{self, Failure};
use super::record::{Size, redaction};
use super::summary::Summary;
use super::typed::served;
use super::{ClusterArgs, FileArgs};
use crate::config::duration;
use crate::deliver::{CredentialError, Deliverer, NoSecrets, SecretReader, Tenants};
use crate::journal::{Journal, Store};
use crate::live::clock::Clock;
use crate::live::reload::{self, Health, Watched};
use crate::live::report::Taken;
use crate::live::secrets::ClusterSecrets;
use crate::live::signals::{Hangups, Signals};
use crate::live::{self, Parts, control, logs};
use crate::recording::RecordingError;
use crate::recording::run::RunRecorder;
use crate::setup::last_good::{LastGood, Reloaded};
use crate::setup::{Files, Kept, Loaded};
use crate::watch::cluster::Cluster;
use crate::watch::documents::Documents;

const EXAMPLES: &str = "\
Examples:
  bellwether run --rules rules/
  bellwether run --rules rules/ --templates templates/ --context staging --param hold=30s
  bellwether run --rules-from-cluster       # kubectl apply -f rules.yaml; kubectl get bellwether -A
  bellwether run --rules rules/ --record /var/lib/bellwether/      # bellwether replay FILE
  bellwether run --rules /etc/bellwether/rules --state /var/lib/bellwether/state --listen 0.0.0.0:8080

Rules, receivers and templates are read again when they change (also when a mounted ConfigMap is
swapped) and on SIGHUP: nothing fires again, a document that is wrong leaves its last good version in
force and is told in the log, in /readyz and in bellwether_config_last_reload_successful. With
--rules-from-cluster the same goes for what the cluster holds, and each document's status says whether
it was accepted and what it found. Documents in the bridge's own namespace are cluster-wide; others
see only their namespace, and notify its receivers and those that are shared.

--record writes down all that the engine is given, and when: what the watches said, of each object the
fields that the rules read (with --record-whole-objects all of them, for rules that are still to be
written), how attempts ended, silences, reloads, and the state that it began with. `bellwether replay
FILE` decides the same again. Values of Secrets, what --record-redact names, and
credentials are not in it: a condition that reads such a value, and not only whether it changed, may
be decided otherwise there. The bridge never waits for it: what the disk cannot keep up with is left
out, and the recording says so (bellwether_recording_lost_inputs_total); a full disk ends the
recording, not the bridge (bellwether_recording).

The first SIGTERM or Ctrl-C waits for attempts under way, at most ten seconds, and exits 0; the
second stops at once with exit code 130. Nothing is lost either way: what is not yet delivered is in
the state file.";

/// Watch the cluster and deliver notifications, until SIGTERM
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Where alerts and undelivered notifications survive a restart; else ./bellwether.state, in a
    /// pod /var/lib/bellwether/state.
    #[arg(long, value_name = "FILE", env = "BELLWETHER_STATE")]
    state: Option<PathBuf>,
    /// Where /healthz, /readyz and /metrics are served, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: Listen,
    /// Receivers in other namespaces than the bridge's own may send to private and loopback
    /// addresses; without it, to public ones only.
    #[arg(long)]
    allow_internal_addresses: bool,
    /// How often rules, receivers and templates are looked at for changes, or `off`: then on SIGHUP
    /// only.
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    reload_interval: Every,
    /// Record everything that is decided on, for `bellwether replay`: into this file, or into a new
    /// one in this directory.
    #[arg(long, value_name = "FILE|DIR")]
    record: Option<PathBuf>,
    /// A recording that is larger goes on in another file: `100Mi`, `1Gi`. None is ever removed: a run
    /// is played from its beginning.
    #[arg(long, value_name = "SIZE", default_value = "1Gi")]
    record_max_size: Size,
    /// A path of values that are left out of the recording: `spec.users[].password`. May be given
    /// several times.
    #[arg(long, value_name = "PATH")]
    record_redact: Vec<String>,
    /// Record objects whole, as `bellwether record` does, so that any rule can be tried on them later.
    /// They are whole in memory and in the state file then: several times what a bridge needs.
    #[arg(long, requires = "record")]
    record_whole_objects: bool,
}

/// How often, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Every(Option<Duration>);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let every = duration::parse(text).map_err(|error| error.to_string())?;
        if every.is_zero() {
            return Err("at least 1s, or off".to_owned());
        }
        Ok(Self(Some(every)))
    }
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    Off,
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = text.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
        let address = address.as_deref().unwrap_or(text);
        let parsed = address.parse().map(Self::At);
        parsed.map_err(|_| "an address and a port (127.0.0.1:8080), or off".to_owned())
    }
}

/// Runs the bridge.
///
/// # Errors
/// It cannot start, or something broke that must not break.
pub async fn run(arguments: &Run, format: logs::Format) -> Result<(), Failure> {
    // Reads the kubeconfig and asks nobody; what is wrong with it waits until the files are right.
    let mut cluster = Cluster::connect(&arguments.cluster.address()).await;
    let own_namespace = cluster.as_ref().ok().map(|c| c.namespace().to_string());
    let mut files = arguments.files_of(own_namespace);
    let mut documents = None;
    if arguments.files.rules_from_cluster {
        let connected = cluster?;
        documents = Some(Arc::new(follow(&connected, &mut files).await?));
        cluster = Ok(connected);
    }
    let (mut last_good, reloaded, reading) = LastGood::load(files)?;
    let Reloaded { loaded, problems } = reloaded;

    let secrets: Arc<dyn SecretReader> = match &cluster {
        Ok(cluster) => Arc::new(ClusterSecrets::of(cluster.clone())),
        Err(_) => Arc::new(NoSecrets),
    };
    let tenants = arguments.tenants();
    let receivers = &loaded.configuration.receivers;
    let deliverer = Deliverer::with(receivers, secrets.clone(), tenants)?;
    let unresolved = deliverer.verify().await;
    let (of_tenants, unresolved): (Vec<_>, Vec<_>) = unresolved
        .into_iter()
        .partition(|missing| missing.of_tenant);
    for missing in of_tenants {
        tracing::warn!(help = missing.error.help(), "{missing}");
    }
    let (in_cluster, here): (Vec<_>, Vec<_>) = unresolved
        .into_iter()
        .partition(|missing| matches!(missing.error, CredentialError::SecretKey { .. }));
    if !here.is_empty() {
        return Err(here.into());
    }

    let state = arguments.state_file();
    let mut store = Store::open(&state)?;
    let cluster = cluster?;
    store.claim(&cluster.identity().await?.to_string())?;
    last_good.go_by(served(&cluster, last_good.files()).await?);
    // Nothing else has changed since; and if it had, the rules stay as they are.
    let (loaded, problems) = match last_good.take(&reading) {
        Ok(again) => (again.loaded, again.problems),
        Err(_) => (loaded, problems),
    };
    for problem in reload::tell(&problems) {
        tracing::error!("this document does not run: {problem}");
    }
    if !in_cluster.is_empty() {
        return Err(in_cluster.into());
    }
    let records = store.load()?;

    let listener = listen(arguments.listen).await?;
    let control = open_control(&state);
    let name = arguments.cluster.cluster_name.as_deref();
    let cluster_name: Arc<str> = name.map_or_else(|| cluster.name().clone(), Arc::from);
    let summary = Summary {
        loaded: &loaded,
        cluster: &cluster,
        cluster_name: &cluster_name,
        state: &state,
        records: records.len(),
        listening: listener.as_ref().and_then(|l| l.local_addr().ok()),
    };
    summary.tell(format);
    for advice in loaded.advice.iter() {
        let at = advice.place.as_ref().map(tracing::field::display);
        tracing::warn!(at, "{}", advice.message);
    }
    let no_signals = |error| Failure {
        exit: failure::INTERNAL,
        report: format!("error: signals cannot be received: {error}"),
    };
    let signals = Signals::listen().map_err(no_signals)?;
    let held = last_good.files().held.clone().unwrap_or_default();
    let watched = Watched {
        documents,
        taken: watch::Sender::new(Taken::of(held, &problems, &loaded.advice)),
        health: Health::of(&problems),
        last_good,
        reading,
        every: arguments.reload_interval.0,
        hangups: Hangups::listen().map_err(no_signals)?,
        secrets,
        tenants,
        cluster: cluster.clone(),
    };
    let recorder = arguments.recorder(&loaded)?;
    let parts = Parts {
        recorder,
        epoch: store.epoch(),
        journal: Box::new(store),
        loaded,
        watched,
        cluster,
        cluster_name,
        deliverer,
        records,
        listener,
        control,
    };
    Ok(live::run(parts, signals).await?)
}

/// Begins to follow the documents of the cluster, and reads what it holds now.
async fn follow(cluster: &Cluster, files: &mut Files) -> Result<Documents, Failure> {
    let documents = Documents::follow(cluster);
    documents.listed().await?;
    files.held = Some(documents.held());
    Ok(documents)
}

/// Where the other commands ask; a bridge that cannot be asked runs all the same.
fn open_control(state: &Path) -> Option<control::Listener> {
    let opened = control::Listener::open(state);
    let told = opened.inspect_err(|error| {
        let path = control::path_of(state);
        let path = path.display();
        tracing::warn!("`bellwether ledger` and `silence` cannot ask this bridge: {path}: {error}");
    });
    told.ok()
}

impl Run {
    fn files_of(&self, own_namespace: Option<String>) -> Files {
        let kept = if self.record_whole_objects {
            Kept::WholeObjects
        } else {
            Kept::Read
        };
        Files {
            kept,
            ..self.files.files(own_namespace)
        }
    }

    fn tenants(&self) -> Tenants {
        if self.allow_internal_addresses {
            Tenants::ReachAll
        } else {
            Tenants::ReachPublicAddresses
        }
    }

    /// The recording that somebody asked for, begun.
    fn recorder(&self, loaded: &Loaded) -> Result<Option<RunRecorder>, Failure> {
        let Some(path) = &self.record else {
            return Ok(None);
        };
        let began = Clock::start().now();
        let path = if path.is_dir() {
            path.join(
                began
                    .strftime("bellwether-%Y%m%dT%H%M%S.%3fZ.jsonl.gz")
                    .to_string(),
            )
        } else {
            path.clone()
        };
        let sources = loaded.rules.streams().into_iter().map(|(source, _)| source);
        let redaction = redaction(&self.record_redact)?;
        let size = self.record_max_size.0;
        match RunRecorder::create(&path, began, sources.collect(), redaction, size) {
            Ok(recorder) => {
                tracing::info!("recording to {}", path.display());
                Ok(Some(recorder))
            }
            // Whoever is to be told is told, whether or not there is room for a recording.
            Err(RecordingError::File { path, error })
                if error.kind() == std::io::ErrorKind::StorageFull =>
            {
                tracing::error!("nothing is recorded: {}: {error}", path.display());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn state_file(&self) -> PathBuf {
        let in_pod = self.cluster.kubeconfig.is_none()
            && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        self.state.clone().unwrap_or_else(|| default_state(in_pod))
    }
}

async fn listen(wanted: Listen) -> Result<Option<TcpListener>, Failure> {
    let Listen::At(address) = wanted else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(Failure::new(
            failure::LISTEN,
            format!("cannot listen on {address}: {error}"),
            "choose another address with --listen ADDR, or --listen off",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_address_may_be_off_or_a_port() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        let any = Listen::At(([0, 0, 0, 0], 9090).into());
        assert_eq!(":9090".parse(), Ok(any));
        assert!("localhost".parse::<Listen>().is_err());
    }

    #[test]
    fn files_are_looked_at_every_so_often_or_not_at_all() {
        let seconds = |seconds| Every(Some(Duration::from_secs(seconds)));
        assert_eq!("2s".parse(), Ok(seconds(2)));
        assert_eq!("off".parse(), Ok(Every(None)));
        assert!("0s".parse::<Every>().is_err());
        assert!("often".parse::<Every>().is_err());
    }
}
