//! [`Value`]: what an expression evaluates to, borrowing from the bindings and the program.

pub mod collection;
pub mod equality;
pub mod opaque;

use super::json::Json;
use super::map::Map;
use super::time;
use collection::{DuplicateKey, List, ValueMap};
use jiff::{SignedDuration, Timestamp};
use opaque::Opaque;
use std::mem::size_of;
use std::sync::Arc;

/// A value of an expression. Scalars are stored here; strings, lists and maps of the bound data
/// are borrowed; what the expression itself makes is shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    Null,
    /// A null of watched data: null in a comparison, a zero value where null would be an error.
    NullField,
    /// A field that watched data does not have: the zero value of whatever it is used as.
    Absent,
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
    List(Arc<List<'a>>),
    JsonMap(&'a Map, Origin),
    Map(Arc<ValueMap<'a>>),
    Timestamp(Timestamp),
    Duration(SignedDuration),
    /// The type of a value, by its name in CEL.
    Type(&'static str),
    Optional(Option<Arc<Value<'a>>>),
    /// A value of a library: a quantity, an address, a version.
    Opaque(Arc<dyn Opaque>),
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

impl<'a> Value<'a> {
    /// The value of borrowed JSON.
    #[must_use]
    pub fn from_json(json: &'a Json, origin: Origin) -> Value<'a> {
        match json {
            Json::Null if origin == Origin::Watched => Value::NullField,
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Int(i) => Value::Int(*i),
            Json::Uint(u) => Value::Uint(*u),
            Json::Double(d) => Value::Double(*d),
            Json::String(s) => Value::Str(s),
            Json::List(list) => Value::JsonList(list, origin),
            Json::Map(map) => Value::JsonMap(map, origin),
        }
    }

    /// New text.
    #[must_use]
    pub fn text(text: impl Into<Arc<str>>) -> Value<'a> {
        Value::String(text.into())
    }

    /// A list of these values.
    #[must_use]
    pub fn list(items: Vec<Value<'a>>) -> Value<'a> {
        Value::List(Arc::new(List::new(items)))
    }

    /// A map of these entries.
    ///
    /// # Errors
    /// A key that is there twice.
    pub fn map(entries: Vec<(Value<'a>, Value<'a>)>) -> Result<Value<'a>, DuplicateKey> {
        Ok(Value::Map(Arc::new(ValueMap::new(entries)?)))
    }

    /// The elements, if it is a list.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Value<'a>>> {
        equality::items(self).map(|items| (0..items.len()).map(|at| items.get(at)).collect())
    }

    /// The entries in the order of their keys, if it is a map.
    #[must_use]
    pub fn pairs(&self) -> Option<Vec<(Value<'a>, Value<'a>)>> {
        equality::entries(self).map(|map| (0..map.len()).map(|at| map.get(at)).collect())
    }

    /// `==` of CEL, however large the two are.
    #[must_use]
    pub fn equals(&self, other: &Value<'_>) -> bool {
        let unbounded = &mut || Ok::<(), std::convert::Infallible>(());
        matches!(equality::equal(self, other, unbounded), Ok(true))
    }

    /// The same value without counting a reference where it can be borrowed.
    #[must_use]
    pub fn borrow(&'a self) -> Value<'a> {
        match self {
            Value::String(text) => Value::Str(text),
            other => other.clone(),
        }
    }

    /// The same value without borrowing.
    #[must_use]
    pub fn into_static(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::NullField => Value::NullField,
            Value::Absent => Value::Absent,
            Value::Bool(b) => Value::Bool(b),
            Value::Int(i) => Value::Int(i),
            Value::Uint(u) => Value::Uint(u),
            Value::Double(d) => Value::Double(d),
            Value::Str(s) => Value::text(s),
            Value::String(s) => Value::String(s),
            Value::Bytes(b) => Value::Bytes(b),
            Value::JsonList(list, origin) => Value::list(
                list.iter()
                    .map(|json| Value::from_json(json, origin).into_static())
                    .collect(),
            ),
            Value::List(list) => Value::list(
                list.items()
                    .iter()
                    .map(|v| v.clone().into_static())
                    .collect(),
            ),
            Value::JsonMap(map, origin) => Value::Map(Arc::new(ValueMap::of_json(map, origin))),
            Value::Map(map) => Value::Map(Arc::new(map.to_static())),
            Value::Timestamp(t) => Value::Timestamp(t),
            Value::Duration(d) => Value::Duration(d),
            Value::Type(name) => Value::Type(name),
            Value::Optional(inner) => {
                Value::Optional(inner.map(|value| Arc::new((*value).clone().into_static())))
            }
            Value::Opaque(opaque) => Value::Opaque(opaque),
        }
    }

    /// Whether it reads as the zero value of any type.
    #[must_use]
    pub fn is_zero_of_any(&self) -> bool {
        matches!(self, Value::Absent | Value::NullField)
    }

    /// The answer of a condition. An absent boolean is false.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            Value::Absent | Value::NullField => Some(false),
            _ => None,
        }
    }

    /// The text of a string. An absent string is empty.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            Value::String(s) => Some(s),
            Value::Absent | Value::NullField => Some(""),
            _ => None,
        }
    }

    /// A moment. An absent one is `0001-01-01T00:00:00Z`.
    #[must_use]
    pub fn as_timestamp(&self) -> Option<Timestamp> {
        match self {
            Value::Timestamp(t) => Some(*t),
            Value::Absent | Value::NullField => Some(time::NEVER),
            _ => None,
        }
    }

    /// A duration. An absent one is zero.
    #[must_use]
    pub fn as_duration(&self) -> Option<SignedDuration> {
        match self {
            Value::Duration(d) => Some(*d),
            Value::Absent | Value::NullField => Some(SignedDuration::ZERO),
            _ => None,
        }
    }

    /// The name of the type as people write it in an expression; `absent` for an absent field.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null | Value::NullField => "null",
            Value::Absent => "absent",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Str(_) | Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::JsonList(..) | Value::List(_) => "list",
            Value::JsonMap(..) | Value::Map(_) => "map",
            Value::Timestamp(_) => "timestamp",
            Value::Duration(_) => "duration",
            Value::Type(_) => "type",
            Value::Optional(_) => "optional",
            Value::Opaque(opaque) => opaque.type_name(),
        }
    }

    /// The name of the type with its article, for sentences.
    #[must_use]
    pub fn a_type(&self) -> String {
        let name = self.type_name();
        let article = if name.starts_with(['a', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {name}")
    }

    /// The value as JSON: timestamps in RFC 3339, durations as `5m0s`, bytes in base64, an
    /// optional as what it holds, an absent field as null.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Value::Null | Value::NullField | Value::Absent | Value::Optional(None) => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::Int(*i),
            Value::Uint(u) => Json::from(*u),
            Value::Double(d) => Json::Double(*d),
            Value::Str(s) => Json::from(*s),
            Value::String(s) => Json::from(&**s),
            Value::Bytes(bytes) => Json::from(super::library::encoders::base64(bytes)),
            Value::JsonList(list, _) => Json::List((*list).into()),
            Value::List(list) => list
                .items()
                .iter()
                .map(Value::to_json)
                .collect::<Vec<_>>()
                .into(),
            Value::JsonMap(map, _) => Json::Map((*map).clone()),
            Value::Map(map) => Json::Map(
                map.entries()
                    .iter()
                    .map(|(k, v)| (k.key_text().into(), v.to_json()))
                    .collect(),
            ),
            Value::Timestamp(t) => Json::from(time::format_timestamp(*t)),
            Value::Duration(d) => Json::from(time::format_duration(*d)),
            Value::Type(name) => Json::from(*name),
            Value::Optional(Some(value)) => value.to_json(),
            Value::Opaque(opaque) => opaque.to_json(),
        }
    }

    /// A map's key as the text that a JSON object has for it.
    fn key_text(&self) -> String {
        match self {
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Uint(u) => u.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Some bytes that it keeps alive, shared ones counted each time: a bound on what walking it
    /// costs.
    pub(super) fn weight(&self) -> u64 {
        let own = size_of::<Value<'_>>() as u64;
        own + match self {
            Value::String(s) => s.len() as u64,
            Value::Bytes(b) => b.len() as u64,
            Value::List(list) => list.weight(),
            Value::Map(map) => map.weight(),
            Value::Optional(Some(value)) => value.weight(),
            _ => 0,
        }
    }
}
