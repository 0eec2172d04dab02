//! [`Json`]: the compact, immutable JSON value that expressions read.

use super::map::Map;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

/// A JSON value of 24 bytes a node, for keeping many and reading them fast.
///
/// A number written without fraction or exponent is an `Int`, or a `Uint` where it is larger than
/// `i64::MAX`; every other number is a `Double`.
#[derive(Clone, Default, PartialEq, Debug)]
pub enum Json {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Only beyond `i64::MAX`.
    Uint(u64),
    Double(f64),
    String(Box<str>),
    List(Box<[Json]>),
    Map(Map),
}

const _: () = assert!(size_of::<Json>() <= 24);

impl Json {
    /// The value of a field, where this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The value at the end of a path of field names.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(self, |json, key| json.get(key))
    }

    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(b) => Some(*b),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The number as a double, whatever it was written as; beyond 2^53 it is rounded.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the caller asks for a double")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Int(i) => Some(*i as f64),
            Json::Uint(u) => Some(*u as f64),
            Json::Double(d) => Some(*d),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(s) => Some(s),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_list(&self) -> Option<&[Json]> {
        match self {
            Json::List(list) => Some(list),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Json::Map(map) => Some(map),
            _ => None,
        }
    }

    /// What it is, in a reader's word: `null`, `bool`, `int`, `uint`, `double`, `string`, `list`
    /// or `map`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "bool",
            Json::Int(_) => "int",
            Json::Uint(_) => "uint",
            Json::Double(_) => "double",
            Json::String(_) => "string",
            Json::List(_) => "list",
            Json::Map(_) => "map",
        }
    }

    /// Bytes kept alive on the heap by this value, without the shared keys and without the 24
    /// bytes of the value itself.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        match self {
            Json::String(s) => s.len(),
            Json::List(list) => list
                .iter()
                .map(|v| size_of::<Json>() + v.retained_bytes())
                .sum(),
            Json::Map(map) => map
                .iter()
                .map(|(_, v)| size_of::<(Arc<str>, Json)>() + v.retained_bytes())
                .sum(),
            _ => 0,
        }
    }
}

/// Compact JSON.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(b) => serializer.serialize_bool(*b),
            Json::Int(i) => serializer.serialize_i64(*i),
            Json::Uint(u) => serializer.serialize_u64(*u),
            Json::Double(d) => serializer.serialize_f64(*d),
            Json::String(s) => serializer.serialize_str(s),
            Json::List(list) => serializer.collect_seq(list.iter()),
            Json::Map(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        Json::deserialize(deserializer)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::from(v))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Json::Double(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::String(v.into()))
    }

    fn visit_string<E>(self, v: String) -> Result<Json, E> {
        Ok(Json::String(v.into_boxed_str()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Json::from(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<Arc<str>, Json>()? {
            entries.push(entry);
        }
        Ok(Json::Map(Map::new(entries)))
    }
}

impl From<bool> for Json {
    fn from(v: bool) -> Json {
        Json::Bool(v)
    }
}

impl From<i64> for Json {
    fn from(v: i64) -> Json {
        Json::Int(v)
    }
}

impl From<u64> for Json {
    fn from(v: u64) -> Json {
        i64::try_from(v).map_or(Json::Uint(v), Json::Int)
    }
}

impl From<f64> for Json {
    fn from(v: f64) -> Json {
        Json::Double(v)
    }
}

impl From<&str> for Json {
    fn from(v: &str) -> Json {
        Json::String(v.into())
    }
}

impl From<String> for Json {
    fn from(v: String) -> Json {
        Json::String(v.into_boxed_str())
    }
}

impl From<Vec<Json>> for Json {
    fn from(v: Vec<Json>) -> Json {
        Json::List(v.into_boxed_slice())
    }
}

impl From<Map> for Json {
    fn from(v: Map) -> Json {
        Json::Map(v)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Json {
        use serde_json::Value as V;
        match value {
            V::Null => Json::Null,
            V::Bool(b) => Json::Bool(b),
            V::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(i), _) => Json::Int(i),
                (None, Some(u)) => Json::Uint(u),
                (None, None) => Json::Double(n.as_f64().unwrap_or(f64::NAN)),
            },
            V::String(s) => Json::from(s),
            V::Array(list) => list.into_iter().map(Json::from).collect::<Vec<_>>().into(),
            V::Object(map) => Json::Map(
                map.into_iter()
                    .map(|(k, v)| (Arc::from(k), Json::from(v)))
                    .collect(),
            ),
        }
    }
}

impl From<Json> for serde_json::Value {
    fn from(json: Json) -> serde_json::Value {
        use serde_json::Value as V;
        match json {
            Json::Null => V::Null,
            Json::Bool(b) => V::Bool(b),
            Json::Int(i) => V::from(i),
            Json::Uint(u) => V::from(u),
            Json::Double(d) => V::from(d),
            Json::String(s) => V::String(s.into()),
            Json::List(list) => V::Array(list.into_vec().into_iter().map(V::from).collect()),
            Json::Map(map) => V::Object(
                map.iter()
                    .map(|(k, v)| (k.to_string(), V::from(v.clone())))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        serde_json::from_str(text).expect("the test's JSON is valid")
    }

    #[test]
    fn whole_numbers_are_ints_and_only_larger_ones_are_uints() {
        assert_eq!(
            json("[1, -1]"),
            Json::from(vec![Json::Int(1), Json::Int(-1)])
        );
        assert_eq!(json("9223372036854775807"), Json::Int(i64::MAX));
        assert_eq!(json("9223372036854775808"), Json::Uint(1 << 63));
        assert_eq!(json("1.0"), Json::Double(1.0));
    }

    #[test]
    fn of_two_equal_keys_the_later_one_wins() {
        assert_eq!(
            json(r#"{"b":1,"a":2,"b":3,"b":4}"#).to_string(),
            r#"{"a":2,"b":4}"#
        );
    }

    #[test]
    fn it_survives_the_way_through_serde_json() {
        let text = r#"{"a":[1,2.5,18446744073709551615,null,true],"b":{"c":"é\n"}}"#;
        let there = json(text);
        let back = Json::from(serde_json::Value::from(there.clone()));
        assert_eq!(there, back);
        assert_eq!(back.to_string(), text);
    }

    #[test]
    fn a_path_through_something_else_than_a_map_is_nothing() {
        let object = json(r#"{"a":{"b":[1]}}"#);
        assert_eq!(object.at(&["a", "b"]), Some(&json("[1]")));
        assert_eq!(object.at(&["a", "b", "c"]), None);
        assert_eq!(object.at(&[]), Some(&object));
    }
}
