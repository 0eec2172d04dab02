//! Numbers: the `math` extension.

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::Outcome;
use crate::cel::value::Value;
use crate::cel::value::equality::{Number, items};
use std::cmp::Ordering;

pub const FUNCTIONS: &[Function] = &[
    Function::between("math.greatest", 1, usize::MAX, |call| {
        extreme(call, Ordering::Greater)
    }),
    Function::between("math.least", 1, usize::MAX, |call| {
        extreme(call, Ordering::Less)
    }),
    Function::new("math.ceil", 1, |call| on_double(call, f64::ceil)),
    Function::new("math.floor", 1, |call| on_double(call, f64::floor)),
    Function::new("math.round", 1, |call| on_double(call, f64::round)),
    Function::new("math.trunc", 1, |call| on_double(call, f64::trunc)),
    Function::new("math.isNaN", 1, |call| test_double(call, f64::is_nan)),
    Function::new("math.isInf", 1, |call| test_double(call, f64::is_infinite)),
    Function::new("math.isFinite", 1, |call| test_double(call, f64::is_finite)),
    Function::new("math.abs", 1, abs),
    Function::new("math.sign", 1, sign),
    Function::new("math.sqrt", 1, sqrt),
    Function::new("math.bitAnd", 2, |call| {
        bits(call, |a, b| a & b, |a, b| a & b)
    }),
    Function::new("math.bitOr", 2, |call| {
        bits(call, |a, b| a | b, |a, b| a | b)
    }),
    Function::new("math.bitXor", 2, |call| {
        bits(call, |a, b| a ^ b, |a, b| a ^ b)
    }),
    Function::new("math.bitNot", 1, bit_not),
    Function::new("math.bitShiftLeft", 2, |call| shift(call, u64::checked_shl)),
    Function::new("math.bitShiftRight", 2, |call| {
        shift(call, u64::checked_shr)
    }),
];

pub const SIGNATURES: &str = "
    math.greatest(number...) -> dyn
    math.greatest(list<A>) -> A
    math.least(number...) -> dyn
    math.least(list<A>) -> A
    math.ceil(double) -> double
    math.floor(double) -> double
    math.round(double) -> double
    math.trunc(double) -> double
    math.isNaN(double) -> bool
    math.isInf(double) -> bool
    math.isFinite(double) -> bool
    math.abs(int) -> int
    math.abs(uint) -> uint
    math.abs(double) -> double
    math.sign(int) -> int
    math.sign(uint) -> uint
    math.sign(double) -> double
    math.sqrt(int) -> double
    math.sqrt(uint) -> double
    math.sqrt(double) -> double
    math.bitAnd(int, int) -> int
    math.bitAnd(uint, uint) -> uint
    math.bitOr(int, int) -> int
    math.bitOr(uint, uint) -> uint
    math.bitXor(int, int) -> int
    math.bitXor(uint, uint) -> uint
    math.bitNot(int) -> int
    math.bitNot(uint) -> uint
    math.bitShiftLeft(int, int) -> int
    math.bitShiftLeft(uint, int) -> uint
    math.bitShiftRight(int, int) -> int
    math.bitShiftRight(uint, int) -> uint
";

/// The largest or smallest of the arguments, or of the only one if it is a list.
fn extreme<'a>(call: &mut Call<'_, 'a, '_>, wanted: Ordering) -> Outcome<'a> {
    let list: Vec<Value<'a>> = match (call.args, items(&call.args[0])) {
        ([_], Some(items)) => (0..items.len()).map(|at| items.get(at)).collect(),
        (args, _) => args.to_vec(),
    };
    call.charge(list.len())?;
    let mut best: Option<(Value<'a>, Number)> = None;
    for value in list {
        let value = if value.is_zero_of_any() {
            Value::Int(0)
        } else {
            value
        };
        let Some(number) = Number::of(&value) else {
            return Err(call.mismatch());
        };
        if best
            .as_ref()
            .is_none_or(|(_, best)| number.compare(*best) == Some(wanted))
        {
            best = Some((value, number));
        }
    }
    match best {
        Some((value, _)) => Ok(value),
        None => Err(call.fail(ErrorKind::Argument, "the list has no elements")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as double() has it")]
fn as_double(int: i64) -> f64 {
    int as f64
}

fn on_double<'a>(call: &mut Call<'_, 'a, '_>, f: fn(f64) -> f64) -> Outcome<'a> {
    match &call.args[0] {
        Value::Double(d) => Ok(Value::Double(f(*d))),
        // A JSON number of a schema's `number` that happens to be whole.
        Value::Int(i) if call.machine.lenient() => Ok(Value::Double(f(as_double(*i)))),
        value if value.is_zero_of_any() => Ok(Value::Double(0.0)),
        _ => Err(call.mismatch()),
    }
}

fn test_double<'a>(call: &mut Call<'_, 'a, '_>, f: fn(f64) -> bool) -> Outcome<'a> {
    match &call.args[0] {
        Value::Double(d) => Ok(Value::Bool(f(*d))),
        Value::Int(i) if call.machine.lenient() => Ok(Value::Bool(f(as_double(*i)))),
        value if value.is_zero_of_any() => Ok(Value::Bool(f(0.0))),
        _ => Err(call.mismatch()),
    }
}

fn abs<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    match &call.args[0] {
        Value::Int(i) => match i.checked_abs() {
            Some(i) => Ok(Value::Int(i)),
            None => Err(call.fail(ErrorKind::Range, "the result is out of range")),
        },
        Value::Uint(u) => Ok(Value::Uint(*u)),
        Value::Double(d) => Ok(Value::Double(d.abs())),
        value if value.is_zero_of_any() => Ok(Value::Int(0)),
        _ => Err(call.mismatch()),
    }
}

fn sign<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    match &call.args[0] {
        Value::Int(i) => Ok(Value::Int(i.signum())),
        Value::Uint(u) => Ok(Value::Uint(u64::from(*u > 0))),
        Value::Double(d) if d.is_nan() => Ok(Value::Double(*d)),
        Value::Double(d) if *d == 0.0 => Ok(Value::Double(0.0)),
        Value::Double(d) => Ok(Value::Double(d.signum())),
        value if value.is_zero_of_any() => Ok(Value::Int(0)),
        _ => Err(call.mismatch()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a square root is a double")]
fn sqrt<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let double = match &call.args[0] {
        Value::Int(i) => *i as f64,
        Value::Uint(u) => *u as f64,
        Value::Double(d) => *d,
        value if value.is_zero_of_any() => 0.0,
        _ => return Err(call.mismatch()),
    };
    Ok(Value::Double(double.sqrt()))
}

fn bits<'a>(
    call: &mut Call<'_, 'a, '_>,
    ints: fn(i64, i64) -> i64,
    uints: fn(u64, u64) -> u64,
) -> Outcome<'a> {
    match (&call.args[0], &call.args[1]) {
        (Value::Uint(a), Value::Uint(b)) => Ok(Value::Uint(uints(*a, *b))),
        (Value::Uint(a), b) if b.is_zero_of_any() => Ok(Value::Uint(uints(*a, 0))),
        (a, Value::Uint(b)) if a.is_zero_of_any() => Ok(Value::Uint(uints(0, *b))),
        _ => Ok(Value::Int(ints(call.int(0)?, call.int(1)?))),
    }
}

fn bit_not<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    match &call.args[0] {
        Value::Uint(u) => Ok(Value::Uint(!u)),
        _ => Ok(Value::Int(!call.int(0)?)),
    }
}

/// A shift moves zeros in, also into negative numbers; by 64 or more nothing is left.
#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bits, not numbers"
)]
fn shift<'a>(call: &mut Call<'_, 'a, '_>, f: fn(u64, u32) -> Option<u64>) -> Outcome<'a> {
    let Ok(by) = u32::try_from(call.int(1)?.min(64)) else {
        return Err(call.fail(
            ErrorKind::Argument,
            "a shift by a negative number is not possible",
        ));
    };
    match &call.args[0] {
        Value::Uint(u) => Ok(Value::Uint(f(*u, by).unwrap_or(0))),
        _ => Ok(Value::Int(f(call.int(0)? as u64, by).unwrap_or(0) as i64)),
    }
}
