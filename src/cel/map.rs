//! [`Map`]: the object of [`Json`], a boxed slice sorted by key.

use super::json::Json;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::sync::Arc;

/// A JSON object: immutable, sorted by key, each key once. Keys are shared (`Arc<str>`), because
/// thousands of objects of a kind have the same ones.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Map(Box<[(Arc<str>, Json)]>);

/// Up to so many entries a map is searched from its start.
const FEW: usize = 12;

impl Map {
    /// Sorts the entries; of two with the same key the later one wins, as in every JSON parser
    /// that a cluster uses.
    #[must_use]
    pub fn new(mut entries: Vec<(Arc<str>, Json)>) -> Map {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            // `dedup_by` keeps the first of a run: move the later value into it.
            entries.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1 = std::mem::take(&mut later.1);
                }
                same
            });
        }
        Map(entries.into_boxed_slice())
    }

    /// The value at `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        // Most keys differ in length from the one that is sought: that is cheaper to see than
        // which of them comes first.
        if self.0.len() <= FEW {
            return self
                .0
                .iter()
                .find(|(k, _)| **k == *key)
                .map(|(_, value)| value);
        }
        let found = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        Some(&self.0[found].1)
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> std::slice::Iter<'_, (Arc<str>, Json)> {
        self.0.iter()
    }

    /// The entries as a slice, sorted by key.
    #[must_use]
    pub fn entries(&self) -> &[(Arc<str>, Json)] {
        &self.0
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a (Arc<str>, Json);
    type IntoIter = std::slice::Iter<'a, (Arc<str>, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromIterator<(Arc<str>, Json)> for Map {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Json)>>(entries: I) -> Map {
        Map::new(entries.into_iter().collect())
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(&**key, value)?;
        }
        map.end()
    }
}
