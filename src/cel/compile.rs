//! From the syntax tree to [`Node`]s: names resolved, macros made nodes of their own, constants
//! computed, and what the expression reads collected on the way.

mod calls;
pub(super) mod flow;
mod fold;
mod macros;
mod names;
mod watch;

use super::env::{Env, Problem};
use super::error::ErrorKind;
use super::library;
use super::members::Members;
use super::node::{Arithmetic, Comparison, Element, Entry, Negated, Node, Op, Slopes, Span};
use super::parse::{Parsed, parse};
use super::paths::PathSet;
use super::program::{Code, Name, Program};
use super::value::Value;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use flow::Flow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep a compiled expression may be: what evaluation recurses.
const DEEPEST: usize = 160;

/// Which object `object` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tense {
    Now,
    /// The one before the transition: inside of `changed` and `became`.
    Before,
}

/// Compiles a source.
pub(super) fn compile(env: &Env, source: &str, tense: Tense) -> Result<Program, Vec<Problem>> {
    let parsed = parse(source)?;
    let mut compiler = Compiler::new(env, source, &parsed, tense);
    let root = compiler.expr(&parsed.expr);
    compiler.finish(root)
}

/// A sub-expression, compiled.
struct Part {
    node: Node,
    /// The paths whose values it may be. Nobody counts as their reader yet.
    flow: Flow,
    /// How it moves with `now`; see [`Slopes`].
    slope: i8,
}

struct Compiler<'e> {
    env: &'e Env,
    source: &'e str,
    parsed: &'e Parsed,
    tense: Tense,
    names: Vec<Name>,
    definitions: Vec<(Arc<str>, Program)>,
    reads: BTreeMap<Arc<str>, PathSet>,
    locals: Vec<Local>,
    problems: Vec<Problem>,
    reads_now: bool,
    paths: Vec<(Span, String)>,
    /// Calls of `dyn()`, which leave nothing else behind.
    dynamic: Vec<Span>,
    depth: usize,
}

/// A variable of a macro.
struct Local {
    name: String,
    flow: Flow,
    slope: i8,
}

impl<'e> Compiler<'e> {
    fn new(env: &'e Env, source: &'e str, parsed: &'e Parsed, tense: Tense) -> Compiler<'e> {
        Compiler {
            env,
            source,
            parsed,
            tense,
            names: Vec::new(),
            definitions: Vec::new(),
            reads: BTreeMap::new(),
            locals: Vec::new(),
            problems: Vec::new(),
            reads_now: false,
            paths: Vec::new(),
            dynamic: Vec::new(),
            depth: 0,
        }
    }

    fn finish(mut self, mut root: Part) -> Result<Program, Vec<Problem>> {
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|problem| problem.span.start);
            return Err(self.problems);
        }
        if let Some((terms, shared)) = &self.env.sharing {
            terms.number(&mut root.node, &self.names, shared);
        }
        let inner_reads: Vec<_> = self.reads.clone().into_iter().collect();
        let (flow, slope) = (root.flow.clone(), root.slope);
        self.read(&root.flow);
        let code = Code {
            source: self.source.into(),
            root: root.node,
            names: self.names,
            definitions: self.definitions,
            reads: self.reads.into_iter().collect(),
            inner_reads,
            flow,
            reads_now: self.reads_now,
            strict: self.env.strict,
            slope,
            paths: self.paths,
            dynamic: self.dynamic,
        };
        Ok(Program {
            code: Arc::new(code),
        })
    }

    /// Notes a problem and goes on with null in its place.
    fn problem(&mut self, span: Span, message: impl Into<String>, help: Option<String>) -> Part {
        self.problems.push(Problem {
            span: span.range(),
            message: message.into(),
            help,
        });
        Part::computed(Op::Const(Value::Null), span)
    }

    fn expr(&mut self, expr: &IdedExpr) -> Part {
        self.depth += 1;
        let part = if self.depth > DEEPEST {
            let span = self.parsed.token(expr.id);
            let message = format!("the expression is nested more than {DEEPEST} deep");
            // Once: the parts around it are as deep.
            if self
                .problems
                .iter()
                .any(|problem| problem.message == message)
            {
                Part::computed(Op::Const(Value::Null), span)
            } else {
                self.problem(span, message, None)
            }
        } else {
            self.any_expr(expr)
        };
        self.depth -= 1;
        part
    }

    fn any_expr(&mut self, expr: &IdedExpr) -> Part {
        let token = self.parsed.token(expr.id);
        match &expr.expr {
            Expr::Literal(literal) => Part::computed(Op::Const(constant(literal)), token),
            Expr::Ident(_) | Expr::Select(_) => self.name_or_select(expr),
            Expr::Call(call) => self.call(call, token),
            Expr::List(list) => {
                let elements = list
                    .elements
                    .iter()
                    .enumerate()
                    .map(|(at, element)| Element {
                        value: self.value(element),
                        optional: list.optional_indices.contains(&at),
                    });
                let elements: Box<[Element]> = elements.collect();
                let span = self.parsed.brackets(token);
                self.folded(Part::computed(Op::List(elements), span))
            }
            Expr::Map(map) => {
                let mut entries = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        entries.push(Entry {
                            key: self.value(&entry.key),
                            value: self.value(&entry.value),
                            optional: entry.optional,
                        });
                    }
                }
                let span = self.parsed.brackets(token);
                self.folded(Part::computed(Op::Map(entries.into()), span))
            }
            Expr::Struct(message) => {
                let text = format!("messages like {} are not supported", message.type_name);
                self.problem(
                    token,
                    text,
                    Some("write a map: {'field': value}".to_owned()),
                )
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                self.problem(token, "this is not an expression", None)
            }
        }
    }

    /// A sub-expression whose whole value is read, and whose movement with `now` nobody follows.
    fn value(&mut self, expr: &IdedExpr) -> Node {
        let part = self.expr(expr);
        self.used(part)
    }

    fn used(&mut self, part: Part) -> Node {
        self.read(&part.flow);
        part.settled().node
    }

    /// The two sides of an operator, with the span from one to the other.
    fn sides(&mut self, call: &CallExpr, token: Span) -> Option<(Part, Part, Span)> {
        let [a, b] = call.args.as_slice() else {
            self.problem(token, "an operator needs two sides", None);
            return None;
        };
        let (a, b) = (self.expr(a), self.expr(b));
        let span = self
            .parsed
            .grouped(a.node.span)
            .to(self.parsed.grouped(b.node.span));
        Some((a, b, span.to(token)))
    }

    fn call(&mut self, call: &CallExpr, token: Span) -> Part {
        let name = call.func_name.as_str();
        if call.target.is_some() {
            return self.function(call, token);
        }
        match name {
            operators::LOGICAL_AND | operators::LOGICAL_OR => self.junction(call, token),
            operators::LOGICAL_NOT => match call.args.as_slice() {
                [inner] => {
                    let node = self.value(inner);
                    let span = token.to(self.parsed.grouped(node.span));
                    Part::computed(Op::Not(Box::new(node)), span)
                }
                _ => self.problem(token, "'!' needs one operand", None),
            },
            operators::NEGATE => match call.args.as_slice() {
                [inner] => {
                    let node = self.value(inner);
                    let span = token.to(self.parsed.grouped(node.span));
                    self.folded(Part::computed(Op::Negate(Box::new(node)), span))
                }
                _ => self.problem(token, "'-' needs an operand", None),
            },
            operators::CONDITIONAL => self.conditional(call, token),
            operators::EQUALS => self.comparison(call, token, Comparison::Equal),
            operators::NOT_EQUALS => self.comparison(call, token, Comparison::NotEqual),
            operators::LESS => self.comparison(call, token, Comparison::Less),
            operators::LESS_EQUALS => self.comparison(call, token, Comparison::LessOrEqual),
            operators::GREATER => self.comparison(call, token, Comparison::Greater),
            operators::GREATER_EQUALS => self.comparison(call, token, Comparison::GreaterOrEqual),
            operators::ADD => self.arithmetic(call, token, Arithmetic::Add),
            operators::SUBSTRACT => self.arithmetic(call, token, Arithmetic::Subtract),
            operators::MULTIPLY => self.arithmetic(call, token, Arithmetic::Multiply),
            operators::DIVIDE => self.arithmetic(call, token, Arithmetic::Divide),
            operators::MODULO => self.arithmetic(call, token, Arithmetic::Modulo),
            operators::IN => {
                let Some((a, b, span)) = self.sides(call, token) else {
                    return Part::null(token);
                };
                let sides = [self.used(a), self.used(b)];
                let members = match &sides[1].op {
                    Op::Const(Value::List(list)) => Members::of(list.items()).map(Box::new),
                    _ => None,
                };
                Part::computed(Op::In(Box::new(sides), members), span)
            }
            operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => {
                self.index(call, token)
            }
            _ => self.function(call, token),
        }
    }

    /// `&&` and `||`: the parser balances a chain into a tree; here it is flat again.
    fn junction(&mut self, call: &CallExpr, token: Span) -> Part {
        let mut terms = Vec::new();
        self.collect_terms(call, &call.func_name, &mut terms);
        let span = terms
            .iter()
            .fold(token, |span, node| span.to(self.parsed.grouped(node.span)));
        let terms = terms.into_boxed_slice();
        let op = if call.func_name == operators::LOGICAL_AND {
            Op::And(terms)
        } else {
            Op::Or(terms)
        };
        Part::computed(op, span)
    }

    fn collect_terms(&mut self, call: &CallExpr, operator: &str, terms: &mut Vec<Node>) {
        for arg in &call.args {
            match &arg.expr {
                Expr::Call(inner) if inner.func_name == operator && inner.target.is_none() => {
                    self.collect_terms(inner, operator, terms);
                }
                _ => terms.push(self.value(arg)),
            }
        }
    }

    fn conditional(&mut self, call: &CallExpr, token: Span) -> Part {
        let [condition, yes, no] = call.args.as_slice() else {
            return self.problem(token, "a choice is written 'condition ? yes : no'", None);
        };
        let condition = self.value(condition);
        let (mut yes, mut no) = (self.expr(yes), self.expr(no));
        if yes.slope != no.slope {
            (yes, no) = (yes.settled(), no.settled());
        }
        let span = self
            .parsed
            .grouped(condition.span)
            .to(self.parsed.grouped(no.node.span));
        let slope = yes.slope;
        let flow = yes.flow.or(no.flow);
        let op = Op::Cond(Box::new([condition, yes.node, no.node]));
        Part {
            node: Node::new(op, span),
            flow,
            slope,
        }
    }

    fn comparison(&mut self, call: &CallExpr, token: Span, comparison: Comparison) -> Part {
        let Some((a, b, span)) = self.sides(call, token) else {
            return Part::null(token);
        };
        self.read(&a.flow);
        self.read(&b.flow);
        let slopes = Slopes(a.slope, b.slope);
        let nodes = Box::new([a.node, b.node]);
        let op = match comparison {
            Comparison::Equal if slopes == Slopes::default() => Op::Equal(nodes, Negated(false)),
            Comparison::NotEqual if slopes == Slopes::default() => Op::Equal(nodes, Negated(true)),
            _ => Op::Compare(nodes, comparison, slopes),
        };
        Part::computed(op, span)
    }

    fn arithmetic(&mut self, call: &CallExpr, token: Span, op: Arithmetic) -> Part {
        let Some((mut a, mut b, span)) = self.sides(call, token) else {
            return Part::null(token);
        };
        self.read(&a.flow);
        self.read(&b.flow);
        let slope = match op {
            Arithmetic::Add => a.slope.checked_add(b.slope),
            Arithmetic::Subtract => a.slope.checked_sub(b.slope),
            _ => (a.slope == 0 && b.slope == 0).then_some(0),
        };
        if slope.is_none() {
            (a, b) = (a.settled(), b.settled());
        }
        let node = Node::new(Op::Arithmetic(Box::new([a.node, b.node]), op), span);
        self.folded(Part {
            node,
            flow: Flow::default(),
            slope: slope.unwrap_or(0),
        })
    }
}

impl Part {
    /// A value that the expression makes.
    fn computed(op: Op, span: Span) -> Part {
        Part {
            node: Node::new(op, span),
            flow: Flow::default(),
            slope: 0,
        }
    }

    /// An expression that fails when it is evaluated.
    fn fails(kind: ErrorKind, message: String, span: Span) -> Part {
        Part::computed(Op::Fail(kind, message.into()), span)
    }

    fn null(span: Span) -> Part {
        Part::computed(Op::Const(Value::Null), span)
    }

    /// A value whose movement with `now` is not followed further: looked at again in a while.
    fn settled(mut self) -> Part {
        if self.slope != 0 {
            let span = self.node.span;
            self.node = Node::new(Op::Recheck(Box::new(self.node)), span);
            self.slope = 0;
        }
        self
    }
}

impl Node {
    fn new(op: Op, span: Span) -> Node {
        let mut node = Node {
            op,
            span,
            size: 1,
            term: None,
        };
        let below = node
            .children()
            .iter()
            .fold(0, |sum: u32, c| sum.saturating_add(c.size));
        node.size = below.saturating_add(1);
        node
    }
}

fn constant(literal: &LiteralValue) -> Value<'static> {
    match literal {
        LiteralValue::Boolean(b) => Value::Bool(*b.inner()),
        LiteralValue::Bytes(b) => Value::Bytes(b.inner().into()),
        LiteralValue::Double(d) => Value::Double(*d.inner()),
        LiteralValue::Int(i) => Value::Int(*i.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(s) => Value::text(s.inner()),
        LiteralValue::UInt(u) => Value::Uint(*u.inner()),
    }
}

/// The name most like another one, if it is like it at all.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = (name.len() / 3).max(1);
    known
        .map(|candidate| (library::strings::edits(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}
