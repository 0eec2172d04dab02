//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubling delays with jitter, so that a thousand bridges do not return at the same moment.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            attempts: 0,
        }
    }

    /// The next delay: between half and all of `first * 2^attempts`, and never over the longest.
    pub(super) fn next(&mut self) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.attempts));
        self.attempts = self.attempts.saturating_add(1);
        doubled
            .min(self.longest)
            .mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// The last attempt succeeded.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
        for expected in [
            200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000,
        ] {
            let delay = backoff.next();
            let whole = Duration::from_millis(expected);
            assert!(
                delay <= whole && delay >= whole / 2,
                "{delay:?} for {whole:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(200));
    }

    #[test]
    fn a_billion_failures_overflow_nothing() {
        let mut backoff = Backoff {
            attempts: u32::MAX,
            ..Backoff::new(Duration::from_millis(200), Duration::from_secs(30))
        };
        assert!(backoff.next() <= Duration::from_secs(30));
        assert!(backoff.next() >= Duration::from_secs(15));
    }

    #[test]
    fn two_bridges_do_not_wait_for_the_same_time() {
        let delays: std::collections::BTreeSet<Duration> = (0..20)
            .map(|_| Backoff::new(Duration::from_secs(1), Duration::from_secs(30)).next())
            .collect();
        assert!(delays.len() > 10, "{delays:?}");
    }
}
