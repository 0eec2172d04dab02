//! Dead letters: what was given up or refused stays for a while, to be looked at, sent again or
//! dropped by somebody.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::queue::gives_way;
use super::replace::unheard;
use super::{Outbox, Waiting, decide, key, later, put};
use crate::decision::Reason;
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::NotificationId;
use crate::notify::{Cause, Notification};

/// Dead letters that are kept, the newest.
pub const MOST_DEAD: usize = 1_000;

/// A notification that no receiver took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub notification: Arc<Notification>,
    /// When it was given up.
    pub at: Timestamp,
    pub why: String,
    pub attempts: u32,
}

/// What somebody does with what was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OutboxChange {
    /// Attempt it now: a dead letter, or one that waits for its next attempt.
    Retry(NotificationId),
    /// Forget it.
    Drop(NotificationId),
}

/// The dead letters, the oldest first.
#[derive(Debug, Default)]
pub(super) struct DeadLetters(BTreeMap<(Timestamp, NotificationId), DeadLetter>);

impl DeadLetters {
    pub(super) fn restore(letters: Vec<DeadLetter>) -> Self {
        let letters = letters.into_iter();
        Self(
            letters
                .map(|it| ((it.at, it.notification.id.clone()), it))
                .collect(),
        )
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &DeadLetter> {
        self.0.values()
    }

    /// Keeps what was given up; too many push the oldest out.
    pub(super) fn bury(&mut self, letter: DeadLetter, effects: &mut Effects) {
        let Notification { id, cause, .. } = &*letter.notification;
        // The next beat says it as well.
        if *cause == Cause::Heartbeat {
            return;
        }
        effects.put(Key::Dead(id.clone()), Record::Dead(letter.clone()));
        let at = letter.at;
        self.0.insert((at, id.clone()), letter);
        if self.0.len() > MOST_DEAD
            && let Some(((_, oldest), letter)) = self.0.pop_first()
        {
            effects.remove(Key::Dead(oldest));
            let why = format!("more than {MOST_DEAD} dead letters: the oldest is forgotten");
            decide(
                at,
                Reason::Bounded(why),
                &letter.notification,
                None,
                effects,
            );
        }
    }

    fn take(&mut self, id: &NotificationId, effects: &mut Effects) -> Option<DeadLetter> {
        let mut keys = self.0.keys();
        let key = keys.find(|(_, known)| known == id)?.clone();
        effects.remove(Key::Dead(id.clone()));
        self.0.remove(&key)
    }
}

impl Outbox {
    /// What was given up or refused, the oldest first.
    pub fn dead(&self) -> impl Iterator<Item = &DeadLetter> {
        self.dead.iter()
    }

    /// Somebody wants it sent, or forgotten. What is unknown or under way is passed over.
    pub fn change(&mut self, now: Timestamp, change: &OutboxChange, effects: &mut Effects) {
        match change {
            OutboxChange::Retry(id) => {
                if let Some(letter) = self.dead.take(id, effects) {
                    self.send_again(now, letter, effects);
                } else if let Some((waiting, deadline)) = self.take_idle(id) {
                    let waiting = Waiting {
                        not_before: now,
                        ..waiting
                    };
                    put(&waiting, effects);
                    let receiver = waiting.notification.receiver.clone();
                    self.queues
                        .entry(receiver)
                        .or_default()
                        .insert(waiting, deadline);
                }
            }
            OutboxChange::Drop(id) => {
                let letter = self.dead.take(id, effects);
                let waiting = || self.take_idle(id).map(|(waiting, _)| waiting.notification);
                let dropped = letter.map(|letter| letter.notification).or_else(waiting);
                if let Some(notification) = dropped {
                    effects.remove(key(&notification));
                    decide(now, Reason::Dropped, &notification, None, effects);
                    if let Some(queue) = self.queues.get_mut(&notification.receiver) {
                        unheard(now, queue, &notification, effects);
                    }
                }
            }
        }
    }

    /// A dead letter goes to the end of its receiver's queue; not if something newer of its group
    /// waits there, which says what is so now.
    fn send_again(&mut self, now: Timestamp, letter: DeadLetter, effects: &mut Effects) {
        let notification = letter.notification;
        let receiver = notification.receiver.clone();
        let queue = self.queues.entry(receiver).or_default();
        if gives_way(&notification) && queue.last_of(&notification.group).is_some() {
            decide(now, Reason::Superseded, &notification, None, effects);
            return;
        }
        let order = self.next_order;
        self.next_order = order.saturating_add(1);
        decide(now, Reason::Queued, &notification, None, effects);
        let waiting = Waiting {
            notification,
            order,
            attempts: 0,
            not_before: now,
            heard: true,
            paused_until: None,
            last_error: Some(letter.why),
        };
        put(&waiting, effects);
        let deadline = later(now, queue.terms.give_up_after);
        queue.insert(waiting, deadline);
    }

    /// Takes out one that waits and is not under way.
    fn take_idle(&mut self, id: &NotificationId) -> Option<(Waiting, Timestamp)> {
        let mut queues = self.queues.values_mut();
        let entry = queues.find_map(|queue| queue.take_idle(id))?;
        Some((entry.waiting, entry.deadline))
    }
}
