//! Which group is looked at when: an ordered set, so that a step costs nothing for the groups
//! that are not due.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::names::GroupKey;

/// What is due at one moment, in this order: what a limit holds back goes out before anything
/// else can take its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Digest,
    Other,
}

/// The next flush of each group.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Timestamp, Rank, GroupKey)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Timestamp, rank: Rank, group: GroupKey) {
        self.0.insert((at, rank, group));
    }

    pub(crate) fn unset(&mut self, at: Timestamp, rank: Rank, group: &GroupKey) {
        self.0.remove(&(at, rank, group.clone()));
    }

    /// Takes out the first group that is due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<GroupKey> {
        let (at, ..) = self.0.first()?;
        if *at > now {
            return None;
        }
        self.0.pop_first().map(|(_, _, group)| group)
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, ..)| *at)
    }
}

/// `at` and `after` together, or the end of time: a duration that a user wrote cannot overflow.
pub(crate) fn later(at: Timestamp, after: SignedDuration) -> Timestamp {
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}

/// The first moment not before `now` that is a whole number of `interval`s, and at least one,
/// after `start`.
pub(crate) fn tick(start: Timestamp, interval: SignedDuration, now: Timestamp) -> Timestamp {
    let interval = interval.as_nanos().max(1);
    let passed = now.duration_since(start).as_nanos().max(1);
    let whole = (passed + interval - 1) / interval;
    Timestamp::from_nanosecond(
        start
            .as_nanosecond()
            .saturating_add(whole.saturating_mul(interval)),
    )
    .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_tick_is_never_the_start_itself_and_never_before_now() {
        let five = SignedDuration::from_secs(5);
        let ticks: Vec<i64> = [-3, 0, 1, 5, 6, 10, 11]
            .map(|now| tick(at(0), five, at(now)).as_second())
            .to_vec();
        assert_eq!(ticks, [5, 5, 5, 5, 10, 10, 15]);
    }

    #[test]
    fn no_duration_overflows_time() {
        assert_eq!(later(at(0), SignedDuration::MAX), Timestamp::MAX);
        assert_eq!(tick(at(0), SignedDuration::MAX, at(9)), Timestamp::MAX);
    }

    #[test]
    fn a_digest_is_due_before_the_other_groups_of_its_moment() {
        let mut timers = Timers::default();
        timers.set(at(1), Rank::Other, "a{}".into());
        timers.set(at(1), Rank::Digest, "z{digest}".into());
        assert_eq!(timers.pop_due(at(0)), None);
        assert_eq!(timers.pop_due(at(1)), Some("z{digest}".into()));
        assert_eq!(timers.pop_due(at(1)), Some("a{}".into()));
    }
}
