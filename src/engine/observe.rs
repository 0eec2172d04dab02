//! What the streams say: objects, Events, lists, breaks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::join::{Looks, Reader};
use super::pass::Pass;
use super::stream::{EventStream, Gone, Waiting};
use super::{Effects, Engine};
use crate::cel::Json;
use crate::journal::Key;
use crate::names::{SourceKey, Uid};
use crate::planted::{self, Bug};
use crate::transition::events::{IN_ALL, Novelty};
use crate::transition::{ChangeKind, Transition};
use crate::watch::{Change, KubernetesEvent, Observation, Signal, Signalled};

impl Engine {
    pub(super) fn observe(&mut self, signalled: Signalled, effects: &mut Effects) {
        let Signalled { source, signal } = signalled;
        if let Some(&at) = self.by_key.get(&source) {
            self.observe_objects(at, signal, effects);
        } else if let Some(at) = self.events_stream(&source) {
            self.observe_events(at, signal, effects);
        }
    }

    /// The stream of Events of that key.
    pub(super) fn events_stream(&self, key: &SourceKey) -> Option<usize> {
        self.event_streams
            .iter()
            .position(|stream| stream.key == *key)
    }

    fn observe_objects(&mut self, at: usize, signal: Signal, effects: &mut Effects) {
        match signal {
            Signal::ListBegan => {
                let stream = &mut self.streams[at];
                stream.health.listing = true;
                stream.objects.list_began();
            }
            Signal::Applied(observation) => self.applied(at, observation, effects),
            Signal::Deleted(observation) => self.deleted(at, observation, effects),
            Signal::ListEnded => self.list_ended(at, effects),
            Signal::ListAborted { why } => {
                let now = self.now;
                let stream = &mut self.streams[at];
                stream.health.listing = false;
                stream.health.broke(now, why);
                if planted::has(Bug::AbortedListDeletes) {
                    self.list_ended(at, effects);
                    return;
                }
                stream.objects.list_aborted();
            }
            Signal::Broken { why } => self.streams[at].health.broke(self.now, why),
            Signal::Recovered => {
                self.streams[at].health.broken = None;
                self.look_if_it_may_act(at, effects);
                self.resume();
            }
            Signal::Dormant { why } => {
                let stream = &mut self.streams[at];
                stream.health.dormant = Some(why);
                stream.health.broken = None;
            }
            Signal::Awake => self.streams[at].health.dormant = None,
            Signal::StoodStill => {
                self.streams[at].health.doubted = !planted::has(Bug::OldIsBelieved);
            }
            Signal::Refreshed(observation) => self.refreshed(at, observation),
            Signal::RefreshEnded => self.refresh_ended(at, effects),
            Signal::Event(_) | Signal::EventDeleted(_) => {}
        }
    }

    fn applied(&mut self, at: usize, observation: Observation, effects: &mut Effects) {
        let uid = observation.header.uid;
        let object = Arc::new(observation.object);
        let stream = &mut self.streams[at];
        let old = stream.objects.apply(uid, &object);
        self.counts.transitions += 1;
        if stream.health.listed {
            let transition = Transition {
                // What a list brings happened while nobody watched.
                late: stream.health.listing,
                ..Transition::seen(uid, old.clone(), object.clone())
            };
            self.transit(at, old.as_ref(), &transition, effects);
            self.join(at, uid, [old.as_ref(), Some(&object)], effects);
            return;
        }
        if self.rules.sources[at].rules.is_empty() {
            return;
        }
        let baseline = stream.known.is_none();
        let waiting = stream.waiting.entry(uid).or_insert(Waiting {
            old,
            gone: None,
            baseline,
        });
        waiting.gone = None;
    }

    fn deleted(&mut self, at: usize, observation: Observation, effects: &mut Effects) {
        let uid = observation.header.uid;
        let left_selection = observation.change == Change::Left;
        let last = Arc::new(observation.object);
        let stream = &mut self.streams[at];
        let old = stream.objects.remove(uid);
        self.counts.transitions += 1;
        if stream.health.listed {
            if old.is_some() {
                let transition = Transition {
                    left_selection,
                    ..Transition::deleted(uid, last)
                };
                self.gone(at, &transition, effects);
            }
            return;
        }
        if self.rules.sources[at].rules.is_empty() {
            return;
        }
        let gone = Some(Gone {
            last,
            left_selection,
        });
        match (stream.waiting.get_mut(&uid), old) {
            (Some(waiting), _) => waiting.gone = gone,
            (None, Some(old)) => {
                let waiting = Waiting {
                    old: Some(old),
                    gone,
                    baseline: stream.known.is_none(),
                };
                stream.waiting.insert(uid, waiting);
            }
            (None, None) => {}
        }
    }

    fn gone(&mut self, at: usize, transition: &Transition, effects: &mut Effects) {
        self.transit(at, transition.old.as_ref(), transition, effects);
        let before = Some(&transition.object);
        self.join(at, transition.uid, [before, None], effects);
    }

    /// Brings a transition to the rules that may act on it now; those that wait for the first list
    /// of something else get it later. Then sees to it that the object's new state is written down.
    fn transit(
        &mut self,
        at: usize,
        old: Option<&Arc<Json>>,
        transition: &Transition,
        effects: &mut Effects,
    ) {
        let behind = &mut self.streams[at].behind;
        let caught_up = !behind.is_empty() && behind.remove(&transition.uid);
        if self.rules.sources[at].rules.is_empty() {
            return;
        }
        let before = effects.len();
        if !self.all_have_begun(at) {
            self.wait_for_the_rest(at, transition);
        }
        let pass = if caught_up {
            Pass::first(false)
        } else {
            Pass::live()
        };
        self.decide(at, transition, pass, effects);
        self.claim_events(at, transition, effects);
        let read = &self.rules.sources[at].paths;
        let differs = old.is_none_or(|old| read.changed(old, &transition.object));
        let deleted = transition.change == ChangeKind::Deleted;
        if effects.len() > before || deleted {
            self.write_object(at, transition.uid, effects);
        } else if differs {
            self.write_later(at, transition.uid);
        }
    }

    /// The first Events of an object may arrive before the object itself.
    fn claim_events(&mut self, at: usize, transition: &Transition, effects: &mut Effects) {
        if transition.change != ChangeKind::Added || self.event_streams.is_empty() {
            return;
        }
        let events = self.events.of(self.now, transition.uid, &transition.object);
        for event in events.into_iter().rev() {
            let told = Transition::told(transition.uid, transition.object.clone(), event);
            self.decide(at, &told, Pass::live(), effects);
        }
    }

    /// Some rules of the stream wait for another one to list.
    fn wait_for_the_rest(&mut self, at: usize, transition: &Transition) {
        let gone = (transition.change == ChangeKind::Deleted).then(|| Gone {
            last: transition.object.clone(),
            left_selection: transition.left_selection,
        });
        let waiting = &mut self.streams[at].waiting;
        let entry = waiting.entry(transition.uid).or_insert(Waiting {
            old: transition.old.clone(),
            gone: None,
            baseline: false,
        });
        entry.gone = gone;
    }

    fn list_ended(&mut self, at: usize, effects: &mut Effects) {
        let stream = &mut self.streams[at];
        stream.health.listing = false;
        stream.health.broken = None;
        stream.health.doubted = false;
        stream.health.dormant = None;
        let gone = stream.objects.list_ended();
        let first = !std::mem::replace(&mut stream.health.listed, true);
        let watched = !self.rules.sources[at].rules.is_empty();
        if first {
            let baseline = stream.known.is_none();
            for (uid, last) in gone.into_iter().filter(|_| watched) {
                let gone = Some(Gone {
                    last: last.clone(),
                    left_selection: false,
                });
                let old = Some(last);
                let waiting = Waiting {
                    old,
                    gone,
                    baseline,
                };
                stream.waiting.insert(uid, waiting);
            }
            self.begin(Some(at), effects);
            self.end_alerts_of_the_gone(at, effects);
            let stream = &mut self.streams[at];
            stream.introduced.clear();
            stream.behind.clear();
        } else {
            for (uid, last) in gone {
                let transition = Transition {
                    late: true,
                    ..Transition::deleted(uid, last)
                };
                self.gone(at, &transition, effects);
            }
            self.look_if_it_may_act(at, effects);
        }
        self.streams[at].known = Some(self.rules.sources[at].paths.clone());
        self.write_known_when_written(effects);
        self.resume();
    }

    fn observe_events(&mut self, at: usize, signal: Signal, effects: &mut Effects) {
        let now = self.now;
        let EventStream { scope, health, .. } = &mut self.event_streams[at];
        match signal {
            Signal::ListBegan => {
                health.listing = true;
                self.events.list_began(scope);
            }
            Signal::Event(event) => self.told(at, event, effects),
            Signal::EventDeleted(uid) => {
                if self.events.deleted(uid) {
                    self.dirty_events.remove(&uid);
                    effects.remove(Key::Event(uid));
                }
            }
            Signal::ListEnded => self.events_listed(at, effects),
            Signal::ListAborted { why } => {
                health.listing = false;
                health.broke(now, why);
                self.events.list_aborted(scope);
            }
            Signal::Broken { why } => health.broke(now, why),
            Signal::Recovered => {
                health.broken = None;
                self.resume();
            }
            Signal::Dormant { why } => health.dormant = Some(why),
            Signal::Awake => health.dormant = None,
            Signal::StoodStill => health.doubted = true,
            Signal::Applied(_)
            | Signal::Deleted(_)
            | Signal::Refreshed(_)
            | Signal::RefreshEnded => {}
        }
    }

    /// An Event about an object of a watched kind. With no memory of Events the first list is
    /// the baseline; later, only what is new or repeated is news.
    fn told(&mut self, at: usize, event: KubernetesEvent, effects: &mut Effects) {
        if !self.rules.kinds.contains(&event.regarding.kind) {
            return;
        }
        let event = Arc::new(event);
        let stream = &self.event_streams[at];
        let late = !stream.health.listed || stream.health.listing;
        let baseline = stream.is_baseline(&event);
        let novelty = self.events.apply(self.now, &event);
        if novelty == Novelty::Known {
            return;
        }
        let before = effects.len();
        if !baseline {
            self.bring_event(&(event.clone(), late), None, effects);
            if !self.readers_have_begun() {
                self.wait_for_readers((event.clone(), late));
            }
        }
        if effects.len() > before {
            self.write_event(event.uid, effects);
        } else {
            self.write_event_later(event.uid);
        }
    }

    /// Brings an Event to the rules of the object that it is about, wherever it is watched, and of
    /// those that it is related to. `only`: to these rules, of all that are ready.
    fn bring_event(
        &mut self,
        event: &(Arc<KubernetesEvent>, bool),
        only: Option<&BTreeSet<Reader>>,
        effects: &mut Effects,
    ) {
        let mut looks = Looks::new();
        for at in 0..self.streams.len() {
            let watched = &self.rules.sources[at];
            if watched.source.kind != event.0.regarding.kind {
                continue;
            }
            let Some((uid, object)) = self.regarded(at, &event.0) else {
                continue;
            };
            let positions = watched.rules.iter().enumerate();
            let readers = positions.filter(|(_, number)| self.rules.rules[**number].reads_events);
            for (position, _) in readers {
                looks.entry((at, uid)).or_default().insert(position);
            }
            self.readers_of_events(at, uid, &object, &mut looks);
        }
        for ((at, _), positions) in &mut looks {
            positions.retain(|position| {
                let reader = (*at, *position);
                self.has_begun(reader) && only.is_none_or(|only| only.contains(&reader))
            });
        }
        self.look_at(&looks, Some(event), effects);
    }

    /// An Event waits for rules that wait for a list.
    fn wait_for_readers(&mut self, event: (Arc<KubernetesEvent>, bool)) {
        if self.late_events.len() == IN_ALL {
            self.late_events.pop_front();
            self.events.cut += 1;
        }
        self.late_events.push_back(event);
    }

    /// The object that an Event is about: by UID, else by namespace and name.
    fn regarded(&self, at: usize, event: &KubernetesEvent) -> Option<(Uid, Arc<Json>)> {
        let objects = &self.streams[at].objects;
        let about = &event.regarding;
        let uid = about
            .uid
            .or_else(|| objects.named(&about.namespace, &about.name))?;
        Some((uid, objects.get(uid)?))
    }

    fn events_listed(&mut self, at: usize, effects: &mut Effects) {
        for uid in self.events.list_ended(&self.event_streams[at].scope) {
            self.dirty_events.remove(&uid);
            effects.remove(Key::Event(uid));
        }
        let waited = self.event_streams[at].listed();
        self.write_known_when_written(effects);
        if !waited {
            return;
        }
        self.begin(None, effects);
        self.resume();
    }

    /// Events that arrived before these rules could begin, in the order of their arrival.
    pub(super) fn bring_late_events(&mut self, begun: &BTreeSet<Reader>, effects: &mut Effects) {
        if begun.is_empty() {
            return;
        }
        let late = std::mem::take(&mut self.late_events);
        for event in &late {
            self.bring_event(event, Some(begun), effects);
        }
        if !self.readers_have_begun() {
            self.late_events = late;
        }
    }
}
