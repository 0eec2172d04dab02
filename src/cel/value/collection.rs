//! Lists and maps that an evaluation makes.

use super::equality::{compare_keys, same_scalar};
use super::{Origin, Value};
use crate::cel::map::Map;
use std::cmp::Ordering;

/// A list, and what walking it costs (its parts may be shared many times over).
#[derive(Debug)]
pub struct List<'a> {
    items: Box<[Value<'a>]>,
    weight: u64,
}

impl<'a> List<'a> {
    #[must_use]
    pub fn new(items: Vec<Value<'a>>) -> List<'a> {
        let weight = items
            .iter()
            .fold(0, |sum: u64, item| sum.saturating_add(item.weight()));
        List {
            items: items.into_boxed_slice(),
            weight,
        }
    }

    #[must_use]
    pub fn items(&self) -> &[Value<'a>] {
        &self.items
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }
}

/// A map with keys of any type that CEL allows, sorted by key so that its order is the same in
/// every run.
#[derive(Debug)]
pub struct ValueMap<'a> {
    entries: Box<[(Value<'a>, Value<'a>)]>,
    weight: u64,
    origin: Origin,
}

/// Two entries have the same key.
#[derive(Debug)]
pub struct DuplicateKey(pub String);

impl<'a> ValueMap<'a> {
    /// # Errors
    /// A key that is there twice.
    pub fn new(mut entries: Vec<(Value<'a>, Value<'a>)>) -> Result<ValueMap<'a>, DuplicateKey> {
        entries.sort_by(|a, b| compare_keys(&a.0, &b.0));
        for pair in entries.windows(2) {
            if compare_keys(&pair[0].0, &pair[1].0) == Ordering::Equal {
                return Err(DuplicateKey(pair[0].0.key_text()));
            }
        }
        let entries = entries.into_boxed_slice();
        Ok(ValueMap {
            entries,
            weight: 0,
            origin: Origin::Plain,
        }
        .weighed())
    }

    /// A map in which missing keys read as they do in watched data.
    #[must_use]
    pub fn watched(mut self) -> ValueMap<'a> {
        self.origin = Origin::Watched;
        self
    }

    /// The entries of a JSON object.
    #[must_use]
    pub fn of_json(map: &Map, origin: Origin) -> ValueMap<'static> {
        let entries = map.iter().map(|(k, v)| {
            (
                Value::String(k.clone()),
                Value::from_json(v, origin).into_static(),
            )
        });
        ValueMap {
            entries: entries.collect(),
            weight: 0,
            origin,
        }
        .weighed()
    }

    /// The same map without borrowing.
    #[must_use]
    pub fn to_static(&self) -> ValueMap<'static> {
        let entries = self
            .entries
            .iter()
            .map(|(k, v)| (k.clone().into_static(), v.clone().into_static()));
        ValueMap {
            entries: entries.collect(),
            weight: 0,
            origin: self.origin,
        }
        .weighed()
    }

    fn weighed(mut self) -> ValueMap<'a> {
        self.weight = self.entries.iter().fold(0, |sum: u64, (k, v)| {
            sum.saturating_add(k.weight()).saturating_add(v.weight())
        });
        self
    }

    /// Whether missing keys read as zero values.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    #[must_use]
    pub fn entries(&self) -> &[(Value<'a>, Value<'a>)] {
        &self.entries
    }

    /// The value at a key; numbers of different types are the same key.
    #[must_use]
    pub fn get(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        let found = self
            .entries
            .binary_search_by(|(k, _)| compare_keys(k, key))
            .ok()?;
        // The order puts NaN somewhere; it is no key.
        same_scalar(&self.entries[found].0, key).then(|| &self.entries[found].1)
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }
}
