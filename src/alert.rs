//! The alert: one rule, true for one object, from the first moment to the last message about it.
//!
//! In: verdicts. Out: alert changes for `notify`. It sends nothing, groups nothing and
//! expands no template: what a template may read is frozen in [`Alert::view`].

pub mod alerts;
mod draw;
pub mod life;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cel::Json;
pub use alerts::Alerts;
pub use life::Subject;

pub use crate::decision::Ending;
pub use crate::evaluate::Texts;

use crate::names::{
    Fingerprint, Labels, ObjectRef, ReceiverName, RuleName, Severity, SourceKey, Uid,
};

/// Where an alert stands. An inactive alert does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its rule is true, and has not been for as long as the rule's `for` asks.
    Pending,
    Firing,
    /// Over. Kept until everybody who heard of it has been told so.
    Resolved,
}

/// Whether an alert is a state, or something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nature {
    /// From `when`, or from `on` with `until`: it resolves.
    State,
    /// From `on`: told once; nobody is told that it is over.
    Occurrence,
}

/// How an alert ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    pub at: Timestamp,
    pub reason: Ending,
}

/// One alert. Values of this type are shared and never edited in place once they were handed on:
/// a notification that holds one has thereby frozen it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub fingerprint: Fingerprint,
    pub rule: RuleName,
    pub source: SourceKey,
    pub object: ObjectRef,
    pub dedup_key: Option<Arc<str>>,
    pub nature: Nature,
    pub state: State,
    /// Always there: `alertname`, `severity`, `cluster`, `kind`, `namespace`, `name`, and
    /// `dedupKey` if set. Like severity and receivers frozen while the alert fires.
    pub labels: Labels,
    pub severity: Severity,
    pub receivers: Vec<ReceiverName>,
    /// Since when the rule has been true: the start of the hold.
    pub active_since: Timestamp,
    /// When it began to fire.
    pub fired_at: Option<Timestamp>,
    /// While the rule is no longer true but `keepFiringFor` has not passed: when that began.
    pub keep_since: Option<Timestamp>,
    /// Since when its rule could not be evaluated. A hold pauses meanwhile.
    #[serde(default)]
    pub unknown_since: Option<Timestamp>,
    /// How it ended; on a pending alert, how its former life ended, if that is still to be told.
    pub resolution: Option<Resolution>,
    /// How many times the Event of this occurrence was seen; 1 for all others.
    pub count: u64,
    /// Who owns its object, directly or through others, if an inhibition asks for it; as far as
    /// that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Uid>,
    /// It happened while nobody watched.
    pub late: bool,
    /// Evaluated and counted, never sent.
    pub shadow: bool,
    /// Its rule names no receivers: the routes choose among `receivers`, if there are routes.
    #[serde(default)]
    pub routed: bool,
    pub texts: Texts,
    /// What a template may read: a map with `object`, and where the rule has them `oldObject`,
    /// `event`, `events`, `variables`, `params`.
    pub view: Arc<Json>,
}

impl Alert {
    /// The label of an alert about the bridge's own sight: `blind` or `unknown`.
    pub const NOTICE: &str = "bellwether";

    /// Whether it says that nothing can be said: then it does not wait for what it is about.
    #[must_use]
    pub fn is_notice(&self) -> bool {
        self.nature == Nature::Occurrence && self.labels.contains_key(Self::NOTICE)
    }
}
