//! What follows from the outcome of an attempt.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::queue::{Order, Queue, gives_way, says_all};
use super::succeed::inherit;
use super::{
    DeadLetter, Delivery, Outbox, Outcome, backoff, dead_letter, decide, finish, put, unheard,
};
use crate::decision::Reason;
use crate::engine::Effects;
use crate::names::NotificationId;
use crate::notify::later;
use crate::planted::{self, Bug};

impl Outbox {
    /// An attempt has ended. The outcome of one that is not under way is passed over.
    pub fn delivered(
        &mut self,
        now: Timestamp,
        id: &NotificationId,
        delivery: Delivery,
        effects: &mut Effects,
    ) {
        let Delivery { outcome, post } = delivery;
        let mut queues = self.queues.iter_mut();
        let Some((receiver, queue, order)) = queues
            .find_map(|(name, queue)| queue.find_in_flight(id).map(|order| (name, queue, order)))
        else {
            return;
        };
        if let (Some(post), Some(entry)) = (post, queue.entry(order)) {
            let notification = &entry.waiting.notification;
            self.posts.note(now, notification, post, effects);
        }
        let reason = match outcome {
            Outcome::Retry { after, why } => {
                queue.breaker.failed(now, receiver, id);
                if let Some(letter) = retry(now, queue, order, after, why, effects) {
                    let told = self.fallbacks.instead(now, &letter.notification, effects);
                    self.dead.bury(letter, effects);
                    self.tell_fallback(now, told, effects);
                }
                return;
            }
            Outcome::Accepted => Reason::Sent,
            Outcome::Refused { why } => Reason::Refused(why),
        };
        queue.breaker.answered();
        if let Some(entry) = queue.remove(order) {
            let notification = &entry.waiting.notification;
            let told = if let Reason::Refused(why) = &reason {
                self.dead.bury(dead_letter(now, &entry, why), effects);
                unheard(now, queue, notification, effects);
                self.fallbacks.instead(now, notification, effects)
            } else {
                self.posts.accepted(notification, effects);
                self.fallbacks.besides(now, notification, effects)
            };
            finish(now, reason, &entry, effects);
            self.tell_fallback(now, told, effects);
        }
    }
}

/// A failed attempt: wait, give up, or give way to what is newer. Gives what was given up.
fn retry(
    now: Timestamp,
    queue: &mut Queue,
    order: Order,
    after: Option<SignedDuration>,
    why: String,
    effects: &mut Effects,
) -> Option<DeadLetter> {
    let after = after.filter(|_| !planted::has(Bug::RetryAfterIgnored));
    let asked = after.map(|after| later(now, after.min(queue.terms.give_up_after)));
    queue.paused_until = queue.paused_until.max(asked);
    let newer = queue
        .follower(order)
        .is_some_and(|newer| says_all(&newer.waiting.notification));
    let entry = queue.entry(order)?;
    let waiting = &entry.waiting;
    let expired = entry.deadline <= now;
    let superseded = newer && gives_way(&waiting.notification);
    if expired || superseded {
        let reason = if superseded {
            Reason::Superseded
        } else {
            Reason::GaveUp(why)
        };
        let follower = queue.follower(order).map(|newer| newer.waiting.order);
        let entry = queue.remove(order)?;
        let letter = match &reason {
            Reason::GaveUp(why) => Some(dead_letter(now, &entry, why)),
            _ => None,
        };
        finish(now, reason, &entry, effects);
        if letter.is_some() {
            unheard(now, queue, &entry.waiting.notification, effects);
        }
        let follower = follower.filter(|_| superseded);
        if let Some(newer) = follower.and_then(|order| queue.entry_mut(order)) {
            let notification = Arc::make_mut(&mut newer.waiting.notification);
            inherit(notification, &entry.waiting.notification);
            put(&newer.waiting, effects);
        }
        return letter;
    }
    let backoff = backoff::delay(waiting.notification.id.as_str(), waiting.attempts);
    let not_before = later(now, backoff).max(asked.unwrap_or(now));
    if let Some(waiting) = queue.wait(order, not_before, asked, &why) {
        let until = Some(not_before);
        decide(
            now,
            Reason::Retrying(why),
            &waiting.notification,
            until,
            effects,
        );
        put(waiting, effects);
    }
    None
}
