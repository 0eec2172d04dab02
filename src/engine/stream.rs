//! [`Stream`]: one list/watch stream as the engine knows it: its objects, and whether it may be believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::cel::{Json, PathSet};
use crate::evaluate::WatchedSource;
use crate::names::{SourceKey, Uid};
use crate::transition::Objects;
use crate::transition::events::Scope;
use crate::watch::Source;

/// How long a broken stream is still believed: most breaks mend at once.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

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
}

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
        self.listed && self.dormant.is_none() && !self.is_stale(now)
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
    /// They have been listed in a former life: what is new to us is news.
    pub known: bool,
}

impl EventStream {
    /// One that has said nothing yet.
    #[must_use]
    pub fn new(source: &Source) -> Self {
        Self {
            key: source.key(),
            scope: source.namespace.clone(),
            health: Health::default(),
            known: false,
        }
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
    /// The same as it was at the start: what `known` did not have then is "first seen" in the
    /// first list, never "changed".
    pub known_before: Option<PathSet>,
    /// Transitions that wait for a first list, the stream's own or another that some of its rules
    /// read, collapsed to the state before them.
    pub waiting: BTreeMap<Uid, Waiting>,
    /// Which of its rules, by position, may act: all that they read has been listed.
    pub begun: Vec<bool>,
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
