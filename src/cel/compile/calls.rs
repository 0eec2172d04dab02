//! Calls of functions.

use super::flow::Flow;
use super::{Compiler, Part, nearest};
use crate::cel::error::ErrorKind;
use crate::cel::library::{self, Function};
use crate::cel::node::{Flat, Node, Op, Span};
use crate::cel::paths::Step;
use crate::cel::time::accessors::Part as TimePart;
use cel::common::ast::{CallExpr, IdedExpr};
use std::sync::Arc;

impl Compiler<'_> {
    /// From the name of a function (or its target) to its closing bracket.
    pub(super) fn call_span(&self, open: Span, target: Option<Span>) -> Span {
        let whole = self.parsed.brackets(open);
        match target {
            Some(target) => self.parsed.grouped(target).to(whole),
            None => self
                .parsed
                .before(open)
                .map_or(whole, |name| name.to(whole)),
        }
    }

    pub(super) fn function(&mut self, call: &CallExpr, token: Span) -> Part {
        if let Some(part) = self.macro_call(call, token) {
            return part;
        }
        let name = call.func_name.trim_start_matches('.');
        if let Some(target) = call.target.as_deref() {
            // `math.greatest(…)`: a function with a dot in its name.
            if let Some(space) = self.spelled(target) {
                let full = format!("{}.{name}", space.trim_start_matches('.'));
                if library::exists(&full) {
                    return self.found(&full, None, &call.args, token);
                }
            }
        }
        self.found(name, call.target.as_deref(), &call.args, token)
    }

    fn found(
        &mut self,
        name: &str,
        target: Option<&IdedExpr>,
        args: &[IdedExpr],
        token: Span,
    ) -> Part {
        let all: Vec<&IdedExpr> = target.into_iter().chain(args).collect();
        let mut parts: Vec<Part> = all.iter().map(|arg| self.expr(arg)).collect();
        let span = self.call_span(token, target.map(|_| parts[0].node.span));
        let member = target.is_some();
        if let Some(part) = self.special(name, member, &mut parts, span) {
            return part;
        }
        let name = if member {
            format!("x.{name}")
        } else {
            name.to_owned()
        };
        let Some(function) = library::find(&name, parts.len()) else {
            return self.no_function(&name, parts.len(), span);
        };
        self.plain_call(function, parts, span)
    }

    fn plain_call(&mut self, function: &'static Function, parts: Vec<Part>, span: Span) -> Part {
        // An instant of a constant: `timestamp(now)` is `now`.
        if let ("timestamp" | "duration" | "dyn", [part]) = (function.name, parts.as_slice())
            && (part.slope != 0 || function.name == "dyn")
        {
            let Some(mut part) = parts.into_iter().next() else {
                return Part::null(span);
            };
            if function.name == "dyn" {
                part.node.span = span;
                self.dynamic.push(span);
            }
            return part;
        }
        let only_size = matches!(function.name, "size" | "x.size");
        let flow = result_flow(function, &parts);
        let nodes: Vec<Node> = parts
            .into_iter()
            .map(|part| {
                if only_size {
                    self.read_presence(&part.flow.clone().then(&Step::Each));
                    self.touch(&part.flow);
                    return part.settled().node;
                }
                if flow.is_some() {
                    self.read_presence(&part.flow);
                    return part.settled().node;
                }
                self.used(part)
            })
            .collect();
        let node = Node::new(Op::Call(function, nodes.into()), span);
        let part = self.folded(Part {
            node,
            flow: flow.unwrap_or_default(),
            slope: 0,
        });
        self.prepared(part)
    }

    /// A call whose constant argument is made ready for its search.
    fn prepared(&mut self, mut part: Part) -> Part {
        let Op::Call(function, nodes) = &mut part.node.op else {
            return part;
        };
        let Some(Node {
            op: Op::Const(argument),
            span,
            ..
        }) = nodes.get_mut(1)
        else {
            return part;
        };
        match library::prepared::prepare(function, argument) {
            Some(Ok(ready)) => *argument = ready,
            Some(Err(message)) if !self.env.strict => {
                let at = *span;
                return self.problem(at, message, None);
            }
            Some(Err(_)) | None => {}
        }
        part
    }

    /// Functions that are nodes of their own.
    fn special(
        &mut self,
        name: &str,
        member: bool,
        parts: &mut Vec<Part>,
        span: Span,
    ) -> Option<Part> {
        match (name, member, parts.len()) {
            ("matches", _, 2) => self.matches(parts, span),
            ("or" | "orValue", true, 2) => {
                let other = parts.pop()?.settled();
                let operand = parts.pop()?.settled();
                let flow = operand.flow.or(other.flow);
                let nodes = Box::new([operand.node, other.node]);
                let op = Op::OptionalOr(nodes, Flat(name == "or"));
                Some(Part {
                    node: Node::new(op, span),
                    flow,
                    slope: 0,
                })
            }
            (_, true, 1 | 2) => {
                let part = time_part(name)?;
                let nodes: Vec<Node> = parts.drain(..).map(|part| self.used(part)).collect();
                Some(self.folded(Part::computed(Op::TimePart(part, nodes.into()), span)))
            }
            _ => None,
        }
    }

    /// `matches` with a constant pattern is compiled once.
    fn matches(&mut self, parts: &mut Vec<Part>, span: Span) -> Option<Part> {
        let Op::Const(pattern) = &parts[1].node.op else {
            return None;
        };
        let regex = library::regex::compiled(pattern.as_str()?);
        let at = parts[1].node.span;
        let text = self.used(parts.drain(..).next()?);
        Some(match regex {
            Ok(regex) => Part::computed(Op::Matches(Box::new(text), Arc::new(regex)), span),
            Err(message) if self.env.strict => Part::fails(ErrorKind::Argument, message, at),
            Err(message) => self.problem(at, message, None),
        })
    }

    fn no_function(&mut self, name: &str, args: usize, span: Span) -> Part {
        let shown = name.trim_start_matches("x.");
        let counts = library::counts(name);
        if self.env.strict {
            return Part::fails(
                ErrorKind::Type,
                format!("there is no function {shown}()"),
                span,
            );
        }
        if !counts.is_empty() {
            let counts = counts
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" or ");
            // The target is not written between the brackets.
            let (given, wanted) = (args, counts);
            let message = format!("{shown}() takes {wanted} arguments, not {given}");
            return self.problem(span, message, None);
        }
        let (other, how) = match name.strip_prefix("x.") {
            Some(plain) => (plain.to_owned(), format!("it is written {shown}(…)")),
            None => (
                format!("x.{name}"),
                format!("it is written value.{shown}(…)"),
            ),
        };
        let help = if library::exists(&other) {
            Some(how)
        } else {
            nearest(name, library::names())
                .map(|name| format!("did you mean {}()?", name.trim_start_matches("x.")))
        };
        self.problem(span, format!("there is no function {shown}()"), help)
    }

    /// `now`, where the environment has it.
    pub(super) fn now(&mut self, span: Span) -> Option<Part> {
        let known = self
            .env
            .variables
            .iter()
            .find(|(name, _)| **name == *"now")?;
        let (name, kind) = known.clone();
        Some(self.variable(&name, kind, span))
    }
}

/// Where the result comes from, for the functions that only pass a value on.
fn result_flow(function: &Function, parts: &[Part]) -> Option<Flow> {
    match (function.name, parts) {
        ("optional.of" | "x.value", [part]) => Some(part.flow.clone()),
        ("x.hasValue", _) => Some(Flow::default()),
        _ => None,
    }
}

fn time_part(name: &str) -> Option<TimePart> {
    Some(match name {
        "getFullYear" => TimePart::FullYear,
        "getMonth" => TimePart::Month,
        "getDate" => TimePart::Date,
        "getDayOfMonth" => TimePart::DayOfMonth,
        "getDayOfWeek" => TimePart::DayOfWeek,
        "getDayOfYear" => TimePart::DayOfYear,
        "getHours" => TimePart::Hours,
        "getMinutes" => TimePart::Minutes,
        "getSeconds" => TimePart::Seconds,
        "getMilliseconds" => TimePart::Milliseconds,
        _ => return None,
    })
}
