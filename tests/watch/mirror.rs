//! What somebody knows who believes every signal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bellwether::cel::{Json, PathSet};
use bellwether::names::Uid;
use bellwether::watch::cluster::Cluster;
use bellwether::watch::stats::WatchStats;
use bellwether::watch::stream::{self, WatchSettings, Watching};
use bellwether::watch::{Change, KubernetesEvent, Observation, Signal, Signalled, Source};
use tokio::sync::mpsc;

/// How long anything may take here: a restart of the API server is the longest.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    Broken,
    Dormant,
}

pub struct Mirror {
    signals: mpsc::Receiver<Signalled>,
    source: Source,
    watching: Watching,
    pub health: Health,
    /// Objects by UID, as the last signal gave them.
    pub objects: BTreeMap<Uid, Json>,
    pub events: BTreeMap<Uid, KubernetesEvent>,
    /// Names of objects whose deletion was signalled, in order.
    pub deleted: Vec<String>,
    /// Those of them that only left the selection.
    pub left: Vec<String>,
    pub lists: usize,
    /// Names and fields of objects that were read again, in order.
    pub refreshed: Vec<(String, Json)>,
    pub refreshes: usize,
    /// Objects that changed, by name, in order.
    pub changed: Vec<(String, Json)>,
    pub aborted: usize,
    pub broken: Vec<String>,
    pub dormant: Vec<String>,
    /// What the list that runs has named so far.
    listing: Option<BTreeSet<Uid>>,
    /// The signals so far, shortly, for a failure's text.
    log: Vec<String>,
}

/// Times for a test: the sizes are those of production.
pub fn hasty() -> WatchSettings {
    WatchSettings {
        first_delay: Duration::from_millis(50),
        longest_delay: Duration::from_secs(1),
        ..WatchSettings::default()
    }
}

impl Mirror {
    /// Watches all fields of a source.
    pub fn of(cluster: &Cluster, source: Source) -> Self {
        Self::with(cluster, source, &PathSet::all(), hasty(), 16)
    }

    pub fn with(
        cluster: &Cluster,
        source: Source,
        paths: &PathSet,
        settings: WatchSettings,
        capacity: usize,
    ) -> Self {
        let (sender, signals) = mpsc::channel(capacity);
        Self {
            signals,
            watching: stream::start(cluster, source.clone(), paths, settings, sender),
            source,
            health: Health::Good,
            objects: BTreeMap::new(),
            events: BTreeMap::new(),
            deleted: Vec::new(),
            left: Vec::new(),
            lists: 0,
            refreshed: Vec::new(),
            refreshes: 0,
            changed: Vec::new(),
            aborted: 0,
            broken: Vec::new(),
            dormant: Vec::new(),
            listing: None,
            log: Vec::new(),
        }
    }

    /// Ends the stream, lets something happen, and goes on with other paths.
    pub async fn go_on(
        self,
        cluster: &Cluster,
        paths: &PathSet,
        meanwhile: impl Future<Output = ()>,
    ) -> Self {
        let (sender, signals) = mpsc::channel(16);
        let handover = self.watching.end().await;
        meanwhile.await;
        let source = self.source.clone();
        Self {
            watching: stream::go_on(cluster, source, paths, hasty(), sender, handover),
            signals,
            ..self
        }
    }

    pub fn stats(&self) -> Arc<WatchStats> {
        self.watching.stats().clone()
    }

    /// Follows the signals until this holds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            match tokio::time::timeout_at(deadline, self.signals.recv()).await {
                Ok(Some(signalled)) => {
                    assert_eq!(signalled.source, self.source.key());
                    self.believe(signalled.signal);
                }
                Ok(None) => panic!("the stream ended before: {what}\n{}", self.told()),
                Err(elapsed) => panic!("{elapsed} after {PATIENCE:?}: {what}\n{}", self.told()),
            }
        }
    }

    pub async fn listed(source: Source, cluster: &Cluster) -> Self {
        let mut mirror = Self::of(cluster, source);
        mirror.until("the first list ends", |m| m.lists == 1).await;
        mirror
    }

    /// Follows the signals for some time.
    pub async fn during(&mut self, time: Duration) {
        let deadline = tokio::time::Instant::now() + time;
        while let Ok(Some(signalled)) = tokio::time::timeout_at(deadline, self.signals.recv()).await
        {
            self.believe(signalled.signal);
        }
    }

    fn believe(&mut self, signal: Signal) {
        self.log.push(short(&signal));
        match signal {
            Signal::ListBegan => {
                assert!(self.listing.is_none(), "a list in a list\n{}", self.told());
                self.listing = Some(BTreeSet::new());
            }
            Signal::Applied(observation) => self.apply(observation),
            Signal::Refreshed(observation) => {
                assert!(self.listing.is_none(), "in a list\n{}", self.told());
                let name = observation.header.object.name.to_string();
                self.refreshed.push((name, observation.object));
            }
            Signal::RefreshEnded => self.refreshes += 1,
            Signal::Deleted(observation) => {
                assert_ne!(observation.change, Change::Applied);
                if observation.change == Change::Left {
                    self.left.push(observation.header.object.name.to_string());
                }
                self.objects.remove(&observation.header.uid);
                self.deleted
                    .push(observation.header.object.name.to_string());
            }
            Signal::Event(event) => {
                self.named(event.uid);
                self.events.insert(event.uid, event);
            }
            Signal::EventDeleted(uid) => drop(self.events.remove(&uid)),
            Signal::ListEnded => {
                let named = self.listing.take();
                let named = named.unwrap_or_else(|| panic!("no list ends\n{}", self.told()));
                self.objects.retain(|uid, _| named.contains(uid));
                self.events.retain(|uid, _| named.contains(uid));
                self.lists += 1;
            }
            Signal::ListAborted { .. } => {
                assert!(
                    self.listing.take().is_some(),
                    "no list was aborted\n{}",
                    self.told()
                );
                self.aborted += 1;
            }
            Signal::Broken { why } => {
                assert_eq!(self.health, Health::Good, "broken twice\n{}", self.told());
                self.health = Health::Broken;
                self.broken.push(why);
            }
            Signal::Recovered => {
                assert_eq!(
                    self.health,
                    Health::Broken,
                    "nothing to recover\n{}",
                    self.told()
                );
                self.health = Health::Good;
            }
            Signal::StoodStill => unreachable!("no stream says that of itself"),
            Signal::Dormant { why } => {
                assert_ne!(
                    self.health,
                    Health::Dormant,
                    "dormant twice\n{}",
                    self.told()
                );
                self.health = Health::Dormant;
                self.dormant.push(why);
            }
            Signal::Awake => {
                assert_eq!(
                    self.health,
                    Health::Dormant,
                    "nothing to wake\n{}",
                    self.told()
                );
                self.health = Health::Good;
            }
        }
    }

    fn apply(&mut self, observation: Observation) {
        assert_eq!(observation.change, Change::Applied);
        assert!(
            self.lists > 0 || self.listing.is_some(),
            "before any list\n{}",
            self.told()
        );
        self.named(observation.header.uid);
        if self.listing.is_none() {
            let name = observation.header.object.name.to_string();
            self.changed.push((name, observation.object.clone()));
        }
        self.objects
            .insert(observation.header.uid, observation.object);
    }

    fn named(&mut self, uid: Uid) {
        if let Some(named) = &mut self.listing {
            named.insert(uid);
        }
    }

    /// The object of this name, if it is there.
    pub fn object(&self, name: &str) -> Option<&Json> {
        self.objects
            .values()
            .find(|object| object.at(&["metadata", "name"]).and_then(Json::as_str) == Some(name))
    }

    /// A field of the object of this name, as compact JSON.
    pub fn field(&self, name: &str, path: &[&str]) -> Option<String> {
        self.object(name)?.at(path).map(ToString::to_string)
    }

    pub fn names(&self) -> Vec<String> {
        let name = |object: &Json| Some(object.at(&["metadata", "name"])?.as_str()?.to_owned());
        let mut names: Vec<_> = self.objects.values().filter_map(name).collect();
        names.sort();
        names
    }

    fn told(&self) -> String {
        let from = self.log.len().saturating_sub(40);
        format!("the last signals: {:#?}", &self.log[from..])
    }
}

fn short(signal: &Signal) -> String {
    match signal {
        Signal::Applied(o) => format!(
            "applied {} at {}",
            o.header.object, o.header.resource_version
        ),
        Signal::Deleted(o) => format!("deleted {}", o.header.object),
        Signal::Event(event) => format!("event {} x{}", event.reason, event.count),
        other => format!("{other:?}"),
    }
}
