//! [`Events`]: the Kubernetes Events about watched objects, and how often each was seen.
//!
//! The server forgets an Event after its own time to live and tells so as a deletion; what is
//! kept here has bounds of its own: [`PER_OBJECT`] an object, [`KEPT_FOR`], [`IN_ALL`] in all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use serde::{Deserialize, Serialize};

use super::is_past;
use crate::cel::Json;
use crate::names::Uid;
use crate::watch::{KubernetesEvent, Regarding};

/// Events retained for one object, the newest.
pub const PER_OBJECT: usize = 50;
/// Events retained in all, the newest.
pub const IN_ALL: usize = 20_000;
/// How long after it was last seen an Event is retained.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How often a Kubernetes Event was seen, so that a relist or a restart fires only increases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSeen {
    pub count: u64,
    pub last_seen: Timestamp,
    /// Where the Event itself lies.
    #[serde(default)]
    pub namespace: Arc<str>,
}

/// The Events of one stream: of a namespace, or all.
pub type Scope = Option<Arc<str>>;

/// Whether an Event that lies in this namespace is among them.
#[must_use]
pub fn covers(scope: &Scope, namespace: &str) -> bool {
    scope.as_ref().is_none_or(|own| **own == *namespace)
}

/// What an Event is about: kind, namespace, name. The UID, where the Event has one, is compared
/// when it is read: an Event of a predecessor of the same name is not the object's.
type Subject = (Arc<str>, Arc<str>, Arc<str>);

/// What an Event turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// Never seen before, or seen more often than before.
    News,
    /// Nothing new: a resync, or a list.
    Known,
}

/// The retained Events and the memory of what was seen.
#[derive(Debug, Default)]
pub struct Events {
    seen: HashMap<Uid, EventSeen>,
    retained: HashMap<Subject, Vec<Arc<KubernetesEvent>>>,
    by_age: BTreeSet<(Timestamp, Uid, Subject)>,
    /// What the lists under way have named so far.
    named: HashMap<Scope, HashSet<Uid>>,
    /// How many were cut by the bounds.
    pub cut: u64,
}

impl Events {
    /// With what was seen before the restart.
    #[must_use]
    pub fn restore(seen: HashMap<Uid, EventSeen>) -> Self {
        Self {
            seen,
            ..Self::default()
        }
    }

    /// Takes an Event and says whether it is news.
    pub fn apply(&mut self, now: Timestamp, event: &Arc<KubernetesEvent>) -> Novelty {
        for (scope, named) in &mut self.named {
            if covers(scope, &event.namespace) {
                named.insert(event.uid);
            }
        }
        let novelty = match self.seen.get(&event.uid) {
            Some(before) if before.count >= event.count => Novelty::Known,
            _ => Novelty::News,
        };
        let count = self
            .seen
            .get(&event.uid)
            .map_or(event.count, |before| before.count.max(event.count));
        let seen = EventSeen {
            count,
            last_seen: event.last_seen,
            namespace: event.namespace.clone(),
        };
        self.seen.insert(event.uid, seen);
        self.retain(now, event);
        novelty
    }

    /// From now on only the Events of these streams are read. Gives the others that had been seen.
    pub fn forget_others(&mut self, scopes: &[Scope]) -> Vec<Uid> {
        let read = |seen: &EventSeen| {
            let mut scopes = scopes.iter();
            scopes.any(|scope| covers(scope, &seen.namespace))
        };
        let others = self.seen.extract_if(|_, seen| !read(seen));
        let mut others: Vec<Uid> = others.map(|(uid, _)| uid).collect();
        others.sort();
        self.named.retain(|scope, _| scopes.contains(scope));
        if scopes.is_empty() {
            self.retained.clear();
            self.by_age.clear();
        }
        others
    }

    /// What is to be remembered of an Event.
    #[must_use]
    pub fn seen(&self, uid: Uid) -> Option<EventSeen> {
        self.seen.get(&uid).cloned()
    }

    /// The server forgot an Event. It stays in what expressions see for as long as our own bounds
    /// say. `true` if it had been seen.
    pub fn deleted(&mut self, uid: Uid) -> bool {
        self.seen.remove(&uid).is_some()
    }

    pub fn list_began(&mut self, scope: &Scope) {
        self.named.insert(scope.clone(), HashSet::new());
    }

    /// The list is complete: forgets how often the Events were seen that it did not name and that are
    /// among those, and gives their UIDs.
    pub fn list_ended(&mut self, scope: &Scope) -> Vec<Uid> {
        let Some(named) = self.named.remove(scope) else {
            return Vec::new();
        };
        let mut gone: Vec<_> = self
            .seen
            .extract_if(|uid, seen| covers(scope, &seen.namespace) && !named.contains(uid))
            .map(|(uid, _)| uid)
            .collect();
        gone.sort();
        gone
    }

    pub fn list_aborted(&mut self, scope: &Scope) {
        self.named.remove(scope);
    }

    /// The Events of an object, newest first, without those whose time is over.
    #[must_use]
    pub fn of(&self, now: Timestamp, uid: Uid, object: &Json) -> Vec<Arc<KubernetesEvent>> {
        self.retained
            .get(&subject_of(object))
            .into_iter()
            .flatten()
            .filter(|event| !is_past(now, event.last_seen, KEPT_FOR))
            .filter(|event| event.regarding.uid.is_none_or(|about| about == uid))
            .cloned()
            .collect()
    }

    /// Events retained about objects of a namespace, or in all.
    #[must_use]
    pub fn count(&self, scope: &Scope) -> usize {
        match scope {
            None => self.len(),
            Some(own) => {
                let about = self
                    .by_age
                    .iter()
                    .map(|(_, _, (_, namespace, _))| namespace);
                about.filter(|namespace| *namespace == own).count()
            }
        }
    }

    /// Events retained, in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    fn retain(&mut self, now: Timestamp, event: &Arc<KubernetesEvent>) {
        let subject = subject(&event.regarding);
        let kept = self.retained.entry(subject.clone()).or_default();
        if let Some(at) = kept.iter().position(|other| other.uid == event.uid) {
            let before = kept.remove(at);
            self.by_age
                .remove(&(before.last_seen, before.uid, subject.clone()));
        }
        let at = kept.partition_point(|other| other.last_seen > event.last_seen);
        kept.insert(at, event.clone());
        self.by_age
            .insert((event.last_seen, event.uid, subject.clone()));
        if kept.len() > PER_OBJECT
            && let Some(oldest) = kept.pop()
        {
            self.by_age.remove(&(oldest.last_seen, oldest.uid, subject));
            self.cut += 1;
        }
        self.prune(now);
    }

    /// Drops what is too old, then what is too much.
    fn prune(&mut self, now: Timestamp) {
        while let Some((last_seen, uid, subject)) = self.by_age.first().cloned() {
            let expired = is_past(now, last_seen, KEPT_FOR);
            if !expired && self.by_age.len() <= IN_ALL {
                return;
            }
            self.cut += u64::from(!expired);
            self.by_age.pop_first();
            if let Some(kept) = self.retained.get_mut(&subject) {
                kept.retain(|event| event.uid != uid);
                if kept.is_empty() {
                    self.retained.remove(&subject);
                }
            }
        }
    }
}

/// When an Event stops being seen by expressions.
#[must_use]
pub fn expiry(event: &KubernetesEvent) -> Option<Timestamp> {
    event.last_seen.checked_add(KEPT_FOR).ok()
}

fn subject(regarding: &Regarding) -> Subject {
    (
        regarding.kind.clone(),
        regarding.namespace.clone(),
        regarding.name.clone(),
    )
}

fn subject_of(object: &Json) -> Subject {
    let text = |path: &[&str]| -> Arc<str> {
        object
            .at(path)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .into()
    };
    (
        text(&["kind"]),
        text(&["metadata", "namespace"]),
        text(&["metadata", "name"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a small number of seconds is a timestamp")
    }

    fn event(uid: &str, about: &str, count: u64, last_seen: i64) -> Arc<KubernetesEvent> {
        Arc::new(KubernetesEvent {
            uid: Uid::parse(uid),
            type_: "Warning".into(),
            reason: "FailedProvisioning".into(),
            message: "no quota".into(),
            count,
            first_seen: at(0),
            last_seen: at(last_seen),
            regarding: Regarding {
                api_version: "stable.example.com/v1".into(),
                kind: "DatabaseInstance".into(),
                namespace: "prod".into(),
                name: "orders".into(),
                uid: Some(Uid::parse(about)),
            },
            reporting_controller: "operator".into(),
            namespace: "prod".into(),
            name: "orders.1".into(),
        })
    }

    fn orders() -> Json {
        serde_json::json!({"kind": "DatabaseInstance", "metadata": {"namespace": "prod", "name": "orders"}}).into()
    }

    #[test]
    fn only_an_increase_is_news() {
        let mut events = Events::default();
        assert_eq!(events.apply(at(1), &event("e", "o", 1, 1)), Novelty::News);
        assert_eq!(events.apply(at(2), &event("e", "o", 1, 1)), Novelty::Known);
        assert_eq!(events.apply(at(3), &event("e", "o", 3, 3)), Novelty::News);
        assert_eq!(events.apply(at(4), &event("e", "o", 2, 2)), Novelty::Known);
    }

    #[test]
    fn an_event_of_a_predecessor_is_not_the_objects() {
        let mut events = Events::default();
        events.apply(at(1), &event("e", "predecessor", 1, 1));
        assert!(events.of(at(1), Uid::parse("o"), &orders()).is_empty());
        assert_eq!(
            events.of(at(1), Uid::parse("predecessor"), &orders()).len(),
            1
        );
    }

    #[test]
    fn of_many_events_the_newest_are_retained_newest_first() {
        let mut events = Events::default();
        for second in 0..60 {
            events.apply(at(second), &event(&format!("e{second}"), "o", 1, second));
        }
        let kept = events.of(at(60), Uid::parse("o"), &orders());
        assert_eq!(kept.len(), PER_OBJECT);
        assert_eq!(kept[0].last_seen, at(59));
        assert_eq!(events.cut, 10);
    }

    #[test]
    fn an_event_is_not_seen_an_hour_after_it_was_last_seen() {
        let mut events = Events::default();
        events.apply(at(0), &event("e", "o", 1, 0));
        assert_eq!(expiry(&event("e", "o", 1, 0)), Some(at(3600)));
        assert!(events.of(at(3600), Uid::parse("o"), &orders()).is_empty());
        events.apply(at(3601), &event("f", "o", 1, 3601));
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_of_another() {
        let (prod, test): (Scope, Scope) = (Some("prod".into()), Some("test".into()));
        let mut events = Events::default();
        events.apply(at(1), &event("e", "o", 1, 1));
        events.list_began(&test);
        assert!(events.list_ended(&test).is_empty());
        events.list_began(&prod);
        events.apply(at(2), &event("f", "o", 1, 2));
        assert_eq!(events.list_ended(&prod), [Uid::parse("e")]);
        assert_eq!(
            (
                events.count(&prod),
                events.count(&test),
                events.count(&None)
            ),
            (2, 0, 2)
        );
    }
}
