//! [`Deferred`]: what happened while the rules of a tenant may not evaluate anything.
//!
//! A state is looked at again when they may, as it is then. Something that happened has to be looked
//! at as it was.

use std::collections::HashMap;

use super::pass::Pass;
use super::wakes::Wake;
use crate::transition::Transition;

/// So many transitions wait at most, of all tenants.
pub(super) const MOST: usize = 10_000;

/// Transitions that wait for rules that are `on` them, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    waiting: HashMap<Wake, Vec<(Transition, Pass)>>,
    count: usize,
}

impl Deferred {
    /// `false`: too many wait already.
    pub(super) fn push(&mut self, wake: Wake, transition: &Transition, pass: Pass) -> bool {
        if self.count >= MOST {
            return false;
        }
        self.count += 1;
        let waiting = self.waiting.entry(wake).or_default();
        waiting.push((transition.clone(), pass));
        true
    }

    pub(super) fn take(&mut self, wake: Wake) -> Vec<(Transition, Pass)> {
        let taken = self.waiting.remove(&wake).unwrap_or_default();
        self.count -= taken.len();
        taken
    }

    pub(super) fn has(&self, wake: Wake) -> bool {
        self.waiting.contains_key(&wake)
    }

    /// Puts each under the numbers that it has now, or forgets it.
    pub(super) fn renumber(&mut self, number: &dyn Fn(Wake) -> Option<Wake>) {
        let before = std::mem::take(self);
        for (wake, waiting) in before.waiting {
            if let Some(wake) = number(wake) {
                self.count += waiting.len();
                self.waiting.insert(wake, waiting);
            }
        }
    }
}
