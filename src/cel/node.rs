//! The compiled form of an expression: a tree of [`Node`]s that `evaluate` walks.
//!
//! It is closer to what people wrote than the syntax tree of CEL is: macros are nodes of their
//! own, a chain of fields from a name is one node, and chains of `&&` and `||` are flat.

use super::error::ErrorKind;
use super::library::Function;
use super::members::Members;
use super::time::accessors::Part;
use super::value::Value;
use std::ops::Range;
use std::sync::Arc;

/// A sub-expression.
#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub span: Span,
    /// How many nodes there are here and below: what an evaluation costs, without loops.
    pub size: u32,
    /// The number of a condition whose answer expressions share; see `terms`.
    pub term: Option<u32>,
}

/// Bytes of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// What a sub-expression does.
#[derive(Clone, Debug)]
pub enum Op {
    Const(Value<'static>),
    /// The name with this number in the program's list of roots.
    Root(u16),
    /// The variable of a macro, counted outwards from the innermost.
    Local(u16),
    /// Fields of a root or local, one after the other.
    Path(Base, Box<[Field]>),
    Select(Box<Node>, Field),
    Has(Box<Node>, Field),
    Index(Box<Node>, Box<Node>),
    /// `x.?f` and `x[?i]`.
    OptionalIndex(Box<Node>, Box<Node>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Not(Box<Node>),
    Cond(Box<[Node; 3]>),
    Equal(Box<[Node; 2]>, Negated),
    Compare(Box<[Node; 2]>, Comparison, Slopes),
    /// With the elements of a constant list as a set.
    In(Box<[Node; 2]>, Option<Box<Members>>),
    Arithmetic(Box<[Node; 2]>, Arithmetic),
    Negate(Box<Node>),
    List(Box<[Element]>),
    Map(Box<[Entry]>),
    Loop(Box<Loop>),
    /// `cel.bind(name, value, body)`.
    Bind(Box<[Node; 2]>),
    Call(&'static Function, Box<[Node]>),
    /// `matches` with a constant pattern.
    Matches(Box<Node>, Arc<regex::Regex>),
    /// A part of a time or duration, in a zone if there is one.
    TimePart(Part, Box<[Node]>),
    /// `optMap` and `optFlatMap`.
    OptionalMap(Box<[Node; 2]>, Flat),
    /// `optional.or(other)` and `optional.orValue(other)`: the second only if it is needed.
    OptionalOr(Box<[Node; 2]>, Flat),
    /// The definition with this number in the program's list.
    Definition(u16),
    /// `age(t)`: `now - timestamp(t)`; the first is `now`.
    Age(Box<[Node; 2]>),
    /// Depends on `now` in a way that is not solved: look again in a while.
    Recheck(Box<Node>),
    /// A field read as what its schema says, which JSON has no type for.
    As(Box<Node>, Reading),
    /// Fails with this, when it is reached (strict mode only).
    Fail(ErrorKind, Box<str>),
}

/// What a JSON value is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// `type: number`: JSON does not tell `2` from `2.0`.
    Double,
    /// `format: date-time`.
    Timestamp,
    /// `format: duration`.
    Duration,
}

/// Where a chain of fields starts.
#[derive(Clone, Copy, Debug)]
pub enum Base {
    Root(u16),
    Local(u16),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: Arc<str>,
    /// From the start of the chain to the end of this field.
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negated(pub bool);

/// Whether the function of `optMap` gives an optional already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flat(pub bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Only where a side depends on `now`; see [`Op::Equal`] for all others.
    Equal,
    NotEqual,
}

/// How fast each side of a comparison moves with `now`: 0, or ±1 second a second (±2 for sums).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Slopes(pub i8, pub i8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Modulo => "%",
        }
    }
}

impl Comparison {
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
        }
    }
}

/// An element of a list literal; an optional one (`[?x]`) may be missing.
#[derive(Clone, Debug)]
pub struct Element {
    pub value: Node,
    pub optional: bool,
}

/// An entry of a map literal.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: Node,
    pub value: Node,
    pub optional: bool,
}

/// A macro over the elements of a list or the entries of a map.
#[derive(Clone, Debug)]
pub struct Loop {
    pub kind: LoopKind,
    /// One variable (element, or key of a map) or two (index or key, and value).
    pub variables: u8,
    pub range: Node,
    /// Decides; or filters what is transformed.
    pub condition: Option<Node>,
    /// Makes the new element, value or entry.
    pub transform: Option<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    /// The elements in the order of the keys that the transform gives.
    SortBy,
    /// To a list.
    Map,
    /// To a map with the same keys.
    TransformMap,
    /// To a map of the entries that the transform gives.
    TransformMapEntry,
}

impl Node {
    /// The sub-expressions, in the order of the source.
    #[must_use]
    pub fn children(&self) -> Vec<&Node> {
        match &self.op {
            Op::Const(_)
            | Op::Root(_)
            | Op::Local(_)
            | Op::Path(..)
            | Op::Definition(_)
            | Op::Fail(..) => Vec::new(),
            Op::Select(node, _)
            | Op::Has(node, _)
            | Op::Not(node)
            | Op::Negate(node)
            | Op::Matches(node, _)
            | Op::Recheck(node)
            | Op::As(node, _) => vec![node],
            Op::Index(a, b) | Op::OptionalIndex(a, b) => vec![a, b],
            Op::And(nodes) | Op::Or(nodes) | Op::Call(_, nodes) | Op::TimePart(_, nodes) => {
                nodes.iter().collect()
            }
            Op::Cond(nodes) => nodes.iter().collect(),
            Op::Equal(nodes, _)
            | Op::Compare(nodes, ..)
            | Op::In(nodes, _)
            | Op::Arithmetic(nodes, _)
            | Op::Bind(nodes)
            | Op::OptionalMap(nodes, _)
            | Op::OptionalOr(nodes, _)
            | Op::Age(nodes) => nodes.iter().collect(),
            Op::List(elements) => elements.iter().map(|e| &e.value).collect(),
            Op::Map(entries) => entries.iter().flat_map(|e| [&e.key, &e.value]).collect(),
            Op::Loop(l) => [Some(&l.range), l.condition.as_ref(), l.transform.as_ref()]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    /// Whether it depends on `now` in a way that is not solved.
    #[must_use]
    pub fn rechecks(&self) -> bool {
        matches!(self.op, Op::Recheck(_)) || self.children().into_iter().any(Node::rechecks)
    }

    /// The same, to change them.
    pub fn children_mut(&mut self) -> Vec<&mut Node> {
        match &mut self.op {
            Op::Const(_)
            | Op::Root(_)
            | Op::Local(_)
            | Op::Path(..)
            | Op::Definition(_)
            | Op::Fail(..) => Vec::new(),
            Op::Select(node, _)
            | Op::Has(node, _)
            | Op::Not(node)
            | Op::Negate(node)
            | Op::Matches(node, _)
            | Op::Recheck(node)
            | Op::As(node, _) => vec![node],
            Op::Index(a, b) | Op::OptionalIndex(a, b) => vec![a, b],
            Op::And(nodes) | Op::Or(nodes) | Op::Call(_, nodes) | Op::TimePart(_, nodes) => {
                nodes.iter_mut().collect()
            }
            Op::Cond(nodes) => nodes.iter_mut().collect(),
            Op::Equal(nodes, _)
            | Op::Compare(nodes, ..)
            | Op::In(nodes, _)
            | Op::Arithmetic(nodes, _)
            | Op::Bind(nodes)
            | Op::OptionalMap(nodes, _)
            | Op::OptionalOr(nodes, _)
            | Op::Age(nodes) => nodes.iter_mut().collect(),
            Op::List(elements) => elements.iter_mut().map(|e| &mut e.value).collect(),
            Op::Map(entries) => entries
                .iter_mut()
                .flat_map(|e| [&mut e.key, &mut e.value])
                .collect(),
            Op::Loop(l) => {
                let Loop {
                    range,
                    condition,
                    transform,
                    ..
                } = &mut **l;
                std::iter::once(range)
                    .chain(condition)
                    .chain(transform)
                    .collect()
            }
        }
    }
}
