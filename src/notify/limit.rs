//! The limit of a receiver: one governor cell (GCRA) on the engine's clock.
//!
//! The cell's clock counts from a fixed start, the Unix epoch, and its only state is one moment,
//! so that the journal can keep it and a restart grants nobody a second burst.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::Limit;

/// A limit's cell as it is kept in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRecord {
    /// The cell's theoretical arrival time: when it is as good as new.
    pub arrival: Timestamp,
}

/// The longest time that a cell counts over: governor computes in nanoseconds that must fit
/// in 64 bits together with the time of the epoch.
const HORIZON: Duration = Duration::from_hours(87600);

/// The cell of one receiver.
#[derive(Debug)]
pub(crate) struct Cell {
    limit: Limit,
    arrival: Option<Timestamp>,
}

impl Cell {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            limit,
            arrival: None,
        }
    }

    /// The cell as the journal has it. An arrival that lies further ahead than the limit can
    /// have pushed it (the clock went back, the limit was changed) is brought back into reach.
    pub(crate) fn restore(limit: Limit, record: LimitRecord, now: Timestamp) -> Self {
        let quota = quota(limit);
        let reach = quota.replenish_interval() * quota.burst_size().get();
        let furthest = nanos(now).saturating_add(whole_nanos(reach));
        Self {
            limit,
            arrival: Some(moment(nanos(record.arrival).min(furthest))),
        }
    }

    /// Takes room for one notification, if there is some.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let (outcome, arrival) = self.ask(now);
        self.arrival = arrival;
        outcome.is_ok()
    }

    /// The first moment, from `now`, at which there is room.
    pub(crate) fn room_at(&self, now: Timestamp) -> Timestamp {
        match self.ask(now).0 {
            Ok(()) => now,
            Err(until) => moment(until.as_u64()),
        }
    }

    pub(crate) fn record(&self) -> Option<LimitRecord> {
        self.arrival.map(|arrival| LimitRecord { arrival })
    }

    /// Asks governor, and gives the arrival that follows.
    fn ask(&self, now: Timestamp) -> (Result<(), Nanos>, Option<Timestamp>) {
        let arrival = Arc::new(AtomicU64::new(self.arrival.map_or(UNUSED, nanos)));
        let clock = EngineClock(AtomicU64::new(0));
        let limiter: RateLimiter<NotKeyed, Arrival, EngineClock, NoOpMiddleware<Nanos>> =
            RateLimiter::new(quota(self.limit), Arrival(Arc::clone(&arrival)), clock);
        limiter.clock().0.store(nanos(now), Ordering::Relaxed);
        let outcome = limiter.check().map_err(|until| until.earliest_possible());
        let after = match arrival.load(Ordering::Relaxed) {
            UNUSED => None,
            nanos => Some(moment(nanos)),
        };
        (outcome, after)
    }
}

/// The arrival of a cell that was never used.
const UNUSED: u64 = u64::MAX;

/// The state of the cell, where governor can reach it.
struct Arrival(Arc<AtomicU64>);

impl StateStore for Arrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let before = self.0.load(Ordering::Relaxed);
        let (outcome, arrival) = decide((before != UNUSED).then(|| before.into()))?;
        self.0.store(arrival.as_u64(), Ordering::Relaxed);
        Ok(outcome)
    }
}

/// The engine's time as nanoseconds since the Unix epoch.
struct EngineClock(AtomicU64);

impl Clock for EngineClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// The limit in governor's words. Nonsense (zero notifications, zero time) is read as the
/// smallest sensible value: the configuration refuses it, and the core cannot fail.
fn quota(limit: Limit) -> Quota {
    let notifications = limit.notifications.max(1);
    let period = Duration::try_from(limit.per).unwrap_or(Duration::ZERO) / notifications;
    let period = period.clamp(Duration::from_nanos(1), HORIZON);
    let most = u32::try_from(HORIZON.as_nanos() / period.as_nanos()).unwrap_or(u32::MAX);
    let burst = NonZeroU32::new(limit.burst.min(most)).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(period)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

fn whole_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since the epoch; half the range is kept free for governor to add to.
fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond().clamp(0, i128::from(u64::MAX / 2))).unwrap_or(0)
}

fn moment(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn limit(notifications: u32, seconds: i64, burst: u32) -> Limit {
        Limit {
            notifications,
            per: SignedDuration::from_secs(seconds),
            burst,
        }
    }

    #[test]
    fn a_burst_passes_and_then_one_for_each_period() {
        let mut cell = Cell::new(limit(6, 60, 3));
        let passed: Vec<bool> = [0, 0, 0, 0, 9, 10, 11, 20].map(|s| cell.take(at(s))).into();
        assert_eq!(passed, [true, true, true, false, false, true, false, true]);
        assert_eq!(cell.room_at(at(21)), at(30));
    }

    #[test]
    fn asking_for_room_takes_none() {
        let mut cell = Cell::new(limit(1, 60, 1));
        assert_eq!(cell.room_at(at(0)), at(0));
        assert!(cell.take(at(0)));
        assert_eq!(cell.room_at(at(0)), at(60));
        assert_eq!(cell.room_at(at(60)), at(60));
    }

    #[test]
    fn a_restart_grants_no_second_burst() {
        let mut cell = Cell::new(limit(1, 60, 2));
        assert!(cell.take(at(0)) && cell.take(at(0)));
        let record = cell.record().unwrap();
        let mut cell = Cell::restore(limit(1, 60, 2), record, at(1));
        assert!(!cell.take(at(1)));
        assert!(cell.take(at(60)));
    }

    #[test]
    fn a_clock_that_went_back_a_year_blocks_for_one_reach_of_the_limit_only() {
        let mut cell = Cell::new(limit(1, 60, 2));
        assert!(cell.take(at(365 * 24 * 3600)));
        let cell = Cell::restore(limit(1, 60, 2), cell.record().unwrap(), at(0));
        assert_eq!(cell.room_at(at(0)), at(60));
    }

    #[test]
    fn nonsense_neither_panics_nor_lets_nothing_through() {
        for limit in [
            limit(0, 0, 0),
            limit(u32::MAX, i64::MAX, u32::MAX),
            limit(1, i64::MAX, u32::MAX),
            limit(1, -5, 1),
        ] {
            let mut cell = Cell::new(limit);
            assert!(cell.take(at(0)), "{limit:?}");
            cell.take(Timestamp::MAX);
            cell.take(Timestamp::MIN);
            Cell::restore(
                limit,
                LimitRecord {
                    arrival: Timestamp::MAX,
                },
                at(0),
            )
            .take(at(0));
        }
    }
}
