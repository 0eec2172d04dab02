//! The queue of one receiver: what waits, in which order, and what is under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::Waiting;
use super::breaker::Breaker;
use crate::alert::Nature;
use crate::names::{GroupKey, NotificationId};
use crate::notify::{Cause, Notification, Policy, later};
use crate::planted::{self, Bug};

/// The place of a notification in its queue.
pub(crate) type Order = u64;

/// What a receiver's policy says about its queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub max_in_flight: usize,
    pub give_up_after: SignedDuration,
    /// The receiver wants acknowledgements; one that no longer does is not told them.
    pub acknowledges: bool,
    /// The receiver exists: what waits for one that does not is kept, and not attempted.
    pub exists: bool,
}

impl Terms {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            max_in_flight: usize::try_from(policy.max_in_flight.max(1)).unwrap_or(usize::MAX),
            give_up_after: policy.give_up_after,
            acknowledges: policy.acknowledges,
            exists: true,
        }
    }
}

/// A receiver that no policy names, and of which nothing else is known.
impl Default for Terms {
    fn default() -> Self {
        Self {
            max_in_flight: 1,
            give_up_after: SignedDuration::from_hours(24),
            acknowledges: true,
            exists: false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub waiting: Waiting,
    pub deadline: Timestamp,
    pub in_flight: bool,
}

/// The queue of one receiver.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub terms: Terms,
    pub breaker: Breaker,
    /// The receiver asked to be left alone until then.
    pub paused_until: Option<Timestamp>,
    entries: BTreeMap<Order, Entry>,
    ids: BTreeMap<NotificationId, Order>,
    /// Each group's notifications in their order; only the first may be attempted.
    groups: BTreeMap<GroupKey, VecDeque<Order>>,
    /// The firsts of their groups that are not under way, by when they may be attempted.
    ready: BTreeSet<(Timestamp, Order)>,
    deadlines: BTreeSet<(Timestamp, Order)>,
    in_flight: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Adds an entry; those of one group in their order, or in the place of the one before.
    pub(crate) fn insert(&mut self, waiting: Waiting, deadline: Timestamp) {
        let order = waiting.order;
        let orders = self
            .groups
            .entry(waiting.notification.group.clone())
            .or_default();
        let place = orders.partition_point(|other| *other < order);
        orders.insert(place, order);
        let displaced = (place == 0).then(|| orders.get(1).copied()).flatten();
        let is_first = place == 0 || planted::has(Bug::GroupsOvertake);
        if let Some(entry) = displaced.and_then(|order| self.entries.get(&order)) {
            self.ready
                .remove(&(entry.waiting.not_before, displaced.unwrap_or(order)));
        }
        if is_first {
            self.ready.insert((waiting.not_before, order));
        }
        self.deadlines.insert((deadline, order));
        self.ids.insert(waiting.notification.id.clone(), order);
        self.entries.insert(
            order,
            Entry {
                waiting,
                deadline,
                in_flight: false,
            },
        );
    }

    /// Takes an entry out; the next of its group becomes its first.
    pub(crate) fn remove(&mut self, order: Order) -> Option<Entry> {
        let entry = self.entries.remove(&order)?;
        self.ready.remove(&(entry.waiting.not_before, order));
        self.deadlines.remove(&(entry.deadline, order));
        self.ids.remove(&entry.waiting.notification.id);
        if entry.in_flight {
            self.in_flight -= 1;
        }
        let group = &entry.waiting.notification.group;
        if let Some(orders) = self.groups.get_mut(group) {
            orders.retain(|other| *other != order);
            match orders.front() {
                None => {
                    self.groups.remove(group);
                }
                Some(first) => {
                    if let Some(next) = self.entries.get(first).filter(|next| !next.in_flight) {
                        self.ready.insert((next.waiting.not_before, *first));
                    }
                }
            }
        }
        Some(entry)
    }

    pub(crate) fn entry(&self, order: Order) -> Option<&Entry> {
        self.entries.get(&order)
    }

    pub(crate) fn entry_mut(&mut self, order: Order) -> Option<&mut Entry> {
        self.entries.get_mut(&order)
    }

    /// The group's latest entry.
    pub(crate) fn last_of(&self, group: &GroupKey) -> Option<(Order, &Entry)> {
        let order = self.groups.get(group)?.back()?;
        Some((*order, self.entries.get(order)?))
    }

    /// The group's acknowledgement, if one waits that is not under way.
    pub(crate) fn acknowledgement_of(&self, group: &GroupKey) -> Option<Order> {
        let waits = |order: &&Order| {
            self.entries.get(order).is_some_and(|entry| {
                !entry.in_flight && is_acknowledgement(&entry.waiting.notification)
            })
        };
        self.groups.get(group)?.iter().find(waits).copied()
    }

    /// The entry that comes after this one in its group.
    pub(crate) fn follower(&self, order: Order) -> Option<&Entry> {
        let group = &self.entries.get(&order)?.waiting.notification.group;
        let next = self
            .groups
            .get(group)?
            .iter()
            .find(|other| **other > order)?;
        self.entries.get(next)
    }

    pub(crate) fn find_in_flight(&self, id: &NotificationId) -> Option<Order> {
        let order = *self.ids.get(id)?;
        self.entries.get(&order)?.in_flight.then_some(order)
    }

    /// Takes out an entry that is not under way.
    pub(crate) fn take_idle(&mut self, id: &NotificationId) -> Option<Entry> {
        let order = *self.ids.get(id)?;
        let idle = self
            .entries
            .get(&order)
            .is_some_and(|entry| !entry.in_flight);
        idle.then(|| self.remove(order)).flatten()
    }

    /// Whether an entry is under way.
    pub(crate) fn is_in_flight(&self, id: &NotificationId) -> bool {
        self.find_in_flight(id).is_some()
    }

    /// When the next attempt may be made, if one may be made at all.
    pub(crate) fn next_attempt(&self) -> Option<Timestamp> {
        let most = if self.breaker.is_open() {
            1
        } else {
            self.terms.max_in_flight
        };
        if !self.terms.exists || self.in_flight >= most {
            return None;
        }
        let (ready, _) = *self.ready.first()?;
        Some(self.not_before(ready))
    }

    /// The receiver may want to be left alone for longer than a notification does.
    fn not_before(&self, ready: Timestamp) -> Timestamp {
        let floors = [self.paused_until, self.breaker.probe_at()];
        floors.into_iter().flatten().fold(ready, Timestamp::max)
    }

    /// When this one may be attempted, if none of its group is before it.
    pub(crate) fn turn_of(&self, waiting: &Waiting) -> Option<Timestamp> {
        let first = self.groups.get(&waiting.notification.group)?.front()?;
        let may = self.terms.exists && *first == waiting.order;
        may.then(|| self.not_before(waiting.not_before))
    }

    /// Begins the attempt that is due.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Option<&Waiting> {
        if self.next_attempt()? > now {
            return None;
        }
        let (_, order) = self.ready.pop_first()?;
        let entry = self.entries.get_mut(&order)?;
        entry.in_flight = true;
        entry.waiting.attempts = entry.waiting.attempts.saturating_add(1);
        let alerts = &entry.waiting.notification.alerts;
        // What only happened leaves nothing to resolve.
        let fires = alerts.iter().any(|alert| alert.nature == Nature::State);
        entry.waiting.heard |= fires && !planted::has(Bug::LostAnswerIsUnheard);
        self.in_flight += 1;
        Some(&entry.waiting)
    }

    /// The attempt failed: it waits again until then.
    pub(crate) fn wait(
        &mut self,
        order: Order,
        not_before: Timestamp,
        asked: Option<Timestamp>,
        why: &str,
    ) -> Option<&Waiting> {
        let entry = self.entries.get_mut(&order)?;
        entry.waiting.last_error = Some(why.to_owned());
        entry.in_flight = false;
        entry.waiting.not_before = not_before;
        entry.waiting.paused_until = asked;
        self.in_flight -= 1;
        self.ready.insert((not_before, order));
        Some(&entry.waiting)
    }

    /// The entries that have been tried for long enough.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<Order> {
        let due = self
            .deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline <= now);
        let idle = |order: &Order| {
            self.entries
                .get(order)
                .is_some_and(|entry| !entry.in_flight)
        };
        due.map(|(_, order)| *order).filter(idle).collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let idle = |order: &Order| {
            self.entries
                .get(order)
                .is_some_and(|entry| !entry.in_flight)
        };
        let mut idle = self.deadlines.iter().filter(|(_, order)| idle(order));
        idle.next().map(|(deadline, _)| *deadline)
    }

    /// The policy changed.
    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
        self.deadlines.clear();
        for (order, entry) in &mut self.entries {
            entry.deadline = later(entry.waiting.notification.at, terms.give_up_after);
            self.deadlines.insert((entry.deadline, *order));
        }
    }
}

/// Whether it says that somebody is at a group, which is told already.
pub(crate) fn is_acknowledgement(notification: &Notification) -> bool {
    notification.cause == Cause::Acknowledged
}

/// Whether it says all that is so of the states of its group, and may take the place of what said so
/// before.
pub(crate) fn says_all(notification: &Notification) -> bool {
    gives_way(notification) && !is_acknowledgement(notification)
}

/// Whether a newer notification of its group may take its place: it speaks of states only, which
/// the newer one knows better. What occurred is in no other.
pub(crate) fn gives_way(notification: &Notification) -> bool {
    let occurs = |alert: &std::sync::Arc<crate::alert::Alert>| alert.nature == Nature::Occurrence;
    !matches!(notification.cause, Cause::Occurred | Cause::Drill)
        && !notification.alerts.iter().any(occurs)
}
