//! How long to wait between two attempts.

use jiff::SignedDuration;

use crate::names::Fingerprint;

const FIRST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// The wait after that many failures (from 1): 1 s, doubled each time up to 5 min, and up to
/// 20 % more or less. The jitter is a hash of what failed, so that a replay waits the same and
/// what failed together does not come back together.
pub(crate) fn delay(what: &str, failures: u32) -> SignedDuration {
    let doubled = 1_i32 << failures.saturating_sub(1).min(16);
    let wait = (FIRST * doubled).min(LONGEST);
    let hash = Fingerprint::of(&["backoff", what, &failures.to_string()]).to_string();
    let roll = i32::from_str_radix(&hash[..4], 16).unwrap_or(0);
    // 0x0000 to 0xffff becomes 80 % to 120 %.
    let percent = 80 + roll * 40 / 0xffff;
    wait * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_a_second_to_five_minutes_give_or_take_a_fifth() {
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (u32::MAX, 300)] {
            for id in 0..200 {
                let millis = delay(&id.to_string(), failures).as_millis();
                assert!(
                    (seconds * 800..=seconds * 1200).contains(&millis),
                    "{failures}: {millis}"
                );
            }
        }
    }

    #[test]
    fn the_same_failure_waits_the_same_and_others_do_not() {
        assert_eq!(delay("a", 3), delay("a", 3));
        assert_ne!(delay("a", 3), delay("b", 3));
    }
}
