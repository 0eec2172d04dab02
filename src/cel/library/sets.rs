//! Lists as sets.

use super::{Call, Function};
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::value::Value;

pub const FUNCTIONS: &[Function] = &[
    Function::new("sets.contains", 2, |call| {
        Ok(Value::Bool(covers(call, 0, 1)?))
    }),
    Function::new("sets.equivalent", 2, |call| {
        Ok(Value::Bool(covers(call, 0, 1)? && covers(call, 1, 0)?))
    }),
    Function::new("sets.intersects", 2, intersects),
];

pub const SIGNATURES: &str = "
    sets.contains(list<A>, list<B>) -> bool
    sets.equivalent(list<A>, list<B>) -> bool
    sets.intersects(list<A>, list<B>) -> bool
";

/// Whether each element of one list is in the other one.
fn covers(call: &mut Call<'_, '_, '_>, outer: usize, inner: usize) -> Result<bool, Fault> {
    for at in 0..call.list(inner)?.len() {
        if !holds(call, outer, inner, at)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an element of one list is in the other one.
fn holds(
    call: &mut Call<'_, '_, '_>,
    outer: usize,
    inner: usize,
    at: usize,
) -> Result<bool, Fault> {
    let (list, element) = (call.list(outer)?, call.list(inner)?.get(at));
    call.charge(list.len())?;
    for other in 0..list.len() {
        if call.equal(&element, &list.get(other))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn intersects<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    for at in 0..call.list(1)?.len() {
        if holds(call, 0, 1, at)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}
