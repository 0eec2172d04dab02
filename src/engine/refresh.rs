//! Objects that are read again after a reload, and the first look that rules take at them.
//!
//! A stream that reads other paths than before says every object once more, as it is known with the
//! new paths, and then goes on with the changes since. No rule of the stream acts in between, and
//! nothing that was read for the first time counts as changed.

use std::sync::Arc;

use super::decide::Pass;
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
            self.first_list(at, effects);
        }
        self.look_if_it_may_act(at, effects);
        self.write_known_when_written(effects);
        self.bring_late_events(effects);
        self.resume();
    }

    /// Rules that are new or were edited look at a stream's objects as soon as it is believed.
    pub(super) fn look_if_it_may_act(&mut self, at: usize, effects: &mut Effects) {
        let stream = &self.streams[at];
        let waits = !stream.introduced.is_empty() || !stream.adopted.is_empty();
        if waits && stream.health.may_act(self.now) {
            self.first_looks(at, effects);
        }
    }

    /// They look at every object, to which nothing has happened.
    fn first_looks(&mut self, at: usize, effects: &mut Effects) {
        let numbers = std::mem::take(&mut self.streams[at].introduced);
        let numbers: Vec<usize> = numbers.into_iter().collect();
        let objects = self.streams[at].objects.uids();
        let waits_for_events = self.waits_for_events(at);
        for uid in objects {
            // One that is behind comes with its next change, and everybody looks at it then.
            let behind = self.streams[at].behind.contains(&uid);
            let object = self.streams[at].objects.get(uid);
            let Some(object) = object.filter(|_| !behind) else {
                continue;
            };
            let transition = Transition::seen(uid, Some(object.clone()), object);
            let mut pass = Pass::first(false);
            if waits_for_events {
                self.wait_for_events(at, &transition, true);
                pass = pass.without_events();
            }
            let before = effects.len();
            self.look(at, &numbers, &transition, pass, effects);
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
