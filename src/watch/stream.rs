//! One list/watch stream that heals itself.
//!
//! In: a [`Source`] and the paths that are read of its objects. Out: [`Signalled`] into a bounded
//! channel: whoever reads slowly slows the stream down and makes nothing pile up.
//!
//! The stream finds its kind (and waits, dormant, for one that is not there), lists, then watches
//! from where the list ended. Whatever breaks, it goes on from the last version that it handed
//! over, so that no final state is missed; where the server no longer has that version, it lists
//! again. It decides nothing else.
//!
//! Implements the "efficient detection of changes" and "streaming lists" (KEP-3157) of
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: a stream is a task that sleeps between its attempts"
)]

mod changes;
mod list;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::cel::PathSet;
use crate::names::SourceKey;
use crate::watch::backoff::Backoff;
use crate::watch::cluster::Cluster;
use crate::watch::decode::Decoder;
use crate::watch::error::WatchError;
use crate::watch::metadata;
use crate::watch::resource::Resource;
use crate::watch::stats::WatchStats;
use crate::watch::{Signal, Signalled, Source};

/// Times and sizes of a stream. The defaults are for production; tests shorten the times.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// The first delay after a failure; it doubles from there.
    pub first_delay: Duration,
    /// The longest delay after failures.
    pub longest_delay: Duration,
    /// The longest time between two looks for a kind that is not there.
    pub rediscover: Duration,
    /// The longest wait for the head of an answer, or for a whole page.
    pub answer: Duration,
    /// How long one watch request lasts, give or take a tenth; the server ends it.
    pub watch: Duration,
    /// The same for Kubernetes Events. They have no bookmarks, so only the end of the watch
    /// shows that the connection lives.
    pub watch_events: Duration,
    /// When nothing comes for this long, not even one of the bookmarks that come each minute, the
    /// connection is replaced.
    pub silence: Duration,
    /// A watch that was broken for longer begins with a list: less than the minute for which a broken
    /// stream is believed.
    pub believed: Duration,
    /// The longest line of a watch, in bytes.
    pub line_limit: usize,
    /// How many objects to a page of a list.
    pub page_items: u32,
    /// The largest page, in bytes; if one is larger, it is asked for again with fewer objects.
    pub page_bytes: usize,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(30),
            rediscover: Duration::from_secs(4),
            answer: Duration::from_mins(1),
            watch: Duration::from_secs(280),
            watch_events: Duration::from_mins(1),
            silence: Duration::from_secs(150),
            believed: Duration::from_secs(45),
            line_limit: 16 << 20,
            page_items: 500,
            page_bytes: 64 << 20,
        }
    }
}

/// Where a stream was when it ended, for the one that goes on in its place.
#[derive(Clone, Debug, Default)]
pub struct Handover {
    position: Option<Arc<str>>,
    stats: Arc<WatchStats>,
}

impl Handover {
    /// The next stream is to list everything anew.
    #[must_use]
    pub fn anew(self) -> Self {
        Self {
            position: None,
            ..self
        }
    }
}

/// The version up to which everything has been handed over; `None`: a list is due.
#[derive(Clone, Debug, Default)]
struct Position(Arc<Mutex<Option<Arc<str>>>>);

impl Position {
    fn get(&self) -> Option<Arc<str>> {
        let position = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        position.clone()
    }

    fn set(&self, position: Option<Arc<str>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = position;
    }
}

/// A running stream. Dropping it ends the stream at once.
#[derive(Debug)]
pub struct Watching {
    stats: Arc<WatchStats>,
    position: Position,
    task: JoinHandle<()>,
}

impl Watching {
    /// The stream's counts.
    #[must_use]
    pub fn stats(&self) -> &Arc<WatchStats> {
        &self.stats
    }

    /// Waits for the end of the stream: nobody listens any more, or, as the error, it panicked.
    ///
    /// # Errors
    /// The stream panicked.
    pub async fn ended(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }

    /// Ends the stream, and waits until it has: it says nothing any more, not even that its
    /// connection is gone with the runtime.
    pub async fn end(mut self) -> Handover {
        self.task.abort();
        // It was aborted, which is what the error says.
        let _ = self.ended().await;
        Handover {
            position: self.position.get(),
            stats: self.stats.clone(),
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a stream. It ends when the receiving half of the channel is gone, or with [`Watching`].
///
/// Must be called within a tokio runtime.
#[must_use = "dropping it ends the stream"]
pub fn start(
    cluster: &Cluster,
    source: Source,
    paths: &PathSet,
    settings: WatchSettings,
    signals: mpsc::Sender<Signalled>,
) -> Watching {
    go_on(
        cluster,
        source,
        paths,
        settings,
        signals,
        Handover::default(),
    )
}

/// Goes on where another stream of the same source ended, with other paths: what is there is read
/// again ([`Signal::Refreshed`]), then every change follows since the last that the other one
/// handed over.
///
/// Must be called within a tokio runtime.
#[must_use = "dropping it ends the stream"]
pub fn go_on(
    cluster: &Cluster,
    source: Source,
    paths: &PathSet,
    settings: WatchSettings,
    signals: mpsc::Sender<Signalled>,
    handover: Handover,
) -> Watching {
    let only_metadata = !source.is_events() && metadata::suffices(paths);
    let stats = handover.stats;
    let position = Position::default();
    position.set(handover.position);
    let decoder = if source.is_events() {
        Decoder::of_events()
    } else {
        Decoder::of_objects(paths, source.api_version.clone(), source.kind.clone())
    };
    let stream = Stream {
        cluster: cluster.clone(),
        key: source.key(),
        backoff: Backoff::new(settings.first_delay, settings.longest_delay),
        source,
        settings,
        decoder,
        only_metadata,
        signals,
        stats: stats.clone(),
        health: Health::Good,
        broken_since: None,
        refresh: position.get().is_some(),
        position: position.clone(),
        paged: false,
        unfinished_lists: 0,
        unreadable_after: None,
    };
    Watching {
        stats,
        position,
        task: tokio::spawn(async move {
            // It ends in one way only: nobody listens any more.
            let Err(Unheard) = stream.run().await;
        }),
    }
}

/// The receiving half of the channel is gone.
struct Unheard;

/// Never: a stream does not end by itself.
enum Never {}

/// Why an attempt ended.
enum Stop {
    Unheard,
    Failed(WatchError),
}

impl From<Unheard> for Stop {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

impl<E: Into<WatchError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What was last said about the stream itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    Broken,
    Dormant,
}

struct Stream {
    cluster: Cluster,
    source: Source,
    key: SourceKey,
    settings: WatchSettings,
    decoder: Decoder,
    /// Nothing else is read.
    only_metadata: bool,
    signals: mpsc::Sender<Signalled>,
    stats: Arc<WatchStats>,
    backoff: Backoff,
    health: Health,
    broken_since: Option<Instant>,
    position: Position,
    /// What is there must be read again before the watch goes on.
    refresh: bool,
    /// Lists come in pages: the server refused, or never finished, a streaming list.
    paged: bool,
    /// Streaming lists in a row that the server did not finish.
    unfinished_lists: u32,
    /// The position behind which something unreadable came.
    unreadable_after: Option<Arc<str>>,
}

impl Stream {
    async fn run(mut self) -> Result<Never, Unheard> {
        loop {
            let resource = self.discover().await?;
            self.follow(&resource).await?;
            // The kind is gone: what comes back under its name is listed from the beginning.
            self.position.set(None);
        }
    }

    /// Finds the kind; waits for as long as the server does not have it.
    async fn discover(&mut self) -> Result<Resource, Unheard> {
        let mut look_again = Backoff::new(self.settings.first_delay, self.settings.rediscover);
        loop {
            match Resource::find(&self.cluster, &self.source).await {
                Ok(resource) => return Ok(resource),
                Err(error @ WatchError::NoSuchKind { .. }) => {
                    self.fall_dormant(&error).await?;
                    self.pause(look_again.next()).await?;
                }
                Err(error) => self.fail(&error).await?,
            }
        }
    }

    /// Lists and watches until the kind is gone.
    async fn follow(&mut self, resource: &Resource) -> Result<(), Unheard> {
        loop {
            let error = match self.attempt(resource).await {
                Ok(()) => continue,
                Err(Stop::Unheard) => return Err(Unheard),
                Err(Stop::Failed(error)) => error,
            };
            match error {
                WatchError::NotFound { .. } => {
                    self.pause_after_failure(Duration::ZERO).await?;
                    return Ok(());
                }
                WatchError::Expired { message } => {
                    tracing::debug!(source = %self.key, message, "too far behind: listing again");
                    self.position.set(None);
                    self.pause_after_failure(Duration::ZERO).await?;
                }
                error => self.fail(&error).await?,
            }
        }
    }

    /// One request, or one list in pages. `Ok`: it ended as it should, and the next may follow.
    async fn attempt(&mut self, resource: &Resource) -> Result<(), Stop> {
        let long = |broken: Instant| broken.elapsed() >= self.settings.believed;
        match self.position.get() {
            // A watch would bring what was missed, and not say when it has: a list does.
            Some(_) if self.broken_since.is_some_and(long) => {
                self.position.set(None);
                Ok(())
            }
            Some(_) if self.refresh => self.refresh(resource).await,
            Some(version) => self.watch_from(resource, &version).await,
            None if self.paged => self.list_in_pages(resource).await,
            None => self.list_and_watch(resource).await,
        }
    }

    async fn fail(&mut self, error: &WatchError) -> Result<(), Unheard> {
        let why = error.to_string();
        if self.health == Health::Good {
            self.health = Health::Broken;
            self.broken_since = Some(now());
            tracing::warn!(source = %self.key, why, "the watch is down and is tried again");
            self.say(Signal::Broken { why }).await?;
        } else {
            tracing::debug!(source = %self.key, why, "the watch is still down");
        }
        self.pause_after_failure(error.retry_after()).await
    }

    async fn fall_dormant(&mut self, error: &WatchError) -> Result<(), Unheard> {
        if self.health == Health::Dormant {
            return Ok(());
        }
        self.health = Health::Dormant;
        let why = error.to_string();
        tracing::warn!(source = %self.key, why, "nothing to watch until this kind appears");
        self.say(Signal::Dormant { why }).await
    }

    /// Says that the kind is there, if it was not.
    async fn awake(&mut self) -> Result<(), Unheard> {
        if self.health != Health::Dormant {
            return Ok(());
        }
        self.health = Health::Good;
        self.broken_since = None;
        tracing::info!(source = %self.key, "the kind appeared");
        self.say(Signal::Awake).await
    }

    /// Says that the watch delivers, if it did not.
    async fn recovered(&mut self) -> Result<(), Unheard> {
        if self.health != Health::Broken {
            return Ok(());
        }
        self.health = Health::Good;
        self.broken_since = None;
        tracing::info!(source = %self.key, "the watch delivers again");
        self.say(Signal::Recovered).await
    }

    async fn pause_after_failure(&mut self, at_least: Duration) -> Result<(), Unheard> {
        self.stats.failures.increment();
        let delay = self.backoff.next().max(at_least);
        self.pause(delay).await
    }

    async fn pause(&self, delay: Duration) -> Result<(), Unheard> {
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = self.signals.closed() => Err(Unheard),
        }
    }

    async fn say(&self, signal: Signal) -> Result<(), Unheard> {
        let signalled = Signalled {
            source: self.key.clone(),
            signal,
        };
        self.signals.send(signalled).await.map_err(|_| Unheard)
    }
}

/// When a request began; the clock that tells a short life from a long one.
fn now() -> Instant {
    Instant::now()
}
