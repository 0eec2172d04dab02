//! Objects that rules read besides their own: found from their owners, and their owners from them.
//!
//! Nothing is kept of a join but which object owns which: it is followed anew each time, down from
//! an owner when a rule looks at it, up from an object that changed to the owners that it concerns.
//! An owner in a namespace owns nothing outside of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::pass::Pass;
use super::{Effects, Engine};
use crate::cel::{Json, Map};
use crate::evaluate::moment::{Surroundings, in_language};
use crate::evaluate::{Join, Relation, Rule};
use crate::names::Uid;
use crate::transition::events::expiry;
use crate::transition::ownership::owners;
use crate::transition::{Transition, object_ref};
use crate::watch::KubernetesEvent;

/// A stream, and a rule by its position there.
pub(super) type Reader = (usize, usize);

/// Which rules, by position, are to look at which objects of which streams.
pub(super) type Looks = BTreeMap<(usize, Uid), BTreeSet<usize>>;

/// An object that others may read: in which stream it is, and how it was and is.
struct Joined<'a> {
    at: usize,
    uid: Uid,
    states: [Option<&'a Arc<Json>>; 2],
}

impl Engine {
    /// What a rule sees around an object of its own.
    pub(super) fn surroundings(
        &self,
        (stream, position): Reader,
        transition: &Transition,
    ) -> Surroundings {
        let watched = &self.rules.sources[stream];
        let rule = &self.rules.rules[watched.rules[position]];
        let joins = &watched.joins[position];
        let object = &transition.object;
        let mut events = Vec::new();
        if rule.reads_events {
            events = self.events.of(self.now, transition.uid, object);
        }
        let mut related = Vec::new();
        for (relation, join) in rule.relations.iter().zip(&joins.relations) {
            let list = self.owned(join, transition.uid, namespace(object));
            let objects = list.iter().map(|(_, object)| Json::clone(object)).collect();
            related.push((relation.name.clone(), objects));
            if rule.reads_events {
                let of = |(uid, object): &(Uid, Arc<Json>)| self.events.of(self.now, *uid, object);
                events.extend(list.iter().flat_map(of));
            }
        }
        events.sort_by_key(|event| std::cmp::Reverse(event.last_seen));
        Surroundings {
            event: transition.event.as_ref().map(|event| event.to_json()),
            expires: events.last().and_then(|oldest| expiry(oldest)),
            events: in_language(&events),
            related,
            namespace: self.namespace_object(joins.namespaces, object),
            owners: self.owners_if_asked(object),
            ..Surroundings::default()
        }
    }

    /// The same for rules that read nothing but their own objects and Events.
    pub(super) fn events_around(
        &self,
        transition: &Transition,
        reads_events: bool,
    ) -> Surroundings {
        let owners = self.owners_if_asked(&transition.object);
        if !reads_events {
            return Surroundings {
                owners,
                ..Surroundings::default()
            };
        }
        let events = self.events.of(self.now, transition.uid, &transition.object);
        Surroundings {
            event: transition.event.as_ref().map(|event| event.to_json()),
            expires: events.last().and_then(|oldest| expiry(oldest)),
            events: in_language(&events),
            owners,
            ..Surroundings::default()
        }
    }

    /// Who owns an object, directly or through objects that some rule reads: for inhibitions.
    fn owners_if_asked(&self, object: &Json) -> Vec<Uid> {
        if !self.notify.inhibits_by_owner() {
            return Vec::new();
        }
        let mut found: Vec<Uid> = Vec::new();
        let mut left = owners(object);
        while let Some(uid) = left.pop() {
            if found.contains(&uid) {
                continue;
            }
            found.push(uid);
            let mut streams = self.streams.iter();
            let known = streams.find_map(|stream| stream.objects.get(uid));
            left.extend(known.iter().flat_map(|object| owners(object)));
        }
        found.sort();
        found
    }

    /// The Namespace of an object, as far as it is known; an empty object where it has none.
    fn namespace_object(&self, stream: Option<usize>, object: &Json) -> Option<Json> {
        let objects = &self.streams[stream?].objects;
        match namespace(object) {
            "" => Some(Json::Map(Map::default())),
            name => Some(Json::clone(&*objects.get(objects.by_name(name)?)?)),
        }
    }

    /// The related objects of an owner, by namespace and name.
    fn owned(&self, join: &Join, owner: Uid, namespace: &str) -> Vec<(Uid, Arc<Json>)> {
        let target = &self.streams[join.target].objects;
        let found = self.below(join, owner, namespace).into_iter();
        let found = found.filter_map(|uid| Some((uid, target.get(uid)?)));
        let mut found: Vec<(Uid, Arc<Json>)> = found.collect();
        found.sort_by_cached_key(|(uid, object)| {
            let object = object_ref(*uid, object);
            (object.namespace, object.name, *uid)
        });
        found
    }

    /// The objects of a join's target below an owner.
    fn below(&self, join: &Join, owner: Uid, namespace: &str) -> BTreeSet<Uid> {
        let mut found = BTreeSet::new();
        let mut passed = BTreeSet::from([owner]);
        let mut left = vec![(owner, namespace.to_owned())];
        while let Some((owner, namespace)) = left.pop() {
            for stream in join.streams() {
                let objects = &self.streams[stream].objects;
                for &uid in objects.owned_by(owner) {
                    let own = objects.namespace_of(uid);
                    if !may_own(&namespace, own) {
                        continue;
                    }
                    if stream == join.target {
                        found.insert(uid);
                    }
                    if join.between.contains(&stream) && passed.insert(uid) {
                        left.push((uid, own.to_owned()));
                    }
                }
            }
        }
        found
    }

    /// The objects of a stream that an object is related to by this join. It need not be what is known
    /// of the object now: the way never leads through the object itself.
    fn above(&self, stream: usize, join: &Join, uid: Uid, object: &Json) -> BTreeSet<Uid> {
        let mut found = BTreeSet::new();
        let mut passed = BTreeSet::from([uid]);
        let of = |object: &Json| (owners(object), namespace(object).to_owned());
        let mut left = vec![of(object)];
        while let Some((owners, namespace)) = left.pop() {
            for owner in owners {
                let watched = &self.streams[stream].objects;
                if watched.contains(owner) && may_own(watched.namespace_of(owner), &namespace) {
                    found.insert(owner);
                }
                for between in &join.between {
                    let objects = &self.streams[*between].objects;
                    if let Some(object) = objects.get(owner)
                        && may_own(objects.namespace_of(owner), &namespace)
                        && passed.insert(owner)
                    {
                        left.push(of(&object));
                    }
                }
            }
        }
        found
    }

    /// An object of a stream changed, came or went: those whose rules read it look again.
    pub(super) fn join(
        &mut self,
        at: usize,
        uid: Uid,
        states: [Option<&Arc<Json>>; 2],
        effects: &mut Effects,
    ) {
        let rules = self.rules.clone();
        let joined_by = &rules.sources[at].joined_by;
        let same = matches!(states, [Some(old), Some(new)] if Arc::ptr_eq(old, new));
        if joined_by.is_empty() || same {
            return;
        }
        let change = Joined { at, uid, states };
        let mut looks = Looks::new();
        let mut told = Vec::new();
        for &reader in joined_by {
            if !self.has_begun(reader) {
                continue;
            }
            let rule = &rules.rules[rules.sources[reader.0].rules[reader.1]];
            let joins = &rules.sources[reader.0].joins[reader.1];
            if joins.namespaces == Some(at) {
                self.of_namespace(reader, rule, &change, &mut looks);
            }
            for (join, relation) in joins.relations.iter().zip(&rule.relations) {
                if join.streams().any(|stream| stream == at) {
                    let gained = self.of_owners(reader, join, rule, relation, &change, &mut looks);
                    if rule.reads_events && !gained.is_empty() {
                        told.push((gained, self.earlier_events(join, &change)));
                    }
                }
            }
        }
        self.look_at(&looks, None, effects);
        for (looks, events) in told {
            for event in events {
                self.look_at(&looks, Some(&(event, false)), effects);
            }
        }
    }

    /// The owners of a related object, or of what stands between, that changed. Gives the looks at
    /// those to which it was not related before.
    fn of_owners(
        &self,
        reader: Reader,
        join: &Join,
        rule: &Rule,
        relation: &Relation,
        change: &Joined<'_>,
        looks: &mut Looks,
    ) -> Looks {
        let above = |object: &Arc<Json>| self.above(reader.0, join, change.uid, object);
        let [before, after] = change
            .states
            .map(|object| object.map(above).unwrap_or_default());
        let differs = match change.states {
            [Some(old), Some(new)] => {
                let read = rule.concern_of(&relation.reads);
                join.target == change.at && read.changed(old, new)
            }
            _ => true,
        };
        for owner in before.union(&after) {
            if differs || before.contains(owner) != after.contains(owner) {
                let positions = looks.entry((reader.0, *owner)).or_default();
                positions.insert(reader.1);
            }
        }
        let gained = after.difference(&before);
        gained
            .map(|owner| ((reader.0, *owner), BTreeSet::from([reader.1])))
            .collect()
    }

    /// The first Events of a related object may arrive before it is known whose it is. Oldest first.
    fn earlier_events(&self, join: &Join, change: &Joined<'_>) -> Vec<Arc<KubernetesEvent>> {
        let [_, Some(object)] = change.states else {
            return Vec::new();
        };
        let mut related = BTreeSet::new();
        if join.between.contains(&change.at) {
            related = self.below(join, change.uid, namespace(object));
        }
        if join.target == change.at {
            related.insert(change.uid);
        }
        let target = &self.streams[join.target].objects;
        let of = |uid: Uid| Some(self.events.of(self.now, uid, &*target.get(uid)?));
        let events = related.into_iter().filter_map(of);
        let mut events: Vec<Arc<KubernetesEvent>> = events.flatten().collect();
        events.sort_by_key(|event| event.last_seen);
        events
    }

    /// The objects in a Namespace that changed, came or went.
    fn of_namespace(
        &self,
        (stream, position): Reader,
        rule: &Rule,
        change: &Joined<'_>,
        looks: &mut Looks,
    ) {
        let Some(reads) = &rule.namespace else { return };
        let [old, new] = change.states;
        let changed = match (old, new) {
            (Some(old), Some(new)) => rule.concern_of(reads).changed(old, new),
            _ => true,
        };
        let name = old
            .or(new)
            .and_then(|object| object.at(&["metadata", "name"]));
        let Some(name) = name.and_then(Json::as_str).filter(|_| changed) else {
            return;
        };
        for uid in self.streams[stream].objects.in_namespace(name) {
            looks.entry((stream, uid)).or_default().insert(position);
        }
    }

    /// Lets rules look at objects again: as they are, or because of an Event (and whether it is late).
    pub(super) fn look_at(
        &mut self,
        looks: &Looks,
        event: Option<&(Arc<KubernetesEvent>, bool)>,
        effects: &mut Effects,
    ) {
        for ((stream, uid), positions) in looks {
            let Some(object) = self.streams[*stream].objects.get(*uid) else {
                continue;
            };
            let transition = match event {
                Some((event, late)) => Transition {
                    late: *late,
                    ..Transition::told(*uid, object, event.clone())
                },
                None => Transition::seen(*uid, Some(object.clone()), object),
            };
            let positions: Vec<usize> = positions.iter().copied().collect();
            self.look(*stream, &positions, &transition, Pass::live(), effects);
        }
    }

    /// Who reads the Events of an object of a stream because it is related to objects of theirs.
    pub(super) fn readers_of_events(&self, at: usize, uid: Uid, object: &Json, looks: &mut Looks) {
        for &(stream, position) in &self.rules.sources[at].joined_by {
            let watched = &self.rules.sources[stream];
            if !self.rules.rules[watched.rules[position]].reads_events {
                continue;
            }
            let joins = watched.joins[position].relations.iter();
            for join in joins.filter(|join| join.target == at) {
                for owner in self.above(stream, join, uid, object) {
                    looks.entry((stream, owner)).or_default().insert(position);
                }
            }
        }
    }
}

fn namespace(object: &Json) -> &str {
    let namespace = object.at(&["metadata", "namespace"]);
    namespace.and_then(Json::as_str).unwrap_or_default()
}

/// Whether an owner in this namespace, or in none, may own what is in that one.
fn may_own(owner: &str, other: &str) -> bool {
    owner.is_empty() || owner == other
}
