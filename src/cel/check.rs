//! Types: what is wrong with an expression before it ever runs.
//!
//! In: a compiled [`Program`] and the [`Types`] of the names that it reads. Out: the type of its
//! value, and every part that cannot work, or whose answer is always the same by mistake: a field
//! that the schema does not have, text that is none of an enum's values, types that no operator or
//! function takes.
//!
//! What is not known (`Dyn`) is never refused, and neither is anything that an evaluation would
//! answer with the schema kept. JSON has fewer types than schemas: where it matters whether a
//! number is a double and text is a time, the schema decides ([`readings`]).

mod compare;
mod loops;
mod names;
mod readings;

use super::env::Problem;
use super::error::brief;
use super::library::{Function, signature};
use super::node::{Arithmetic, Node, Op, Span};
use super::program::{Code, Program};
use super::types::{Object, Type};
use super::value::Value;
use readings::Readings;
use std::ops::Range;
use std::sync::Arc;

/// What the names that an expression may read stand for. A name that is not here is `Dyn`.
#[derive(Clone, Debug, Default)]
pub struct Types {
    names: Vec<(Arc<str>, Type)>,
}

/// What was found out about a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The type of its value.
    pub of: Type,
    /// In the order of the source.
    pub problems: Vec<Problem>,
    /// What its fields are read as.
    readings: Readings,
}

impl Types {
    #[must_use]
    pub fn new() -> Types {
        Types::default()
    }

    /// Says what a name stands for. A name may have dots (`variables.ready`).
    #[must_use]
    pub fn with(mut self, name: &str, of: Type) -> Types {
        self.names.push((name.into(), of));
        self
    }

    /// The type of a name.
    #[must_use]
    pub fn of(&self, name: &str) -> Type {
        let found = self.names.iter().rev().find(|(known, _)| **known == *name);
        found.map_or(Type::Dyn, |(_, of)| of.clone())
    }

    /// The names of a root with dots, as its fields: those of `variables.ready` for `variables`.
    #[must_use]
    pub fn under(&self, root: &str) -> Type {
        let field = |(name, of): &(Arc<str>, Type)| {
            let name = name.strip_prefix(root)?.strip_prefix('.')?;
            Some((Arc::from(name), of.clone()))
        };
        let fields = self.names.iter().filter_map(field).collect();
        Type::Object(Arc::new(Object::new(root, fields, false)))
    }
}

impl Program {
    /// Checks it.
    #[must_use]
    pub fn check(&self, types: &Types) -> Checked {
        let mut checker = Checker {
            code: &self.code,
            types,
            locals: Vec::new(),
            problems: Vec::new(),
            readings: Readings::default(),
        };
        let of = checker.of(&self.code.root);
        let (mut problems, readings) = (checker.problems, checker.readings);
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        Checked {
            of,
            problems,
            readings,
        }
    }
}

struct Checker<'p> {
    code: &'p Code,
    types: &'p Types,
    /// The variables of the macros around, innermost last.
    locals: Vec<Type>,
    problems: Vec<Problem>,
    readings: Readings,
}

impl<'p> Checker<'p> {
    /// Notes a problem, once: `changed` looks at its argument twice. Nothing is known of the value.
    fn problem(&mut self, span: Range<usize>, message: String, help: Option<String>) -> Type {
        let message = brief(message);
        let known = |other: &Problem| other.span == span && other.message == message;
        if !self.problems.iter().any(known) {
            self.problems.push(Problem {
                span,
                message,
                help,
            });
        }
        Type::Dyn
    }

    /// A part of the source.
    fn text(&self, span: Span) -> &'p str {
        self.code.source.get(span.range()).unwrap_or_default()
    }

    /// The type of a sub-expression.
    fn of(&mut self, node: &'p Node) -> Type {
        let of = self.seen(node);
        // `dyn(x)` asks not to be checked; nothing else of the node is left of it.
        if self.code.dynamic.contains(&node.span) {
            return Type::Dyn;
        }
        of
    }

    fn seen(&mut self, node: &'p Node) -> Type {
        match &node.op {
            Op::Const(value) => Type::of_value(value),
            Op::Root(_) | Op::Local(_) | Op::Path(..) | Op::Select(..) | Op::Has(..) => {
                self.name(node)
            }
            Op::Index(operand, index) => self.index(operand, index, node.span),
            Op::OptionalIndex(operand, index) => match self.index(operand, index, node.span) {
                of @ Type::Optional(_) => of,
                of => Type::optional(of),
            },
            Op::And(terms) | Op::Or(terms) => {
                for term in terms {
                    self.condition(term);
                }
                Type::Bool
            }
            Op::Not(inner) => {
                self.condition(inner);
                Type::Bool
            }
            Op::Cond(parts) => {
                let [condition, yes, no] = &**parts;
                self.condition(condition);
                self.of(yes).join(&self.of(no))
            }
            Op::Equal(sides, _) => self.equality(sides, node.span),
            Op::Compare(sides, comparison, _) => self.comparison(sides, *comparison, node.span),
            Op::In(sides, _) => self.membership(sides, node.span),
            Op::Arithmetic(sides, op) => self.arithmetic(sides, *op, node.span),
            Op::Negate(inner) => self.negation(inner, node.span),
            Op::List(elements) => {
                let types: Vec<Type> = elements
                    .iter()
                    .map(|element| unwrapped(self.of(&element.value), element.optional))
                    .collect();
                Type::list(Type::join_all(types.into_iter()))
            }
            Op::Map(entries) => {
                let mut types = Vec::new();
                for entry in entries {
                    let value = unwrapped(self.of(&entry.value), entry.optional);
                    types.push((self.of(&entry.key), value));
                }
                let keys = Type::join_all(types.iter().map(|(key, _)| key.clone()));
                Type::map(
                    keys,
                    Type::join_all(types.into_iter().map(|(_, value)| value)),
                )
            }
            _ => self.rare(node),
        }
    }

    fn rare(&mut self, node: &'p Node) -> Type {
        match &node.op {
            Op::Loop(l) => self.loop_macro(l),
            Op::Bind(parts) => {
                let value = self.of(&parts[0]);
                self.within(vec![value], &parts[1])
            }
            Op::Call(function, args) => self.call(function, args, node.span),
            Op::Matches(text, _) => {
                let of = self.of(text);
                self.result("x.matches", &[of, Type::String], node.span)
            }
            Op::TimePart(_, args) => self.time_part(args, node.span),
            Op::OptionalMap(parts, flat) => {
                let inner = self.optional(&parts[0]);
                let of = self.within(vec![inner], &parts[1]);
                if flat.0 { of } else { Type::optional(of) }
            }
            Op::OptionalOr(parts, flat) => {
                let inner = self.optional(&parts[0]);
                let other = self.of(&parts[1]);
                match (flat.0, other) {
                    (true, Type::Optional(of)) => Type::optional(inner.join(&of)),
                    (true, _) => Type::Dyn,
                    (false, other) => inner.join(&other),
                }
            }
            Op::Definition(number) => {
                let name = self.code.definitions.get(usize::from(*number));
                name.map_or(Type::Dyn, |(name, _)| self.types.of(name))
            }
            Op::Age(parts) => {
                let of = self.of(&parts[1]);
                self.result("timestamp", &[of], parts[1].span);
                Type::Duration
            }
            Op::Recheck(inner) | Op::As(inner, _) => self.of(inner),
            // The others are in `seen`; `Fail` is not an expression.
            _ => Type::Dyn,
        }
    }

    /// A sub-expression with these variables around it.
    fn within(&mut self, variables: Vec<Type>, body: &'p Node) -> Type {
        let outer = self.locals.len();
        self.locals.extend(variables);
        let of = self.of(body);
        self.locals.truncate(outer);
        of
    }

    /// A sub-expression that must be true or false.
    fn condition(&mut self, node: &'p Node) {
        let of = self.of(node);
        if !of.may_be_bool() {
            let message = format!("a bool is expected here, not {}", of.article());
            self.problem(node.span.range(), message, None);
        }
    }

    /// What an optional holds.
    fn optional(&mut self, node: &'p Node) -> Type {
        match self.of(node) {
            Type::Optional(of) => (*of).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!("an optional is expected here, not {}", other.article());
                let help = "`.?field` and `[?key]` give one".to_owned();
                self.problem(node.span.range(), message, Some(help))
            }
        }
    }

    fn arithmetic(&mut self, sides: &'p [Node; 2], op: Arithmetic, span: Span) -> Type {
        let (a, b) = (self.of(&sides[0]), self.of(&sides[1]));
        let (a, b) = self.operands(a, b, op, span);
        if let Some(of) = a.arithmetic(op, &b) {
            return of;
        }
        let message = format!("{} {} {} is not possible", a.word(), op.symbol(), b.word());
        let help = match (&a, &b) {
            (a, b) if a.is_number() && b.is_number() => {
                Some("numbers of two types do not mix: write double(…) or int(…)".to_owned())
            }
            (Type::String | Type::Enum(_), _) | (_, Type::String | Type::Enum(_))
                if op == Arithmetic::Add =>
            {
                Some("write string(…) to join it to text".to_owned())
            }
            _ => None,
        };
        self.problem(span.range(), message, help)
    }

    fn negation(&mut self, inner: &'p Node, span: Span) -> Type {
        match self.of(inner) {
            of @ (Type::Int | Type::Double | Type::Number | Type::Dyn) => of,
            other => self.problem(
                span.range(),
                format!("- cannot take {}", other.article()),
                None,
            ),
        }
    }

    fn time_part(&mut self, args: &'p [Node], span: Span) -> Type {
        let types: Vec<Type> = args.iter().map(|arg| self.of(arg)).collect();
        let is_time = types
            .first()
            .is_none_or(|of| Type::Timestamp.takes(of) || Type::Duration.takes(of));
        if !is_time {
            let message = format!("a time is expected here, not {}", types[0].article());
            let help = format!("write timestamp({})", self.text(args[0].span));
            return self.problem(args[0].span.range(), message, Some(help));
        }
        if types.get(1).is_some_and(|zone| !Type::String.takes(zone)) {
            return self.problem(span.range(), "a time zone is a string".to_owned(), None);
        }
        Type::Int
    }

    fn call(&mut self, function: &'static Function, args: &'p [Node], span: Span) -> Type {
        let types: Vec<Type> = args.iter().map(|arg| self.of(arg)).collect();
        if function.name == "condition" {
            return self.condition_of(&types, args, span);
        }
        self.result(function.name, &types, span)
    }

    /// What a function gives, or that it cannot take these.
    fn result(&mut self, name: &str, types: &[Type], span: Span) -> Type {
        if let Some(of) = signature::result(name, types) {
            return of;
        }
        let words = |types: &[Type]| {
            let words: Vec<&str> = types.iter().map(Type::word).collect();
            words.join(", ")
        };
        let message = match (name.strip_prefix("x."), types.split_first()) {
            (Some(name), Some((target, types))) => {
                format!("{} has no {name}({})", target.article(), words(types))
            }
            _ => format!("{name}() cannot take ({})", words(types)),
        };
        self.problem(span.range(), message, None)
    }

    /// `condition(object, 'Ready')`: an element of the conditions that the schema has.
    fn condition_of(&mut self, types: &[Type], args: &'p [Node], span: Span) -> Type {
        let Some(Type::Object(object)) = types.first() else {
            return self.result("condition", types, span);
        };
        let conditions = object.field("status").and_then(|status| match status {
            Type::Object(status) => status.field("conditions"),
            _ => Ok(Type::Dyn),
        });
        match conditions {
            Ok(Type::List(of)) => (*of).clone(),
            Ok(_) => Type::Dyn,
            Err(_) => {
                let message = format!("{} has no status.conditions", object.name);
                self.problem(args[0].span.range(), message, None)
            }
        }
    }

    /// The text that a node holds, if it is constant text.
    fn constant(node: &Node) -> Option<&str> {
        match &node.op {
            Op::Const(value @ (Value::Str(_) | Value::String(_))) => value.as_str(),
            _ => None,
        }
    }
}

/// What an optional element adds.
fn unwrapped(of: Type, optional: bool) -> Type {
    match of {
        Type::Optional(inner) if optional => (*inner).clone(),
        of => of,
    }
}

#[cfg(test)]
mod tests;
