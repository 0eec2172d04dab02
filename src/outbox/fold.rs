//! What happened while too much waits for a receiver already is told as one digest.
//!
//! States cannot pile up: a newer notification of a group takes the place of the one that waits.
//! What happened is appended; with a receiver that is dead for a day that has no end. Beyond
//! [`MOST_WAITING`] it is folded into one notification that counts it by rule and shows the newest.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::queue::Queue;
use super::{Outbox, Waiting, decide, put};
use crate::alert::Nature;
use crate::decision::Reason;
use crate::engine::Effects;
use crate::names::{GroupKey, Labels, ReceiverName, RuleName};
use crate::notify::{Cause, Digest, Notification, later};

/// How many notifications wait for one receiver before what happens is folded.
pub const MOST_WAITING: usize = 2_000;
/// How many alerts the digest shows; it is written down each time that it grows.
const SHOWN: usize = 20;

impl Outbox {
    /// Folds a notification if too many wait; gives it back if there is room for it by itself.
    pub(super) fn fold(
        &mut self,
        now: Timestamp,
        notification: Notification,
        effects: &mut Effects,
    ) -> Option<Notification> {
        let receiver = notification.receiver.clone();
        let queue = self.queues.entry(receiver.clone()).or_default();
        if queue.len() < MOST_WAITING || !only_happened(&notification) {
            return Some(notification);
        }
        let overflow = key(&receiver);
        let idle = |waiting: &Waiting| waiting.attempts == 0;
        let last = queue.last_of(&overflow);
        let open = last.filter(|(_, entry)| !entry.in_flight && idle(&entry.waiting));
        let open = open.map(|(order, _)| order);
        let waiting = match open.and_then(|order| queue.entry_mut(order)) {
            Some(entry) => {
                add(
                    Arc::make_mut(&mut entry.waiting.notification),
                    &notification,
                );
                entry.waiting.clone()
            }
            None => begin(queue, &mut self.next_order, &notification, overflow),
        };
        put(&waiting, effects);
        decide(now, Reason::Limited, &notification, None, effects);
        None
    }
}

/// A digest of this alone.
fn begin(queue: &mut Queue, next: &mut u64, first: &Notification, group: GroupKey) -> Waiting {
    let mut digest = Notification {
        group,
        group_labels: Labels::new(),
        cause: Cause::Digest,
        alerts: Vec::new(),
        omitted: 0,
        digest: Vec::new(),
        ..first.clone()
    };
    add(&mut digest, first);
    let waiting = Waiting {
        order: *next,
        attempts: 0,
        not_before: digest.at,
        heard: false,
        paused_until: None,
        last_error: None,
        notification: Arc::new(digest),
    };
    *next = next.saturating_add(1);
    let deadline = later(first.at, queue.terms.give_up_after);
    queue.insert(waiting.clone(), deadline);
    waiting
}

fn add(digest: &mut Notification, more: &Notification) {
    let mut lines: BTreeMap<RuleName, Digest> = BTreeMap::new();
    for line in digest.digest.drain(..).chain(counted(more)) {
        let entry = lines.entry(line.rule.clone());
        let alerts = line.alerts;
        entry
            .and_modify(|known| known.alerts += alerts)
            .or_insert(line);
    }
    digest.digest = lines.into_values().collect();
    digest
        .digest
        .sort_by(|a, b| b.alerts.cmp(&a.alerts).then_with(|| a.rule.cmp(&b.rule)));
    let alerts = more.alerts.iter().chain(&digest.alerts).cloned();
    let alerts: Vec<_> = alerts.collect();
    let hidden = alerts.len().saturating_sub(SHOWN);
    digest.omitted += more.omitted + hidden as u64;
    digest.alerts = alerts;
    digest.alerts.truncate(SHOWN);
}

/// What a notification is about, by rule. In how many namespaces is not known any more.
fn counted(notification: &Notification) -> Vec<Digest> {
    if notification.cause == Cause::Digest {
        return notification.digest.clone();
    }
    let mut lines = BTreeMap::<RuleName, u64>::new();
    for alert in &notification.alerts {
        *lines.entry(alert.rule.clone()).or_default() += 1;
    }
    let lines = lines.into_iter();
    lines
        .map(|(rule, alerts)| Digest {
            rule,
            alerts,
            namespaces: 0,
        })
        .collect()
}

/// Whether it is only about what happened: nothing of it has to be told to be over.
fn only_happened(notification: &Notification) -> bool {
    let mut alerts = notification.alerts.iter();
    matches!(notification.cause, Cause::Occurred | Cause::Digest)
        && alerts.all(|alert| alert.nature == Nature::Occurrence && !alert.is_notice())
}

/// The group of these digests. No label lacks a `=`, so it meets no other group's key.
fn key(receiver: &ReceiverName) -> GroupKey {
    format!("{receiver}{{overflow}}").into()
}
