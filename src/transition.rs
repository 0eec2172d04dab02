//! What changed: the last known objects and Events, and the step from one observation to the next.
//!
//! In: observations and Events, as `watch` saw them. Out: [`Transition`]s. It evaluates no rule
//! and knows nothing of alerts.

pub mod events;
mod last_well;
pub mod objects;
pub mod ownership;
mod packed;
mod words;

use std::sync::Arc;

use jiff::Timestamp;

use crate::cel::Json;
use crate::names::{ObjectRef, Uid};
use crate::watch::KubernetesEvent;

pub use events::{EventSeen, Events};
pub use last_well::LastWell;
pub use objects::{Indexes, Level, ObjectSeen, Objects};

/// What caused an evaluation; `change` in expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
    /// A Kubernetes Event about the object.
    Event,
}

impl ChangeKind {
    /// The word that expressions compare with.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Event => "EVENT",
        }
    }
}

/// One step in the life of one object.
#[derive(Clone, Debug)]
pub struct Transition {
    pub uid: Uid,
    pub change: ChangeKind,
    /// The object now; after a deletion its last state.
    pub object: Arc<Json>,
    /// The object before; absent where nothing is known of it.
    pub old: Option<Arc<Json>>,
    /// With [`ChangeKind::Event`]: the Event.
    pub event: Option<Arc<KubernetesEvent>>,
    /// It happened while nobody watched.
    pub late: bool,
    /// With [`ChangeKind::Deleted`]: the object may still exist, but no longer matches the
    /// selectors of the stream.
    pub left_selection: bool,
}

impl Transition {
    /// An object was seen: as it is now, and as it was.
    #[must_use]
    pub fn seen(uid: Uid, old: Option<Arc<Json>>, object: Arc<Json>) -> Self {
        let change = if old.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        Self {
            uid,
            change,
            object,
            old,
            event: None,
            late: false,
            left_selection: false,
        }
    }

    /// An object is gone; this was its last state.
    #[must_use]
    pub fn deleted(uid: Uid, last: Arc<Json>) -> Self {
        Self {
            change: ChangeKind::Deleted,
            old: Some(last.clone()),
            ..Self::seen(uid, None, last)
        }
    }

    /// Something was said about an object.
    #[must_use]
    pub fn told(uid: Uid, object: Arc<Json>, event: Arc<KubernetesEvent>) -> Self {
        Self {
            change: ChangeKind::Event,
            event: Some(event),
            ..Self::seen(uid, None, object)
        }
    }
}

/// Which object a projection is of. Every projection keeps what this reads.
#[must_use]
pub fn object_ref(uid: Uid, object: &Json) -> ObjectRef {
    let text = |path: &[&str]| object.at(path).and_then(Json::as_str);
    ObjectRef {
        api_version: text(&["apiVersion"]).unwrap_or_default().into(),
        kind: text(&["kind"]).unwrap_or_default().into(),
        namespace: text(&["metadata", "namespace"])
            .filter(|namespace| !namespace.is_empty())
            .map(Into::into),
        name: text(&["metadata", "name"]).unwrap_or_default().into(),
        uid,
    }
}

/// Whether a moment lies further back than that; a moment in the future does not.
pub(crate) fn is_past(now: Timestamp, moment: Timestamp, by: jiff::SignedDuration) -> bool {
    now.duration_since(moment) >= by
}
