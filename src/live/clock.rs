//! What time the engine believes it is.
//!
//! The wall clock at the start, plus monotonic time since: `now` never goes backwards, and a hold
//! of five minutes lasts five minutes whatever somebody does to the wall clock. Only when the wall
//! clock is more than [`LEAP`] ahead did time pass that the monotonic clock has not seen (the
//! machine slept, or the clock was wrong and is right now): then `now` follows it.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// How far the wall clock may be ahead before it is believed: 30 s, more than any correction of a
/// clock that is kept in time.
const LEAP: SignedDuration = SignedDuration::from_secs(30);

/// A clock that never goes backwards.
#[derive(Debug)]
pub struct Clock {
    anchor: Anchor,
    started: Instant,
}

/// A moment on the wall, and how much monotonic time had passed then.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall: Timestamp,
    elapsed: SignedDuration,
}

impl Clock {
    /// Starts at the wall clock's time.
    #[must_use]
    pub fn start() -> Self {
        Self {
            anchor: Anchor {
                wall: Timestamp::now(),
                elapsed: SignedDuration::ZERO,
            },
            started: Instant::now(),
        }
    }

    /// What time it is.
    pub fn now(&mut self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let (now, leapt) = self.anchor.read(Timestamp::now(), elapsed);
        if let Some(by) = leapt {
            tracing::warn!(
                "the clock leapt by {by:#}; holds and intervals count that time as passed"
            );
        }
        now
    }
}

impl Anchor {
    /// The time, and by how much the wall clock had to be followed.
    fn read(
        &mut self,
        wall: Timestamp,
        elapsed: SignedDuration,
    ) -> (Timestamp, Option<SignedDuration>) {
        let passed = elapsed.saturating_sub(self.elapsed);
        let counted = self.wall.checked_add(passed).unwrap_or(Timestamp::MAX);
        let ahead = wall.duration_since(counted);
        if ahead <= LEAP {
            return (counted, None);
        }
        *self = Self { wall, elapsed };
        (wall, Some(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(n).unwrap()
    }

    fn elapsed(n: i64) -> SignedDuration {
        SignedDuration::from_secs(n)
    }

    fn noon() -> Anchor {
        Anchor {
            wall: second(43_200),
            elapsed: elapsed(0),
        }
    }

    #[test]
    fn time_is_what_the_monotonic_clock_counts() {
        let mut anchor = noon();
        assert_eq!(
            anchor.read(second(43_210), elapsed(7)),
            (second(43_207), None)
        );
    }

    #[test]
    fn a_wall_clock_that_is_set_back_changes_nothing() {
        let mut anchor = noon();
        assert_eq!(
            anchor.read(second(3_600), elapsed(7)),
            (second(43_207), None)
        );
        assert_eq!(
            anchor.read(second(3_610), elapsed(17)),
            (second(43_217), None)
        );
    }

    #[test]
    fn a_sleep_of_the_machine_is_time_that_passed() {
        let mut anchor = noon();
        let (now, leapt) = anchor.read(second(50_000), elapsed(10));
        assert_eq!((now, leapt), (second(50_000), Some(elapsed(6_790))));
        assert_eq!(
            anchor.read(second(50_001), elapsed(11)),
            (second(50_001), None)
        );
    }
}
