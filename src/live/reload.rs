//! Reads the user's files again while the bridge runs, and brings what follows to everything that
//! runs on them.
//!
//! In: the files, looked at every few seconds and on SIGHUP. Out: streams, receivers and the engine
//! on what they say now. A mounted `ConfigMap` is a symlink that is swapped, of which no file system
//! tells: so the texts themselves are compared, and a file that was only touched is no change.
//!
//! The order makes it one step for the engine: streams that no longer fit end, receivers are
//! replaced, the engine takes all that the streams said and then the new rules, and only then the
//! streams go on, from where they ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::attempt::{Attempts, Ways};
use super::drive;
use super::metrics::Metrics;
use super::report::Taken;
use super::signals::Hangups;
use super::streams::Streams;
use crate::deliver::{Deliverer, SecretReader, Tenants};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::setup::Loaded;
use crate::setup::last_good::{LastGood, Reloaded};
use crate::setup::reading::Reading;
use crate::setup::written::Written;
use crate::watch::cluster::Cluster;
use crate::watch::documents::{Documents, Held};

/// Two readings so far apart must be the same before they count: nothing is half written then.
const SETTLE: Duration = Duration::from_millis(300);
/// How often a reading is waited for that does not change under our eyes.
const SETTLED_AFTER: usize = 10;
/// How long the cluster may take to give schemas, or Secrets to see whether they are there.
const ASKED: Duration = Duration::from_secs(10);

/// What is wrong with the files that were last read, for `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Vec<String>>>);

impl Health {
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        problems.clone()
    }

    /// As it is at the start.
    #[must_use]
    pub fn of(problems: &Diagnostics) -> Self {
        let health = Self::default();
        health.set(tell(problems));
        health
    }

    fn set(&self, problems: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }
}

/// The files that run, as they were when the bridge started.
pub struct Watched {
    pub last_good: LastGood,
    pub reading: Reading,
    /// The documents of the cluster, if they count.
    pub documents: Option<Arc<Documents>>,
    /// What became of those.
    pub taken: watch::Sender<Taken>,
    pub health: Health,
    /// How often they are looked at; without it, on SIGHUP only.
    pub every: Option<Duration>,
    pub hangups: Hangups,
    pub secrets: Arc<dyn SecretReader>,
    /// How far receivers of tenants reach.
    pub tenants: Tenants,
    /// Whose schemas the rules go by.
    pub cluster: Cluster,
}

/// All that a change of the files changes.
pub struct Reload {
    pub watched: Watched,
    pub cluster_name: Arc<str>,
    pub streams: Streams,
    pub attempts: Arc<Attempts>,
    pub engine: mpsc::Sender<drive::Reload>,
    /// The process stood still.
    pub stood_still: Arc<Notify>,
    pub metrics: Metrics,
    /// Somebody records what the engine is given.
    pub is_recorded: bool,
}

impl Reload {
    /// Runs until a stream ends, which none should.
    ///
    /// # Errors
    /// A stream panicked.
    pub async fn run(mut self) -> Result<(), JoinError> {
        let wrong = self.watched.health.problems().len();
        self.metrics.configured(Timestamp::now(), wrong, None);
        loop {
            let look_at = self.watched.every.map(|every| Instant::now() + every);
            let asked = tokio::select! {
                end = self.streams.first_end() => return end,
                () = self.stood_still.notified() => {
                    self.streams.list_anew().await;
                    continue;
                }
                () = until(look_at) => false,
                () = self.watched.hangups.next() => true,
                () = changed(self.watched.documents.as_deref()) => false,
            };
            self.look(asked).await?;
        }
    }

    /// Reads the files, and takes what changed; all of it if somebody asked for it.
    async fn look(&mut self, asked: bool) -> Result<(), JoinError> {
        let (mut reading, mut held) = self.read().await?;
        if !asked && reading == self.watched.reading {
            return Ok(());
        }
        for _ in 0..SETTLED_AFTER {
            sleep(SETTLE).await;
            let (again, held_then) = self.read().await?;
            held = held_then;
            if again == reading {
                break;
            }
            reading = again;
        }
        if !asked && reading == self.watched.reading {
            return Ok(());
        }
        self.watched.reading = reading.clone();
        let mut next = self.watched.last_good.clone();
        let versions = reading.watched_versions(next.files());
        match timeout(ASKED, self.watched.cluster.schemas_of(versions)).await {
            Ok(Ok(served)) => next.go_by(served),
            Ok(Err(error)) => tracing::warn!("rules go by the schemas of before: {error}"),
            Err(_) => tracing::warn!("rules go by the schemas of before: no answer in time"),
        }
        let take = spawn_blocking(move || {
            let taken = next.take(&reading);
            (next, taken)
        });
        match take.await? {
            (next, Ok(reloaded)) => {
                let taken = Taken::of(held, &reloaded.problems, &reloaded.loaded.advice);
                self.take(next, reloaded).await;
                self.watched.taken.send_replace(taken);
            }
            (_, Err(problems)) => {
                self.watched.taken.send_replace(Taken::of(
                    held,
                    &problems,
                    &Diagnostics::default(),
                ));
                self.refuse(tell(&problems));
            }
        }
        Ok(())
    }

    async fn read(&self) -> Result<(Reading, Held), JoinError> {
        let mut files = self.watched.last_good.files().clone();
        let documents = self.watched.documents.as_deref();
        files.held = documents.map(Documents::held);
        let held = files.held.clone().unwrap_or_default();
        // What cannot be read is part of the reading.
        let reading = spawn_blocking(move || Reading::of(&files, &mut Diagnostics::default()));
        Ok((reading.await?, held))
    }

    async fn take(&mut self, next: LastGood, reloaded: Reloaded) {
        let Reloaded { loaded, problems } = reloaded;
        let receivers = &loaded.configuration.receivers;
        let secrets = self.watched.secrets.clone();
        let deliverer = match Deliverer::with(receivers, secrets, self.watched.tenants) {
            Ok(deliverer) => deliverer,
            Err(errors) => {
                let errors = errors.iter().map(ToString::to_string);
                return self.refuse(tell(&problems).into_iter().chain(errors).collect());
            }
        };
        let ways = Arc::new(Ways {
            formats: loaded.formats.clone(),
            deliverer,
        });
        let written = self
            .is_recorded
            .then(|| Box::new(Written::of(&loaded, next.files())));
        if !self.apply(&loaded, written, ways.clone()).await {
            return;
        }
        self.watched.last_good = next;
        let problems = tell(&problems);
        let wrong = problems.len().max(loaded.frozen.len());
        let outcome = if wrong == 0 { "applied" } else { "partly" };
        let now = Timestamp::now();
        self.metrics.configured(now, wrong, Some(outcome));
        tracing::info!(
            rules = loaded.rules.rules.len(),
            receivers = receivers.len(),
            streams = loaded.rules.streams().len(),
            frozen = loaded.frozen.len(),
            problems = problems.len(),
            "reloaded"
        );
        for advice in loaded.advice.iter() {
            let at = advice.place.as_ref().map(tracing::field::display);
            tracing::warn!(at, "{}", advice.message);
        }
        for problem in &problems {
            tracing::error!("not reloaded, what was in force before goes on: {problem}");
        }
        self.watched.health.set(problems);
        self.verify(&ways).await;
    }

    /// `false`: the bridge is about to stop.
    async fn apply(
        &mut self,
        loaded: &Loaded,
        written: Option<Box<Written>>,
        ways: Arc<Ways>,
    ) -> bool {
        let ended = self.streams.end_what_differs(&loaded.rules).await;
        self.attempts.replace(ways);
        let (taken, is_taken) = oneshot::channel();
        let setup = loaded.setup(self.cluster_name.clone());
        let reload = drive::Reload {
            setup,
            written,
            taken,
        };
        let sent = self.engine.send(reload).await;
        if sent.is_err() || is_taken.await.is_err() {
            return false;
        }
        self.streams.go_on(&loaded.rules, ended);
        true
    }

    fn refuse(&self, problems: Vec<String>) {
        let now = Timestamp::now();
        self.metrics
            .configured(now, problems.len().max(1), Some("refused"));
        for problem in &problems {
            tracing::error!("not reloaded, everything stays as it is: {problem}");
        }
        self.watched.health.set(problems);
    }

    /// A credential that is not there yet is tried again at each attempt; somebody should know.
    async fn verify(&self, ways: &Ways) {
        let Ok(missing) = timeout(ASKED, ways.deliverer.verify()).await else {
            tracing::warn!("it cannot be seen in time whether credentials are there");
            return;
        };
        for missing in missing {
            tracing::warn!(help = missing.error.help(), "{missing}");
        }
    }
}

/// A line for each problem: place, message, what to do.
#[must_use]
pub fn tell(problems: &Diagnostics) -> Vec<String> {
    let line = |problem: &Diagnostic| {
        let place = problem.place.as_ref();
        let place = place.map_or_else(String::new, |place| format!("{place}: "));
        let help = problem.help.as_ref();
        let help = help.map_or_else(String::new, |help| format!(" ({help})"));
        format!("{place}{}{help}", problem.message)
    };
    problems.iter().map(line).collect()
}

async fn changed(documents: Option<&Documents>) {
    match documents {
        Some(documents) => documents.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
