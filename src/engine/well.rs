//! What is remembered for the `changes` of templates: the `spec` with which a rule last found an
//! object well. Only of rules whose templates read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::pass::Pass;
use crate::cel::Json;
use crate::evaluate::changes::{Base, SPEC};
use crate::evaluate::{Occasion, Rule, Trigger, Verdict};
use crate::names::{RuleName, Uid};
use crate::transition::{ChangeKind, LastWell, Transition};

static NONE: Json = Json::Null;

const NEVER_SEEN: LastWell = LastWell {
    spec: None,
    well_since: None,
};

impl Engine {
    /// Before a rule judges a transition: what it changed in the object's `spec`. Gives what the
    /// rule's alerts of this moment count their changes from.
    pub(super) fn note_spec(
        &mut self,
        (stream, number): (usize, usize),
        rule: &Rule,
        transition: &Transition,
        pass: Pass,
    ) -> Option<LastWell> {
        if !rule.view.changes {
            return None;
        }
        let key = (number, transition.uid);
        let before = self.last_well.get(&key);
        let old = transition.old.as_ref().filter(|old| {
            let same = Arc::ptr_eq(old, &transition.object);
            let known = self.streams[stream].known_before.as_ref();
            same || !pass.is_first() || known.is_some_and(|known| known.covers(&SPEC))
        });
        let after = match (transition.change, old) {
            (ChangeKind::Deleted, _) => return before.cloned(),
            (_, Some(old)) => {
                let specs = [old, &transition.object];
                let specs = specs.map(|object| object.get("spec").unwrap_or(&NONE));
                let is_well = self.is_well(key, rule);
                LastWell::after(before.cloned(), specs, is_well, self.now)
            }
            (_, None) => Some(before.cloned().unwrap_or(LastWell {
                // One that is new has to prove that it is well with what it has.
                well_since: (!pass.is_first()).then_some(self.now),
                ..NEVER_SEEN
            })),
        };
        if before != after.as_ref() {
            self.remember(stream, key, after.clone());
        }
        after
    }

    /// After it: whether the object is well with the `spec` that it has.
    pub(super) fn note_well(
        &mut self,
        stream: usize,
        key: (usize, Uid),
        pass: Pass,
        verdict: &Verdict,
    ) {
        let is_well = match verdict {
            Verdict::True => false,
            Verdict::False => true,
            Verdict::Unknown(_) => return,
        };
        let Some(before) = self.last_well.get(&key) else {
            return;
        };
        // What was there before the rule looked, and is well, is taken for good.
        let trusted = is_well && pass.is_first() && *before == NEVER_SEEN;
        let after = (!trusted).then(|| before.found(is_well, self.now));
        if Some(before) != after.as_ref() {
            self.remember(stream, key, after);
        }
    }

    /// Rules that look at objects for the first time do not know with which `spec` they were well.
    pub(super) fn know_nothing_of(&mut self, stream: usize, positions: &[usize], uid: Uid) {
        for position in positions {
            let number = self.rules.sources[stream].rules[*position];
            if self.rules.rules[number].view.changes {
                self.last_well.entry((number, uid)).or_insert(NEVER_SEEN);
            }
        }
    }

    fn remember(&mut self, stream: usize, key: (usize, Uid), known: Option<LastWell>) {
        match known {
            Some(known) => drop(self.last_well.insert(key, known)),
            None => drop(self.last_well.remove(&key)),
        }
        self.write_later(stream, key.1);
    }

    /// As far as the rule has seen.
    fn is_well(&self, key: (usize, Uid), rule: &Rule) -> bool {
        match &rule.trigger {
            Trigger::State { .. } => {
                let alert = self.alerts.active(key.1, &rule.name);
                alert.is_none_or(|alert| alert.keep_since.is_some())
            }
            Trigger::Occurrence { .. } => self.levels.get(&key) != Some(&true),
        }
    }

    /// The same for the journal, by the rules' names.
    pub(super) fn last_well_of(&self, stream: usize, uid: Uid) -> BTreeMap<RuleName, LastWell> {
        if self.last_well.is_empty() {
            return BTreeMap::new();
        }
        let numbers = self.rules.sources[stream].rules.iter();
        numbers
            .filter_map(|number| {
                let known = self.last_well.get(&(*number, uid))?;
                Some((self.rules.rules[*number].name.clone(), known.clone()))
            })
            .collect()
    }
}

/// What the changes of a rule's alerts are counted from. A rule that is on a change compares with
/// what was just before; all others with what was good.
pub(super) fn base<'a>(
    rule: &Rule,
    transition: &'a Transition,
    last_well: Option<&'a LastWell>,
) -> Base<'a> {
    if let Trigger::Occurrence {
        occasion: Occasion::Transition { .. },
        ..
    } = rule.trigger
    {
        let old = transition.old.as_ref();
        return old.map_or(Base::Unknown, |old| {
            Base::Spec(old.get("spec").unwrap_or(&NONE))
        });
    }
    match last_well.map(|known| known.spec.as_deref()) {
        None => Base::Present,
        Some(Some(spec)) => Base::Spec(spec),
        Some(None) => Base::Unknown,
    }
}
