//! Computing at compile time what depends on nothing.

use super::{Compiler, Part};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Machine, eval};
use crate::cel::node::{Node, Op};
use crate::cel::program::{Bindings, Budget};
use crate::cel::value::Value;

/// What computing a constant may cost.
const BUDGET: Budget = Budget {
    steps: 10_000,
    bytes: 64 << 10,
};

impl Compiler<'_> {
    /// A constant, if all that a part is made of are constants. One that cannot be computed is a
    /// problem of the source, such as `duration('5x')`; in strict mode it fails when it is
    /// reached.
    pub(super) fn folded(&mut self, part: Part) -> Part {
        let children = part.node.children();
        let constant = part.slope == 0
            && children
                .iter()
                .all(|child| matches!(child.op, Op::Const(_)))
            && !(children.is_empty() && matches!(part.node.op, Op::Call(..)));
        if !constant {
            return part;
        }
        match compute(&part.node) {
            Ok(value) => {
                let span = part.node.span;
                Part {
                    node: Node::new(Op::Const(value), span),
                    ..part
                }
            }
            Err(fault) => match fault.kind {
                ErrorKind::Conversion
                | ErrorKind::Argument
                | ErrorKind::Type
                | ErrorKind::DivideByZero
                | ErrorKind::Range
                    if !self.env.strict =>
                {
                    self.problem(part.node.span, fault.message.clone(), None)
                }
                _ => part,
            },
        }
    }
}

fn compute(node: &Node) -> Result<Value<'static>, crate::cel::evaluate::Fault> {
    let bindings = Bindings::new();
    let mut machine = Machine::new(None, &bindings, BUDGET);
    let value = eval(node, None, &mut machine)?;
    Ok(value.into_static())
}
