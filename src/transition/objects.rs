//! [`Objects`]: the last known state of each object of one stream, cut down to what is read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cel::Json;
use crate::names::{RuleName, Uid};

/// The last known state of an object: the fields that something reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectSeen {
    pub object: Arc<Json>,
    /// The last verdicts of the `on` rules that fire when they become true.
    #[serde(default)]
    pub verdicts: BTreeMap<RuleName, bool>,
}

/// The objects of one stream. A list is compared by UID as it arrives; what it did not name is
/// gone only when it ended.
#[derive(Debug, Default)]
pub struct Objects {
    known: HashMap<Uid, Arc<Json>>,
    /// What the list under way has named so far.
    named: Option<HashSet<Uid>>,
}

impl Objects {
    /// Takes the state that an object has now, and gives the one that it had.
    pub fn apply(&mut self, uid: Uid, object: Arc<Json>) -> Option<Arc<Json>> {
        if let Some(named) = &mut self.named {
            named.insert(uid);
        }
        self.known.insert(uid, object)
    }

    /// Forgets an object, and gives its last state.
    pub fn remove(&mut self, uid: Uid) -> Option<Arc<Json>> {
        if let Some(named) = &mut self.named {
            named.remove(&uid);
        }
        self.known.remove(&uid)
    }

    #[must_use]
    pub fn get(&self, uid: Uid) -> Option<&Arc<Json>> {
        self.known.get(&uid)
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
        let mut gone: Vec<_> = self
            .known
            .extract_if(|uid, _| !named.contains(uid))
            .collect();
        gone.sort_by_key(|(uid, _)| *uid);
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

    pub fn iter(&self) -> impl Iterator<Item = (Uid, &Arc<Json>)> {
        self.known.iter().map(|(uid, object)| (*uid, object))
    }

    /// Bytes kept for the objects, without those of the table itself.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        let node = size_of::<(Uid, Arc<Json>)>() + size_of::<Json>();
        self.known
            .values()
            .map(|object| node + object.retained_bytes())
            .sum()
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
        objects.apply(uid("a"), object("1"));
        objects.apply(uid("b"), object("1"));
        objects.list_began();
        assert_eq!(objects.apply(uid("a"), object("2")), Some(object("1")));
        assert_eq!(objects.list_ended(), [(uid("b"), object("1"))]);
        assert_eq!(objects.len(), 1);
    }

    #[test]
    fn an_aborted_list_deletes_nothing() {
        let mut objects = Objects::default();
        objects.apply(uid("a"), object("1"));
        objects.list_began();
        objects.list_aborted();
        assert_eq!(objects.list_ended(), []);
        assert_eq!(objects.get(uid("a")), Some(&object("1")));
    }

    #[test]
    fn an_object_deleted_while_a_list_runs_is_not_reported_again_at_its_end() {
        let mut objects = Objects::default();
        objects.list_began();
        objects.apply(uid("a"), object("1"));
        assert_eq!(objects.remove(uid("a")), Some(object("1")));
        assert_eq!(objects.list_ended(), []);
    }
}
