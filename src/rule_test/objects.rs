//! The objects of a test's cluster, as the API server would keep them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cel::Json;
use crate::config::rule_test::Event;
use crate::dry_run::input::{Fact, What};
use crate::watch::KubernetesEvent;

type Object = Map<String, Value>;

/// Kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    kind: String,
    namespace: String,
    name: String,
}

/// What there is, and what was written about it.
#[derive(Debug, Default)]
pub(super) struct Objects {
    there: BTreeMap<Key, Value>,
    events: Vec<Value>,
    /// The object of the step before.
    last: Option<Key>,
    /// Counts up: the `resourceVersion`.
    version: u64,
    /// How many objects were ever created.
    born: u64,
}

/// What is wrong with a step.
pub(super) type Wrong = String;

impl Objects {
    /// Everything that there is, for a list.
    pub(super) fn all(&self, now: Timestamp) -> Vec<Fact> {
        let objects = self.there.values();
        let objects = objects.map(|object| What::Applied(Json::from(object.clone())));
        let events = self.events.iter().filter_map(event);
        let all = objects.chain(events);
        all.map(|what| Fact {
            at: now,
            what,
            listed: true,
        })
        .collect()
    }

    /// Creates an object, or changes it.
    pub(super) fn apply(&mut self, now: Timestamp, patch: &Object) -> Result<What, Wrong> {
        let key = self.key(patch)?;
        self.version += 1;
        let before = self.there.get(&key).cloned();
        let mut object = before.clone().unwrap_or_else(|| {
            self.born += 1;
            json!({"metadata": {
                "uid": format!("{}-{}", key.name, self.born),
                "creationTimestamp": now.to_string(), "generation": 1,
            }})
        });
        merge(&mut object, &Value::Object(patch.clone()));
        if object["apiVersion"].as_str().is_none() {
            return Err("the object has no apiVersion".to_owned());
        }
        self.find_owners(&mut object)?;
        let says_generation = patch
            .get("metadata")
            .is_some_and(|metadata| metadata.get("generation").is_some());
        if let Some(before) = before
            && before["spec"] != object["spec"]
            && !says_generation
        {
            let generation = before["metadata"]["generation"].as_u64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.there.insert(key.clone(), object.clone());
        self.last = Some(key);
        Ok(What::Applied(Json::from(object)))
    }

    /// Gives references to owners the UID that nobody who writes a test can know.
    fn find_owners(&self, object: &mut Value) -> Result<(), Wrong> {
        let namespace = object["metadata"]["namespace"].clone();
        let Some(Value::Array(references)) = object["metadata"].get_mut("ownerReferences") else {
            return Ok(());
        };
        let references = references.iter_mut().filter_map(Value::as_object_mut);
        for reference in references.filter(|reference| !reference.contains_key("uid")) {
            let text = |name: &str| {
                reference
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let key = |namespace: &Value| Key {
                kind: text("kind").to_owned(),
                namespace: namespace.as_str().unwrap_or_default().to_owned(),
                name: text("name").to_owned(),
            };
            let owners = [key(&namespace), key(&Value::Null)];
            let Some(owner) = owners.iter().find_map(|owner| self.there.get(owner)) else {
                let [owner, _] = owners;
                return Err(format!(
                    "its owner, {} {}, is not there",
                    owner.kind, owner.name
                ));
            };
            let uid = owner["metadata"]["uid"].clone();
            reference.insert("uid".to_owned(), uid);
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, which: &Object) -> Result<What, Wrong> {
        let key = self.key(which)?;
        let Some(object) = self.there.remove(&key) else {
            return Err(format!("there is no {} {} to delete", key.kind, key.name));
        };
        self.last = Some(key);
        Ok(What::Deleted(Json::from(object)))
    }

    /// Writes an Event, or counts one up.
    pub(super) fn event(&mut self, now: Timestamp, event: &Event) -> Result<What, Wrong> {
        let key = self.key(&event.regarding)?;
        let object = self.there.get(&key);
        let uid = object.map_or(Value::Null, |object| object["metadata"]["uid"].clone());
        let api_version = object.map_or(Value::Null, |object| object["apiVersion"].clone());
        let known = self.events.iter().position(|one| {
            one["regarding"]["uid"] == uid
                && one["regarding"]["name"] == key.name.as_str()
                && one["reason"] == event.reason.as_str()
                && one["note"] == event.message.as_str()
        });
        let before = known.map(|at| self.events.remove(at));
        let seen = before
            .as_ref()
            .and_then(|one| one["deprecatedCount"].as_u64());
        let first = before.as_ref().map_or(json!(now.to_string()), |one| {
            one["deprecatedFirstTimestamp"].clone()
        });
        self.version += 1;
        let number = before.as_ref().map_or_else(
            || json!(format!("event-{}", self.version)),
            |one| one["metadata"]["name"].clone(),
        );
        let written = json!({
            "metadata": {
                "name": number, "uid": number, "namespace": key.namespace,
                "resourceVersion": self.version.to_string(),
            },
            "type": event.type_.as_deref().unwrap_or("Warning"),
            "reason": event.reason, "note": event.message,
            "reportingController": "test",
            "deprecatedCount": event.count.unwrap_or(seen.unwrap_or(0) + 1),
            "deprecatedFirstTimestamp": first, "deprecatedLastTimestamp": now.to_string(),
            "regarding": {
                "apiVersion": api_version, "kind": key.kind, "namespace": key.namespace,
                "name": key.name, "uid": uid,
            },
        });
        self.last = Some(key);
        let told = self::event(&written);
        self.events.push(written);
        told.ok_or_else(|| "it is no Event".to_owned())
    }

    /// The object that a step is about: by kind and name, else that of the step before.
    fn key(&self, which: &Object) -> Result<Key, Wrong> {
        let metadata = which.get("metadata").unwrap_or(&Value::Null);
        let text = |name: &str| {
            let here = which.get(name).and_then(Value::as_str);
            here.or_else(|| metadata[name].as_str())
        };
        match (text("kind"), text("name")) {
            (None, None) => self.last.clone().ok_or_else(|| {
                "there is no object yet that it could be about: say its kind and name".to_owned()
            }),
            (Some(kind), Some(name)) => Ok(Key {
                kind: kind.to_owned(),
                namespace: text("namespace").unwrap_or_default().to_owned(),
                name: name.to_owned(),
            }),
            (None, Some(_)) => Err("it has a name and no kind".to_owned()),
            (Some(_), None) => Err("it has a kind and no name".to_owned()),
        }
    }
}

fn event(written: &Value) -> Option<What> {
    KubernetesEvent::read(written.clone()).ok().map(What::Event)
}

/// A JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(into) = target else { return };
    for (name, value) in fields {
        if value.is_null() {
            into.remove(name);
        } else {
            merge(into.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
