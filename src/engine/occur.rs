//! Rules that are `on` something: whether it happened, and whether it is over.

use std::sync::Arc;

use super::decide::{Look, Part};
use super::{Effects, Engine};
use crate::alert::Ending;
use crate::cel::{Json, Program};
use crate::config::OnStartup;
use crate::evaluate::{Occasion, Sight, Verdict};
use crate::transition::{ChangeKind, Transition};

impl Engine {
    pub(super) fn occurrence<'a>(
        &mut self,
        look: &Look<'a>,
        on: &'a Program,
        occasion: Occasion,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) {
        let happened = match occasion {
            Occasion::Becoming { reads_events } => {
                self.becomes(look, on, reads_events, sight, effects)
            }
            _ => {
                applies(look, occasion)
                    && self.judge(look, on, Part::Trigger, sight, effects) == Verdict::True
            }
        };
        if !happened {
            return;
        }
        let (occurrence, count) = match &look.transition.event {
            Some(event) if occasion == Occasion::Event => (event.uid.to_string(), event.count),
            _ => (self.version(look.transition), 1),
        };
        let subject = look.subject();
        let told = self
            .alerts
            .occur(look.rule, &subject, &occurrence, count, effects);
        if let Some(alert) = told {
            self.tell(&alert, effects);
        }
    }

    /// An `on` rule that is no function of a change fires when it becomes true.
    fn becomes<'a>(
        &mut self,
        look: &Look<'a>,
        on: &'a Program,
        reads_events: bool,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) -> bool {
        match look.transition.change {
            ChangeKind::Deleted => return false,
            ChangeKind::Event if !reads_events => return false,
            _ => {}
        }
        let key = (look.number, look.transition.uid);
        let verdict = self.judge(look, on, Part::Trigger, sight, effects);
        self.note_well(look.stream, key, look.pass, &verdict);
        let is = match verdict {
            Verdict::True => true,
            Verdict::False => false,
            Verdict::Unknown(_) => return false,
        };
        let was = self.levels.insert(key, is);
        // An object that was known before the rule was: its first verdict is where it starts.
        let starts = was.is_none()
            && look.pass.first
            && (look.pass.baseline || look.transition.old.is_some());
        let happened =
            is && was != Some(true) && !(starts && look.rule.on_startup == OnStartup::Baseline);
        if happened {
            // Told and not remembered would be told again.
            self.write_object(look.stream, look.transition.uid, effects);
        } else if was != Some(is) {
            self.write_later(look.stream, look.transition.uid);
        }
        happened
    }

    /// Is what happened over?
    pub(super) fn until<'a>(
        &mut self,
        look: &Look<'a>,
        until: &'a Program,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) {
        let active = self.alerts.active(look.transition.uid, &look.rule.name);
        let Some(alert) = active.cloned() else {
            return;
        };
        if look.transition.change == ChangeKind::Deleted {
            self.object_gone(look, effects);
        } else if self.judge(look, until, Part::Until, sight, effects) == Verdict::True
            && let Some(alert) = self.alerts.end(self.now, &alert, Ending::Cleared, effects)
        {
            self.tell(&alert, effects);
        }
    }

    /// What tells one occurrence about an object from the next: its version; where something else than
    /// the object changed, or time did, also the moment.
    fn version(&self, transition: &Transition) -> String {
        let Transition { object, old, .. } = transition;
        let version = object.at(&["metadata", "resourceVersion"]);
        let version = version.and_then(Json::as_str).unwrap_or_default();
        match old {
            Some(old) if Arc::ptr_eq(old, object) => format!("{version}@{}", self.now),
            _ => version.to_owned(),
        }
    }
}

/// Whether an `on` expression is to be evaluated for a transition. "Not applicable" is not unknown.
fn applies(look: &Look<'_>, occasion: Occasion) -> bool {
    let Transition { change, old, .. } = look.transition;
    match occasion {
        Occasion::Event => *change == ChangeKind::Event,
        Occasion::Transition {
            reads_old,
            reads_change,
        } => match (change, old) {
            (ChangeKind::Event, _) => false,
            (_, None) if reads_old => false,
            (ChangeKind::Modified, Some(_)) if !look.comparable => false,
            (ChangeKind::Added, _) => {
                !look.pass.baseline || look.rule.on_startup == OnStartup::Fire
            }
            (ChangeKind::Deleted, _) => reads_change && !look.transition.left_selection,
            (ChangeKind::Modified, None) => false,
            (ChangeKind::Modified, Some(old)) => {
                look.rule.watches.changed(old, &look.transition.object)
            }
        },
        Occasion::Becoming { .. } => true,
    }
}
