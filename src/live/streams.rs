//! The streams that run: one for each thing that the rules watch.
//!
//! In: rule sets. Out: running streams, all signalling into one channel. A stream that reads the
//! same under another rule set goes on untouched; one that reads other paths is followed by
//! another that goes on where it ended.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::metrics;
use crate::cel::PathSet;
use crate::evaluate::RuleSet;
use crate::names::SourceKey;
use crate::watch::cluster::Cluster;
use crate::watch::stream::{self, Handover, WatchSettings, Watching};
use crate::watch::{Signalled, Source};

/// The streams of a rule set.
pub struct Streams {
    cluster: Cluster,
    signals: mpsc::Sender<Signalled>,
    running: BTreeMap<SourceKey, Running>,
    /// The kinds of which Events are kept; those of others were passed over.
    kinds: HashSet<Arc<str>>,
    shown: metrics::Streams,
}

struct Running {
    watching: Watching,
    source: Source,
    paths: PathSet,
}

/// Streams that ended, until others take their place.
#[derive(Default)]
pub struct Ended(HashMap<SourceKey, Handover>);

impl Streams {
    /// None yet; [`Self::go_on`] starts them.
    #[must_use]
    pub fn new(
        cluster: Cluster,
        signals: mpsc::Sender<Signalled>,
        shown: metrics::Streams,
    ) -> Self {
        Self {
            cluster,
            signals,
            running: BTreeMap::new(),
            kinds: HashSet::new(),
            shown,
        }
    }

    /// Ends every stream that does not fit these rules. Whatever they have said is in the channel
    /// when this is over.
    pub async fn end_what_differs(&mut self, rules: &RuleSet) -> Ended {
        let wanted: HashMap<SourceKey, PathSet> = rules
            .streams()
            .into_iter()
            .map(|(source, paths)| (source.key(), paths))
            .collect();
        let events: HashSet<SourceKey> = rules.events.iter().map(Source::key).collect();
        let more_kinds = !rules.kinds.is_subset(&self.kinds);
        let mut ended = Ended::default();
        for (key, running) in std::mem::take(&mut self.running) {
            let paths = wanted.get(&key);
            let anew = events.contains(&key) && more_kinds;
            if paths == Some(&running.paths) && !anew {
                self.running.insert(key, running);
                continue;
            }
            let handover = running.watching.end().await;
            if paths.is_some() {
                let handover = if anew { handover.anew() } else { handover };
                ended.0.insert(key, handover);
            }
        }
        ended
    }

    /// Starts what these rules watch and nothing does yet.
    pub fn go_on(&mut self, rules: &RuleSet, mut ended: Ended) {
        for (source, paths) in rules.streams() {
            let key = source.key();
            if self.running.contains_key(&key) {
                continue;
            }
            let handover = ended.0.remove(&key);
            self.insert(key, source, paths, handover);
        }
        self.kinds.clone_from(&rules.kinds);
        let running = self.running.iter();
        let stats = running.map(|(key, it)| (key.clone(), it.watching.stats().clone()));
        self.shown.set(stats.collect());
    }

    /// Begins each stream again, with a list: what it said last may be old.
    pub async fn list_anew(&mut self) {
        for (key, running) in std::mem::take(&mut self.running) {
            let handover = running.watching.end().await.anew();
            self.insert(key, running.source, running.paths, Some(handover));
        }
    }

    fn insert(
        &mut self,
        key: SourceKey,
        source: Source,
        paths: PathSet,
        handover: Option<Handover>,
    ) {
        let watching = stream::go_on(
            &self.cluster,
            source.clone(),
            &paths,
            WatchSettings::default(),
            self.signals.clone(),
            handover.unwrap_or_default(),
        );
        let running = Running {
            watching,
            source,
            paths,
        };
        self.running.insert(key, running);
    }

    /// The end of the stream that ends first. None should: each heals itself.
    ///
    /// # Errors
    /// It panicked.
    pub async fn first_end(&mut self) -> Result<(), JoinError> {
        let running = self.running.values_mut();
        let ends: Vec<_> = running.map(|it| Box::pin(it.watching.ended())).collect();
        if ends.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(ends).await.0
    }
}
