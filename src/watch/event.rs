//! Kubernetes Events of both APIs in one shape.
//!
//! In: an Event of `events.k8s.io/v1` or of `core/v1` in any serde format. Out:
//! [`KubernetesEvent`]. Pure; it serves the watch, manifests and recordings alike.
//!
//! Fields: <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::names::Uid;
use crate::watch::{KubernetesEvent, Regarding};

impl KubernetesEvent {
    /// Reads an Event of either API.
    ///
    /// # Errors
    /// It is not JSON (YAML, …), or a field has a type that no Event has.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Wire::deserialize(deserializer).map(Wire::into_event)
    }
}

type Text = Option<Arc<str>>;

/// The fields of both APIs; each one may be absent or null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    pub(super) metadata: Option<Metadata>,
    #[serde(rename = "type")]
    type_: Text,
    reason: Text,
    #[serde(alias = "note")]
    message: Text,
    #[serde(alias = "involvedObject")]
    regarding: Option<Reference>,
    #[serde(alias = "reportingComponent")]
    reporting_controller: Text,
    #[serde(alias = "deprecatedSource")]
    source: Option<Component>,
    event_time: Option<Time>,
    #[serde(alias = "deprecatedFirstTimestamp")]
    first_timestamp: Option<Time>,
    #[serde(alias = "deprecatedLastTimestamp")]
    last_timestamp: Option<Time>,
    #[serde(alias = "deprecatedCount")]
    count: Option<i64>,
    series: Option<Series>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    name: Text,
    namespace: Text,
    uid: Text,
    pub(super) resource_version: Text,
    creation_timestamp: Option<Time>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    api_version: Text,
    kind: Text,
    namespace: Text,
    name: Text,
    uid: Text,
}

#[derive(Deserialize)]
struct Component {
    component: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: Option<i64>,
    last_observed_time: Option<Time>,
}

/// A moment, or a text that is none: an Event with a wrong time still has a message to tell.
struct Time(Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rfc3339;
        impl Visitor<'_> for Rfc3339 {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time")
            }
            fn visit_str<E>(self, text: &str) -> Result<Time, E> {
                Ok(Time(text.parse().ok()))
            }
        }
        deserializer.deserialize_str(Rfc3339)
    }
}

impl Wire {
    pub(super) fn into_event(self) -> KubernetesEvent {
        let metadata = self.metadata.unwrap_or_default();
        let regarding = self.regarding.unwrap_or_default();
        let created = moment(metadata.creation_timestamp);
        let event_time = moment(self.event_time);
        let last_timestamp = moment(self.last_timestamp);
        let (times, last_observed) = self
            .series
            .map_or((None, None), |s| (s.count, moment(s.last_observed_time)));

        // A writer of the new API sets eventTime, one of the old API the two timestamps.
        let first_seen = moment(self.first_timestamp)
            .or(event_time)
            .or(created)
            .or(last_timestamp)
            .unwrap_or_default();
        let last_seen = [last_observed, last_timestamp, event_time]
            .into_iter()
            .flatten()
            .fold(first_seen, Timestamp::max);
        let count = [times, self.count]
            .into_iter()
            .flatten()
            .find(|count| *count > 0)
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(1);

        let namespace = or_empty(metadata.namespace);
        let name = or_empty(metadata.name);
        KubernetesEvent {
            uid: metadata.uid.filter(|uid| !uid.is_empty()).map_or_else(
                || Uid::parse(&format!("Event/{namespace}/{name}")),
                |uid| Uid::parse(&uid),
            ),
            type_: self
                .type_
                .filter(|t| !t.is_empty())
                .unwrap_or_else(|| "Normal".into()),
            reason: or_empty(self.reason),
            message: or_empty(self.message),
            count,
            first_seen,
            last_seen,
            regarding: regarding.into(),
            reporting_controller: self
                .reporting_controller
                .filter(|name| !name.is_empty())
                .or_else(|| self.source.and_then(|source| source.component))
                .unwrap_or_else(empty),
            namespace,
            name,
        }
    }
}

impl From<Reference> for Regarding {
    fn from(reference: Reference) -> Self {
        let name = or_empty(reference.name);
        // The kubelet writes the name of its Node for the UID.
        let uid = reference.uid.filter(|uid| !uid.is_empty() && *uid != name);
        Self {
            api_version: or_empty(reference.api_version),
            kind: or_empty(reference.kind),
            namespace: or_empty(reference.namespace),
            uid: uid.map(|uid| Uid::parse(&uid)),
            name,
        }
    }
}

fn moment(time: Option<Time>) -> Option<Timestamp> {
    time.and_then(|time| time.0)
}

fn or_empty(text: Text) -> Arc<str> {
    text.unwrap_or_else(empty)
}

fn empty() -> Arc<str> {
    Arc::from("")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> String {
        KubernetesEvent::read(value)
            .expect("an Event")
            .to_json()
            .to_string()
    }

    #[test]
    fn an_event_of_the_new_api_counts_its_series() {
        assert_snapshot!(read(json!({
            "metadata": {"name": "main.17a", "namespace": "prod", "uid": "e-1", "creationTimestamp": "2026-11-22T10:00:01Z"},
            "eventTime": "2026-11-22T10:00:00.250000Z",
            "series": {"count": 7, "lastObservedTime": "2026-11-22T10:05:00.000000Z"},
            "reportingController": "example.com/databases", "reportingInstance": "databases-0",
            "action": "Provision", "reason": "FailedProvisioning", "type": "Warning", "note": "no quota",
            "regarding": {"apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance", "namespace": "prod", "name": "main", "uid": "6f7b1c8e-3c0f-4c39-8a0f-1d2f3a4b5c6d"},
            "deprecatedSource": {}, "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null
        })), @r#"{"count":7,"firstSeen":"2026-11-22T10:00:00.25Z","lastSeen":"2026-11-22T10:05:00Z","message":"no quota","reason":"FailedProvisioning","regarding":{"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","name":"main","namespace":"prod","uid":"6f7b1c8e-3c0f-4c39-8a0f-1d2f3a4b5c6d"},"reportingController":"example.com/databases","type":"Warning"}"#);
    }

    #[test]
    fn an_event_of_the_old_api_reads_the_same() {
        assert_snapshot!(read(json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": "db-0.17b", "namespace": "prod", "uid": "e-2"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "prod", "name": "db-0", "uid": "", "fieldPath": "spec.containers{db}"},
            "reason": "BackOff", "message": "Back-off restarting failed container", "type": "Warning",
            "source": {"component": "kubelet", "host": "n1"},
            "firstTimestamp": "2026-11-22T09:00:00Z", "lastTimestamp": "2026-11-22T10:00:00Z", "count": 40,
            "eventTime": null, "reportingComponent": "", "reportingInstance": ""
        })), @r#"{"count":40,"firstSeen":"2026-11-22T09:00:00Z","lastSeen":"2026-11-22T10:00:00Z","message":"Back-off restarting failed container","reason":"BackOff","regarding":{"apiVersion":"v1","kind":"Pod","name":"db-0","namespace":"prod"},"reportingController":"kubelet","type":"Warning"}"#);
    }

    #[test]
    fn an_old_event_served_by_the_new_api_keeps_its_count_and_times() {
        assert_snapshot!(read(json!({
            "metadata": {"name": "db-0.17b", "namespace": "prod", "uid": "e-2"},
            "regarding": {"kind": "Pod", "namespace": "prod", "name": "db-0"},
            "reason": "BackOff", "note": "again", "type": "Warning", "eventTime": null,
            "deprecatedSource": {"component": "kubelet"}, "deprecatedCount": 3,
            "deprecatedFirstTimestamp": "2026-11-22T09:00:00Z", "deprecatedLastTimestamp": "2026-11-22T10:00:00Z"
        })), @r#"{"count":3,"firstSeen":"2026-11-22T09:00:00Z","lastSeen":"2026-11-22T10:00:00Z","message":"again","reason":"BackOff","regarding":{"apiVersion":"","kind":"Pod","name":"db-0","namespace":"prod"},"reportingController":"kubelet","type":"Warning"}"#);
    }

    #[test]
    fn an_event_without_times_or_type_still_speaks() {
        assert_snapshot!(read(json!({
            "metadata": {"name": "x", "namespace": "d", "creationTimestamp": "2026-11-22T08:00:00Z"},
            "message": "hello", "firstTimestamp": "yesterday", "count": 0
        })), @r#"{"count":1,"firstSeen":"2026-11-22T08:00:00Z","lastSeen":"2026-11-22T08:00:00Z","message":"hello","reason":"","regarding":{"apiVersion":"","kind":"","name":"","namespace":""},"reportingController":"","type":"Normal"}"#);
    }

    #[test]
    fn an_event_of_the_kubelet_is_about_its_node_by_name() {
        let about = |uid: &str| {
            let regarding = json!({"kind": "Node", "name": "n1", "uid": uid});
            let event = KubernetesEvent::read(json!({"involvedObject": regarding}));
            event.expect("an Event").regarding.uid
        };
        assert_eq!(about("n1"), None);
        assert_eq!(about("u-1"), Some(Uid::parse("u-1")));
    }

    #[test]
    fn an_event_without_uid_is_known_by_its_name() {
        let uid = |name: &str| {
            KubernetesEvent::read(json!({"metadata": {"name": name}}))
                .expect("an Event")
                .uid
        };
        assert_eq!(uid("a"), uid("a"));
        assert_ne!(uid("a"), uid("b"));
    }

    #[test]
    fn a_field_of_the_wrong_type_is_an_error() {
        assert!(KubernetesEvent::read(json!({"reason": 5})).is_err());
    }
}
