//! What the streams say: objects, Events, lists, breaks.

use std::sync::Arc;

use super::decide::Pass;
use super::refresh::is_same_version;
use super::stream::{Gone, Waiting};
use super::{Effects, Engine};
use crate::cel::Json;
use crate::journal::Key;
use crate::names::Uid;
use crate::planted::{self, Bug};
use crate::transition::events::Novelty;
use crate::transition::{ChangeKind, Transition};
use crate::watch::{KubernetesEvent, Observation, Signal, Signalled, Source};

impl Engine {
    pub(super) fn observe(&mut self, signalled: Signalled, effects: &mut Effects) {
        let Signalled { source, signal } = signalled;
        if let Some(&at) = self.by_key.get(&source) {
            self.observe_objects(at, signal, effects);
        } else if self.rules.reads_events() && source == Source::events().key() {
            self.observe_events(signal, effects);
        }
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
            let transition = Transition::seen(uid, old.clone(), object);
            self.transit(at, old.as_ref(), &transition, effects);
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
        let left_selection = self.left_selection(at, &observation);
        let last = Arc::new(observation.object);
        let stream = &mut self.streams[at];
        let old = stream.objects.remove(uid);
        self.counts.transitions += 1;
        if stream.health.listed {
            if old.is_some() {
                self.gone(at, uid, last, left_selection, effects);
            }
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

    /// The server says DELETED also of an object that only stopped matching a selector. One that
    /// was being deleted says so itself.
    fn left_selection(&self, at: usize, observation: &Observation) -> bool {
        let source = &self.rules.sources[at].source;
        let selected = source.label_selector.is_some() || source.field_selector.is_some();
        let deleting = observation
            .object
            .at(&["metadata", "deletionTimestamp"])
            .is_some_and(|at| !at.is_null());
        selected && !deleting
    }

    pub(super) fn gone(
        &mut self,
        at: usize,
        uid: Uid,
        last: Arc<Json>,
        left_selection: bool,
        effects: &mut Effects,
    ) {
        let transition = Transition {
            left_selection,
            ..Transition::deleted(uid, last)
        };
        self.transit(at, transition.old.as_ref(), &transition, effects);
    }

    /// Brings a transition to the rules that may act on it now; those that wait for the first
    /// list of Events get it later. Then sees to it that the object's new state is written down.
    fn transit(
        &mut self,
        at: usize,
        old: Option<&Arc<Json>>,
        transition: &Transition,
        effects: &mut Effects,
    ) {
        let before = effects.len();
        let behind = &mut self.streams[at].behind;
        let mut pass = if !behind.is_empty() && behind.remove(&transition.uid) {
            Pass::first(false)
        } else {
            Pass::live()
        };
        if self.waits_for_events(at) {
            self.wait_for_events(at, transition, false);
            pass = pass.without_events();
        }
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
        let may_act = self.rules.reads_events() && self.events_health.listed;
        if transition.change != ChangeKind::Added || !may_act {
            return;
        }
        let events = self.events.of(self.now, transition.uid, &transition.object);
        for event in events.into_iter().rev() {
            let told = Transition::told(transition.uid, transition.object.clone(), event);
            self.decide(at, &told, Pass::live(), effects);
        }
    }

    pub(super) fn waits_for_events(&self, at: usize) -> bool {
        let watched = &self.rules.sources[at];
        let unlisted = self.new_kinds.contains(&watched.source.kind);
        let rules = watched.rules.iter();
        (unlisted || !self.events_health.listed)
            && rules.map(|&n| &self.rules.rules[n]).any(|r| r.reads_events)
    }

    pub(super) fn wait_for_events(&mut self, at: usize, transition: &Transition, baseline: bool) {
        let gone = (transition.change == ChangeKind::Deleted).then(|| Gone {
            last: transition.object.clone(),
            left_selection: transition.left_selection,
        });
        let waiting = &mut self.streams[at].waiting_for_events;
        let entry = waiting.entry(transition.uid).or_insert(Waiting {
            old: transition.old.clone(),
            gone: None,
            baseline,
        });
        entry.gone = gone;
    }

    fn list_ended(&mut self, at: usize, effects: &mut Effects) {
        let stream = &mut self.streams[at];
        stream.health.listing = false;
        stream.health.broken = None;
        stream.health.dormant = None;
        let gone = stream.objects.list_ended();
        let first = !std::mem::replace(&mut stream.health.listed, true);
        if first {
            let baseline = stream.known.is_none();
            for (uid, last) in gone {
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
            self.first_list(at, effects);
            let stream = &mut self.streams[at];
            stream.introduced.clear();
            stream.behind.clear();
        } else {
            for (uid, last) in gone {
                self.gone(at, uid, last, false, effects);
            }
            self.look_if_it_may_act(at, effects);
        }
        self.streams[at].known = Some(self.rules.sources[at].paths.clone());
        self.write_known_when_written(effects);
        self.bring_late_events(effects);
        self.resume();
    }

    /// Everything that was found while the rules waited is one transition an object.
    pub(super) fn first_list(&mut self, at: usize, effects: &mut Effects) {
        let waiting = std::mem::take(&mut self.streams[at].waiting);
        let waits_for_events = self.waits_for_events(at);
        for (uid, waiting) in waiting {
            let Some(transition) = self.caught_up(at, uid, &waiting) else {
                continue;
            };
            let mut pass = Pass::first(waiting.baseline);
            if waits_for_events {
                self.wait_for_events(at, &transition, waiting.baseline);
                pass = pass.without_events();
            }
            let before = effects.len();
            self.decide(at, &transition, pass, effects);
            if effects.len() > before || transition.change == ChangeKind::Deleted {
                self.write_object(at, uid, effects);
            } else {
                self.write_later(at, uid);
            }
        }
        self.end_alerts_of_the_gone(at, effects);
    }

    /// The one transition that stands for all that happened while a rule waited.
    pub(super) fn caught_up(&self, at: usize, uid: Uid, waiting: &Waiting) -> Option<Transition> {
        let object = self.streams[at].objects.get(uid);
        let changed = match (&waiting.old, &object) {
            (Some(old), Some(object)) => !is_same_version(old, object),
            _ => true,
        };
        let late = changed && !waiting.baseline;
        let transition = match (&waiting.gone, object) {
            (Some(gone), None) => {
                // What came and went unseen is not invented.
                waiting.old.as_ref()?;
                Transition {
                    left_selection: gone.left_selection,
                    ..Transition::deleted(uid, gone.last.clone())
                }
            }
            (_, Some(object)) => Transition::seen(uid, waiting.old.clone(), object),
            (None, None) => return None,
        };
        Some(Transition { late, ..transition })
    }

    fn observe_events(&mut self, signal: Signal, effects: &mut Effects) {
        match signal {
            Signal::ListBegan => {
                self.events_health.listing = true;
                self.events.list_began();
            }
            Signal::Event(event) => self.told(event, effects),
            Signal::EventDeleted(uid) => {
                if self.events.deleted(uid) {
                    self.dirty_events.remove(&uid);
                    effects.remove(Key::Event(uid));
                }
            }
            Signal::ListEnded => self.events_listed(effects),
            Signal::ListAborted { why } => {
                self.events_health.listing = false;
                self.events_health.broke(self.now, why);
                self.events.list_aborted();
            }
            Signal::Broken { why } => self.events_health.broke(self.now, why),
            Signal::Recovered => {
                self.events_health.broken = None;
                self.resume();
            }
            Signal::Dormant { why } => self.events_health.dormant = Some(why),
            Signal::Awake => self.events_health.dormant = None,
            Signal::Applied(_)
            | Signal::Deleted(_)
            | Signal::Refreshed(_)
            | Signal::RefreshEnded => {}
        }
    }

    /// An Event about an object of a watched kind. With no memory of Events the first list is
    /// the baseline; later, only what is new or repeated is news.
    fn told(&mut self, event: KubernetesEvent, effects: &mut Effects) {
        if !self.rules.kinds.contains(&event.regarding.kind) {
            return;
        }
        let event = Arc::new(event);
        let is_new = self.new_kinds.contains(&event.regarding.kind);
        let baseline = if self.events_health.listing {
            is_new || !self.events_known
        } else {
            !self.events_health.listed && !self.events_known
        };
        let novelty = self.events.apply(self.now, &event);
        if novelty == Novelty::Known {
            return;
        }
        let before = effects.len();
        if !baseline {
            self.bring_event(&event, effects);
        }
        if effects.len() > before {
            self.write_event(event.uid, effects);
        } else {
            self.write_event_later(event.uid);
        }
    }

    /// Brings an Event to the rules of the object that it is about, wherever it is watched. While
    /// the object's stream has not listed, the Event waits to be claimed by the object.
    fn bring_event(&mut self, event: &Arc<KubernetesEvent>, effects: &mut Effects) {
        for at in 0..self.streams.len() {
            let source = &self.rules.sources[at].source;
            if source.kind != event.regarding.kind {
                continue;
            }
            let Some((uid, object)) = self.regarded(at, event) else {
                continue;
            };
            let told = Transition {
                late: !self.events_health.listed,
                ..Transition::told(uid, object, event.clone())
            };
            if self.streams[at].health.listed && self.events_health.listed {
                self.decide(at, &told, Pass::live(), effects);
            } else {
                self.late_events.push((at, told));
            }
        }
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

    fn events_listed(&mut self, effects: &mut Effects) {
        for uid in self.events.list_ended() {
            self.dirty_events.remove(&uid);
            effects.remove(Key::Event(uid));
        }
        self.events_health.listing = false;
        self.events_health.broken = None;
        let first = !std::mem::replace(&mut self.events_health.listed, true);
        self.events_known = true;
        self.write_known_when_written(effects);
        let new_kinds = std::mem::take(&mut self.new_kinds);
        if !first && new_kinds.is_empty() {
            return;
        }
        for at in 0..self.streams.len() {
            let waiting = std::mem::take(&mut self.streams[at].waiting_for_events);
            for (uid, waiting) in waiting {
                if let Some(transition) = self.caught_up(at, uid, &waiting) {
                    let pass = Pass::first(waiting.baseline).only_events();
                    self.decide(at, &transition, pass, effects);
                    self.write_object(at, uid, effects);
                }
            }
        }
        self.bring_late_events(effects);
        self.resume();
    }

    /// Events that arrived before both lists were complete, in the order of their arrival.
    pub(super) fn bring_late_events(&mut self, effects: &mut Effects) {
        if !self.events_health.listed {
            return;
        }
        for (at, told) in std::mem::take(&mut self.late_events) {
            if self.streams[at].health.listed {
                self.decide(at, &told, Pass::live(), effects);
            } else {
                self.late_events.push((at, told));
            }
        }
    }
}
