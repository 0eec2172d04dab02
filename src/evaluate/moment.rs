//! [`Moment`]: what an expression sees; [`Sight`]: the evaluation of rules' conditions in it.

use std::cell::Cell;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Judgement, Rule, Trigger, Verdict};
use crate::cel::{Bindings, Budget, EvalError, Evaluation, Json, Memo, Program, Tree};
use crate::names::{ObjectRef, Uid};
use crate::transition::{ChangeKind, Transition, object_ref};

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
    /// The lists, with the names that expressions have for them.
    pub related: &'a [(Arc<str>, Vec<Json>)],
    /// Its Namespace, if somebody reads it and it is known; an empty one for an object that has none.
    pub namespace: Option<&'a Json>,
    /// Who owns it, if an inhibition asks for it.
    pub owners: &'a [Uid],
    pub late: bool,
    /// Counts the steps of all evaluations.
    pub spent: &'a Cell<u64>,
}

/// What is around an object: the JSON that a transition's [`Moment`] borrows.
#[derive(Debug, Default)]
pub struct Surroundings {
    pub event: Option<Json>,
    pub events: Vec<Json>,
    /// When the first of the Events is no longer seen.
    pub expires: Option<Timestamp>,
    pub related: Vec<(Arc<str>, Vec<Json>)>,
    pub namespace: Option<Json>,
    /// Who owns it, directly or through others, if an inhibition asks for it.
    pub owners: Vec<Uid>,
    /// The steps that evaluations here took, and nobody was charged with yet.
    pub spent: Cell<u64>,
}

impl<'a> Moment<'a> {
    #[must_use]
    pub fn of(now: Timestamp, transition: &'a Transition, around: &'a Surroundings) -> Self {
        Self {
            now,
            object: &transition.object,
            old: transition.old.as_deref(),
            change: transition.change,
            event: around.event.as_ref(),
            events: &around.events,
            related: &around.related,
            namespace: around.namespace.as_ref(),
            owners: &around.owners,
            late: transition.late,
            spent: &around.spent,
        }
    }

    /// Gives an evaluation its budget, and counts what it took of it.
    pub(super) fn budgeted<T>(&self, evaluate: impl FnOnce(&mut Budget) -> T) -> T {
        let mut budget = Budget::default();
        let most = budget.steps;
        let answer = evaluate(&mut budget);
        let spent = self.spent.get() + most.saturating_sub(budget.steps);
        self.spent.set(spent);
        answer
    }

    /// What every rule sees of it; `params` are the rule's own.
    fn bindings(&self) -> Bindings<'a> {
        let bindings = Bindings::new()
            .json("object", self.object)
            .list("events", self.events)
            .time("now", self.now)
            .text("change", self.change.as_str())
            .bool("late", self.late);
        let bindings = self
            .related
            .iter()
            .fold(bindings, |bindings, (name, list)| bindings.list(name, list));
        let bindings = match self.namespace {
            Some(namespace) => bindings.json("namespaceObject", namespace),
            None => bindings,
        };
        let bindings = match self.old {
            Some(old) => bindings.json("oldObject", old),
            None => bindings,
        };
        match self.event {
            Some(event) => bindings.json("event", event),
            None => bindings,
        }
    }

    /// The same, as one rule sees it.
    pub(super) fn bindings_of(&self, rule: &'a Rule) -> Bindings<'a> {
        self.bindings().json("params", &rule.params)
    }
}

/// Why a rule has the verdict that it has.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Its condition, part by part.
    pub tree: Tree,
    pub judgement: Judgement,
    /// The objects of each list that the rule reads, by the list's name.
    pub related: Vec<(Arc<str>, Vec<ObjectRef>)>,
}

/// The names that mean the same in all rules that look at one moment.
pub(super) const SHARED: [&str; 6] = ["object", "oldObject", "event", "events", "change", "late"];

/// The same, also for rules that see the Events of related objects.
pub(super) const SHARED_BY_ALL: [&str; 5] = ["object", "oldObject", "event", "change", "late"];

/// One moment, looked at by one rule after the other: what they have in common is evaluated once.
pub struct Sight<'a, 'm> {
    pub moment: &'a Moment<'a>,
    bindings: Bindings<'a>,
    memo: &'m mut Memo,
}

impl<'a, 'm> Sight<'a, 'm> {
    #[must_use]
    pub fn new(moment: &'a Moment<'a>, memo: &'m mut Memo) -> Self {
        memo.begin();
        Self {
            moment,
            bindings: moment.bindings(),
            memo,
        }
    }

    /// Is this condition of the rule true at this moment?
    #[must_use]
    pub fn judge(&mut self, rule: &'a Rule, condition: &'a Program) -> Judgement {
        self.bindings.rebind("params", &rule.params);
        let Evaluation { result, next } = self
            .moment
            .budgeted(|budget| condition.evaluate_with(&self.bindings, self.memo, budget));
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

    /// The condition of a rule (`when`, or `on`), part by part.
    #[must_use]
    pub fn explain(&mut self, rule: &'a Rule) -> Explanation {
        let condition = match &rule.trigger {
            Trigger::State { when, .. } => when,
            Trigger::Occurrence { on, .. } => on,
        };
        let judgement = self.judge(rule, condition);
        let tree = condition.explain(&self.moment.bindings_of(rule));
        let related = self.moment.related.iter();
        let related =
            related.map(|(name, list)| (name.clone(), list.iter().map(reference).collect()));
        Explanation {
            tree,
            judgement,
            related: related.collect(),
        }
    }
}

fn reference(object: &Json) -> ObjectRef {
    let uid = object.at(&["metadata", "uid"]).and_then(Json::as_str);
    object_ref(Uid::parse(uid.unwrap_or_default()), object)
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
