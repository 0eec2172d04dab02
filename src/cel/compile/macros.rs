//! Macros: calls that introduce variables.

use super::flow::Flow;
use super::{Compiler, Local, Part};
use crate::cel::node::{Flat, Loop, LoopKind, Node, Op, Span};
use crate::cel::paths::Step;
use cel::common::ast::{CallExpr, Expr, IdedExpr};

impl Compiler<'_> {
    /// The macro that a call is, if it is one.
    pub(super) fn macro_call(&mut self, call: &CallExpr, token: Span) -> Option<Part> {
        let args = call.args.as_slice();
        let Some(target) = call.target.as_deref() else {
            return match (call.func_name.as_str(), args.len()) {
                ("has", 1) => Some(self.has(call, token)),
                _ => self.watch_macro(call, token),
            };
        };
        if self.spelled(target).as_deref() == Some("cel") && call.func_name == "bind" {
            return Some(self.bind(args, token));
        }
        let (kind, variables) = match (call.func_name.as_str(), args.len()) {
            ("all", 2) => (LoopKind::All, 1),
            ("all", 3) => (LoopKind::All, 2),
            ("exists", 2) => (LoopKind::Exists, 1),
            ("exists", 3) => (LoopKind::Exists, 2),
            ("exists_one" | "existsOne", 2) => (LoopKind::ExistsOne, 1),
            ("exists_one" | "existsOne", 3) => (LoopKind::ExistsOne, 2),
            ("sortBy", 2) => (LoopKind::SortBy, 1),
            ("filter", 2) => (LoopKind::Filter, 1),
            ("map", 2 | 3) => (LoopKind::Map, 1),
            ("transformList", 3 | 4) => (LoopKind::Map, 2),
            ("transformMap", 3 | 4) => (LoopKind::TransformMap, 2),
            ("transformMapEntry", 3 | 4) => (LoopKind::TransformMapEntry, 2),
            ("optMap", 2) => return Some(self.optional_map(target, args, token, Flat(false))),
            ("optFlatMap", 2) => return Some(self.optional_map(target, args, token, Flat(true))),
            _ => return None,
        };
        Some(self.loop_macro(kind, variables, target, args, token))
    }

    /// The plain name that a macro's variable needs.
    fn variable_name(&mut self, expr: &IdedExpr) -> String {
        if let Expr::Ident(name) = &expr.expr
            && !name.starts_with('.')
        {
            return name.clone();
        }
        let span = self.parsed.token(expr.id);
        let help = "as in list.exists(item, item > 3)".to_owned();
        self.problem(
            span,
            "a plain name for the elements is expected here",
            Some(help),
        );
        String::new()
    }

    fn loop_macro(
        &mut self,
        kind: LoopKind,
        variables: u8,
        target: &IdedExpr,
        args: &[IdedExpr],
        token: Span,
    ) -> Part {
        let range = self.expr(target).settled();
        let span = self.call_span(token, Some(range.node.span));
        let elements = range.flow.clone().then(&Step::Each);
        // How many there are is read, and which keys.
        self.read_presence(&elements);
        let names: Vec<String> = args[..usize::from(variables)]
            .iter()
            .map(|arg| self.variable_name(arg))
            .collect();
        if variables == 2 && names[0] == names[1] {
            let at = self.parsed.token(args[1].id);
            self.problem(at, "the two variables need different names", None);
        }
        let outer = self.locals.len();
        for (at, name) in names.into_iter().enumerate() {
            // A key or index is not an element; the only variable of a macro may be either.
            let flow = if at + 1 == usize::from(variables) {
                elements.clone()
            } else {
                Flow::default()
            };
            self.locals.push(Local {
                name,
                flow,
                slope: 0,
            });
        }
        let bodies = &args[usize::from(variables)..];
        let decides = matches!(kind, LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne);
        let (condition, transform) = match bodies {
            [condition] if decides || kind == LoopKind::Filter => (Some(condition), None),
            [transform] => (None, Some(transform)),
            [condition, transform] => (Some(condition), Some(transform)),
            _ => (None, None),
        };
        let condition = condition.map(|condition| self.value(condition));
        let transform = transform.map(|transform| self.expr(transform).settled());
        self.locals.truncate(outer);
        let flow = self.loop_flow(kind, range.flow, transform.as_ref());
        let transform = transform.map(|part| part.node);
        let body = Loop {
            kind,
            variables,
            range: range.node,
            condition,
            transform,
        };
        Part {
            node: Node::new(Op::Loop(Box::new(body)), span),
            flow,
            slope: 0,
        }
    }

    /// Where the values of a macro come from: `filter` and `sortBy` keep the elements of their
    /// range; what a transform gives counts as read.
    fn loop_flow(&mut self, kind: LoopKind, range: Flow, transform: Option<&Part>) -> Flow {
        if let Some(part) = transform {
            self.read(&part.flow);
        }
        if matches!(kind, LoopKind::Filter | LoopKind::SortBy) {
            range
        } else {
            Flow::default()
        }
    }

    /// `cel.bind(name, value, body)`.
    fn bind(&mut self, args: &[IdedExpr], token: Span) -> Part {
        let [name, value, body] = args else {
            let help = "cel.bind(name, value, expression)".to_owned();
            return self.problem(token, "cel.bind() needs three arguments", Some(help));
        };
        let name = self.variable_name(name);
        let value = self.expr(value);
        self.locals.push(Local {
            name,
            flow: value.flow.clone(),
            slope: value.slope,
        });
        let body = self.expr(body);
        self.locals.pop();
        self.touch(&value.flow);
        let span = self.call_span(token, None);
        let node = Node::new(Op::Bind(Box::new([value.node, body.node])), span);
        Part {
            node,
            flow: body.flow,
            slope: body.slope,
        }
    }

    fn optional_map(
        &mut self,
        target: &IdedExpr,
        args: &[IdedExpr],
        token: Span,
        flat: Flat,
    ) -> Part {
        let operand = self.expr(target).settled();
        self.read_presence(&operand.flow);
        let span = self.call_span(token, Some(operand.node.span));
        let name = self.variable_name(&args[0]);
        self.locals.push(Local {
            name,
            flow: operand.flow,
            slope: 0,
        });
        let body = self.expr(&args[1]).settled();
        self.locals.pop();
        let node = Node::new(
            Op::OptionalMap(Box::new([operand.node, body.node]), flat),
            span,
        );
        Part {
            node,
            flow: body.flow,
            slope: 0,
        }
    }
}
