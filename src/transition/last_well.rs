//! [`LastWell`]: the `spec` with which a rule last found an object well.
//!
//! In: each change of the object's `spec`, and each verdict of the rule. Out: what the `changes` of
//! templates are counted from. Nothing is kept of an object whose present `spec` is the good one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cel::Json;

/// So long an object must have been well with a `spec` before that is the good one. A controller
/// takes its time to fail: what was changed shortly before it did is what people look for.
pub const SETTLED: SignedDuration = SignedDuration::from_mins(10);

/// What is known of an object whose `spec` is not known to be good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastWell {
    /// The `spec` with which it was well, null if there was none; `None` if it was never seen well.
    pub spec: Option<Arc<Json>>,
    /// Since when it has been well with the present `spec`.
    pub well_since: Option<Timestamp>,
}

impl LastWell {
    /// Whether the present `spec` has proved good meanwhile: there is nothing to keep.
    #[must_use]
    pub fn is_settled(&self, now: Timestamp) -> bool {
        self.well_since
            .is_some_and(|since| now.duration_since(since) >= SETTLED)
    }

    /// The rule's verdict with the present `spec`: is the object well?
    #[must_use]
    pub fn found(&self, well: bool, now: Timestamp) -> Self {
        Self {
            spec: self.spec.clone(),
            well_since: well.then(|| self.well_since.unwrap_or(now)),
        }
    }

    /// What is known after a change from one `spec` to another, of an object that `is_well` as far
    /// as its rule has seen: `None` if the present one is the good one.
    #[must_use]
    pub fn after(
        known: Option<Self>,
        [was, is]: [&Json; 2],
        is_well: bool,
        now: Timestamp,
    ) -> Option<Self> {
        let known = known.filter(|known| !known.is_settled(now));
        if was == is {
            return known;
        }
        let spec = known.map_or_else(|| Some(Arc::new(was.clone())), |known| known.spec);
        let is_back = spec.as_deref() == Some(is);
        (!is_back).then(|| Self {
            spec,
            well_since: is_well.then_some(now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn change(known: Option<LastWell>, was: &str, is: &str, minute: i64) -> Option<LastWell> {
        LastWell::after(known, [&was.into(), &is.into()], true, at(minute))
    }

    fn good(known: Option<&LastWell>) -> Option<&str> {
        known?.spec.as_ref()?.as_str()
    }

    #[test]
    fn the_good_spec_is_the_one_before_the_first_of_changes_that_follow_on_each_other() {
        let known = change(None, "a", "b", 0);
        let known = change(known, "b", "c", 5);
        assert_eq!(good(known.as_ref()), Some("a"));
    }

    #[test]
    fn a_spec_with_which_an_object_was_well_for_long_is_the_good_one() {
        let known = change(None, "a", "b", 0);
        let known = change(known, "b", "c", 10);
        assert_eq!(good(known.as_ref()), Some("b"));
    }

    #[test]
    fn no_time_makes_a_spec_good_with_which_an_object_is_ill() {
        let known = change(None, "a", "b", 0).unwrap().found(false, at(1));
        assert!(!known.is_settled(at(100)));
        let known = known.found(true, at(100));
        assert!(!known.is_settled(at(109)));
        assert!(known.is_settled(at(110)));
    }

    #[test]
    fn what_was_put_back_is_good() {
        let known = change(None, "a", "b", 0);
        assert_eq!(change(known, "b", "a", 1), None);
    }
}
