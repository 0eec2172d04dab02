//! What a notification says for the one whose place it takes, and which are not told without another.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::finish;
use super::queue::Queue;
use crate::alert::State;
use crate::decision::Reason;
use crate::engine::Effects;
use crate::names::GroupKey;
use crate::notify::{MAX_ALERTS, Notification, Status};

/// What a notification that gives way said of alerts that are over: its successor, which knows only
/// what changed since, says it too. Until then the receiver takes them for firing.
pub(super) fn inherit(newer: &mut Notification, older: &Notification) {
    let known: BTreeSet<_> = newer.alerts.iter().map(|one| one.fingerprint).collect();
    let resolved = older.alerts.iter();
    let resolved: Vec<_> = resolved
        .filter(|one| one.state == State::Resolved)
        .collect();
    newer
        .first
        .retain(|first| resolved.iter().all(|one| one.fingerprint != *first));
    for alert in resolved {
        if known.contains(&alert.fingerprint) {
            continue;
        }
        if newer.alerts.len() < MAX_ALERTS {
            newer.alerts.push(Arc::clone(alert));
        } else {
            newer.omitted += 1;
        }
    }
}

/// A notification takes the place of one that waits. `false` if nothing is left to say: what it
/// resolves nobody has heard of.
pub(super) fn take_over(
    newer: &mut Notification,
    older: &Notification,
    attempted: bool,
    heard: bool,
) -> bool {
    if newer.status == Status::Resolved && !heard {
        return false;
    }
    inherit(newer, older);
    if !attempted {
        begin_where_it_did(newer, older);
    }
    !newer.alerts.is_empty()
}

/// A notification that gives way before any attempt told nobody anything: what it would have been
/// the first to tell, its successor is; and what is over meanwhile never was.
fn begin_where_it_did(newer: &mut Notification, older: &Notification) {
    newer.opens |= older.opens;
    let first: BTreeSet<_> = older.first.iter().copied().collect();
    let mut still = Vec::new();
    newer.alerts.retain(|alert| {
        if !first.contains(&alert.fingerprint) {
            return true;
        }
        still.push(alert.fingerprint);
        alert.state != State::Resolved
    });
    newer.first.extend(still);
}

/// What opened its group is not told: nor is that somebody is at it.
pub(super) fn unheard(
    now: Timestamp,
    queue: &mut Queue,
    notification: &Notification,
    effects: &mut Effects,
) {
    if notification.opens {
        withdraw(now, queue, &notification.group, Reason::Cancelled, effects);
    }
}

/// An acknowledgement that waits in a group is not sent.
pub(super) fn withdraw(
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
