//! Optional values. `orValue`, `or`, `optMap` and `optFlatMap` are nodes of the compiler.

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::Outcome;
use crate::cel::value::Value;
use crate::cel::value::equality::is_zero;
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::new("optional.none", 0, |_| Ok(Value::Optional(None))),
    Function::new("optional.of", 1, |call| {
        Ok(Value::Optional(Some(Arc::new(call.args[0].clone()))))
    }),
    Function::new("optional.ofNonZeroValue", 1, |call| {
        let value = &call.args[0];
        Ok(Value::Optional(
            (!is_zero(value)).then(|| Arc::new(value.clone())),
        ))
    }),
    Function::new("x.hasValue", 1, |call| match &call.args[0] {
        Value::Optional(inner) => Ok(Value::Bool(inner.is_some())),
        _ => Err(call.mismatch()),
    }),
    Function::new("x.value", 1, |call| match &call.args[0] {
        Value::Optional(Some(inner)) => Ok((**inner).clone()),
        Value::Optional(None) => Err(call.fail(ErrorKind::NoSuchKey, "there is no value in it")),
        _ => Err(call.mismatch()),
    }),
    Function::new("optional.unwrap", 1, unwrap),
    Function::new("x.unwrapOpt", 1, unwrap),
];

pub const SIGNATURES: &str = "
    optional.none() -> optional<dyn>
    optional.of(A) -> optional<A>
    optional.ofNonZeroValue(A) -> optional<A>
    x.hasValue(optional<A>) -> bool
    x.value(optional<A>) -> A
    optional.unwrap(list<optional<A>>) -> list<A>
    x.unwrapOpt(list<optional<A>>) -> list<A>
";

/// The values of a list of optionals, without the empty ones.
fn unwrap<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let list = call.list(0)?;
    let mut values = Vec::new();
    for at in 0..list.len() {
        match list.get(at) {
            Value::Optional(inner) => values.extend(inner.map(|value| (*value).clone())),
            _ => return Err(call.mismatch()),
        }
    }
    call.new_list(values)
}
