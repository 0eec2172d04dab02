//! Names, fields and indices.

use super::flow::{Flow, step_of};
use super::{Compiler, Local, Part, Tense, compile, nearest};
use crate::cel::env::Kind;
use crate::cel::error::ErrorKind;
use crate::cel::library;
use crate::cel::node::{Base, Field, Node, Op, Span};
use crate::cel::paths::Step;
use crate::cel::program::Name;
use crate::cel::value::{Origin, Value};
use cel::common::ast::{CallExpr, Expr, IdedExpr, SelectExpr, operators};
use std::sync::Arc;

/// `a.b.c` where `a` is a name: the segments, each with the end of what it takes in the source.
struct Chain<'x> {
    segments: Vec<(&'x str, Span)>,
}

/// What a name stands for.
enum Resolved {
    Local(u16, Flow, i8),
    Variable(Arc<str>, Kind),
    Definition(Arc<str>),
    Type(&'static str),
}

impl Compiler<'_> {
    pub(super) fn name_or_select(&mut self, expr: &IdedExpr) -> Part {
        if let Some(chain) = self.chain(expr) {
            return self.named(&chain);
        }
        match &expr.expr {
            Expr::Select(select) => {
                let operand = self.expr(&select.operand);
                let field = self.parsed.name_after(self.parsed.token(expr.id));
                self.select(operand, &select.field, field)
            }
            _ => Part::null(self.parsed.token(expr.id)),
        }
    }

    fn chain<'x>(&self, expr: &'x IdedExpr) -> Option<Chain<'x>> {
        let mut segments = Vec::new();
        let mut at = expr;
        loop {
            let token = self.parsed.token(at.id);
            match &at.expr {
                Expr::Ident(name) => {
                    segments.push((name.as_str(), token));
                    break;
                }
                Expr::Select(SelectExpr { operand, field, .. }) => {
                    segments.push((field.as_str(), self.parsed.name_after(token)));
                    at = operand;
                }
                _ => return None,
            }
        }
        segments.reverse();
        Some(Chain { segments })
    }

    /// The dotted name that an expression spells, if it does not begin with a local variable.
    pub(super) fn spelled(&self, expr: &IdedExpr) -> Option<String> {
        let chain = self.chain(expr)?;
        let (first, _) = chain.segments[0];
        if self.locals.iter().any(|local| local.name == first) {
            return None;
        }
        Some(
            chain
                .segments
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join("."),
        )
    }

    fn named(&mut self, chain: &Chain<'_>) -> Part {
        let (first, span) = chain.segments[0];
        let Some((resolved, taken)) = self.resolve(chain) else {
            // `related.pods` is one name: of another one, the second half is wrong.
            let family = format!("{first}.");
            return match chain.segments.get(1) {
                Some((second, at)) if self.known().any(|name| name.starts_with(&family)) => {
                    self.unknown_name(&format!("{family}{second}"), span.to(*at))
                }
                _ => self.unknown_name(first, span),
            };
        };
        let span = span.to(chain.segments[taken - 1].1);
        let mut part = match resolved {
            Resolved::Local(up, flow, slope) => Part {
                node: Node::new(Op::Local(up), span),
                flow,
                slope,
            },
            Resolved::Variable(name, kind) => self.variable(&name, kind, span),
            Resolved::Definition(name) => self.definition(&name, span),
            Resolved::Type(name) => Part::computed(Op::Const(Value::Type(name)), span),
        };
        for (field, at) in &chain.segments[taken..] {
            part = self.select(part, field, *at);
        }
        part
    }

    /// The longest beginning of the chain that is a name, in the container first.
    fn resolve(&self, chain: &Chain<'_>) -> Option<(Resolved, usize)> {
        let (first, _) = chain.segments[0];
        if let Some(up) = self
            .locals
            .iter()
            .rev()
            .position(|local| local.name == first)
        {
            let Local { flow, slope, .. } = &self.locals[self.locals.len() - 1 - up];
            let up = u16::try_from(up).unwrap_or(u16::MAX);
            return Some((Resolved::Local(up, flow.clone(), *slope), 1));
        }
        let mut container = if first.starts_with('.') {
            ""
        } else {
            &*self.env.container
        };
        loop {
            for taken in (1..=chain.segments.len()).rev() {
                let mut name = container.to_owned();
                for (segment, _) in &chain.segments[..taken] {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(segment.trim_start_matches('.'));
                }
                if let Some(resolved) = self.global(&name) {
                    return Some((resolved, taken));
                }
            }
            if container.is_empty() {
                return None;
            }
            container = container.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }

    fn global(&self, name: &str) -> Option<Resolved> {
        let variable = self
            .env
            .variables
            .iter()
            .rev()
            .find(|(known, _)| **known == *name);
        if let Some((name, kind)) = variable {
            return Some(Resolved::Variable(name.clone(), *kind));
        }
        let definition = self
            .env
            .definitions
            .iter()
            .rev()
            .find(|(known, _)| **known == *name);
        if let Some((name, _)) = definition {
            return Some(Resolved::Definition(name.clone()));
        }
        library::types::named(name).map(Resolved::Type)
    }

    /// All names that there are.
    fn known(&self) -> impl Iterator<Item = &str> + Clone {
        let variables = self.env.variables.iter().map(|(name, _)| &**name);
        variables.chain(self.env.definitions.iter().map(|(name, _)| &**name))
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> Part {
        if self.env.strict {
            return Part::fails(ErrorKind::Unbound, format!("there is no {name} here"), span);
        }
        let help = nearest(name, self.known())
            .map(|name| format!("did you mean '{name}'?"))
            .or_else(|| Some(format!("if it is text, write '{name}' in quotes")));
        self.problem(span, format!("there is nothing called '{name}' here"), help)
    }

    pub(super) fn variable(&mut self, name: &Arc<str>, kind: Kind, span: Span) -> Part {
        let name = match self.tense {
            Tense::Before if **name == *"object" => Arc::from("oldObject"),
            Tense::Before if kind == Kind::Watched && **name != *"oldObject" => {
                let message = format!("the former state of {name} is not known");
                return self.problem(span, message, Some("only of object".to_owned()));
            }
            _ => name.clone(),
        };
        let origin = if kind == Kind::Watched {
            Origin::Watched
        } else {
            Origin::Plain
        };
        let at = self
            .names
            .iter()
            .position(|known| known.name == name)
            .unwrap_or_else(|| {
                self.names.push(Name {
                    name: name.clone(),
                    origin,
                });
                self.names.len() - 1
            });
        let slope = i8::from(kind == Kind::Time && *name == *"now");
        self.reads_now |= slope != 0;
        let node = Node::new(Op::Root(u16::try_from(at).unwrap_or(u16::MAX)), span);
        let flow = Flow::root(&name);
        self.touch(&flow);
        Part { node, flow, slope }
    }

    fn definition(&mut self, name: &Arc<str>, span: Span) -> Part {
        let found = self
            .env
            .definitions
            .iter()
            .rev()
            .find(|(known, _)| known == name);
        let Some((_, program)) = found else {
            return Part::null(span);
        };
        let program = match self.tense {
            Tense::Now => program.clone(),
            // The same expression about the object before.
            Tense::Before => match compile(self.env, program.source(), Tense::Before) {
                Ok(program) => program,
                Err(problems) => {
                    let why = problems
                        .first()
                        .map_or("", |problem| &problem.message)
                        .to_owned();
                    let message = format!("the former value of {name} is not known: {why}");
                    return self.problem(span, message, None);
                }
            },
        };
        self.reads_now |= program.code.reads_now;
        for (root, paths) in &program.code.inner_reads {
            let ours = self.reads.entry(root.clone()).or_default();
            *ours = ours.union(paths);
        }
        let (flow, slope) = (program.code.flow.clone(), program.code.slope);
        let known = self
            .definitions
            .iter()
            .position(|(other, p)| other == name && Arc::ptr_eq(&p.code, &program.code));
        let at = known.unwrap_or_else(|| {
            self.definitions.push((name.clone(), program));
            self.definitions.len() - 1
        });
        let op = Op::Definition(u16::try_from(at).unwrap_or(u16::MAX));
        Part {
            node: Node::new(op, span),
            flow,
            slope,
        }
    }

    /// A field of a value. Fields of fields of a name become one chain.
    pub(super) fn select(&mut self, operand: Part, name: &str, at: Span) -> Part {
        let operand = operand.settled();
        let name: Arc<str> = if self.env.strict {
            name.into()
        } else {
            library::escape::field_name(name).into()
        };
        let flow = operand.flow.then(&Step::Field(name.clone()));
        let span = self.parsed.grouped(operand.node.span).to(at);
        let field = Field { name, span };
        let op = match operand.node.op {
            Op::Root(root) => Op::Path(Base::Root(root), [field].into()),
            Op::Local(up) => Op::Path(Base::Local(up), [field].into()),
            Op::Path(base, fields) => {
                let mut fields = fields.into_vec();
                fields.push(field);
                Op::Path(base, fields.into())
            }
            op => Op::Select(Box::new(Node::new(op, operand.node.span)), field),
        };
        self.note_path(span, &flow);
        Part {
            node: Node::new(op, span),
            flow,
            slope: 0,
        }
    }

    /// `has(x.f)`.
    pub(super) fn has(&mut self, call: &CallExpr, token: Span) -> Part {
        let span = self.call_span(token, None);
        let Some(Expr::Select(select)) = call.args.first().map(|arg| &arg.expr) else {
            let help = "has(object.field) tells whether the field is there".to_owned();
            return self.problem(span, "has() needs a field, as in has(a.b)", Some(help));
        };
        let operand = self.expr(&select.operand).settled();
        let name: Arc<str> = if self.env.strict {
            select.field.as_str().into()
        } else {
            library::escape::field_name(&select.field).into()
        };
        let flow = operand.flow.then(&Step::Field(name.clone()));
        self.read_presence(&flow);
        Part::computed(Op::Has(Box::new(operand.node), Field { name, span }), span)
    }

    /// `a[i]`, `a[?i]` and `a.?f`.
    pub(super) fn index(&mut self, call: &CallExpr, token: Span) -> Part {
        let [operand, index] = call.args.as_slice() else {
            return Part::null(token);
        };
        let operand = self.expr(operand).settled();
        let index = self.value(index);
        let step = step_of(&index);
        let end = match call.func_name.as_str() {
            operators::OPT_SELECT => self.parsed.name_after(token),
            _ => self.parsed.brackets(token),
        };
        let span = self.parsed.grouped(operand.node.span).to(end);
        let flow = operand.flow.then(&step);
        self.note_path(span, &flow);
        let (operand, index) = (Box::new(operand.node), Box::new(index));
        let op = if call.func_name == operators::INDEX {
            Op::Index(operand, index)
        } else {
            self.read_presence(&flow);
            Op::OptionalIndex(operand, index)
        };
        Part {
            node: Node::new(op, span),
            flow,
            slope: 0,
        }
    }
}
