//! The macros about transitions and time: `changed`, `became`, `age`, `condition`.

use super::flow::Flow;
use super::{Compiler, Part, Tense};
use crate::cel::library;
use crate::cel::node::{Negated, Node, Op, Span};
use crate::cel::paths::Step;
use cel::common::ast::{CallExpr, IdedExpr};

impl Compiler<'_> {
    pub(super) fn watch_macro(&mut self, call: &CallExpr, token: Span) -> Option<Part> {
        let args = call.args.as_slice();
        match (call.func_name.as_str(), args) {
            ("changed", [of]) => Some(self.changed(of, token)),
            ("became", [of]) => Some(self.became(of, token)),
            ("age", [of]) => Some(self.age(of, token)),
            ("condition", [object, kind]) => Some(self.condition(object, kind, token)),
            _ => None,
        }
    }

    /// The same expression about the object before the transition.
    fn before(&mut self, expr: &IdedExpr) -> Node {
        let tense = std::mem::replace(&mut self.tense, Tense::Before);
        let node = self.value(expr);
        self.tense = tense;
        node
    }

    /// `changed(x)`: `x` is not what it was.
    fn changed(&mut self, of: &IdedExpr, token: Span) -> Part {
        let sides = Box::new([self.value(of), self.before(of)]);
        Part::computed(Op::Equal(sides, Negated(true)), self.call_span(token, None))
    }

    /// `became(x)`: `x` is true and was not.
    fn became(&mut self, of: &IdedExpr, token: Span) -> Part {
        let span = self.call_span(token, None);
        let now = self.value(of);
        let before = self.before(of);
        let not_before = Node::new(Op::Not(Box::new(before)), span);
        Part::computed(Op::And([now, not_before].into()), span)
    }

    /// `age(t)`: how long ago a time was.
    fn age(&mut self, of: &IdedExpr, token: Span) -> Part {
        let span = self.call_span(token, None);
        let Some(now) = self.now(span) else {
            return self.problem(span, "age() needs 'now', which is not known here", None);
        };
        let then = self.expr(of);
        self.read(&now.flow);
        self.read(&then.flow);
        let slope = now.slope.checked_sub(then.slope).unwrap_or_default();
        let node = Node::new(Op::Age(Box::new([now.node, then.node])), span);
        Part {
            node,
            flow: Flow::default(),
            slope,
        }
    }

    /// `condition(object, 'Ready')`: reads the types of all conditions, and of the one that it
    /// finds what its user reads.
    fn condition(&mut self, object: &IdedExpr, kind: &IdedExpr, token: Span) -> Part {
        let span = self.call_span(token, None);
        let object = self.expr(object).settled();
        let kind = self.value(kind);
        let field = |name: &str| Step::Field(name.into());
        let conditions = object
            .flow
            .then(&field("status"))
            .then(&field("conditions"))
            .then(&Step::Each);
        self.read(&conditions.clone().then(&field("type")));
        self.note_path(span, &conditions);
        let Some(function) = library::find("condition", 2) else {
            return Part::null(span);
        };
        let node = Node::new(Op::Call(function, [object.node, kind].into()), span);
        Part {
            node,
            flow: conditions,
            slope: 0,
        }
    }
}
