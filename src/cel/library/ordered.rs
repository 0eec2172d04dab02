//! `isLessThan`, `isGreaterThan` and `compareTo` of the Kubernetes types that have an order.

use super::{Call, Function};
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::value::Value;
use std::cmp::Ordering;

pub const FUNCTIONS: &[Function] = &[
    Function::new("x.isLessThan", 2, |call| {
        Ok(Value::Bool(order(call)?.is_lt()))
    }),
    Function::new("x.isGreaterThan", 2, |call| {
        Ok(Value::Bool(order(call)?.is_gt()))
    }),
    Function::new("x.compareTo", 2, compare_to),
];

pub const SIGNATURES: &str = "
    x.isLessThan(quantity, quantity) -> bool
    x.isLessThan(semver, semver) -> bool
    x.isGreaterThan(quantity, quantity) -> bool
    x.isGreaterThan(semver, semver) -> bool
    x.compareTo(quantity, quantity) -> int
    x.compareTo(semver, semver) -> int
";

fn order(call: &Call<'_, '_, '_>) -> Result<Ordering, Fault> {
    match (&call.args[0], &call.args[1]) {
        (Value::Opaque(a), Value::Opaque(b)) => a.compare(&**b),
        _ => None,
    }
    .ok_or_else(|| call.mismatch())
}

fn compare_to<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    Ok(Value::Int(order(call)? as i64))
}
