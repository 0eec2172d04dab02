//! `size`, `type`, and the text functions of the standard.

use super::prepared::{Prepared, prepared};
use super::{Call, Function, regex, types};
use crate::cel::evaluate::Outcome;
use crate::cel::value::Value;
use crate::cel::value::equality::{entries, items};

pub const FUNCTIONS: &[Function] = &[
    Function::new("size", 1, size),
    Function::new("x.size", 1, size),
    Function::new("type", 1, |call| Ok(Value::Type(types::of(&call.args[0])))),
    Function::new("dyn", 1, |call| Ok(call.args[0].clone())),
    Function::new("x.contains", 2, contains),
    Function::new("x.startsWith", 2, |call| {
        Ok(Value::Bool(call.text(0)?.starts_with(call.text(1)?)))
    }),
    Function::new("x.endsWith", 2, |call| {
        Ok(Value::Bool(call.text(0)?.ends_with(call.text(1)?)))
    }),
    Function::new("x.matches", 2, matches),
    Function::new("matches", 2, matches),
];

pub const SIGNATURES: &str = "
    size(string) -> int
    size(bytes) -> int
    size(list<A>) -> int
    size(map<A, B>) -> int
    x.size(string) -> int
    x.size(bytes) -> int
    x.size(list<A>) -> int
    x.size(map<A, B>) -> int
    type(A) -> type
    dyn(A) -> dyn
    x.contains(string, string) -> bool
    x.startsWith(string, string) -> bool
    x.endsWith(string, string) -> bool
    x.matches(string, string) -> bool
    matches(string, string) -> bool
";

#[expect(
    clippy::cast_possible_wrap,
    reason = "no text or list is longer than i64::MAX"
)]
fn size<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let value = &call.args[0];
    let size = match value {
        Value::Str(_) | Value::String(_) => value.as_str().unwrap_or_default().chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        value if value.is_zero_of_any() => 0,
        value => match (items(value), entries(value)) {
            (Some(items), _) => items.len(),
            (_, Some(entries)) => entries.len(),
            _ => return Err(call.mismatch()),
        },
    };
    Ok(Value::Int(size as i64))
}

/// Whether a text has another one in it.
fn contains<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let text = call.text(0)?;
    call.charge(text.len() / 64)?;
    if let Some(Prepared::Text(finder)) = prepared(&call.args[1]) {
        return Ok(Value::Bool(finder.find(text.as_bytes()).is_some()));
    }
    let part = call.text(1)?;
    Ok(Value::Bool(text.contains(part)))
}

/// With a pattern that is not constant: compiled at each call, which costs.
fn matches<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let text = call.text(0)?;
    let regex = regex::at_run_time(call, 1)?;
    call.charge(text.len() / 64)?;
    Ok(Value::Bool(regex.is_match(text)))
}
