//! Who owns whom, as `metadata.ownerReferences` say it, in the direction in which nobody says it.

use std::collections::HashMap;

use crate::cel::Json;
use crate::names::Uid;

/// What an object must keep so that its owners are known.
pub const OWNERS: &str = "metadata.ownerReferences[].uid";

/// The objects that own this one.
#[must_use]
pub fn owners(object: &Json) -> Vec<Uid> {
    let references = object.at(&["metadata", "ownerReferences"]);
    let Some(Json::List(references)) = references else {
        return Vec::new();
    };
    let uids = references.iter().filter_map(|one| one.get("uid")?.as_str());
    let mut owners: Vec<Uid> = uids.map(Uid::parse).collect();
    owners.sort();
    owners.dedup();
    owners
}

/// The objects of one stream by their owners, wherever those are, and whether or not they are
/// known already.
#[derive(Debug, Default)]
pub struct Dependants(HashMap<Uid, Vec<Uid>>);

impl Dependants {
    /// An object has other owners than before.
    pub(super) fn move_to(&mut self, uid: Uid, before: &[Uid], after: &[Uid]) {
        for owner in before.iter().filter(|owner| !after.contains(owner)) {
            if let Some(owned) = self.0.get_mut(owner) {
                owned.retain(|other| *other != uid);
                if owned.is_empty() {
                    self.0.remove(owner);
                }
            }
        }
        for owner in after.iter().filter(|owner| !before.contains(owner)) {
            self.0.entry(*owner).or_default().push(uid);
        }
    }

    /// The objects that have this owner, in no order.
    #[must_use]
    pub fn of(&self, owner: Uid) -> &[Uid] {
        self.0.get(&owner).map_or(&[], Vec::as_slice)
    }

    pub(super) fn retained_bytes(&self) -> usize {
        let lists: usize = self.0.values().map(Vec::capacity).sum();
        self.0.capacity() * size_of::<(Uid, Vec<Uid>)>() + lists * size_of::<Uid>()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_may_have_several_owners_or_none() {
        let object = |references| Json::from(json!({"metadata": {"ownerReferences": references}}));
        let both = owners(&object(
            json!([{"uid": "a"}, {"uid": "b"}, {"uid": "a"}, {"name": "x"}]),
        ));
        assert_eq!(both.len(), 2);
        assert!(owners(&object(json!(null))).is_empty());
        assert!(owners(&Json::Null).is_empty());
    }

    #[test]
    fn who_is_adopted_leaves_its_former_owner() {
        let [pod, other, old, new] = ["pod", "other", "old", "new"].map(Uid::parse);
        let mut dependants = Dependants::default();
        dependants.move_to(pod, &[], &[old]);
        dependants.move_to(other, &[], &[old]);
        dependants.move_to(pod, &[old], &[new]);
        assert_eq!(
            (dependants.of(old), dependants.of(new)),
            (&[other][..], &[pod][..])
        );
        dependants.move_to(other, &[old], &[]);
        assert!(dependants.of(old).is_empty());
    }
}
