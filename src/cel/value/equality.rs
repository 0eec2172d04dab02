//! When two values are equal and how they are ordered: numbers across their types, an absent
//! value as the zero value of the other's type, everything else only within a type.

use super::{Origin, Value};
use crate::cel::json::Json;
use crate::cel::time;
use jiff::SignedDuration;
use std::cmp::Ordering;

/// A number of one of the three types.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Uint(u64),
    Double(f64),
}

impl Number {
    /// The number in a value; an absent one is not a number of any type yet.
    #[must_use]
    pub fn of(value: &Value<'_>) -> Option<Number> {
        match value {
            Value::Int(i) => Some(Number::Int(*i)),
            Value::Uint(u) => Some(Number::Uint(*u)),
            Value::Double(d) => Some(Number::Double(*d)),
            _ => None,
        }
    }

    /// The order on the number line; `None` with a NaN.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "CEL compares with a double as doubles"
    )]
    pub fn compare(self, other: Number) -> Option<Ordering> {
        use Number::{Double, Int, Uint};
        match (self, other) {
            (Int(a), Int(b)) => Some(a.cmp(&b)),
            (Uint(a), Uint(b)) => Some(a.cmp(&b)),
            (Double(a), Double(b)) => a.partial_cmp(&b),
            (Int(a), Uint(b)) => Some(i128::from(a).cmp(&i128::from(b))),
            (Uint(a), Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
            // As in the reference implementation: beyond 2^53 the whole number is rounded.
            (Int(a), Double(b)) => (a as f64).partial_cmp(&b),
            (Uint(a), Double(b)) => (a as f64).partial_cmp(&b),
            (Double(_), _) => other.compare(self).map(Ordering::reverse),
        }
    }
}

/// Equality of scalars. Two lists or maps are never the same scalar.
#[must_use]
pub fn same_scalar(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (
            Value::Absent | Value::NullField | Value::Null,
            Value::Absent | Value::NullField | Value::Null,
        )
        | (Value::Optional(None), Value::Optional(None)) => true,
        (Value::Absent, other) | (other, Value::Absent) => is_zero(other),
        (Value::Str(_) | Value::String(_), Value::Str(_) | Value::String(_)) => {
            a.as_str() == b.as_str()
        }
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Opaque(a), Value::Opaque(b)) => a.equals(&**b),
        _ => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a.compare(b) == Some(Ordering::Equal),
            _ => false,
        },
    }
}

/// Whether a value is the zero value of its type.
#[must_use]
pub fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::NullField | Value::Absent => true,
        Value::Bool(b) => !b,
        Value::Int(i) => *i == 0,
        Value::Uint(u) => *u == 0,
        Value::Double(d) => *d == 0.0,
        Value::Str(s) => s.is_empty(),
        Value::String(s) => s.is_empty(),
        Value::Bytes(b) => b.is_empty(),
        Value::JsonList(list, _) => list.is_empty(),
        Value::List(list) => list.items().is_empty(),
        Value::JsonMap(map, _) => map.is_empty(),
        Value::Map(map) => map.entries().is_empty(),
        Value::Timestamp(t) => *t == time::NEVER,
        Value::Duration(d) => *d == SignedDuration::ZERO,
        Value::Optional(value) => value.is_none(),
        Value::Type(_) | Value::Opaque(_) => false,
    }
}

/// Deep equality. `charge` is told about each pair of elements and stops the walk by `Err`.
///
/// # Errors
/// Only those of `charge`.
pub fn equal<E>(
    a: &Value<'_>,
    b: &Value<'_>,
    charge: &mut impl FnMut() -> Result<(), E>,
) -> Result<bool, E> {
    if let (Some(a), Some(b)) = (items(a), items(b)) {
        if a.len() != b.len() {
            return Ok(false);
        }
        for at in 0..a.len() {
            charge()?;
            if !equal(&a.get(at), &b.get(at), charge)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let (Some(a), Some(b)) = (entries(a), entries(b)) {
        if a.len() != b.len() {
            return Ok(false);
        }
        for at in 0..a.len() {
            charge()?;
            let (key, value) = a.get(at);
            match b.find(&key) {
                Some(other) if equal(&value, &other, charge)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    if let (Value::Optional(Some(a)), Value::Optional(Some(b))) = (a, b) {
        return equal(a, b, charge);
    }
    Ok(same_scalar(a, b))
}

/// The order of two values of one type (numbers: across types); `None` where there is none.
/// The outer `None`: these cannot be compared; the inner: a NaN.
#[must_use]
pub fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Option<Ordering>> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(Some(a.cmp(b))),
        (Value::Bool(a), Value::Bool(b)) => Some(Some(a.cmp(b))),
        (Value::Bytes(a), Value::Bytes(b)) => Some(Some(a.cmp(b))),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(Some(a.cmp(b))),
        (Value::Duration(a), Value::Duration(b)) => Some(Some(a.cmp(b))),
        (a, b) if a.is_zero_of_any() && b.is_zero_of_any() => Some(Some(Ordering::Equal)),
        (a, b) if a.is_zero_of_any() => compare(&zero_like(b)?, b),
        (a, b) if b.is_zero_of_any() => compare(a, &zero_like(a)?),
        (Value::Str(_) | Value::String(_), Value::Str(_) | Value::String(_)) => {
            Some(Some(a.as_str().cmp(&b.as_str())))
        }
        (Value::Opaque(a), Value::Opaque(b)) => Some(Some(a.compare(&**b)?)),
        _ => Some(Number::of(a)?.compare(Number::of(b)?)),
    }
}

/// The zero value of another value's type, where that type is a scalar.
#[must_use]
pub fn zero_like(value: &Value<'_>) -> Option<Value<'static>> {
    Some(match value {
        Value::Bool(_) => Value::Bool(false),
        Value::Int(_) => Value::Int(0),
        Value::Uint(_) => Value::Uint(0),
        Value::Double(_) => Value::Double(0.0),
        Value::Str(_) | Value::String(_) => Value::Str(""),
        Value::Bytes(_) => Value::Bytes([].into()),
        Value::Timestamp(_) => Value::Timestamp(time::NEVER),
        Value::Duration(_) => Value::Duration(SignedDuration::ZERO),
        Value::JsonList(..) | Value::List(_) => Value::JsonList(&[], Origin::Plain),
        _ => return None,
    })
}

/// A total order over keys: booleans, numbers, strings.
#[must_use]
pub fn compare_keys(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    fn rank(value: &Value<'_>) -> u8 {
        match value {
            Value::Bool(_) => 0,
            Value::Int(_) | Value::Uint(_) | Value::Double(_) => 1,
            _ => 2,
        }
    }
    rank(a)
        .cmp(&rank(b))
        .then_with(|| compare(a, b).flatten().unwrap_or(Ordering::Equal))
}

/// The elements of any list.
#[derive(Clone, Copy)]
pub enum Items<'v, 'a> {
    Json(&'a [Json], Origin),
    Values(&'v [Value<'a>]),
}

/// The list in a value; an absent one is not a list yet.
#[must_use]
pub fn items<'v, 'a>(value: &'v Value<'a>) -> Option<Items<'v, 'a>> {
    match value {
        Value::JsonList(list, origin) => Some(Items::Json(list, *origin)),
        Value::List(list) => Some(Items::Values(list.items())),
        _ => None,
    }
}

impl<'a> Items<'_, 'a> {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Items::Json(list, _) => list.len(),
            Items::Values(list) => list.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at an index below `len`; null beyond.
    #[must_use]
    pub fn get(&self, at: usize) -> Value<'a> {
        match self {
            Items::Json(list, origin) => list
                .get(at)
                .map_or(Value::Null, |json| Value::from_json(json, *origin)),
            Items::Values(list) => list.get(at).cloned().unwrap_or(Value::Null),
        }
    }
}

/// The entries of any map, in the order of their keys.
#[derive(Clone, Copy)]
pub enum Entries<'v, 'a> {
    Json(&'a super::Map, Origin),
    Values(&'v super::ValueMap<'a>),
}

/// The map in a value; an absent one is not a map yet.
#[must_use]
pub fn entries<'v, 'a>(value: &'v Value<'a>) -> Option<Entries<'v, 'a>> {
    match value {
        Value::JsonMap(map, origin) => Some(Entries::Json(map, *origin)),
        Value::Map(map) => Some(Entries::Values(map)),
        _ => None,
    }
}

impl<'a> Entries<'_, 'a> {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Entries::Json(map, _) => map.len(),
            Entries::Values(map) => map.entries().len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether missing keys read as zero values.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Entries::Json(_, origin) => *origin,
            Entries::Values(map) => map.origin(),
        }
    }

    /// The entry at an index below `len`; nulls beyond.
    #[must_use]
    pub fn get(&self, at: usize) -> (Value<'a>, Value<'a>) {
        let entry = match self {
            Entries::Json(map, origin) => map
                .entries()
                .get(at)
                .map(|(k, v)| (Value::Str(k), Value::from_json(v, *origin))),
            Entries::Values(map) => map.entries().get(at).cloned(),
        };
        entry.unwrap_or((Value::Null, Value::Null))
    }

    /// The value at a key.
    #[must_use]
    pub fn find(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match (self, key) {
            (Entries::Json(map, origin), key) => {
                let key = match key {
                    Value::Str(_) | Value::String(_) | Value::Absent => key.as_str()?,
                    _ => return None,
                };
                map.get(key).map(|json| Value::from_json(json, *origin))
            }
            (Entries::Values(map), Value::Absent) => map.get(&Value::Str("")).cloned(),
            (Entries::Values(map), key) => map.get(key).cloned(),
        }
    }
}
