//! [`Stream`]: one list/watch stream as the engine knows it: its objects, and whether it may be believed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::cel::{Json, PathSet};
use crate::names::{Fingerprint, Uid};
use crate::transition::Objects;

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
    /// Numbers of rules that are new or were edited and look at every object once the stream has
    /// read them again.
    pub introduced: BTreeSet<usize>,
    /// Alerts of rules that watched something else before and may watch their object here.
    pub adopted: HashSet<Fingerprint>,
    /// Transitions that wait for the stream's first list, collapsed to the state before them.
    pub waiting: BTreeMap<Uid, Waiting>,
    /// The same, for rules that also wait for the first list of Events.
    pub waiting_for_events: BTreeMap<Uid, Waiting>,
}

impl Stream {
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
