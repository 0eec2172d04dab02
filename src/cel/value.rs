//! [`Value`]: what an expression evaluates to, borrowing from the bindings and the program.

use super::json::Json;
use super::map::Map;
use jiff::Timestamp;
use std::mem::size_of;
use std::sync::Arc;

/// A value of an expression. Scalars are stored here; strings, lists and maps of the bound data
/// are borrowed; what the expression itself makes is shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    /// Text of the bound data or of the expression.
    Str(&'a str),
    /// Text that the evaluation made.
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    JsonList(&'a [Json], Origin),
    List(Arc<[Value<'a>]>),
    JsonMap(&'a Map, Origin),
    Timestamp(Timestamp),
    /// Nanoseconds.
    Duration(i64),
    /// A field that watched data does not have: the zero value of whatever it is used as.
    Absent,
}

/// Whether missing fields of a value read as zero values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Watched data: they do.
    Watched,
    /// Everything else: they are errors.
    Plain,
}

const _: () = assert!(size_of::<Value<'_>>() <= 24);

impl Value<'_> {
    /// The answer of a condition. An absent boolean is false.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            Value::Absent => Some(false),
            _ => None,
        }
    }

    /// The text of a string. An absent string is empty.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            Value::String(s) => Some(s),
            Value::Absent => Some(""),
            _ => None,
        }
    }

    /// The name of the type as people write it in an expression; `absent` for an absent field.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Str(_) | Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::JsonList(..) | Value::List(_) => "list",
            Value::JsonMap(..) => "map",
            Value::Timestamp(_) => "timestamp",
            Value::Duration(_) => "duration",
            Value::Absent => "absent",
        }
    }

    /// The value as JSON: timestamps in RFC 3339, durations as `5m0s`, bytes in base64, an absent
    /// field as null.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::Int(*i),
            Value::Uint(u) => Json::from(*u),
            Value::Double(d) => Json::Double(*d),
            Value::Str(s) => Json::from(*s),
            Value::String(s) => Json::from(&**s),
            Value::JsonList(list, _) => Json::List((*list).into()),
            Value::List(list) => list.iter().map(Value::to_json).collect::<Vec<_>>().into(),
            Value::JsonMap(map, _) => Json::Map((*map).clone()),
            Value::Timestamp(time) => Json::from(time.to_string()),
            Value::Null | Value::Absent | Value::Bytes(_) | Value::Duration(_) => Json::Null,
        }
    }
}
