//! One notification takes the place of another of its group: it says what that one would have said.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::alert::State;
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
