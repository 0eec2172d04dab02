//! What a receiver does not take goes to its fallback.
//!
//! In: notifications that a receiver refused for good, or was tried with for too long. Out: the same
//! for the receiver that stands in for it, which is then told of the end too, whoever else hears of
//! that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Outbox, decide};
use crate::decision::Reason;
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, GroupKey, ReceiverName};
use crate::notify::{Cause, Notification, Policy, Status};

/// Groups that are remembered; those that never resolve go in the end.
const MOST: usize = 10_000;
/// Receivers that stand in for one after the other. (The configuration allows no circle.)
const LONGEST: usize = 4;
const INSTEAD: &str = "{instead of}";

/// A group that fires, as a fallback was told. As it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallen {
    pub to: ReceiverName,
    pub at: Timestamp,
}

/// Who stands in for whom, and what they were told.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    of: BTreeMap<ReceiverName, ReceiverName>,
    told: BTreeMap<(ReceiverName, GroupKey), Fallen>,
}

impl Fallbacks {
    pub(super) fn set_policies(&mut self, policies: &[Policy]) {
        let named = policies.iter().filter_map(|policy| {
            let fallback = policy.fallback.clone()?;
            Some((policy.receiver.clone(), fallback))
        });
        self.of = named.collect();
    }

    pub(super) fn restore(&mut self, told: Vec<(ReceiverName, GroupKey, Fallen)>) {
        let told = told.into_iter();
        self.told = told
            .map(|(receiver, group, fallen)| ((receiver, group), fallen))
            .collect();
    }

    /// What the fallback is to be told of a notification that its receiver does not take.
    pub(super) fn instead(
        &mut self,
        now: Timestamp,
        refused: &Notification,
        effects: &mut Effects,
    ) -> Option<Notification> {
        let place = place(refused);
        let to = self.of.get(&refused.receiver)?.clone();
        let known = self.told.contains_key(&place);
        let silent = match refused.cause {
            Cause::Heartbeat | Cause::Drill | Cause::Acknowledged => true,
            Cause::Repeat => known,
            _ => false,
        };
        if silent || refused.group.as_str().matches(INSTEAD).count() >= LONGEST {
            return None;
        }
        let told = told_instead(now, refused, &to, !known);
        if refused.status == Status::Resolved {
            self.forget(&place, effects);
        } else if refused.goes_on() {
            self.remember(place, Fallen { to, at: now }, effects);
        }
        Some(told)
    }

    /// What the fallback is to be told of a notification that its receiver took: the end of what it
    /// was told.
    pub(super) fn besides(
        &mut self,
        now: Timestamp,
        taken: &Notification,
        effects: &mut Effects,
    ) -> Option<Notification> {
        if taken.status != Status::Resolved || self.told.is_empty() {
            return None;
        }
        let fallen = self.forget(&place(taken), effects)?;
        Some(told_instead(now, taken, &fallen.to, false))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.told.len()
    }

    fn remember(&mut self, place: (ReceiverName, GroupKey), fallen: Fallen, effects: &mut Effects) {
        effects.put(key(&place), Record::Fallen(fallen.clone()));
        self.told.insert(place, fallen);
        if self.told.len() > MOST {
            let oldest = self.told.iter().min_by_key(|(_, fallen)| fallen.at);
            if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
                self.forget(&oldest, effects);
            }
        }
    }

    fn forget(
        &mut self,
        place: &(ReceiverName, GroupKey),
        effects: &mut Effects,
    ) -> Option<Fallen> {
        let fallen = self.told.remove(place)?;
        effects.remove(key(place));
        Some(fallen)
    }
}

impl Outbox {
    /// Tells a fallback, if it is there.
    pub(super) fn tell_fallback(
        &mut self,
        now: Timestamp,
        told: Option<Notification>,
        effects: &mut Effects,
    ) {
        let Some(told) = told else { return };
        let queue = self.queues.get(&told.receiver);
        if queue.is_some_and(|queue| queue.terms.exists) {
            let from = told.instead_of.as_ref().map_or("", ReceiverName::as_str);
            let why = format!("{from} did not take it");
            decide(now, Reason::FellBack(why), &told, None, effects);
            self.push(now, told, effects);
        }
    }
}

/// The same for another receiver, decided now: it has its own time to take it.
fn told_instead(
    now: Timestamp,
    told: &Notification,
    to: &ReceiverName,
    opens: bool,
) -> Notification {
    let id = Fingerprint::of(&["instead", told.id.as_str(), to.as_str()]);
    Notification {
        id: id.to_string().into(),
        receiver: to.clone(),
        group: format!("{to}{INSTEAD}{}", told.group).into(),
        opens: opens && told.status == Status::Firing,
        at: now,
        instead_of: Some(told.receiver.clone()),
        ..told.clone()
    }
}

fn place(notification: &Notification) -> (ReceiverName, GroupKey) {
    (notification.receiver.clone(), notification.group.clone())
}

fn key((receiver, group): &(ReceiverName, GroupKey)) -> Key {
    Key::Fallen(receiver.clone(), group.clone())
}
