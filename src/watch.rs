//! Watching: what the API server says about one kind of object, in order, as values.
//!
//! In: a [`Source`] (which objects) and the paths that expressions read.
//! Out: [`Signalled`]: the objects and Events of a list, then every change after it, and how the
//! stream itself fares (broken, recovered, dormant).
//!
//! This file holds the types only: they do no IO, and the core imports them. The parts below it
//! talk to the API server, read clocks and sleep; they decide nothing about rules or alerts.

// In the order in which a stream needs them.
pub mod error;
pub mod cluster;
mod request;
mod resource;
pub mod stream;
mod lines;
mod decode;
mod metadata;
pub mod object;
mod event;
mod backoff;
pub mod secret;
pub mod documents;
pub mod stats;

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cel::{Json, Map};
use crate::names::{ObjectRef, SourceKey, Uid};

/// What one list/watch stream is about. Several namespaces are several sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// `group/version`, or `v1` for the core group.
    pub api_version: Arc<str>,
    pub kind: Arc<str>,
    /// `None`: all namespaces, and objects that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// As kubectl takes it: `app=db,tier in (gold, silver)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<Arc<str>>,
    /// As kubectl takes it: `metadata.name=main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_selector: Option<Arc<str>>,
}

impl Source {
    /// All objects of this kind, in all namespaces.
    pub fn of(api_version: impl Into<Arc<str>>, kind: impl Into<Arc<str>>) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: None,
            label_selector: None,
            field_selector: None,
        }
    }

    /// Kubernetes Events of the whole cluster. Where `events.k8s.io/v1` is not served, the stream
    /// falls back to `core/v1`; what it says has the same shape.
    #[must_use]
    pub fn events() -> Self {
        Self::of("events.k8s.io/v1", "Event")
    }

    /// The same of one namespace only.
    #[must_use]
    pub fn events_of(namespace: Option<Arc<str>>) -> Self {
        Self {
            namespace,
            ..Self::events()
        }
    }

    /// Whether this stream carries [`Signal::Event`] rather than observations.
    #[must_use]
    pub fn is_events(&self) -> bool {
        &*self.kind == "Event" && matches!(&*self.api_version, "events.k8s.io/v1" | "v1")
    }

    /// The canonical text, equal for two sources that ask the server for the same:
    /// `apps/v1/Deployment?namespace=prod&labelSelector=app=db`.
    #[must_use]
    pub fn key(&self) -> SourceKey {
        let mut text = format!("{}/{}", self.api_version, self.kind);
        let mut separator = '?';
        let selectors = [
            ("namespace", self.namespace.as_deref().map(str::to_owned)),
            ("labelSelector", canonical(self.label_selector.as_deref())),
            ("fieldSelector", canonical(self.field_selector.as_deref())),
        ];
        for (name, value) in selectors {
            if let Some(value) = value {
                let _ = write!(text, "{separator}{name}={value}");
                separator = '&';
            }
        }
        SourceKey::from(text)
    }
}

/// A selector's requirements, sorted and without the blanks that mean nothing.
fn canonical(selector: Option<&str>) -> Option<String> {
    let mut depth = 0_usize;
    let mut requirements: Vec<String> = selector?
        .split(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(|requirement| {
            let words: Vec<&str> = requirement.split_whitespace().collect();
            words.join(" ").replace(", ", ",")
        })
        .filter(|requirement| !requirement.is_empty())
        .collect();
    requirements.sort();
    requirements.dedup();
    (!requirements.is_empty()).then(|| requirements.join(","))
}

/// Whether the object is there after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It exists and looks like this (the server's ADDED and MODIFIED, and each item of a list).
    Applied,
    /// It is gone; the object is its last state.
    Deleted,
    /// It is there, but no longer what the selectors choose; the object is the last state that was.
    Left,
}

/// An object as the API server gave it, cut down to what somebody reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "object::Written", into = "object::Written")]
pub struct Observation {
    pub change: Change,
    /// The paths that were asked for, and always `apiVersion`, `kind` and of `metadata`: `name`,
    /// `namespace`, `uid`, `resourceVersion`, `generation`, `creationTimestamp` and
    /// `deletionTimestamp`, where the server gave them.
    pub object: Json,
    pub header: Header,
}

/// Which object an observation is about, and which of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub uid: Uid,
    pub object: ObjectRef,
    /// Opaque: compare for equality only.
    pub resource_version: Arc<str>,
}

/// A Kubernetes Event, `events.k8s.io/v1` and `core/v1` in one shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesEvent {
    pub uid: Uid,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub type_: Arc<str>,
    pub reason: Arc<str>,
    pub message: Arc<str>,
    /// How often it was seen: `series.count`, else `count` (`deprecatedCount`), else 1.
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub regarding: Regarding,
    pub reporting_controller: Arc<str>,
    /// Where the Event itself lies.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// What an Event is about. Writers fill in what they know; any of it may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Regarding {
    pub api_version: Arc<str>,
    pub kind: Arc<str>,
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
}

impl KubernetesEvent {
    /// The Event as an expression sees it: `event.type`, `event.regarding.kind`, …; times are
    /// RFC 3339 text.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let regarding = &self.regarding;
        let mut about = vec![
            entry("apiVersion", text(&regarding.api_version)),
            entry("kind", text(&regarding.kind)),
            entry("namespace", text(&regarding.namespace)),
            entry("name", text(&regarding.name)),
        ];
        if let Some(uid) = regarding.uid {
            about.push(entry("uid", text(&uid.to_string())));
        }
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        Json::Map(Map::new(vec![
            entry("type", text(&self.type_)),
            entry("reason", text(&self.reason)),
            entry("message", text(&self.message)),
            entry("count", Json::Int(count)),
            entry("firstSeen", text(&self.first_seen.to_string())),
            entry("lastSeen", text(&self.last_seen.to_string())),
            entry("regarding", Json::Map(Map::new(about))),
            entry("reportingController", text(&self.reporting_controller)),
        ]))
    }
}

fn entry(name: &str, value: Json) -> (Arc<str>, Json) {
    (Arc::from(name), value)
}

fn text(value: &str) -> Json {
    Json::String(Box::from(value))
}

/// What a stream says. The order is the promise: `ListBegan`, the items, `ListEnded`, then
/// changes; a relist in between starts again at `ListBegan`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Signal {
    /// Everything there is follows.
    ListBegan,
    Applied(Observation),
    Deleted(Observation),
    /// An Event that is new, repeated, or listed again.
    Event(KubernetesEvent),
    /// An Event's time to live is over, or somebody deleted it.
    EventDeleted(Uid),
    /// What the list did not name is gone.
    ListEnded,
    /// The list stopped half-way: nothing follows from what it did not name.
    ListAborted {
        why: String,
    },
    /// The watch is down; it is tried again without further ado.
    Broken {
        why: String,
    },
    /// A watch that was broken for a moment delivers again; what was missed follows. (After a longer
    /// break there is a list instead.)
    Recovered,
    /// The process, or the machine, stood still: what was said last may be old. A list follows.
    StoodStill,
    /// The server does not have this kind, not yet or not any more.
    Dormant {
        why: String,
    },
    /// The kind appeared; a list follows.
    Awake,
    /// An object that was observed before, with what is read of it since a reload: no change.
    Refreshed(Observation),
    /// All that was there has been refreshed; the changes since the last one before follow.
    RefreshEnded,
}

/// A signal and the stream it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signalled {
    pub source: SourceKey,
    pub signal: Signal,
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn deployments(labels: &str) -> Source {
        Source {
            namespace: Some("prod".into()),
            label_selector: Some(labels.into()),
            ..Source::of("apps/v1", "Deployment")
        }
    }

    #[test]
    fn the_key_of_a_source_names_what_the_server_is_asked() {
        assert_snapshot!(Source::of("v1", "Node").key(), @"v1/Node");
        assert_snapshot!(
            deployments("tier in (gold, silver), app=db").key(),
            @"apps/v1/Deployment?namespace=prod&labelSelector=app=db,tier in (gold,silver)"
        );
    }

    #[test]
    fn selectors_that_ask_for_the_same_share_a_stream() {
        assert_eq!(
            deployments("app=db,tier=gold").key(),
            deployments(" tier=gold , app=db,").key()
        );
        assert_eq!(
            deployments("").key(),
            Source {
                label_selector: None,
                ..deployments("")
            }
            .key()
        );
        assert_ne!(
            deployments("a in (b,c)").key(),
            deployments("a in (b),c").key()
        );
    }

    #[test]
    fn only_kubernetes_events_are_events() {
        assert!(Source::events().is_events());
        assert!(Source::of("v1", "Event").is_events());
        assert!(!Source::of("events.example.com/v1", "Event").is_events());
    }
}
