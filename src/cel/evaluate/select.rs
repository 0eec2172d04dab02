//! Fields, map keys and list elements, present and absent.

use super::super::error::ErrorKind;
use super::super::node::{Base, Field, Node, Span};
use super::super::value::Value;
use super::super::value::equality::{entries, items};
use super::{Machine, Outcome, Scope, base_value, is_watched};
use std::sync::Arc;

/// A chain of fields from a name: the common way to read an object.
pub(super) fn path<'a>(
    node: &'a Node,
    base: Base,
    fields: &'a [Field],
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    let start = match base {
        Base::Root(root) => m.root_ref(root, node.span)?,
        Base::Local(up) => Scope::value(scope, up),
    };
    let (mut map, origin) = match start {
        Some(Value::JsonMap(map, origin)) => (*map, *origin),
        _ => return slow_path(base_value(base, scope, node.span, m)?, fields, m),
    };
    let last = fields.len() - 1;
    for (at, step) in fields.iter().enumerate() {
        match map.get(&step.name) {
            Some(json) if at == last => return Ok(Value::from_json(json, origin)),
            Some(super::super::json::Json::Map(inner)) => map = inner,
            Some(json) => return slow_path(Value::from_json(json, origin), &fields[at + 1..], m),
            None if is_watched(origin, m) => return Ok(Value::Absent),
            None => return Err(no_such_key(&step.name, step.span, m)),
        }
    }
    Ok(Value::JsonMap(map, origin))
}

/// The text at the end of a chain of fields, if all of them are there: the commonest comparison
/// is with a constant text.
pub(super) fn text_at<'a>(
    base: Base,
    fields: &'a [Field],
    scope: Option<&Scope<'_, 'a>>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Option<&'a str> {
    let start = match base {
        Base::Root(root) => m.root_ref(root, span).ok()?,
        Base::Local(up) => Scope::value(scope, up),
    };
    let Some(Value::JsonMap(map, _)) = start else {
        return None;
    };
    let (first, rest) = fields.split_first()?;
    let json = rest
        .iter()
        .try_fold(map.get(&first.name)?, |json, f| json.get(&f.name))?;
    json.as_str()
}

#[inline(never)]
fn slow_path<'a>(
    mut value: Value<'a>,
    fields: &'a [Field],
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    for step in fields {
        value = field(&value, &step.name, step.span, m)?;
    }
    Ok(value)
}

fn no_such_key(name: &str, span: Span, m: &Machine<'_, '_>) -> super::Fault {
    m.fault(
        ErrorKind::NoSuchKey,
        span,
        format!("there is no key '{name}'"),
    )
}

/// A field of any value.
pub(super) fn field<'a>(
    value: &Value<'a>,
    name: &str,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match value {
        Value::Absent | Value::NullField => Ok(Value::Absent),
        Value::JsonMap(map, origin) => match map.get(name) {
            Some(json) => Ok(Value::from_json(json, *origin)),
            None if is_watched(*origin, m) => Ok(Value::Absent),
            None => Err(no_such_key(name, span, m)),
        },
        Value::Map(map) => match map.get(&Value::Str(name)) {
            Some(value) => Ok(value.clone()),
            None if is_watched(map.origin(), m) => Ok(Value::Absent),
            None => Err(no_such_key(name, span, m)),
        },
        Value::Optional(_) => optional_index(value, &Value::text(name), span, m),
        other => {
            let message = format!("{} has no field '{name}'", other.a_type());
            Err(m.fault(ErrorKind::Type, span, message))
        }
    }
}

/// Whether a value has a field.
pub(super) fn has<'a>(
    value: &Value<'a>,
    name: &str,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Result<bool, super::Fault> {
    match value {
        Value::Absent | Value::NullField | Value::Optional(None) => Ok(false),
        Value::JsonMap(map, _) => Ok(map.get(name).is_some()),
        Value::Map(map) => Ok(map.get(&Value::Str(name)).is_some()),
        Value::Optional(Some(inner)) => has(inner, name, span, m),
        other => {
            let message = format!("{} has no fields that has() could find", other.a_type());
            Err(m.fault(ErrorKind::Type, span, message))
        }
    }
}

/// What is at an index or key of a list or map; `None` if there is nothing, and no error.
fn lookup<'a>(
    value: &Value<'a>,
    index: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Result<Option<Value<'a>>, super::Fault> {
    if let Some(list) = items(value) {
        let Some(at) = whole(index) else {
            return Err(m.type_fault(span, "[]", &[value, index]));
        };
        let at = usize::try_from(at).ok().filter(|at| *at < list.len());
        return Ok(at.map(|at| list.get(at)));
    }
    let Some(map) = entries(value) else {
        return Err(m.type_fault(span, "[]", &[value, index]));
    };
    let is_key = matches!(
        index,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Double(_)
            | Value::Str(_)
            | Value::String(_)
            | Value::Absent
            | Value::NullField
    );
    if !is_key {
        return Err(m.type_fault(span, "[]", &[value, index]));
    }
    Ok(map.find(index))
}

/// The number of an element. A double counts if it is whole.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and in range after the check"
)]
fn whole(index: &Value<'_>) -> Option<i64> {
    match index {
        Value::Int(i) => Some(*i),
        Value::Uint(u) => Some(i64::try_from(*u).unwrap_or(i64::MAX)),
        Value::Double(d) if d.fract() == 0.0 && d.abs() < 1e15 => Some(*d as i64),
        Value::Absent | Value::NullField => Some(0),
        _ => None,
    }
}

/// `value[index]`.
pub(super) fn index<'a>(
    value: &Value<'a>,
    index: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    if value.is_zero_of_any() {
        return match index.as_str() {
            Some(_) => Ok(Value::Absent),
            None => Err(out_of_range(index, 0, span, m)),
        };
    }
    if let Value::Optional(_) = value {
        return optional_index(value, index, span, m);
    }
    if let Some(found) = lookup(value, index, span, m)? {
        return Ok(found);
    }
    if let Some(list) = items(value) {
        return Err(out_of_range(index, list.len(), span, m));
    }
    match entries(value) {
        Some(map) if is_watched(map.origin(), m) => Ok(Value::Absent),
        _ => {
            let key = index.to_json();
            Err(m.fault(ErrorKind::NoSuchKey, span, format!("there is no key {key}")))
        }
    }
}

fn out_of_range(index: &Value<'_>, len: usize, span: Span, m: &Machine<'_, '_>) -> super::Fault {
    let message = format!("index {} is out of a list of {len}", index.to_json());
    m.fault(ErrorKind::Range, span, message)
}

/// `value.?field` and `value[?index]`.
pub(super) fn optional_index<'a>(
    value: &Value<'a>,
    index: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    let found = match value {
        Value::Absent | Value::NullField | Value::Optional(None) => None,
        Value::Optional(Some(inner)) => lookup(inner, index, span, m)?,
        value => lookup(value, index, span, m)?,
    };
    // A null field of watched data is there, as in Kubernetes.
    Ok(Value::Optional(found.map(Arc::new)))
}
