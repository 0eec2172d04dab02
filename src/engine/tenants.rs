//! [`Tenants`]: what the expressions of each tenant's rules may cost, so that one tenant's rules
//! never delay another's.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// What is added to a tenant's allowance each second, in steps of evaluation: about a tenth of a core.
const EACH_SECOND: i64 = 10_000_000;
/// What can be saved up: about a second of a core, a list of many thousands of objects.
pub(super) const MOST: i64 = 10 * EACH_SECOND;
/// One that has used up all waits until it has so much again.
const ENOUGH: i64 = EACH_SECOND;

/// The allowances of the namespaces whose rules have used some.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    allowances: BTreeMap<Arc<str>, Allowance>,
}

#[derive(Debug)]
struct Allowance {
    /// Below zero after an evaluation that cost more than was left.
    steps: i64,
    at: Timestamp,
    used_up: bool,
}

impl Tenants {
    /// Whether a tenant's rules may evaluate anything now; else, when they may again.
    pub(super) fn may_look(&mut self, tenant: &str, now: Timestamp) -> Result<(), Timestamp> {
        let Some(allowance) = self.allowances.get_mut(tenant) else {
            return Ok(());
        };
        allowance.refill(now);
        let wanted = if allowance.used_up { ENOUGH } else { 1 };
        if allowance.steps >= wanted {
            allowance.used_up = false;
            return Ok(());
        }
        allowance.used_up = true;
        let missing = (ENOUGH - allowance.steps).unsigned_abs();
        let millis = missing.div_ceil(EACH_SECOND.unsigned_abs() / 1_000);
        let wait = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        Err(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// A tenant's rule took so many steps.
    pub(super) fn charge(&mut self, tenant: &Arc<str>, steps: u64, now: Timestamp) {
        if steps == 0 {
            return;
        }
        let full = || Allowance {
            steps: MOST,
            at: now,
            used_up: false,
        };
        let allowance = self.allowances.entry(tenant.clone()).or_insert_with(full);
        allowance.refill(now);
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        allowance.steps = allowance.steps.saturating_sub(steps);
    }
}

impl Tenants {
    /// What a tenant has left.
    #[cfg(test)]
    pub(super) fn left(&self, tenant: &str) -> i64 {
        let allowance = self.allowances.get(tenant);
        allowance.map_or(MOST, |allowance| allowance.steps)
    }
}

impl Allowance {
    fn refill(&mut self, now: Timestamp) {
        let passed = now.duration_since(self.at).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX).max(0);
        let added = passed.saturating_mul(EACH_SECOND / 1_000);
        if added > 0 {
            self.steps = self.steps.saturating_add(added).min(MOST);
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn who_has_used_up_all_waits_and_nobody_else_does() {
        let mut tenants = Tenants::default();
        let greedy = Arc::from("greedy");
        tenants.charge(&greedy, MOST.unsigned_abs(), at(0));
        assert_eq!(tenants.may_look("greedy", at(0)), Err(at(1_000)));
        assert_eq!(tenants.may_look("greedy", at(400)), Err(at(1_000)));
        assert_eq!(tenants.may_look("frugal", at(400)), Ok(()));
        assert_eq!(tenants.may_look("greedy", at(1_000)), Ok(()));
    }

    #[test]
    fn a_debt_is_waited_for_and_savings_have_an_end() {
        let mut tenants = Tenants::default();
        let greedy = Arc::from("greedy");
        tenants.charge(&greedy, (MOST + 4 * EACH_SECOND).unsigned_abs(), at(0));
        assert_eq!(tenants.may_look("greedy", at(0)), Err(at(5_000)));
        tenants.charge(&greedy, 1, at(1_000_000));
        assert_eq!(tenants.allowances["greedy"].steps, MOST - 1);
    }
}
