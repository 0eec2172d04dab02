//! Objects that are read again after a reload, and the first look that rules take at them.
//!
//! A stream that reads other paths than before says every object once more, as it is known with the
//! new paths, and then goes on with the changes since. No rule of the stream acts in between, and
//! nothing that was read for the first time counts as changed.

use std::sync::Arc;

use super::pass::Pass;
use super::{Effects, Engine};
use crate::cel::Json;
use crate::transition::Transition;
use crate::watch::Observation;

impl Engine {
    /// An object with the paths that are read since a reload. One that has changed meanwhile is
    /// left to the change itself, which follows.
    pub(super) fn refreshed(&mut self, at: usize, observation: Observation) {
        let uid = observation.header.uid;
        let stream = &mut self.streams[at];
        let known = stream.objects.get(uid);
        if known.is_some_and(|known| is_same_version(&known, &observation.object)) {
            stream.objects.apply(uid, &Arc::new(observation.object));
            stream.behind.remove(&uid);
            self.write_later(at, uid);
        }
    }

    pub(super) fn refresh_ended(&mut self, at: usize, effects: &mut Effects) {
        let stream = &mut self.streams[at];
        stream.health.broken = None;
        stream.health.dormant = None;
        stream.behind.shrink_to_fit();
        stream.known = Some(self.rules.sources[at].paths.clone());
        if !std::mem::replace(&mut stream.health.listed, true) {
            self.begin(Some(at), effects);
            self.end_alerts_of_the_gone(at, effects);
        }
        self.look_if_it_may_act(at, effects);
        self.write_known_when_written(effects);
        self.resume();
    }

    /// Rules that are new or were edited look at a stream's objects as soon as it is believed and
    /// all else that they read is there.
    pub(super) fn look_if_it_may_act(&mut self, at: usize, effects: &mut Effects) {
        let stream = &self.streams[at];
        let rules = self.rules.sources[at].rules.iter().zip(&stream.begun);
        let introduced =
            |(number, begun): (&usize, &bool)| *begun && stream.introduced.contains(number);
        let waits = rules.clone().any(introduced) || !stream.adopted.is_empty();
        if waits && stream.health.may_act(self.now) {
            self.first_looks(at, effects);
        }
    }

    /// They look at every object, to which nothing has happened.
    fn first_looks(&mut self, at: usize, effects: &mut Effects) {
        let stream = &mut self.streams[at];
        let rules = self.rules.sources[at].rules.iter().enumerate();
        let ready = rules.filter(|(position, _)| stream.begun[*position]);
        let ready = ready.filter(|(_, number)| stream.introduced.remove(*number));
        let positions: Vec<usize> = ready.map(|(position, _)| position).collect();
        for uid in self.streams[at].objects.uids() {
            // One that is behind comes with its next change, and everybody looks at it then.
            let behind = self.streams[at].behind.contains(&uid);
            let object = self.streams[at].objects.get(uid);
            let Some(object) = object.filter(|_| !behind) else {
                continue;
            };
            self.know_nothing_of(at, &positions, uid);
            let transition = Transition::seen(uid, Some(object.clone()), object);
            let before = effects.len();
            let pass = Pass::first(false);
            self.look(at, &positions, &transition, pass, effects);
            if effects.len() > before {
                self.write_object(at, uid, effects);
            }
        }
        self.end_alerts_of_the_gone(at, effects);
    }
}

/// Whether the server says that these are one version of an object, whatever was read of it.
pub(super) fn is_same_version(one: &Json, other: &Json) -> bool {
    let version = |object: &Json| {
        let version = object.at(&["metadata", "resourceVersion"]);
        version.and_then(Json::as_str).map(str::to_owned)
    };
    match (version(one), version(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
