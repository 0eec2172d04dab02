//! Keeping only what a [`PathSet`] covers: of a [`Json`], or while decoding text.
//!
//! A path that runs through an absent field is absent in the projection. An empty map or list on
//! the way to a path stays one, and so does a scalar (or null) found where fields were expected,
//! so that whoever reads the projection meets the same error as on the whole object.

use super::json::Json;
use super::map::Map;
use super::paths::{Node, PathSet};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;
use std::sync::Arc;

impl PathSet {
    /// The part of a value that these paths cover.
    #[must_use]
    pub fn project(&self, json: &Json) -> Json {
        project(&[&self.root], json)
    }

    /// Decodes only what these paths cover; the rest of the text is skipped over (and must still
    /// be JSON). Field names are shared with the set.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn decode(&self, text: &[u8]) -> serde_json::Result<Json> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let json = self.seed().deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(json)
    }

    /// The same for a value inside of something else that is being decoded.
    #[must_use]
    pub fn seed(&self) -> Seed<'_> {
        Seed { node: &self.root }
    }
}

/// `nodes`: all that say something about this value (a field's own and `each`).
fn project(nodes: &[&Node], json: &Json) -> Json {
    if nodes.iter().any(|node| node.whole) {
        return json.clone();
    }
    match json {
        Json::List(list) => {
            let inner: Vec<&Node> = nodes.iter().filter_map(|n| n.each.as_deref()).collect();
            if inner.is_empty() {
                return Json::List(Box::default());
            }
            list.iter()
                .map(|item| project(&inner, item))
                .collect::<Vec<_>>()
                .into()
        }
        Json::Map(map) => Json::Map(
            map.iter()
                .filter_map(|(key, value)| {
                    let inner: Vec<&Node> = nodes
                        .iter()
                        .flat_map(|n| [n.field(key), n.each.as_deref()])
                        .flatten()
                        .collect();
                    (!inner.is_empty()).then(|| (key.clone(), project(&inner, value)))
                })
                .collect(),
        ),
        scalar => scalar.clone(),
    }
}

/// Decodes a projection; see [`PathSet::seed`].
#[derive(Clone, Copy)]
pub struct Seed<'p> {
    node: &'p Node,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        if self.node.whole {
            return Json::deserialize(deserializer);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let Some(each) = self.node.each.as_deref() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Json::List(Box::default()));
        };
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed { node: each })? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        if let Some(each) = self.node.each.as_deref() {
            return self.visit_every_entry(each, map);
        }
        let mut entries = Vec::with_capacity(self.node.fields.len());
        while let Some(field) = map.next_key_seed(FieldSeed(&self.node.fields))? {
            match field {
                Some((name, node)) => {
                    entries.push((name.clone(), map.next_value_seed(Seed { node })?));
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Json::Map(Map::new(entries)))
    }
}

impl Seed<'_> {
    /// A map whose values are all read, and some of them perhaps more than the others: rare, so
    /// decoded whole and projected then.
    fn visit_every_entry<'de, A: MapAccess<'de>>(
        self,
        each: &Node,
        mut map: A,
    ) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Arc<str>>()? {
            let value = match self.node.field(&key) {
                Some(field) => project(&[field, each], &map.next_value::<Json>()?),
                None => map.next_value_seed(Seed { node: each })?,
            };
            entries.push((key, value));
        }
        Ok(Json::Map(Map::new(entries)))
    }
}

/// Finds a key among the fields that are read, without allocating it.
struct FieldSeed<'p>(&'p [(Arc<str>, Node)]);

impl<'de, 'p> DeserializeSeed<'de> for FieldSeed<'p> {
    type Value = Option<&'p (Arc<str>, Node)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for FieldSeed<'p> {
    type Value = Option<&'p (Arc<str>, Node)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| **name == *key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = r#"{"metadata":{"name":"a","labels":{"x.y":"1","z":"2"},"empty":{}},
        "spec":{"a":{"b":{"c":1,"d":2}},"scalar":5,"gone":null},
        "status":{"conditions":[{"type":"Ready","status":"True"},{"type":"Bad"},7],"none":[]}}"#;

    fn projected(paths: &[&str]) -> String {
        let set = PathSet::of(paths.iter().copied()).expect("the test's paths are valid");
        let whole: Json = serde_json::from_str(OBJECT).expect("the test's JSON is valid");
        let decoded = set
            .decode(OBJECT.as_bytes())
            .expect("the test's JSON is valid");
        assert_eq!(
            decoded,
            set.project(&whole),
            "decoding and projecting agree"
        );
        assert_eq!(
            set.project(&decoded),
            decoded,
            "projecting twice is projecting once"
        );
        decoded.to_string()
    }

    #[test]
    fn only_the_paths_are_kept() {
        insta::assert_snapshot!(projected(&["spec.a.b.c", "metadata.labels['x.y']"]), @r#"{"metadata":{"labels":{"x.y":"1"}},"spec":{"a":{"b":{"c":1}}}}"#);
        insta::assert_snapshot!(projected(&[]), @"{}");
    }

    #[test]
    fn each_element_and_each_value_is_projected() {
        insta::assert_snapshot!(projected(&["status.conditions[].type"]), @r#"{"status":{"conditions":[{"type":"Ready"},{"type":"Bad"},7]}}"#);
        insta::assert_snapshot!(projected(&["metadata.labels[]?", "spec[].b.c", "spec.a.b.d"]), @r#"{"metadata":{"labels":{"x.y":"1","z":"2"}},"spec":{"a":{"b":{"c":1,"d":2}},"gone":null,"scalar":5}}"#);
    }

    #[test]
    fn what_stands_on_the_way_to_a_path_survives() {
        insta::assert_snapshot!(projected(&["spec.scalar.x", "spec.gone.x", "metadata.empty.x", "status.none[].x", "nowhere.x"]), @r#"{"metadata":{"empty":{}},"spec":{"gone":null,"scalar":5},"status":{"none":[]}}"#);
        insta::assert_snapshot!(projected(&["spec?", "status.conditions?"]), @r#"{"spec":{},"status":{"conditions":[]}}"#);
    }

    #[test]
    fn broken_text_is_an_error_even_where_nothing_is_read() {
        let set = PathSet::of(["a"]).expect("a path");
        assert!(set.decode(br#"{"b":[1,}"#).is_err());
        assert!(set.decode(br#"{"a":1} x"#).is_err());
    }
}
