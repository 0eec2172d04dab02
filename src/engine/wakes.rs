//! [`Wakes`]: when a rule's answer about an object can change by time alone.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::names::Uid;

/// A rule, by number, and an object of a stream, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wake {
    pub stream: usize,
    pub rule: usize,
    pub uid: Uid,
}

/// At most one moment for each.
#[derive(Debug, Default)]
pub struct Wakes {
    by_time: BTreeSet<(Timestamp, Wake)>,
    times: HashMap<Wake, Timestamp>,
}

impl Wakes {
    /// Sets the moment, or none.
    pub fn set(&mut self, wake: Wake, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.times.insert(wake, at),
            None if self.times.is_empty() => None,
            None => self.times.remove(&wake),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, wake));
        }
        if let Some(at) = at {
            self.by_time.insert((at, wake));
        }
    }

    #[must_use]
    pub fn get(&self, wake: Wake) -> Option<Timestamp> {
        self.times.get(&wake).copied()
    }

    /// The next one whose moment has come, once.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Wake> {
        let (at, wake) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.times.remove(&wake);
        Some(wake)
    }

    /// Puts each under the numbers that it has now, or forgets it.
    pub fn renumber(&mut self, number: &dyn Fn(Wake) -> Option<Wake>) {
        self.by_time.clear();
        for (wake, at) in std::mem::take(&mut self.times) {
            if let Some(wake) = number(wake) {
                self.set(wake, Some(at));
            }
        }
    }

    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a small number of seconds is a timestamp")
    }

    #[test]
    fn a_new_moment_replaces_the_one_before() {
        let wake = Wake {
            stream: 0,
            rule: 0,
            uid: Uid::parse("a"),
        };
        let mut wakes = Wakes::default();
        wakes.set(wake, Some(at(10)));
        wakes.set(wake, Some(at(20)));
        assert_eq!(wakes.pop_due(at(15)), None);
        assert_eq!(wakes.next(), Some(at(20)));
        assert_eq!(wakes.pop_due(at(20)), Some(wake));
        wakes.set(wake, Some(at(30)));
        wakes.set(wake, None);
        assert_eq!(wakes.next(), None);
    }
}
