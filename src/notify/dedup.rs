//! Whether a group has something to say: Alertmanager's `DedupStage.needsUpdate`, on counts.
//!
//! One difference, on purpose: `repeatInterval` is over when it has passed, not at the first
//! tick after that.

use jiff::Timestamp;

use super::notification::Cause;
use super::policy::Policy;
use super::timers::later;

/// The state alerts of a group, counted by what its receiver knows of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Firing, and not told.
    pub untold: usize,
    /// Firing, and told.
    pub firing: usize,
    /// Told as firing, and resolved since.
    pub resolved: usize,
    /// Told as firing, and not part of what can be told now or was told last.
    pub heard_before: usize,
    /// When the group's last notification was decided.
    pub notified_at: Option<Timestamp>,
    pub digest: bool,
}

/// Why the group should be told of now, if it should.
pub(crate) fn needs_update(group: Standing, policy: &Policy, now: Timestamp) -> Option<Cause> {
    let told = group.firing + group.resolved + group.heard_before;
    if group.untold > 0 {
        return Some(match (group.digest, told) {
            (true, _) => Cause::Digest,
            (false, 0) => Cause::New,
            (false, _) => Cause::Changed,
        });
    }
    if group.resolved > 0 && policy.send_resolved {
        if group.firing == 0 {
            return Some(Cause::Resolved);
        }
        // A digest speaks of many groups at once: it is over when all of them are.
        if !group.digest {
            return Some(Cause::Changed);
        }
    }
    let repeat_at = later(group.notified_at?, policy.repeat_interval);
    (group.firing > 0 && repeat_at <= now).then_some(Cause::Repeat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::fixture::{at, policy};

    fn update(untold: usize, firing: usize, resolved: usize, now: i64) -> Option<Cause> {
        let notified_at = (firing + resolved > 0).then(|| at(0));
        let digest = false;
        let group = Standing {
            untold,
            firing,
            resolved,
            notified_at,
            digest,
            heard_before: 0,
        };
        needs_update(group, &policy("chat"), at(now))
    }

    #[test]
    fn a_group_speaks_when_its_receiver_would_learn_something() {
        assert_eq!(update(0, 0, 0, 0), None);
        assert_eq!(update(1, 0, 0, 0), Some(Cause::New));
        assert_eq!(update(1, 1, 0, 0), Some(Cause::Changed));
        assert_eq!(update(1, 0, 1, 0), Some(Cause::Changed));
        assert_eq!(update(0, 1, 1, 0), Some(Cause::Changed));
        assert_eq!(update(0, 0, 1, 0), Some(Cause::Resolved));
        assert_eq!(update(0, 1, 0, 0), None);
    }

    #[test]
    fn a_repeat_is_due_when_the_interval_has_passed_and_something_still_fires() {
        let interval = policy("chat").repeat_interval.as_secs();
        assert_eq!(update(0, 1, 0, interval - 1), None);
        assert_eq!(update(0, 1, 0, interval), Some(Cause::Repeat));
        assert_eq!(update(0, 0, 0, interval), None);
    }

    #[test]
    fn a_receiver_that_wants_no_resolves_gets_none() {
        let mut policy = policy("chat");
        policy.send_resolved = false;
        let group = Standing {
            resolved: 1,
            notified_at: Some(at(0)),
            ..Standing::default()
        };
        assert_eq!(needs_update(group, &policy, at(0)), None);
    }

    #[test]
    fn a_digest_says_nothing_until_all_of_it_has_resolved() {
        let policy = policy("chat");
        let mut group = Standing {
            firing: 1,
            resolved: 2,
            digest: true,
            ..Standing::default()
        };
        assert_eq!(needs_update(group, &policy, at(0)), None);
        group.firing = 0;
        assert_eq!(needs_update(group, &policy, at(0)), Some(Cause::Resolved));
    }
}
