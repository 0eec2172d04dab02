//! The documents changed: what was not told yet goes where they lead now.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::group::{Group, group_of};
use super::inhibit::Inhibitions;
use super::route::Routes;
use super::{Notify, Pipeline};
use crate::alert::{Alert, State};
use crate::engine::Effects;
use crate::journal::Key;
use crate::names::Fingerprint;

impl Notify {
    /// Routes, inhibitions and silences changed. An alert that was heard of stays in its group
    /// until it is over, so that its end is heard there too; what was not told moves; receivers
    /// that a route newly leads to hear of what still fires.
    pub fn set_pipeline(&mut self, now: Timestamp, pipeline: Pipeline, effects: &mut Effects) {
        if pipeline == self.pipeline {
            return;
        }
        self.replace_pipeline(pipeline);
        self.routes.set_policies(&self.policies);
        let mut alerts: BTreeMap<Fingerprint, Arc<Alert>> = self.unheard.clone();
        let members = self
            .groups
            .values()
            .flat_map(|group| group.members.values());
        alerts.extend(members.map(|alert| (alert.fingerprint, Arc::clone(alert))));
        self.inhibited.clear();
        for alert in alerts.values() {
            self.inhibitions.notice(alert);
        }
        self.take_back_untold(effects);
        for alert in alerts.values().filter(|it| it.state != State::Resolved) {
            self.alert(now, alert, effects);
        }
        self.look_at_muted(now, effects);
        self.hurry(now);
    }

    pub(super) fn replace_pipeline(&mut self, pipeline: Pipeline) {
        self.pipeline = pipeline.clone();
        self.routes = Routes::new(pipeline.routes);
        self.inhibitions = Inhibitions::new(pipeline.inhibitions);
        self.silences.write(pipeline.silences);
    }

    /// Takes members that nobody heard of out of groups that no route leads to any more.
    fn take_back_untold(&mut self, effects: &mut Effects) {
        for (receiver, fingerprint) in self.misplaced() {
            let place = (fingerprint, receiver.clone());
            let Some(key) = self.places.remove(&place) else {
                continue;
            };
            if let Some(group) = self.groups.get_mut(&key) {
                group.take(fingerprint);
            }
            effects.remove(Key::Member(receiver, fingerprint));
        }
    }

    fn misplaced(&self) -> Vec<(crate::names::ReceiverName, Fingerprint)> {
        let mut misplaced = Vec::new();
        for group in self.groups.values().filter(|group| !group.is_digest()) {
            for alert in group.unheard() {
                let to = self.routes.destinations(alert).to;
                let still = to.iter().any(|(receiver, route)| {
                    let policy = self.policy_at(receiver, route.as_ref());
                    receiver == group.receiver()
                        && policy.is_some_and(|policy| group_of(&policy, alert).0 == group.key)
                });
                if !still {
                    misplaced.push((group.receiver().clone(), alert.fingerprint));
                }
            }
        }
        misplaced
    }
}

impl Group {
    fn is_digest(&self) -> bool {
        self.kind() == super::GroupKind::Digest
    }

    /// Members that its receiver has not heard of.
    fn unheard(&self) -> impl Iterator<Item = &Arc<Alert>> {
        let muted = self.muted.iter();
        let muted = muted.filter(|(_, mute)| mute.heard == super::Heard::Nothing);
        let untold = self.untold.difference(&self.left_out).chain(&self.occurred);
        let all = untold.chain(muted.map(|(fingerprint, _)| fingerprint));
        all.filter_map(|fingerprint| self.members.get(fingerprint))
    }
}
