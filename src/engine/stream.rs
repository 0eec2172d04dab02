//! [`Stream`]: one list/watch stream as the engine knows it: its objects, and whether it may be believed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::cel::{Json, PathSet};
use crate::evaluate::WatchedSource;
use crate::names::{Fingerprint, SourceKey, Uid};
use crate::transition::Objects;
use crate::transition::events::{Scope, covers};
use crate::watch::{KubernetesEvent, Source};

/// How long a broken stream is still believed: most breaks mend at once.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// Whether what a stream said last can be relied on.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// It has completed a list since the start.
    pub listed: bool,
    /// A list is under way.
    pub listing: bool,
    /// The server does not have this kind.
    pub dormant: Option<String>,
    pub broken: Option<Break>,
    /// The process stood still: what was said last may be old, until there is a list.
    pub doubted: bool,
}

/// A break of a stream.
#[derive(Clone, Debug)]
pub struct Break {
    pub since: Timestamp,
    pub why: String,
    /// Those who rely on it have been told.
    pub told: bool,
}

impl Health {
    /// Nothing acts on a stream that has not listed, or has been broken for long.
    #[must_use]
    pub fn may_act(&self, now: Timestamp) -> bool {
        self.listed && !self.doubted && self.dormant.is_none() && !self.is_stale(now)
    }

    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.broken
            .as_ref()
            .is_some_and(|broken| now.duration_since(broken.since) > PATIENCE)
    }

    pub fn broke(&mut self, now: Timestamp, why: String) {
        match &mut self.broken {
            Some(broken) => broken.why = why,
            None => {
                self.broken = Some(Break {
                    since: now,
                    why,
                    told: false,
                });
            }
        }
    }
}

/// One stream of Kubernetes Events.
#[derive(Debug)]
pub struct EventStream {
    pub key: SourceKey,
    pub scope: Scope,
    pub health: Health,
    /// Where Events have been listed before, in a former life too: what is new to us there is news.
    pub known: BTreeSet<Scope>,
    /// About which kinds of objects the journal says that.
    pub written: Option<PathSet>,
    /// Kinds whose Events no list has named yet: what the next one says of them is where their
    /// rules start from.
    pub new_kinds: HashSet<Arc<str>>,
}

impl EventStream {
    /// One that has said nothing yet.
    #[must_use]
    pub fn new(source: &Source) -> Self {
        Self {
            key: source.key(),
            scope: source.namespace.clone(),
            health: Health::default(),
            known: BTreeSet::new(),
            written: None,
            new_kinds: HashSet::new(),
        }
    }

    /// The namespaces of a stream's Events, from its key; `None` if it is no stream of Events.
    #[must_use]
    pub fn scope_of(key: &SourceKey) -> Option<Scope> {
        let all = Source::events().key();
        let rest = key.as_str().strip_prefix(all.as_str())?;
        match rest.strip_prefix("?namespace=") {
            Some(namespace) => Some(Some(namespace.into())),
            None => rest.is_empty().then_some(None),
        }
    }

    /// With no memory of Events the first list is where rules start from.
    #[must_use]
    pub fn is_baseline(&self, event: &KubernetesEvent) -> bool {
        let mut known = self.known.iter();
        let unknown = !known.any(|scope| covers(scope, &event.namespace));
        if self.health.listing {
            unknown || self.new_kinds.contains(&event.regarding.kind)
        } else {
            unknown && !self.health.listed
        }
    }

    /// Whether the Events about objects of this kind have been listed.
    #[must_use]
    pub fn has_listed(&self, kind: &str) -> bool {
        self.health.listed && !self.new_kinds.contains(kind)
    }

    /// The list is complete. Whether anybody waited for it.
    pub fn listed(&mut self) -> bool {
        self.health.listing = false;
        self.health.broken = None;
        self.health.doubted = false;
        let first = !std::mem::replace(&mut self.health.listed, true);
        self.known = BTreeSet::from([self.scope.clone()]);
        let new_kinds = std::mem::take(&mut self.new_kinds);
        first || !new_kinds.is_empty()
    }
}

/// One stream of objects.
#[derive(Debug, Default)]
pub struct Stream {
    pub health: Health,
    pub objects: Objects,
    /// What the stored objects are projections on; absent where no list was ever completed: what
    /// is found then is a baseline.
    pub known: Option<PathSet>,
    /// What the journal says of that: it follows once all objects are written down.
    pub written: Option<PathSet>,
    /// The same as it was at the start, or at the last reload that made the stream read other
    /// paths: what it did not have then is "first seen" when it comes, never "changed".
    pub known_before: Option<PathSet>,
    /// Objects that have what was read before the last reload, until they are read again.
    pub behind: HashSet<Uid>,
    /// Numbers of rules that are new or were edited and look at every object once all that they
    /// read is there.
    pub introduced: BTreeSet<usize>,
    /// Alerts of rules that watched something else before and may watch their object here.
    pub adopted: HashSet<Fingerprint>,
    /// Transitions that wait for a first list, the stream's own or another that some of its rules
    /// read, collapsed to the state before them.
    pub waiting: BTreeMap<Uid, Waiting>,
    /// Which of its rules, by position, may act: all that they read has been listed.
    pub begun: Vec<bool>,
}

impl Stream {
    /// One that has said nothing yet.
    #[must_use]
    pub fn new(watched: &WatchedSource) -> Self {
        Self {
            objects: Objects::indexed(watched.indexes),
            begun: vec![false; watched.rules.len()],
            ..Self::default()
        }
    }

    /// From now on other paths are read of the objects: nothing acts on them before they are there.
    pub fn read_again(&mut self, before: &PathSet) {
        self.health.listing = false;
        self.objects.list_aborted();
        let all_have_them = self.health.listed && self.behind.is_empty();
        self.health.listed = false;
        self.behind = self.objects.uids().into_iter().collect();
        self.known_before = if all_have_them {
            Some(before.clone())
        } else {
            // Some have the paths of before, some those of before that.
            let known = self.known_before.take();
            known.map(|known| known.intersect(before))
        };
    }
}

/// What an object was before the first of the transitions that wait, and is after the last.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub old: Option<Arc<Json>>,
    /// Its last state, if it is gone.
    pub gone: Option<Gone>,
    /// How the world looked before the start: whether it is a baseline.
    pub baseline: bool,
}

/// The end of an object while its rules waited.
#[derive(Clone, Debug)]
pub struct Gone {
    pub last: Arc<Json>,
    pub left_selection: bool,
}
