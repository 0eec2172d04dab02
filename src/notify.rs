//! From alert changes to notifications that are due: route, group, inhibit, mute times, silence,
//! dedup, repeat, limit.
//!
//! In: alerts that fired, changed or resolved, and time. Out: [`Notification`]s, or a decision
//! why not. The order and the meaning of the words are Alertmanager's
//! (<https://prometheus.io/docs/alerting/latest/configuration/#route>). It sends nothing.
//!
//! A step is any number of [`Notify::alert`]s and then one [`Notify::flush`] at the same moment.
//! What must survive is written to the effects by whichever of them changed it: a small record
//! for the group, one for each alert at each receiver, one for each limit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::alert::{Alert, Nature, State};
use crate::decision::About;
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, GroupKey, ReceiverName, RouteName, RuleName};
use crate::planted::{self, Bug};

mod acknowledge;
mod condition;
mod dedup;
mod digest;
#[cfg(test)]
pub(crate) mod fixture;
mod flush;
mod group;
mod heartbeat;
mod index;
mod inhibit;
mod join;
mod limit;
mod mute;
mod notification;
mod per_rule;
mod policy;
#[cfg(test)]
mod properties;
mod reroute;
mod restore;
mod route;
mod silence;
#[cfg(test)]
mod tests;
mod timers;
mod times;
mod told;

pub use condition::Condition;
pub use group::{Group, GroupKind, GroupRecord, Heard, MemberRecord};
pub use inhibit::Inhibition;
pub use limit::LimitRecord;
pub use notification::{Cause, Digest, MAX_ALERTS, Notification, Status};
pub use policy::{GroupBy, Limit, Policy};
pub use restore::Kept;
pub use route::{Grouping, Route};
pub use silence::{Silence, SilenceChange};
pub(crate) use timers::later;
pub use times::Times;

use inhibit::Inhibitions;
use limit::Cell;
use route::Routes;
use silence::Silences;
use timers::Timers;

/// How often the groups of a receiver that no longer exists are looked at, and how long its
/// told occurrences are remembered.
const WITHOUT_RECEIVER: SignedDuration = SignedDuration::from_mins(5);

/// No group is looked at more often than this, whatever its policy says.
const SHORTEST_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// What the documents say of the way from an alert to its receivers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    pub routes: Vec<Route>,
    pub inhibitions: Vec<Inhibition>,
    pub silences: Vec<Silence>,
}

/// The groups of all receivers.
#[derive(Debug, Default)]
pub struct Notify {
    policies: BTreeMap<ReceiverName, Arc<Policy>>,
    /// The documents that the next three were made from.
    pipeline: Pipeline,
    routes: Routes,
    inhibitions: Inhibitions,
    silences: Silences,
    /// Groups with members that an alert inhibits, by that alert.
    inhibited: BTreeMap<Fingerprint, BTreeSet<GroupKey>>,
    cells: BTreeMap<ReceiverName, Cell>,
    rule_cells: BTreeMap<(ReceiverName, RuleName), Cell>,
    groups: BTreeMap<GroupKey, Group>,
    /// Which group an alert is in at a receiver.
    places: BTreeMap<(Fingerprint, ReceiverName), GroupKey>,
    /// The occurrences that were told not long ago.
    told: told::Memory,
    /// Alerts that fire and name a receiver which does not get them: it is unknown, or the
    /// alert is a shadow. They are tried again when the policies change.
    unheard: BTreeMap<Fingerprint, Arc<Alert>>,
    timers: Timers,
    /// Groups that are due but wait for a rule which may not act.
    blocked: BTreeMap<RuleName, BTreeSet<GroupKey>>,
    /// Alerts that nobody needs any more.
    released: BTreeSet<Fingerprint>,
    /// The policies are new: heartbeats begin and unheard alerts are tried at the next flush.
    reloaded: bool,
}

impl Notify {
    #[must_use]
    pub fn new(policies: Vec<Policy>, pipeline: Pipeline) -> Self {
        let mut notify = Self::default();
        notify.replace_pipeline(pipeline);
        notify.replace_policies(policies);
        notify
    }

    /// The receivers changed. Open groups stay as they are until they are over, but on their
    /// receiver's new times; those of a receiver that is gone are told nothing meanwhile.
    pub fn set_policies(&mut self, now: Timestamp, policies: Vec<Policy>) {
        let cells = std::mem::take(&mut self.cells);
        let rule_cells = std::mem::take(&mut self.rule_cells);
        self.replace_policies(policies);
        for (receiver, cell) in cells {
            if let Some(record) = cell.record() {
                self.restore_cell(&receiver, record, now);
            }
        }
        for (place, cell) in rule_cells {
            if let Some(record) = cell.record() {
                self.restore_rule_cell(place, record, now);
            }
        }
        self.hurry(now);
    }

    fn replace_policies(&mut self, policies: Vec<Policy>) {
        self.cells = policies
            .iter()
            .filter_map(|policy| Some((policy.receiver.clone(), Cell::new(policy.limit?))))
            .collect();
        self.policies = policies
            .into_iter()
            .map(|policy| (policy.receiver.clone(), Arc::new(policy)))
            .collect();
        self.routes.set_policies(&self.policies);
        self.reloaded = true;
    }

    /// When [`Self::flush`] has something to do next. A group that waits for a rule to act
    /// again has no time: it is tried at each flush.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let forget = self
            .told
            .receivers()
            .map(|(receiver, oldest)| later(oldest, self.repeat_interval(receiver)));
        let silences = [self.silences.next_end(), self.next_silence()];
        let silences = silences.into_iter().flatten();
        let timers = self.timers.next();
        timers.into_iter().chain(silences).chain(forget).min()
    }

    /// Alerts that nobody needs any more: resolved and told or not to be told, occurrences
    /// told and past their repeat interval. Each is given once, in the step that released it.
    pub fn take_released(&mut self) -> Vec<Fingerprint> {
        let released = std::mem::take(&mut self.released);
        released.into_iter().collect()
    }

    /// The open groups, for metrics, dry-run and explain.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The receivers that the alert goes to now.
    #[must_use]
    pub fn receivers_of(&self, alert: &Alert) -> Vec<ReceiverName> {
        let to = self.routes.destinations(alert).to;
        to.into_iter().map(|(receiver, _)| receiver).collect()
    }

    /// All silences, with whether each was made while the bridge runs.
    pub fn silences(&self) -> impl Iterator<Item = (&Silence, bool)> {
        let all = self.silences.iter();
        all.map(|silence| (silence, self.silences.is_made(&silence.name)))
    }

    /// The policy of the group's receiver, as the group's route changes it.
    fn policy_of(&self, group: &Group) -> Option<Arc<Policy>> {
        self.policy_at(group.receiver(), group.record.route.as_ref())
    }

    fn policy_at(&self, receiver: &ReceiverName, route: Option<&RouteName>) -> Option<Arc<Policy>> {
        let own = self.policies.get(receiver)?;
        let changed = route.and_then(|route| self.routes.policy(route, receiver));
        Some(Arc::clone(changed.unwrap_or(own)))
    }

    fn repeat_interval(&self, receiver: &ReceiverName) -> SignedDuration {
        self.policies
            .get(receiver)
            .map_or(WITHOUT_RECEIVER, |policy| policy.repeat_interval)
    }

    /// Releases the alert if nobody has to hear of it.
    fn release_unless_needed(&mut self, alert: &Alert) {
        let over = alert.nature == Nature::Occurrence || alert.state == State::Resolved;
        if over && !self.is_needed(alert.fingerprint) {
            self.released.insert(alert.fingerprint);
        }
    }

    fn is_needed(&self, fingerprint: Fingerprint) -> bool {
        self.groups_of(fingerprint).next().is_some() || self.told.knows(fingerprint)
    }

    /// The receivers that the alert has a group at.
    fn groups_of(
        &self,
        fingerprint: Fingerprint,
    ) -> impl Iterator<Item = (&ReceiverName, &GroupKey)> {
        self.places
            .range((fingerprint, "".into())..)
            .take_while(move |((found, _), _)| *found == fingerprint)
            .map(|((_, receiver), group)| (receiver, group))
    }

    /// Sets the group's next flush. A blocked one keeps it for when it is no longer.
    fn schedule(&mut self, group: &mut Group, at: Timestamp) {
        if !group.is_blocked() {
            self.timers
                .unset(group.flush_at(), group.rank(), &group.key);
            self.timers.set(at, group.rank(), group.key.clone());
        }
        group.record.flush_at = at;
    }
}

/// Writes the group down.
fn put_group(group: &Group, effects: &mut Effects) {
    let record = Record::Group(group.record.clone());
    effects.put(Key::Group(group.key.clone()), record);
}

/// Writes down what the receiver has heard of one alert.
fn put_member(group: &Group, alert: Fingerprint, heard: Heard, effects: &mut Effects) {
    let heard = if planted::has(Bug::HeardNotWritten) {
        Heard::Nothing
    } else {
        heard
    };
    let key = Key::Member(group.receiver().clone(), alert);
    let group = group.key.clone();
    effects.put(key, Record::Member(MemberRecord { group, heard }));
}

/// What a decision about an alert is about: at which receiver, in which group.
fn about(alert: &Alert, receiver: Option<&ReceiverName>, group: Option<&GroupKey>) -> About {
    About {
        rule: Some(alert.rule.clone()),
        object: Some(alert.object.clone()),
        alert: Some(alert.fingerprint),
        receiver: receiver.cloned(),
        group: group.cloned(),
        ..About::default()
    }
}
