//! `+ - * / %` over numbers, text, bytes, lists, times and durations.
//!
//! Numbers do not mix their types (as CEL has it), and nothing wraps around: what is beyond a
//! type's range is an error. An absent operand is the zero of the other one's type.

#![expect(
    clippy::many_single_char_names,
    reason = "a and b the operands, x and y what is in them"
)]

use super::super::error::ErrorKind;
use super::super::node::{Arithmetic, Span};
use super::super::time;
use super::super::value::Value;
use super::super::value::equality::{items, zero_like};
use super::{Fault, Machine, Outcome, coerce};

pub(super) fn apply<'a>(
    op: Arithmetic,
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => ints(op, *a, *b, span, m).map(Value::Int),
        (Value::Uint(a), Value::Uint(b)) => uints(op, *a, *b, span, m).map(Value::Uint),
        (Value::Double(x), Value::Double(y)) => match op {
            Arithmetic::Add => Ok(Value::Double(x + y)),
            Arithmetic::Subtract => Ok(Value::Double(x - y)),
            Arithmetic::Multiply => Ok(Value::Double(x * y)),
            Arithmetic::Divide => Ok(Value::Double(x / y)),
            Arithmetic::Modulo => Err(m.type_fault(span, "%", &[a, b])),
        },
        _ => others(op, a, b, span, m),
    }
}

fn ints(op: Arithmetic, a: i64, b: i64, span: Span, m: &Machine<'_, '_>) -> Result<i64, Fault> {
    let result = match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => return Err(by_zero(span, m)),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Modulo => a.checked_rem(b),
    };
    result.ok_or_else(|| beyond(span, m))
}

fn uints(op: Arithmetic, a: u64, b: u64, span: Span, m: &Machine<'_, '_>) -> Result<u64, Fault> {
    let result = match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => return Err(by_zero(span, m)),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Modulo => a.checked_rem(b),
    };
    result.ok_or_else(|| beyond(span, m))
}

#[cold]
fn by_zero(span: Span, m: &Machine<'_, '_>) -> Fault {
    m.fault(ErrorKind::DivideByZero, span, "division by zero")
}

#[cold]
fn beyond(span: Span, m: &Machine<'_, '_>) -> Fault {
    m.fault(ErrorKind::Range, span, "the result is out of range")
}

#[inline(never)]
fn others<'a>(
    op: Arithmetic,
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    use Arithmetic::{Add, Subtract};
    match (op, a, b) {
        (Add, Value::Timestamp(t), Value::Duration(d))
        | (Add, Value::Duration(d), Value::Timestamp(t)) => time::add(*t, *d)
            .map(Value::Timestamp)
            .ok_or_else(|| beyond(span, m)),
        (Subtract, Value::Timestamp(t), Value::Duration(d)) => d
            .checked_neg()
            .and_then(|d| time::add(*t, d))
            .map(Value::Timestamp)
            .ok_or_else(|| beyond(span, m)),
        (Subtract, Value::Timestamp(x), Value::Timestamp(y)) => time::subtract(*x, *y)
            .map(Value::Duration)
            .ok_or_else(|| beyond(span, m)),
        (Add | Subtract, Value::Duration(x), Value::Duration(y)) => {
            let result = if op == Add {
                x.checked_add(*y)
            } else {
                x.checked_sub(*y)
            };
            result
                .and_then(time::duration_in_range)
                .map(Value::Duration)
                .ok_or_else(|| beyond(span, m))
        }
        (Add, Value::Str(_) | Value::String(_), Value::Str(_) | Value::String(_)) => {
            let (x, y) = (
                a.as_str().unwrap_or_default(),
                b.as_str().unwrap_or_default(),
            );
            m.allocate((x.len() + y.len()) as u64, span)?;
            m.charge((x.len() + y.len()) as u64 / 64, span)?;
            Ok(Value::String([x, y].concat().into()))
        }
        (Add, Value::Bytes(x), Value::Bytes(y)) => {
            m.allocate((x.len() + y.len()) as u64, span)?;
            Ok(Value::Bytes([&**x, &**y].concat().into()))
        }
        _ => match (items(a), items(b)) {
            (Some(x), Some(y)) if op == Add => {
                m.charge((x.len() + y.len()) as u64, span)?;
                let both = (0..x.len())
                    .map(|at| x.get(at))
                    .chain((0..y.len()).map(|at| y.get(at)));
                m.list(both.collect(), span)
            }
            _ => with_zero(op, a, b, span, m),
        },
    }
}

/// Absent operands become what the other operand asks for.
fn with_zero<'a>(
    op: Arithmetic,
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    if let Some((a, b)) = coerce::operands(op, a, b, span, m)? {
        return apply(op, &a, &b, span, m);
    }
    match (a.is_zero_of_any(), b.is_zero_of_any()) {
        (true, true) => match op {
            Arithmetic::Divide | Arithmetic::Modulo => Err(by_zero(span, m)),
            _ => Ok(Value::Absent),
        },
        // A duration is added to "no time": no time plus a duration is still a duration.
        (true, false) => match (op, b) {
            (Arithmetic::Add, Value::Timestamp(_)) => Ok(b.clone()),
            (_, b) => match zero_like(b) {
                Some(zero) => apply(op, &zero, b, span, m),
                None => Err(m.type_fault(span, op.symbol(), &[a, b])),
            },
        },
        // `now - object.status.lastSeen`: an absent time is long ago.
        (false, true) => match (op, a) {
            (Arithmetic::Add, Value::Timestamp(_)) => Ok(a.clone()),
            (_, a) => match zero_like(a) {
                Some(zero) => apply(op, a, &zero, span, m),
                None => Err(m.type_fault(span, op.symbol(), &[a, b])),
            },
        },
        (false, false) => Err(m.type_fault(span, op.symbol(), &[a, b])),
    }
}

/// `-a`.
pub(super) fn negate<'a>(a: &Value<'a>, span: Span, m: &mut Machine<'a, '_>) -> Outcome<'a> {
    match a {
        Value::Int(i) => i
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| beyond(span, m)),
        Value::Double(d) => Ok(Value::Double(-d)),
        Value::Absent | Value::NullField => Ok(Value::Absent),
        other => Err(m.type_fault(span, "-", &[other])),
    }
}
