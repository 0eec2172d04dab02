//! Which rules may act: nothing acts before all that it reads has been listed, nor on what may not be
//! believed.

use std::collections::BTreeSet;

use super::decide::Pass;
use super::join::Reader;
use super::stream::{Health, Waiting};
use super::{Effects, Engine};
use crate::names::{SourceKey, Uid};
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
        }
        self.bring_late_events(&begun, effects);
    }

    /// The one transition that stands for all that happened while a rule waited.
    fn caught_up(&self, at: usize, uid: Uid, waiting: &Waiting) -> Option<Transition> {
        let late = !waiting.baseline;
        let transition = match (&waiting.gone, self.streams[at].objects.get(uid)) {
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
            .filter(|position| {
                let mut healths = self.read_by((stream, *position));
                healths.all(|health| health.listed)
            })
            .collect();
        for position in &newly {
            self.streams[stream].begun[*position] = true;
        }
        newly
    }

    /// How everything fares that a rule reads.
    fn read_by(&self, (stream, position): Reader) -> impl Iterator<Item = &Health> {
        let watched = &self.rules.sources[stream];
        let joined = watched.joins[position].streams();
        let streams = std::iter::once(stream).chain(joined);
        let events = watched.joins[position].events;
        let events = events.map(|events| &self.event_streams[events].health);
        streams
            .map(|stream| &self.streams[stream].health)
            .chain(events)
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
        reader.is_some_and(|reader| self.read_by(reader).all(|health| health.listed))
    }

    fn reader(&self, source: &SourceKey, number: usize) -> Option<Reader> {
        let stream = *self.by_key.get(source)?;
        let mut rules = self.rules.sources[stream].rules.iter();
        Some((stream, rules.position(|known| *known == number)?))
    }
}
