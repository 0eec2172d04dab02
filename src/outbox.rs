//! What is decided and not yet delivered: a queue for each receiver that survives a crash.
//!
//! In: notifications, outcomes of attempts, time. Out: the attempts that are due now. It
//! talks to nobody: the shell makes the attempt and comes back with its [`Outcome`].
//!
//! What is under way is known to memory alone: after a restart everything that waits is
//! attempted again, under the same id. That an attempt was begun is written down before it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decision::{About, Reason};
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{GroupKey, ReceiverName};
use crate::notify::{Notification, Policy, later};
use crate::planted::{self, Bug};

mod answered;
mod backoff;
mod breaker;
mod dead;
mod fallback;
mod fold;
mod posts;
#[cfg(test)]
mod properties;
mod queue;
mod succeed;
#[cfg(test)]
mod tests;

pub use dead::{DeadLetter, MOST_DEAD, OutboxChange};
pub use fallback::Fallen;
pub use fold::MOST_WAITING;
pub use posts::{MOST_POSTS, Post, Posted};

use dead::DeadLetters;
use fallback::Fallbacks;
use posts::Posts;
use queue::{Entry, Order, Queue, Terms, gives_way, is_acknowledgement, says_all};
use succeed::take_over;

/// Make this attempt now.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub notification: Arc<Notification>,
    /// Which one it is, from 1.
    pub number: u32,
    /// The message to change instead of posting another.
    pub posted: Option<Posted>,
}

/// A notification that waits, as it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub notification: Arc<Notification>,
    /// Its place among those of its receiver.
    pub order: u64,
    pub attempts: u32,
    /// No attempt before this moment.
    pub not_before: Timestamp,
    /// The receiver may have heard that the group fires, from this notification or one before.
    pub heard: bool,
    /// The receiver asked, when this was attempted, to be left alone until then.
    pub paused_until: Option<Timestamp>,
    /// Why its last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The receiver said yes.
    Accepted,
    /// Try again, not before this much time has passed if the receiver said so.
    Retry {
        after: Option<SignedDuration>,
        why: String,
    },
    /// The receiver will never accept it.
    Refused { why: String },
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub outcome: Outcome,
    /// The message that it posted, where its receiver can change it. An attempt that did not
    /// come to its end may have posted one too.
    pub post: Option<Post>,
}

impl From<Outcome> for Delivery {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            post: None,
        }
    }
}

/// What a restart finds is tried for at least this long, however old it is.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// What the journal kept of an outbox.
#[derive(Debug, Default)]
pub struct Kept {
    pub waiting: Vec<Waiting>,
    pub dead: Vec<DeadLetter>,
    pub posts: Vec<(ReceiverName, GroupKey, Posted)>,
    pub fallen: Vec<(ReceiverName, GroupKey, Fallen)>,
}

/// The queues of all receivers.
#[derive(Debug, Default)]
pub struct Outbox {
    queues: BTreeMap<ReceiverName, Queue>,
    next_order: Order,
    dead: DeadLetters,
    posts: Posts,
    fallbacks: Fallbacks,
}

impl Outbox {
    #[must_use]
    pub fn new(policies: &[Policy]) -> Self {
        let mut outbox = Self::default();
        outbox.set_policies(policies);
        outbox
    }

    /// Goes on with what waited. A moment in the records that lies after what can have been
    /// meant (the clock went back) is read as now.
    #[must_use]
    pub fn restore(now: Timestamp, policies: &[Policy], kept: Kept) -> Self {
        let mut outbox = Self::new(policies);
        outbox.dead = DeadLetters::restore(kept.dead);
        outbox.posts = Posts::restore(kept.posts);
        outbox.fallbacks.restore(kept.fallen);
        for mut entry in kept.waiting {
            outbox.next_order = outbox.next_order.max(entry.order.saturating_add(1));
            let queue = outbox
                .queues
                .entry(entry.notification.receiver.clone())
                .or_default();
            let give_up_after = queue.terms.give_up_after;
            let clock_went_back = entry.notification.at > now;
            if clock_went_back || entry.not_before > later(now, give_up_after) {
                entry.not_before = entry.not_before.min(now);
                entry.paused_until = None;
            }
            queue.paused_until = queue.paused_until.max(entry.paused_until);
            let decided = entry.notification.at.min(now);
            let deadline = later(decided, give_up_after).max(later(now, GRACE));
            if planted::has(Bug::NewIdAfterRestart) {
                let notification = Arc::make_mut(&mut entry.notification);
                notification.id = format!("{}-again", notification.id).into();
            }
            queue.insert(entry, deadline);
        }
        outbox
    }

    /// The receivers changed. What waits for one that is gone is kept until it is given up.
    pub fn set_policies(&mut self, policies: &[Policy]) {
        self.fallbacks.set_policies(policies);
        for queue in self.queues.values_mut() {
            queue.terms.exists = false;
        }
        for policy in policies {
            let queue = self.queues.entry(policy.receiver.clone()).or_default();
            queue.set_terms(Terms::of(policy));
        }
        self.queues
            .retain(|_, queue| queue.terms.exists || queue.len() > 0);
    }

    /// Writes a notification down. It is attempted by [`Self::due`].
    pub fn push(&mut self, now: Timestamp, notification: Notification, effects: &mut Effects) {
        let Some(mut notification) = self.fold(now, notification, effects) else {
            return;
        };
        let queue = self
            .queues
            .entry(notification.receiver.clone())
            .or_default();
        if says_all(&notification) || is_acknowledgement(&notification) {
            withdraw(now, queue, &notification.group, Reason::Superseded, effects);
        }
        let mut order = self.next_order;
        let mut heard = !notification.opens;
        if let Some((before, last)) = queue.last_of(&notification.group) {
            heard = last.waiting.heard;
            let replaces =
                !last.in_flight && gives_way(&last.waiting.notification) && says_all(&notification);
            if replaces && let Some(old) = queue.remove(before) {
                let old = old.waiting;
                effects.remove(key(&old.notification));
                let attempted = old.attempts > 0;
                if !take_over(&mut notification, &old.notification, attempted, heard) {
                    decide(now, Reason::Cancelled, &old.notification, None, effects);
                    decide(now, Reason::Cancelled, &notification, None, effects);
                    return;
                }
                decide(now, Reason::Superseded, &old.notification, None, effects);
                order = before;
            }
        }
        self.next_order = self.next_order.max(order.saturating_add(1));
        let deadline = later(notification.at, queue.terms.give_up_after);
        decide(now, Reason::Queued, &notification, None, effects);
        let waiting = Waiting {
            notification: Arc::new(notification),
            order,
            attempts: 0,
            not_before: now,
            heard,
            paused_until: None,
            last_error: None,
        };
        put(&waiting, effects);
        queue.insert(waiting, deadline);
    }

    /// Gives up what was tried for long enough, and begins the attempts that are due.
    pub fn due(&mut self, now: Timestamp, effects: &mut Effects) {
        self.give_up(now, effects);
        for queue in self.queues.values_mut() {
            let unwanted = !queue.terms.acknowledges;
            while let Some(waiting) = queue.begin(now) {
                if unwanted && is_acknowledgement(&waiting.notification) {
                    let order = waiting.order;
                    if let Some(entry) = queue.remove(order) {
                        finish(now, Reason::Cancelled, &entry, effects);
                    }
                    continue;
                }
                put(waiting, effects);
                effects.deliver(Attempt {
                    notification: Arc::clone(&waiting.notification),
                    number: waiting.attempts,
                    posted: self.posts.of(&waiting.notification).cloned(),
                });
            }
        }
    }

    fn give_up(&mut self, now: Timestamp, effects: &mut Effects) {
        let mut instead = Vec::new();
        for queue in self.queues.values_mut() {
            for order in queue.expired(now) {
                let Some(entry) = queue.remove(order) else {
                    continue;
                };
                let tried = entry.waiting.attempts;
                let mut why = format!("not delivered in time, after {tried} attempts");
                if let Some(last) = &entry.waiting.last_error {
                    why.push_str("; the last: ");
                    why.push_str(last);
                }
                let notification = &entry.waiting.notification;
                self.dead.bury(dead_letter(now, &entry, &why), effects);
                finish(now, Reason::GaveUp(why), &entry, effects);
                unheard(now, queue, notification, effects);
                instead.push(self.fallbacks.instead(now, notification, effects));
            }
        }
        for told in instead {
            self.tell_fallback(now, told, effects);
        }
    }

    /// When [`Self::due`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let wakes = |queue: &Queue| {
            queue
                .next_attempt()
                .into_iter()
                .chain(queue.next_deadline())
        };
        self.queues.values().flat_map(wakes).min()
    }

    /// Everything that waits or is under way, each receiver's in its order.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        let entries = self.queues.values().flat_map(Queue::entries);
        entries.map(|entry| &entry.waiting)
    }

    /// Whether an attempt is under way.
    #[must_use]
    pub fn is_under_way(&self, notification: &Notification) -> bool {
        let queue = self.queues.get(&notification.receiver);
        queue.is_some_and(|queue| queue.is_in_flight(&notification.id))
    }

    /// When it is attempted next, as far as is known; absent while another of its group is before it,
    /// or its receiver does not exist.
    #[must_use]
    pub fn next_attempt_of(&self, waiting: &Waiting) -> Option<Timestamp> {
        let queue = self.queues.get(&waiting.notification.receiver);
        queue.and_then(|queue| queue.turn_of(waiting))
    }

    /// How many notifications wait for this receiver, or are under way to it.
    #[must_use]
    pub fn depth(&self, receiver: &ReceiverName) -> usize {
        self.queues.get(receiver).map_or(0, Queue::len)
    }
}

fn dead_letter(now: Timestamp, entry: &Entry, why: &str) -> DeadLetter {
    DeadLetter {
        notification: Arc::clone(&entry.waiting.notification),
        at: now,
        why: why.to_owned(),
        attempts: entry.waiting.attempts,
    }
}

/// What opened its group is not told: nor is that somebody is at it.
fn unheard(now: Timestamp, queue: &mut Queue, notification: &Notification, effects: &mut Effects) {
    if notification.opens {
        withdraw(now, queue, &notification.group, Reason::Cancelled, effects);
    }
}

/// An acknowledgement that waits in a group is not sent.
fn withdraw(
    now: Timestamp,
    queue: &mut Queue,
    group: &GroupKey,
    reason: Reason,
    effects: &mut Effects,
) {
    let waits = queue.acknowledgement_of(group);
    if let Some(entry) = waits.and_then(|order| queue.remove(order)) {
        finish(now, reason, &entry, effects);
    }
}

/// The notification leaves the outbox.
fn finish(now: Timestamp, reason: Reason, entry: &Entry, effects: &mut Effects) {
    let notification = &entry.waiting.notification;
    effects.remove(key(notification));
    decide(now, reason, notification, None, effects);
}

fn key(notification: &Notification) -> Key {
    Key::Outbox(notification.receiver.clone(), notification.id.clone())
}

fn put(waiting: &Waiting, effects: &mut Effects) {
    effects.put(key(&waiting.notification), Record::Outbox(waiting.clone()));
}

fn decide(
    now: Timestamp,
    reason: Reason,
    notification: &Notification,
    until: Option<Timestamp>,
    effects: &mut Effects,
) {
    let alerts = &notification.alerts;
    let alone = alerts.first().filter(|_| alerts.len() == 1);
    let rule = alerts.first().map(|alert| &alert.rule);
    let about = About {
        rule: rule
            .filter(|rule| alerts.iter().all(|it| it.rule == **rule))
            .cloned(),
        object: alone.map(|alert| alert.object.clone()),
        alert: alone.map(|alert| alert.fingerprint),
        receiver: Some(notification.receiver.clone()),
        group: Some(notification.group.clone()),
        notification: Some(notification.id.clone()),
        ..About::default()
    };
    effects.decide_until(now, reason, about, until);
}
