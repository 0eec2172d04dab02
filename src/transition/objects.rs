//! [`Objects`]: the last known state of each object of one stream, cut down to what is read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::last_well::LastWell;
use super::ownership::{Dependants, owners};
use super::packed::Packed;
use super::words::Words;
use crate::cel::Json;
use crate::names::{Fingerprint, RuleName, Uid};
use crate::planted::{self, Bug};

/// The last known state of an object: the fields that something reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectSeen {
    pub object: Arc<Json>,
    /// The last verdicts of the `on` rules that fire when they become true.
    #[serde(default)]
    pub levels: BTreeMap<RuleName, Level>,
    /// For rules whose templates read `changes`: what is not known to be good of its `spec`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_well: BTreeMap<RuleName, LastWell>,
}

/// The last verdict of a rule about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    pub is: bool,
    /// What was asked: to a rule that was edited since it says nothing.
    pub question: Fingerprint,
}

/// By what else than its UID an object is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexes {
    pub by_owner: bool,
    /// For objects that have no namespace.
    pub by_name: bool,
}

/// The objects of one stream, each [`Packed`] until somebody asks for it. A list is compared by
/// UID as it arrives; what it did not name is gone only when it ended.
#[derive(Debug, Default)]
pub struct Objects {
    known: HashMap<Uid, Packed>,
    words: Words,
    /// What the list under way has named so far.
    named: Option<HashSet<Uid>>,
    dependants: Option<Dependants>,
    names: Option<HashMap<Box<str>, Uid>>,
}

impl Objects {
    /// None yet.
    #[must_use]
    pub fn indexed(indexes: Indexes) -> Self {
        Self {
            dependants: indexes.by_owner.then(Dependants::default),
            names: indexes.by_name.then(HashMap::new),
            ..Self::default()
        }
    }

    /// Takes the state that an object has now, and gives the one that it had: the very same `Arc`
    /// where nothing changed.
    pub fn apply(&mut self, uid: Uid, object: &Arc<Json>) -> Option<Arc<Json>> {
        if let Some(named) = &mut self.named {
            named.insert(uid);
        }
        let known = self.known.get(&uid);
        let is_news = self.named.is_some() && planted::has(Bug::RelistIsNews);
        if !is_news && known.is_some_and(|known| known.is(object, &self.words)) {
            return Some(object.clone());
        }
        let old = known
            .filter(|_| self.named.is_none() || !planted::has(Bug::RelistIsNews))
            .map(|known| Arc::new(known.json(&self.words)));
        let packed = Packed::new(uid, object, &mut self.words);
        self.known.insert(uid, packed);
        self.index(uid, old.as_deref(), Some(object));
        old
    }

    /// From now on they are asked for in these ways.
    pub fn index_by(&mut self, indexes: Indexes) {
        let now = Indexes {
            by_owner: self.dependants.is_some(),
            by_name: self.names.is_some(),
        };
        if now == indexes {
            return;
        }
        self.dependants = indexes.by_owner.then(Dependants::default);
        self.names = indexes.by_name.then(HashMap::new);
        for uid in self.uids() {
            let object = self.get(uid);
            self.index(uid, None, object.as_deref());
        }
    }

    fn index(&mut self, uid: Uid, old: Option<&Json>, new: Option<&Json>) {
        if let Some(dependants) = &mut self.dependants {
            let [before, after] = [old, new].map(|object| object.map(owners).unwrap_or_default());
            dependants.move_to(uid, &before, &after);
        }
        if let Some(names) = &mut self.names {
            let name = |object: &Json| {
                let name = object.at(&["metadata", "name"]);
                name.and_then(Json::as_str).map(Box::from)
            };
            match (new.and_then(name), old.and_then(name)) {
                (Some(name), _) => drop(names.insert(name, uid)),
                // A successor of the same name may be here already.
                (None, Some(name)) if names.get(&name) == Some(&uid) => drop(names.remove(&name)),
                (None, _) => {}
            }
        }
    }

    /// Forgets an object, and gives its last state.
    pub fn remove(&mut self, uid: Uid) -> Option<Arc<Json>> {
        if let Some(named) = &mut self.named {
            named.remove(&uid);
        }
        let last = self.known.remove(&uid)?.json(&self.words);
        self.index(uid, Some(&last), None);
        Some(Arc::new(last))
    }

    /// The objects that have this owner, in no order; none unless they are indexed by owner.
    #[must_use]
    pub fn owned_by(&self, owner: Uid) -> &[Uid] {
        let dependants = self.dependants.as_ref();
        dependants.map_or(&[], |dependants| dependants.of(owner))
    }

    /// The object of that name; none unless they are indexed by name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Uid> {
        self.names.as_ref()?.get(name).copied()
    }

    /// An object's namespace; the empty one if it has none, or is not known.
    #[must_use]
    pub fn namespace_of(&self, uid: Uid) -> &str {
        let known = self.known.get(&uid);
        let namespace = known.and_then(|known| known.text(&["metadata", "namespace"], &self.words));
        namespace.unwrap_or_default()
    }

    /// The objects of a namespace, in the order of their UIDs.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Vec<Uid> {
        let uids = self.known.keys().copied();
        let mut found: Vec<Uid> = uids
            .filter(|uid| self.namespace_of(*uid) == namespace)
            .collect();
        found.sort();
        found
    }

    /// The last known state of an object.
    #[must_use]
    pub fn get(&self, uid: Uid) -> Option<Arc<Json>> {
        let known = self.known.get(&uid)?;
        Some(Arc::new(known.json(&self.words)))
    }

    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        self.known.contains_key(&uid)
    }

    /// The object of that name; cluster-wide ones have the empty namespace.
    #[must_use]
    pub fn named(&self, namespace: &str, name: &str) -> Option<Uid> {
        let text = |known: &Packed, field, wanted| {
            let text = known.text(&["metadata", field], &self.words);
            text.unwrap_or_default() == wanted
        };
        let mut known = self.known.iter();
        known
            .find(|(_, known)| text(known, "name", name) && text(known, "namespace", namespace))
            .map(|(uid, _)| *uid)
    }

    /// Everything there is will be named from here on.
    pub fn list_began(&mut self) {
        self.named = Some(HashSet::new());
    }

    /// The list is complete: forgets the objects that it did not name, and gives them in the
    /// order of their UIDs.
    pub fn list_ended(&mut self) -> Vec<(Uid, Arc<Json>)> {
        let Some(named) = self.named.take() else {
            return Vec::new();
        };
        if planted::has(Bug::AbsenceIsNotDeletion) {
            return Vec::new();
        }
        let mut gone: Vec<_> = self
            .known
            .extract_if(|uid, _| !named.contains(uid))
            .map(|(uid, last)| (uid, Arc::new(last.json(&self.words))))
            .collect();
        gone.sort_by_key(|(uid, _)| *uid);
        for (uid, last) in &gone {
            self.index(*uid, Some(last), None);
        }
        gone
    }

    /// The list stopped half-way: nothing follows from what it did not name.
    pub fn list_aborted(&mut self) {
        self.named = None;
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// All of them, in their order.
    #[must_use]
    pub fn uids(&self) -> Vec<Uid> {
        let mut uids: Vec<Uid> = self.known.keys().copied().collect();
        uids.sort_unstable();
        uids
    }

    pub fn iter(&self) -> impl Iterator<Item = (Uid, Json)> {
        let known = self.known.iter();
        known.map(|(uid, known)| (*uid, known.json(&self.words)))
    }

    /// Bytes kept for the objects, and for the words that they share.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        let entries = self.known.capacity() * size_of::<(Uid, Packed)>();
        let objects: usize = self.known.values().map(Packed::len).sum();
        let owners = self.dependants.as_ref().map(Dependants::retained_bytes);
        entries + objects + self.words.retained_bytes() + owners.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(phase: &str) -> Arc<Json> {
        Arc::new(Json::from(phase))
    }

    fn uid(name: &str) -> Uid {
        Uid::parse(name)
    }

    #[test]
    fn what_a_complete_list_does_not_name_is_gone() {
        let mut objects = Objects::default();
        objects.apply(uid("a"), &object("1"));
        objects.apply(uid("b"), &object("1"));
        objects.list_began();
        assert_eq!(objects.apply(uid("a"), &object("2")), Some(object("1")));
        assert_eq!(objects.list_ended(), [(uid("b"), object("1"))]);
        assert_eq!(objects.len(), 1);
    }

    #[test]
    fn an_aborted_list_deletes_nothing() {
        let mut objects = Objects::default();
        objects.apply(uid("a"), &object("1"));
        objects.list_began();
        objects.list_aborted();
        assert_eq!(objects.list_ended(), []);
        assert_eq!(objects.get(uid("a")), Some(object("1")));
    }

    #[test]
    fn an_object_deleted_while_a_list_runs_is_not_reported_again_at_its_end() {
        let mut objects = Objects::default();
        objects.list_began();
        objects.apply(uid("a"), &object("1"));
        assert_eq!(objects.remove(uid("a")), Some(object("1")));
        assert_eq!(objects.list_ended(), []);
    }

    #[test]
    fn an_object_is_found_by_its_name() {
        let mut objects = Objects::default();
        for (namespace, name) in [("prod", "orders"), ("test", "orders"), ("prod", "carts")] {
            let text = format!(r#"{{"metadata":{{"namespace":"{namespace}","name":"{name}"}}}}"#);
            let object: Json = serde_json::from_str(&text).expect("the test's JSON is valid");
            objects.apply(uid(&format!("{namespace}/{name}")), &Arc::new(object));
        }
        assert_eq!(objects.named("test", "orders"), Some(uid("test/orders")));
        assert_eq!(objects.named("", "orders"), None);
    }

    #[test]
    fn what_was_seen_again_unchanged_is_the_same_object() {
        let mut objects = Objects::default();
        let seen = object("1");
        assert_eq!(objects.apply(uid("a"), &object("1")), None);
        let old = objects.apply(uid("a"), &seen).expect("it was known");
        assert!(Arc::ptr_eq(&old, &seen));
    }
}
