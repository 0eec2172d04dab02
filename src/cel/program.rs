//! [`Program`]: a compiled expression; what it reads; its evaluation over [`Bindings`].

use super::compile::flow::Flow;
use super::error::EvalError;
use super::evaluate::{Machine, evaluate};
use super::json::Json;
use super::node::{Node, Span};
use super::paths::PathSet;
use super::terms::Memo;
use super::value::{Origin, Value};
use jiff::Timestamp;
use std::sync::Arc;

/// A compiled expression: shared, cheap to clone, usable from many threads.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) code: Arc<Code>,
}

/// What the compiler makes of a source.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub source: Arc<str>,
    pub root: Node,
    /// The names that this very expression reads.
    pub names: Vec<Name>,
    /// The definitions that it uses.
    pub definitions: Vec<(Arc<str>, Program)>,
    /// What it reads, with what the definitions read.
    pub reads: Vec<(Arc<str>, PathSet)>,
    /// The same without reading its value: that is up to whoever uses it as a definition.
    pub inner_reads: Vec<(Arc<str>, PathSet)>,
    /// The paths that its value may come from.
    pub flow: Flow,
    pub reads_now: bool,
    /// Absent fields are errors.
    pub strict: bool,
    /// How its value moves with `now`.
    pub slope: i8,
    /// Which part of the source is which path, for messages.
    pub paths: Vec<(Span, String)>,
    /// Parts that `dyn()` keeps from being checked.
    pub dynamic: Vec<Span>,
}

#[derive(Clone, Debug)]
pub(super) struct Name {
    pub name: Arc<str>,
    pub origin: Origin,
}

impl Program {
    /// The expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.code.source
    }

    /// What it reads of a name: its own reads and those of the definitions that it uses. `None`
    /// if it does not read the name at all. `changed` and `became` read both `object` and
    /// `oldObject`.
    #[must_use]
    pub fn reads(&self, root: &str) -> Option<&PathSet> {
        self.code
            .reads
            .iter()
            .find(|(name, _)| **name == *root)
            .map(|(_, paths)| paths)
    }

    /// The names that it reads.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.code.reads.iter().map(|(name, _)| &**name)
    }

    /// Whether its answer can change by time alone.
    #[must_use]
    pub fn reads_now(&self) -> bool {
        self.code.reads_now
    }

    /// Whether the moment at which its answer changes is not computed: it is looked at again every
    /// minute.
    #[must_use]
    pub fn rechecks(&self) -> bool {
        self.code.slope != 0
            || self.code.root.rechecks()
            || self
                .code
                .definitions
                .iter()
                .any(|(_, program)| program.rechecks())
    }

    /// Evaluates it. Steps and bytes are taken from the budget.
    #[must_use]
    pub fn evaluate<'a>(&'a self, bindings: &Bindings<'a>, budget: &mut Budget) -> Evaluation<'a> {
        self.run(bindings, None, budget)
    }

    /// The same, sharing answers with other expressions. Since [`Memo::begin`] the names that they
    /// share ([`super::Env::sharing`]) must have had the same values.
    #[must_use]
    pub fn evaluate_with<'a>(
        &'a self,
        bindings: &Bindings<'a>,
        memo: &mut Memo,
        budget: &mut Budget,
    ) -> Evaluation<'a> {
        self.run(bindings, Some(memo), budget)
    }

    fn run<'a, 'b>(
        &'a self,
        bindings: &'b Bindings<'a>,
        memo: Option<&'b mut Memo>,
        budget: &mut Budget,
    ) -> Evaluation<'a> {
        let mut machine = Machine::new(Some(&self.code), bindings, *budget);
        machine.memo = memo;
        if self.code.slope != 0 {
            machine.recheck();
        }
        let result = evaluate(&self.code, &mut machine);
        *budget = machine.budget;
        Evaluation {
            result: result.map_err(|fault| *fault),
            next: machine.next,
        }
    }
}

/// The values of the names, for one or more evaluations.
#[derive(Clone, Debug, Default)]
pub struct Bindings<'a> {
    entries: Vec<(&'a str, Bound<'a>)>,
}

#[derive(Clone, Debug)]
enum Bound<'a> {
    Json(&'a Json),
    List(&'a [Json]),
    Value(Value<'a>),
}

impl<'a> Bindings<'a> {
    /// With room for the names that a rule sees.
    #[must_use]
    pub fn new() -> Bindings<'a> {
        Bindings {
            entries: Vec::with_capacity(8),
        }
    }

    /// Binds a JSON value.
    #[must_use]
    pub fn json(self, name: &'a str, json: &'a Json) -> Self {
        self.bind(name, Bound::Json(json))
    }

    /// Binds a list of JSON values.
    #[must_use]
    pub fn list(self, name: &'a str, list: &'a [Json]) -> Self {
        self.bind(name, Bound::List(list))
    }

    /// Binds a moment.
    #[must_use]
    pub fn time(self, name: &'a str, time: Timestamp) -> Self {
        self.value(name, Value::Timestamp(time))
    }

    #[must_use]
    pub fn bool(self, name: &'a str, value: bool) -> Self {
        self.value(name, Value::Bool(value))
    }

    /// Binds a string.
    #[must_use]
    pub fn text(self, name: &'a str, value: &'a str) -> Self {
        self.value(name, Value::Str(value))
    }

    /// Binds a value of any type.
    #[must_use]
    pub fn value(self, name: &'a str, value: Value<'a>) -> Self {
        self.bind(name, Bound::Value(value))
    }

    /// Binds a JSON value in the place of the one that the name has.
    pub fn rebind(&mut self, name: &'a str, json: &'a Json) {
        let bound = Bound::Json(json);
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = bound,
            None => self.entries.push((name, bound)),
        }
    }

    fn bind(mut self, name: &'a str, bound: Bound<'a>) -> Self {
        self.entries.push((name, bound));
        self
    }

    /// The value of a name; `None` if it has none here.
    pub(super) fn find(&self, name: &str, origin: Origin) -> Option<Value<'a>> {
        let (_, bound) = self.entries.iter().find(|(n, _)| *n == name)?;
        Some(match bound {
            Bound::Json(json) => Value::from_json(json, origin),
            Bound::List(list) => Value::JsonList(list, origin),
            Bound::Value(value) => value.clone(),
        })
    }
}

/// What evaluations may still use. Share one over the expressions of a rule to bound the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Sub-expressions evaluated and elements visited.
    pub steps: u64,
    /// Bytes of the strings, lists and maps that the expression makes.
    pub bytes: u64,
}

/// A million steps (some ten milliseconds) and 16 MiB.
impl Default for Budget {
    fn default() -> Budget {
        Budget {
            steps: 1_000_000,
            bytes: 16 << 20,
        }
    }
}

/// The answer, and until when it holds.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    pub result: Result<Value<'a>, EvalError>,
    /// The earliest moment after `now` at which the answer can differ although nothing but `now`
    /// changes; `None`: never.
    pub next: Option<Timestamp>,
}
