//! From a transition to verdicts: is a rule true of an object, false, or not to be told?
//!
//! In: a compiled [`Rule`] and a [`Moment`] (the object, the one before, an Event, the time).
//! Out: a [`Verdict`], the moment at which it can change by time alone, and what an alert takes
//! with it: labels, dedup key, the view for templates. It keeps no state and never fails: an
//! expression that does is a [`Verdict::Unknown`].

pub mod blank;
pub mod changes;
pub mod compile;
pub mod joins;
pub mod moment;
pub mod portrait;
pub mod relation;
pub mod ruleset;
mod types;
mod writers;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cel::{Json, PathSet, Program};
use crate::config::{OnDelete, OnStartup, RuleSpec};
use crate::names::{Fingerprint, ReceiverName, RuleName, Severity};

pub use compile::{Compiled, ViewReads, compile, environment};
pub use joins::{Join, Joins};
pub use moment::{Moment, Sight};
pub use relation::{Reads, Relation};
pub use ruleset::{OWNERSHIP, RuleSet, WatchedSource};
pub use types::of_names;

/// Whether a rule is true of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    True,
    False,
    /// It cannot be told, and why. Never taken for false.
    Unknown(String),
}

impl Verdict {
    /// The word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// A verdict, and until when it stands if nothing but time passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub next: Option<Timestamp>,
}

/// The rule's texts as they stood when the alert last changed: handlebars sources, not yet expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Texts {
    pub summary: Option<Arc<str>>,
    pub description: Option<Arc<str>>,
    pub runbook: Option<Arc<str>>,
}

/// A rule ready to be evaluated.
#[derive(Debug)]
pub struct Rule {
    pub name: RuleName,
    /// Whose rule it is: the namespace of its document; absent for a cluster-wide rule.
    pub tenant: Option<Arc<str>>,
    /// The document that it was compiled from: an edited rule is told from the same one by it.
    pub written: RuleSpec,
    /// What it asks: the same in every version of the rule that has the same verdicts.
    pub question: Fingerprint,
    pub trigger: Trigger,
    pub hold: SignedDuration,
    pub keep_firing_for: SignedDuration,
    pub severity: Severity,
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    pub label_expressions: Vec<(Arc<str>, Program)>,
    pub dedup_key: Option<Program>,
    pub receivers: Vec<ReceiverName>,
    pub on_delete: OnDelete,
    pub on_startup: OnStartup,
    pub shadow: bool,
    /// It names no receivers: the routes decide among those that it may notify.
    pub routed: bool,
    pub formerly: Vec<RuleName>,
    pub params: Json,
    pub texts: Texts,
    pub view: View,
    /// What its expressions read of the object, before and now: a change of anything else does
    /// not concern it.
    pub watches: PathSet,
    /// What is kept of the object for it: `watches` and what labels and templates read.
    pub keeps: PathSet,
    /// The paths whose change makes the engine look at it: an occurrence fires only for what its
    /// condition reads, a state also shows its templates what is new.
    pub concerns: PathSet,
    /// Whether any part of it reads `event` or `events`.
    pub reads_events: bool,
    /// The lists of `related` that it reads, or whose Events.
    pub relations: Vec<Relation>,
    /// What it reads of `namespaceObject`.
    pub namespace: Option<Reads>,
}

/// What makes a rule's alert.
#[derive(Debug)]
pub enum Trigger {
    /// `when`: active while it is true.
    State { when: Program, reads_events: bool },
    /// `on`: something that happened.
    Occurrence {
        on: Program,
        until: Option<Program>,
        occasion: Occasion,
    },
}

/// When an `on` expression is evaluated, which follows from what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It reads `event`: for Events only, each time.
    Event,
    /// It reads `oldObject` or `change`: at each transition.
    Transition { reads_old: bool, reads_change: bool },
    /// It reads neither: it fires when it becomes true.
    Becoming { reads_events: bool },
}

/// What the rule's templates, and those of its receivers, read.
#[derive(Debug, Default)]
pub struct View {
    pub object: PathSet,
    pub old_object: PathSet,
    pub event: bool,
    pub events: bool,
    /// Of each object of the lists of `related`: without `related.` in front.
    pub related: Vec<(Arc<str>, PathSet)>,
    pub variables: Vec<(Arc<str>, Program)>,
    /// Whether they read [`changes`].
    pub changes: bool,
}

impl Rule {
    /// Whether an alert of this rule can resolve by itself.
    #[must_use]
    pub fn resolves(&self) -> bool {
        match &self.trigger {
            Trigger::State { .. } => true,
            Trigger::Occurrence { until, .. } => until.is_some(),
        }
    }

    /// Whether that version of the rule does the same in everything.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.written == other.written
            && self.receivers == other.receivers
            && self.keeps == other.keeps
            && self.reads_events == other.reads_events
            && self.view.reads_the_same(&other.view)
    }
}

impl View {
    /// Whether it takes the same of an object; what the variables say stands in the rule.
    fn reads_the_same(&self, other: &Self) -> bool {
        let names = |view: &Self| -> Vec<Arc<str>> {
            let variables = view.variables.iter();
            variables.map(|(name, _)| name.clone()).collect()
        };
        self.object == other.object
            && self.old_object == other.old_object
            && self.event == other.event
            && self.events == other.events
            && self.changes == other.changes
            && names(self) == names(other)
    }
}
