//! From a decoded object to an [`Observation`]: which object it is, with the fields that every
//! observation has.
//!
//! Pure: it also serves manifests from files and recordings.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::cel::{Json, Map, PathSet};
use crate::names::{ObjectRef, Uid};
use crate::watch::{Change, Header, Observation, metadata};

/// What is kept of every object whatever the rules read.
static IDENTITY: LazyLock<PathSet> = LazyLock::new(|| {
    PathSet::of([
        "apiVersion",
        "kind",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.creationTimestamp",
        "metadata.deletionTimestamp",
    ])
    .expect("the paths above are names joined by dots, which a test decodes")
});

/// These paths and the ones that every observation has.
#[must_use]
pub fn with_identity(paths: &PathSet) -> PathSet {
    paths.union(&IDENTITY)
}

impl Observation {
    /// Reads from an object which one it is. `None`: it has no kind or no name, so it is no
    /// object.
    ///
    /// A manifest that never was in a cluster has no UID; it takes one made from its kind,
    /// namespace and name.
    #[must_use]
    pub fn of(change: Change, object: Json) -> Option<Self> {
        let header = Names::default().header(&object)?;
        Some(Self {
            change,
            object,
            header,
        })
    }
}

/// An observation as it is written: its header follows from its object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Written(Change, Json);

impl From<Observation> for Written {
    fn from(observation: Observation) -> Self {
        Self(observation.change, observation.object)
    }
}

impl TryFrom<Written> for Observation {
    type Error = &'static str;

    fn try_from(Written(change, object): Written) -> Result<Self, Self::Error> {
        Self::of(change, object).ok_or("the object has no name or no kind")
    }
}

/// The UID of an object that has none, because it never was in a cluster.
#[must_use]
pub fn uid_of_name(api_version: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("{api_version}/{kind}/{namespace}/{name}")
}

/// Shares the texts that neighbouring objects have in common: a list is sorted by namespace.
#[derive(Debug, Default)]
pub(super) struct Names {
    api_version: Option<Arc<str>>,
    kind: Option<Arc<str>>,
    namespace: Option<Arc<str>>,
}

impl Names {
    pub(super) fn header(&mut self, object: &Json) -> Option<Header> {
        let metadata = object.get("metadata")?;
        let text = |field: &str| metadata.get(field).and_then(Json::as_str);
        let present = |field: &str| text(field).filter(|value| !value.is_empty());
        let root = |field: &str| object.get(field).and_then(Json::as_str);

        let name = present("name")?;
        let kind = root("kind")?;
        let api_version = root("apiVersion").unwrap_or_default();
        let namespace = present("namespace");
        let uid = present("uid").map_or_else(
            || {
                let namespace = namespace.unwrap_or_default();
                Uid::parse(&uid_of_name(api_version, kind, namespace, name))
            },
            Uid::parse,
        );
        Some(Header {
            uid,
            object: ObjectRef {
                api_version: shared(&mut self.api_version, api_version),
                kind: shared(&mut self.kind, kind),
                namespace: namespace.map(|namespace| shared(&mut self.namespace, namespace)),
                name: name.into(),
                uid,
            },
            resource_version: text("resourceVersion").unwrap_or_default().into(),
        })
    }
}

fn shared(last: &mut Option<Arc<str>>, text: &str) -> Arc<str> {
    match last {
        Some(last) if **last == *text => last.clone(),
        last => last.insert(text.into()).clone(),
    }
}

/// The object with its `apiVersion` and `kind`: the items of a list come without, metadata alone
/// with others.
pub(super) fn with_kind(object: Json, api_version: &str, kind: &str) -> Json {
    let Json::Map(map) = &object else {
        return object;
    };
    let text = |name| map.get(name).and_then(Json::as_str);
    let partial =
        (text("apiVersion"), text("kind")) == (Some(metadata::KIND.0), Some(metadata::KIND.1));
    if map.get("apiVersion").is_some() && map.get("kind").is_some() && !partial {
        return object;
    }
    let names = ["apiVersion", "kind"];
    let given = map
        .iter()
        .filter(|(name, _)| !(partial && names.contains(&&**name)))
        .cloned();
    let missing = [("apiVersion", api_version), ("kind", kind)]
        .into_iter()
        .filter(|(name, _)| partial || map.get(name).is_none())
        .map(|(name, value)| (Arc::from(name), Json::String(value.into())));
    Json::Map(missing.chain(given).collect::<Map>())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const POD: &str = r#"{"metadata":{"name":"db-0","namespace":"prod","uid":"6f7b1c8e-3c0f-4c39-8a0f-1d2f3a4b5c6d",
        "resourceVersion":"42","creationTimestamp":"2026-11-22T10:00:00Z","labels":{"app":"db"},"managedFields":[{"a":1}]},
        "spec":{"nodeName":"n1"},"status":{"phase":"Running"}}"#;

    #[test]
    fn the_identity_of_an_object_is_always_kept() {
        let paths = with_identity(&PathSet::of(["status.phase"]).expect("a path"));
        let pod = paths.decode(POD.as_bytes()).expect("JSON");
        let pod = with_kind(pod, "v1", "Pod");
        assert_snapshot!(pod, @r#"{"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":"2026-11-22T10:00:00Z","name":"db-0","namespace":"prod","resourceVersion":"42","uid":"6f7b1c8e-3c0f-4c39-8a0f-1d2f3a4b5c6d"},"status":{"phase":"Running"}}"#);
        let observation = Observation::of(Change::Applied, pod).expect("it has a name");
        assert_snapshot!(observation.header.object, @"Pod/prod/db-0");
        assert_snapshot!(observation.header.uid, @"6f7b1c8e-3c0f-4c39-8a0f-1d2f3a4b5c6d");
        assert_snapshot!(observation.header.resource_version, @"42");
    }

    #[test]
    fn a_kind_that_the_object_has_is_not_replaced() {
        let given: Json =
            serde_json::from_str(r#"{"apiVersion":"a/v2","kind":"K"}"#).expect("JSON");
        assert_eq!(with_kind(given.clone(), "a/v1", "L"), given);
        assert_eq!(with_kind(Json::Null, "a/v1", "L"), Json::Null);
    }

    #[test]
    fn a_manifest_has_an_identity_of_its_own() {
        let manifest = |name: &str| {
            let text =
                format!(r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}"}}}}"#);
            Observation::of(Change::Applied, serde_json::from_str(&text).expect("JSON"))
        };
        let uid = |name: &str| manifest(name).map(|o| o.header.uid);
        assert_eq!(uid("a"), uid("a"));
        assert_ne!(uid("a"), uid("b"));
        assert_eq!(manifest(""), None);
    }

    #[test]
    fn neighbours_share_the_text_of_their_namespace() {
        let mut names = Names::default();
        let mut header = |namespace: &str| {
            let text =
                format!(r#"{{"kind":"P","metadata":{{"name":"a","namespace":"{namespace}"}}}}"#);
            names
                .header(&serde_json::from_str(&text).expect("JSON"))
                .and_then(|header| header.object.namespace)
                .expect("it has a namespace")
        };
        let (first, second, third) = (header("x"), header("x"), header("y"));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(&*third, "y");
    }

    #[test]
    fn metadata_alone_is_of_the_kind_that_was_asked_for() {
        let partial = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"db"}}"#;
        let object: Json = serde_json::from_str(partial).expect("JSON");
        assert_snapshot!(with_kind(object, "apps/v1", "StatefulSet"), @r#"{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db"}}"#);
    }
}
