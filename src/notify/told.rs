//! Occurrences that were told, remembered for `repeatInterval`: the 40th repeat of an Event is
//! not a 40th message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::timers::later;
use crate::alert::Alert;
use crate::names::{Fingerprint, ReceiverName};

/// How many told occurrences are remembered for each receiver.
pub(crate) const MAX_TOLD: usize = 10_000;

/// What is remembered of one occurrence at one receiver.
#[derive(Debug)]
struct Told {
    at: Timestamp,
    count: u64,
    /// It happened again since then: to be told when the interval is over.
    again: Option<Arc<Alert>>,
}

/// The told occurrences of all receivers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    told: BTreeMap<(Fingerprint, ReceiverName), Told>,
    /// The same by age.
    ages: BTreeMap<ReceiverName, BTreeSet<(Timestamp, Fingerprint)>>,
}

impl Memory {
    /// This was told now. Gives the oldest that has to be forgotten for it, if the memory is full.
    pub(crate) fn remember(
        &mut self,
        receiver: &ReceiverName,
        fingerprint: Fingerprint,
        at: Timestamp,
        count: u64,
    ) -> Option<Fingerprint> {
        self.forget(receiver, fingerprint);
        let told = Told {
            at,
            count,
            again: None,
        };
        self.told.insert((fingerprint, receiver.clone()), told);
        let ages = self.ages.entry(receiver.clone()).or_default();
        ages.insert((at, fingerprint));
        if ages.len() <= MAX_TOLD {
            return None;
        }
        let (_, oldest) = ages.pop_first()?;
        self.told.remove(&(oldest, receiver.clone()));
        Some(oldest)
    }

    /// An occurrence came (again): whether it is one that was told.
    pub(crate) fn notice(&mut self, receiver: &ReceiverName, alert: &Arc<Alert>) -> bool {
        let key = (alert.fingerprint, receiver.clone());
        let Some(told) = self.told.get_mut(&key) else {
            return false;
        };
        if alert.count > told.count {
            told.again = Some(Arc::clone(alert));
        }
        true
    }

    /// Takes out the oldest one of this receiver if its interval is over; with the alert if it
    /// is to be told again.
    pub(crate) fn pop_due(
        &mut self,
        receiver: &ReceiverName,
        interval: SignedDuration,
        now: Timestamp,
    ) -> Option<(Fingerprint, Option<Arc<Alert>>)> {
        let &(at, fingerprint) = self.ages.get(receiver)?.first()?;
        if later(at, interval) > now {
            return None;
        }
        let again = self.forget(receiver, fingerprint);
        Some((fingerprint, again))
    }

    /// The receivers that something is remembered of, each with the age of the oldest.
    pub(crate) fn receivers(&self) -> impl Iterator<Item = (&ReceiverName, Timestamp)> {
        self.ages
            .iter()
            .filter_map(|(receiver, ages)| Some((receiver, ages.first()?.0)))
    }

    /// Whether some receiver was told of this occurrence not long ago.
    pub(crate) fn knows(&self, fingerprint: Fingerprint) -> bool {
        self.told
            .range((fingerprint, "".into())..)
            .next()
            .is_some_and(|((found, _), _)| *found == fingerprint)
    }

    fn forget(&mut self, receiver: &ReceiverName, fingerprint: Fingerprint) -> Option<Arc<Alert>> {
        let told = self.told.remove(&(fingerprint, receiver.clone()))?;
        if let Some(ages) = self.ages.get_mut(receiver) {
            ages.remove(&(told.at, fingerprint));
            if ages.is_empty() {
                self.ages.remove(receiver);
            }
        }
        told.again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::fixture::{at, occurrence};

    #[test]
    fn an_occurrence_is_retold_after_the_interval_with_its_latest_count() {
        let (mut memory, chat) = (Memory::default(), "chat".into());
        let interval = SignedDuration::from_secs(60);
        let one = occurrence("warned", "db", 1);
        assert!(!memory.notice(&chat, &Arc::new(one.clone())));
        memory.remember(&chat, one.fingerprint, at(0), 1);
        for count in 2..40 {
            assert!(memory.notice(&chat, &Arc::new(occurrence("warned", "db", count))));
        }
        assert_eq!(memory.pop_due(&chat, interval, at(59)), None);
        let (_, again) = memory.pop_due(&chat, interval, at(60)).unwrap();
        assert_eq!(again.unwrap().count, 39);
        assert!(!memory.knows(one.fingerprint));
    }

    #[test]
    fn a_full_memory_forgets_the_oldest() {
        let (mut memory, chat) = (Memory::default(), "chat".into());
        let name = |n: usize| Fingerprint::of(&[&n.to_string()]);
        let forgotten: Vec<_> = (0..=MAX_TOLD)
            .filter_map(|n| memory.remember(&chat, name(n), at(i64::try_from(n).unwrap()), 1))
            .collect();
        assert_eq!(forgotten, [name(0)]);
        assert!(!memory.knows(name(0)) && memory.knows(name(1)));
    }
}
