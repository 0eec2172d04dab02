//! Where it matters which type a schema gives to JSON.
//!
//! JSON does not tell `2` from `2.0`, nor text from a time. Mostly that makes no difference: an int
//! goes with doubles, text that meets a time is read as one. It makes one where two such fields
//! meet: which of two times is earlier, half of a `type: number` that is 5 today. There Kubernetes
//! goes by the schema, and so does a program that was [`Program::read_as`] its [`Checked`] says.

use super::{Checked, Checker};
use crate::cel::node::{Arithmetic, Node, Op, Reading, Span};
use crate::cel::program::Program;
use crate::cel::types::Type;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The operations whose first two parts are read as something, by where they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Readings(BTreeMap<Span, [Option<Reading>; 2]>);

impl Program {
    /// The program that goes by the schema it was checked against.
    #[must_use]
    pub fn read_as(mut self, checked: &Checked) -> Program {
        if !checked.readings.0.is_empty() {
            convert(&mut Arc::make_mut(&mut self.code).root, &checked.readings);
        }
        self
    }
}

fn convert(node: &mut Node, readings: &Readings) {
    for child in node.children_mut() {
        convert(child, readings);
    }
    let Some(wanted) = readings.0.get(&node.span) else {
        return;
    };
    if let Op::Equal(sides, _)
    | Op::Compare(sides, ..)
    | Op::In(sides, _)
    | Op::Arithmetic(sides, _) = &mut node.op
    {
        for (side, reading) in sides.iter_mut().zip(wanted) {
            if let Some(reading) = reading {
                wrap(side, *reading);
            }
        }
    }
}

fn wrap(side: &mut Node, reading: Reading) {
    let inner = Node {
        op: std::mem::replace(&mut side.op, Op::Root(0)),
        span: side.span,
        size: side.size,
        term: side.term.take(),
    };
    side.op = Op::As(Box::new(inner), reading);
    side.size = side.size.saturating_add(1);
}

/// What text is read as beside a time; nothing for what is not text.
fn of_text(of: &Type) -> Option<(Reading, Type)> {
    match of {
        Type::TimeText => Some((Reading::Timestamp, Type::Timestamp)),
        Type::DurationText => Some((Reading::Duration, Type::Duration)),
        _ => None,
    }
}

fn is_time(of: &Type) -> bool {
    matches!(of, Type::Timestamp | Type::Duration) || of_text(of).is_some()
}

impl Checker<'_> {
    /// What two values that meet are read as: times, if both can be.
    pub(super) fn times(&mut self, a: Type, b: Type, span: Span) -> (Type, Type) {
        if !is_time(&a) || !is_time(&b) {
            return (a, b);
        }
        self.read(a, b, of_text, span)
    }

    /// The same for the operands of arithmetic: a number is a double there.
    pub(super) fn operands(
        &mut self,
        a: Type,
        b: Type,
        op: Arithmetic,
        span: Span,
    ) -> (Type, Type) {
        let has_number = a == Type::Number || b == Type::Number;
        if has_number && a.is_number() && b.is_number() && op != Arithmetic::Modulo {
            let double = |of: &Type| matches!(of, Type::Number | Type::Int);
            return self.read(
                a,
                b,
                |of| double(of).then_some((Reading::Double, Type::Double)),
                span,
            );
        }
        self.times(a, b, span)
    }

    /// What is looked for in a list of these.
    pub(super) fn needle(&mut self, needle: Type, item: &Type, span: Span) -> Type {
        match of_text(&needle) {
            Some((reading, of)) if of == *item => {
                self.readings.0.insert(span, [Some(reading), None]);
                of
            }
            _ => needle,
        }
    }

    fn read(
        &mut self,
        a: Type,
        b: Type,
        how: impl Fn(&Type) -> Option<(Reading, Type)>,
        span: Span,
    ) -> (Type, Type) {
        let (left, right) = (how(&a), how(&b));
        if left.is_some() || right.is_some() {
            let readings = [&left, &right].map(|of| of.as_ref().map(|(reading, _)| *reading));
            self.readings.0.insert(span, readings);
        }
        (left.map_or(a, |(_, of)| of), right.map_or(b, |(_, of)| of))
    }
}
