//! Walking a compiled expression.
//!
//! In: a [`Code`] and a [`Machine`] that holds the values of its names and its budget. Out: a
//! value or the error of the sub-expression that failed. The walk itself allocates nothing; only
//! operations that make new text, lists or maps do.

mod arithmetic;
mod coerce;
mod logic;
mod loops;
mod machine;
mod select;

pub(super) use logic::equals;
pub(super) use machine::{Fault, Machine, Outcome, Scope};

use super::error::ErrorKind;
use super::node::{Arithmetic, Base, Node, Op, Span};
use super::program::Code;
use super::time;
use super::value::collection::ValueMap;
use super::value::{Origin, Value};
use std::sync::Arc;

/// The most arguments of a call that are kept without allocating.
const FEW: usize = 4;

/// Evaluates a whole expression, which the machine was made for or has entered.
pub(super) fn evaluate<'a>(code: &'a Code, m: &mut Machine<'a, '_>) -> Outcome<'a> {
    m.charge(u64::from(code.root.size), code.root.span)?;
    eval(&code.root, None, m).map_err(|mut fault| {
        if fault.path.is_none() {
            fault.path = path_within(code, &fault.span);
        }
        fault
    })
}

/// The first path that the failing part of the expression mentions, as far as it goes.
fn path_within(code: &Code, span: &std::ops::Range<usize>) -> Option<String> {
    let inside = |s: &Span| span.start <= s.start as usize && s.end as usize <= span.end;
    let paths = code.paths.iter().filter(|(s, _)| inside(s));
    let first = paths.min_by_key(|(s, _)| (s.start, std::cmp::Reverse(s.end)));
    first.map(|(_, path)| path.clone())
}

/// Evaluates a sub-expression.
pub(super) fn eval<'a>(
    node: &'a Node,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match &node.op {
        Op::Const(value) => Ok(value.borrow()),
        Op::Path(base, fields) => select::path(node, *base, fields, scope, m),
        Op::Root(root) => m.root(*root, node.span),
        Op::Local(up) => Ok(Scope::find(scope, *up)),
        Op::And(_) | Op::Or(_) | Op::Not(_) | Op::Equal(..) | Op::Compare(..) | Op::In(..) => {
            logic::truth(node, scope, m).map(Value::Bool)
        }
        Op::Has(..) => logic::truth(node, scope, m).map(Value::Bool),
        Op::Cond(parts) => {
            let [condition, yes, no] = &**parts;
            let chosen = if logic::truth(condition, scope, m)? {
                yes
            } else {
                no
            };
            eval(chosen, scope, m)
        }
        Op::Loop(l) => loops::run(node, l, scope, m),
        Op::Select(operand, field) => {
            let operand = eval(operand, scope, m)?;
            select::field(&operand, &field.name, node.span, m)
        }
        Op::Call(function, args) => {
            if args.len() > FEW {
                return many_arguments(node, function, args, scope, m);
            }
            let mut values = [const { Value::Null }; FEW];
            for (value, arg) in values.iter_mut().zip(args) {
                *value = eval(arg, scope, m)?;
            }
            m.call(function, &values[..args.len()], node.span)
        }
        _ => eval_rare(node, scope, m),
    }
}

/// Apart, so that the frame of the recursion stays small.
#[inline(never)]
fn many_arguments<'a>(
    node: &'a Node,
    function: &'static super::library::Function,
    args: &'a [Node],
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    let values = args
        .iter()
        .map(|arg| eval(arg, scope, m))
        .collect::<Result<Vec<_>, _>>()?;
    m.call(function, &values, node.span)
}

#[inline(never)]
fn eval_rare<'a>(
    node: &'a Node,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match &node.op {
        Op::Index(operand, index) => {
            let operand = eval(operand, scope, m)?;
            let index = eval(index, scope, m)?;
            select::index(&operand, &index, node.span, m)
        }
        Op::OptionalIndex(operand, index) => {
            let operand = eval(operand, scope, m)?;
            let index = eval(index, scope, m)?;
            select::optional_index(&operand, &index, node.span, m)
        }
        Op::Arithmetic(operands, op) => {
            let a = eval(&operands[0], scope, m)?;
            let b = eval(&operands[1], scope, m)?;
            arithmetic::apply(*op, &a, &b, node.span, m)
        }
        Op::Negate(operand) => arithmetic::negate(&eval(operand, scope, m)?, node.span, m),
        Op::Definition(number) => m.definition(*number, node.span),
        Op::Age(operands) => {
            let now = eval(&operands[0], scope, m)?;
            let then = eval(&operands[1], scope, m)?;
            let then = super::library::conversions::to_timestamp(&then)
                .map_err(|problem| m.fault(problem.0, node.span, problem.1))?;
            arithmetic::apply(Arithmetic::Subtract, &now, &then, node.span, m)
        }
        Op::Recheck(inner) => {
            m.recheck();
            eval(inner, scope, m)
        }
        Op::As(inner, reading) => {
            let value = eval(inner, scope, m)?;
            coerce::read_as(value, *reading, inner.span, m)
        }
        Op::Bind(parts) => {
            let value = eval(&parts[0], scope, m)?;
            eval(&parts[1], Some(&Scope { value, up: scope }), m)
        }
        Op::Matches(operand, regex) => {
            let text = eval(operand, scope, m)?;
            let Some(text) = text.as_str() else {
                return Err(m.type_fault(node.span, "matches", &[&text]));
            };
            m.charge(1 + text.len() as u64 / 64, node.span)?;
            Ok(Value::Bool(regex.is_match(text)))
        }
        Op::TimePart(part, args) => {
            let time = eval(&args[0], scope, m)?;
            let zone = args.get(1).map(|zone| eval(zone, scope, m)).transpose()?;
            time_part(*part, &time, zone.as_ref(), node.span, m)
        }
        Op::OptionalMap(parts, flat) => {
            let operand = eval(&parts[0], scope, m)?;
            match &operand {
                Value::Optional(None) => Ok(Value::Optional(None)),
                Value::Optional(Some(value)) => {
                    let value = (**value).clone();
                    let mapped = eval(&parts[1], Some(&Scope { value, up: scope }), m)?;
                    match (flat.0, &mapped) {
                        (true, Value::Optional(_)) => Ok(mapped),
                        (true, other) => Err(m.type_fault(parts[1].span, "optFlatMap", &[other])),
                        (false, _) => Ok(Value::Optional(Some(Arc::new(mapped)))),
                    }
                }
                other => Err(m.type_fault(node.span, "optMap", &[other])),
            }
        }
        Op::OptionalOr(parts, flat) => {
            let operand = eval(&parts[0], scope, m)?;
            match (&operand, flat.0) {
                (Value::Optional(None), _) => eval(&parts[1], scope, m),
                (Value::Optional(Some(_)), true) => Ok(operand),
                (Value::Optional(Some(value)), false) => Ok((**value).clone()),
                (other, _) => Err(m.type_fault(node.span, "orValue", &[other])),
            }
        }
        Op::List(_) | Op::Map(_) => literal(node, scope, m),
        Op::Fail(kind, message) => Err(m.fault(*kind, node.span, &**message)),
        // All others are in `eval`; `Root` gives the same answer wherever it is asked.
        _ => eval(node, scope, m),
    }
}

fn time_part<'a>(
    part: time::accessors::Part,
    time: &Value<'a>,
    zone: Option<&Value<'a>>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    use time::accessors;
    let read = coerce::time(time, span, m)?;
    let time = read.as_ref().unwrap_or(time);
    if let (Value::Duration(duration), None) = (time, zone)
        && let Some(number) = accessors::of_duration(part, *duration)
    {
        return Ok(Value::Int(number));
    }
    let name = zone.map_or(Some("UTC"), Value::as_str);
    let (Some(moment), Some(name)) = (time.as_timestamp(), name) else {
        return Err(m.type_fault(span, &format!("get{part:?}"), &[time]));
    };
    let Some(zone) = accessors::zone(name) else {
        return Err(m.fault(
            ErrorKind::Argument,
            span,
            format!("there is no time zone '{name}'"),
        ));
    };
    Ok(Value::Int(accessors::of_timestamp(part, moment, &zone)))
}

#[inline(never)]
fn literal<'a>(
    node: &'a Node,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match &node.op {
        Op::List(elements) => {
            let mut items = Vec::with_capacity(elements.len());
            for element in elements {
                let value = eval(&element.value, scope, m)?;
                if element.optional {
                    items.extend(unwrap_optional(&value, element.value.span, m)?);
                } else {
                    items.push(value);
                }
            }
            m.list(items, node.span)
        }
        Op::Map(entries) => {
            let mut made = Vec::with_capacity(entries.len());
            for entry in entries {
                let key = eval(&entry.key, scope, m)?;
                let key = map_key(key, entry.key.span, m)?;
                let value = eval(&entry.value, scope, m)?;
                if entry.optional {
                    made.extend(unwrap_optional(&value, entry.value.span, m)?.map(|v| (key, v)));
                } else {
                    made.push((key, value));
                }
            }
            m.map(made, node.span)
        }
        _ => Ok(Value::Null),
    }
}

/// A value that may be a map's key. An absent one is the empty string.
pub(super) fn map_key<'a>(key: Value<'a>, span: Span, m: &mut Machine<'a, '_>) -> Outcome<'a> {
    match key {
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Str(_) | Value::String(_) => {
            Ok(key)
        }
        Value::Absent | Value::NullField => Ok(Value::Str("")),
        other => {
            let message = format!("a map cannot have {} as key", other.a_type());
            Err(m.fault(ErrorKind::Type, span, message))
        }
    }
}

fn unwrap_optional<'a>(
    value: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Result<Option<Value<'a>>, Fault> {
    match value {
        Value::Optional(inner) => Ok(inner.as_deref().cloned()),
        Value::Absent | Value::NullField => Ok(None),
        other => Err(m.type_fault(span, "?", &[other])),
    }
}

impl<'a> Machine<'a, '_> {
    /// A list that the evaluation made, paid for.
    pub(super) fn list(&mut self, items: Vec<Value<'a>>, span: Span) -> Outcome<'a> {
        let list = super::value::collection::List::new(items);
        self.allocate(list.weight(), span)?;
        Ok(Value::List(Arc::new(list)))
    }

    /// A map that the evaluation made, paid for.
    pub(super) fn map(&mut self, entries: Vec<(Value<'a>, Value<'a>)>, span: Span) -> Outcome<'a> {
        let map = ValueMap::new(entries).map_err(|duplicate| {
            let message = format!("the key '{}' is in the map twice", duplicate.0);
            self.fault(ErrorKind::Argument, span, message)
        })?;
        self.allocate(map.weight(), span)?;
        Ok(Value::Map(Arc::new(map)))
    }

    /// `a + b`.
    pub(super) fn add(&mut self, a: &Value<'a>, b: &Value<'a>, span: Span) -> Outcome<'a> {
        arithmetic::apply(Arithmetic::Add, a, b, span, self)
    }

    /// Text that the evaluation made, paid for.
    pub(super) fn text(&mut self, text: impl Into<Arc<str>>, span: Span) -> Outcome<'a> {
        let text = text.into();
        self.allocate(text.len() as u64, span)?;
        Ok(Value::String(text))
    }
}

/// The value where a chain of fields starts.
fn base_value<'a>(
    base: Base,
    scope: Option<&Scope<'_, 'a>>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match base {
        Base::Root(root) => m.root(root, span),
        Base::Local(up) => Ok(Scope::find(scope, up)),
    }
}

/// Whether missing fields of this value read as zero values.
fn is_watched(origin: Origin, m: &Machine<'_, '_>) -> bool {
    origin == Origin::Watched && !m.strict()
}
