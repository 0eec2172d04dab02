//! Which rules may act: nothing acts before all that it reads has been listed, nor on what may not be
//! believed.

use std::collections::BTreeSet;

use super::join::Reader;
use super::pass::Pass;
use super::refresh::is_same_version;
use super::stream::{Health, Waiting};
use super::{Effects, Engine};
use crate::names::{SourceKey, Uid};
use crate::planted::{self, Bug};
use crate::transition::{ChangeKind, Transition};

impl Engine {
    /// Lets rules begin whose last stream has listed: everything that was found while they waited is
    /// one transition an object. `listed`: a stream that listed for the first time; its objects are
    /// written down.
    pub(super) fn begin(&mut self, listed: Option<usize>, effects: &mut Effects) {
        let mut begun = BTreeSet::new();
        for at in 0..self.streams.len() {
            let positions = self.newly_begun(at);
            begun.extend(positions.iter().map(|position| (at, *position)));
            if positions.is_empty() && listed != Some(at) {
                continue;
            }
            let waiting = std::mem::take(&mut self.streams[at].waiting);
            for (uid, waiting) in &waiting {
                let Some(transition) = self.caught_up(at, *uid, waiting) else {
                    continue;
                };
                let before = effects.len();
                let pass = Pass::first(waiting.baseline);
                self.decide_for(at, &positions, &transition, pass, effects);
                if effects.len() > before || transition.change == ChangeKind::Deleted {
                    self.write_object(at, *uid, effects);
                } else {
                    self.write_later(at, *uid);
                }
            }
            if !self.all_have_begun(at) {
                self.streams[at].waiting = waiting;
            }
            self.look_if_it_may_act(at, effects);
        }
        self.bring_late_events(&begun, effects);
    }

    /// The one transition that stands for all that happened while a rule waited.
    fn caught_up(&self, at: usize, uid: Uid, waiting: &Waiting) -> Option<Transition> {
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

    /// Whether all that a rule reads has been listed.
    pub(super) fn has_begun(&self, (stream, position): Reader) -> bool {
        self.streams[stream].begun.get(position) == Some(&true)
    }

    /// The same of all rules of a stream.
    pub(super) fn all_have_begun(&self, stream: usize) -> bool {
        self.streams[stream].begun.iter().all(|begun| *begun)
    }

    /// The same of all rules that read Events.
    pub(super) fn readers_have_begun(&self) -> bool {
        let streams = self.rules.sources.iter().zip(&self.streams);
        let mut rules =
            streams.flat_map(|(watched, stream)| watched.rules.iter().zip(&stream.begun));
        rules.all(|(number, begun)| *begun || !self.rules.rules[*number].reads_events)
    }

    /// The rules of a stream, by position, that may act since now: nobody was told of them before.
    fn newly_begun(&mut self, stream: usize) -> Vec<usize> {
        let positions = 0..self.rules.sources[stream].rules.len();
        let newly: Vec<usize> = positions
            .filter(|position| !self.streams[stream].begun[*position])
            .filter(|position| self.all_is_listed((stream, *position)))
            .collect();
        for position in &newly {
            self.streams[stream].begun[*position] = true;
        }
        newly
    }

    /// Whether everything that a rule reads has been listed.
    pub(super) fn all_is_listed(&self, reader: Reader) -> bool {
        self.streams[reader.0].health.listed && self.all_else_is_listed(reader)
    }

    /// The same without its own objects.
    pub(super) fn all_else_is_listed(&self, (stream, position): Reader) -> bool {
        let watched = &self.rules.sources[stream];
        let rule = &self.rules.rules[watched.rules[position]];
        let joins = &watched.joins[position];
        let targets = rule.relations.iter().map(|relation| &relation.target.kind);
        let mut kinds = std::iter::once(&watched.source.kind).chain(targets);
        let events = joins.events.map(|events| &self.event_streams[events]);
        joins
            .streams()
            .all(|stream| self.streams[stream].health.listed)
            && events.is_none_or(|events| kinds.all(|kind| events.has_listed(kind)))
    }

    /// The same of what its conditions read: what only its texts show holds up nothing.
    fn decided_by(&self, (stream, position): Reader) -> impl Iterator<Item = &Health> {
        let watched = &self.rules.sources[stream];
        let number = watched.rules[position];
        let joins = &watched.joins[position];
        let rule = &self.rules.rules[number];
        let relations = joins.relations.iter().zip(&rule.relations);
        let relations = relations.filter(|(_, relation)| relation.reads.decide);
        let namespaces = rule.namespace.as_ref().filter(|reads| reads.decide);
        let events = joins.events.filter(|_| self.rule_reads_events(number));
        let events = events.map(|events| &self.event_streams[events].health);
        std::iter::once(stream)
            .chain(relations.flat_map(|(join, _)| join.streams()))
            .chain(namespaces.and(joins.namespaces))
            .map(|stream| &self.streams[stream].health)
            .chain(events)
    }

    /// Whether the rule of that number may act on an object of that stream by time alone: every stream
    /// that decides it must be believed.
    pub(super) fn may_act(&self, source: &SourceKey, number: usize) -> bool {
        if planted::has(Bug::StaleTimersAct) {
            return true;
        }
        let Some(reader) = self.reader(source, number) else {
            let health = self.health_of(source);
            return health.is_none_or(|health| health.may_act(self.now));
        };
        let mut healths = self.decided_by(reader);
        healths.all(|health| health.may_act(self.now))
    }

    /// Whether all that it reads has been listed.
    pub(super) fn has_listed(&self, source: &SourceKey, number: usize) -> bool {
        let reader = self.reader(source, number);
        reader.is_some_and(|reader| self.all_is_listed(reader))
    }

    fn reader(&self, source: &SourceKey, number: usize) -> Option<Reader> {
        let stream = *self.by_key.get(source)?;
        let mut rules = self.rules.sources[stream].rules.iter();
        Some((stream, rules.position(|known| *known == number)?))
    }
}
