//! Conditions that many expressions have in common, evaluated once for all of them.
//!
//! Two hundred rules of a kind ask `object.status.phase == 'Failed'`; the answer is the same in
//! all of them. [`Terms`] numbers the conditions while expressions are compiled, a [`Memo`] keeps
//! the answers while they are evaluated over the same values.
//!
//! A shared answer is not observable: only what was answered without an error is kept, and whoever
//! uses it pays the steps and bytes that it took. What depends on `now`, on a definition, or on a
//! name that is not the same for all expressions is never shared.

use super::library::prepared::Prepared;
use super::node::{Base, LoopKind, Node, Op, Slopes};
use super::program::{Budget, Name};
use super::value::Value;
use super::value::opaque::Opaque as _;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers the conditions of the expressions that are compiled with it; see
/// [`super::Env::sharing`].
#[derive(Clone, Debug, Default)]
pub struct Terms(Arc<Mutex<HashMap<Box<str>, u32>>>);

impl Terms {
    /// Gives every condition in this expression its number that reads only these names.
    pub(super) fn number(&self, root: &mut Node, names: &[Name], shared: &[Arc<str>]) {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shape = Shape {
            names,
            shared,
            text: String::new(),
        };
        number(root, &mut shape, &mut numbers);
    }
}

fn number(node: &mut Node, shape: &mut Shape<'_>, numbers: &mut HashMap<Box<str>, u32>) {
    let is_condition = matches!(
        &node.op,
        Op::Equal(..) | Op::Compare(..) | Op::In(..) | Op::Has(..) | Op::Loop(_) | Op::Matches(..)
    );
    if is_condition {
        shape.text.clear();
        if shape.node(node, 0).is_some() {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            node.term = match numbers.get(shape.text.as_str()) {
                Some(number) => Some(*number),
                None => Some(*numbers.entry(shape.text.as_str().into()).or_insert(next)),
            };
            return;
        }
    }
    for child in node.children_mut() {
        number(child, shape, numbers);
    }
}

/// Writes what a sub-expression does, without where it stands; two that are written the same are
/// the same.
struct Shape<'n> {
    names: &'n [Name],
    shared: &'n [Arc<str>],
    text: String,
}

impl Shape<'_> {
    /// `inside`: how many variables of macros around it are part of what is written. `None`: it
    /// depends on something that is not shared.
    fn node(&mut self, node: &Node, inside: u16) -> Option<()> {
        match &node.op {
            Op::Const(value) => self.constant(value)?,
            Op::Root(root) => self.root(*root)?,
            Op::Local(up) => self.local(*up, inside)?,
            Op::Path(base, fields) => {
                match base {
                    Base::Root(root) => self.root(*root)?,
                    Base::Local(up) => self.local(*up, inside)?,
                }
                for field in fields {
                    self.write(format_args!(".{:?}", field.name));
                }
            }
            Op::Select(_, field) => self.write(format_args!("select {:?}", field.name)),
            Op::Has(_, field) => self.write(format_args!("has {:?}", field.name)),
            Op::Equal(_, negated) => self.write(format_args!("equal {}", negated.0)),
            Op::Compare(_, comparison, slopes) if *slopes == Slopes::default() => {
                self.write(format_args!("compare {comparison:?}"));
            }
            Op::Arithmetic(_, op) => self.write(format_args!("arithmetic {op:?}")),
            Op::Matches(_, regex) => self.write(format_args!("matches {:?}", regex.as_str())),
            Op::Call(function, args) => {
                self.write(format_args!("call {} {}", function.name, args.len()));
            }
            Op::And(terms) => self.write(format_args!("and {}", terms.len())),
            Op::Or(terms) => self.write(format_args!("or {}", terms.len())),
            Op::Index(..) => self.write(format_args!("index")),
            Op::In(..) => self.write(format_args!("in")),
            Op::Not(_) => self.write(format_args!("not")),
            Op::Negate(_) => self.write(format_args!("negate")),
            Op::Cond(_) => self.write(format_args!("cond")),
            Op::Loop(l) => {
                let is_condition = matches!(
                    l.kind,
                    LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne
                );
                let (Some(condition), true) = (&l.condition, is_condition) else {
                    return None;
                };
                let variables = u16::from(l.variables);
                self.write(format_args!("{:?} {variables} (", l.kind));
                self.node(&l.range, inside)?;
                self.node(condition, inside + variables)?;
                self.text.push(')');
                return Some(());
            }
            _ => return None,
        }
        self.text.push('(');
        for child in node.children() {
            self.node(child, inside)?;
        }
        self.text.push(')');
        Some(())
    }

    fn root(&mut self, root: u16) -> Option<()> {
        let name = self.names.get(usize::from(root))?;
        self.shared.contains(&name.name).then_some(())?;
        self.write(format_args!("root {:?} {:?}", name.name, name.origin));
        Some(())
    }

    fn local(&mut self, up: u16, inside: u16) -> Option<()> {
        (up < inside).then_some(())?;
        self.write(format_args!("local {up}"));
        Some(())
    }

    /// The kind of a constant is part of it: `1` is not `1.0`.
    fn constant(&mut self, value: &Value<'static>) -> Option<()> {
        match value {
            Value::Opaque(opaque) => {
                let prepared = opaque.downcast::<Prepared>()?;
                self.write(format_args!("const {}", prepared.to_json()));
            }
            Value::Optional(_) | Value::Map(_) => return None,
            Value::List(list) => {
                self.write(format_args!("list {}", list.items().len()));
                list.items()
                    .iter()
                    .try_for_each(|item| self.constant(item))?;
            }
            scalar => self.write(format_args!("const {scalar:?}")),
        }
        Some(())
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(what);
    }
}

/// The answers to the conditions of one [`Terms`], for one set of values.
#[derive(Debug, Default)]
pub struct Memo {
    /// Which set of values this is.
    round: u32,
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// In which round it was given; 0 is none.
    round: u32,
    steps: u32,
    bytes: u32,
    truth: bool,
}

impl Memo {
    /// Forgets the answers: other values follow.
    pub fn begin(&mut self) {
        self.round = self.round.checked_add(1).unwrap_or_else(|| {
            self.answers.clear();
            1
        });
    }

    /// The answer to a condition, if it is known and the budget allows what it took.
    #[inline]
    pub(super) fn get(&self, term: u32, budget: &mut Budget) -> Option<bool> {
        let answer = self.answers.get(term as usize)?;
        if answer.round != self.round {
            return None;
        }
        budget.steps = budget.steps.checked_sub(u64::from(answer.steps))?;
        budget.bytes = budget.bytes.checked_sub(u64::from(answer.bytes))?;
        Some(answer.truth)
    }

    /// Keeps an answer, and what the budget had `before` it and has now.
    pub(super) fn put(&mut self, term: u32, truth: bool, before: Budget, now: Budget) {
        let took = |before: u64, now: u64| u32::try_from(before - now).ok();
        let (Some(steps), Some(bytes)) =
            (took(before.steps, now.steps), took(before.bytes, now.bytes))
        else {
            return;
        };
        let at = term as usize;
        if at >= self.answers.len() {
            self.answers.resize(at + 1, Answer::default());
        }
        self.answers[at] = Answer {
            round: self.round,
            steps,
            bytes,
            truth,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{env, json, now};
    use super::super::{Bindings, Budget, Program};
    use super::*;

    fn compiled(sources: &[&str]) -> (usize, Vec<Program>) {
        let terms = Terms::default();
        let env = env().sharing(&terms, &["object", "oldObject", "events"]);
        let programs = sources.iter().map(|source| env.compile(source));
        let programs = programs.map(|program| program.expect("the test's expressions are valid"));
        let programs = programs.collect();
        let numbered = terms.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        (numbered, programs)
    }

    #[test]
    fn a_condition_is_known_by_what_it_does_not_by_how_it_is_written() {
        let same = [
            "object.a == 'x' && true",
            "!( object.a  ==  \"x\")",
            "object.l.exists(c, c.t == 'x' && c.s == object.a)",
            "object.l.exists(d, d.t == 'x' && d.s == object.a) || false",
        ];
        assert_eq!(compiled(&same).0, 2);
        let others = [
            "object.a == 'y'",
            "object.a != 'x'",
            "oldObject.a == 'x'",
            "object.b == 'x'",
            "object['a'] == 1",
            "object.a == 1",
            "object.a == 1.0",
            "object.a == 1u",
            "object.a == ['x']",
            "object.a in ['x']",
            "object.a in ['x', 'y']",
            "object.l.all(c, c.t == 'x')",
            "object.l.exists(c, c.t == 'x')",
            "object.l.exists(c, object.l.exists(d, d == c))",
            "object.l.exists(c, object.l.exists(d, d == d))",
            "object.a.startsWith('x') == true",
            "object.a.endsWith('x') == true",
            "object.a.matches('x')",
            "object.a.matches('y')",
        ];
        assert_eq!(compiled(&others).0, others.len());
    }

    #[test]
    fn what_is_not_the_same_for_all_is_not_shared() {
        let sources = [
            "object.a > params.limit",
            "now - timestamp(object.t) > duration('5m')",
            "age(object.t) > duration('5m')",
            "object.l.map(c, c.t) == ['x']",
        ];
        assert_eq!(compiled(&sources).0, 0);
        let inner = ["object.l.exists(c, c.n > params.limit && object.a == 'x')"];
        assert_eq!(
            compiled(&inner).0,
            1,
            "only what does not read the parameter"
        );
    }

    #[test]
    fn an_answer_is_given_once_a_round() {
        let (_, programs) = compiled(&["object.a == 'x'", "object.a == 'x' && object.b == 1"]);
        let (first, second) = (json(r#"{"a":"x","b":1}"#), json(r#"{"a":"y","b":1}"#));
        let mut memo = Memo::default();
        for (object, wanted) in [(&first, true), (&second, false), (&first, true)] {
            memo.begin();
            let bindings = Bindings::new().json("object", object).time("now", now());
            for program in &programs {
                let evaluation =
                    program.evaluate_with(&bindings, &mut memo, &mut Budget::default());
                assert_eq!(
                    evaluation.result.map(|value| value.as_bool()),
                    Ok(Some(wanted))
                );
            }
        }
    }
}
