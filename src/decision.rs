//! The one stream of explanations: what was decided about an alert, a notification or a stream, and why.
//!
//! Dry-run prints decisions, the ledger keeps them, logs and metrics count them.

pub mod ledger;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{
    Fingerprint, GroupKey, NotificationId, ObjectRef, ReceiverName, RuleName, SourceKey,
};

/// One decision. Absent parts do not apply to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub at: Timestamp,
    pub reason: Reason,
    pub about: About,
    /// Until when it holds, where that is known.
    pub until: Option<Timestamp>,
}

/// What a decision is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    pub rule: Option<RuleName>,
    pub object: Option<ObjectRef>,
    pub alert: Option<Fingerprint>,
    pub receiver: Option<ReceiverName>,
    pub group: Option<GroupKey>,
    pub notification: Option<NotificationId>,
    pub source: Option<SourceKey>,
}

/// Why. The variant's name in kebab-case is the `reason` label of the metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The rule is true and its hold has begun.
    Pending,
    /// The rule stopped being true before its hold was over.
    Withdrawn,
    Firing,
    Resolved(Ending),
    /// An occurrence, to be told once.
    Occurred,
    /// The same Event again: it now has this count.
    Repeated(u64),
    /// The rule could not be evaluated; the alert keeps its state.
    Unknown(String),
    /// Time alone fires nothing while a stream that the rule reads is broken.
    Stale,
    /// The rule stays as it was last read, and its alerts are not resolved: its document is invalid
    /// or cannot be read, which is not the same as removed.
    Frozen(String),
    /// The rule is a shadow: it would have been sent.
    Shadowed,
    /// The alert waits in its group.
    Grouped,
    /// The group has nothing new to say.
    Unchanged,
    /// The receiver does not want to hear of resolved alerts.
    ResolveNotWanted,
    /// No receiver is named, no route leads to one, or it does not exist.
    NoReceiver,
    /// An inhibition: this one, because of that alert.
    Inhibited(String),
    /// A silence: this one.
    Silenced(String),
    /// A receiver that was told of a group is told that somebody is at it: this silence is over all of it.
    Acknowledged(String),
    /// Outside of the hours of this route.
    Muted(String),
    /// Somebody made a silence.
    SilenceMade(String),
    /// A silence that somebody made is over.
    SilenceOver(String),
    /// Held back by the receiver's limit; it goes into the next digest.
    Limited,
    /// Decided, and written to the outbox.
    Queued,
    /// A newer notification of the same group took its place while it waited.
    Superseded,
    /// A resolve met its firing before anything was sent.
    Cancelled,
    Sent,
    /// An attempt failed; there will be another.
    Retrying(String),
    /// The receiver refused it for good.
    Refused(String),
    /// It was tried until `giveUpAfter`.
    GaveUp(String),
    /// Another receiver did not take it: this one is told instead.
    FellBack(String),
    /// Somebody dropped it from the outbox.
    Dropped,
    /// A template failed; the built-in format was used.
    TemplateFailed(String),
    /// Nothing is known about a kind since then: its stream is broken.
    Blind(String),
    /// A bound was reached and something was cut.
    Bounded(String),
}

impl Reason {
    /// The reason's name, as in metrics and JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Withdrawn => "withdrawn",
            Self::Firing => "firing",
            Self::Resolved(_) => "resolved",
            Self::Occurred => "occurred",
            Self::Repeated(_) => "repeated",
            Self::Unknown(_) => "unknown",
            Self::Stale => "stale",
            Self::Frozen(_) => "frozen",
            Self::Shadowed => "shadowed",
            Self::Grouped => "grouped",
            Self::Unchanged => "unchanged",
            Self::ResolveNotWanted => "resolve-not-wanted",
            Self::NoReceiver => "no-receiver",
            Self::Inhibited(_) => "inhibited",
            Self::Silenced(_) => "silenced",
            Self::Acknowledged(_) => "acknowledged",
            Self::Muted(_) => "muted",
            Self::SilenceMade(_) => "silence-made",
            Self::SilenceOver(_) => "silence-over",
            Self::Limited => "limited",
            Self::Queued => "queued",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::Sent => "sent",
            Self::Retrying(_) => "retrying",
            Self::Refused(_) => "refused",
            Self::GaveUp(_) => "gave-up",
            Self::FellBack(_) => "fell-back",
            Self::Dropped => "dropped",
            Self::TemplateFailed(_) => "template-failed",
            Self::Blind(_) => "blind",
            Self::Bounded(_) => "bounded",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved(ending) => write!(f, "resolved: {}", ending.as_str()),
            Self::Repeated(count) => write!(f, "repeated: seen {count} times"),
            Self::Unknown(why)
            | Self::Frozen(why)
            | Self::Inhibited(why)
            | Self::Silenced(why)
            | Self::Acknowledged(why)
            | Self::Muted(why)
            | Self::SilenceMade(why)
            | Self::SilenceOver(why)
            | Self::Retrying(why)
            | Self::Refused(why)
            | Self::GaveUp(why)
            | Self::FellBack(why)
            | Self::TemplateFailed(why)
            | Self::Blind(why)
            | Self::Bounded(why) => write!(f, "{}: {why}", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

/// Why an alert ended, in words that a message can quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The rule is no longer true (or its `until` is).
    Cleared,
    /// The object was deleted.
    Deleted,
    /// The object no longer matches the selectors of the rule.
    LeftSelection,
    /// The alert's deduplication key changed; a new alert took its place.
    KeyChanged,
    /// The rule was removed.
    RuleRemoved,
}

impl Ending {
    /// The reason as a person would say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cleared => "no longer true",
            Self::Deleted => "the object was deleted",
            Self::LeftSelection => "left selection",
            Self::KeyChanged => "the dedup key changed",
            Self::RuleRemoved => "the rule was removed",
        }
    }
}
