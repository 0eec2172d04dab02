//! [`Moment`]: what an expression sees, and the evaluation of a rule's conditions in it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Judgement, Rule, Verdict};
use crate::cel::{Bindings, Budget, EvalError, Evaluation, Json, Program};
use crate::transition::{ChangeKind, Transition};

/// One object at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    pub now: Timestamp,
    pub object: &'a Json,
    pub old: Option<&'a Json>,
    pub change: ChangeKind,
    pub event: Option<&'a Json>,
    /// Newest first.
    pub events: &'a [Json],
    pub late: bool,
}

/// The JSON that a transition's [`Moment`] borrows.
#[derive(Debug, Default)]
pub struct Related {
    pub event: Option<Json>,
    pub events: Vec<Json>,
}

impl<'a> Moment<'a> {
    #[must_use]
    pub fn of(now: Timestamp, transition: &'a Transition, related: &'a Related) -> Self {
        Self {
            now,
            object: &transition.object,
            old: transition.old.as_deref(),
            change: transition.change,
            event: related.event.as_ref(),
            events: &related.events,
            late: transition.late,
        }
    }

    /// The same object as it was before.
    pub(super) fn bindings(&self, rule: &'a Rule) -> Bindings<'a> {
        let bindings = Bindings::new()
            .json("object", self.object)
            .list("events", self.events)
            .json("params", &rule.params)
            .time("now", self.now)
            .text("change", self.change.as_str())
            .bool("late", self.late);
        let bindings = match self.old {
            Some(old) => bindings.json("oldObject", old),
            None => bindings,
        };
        match self.event {
            Some(event) => bindings.json("event", event),
            None => bindings,
        }
    }
}

impl Rule {
    /// Is this condition of the rule true at this moment?
    #[must_use]
    pub fn judge(&self, condition: &Program, moment: &Moment<'_>) -> Judgement {
        let bindings = moment.bindings(self);
        let mut budget = Budget::default();
        let Evaluation { result, next } = condition.evaluate(&bindings, &mut budget);
        let verdict = match result {
            Ok(value) => match value.as_bool() {
                Some(true) => Verdict::True,
                Some(false) => Verdict::False,
                None => Verdict::Unknown(format!(
                    "the expression is a {}, not a bool",
                    value.type_name()
                )),
            },
            Err(error) => Verdict::Unknown(in_words(condition, &error)),
        };
        Judgement { verdict, next }
    }
}

/// The error with its place in the expression and in the object.
pub(super) fn in_words(program: &Program, error: &EvalError) -> String {
    let before = program.source().get(..error.span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    match &error.path {
        Some(path) => format!("{}, at {path}, {line}:{column}", error.message),
        None => format!("{}, at {line}:{column}", error.message),
    }
}

/// The Events as expressions see them.
#[must_use]
pub fn in_language(events: &[Arc<crate::watch::KubernetesEvent>]) -> Vec<Json> {
    events.iter().map(|event| event.to_json()).collect()
}
