//! Which readers of an object does a change concern: one walk over old and new for all of them.

use super::json::Json;
use super::map::Map;
use super::paths::{Node, PathSet};
use std::sync::Arc;

impl PathSet {
    /// Whether a value at one of these paths differs between the two, coming and going included.
    #[must_use]
    pub fn changed(&self, old: &Json, new: &Json) -> bool {
        changed(&self.root, Some(old), Some(new))
    }
}

fn changed(node: &Node, old: Option<&Json>, new: Option<&Json>) -> bool {
    if old.is_none() && new.is_none() {
        return false;
    }
    if node.whole {
        return old != new;
    }
    if node.presence && presence(old) != presence(new) {
        return true;
    }
    if node.fields.is_empty() && node.each.is_none() {
        return false;
    }
    match shape(old, new) {
        Shape::Scalars => old != new,
        // A list has no fields, an absent value has: they read as zero.
        Shape::Lists(_, _, Came(true)) if !node.fields.is_empty() => true,
        Shape::Lists(old, new, _) => node.each.as_deref().is_some_and(|each| {
            old.len() != new.len()
                || old
                    .iter()
                    .zip(new)
                    .any(|(old, new)| changed(each, Some(old), Some(new)))
        }),
        Shape::Maps(old, new, Came(came)) => {
            node.fields
                .iter()
                .any(|(name, field)| changed(field, old.get(name), new.get(name)))
                || node.each.as_deref().is_some_and(|each| {
                    came || !same_keys(old, new)
                        || old
                            .iter()
                            .zip(new)
                            .any(|(o, n)| changed(each, Some(&o.1), Some(&n.1)))
                })
        }
    }
}

/// Absent, null, or there.
fn presence(json: Option<&Json>) -> Option<bool> {
    json.map(Json::is_null)
}

fn same_keys(old: &Map, new: &Map) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(o, n)| o.0 == n.0)
}

/// How two values can be compared below. An absent one reads as an empty list or map.
enum Shape<'j> {
    Lists(&'j [Json], &'j [Json], Came),
    Maps(&'j Map, &'j Map, Came),
    /// Scalars, or two that have nothing in common.
    Scalars,
}

/// Whether only one of the two is there.
struct Came(bool);

fn shape<'j>(old: Option<&'j Json>, new: Option<&'j Json>) -> Shape<'j> {
    static EMPTY: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::default);
    match (old, new) {
        (Some(Json::List(old)), Some(Json::List(new))) => Shape::Lists(old, new, Came(false)),
        (Some(Json::List(old)), None) => Shape::Lists(old, &[], Came(true)),
        (None, Some(Json::List(new))) => Shape::Lists(&[], new, Came(true)),
        (Some(Json::Map(old)), Some(Json::Map(new))) => Shape::Maps(old, new, Came(false)),
        (Some(Json::Map(old)), None) => Shape::Maps(old, &EMPTY, Came(true)),
        (None, Some(Json::Map(new))) => Shape::Maps(&EMPTY, new, Came(true)),
        _ => Shape::Scalars,
    }
}

/// Many path sets, numbered by their place, merged so that one walk answers for all.
#[derive(Clone, Debug, Default)]
pub struct PathIndex {
    root: Readers,
    sets: usize,
}

/// Who reads what of one value. Numbers are places in the list of sets.
#[derive(Clone, Debug, Default)]
struct Readers {
    whole: Vec<u32>,
    presence: Vec<u32>,
    fields: Vec<(Arc<str>, Readers)>,
    each: Option<Box<Readers>>,
    /// Everybody who reads fields or elements: concerned when the shape itself changes.
    below: Vec<u32>,
    /// Everybody who reads elements: concerned when their number changes.
    elements: Vec<u32>,
    /// Everybody who reads fields: concerned when a list comes, which has none.
    fielders: Vec<u32>,
}

/// The sets that a change concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    words: Vec<u64>,
}

impl Changes {
    /// Whether the set with this number is concerned.
    #[must_use]
    pub fn contains(&self, set: usize) -> bool {
        self.words
            .get(set / 64)
            .is_some_and(|word| word >> (set % 64) & 1 == 1)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The numbers of the sets that are concerned, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        })
    }

    fn mark(&mut self, sets: &[u32]) {
        for set in sets {
            self.words[*set as usize / 64] |= 1 << (set % 64);
        }
    }

    fn has_all(&self, sets: &[u32]) -> bool {
        sets.iter().all(|set| self.contains(*set as usize))
    }
}

impl PathIndex {
    #[must_use]
    pub fn new(sets: &[&PathSet]) -> PathIndex {
        let mut index = PathIndex {
            root: Readers::default(),
            sets: sets.len(),
        };
        for (number, set) in (0..).zip(sets) {
            index.root.add(number, &set.root);
        }
        index
    }

    /// The sets one of whose paths differs between the two; the same answer as
    /// [`PathSet::changed`] for each of them.
    #[must_use]
    pub fn changed(&self, old: &Json, new: &Json) -> Changes {
        let mut changes = Changes {
            words: vec![0; self.sets.div_ceil(64)],
        };
        self.root.walk(Some(old), Some(new), &mut changes);
        changes
    }
}

impl Readers {
    fn add(&mut self, number: u32, node: &Node) {
        if node.whole {
            self.whole.push(number);
            return;
        }
        if node.presence {
            self.presence.push(number);
        }
        if !node.fields.is_empty() || node.each.is_some() {
            self.below.push(number);
        }
        if !node.fields.is_empty() {
            self.fielders.push(number);
        }
        for (name, node) in &node.fields {
            let at = match self.fields.binary_search_by(|(n, _)| n.cmp(name)) {
                Ok(at) => at,
                Err(at) => {
                    self.fields.insert(at, (name.clone(), Readers::default()));
                    at
                }
            };
            self.fields[at].1.add(number, node);
        }
        if let Some(each) = &node.each {
            self.elements.push(number);
            self.each.get_or_insert_default().add(number, each);
        }
    }

    fn walk(&self, old: Option<&Json>, new: Option<&Json>, changes: &mut Changes) {
        if old.is_none() && new.is_none() {
            return;
        }
        if !self.whole.is_empty() && !changes.has_all(&self.whole) && old != new {
            changes.mark(&self.whole);
        }
        if !self.presence.is_empty() && presence(old) != presence(new) {
            changes.mark(&self.presence);
        }
        if self.below.is_empty() {
            return;
        }
        match shape(old, new) {
            Shape::Scalars => {
                if old != new {
                    changes.mark(&self.below);
                }
            }
            Shape::Lists(old, new, Came(came)) => {
                if came {
                    changes.mark(&self.fielders);
                }
                self.walk_elements(old.len() == new.len(), old.iter().zip(new), changes);
            }
            Shape::Maps(old, new, Came(came)) => {
                for (name, readers) in &self.fields {
                    readers.walk(old.get(name), new.get(name), changes);
                }
                if self.each.is_some() {
                    let pairs = old.iter().zip(new).map(|(o, n)| (&o.1, &n.1));
                    self.walk_elements(!came && same_keys(old, new), pairs, changes);
                }
            }
        }
    }

    fn walk_elements<'j>(
        &self,
        same: bool,
        mut pairs: impl Iterator<Item = (&'j Json, &'j Json)>,
        changes: &mut Changes,
    ) {
        let Some(each) = &self.each else { return };
        if !same {
            changes.mark(&self.elements);
            return;
        }
        pairs
            .by_ref()
            .for_each(|(old, new)| each.walk(Some(old), Some(new), changes));
    }
}

#[cfg(test)]
pub(in crate::cel) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(paths: &[&str]) -> PathSet {
        PathSet::of(paths.iter().copied()).expect("the test's paths are valid")
    }

    fn json(text: &str) -> Json {
        serde_json::from_str(text).expect("the test's JSON is valid")
    }

    #[test]
    fn only_a_difference_at_a_path_counts() {
        let old = json(r#"{"spec":{"a":1},"status":{"conditions":[{"type":"R","at":1}]}}"#);
        let new = json(r#"{"spec":{"a":2},"status":{"conditions":[{"type":"R","at":2}]}}"#);
        assert!(set(&["spec"]).changed(&old, &new));
        assert!(set(&["spec.a"]).changed(&old, &new));
        assert!(set(&["status.conditions[].at"]).changed(&old, &new));
        assert!(!set(&["status.conditions[].type", "spec?", "gone.x"]).changed(&old, &new));
    }

    #[test]
    fn coming_and_going_counts_but_an_empty_parent_does_not() {
        let without = json("{}");
        let with = json(r#"{"status":{"list":[]}}"#);
        assert!(set(&["status?"]).changed(&without, &with));
        assert!(set(&["status.list"]).changed(&without, &with));
        assert!(!set(&["status.phase"]).changed(&without, &with));
        assert!(!set(&["status.list[].x"]).changed(&without, &with));
        // An empty list is not an absent map: to read a field of it is an error.
        assert!(set(&["status.list.x"]).changed(&without, &with));
    }

    #[test]
    fn another_number_of_elements_counts_for_whoever_reads_one() {
        let one = json(r#"{"l":[{"a":1}],"m":{"x":1}}"#);
        let two = json(r#"{"l":[{"a":1},{}],"m":{"y":1}}"#);
        assert!(set(&["l[].b"]).changed(&one, &two));
        assert!(set(&["m[]?"]).changed(&one, &two));
        assert!(!set(&["l?", "m?"]).changed(&one, &two));
    }

    pub(in crate::cel) fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (0i64..3).prop_map(Json::from),
            "[xy]?".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                prop::collection::vec(("[abc]", inner), 0..4).prop_map(|entries| Json::Map(
                    entries
                        .into_iter()
                        .map(|(k, v)| (Arc::from(k), v))
                        .collect()
                )),
            ]
        })
    }

    fn any_paths() -> impl Strategy<Value = PathSet> {
        let path = r"[abc](\.[abc]|\[\]){0,3}\??";
        prop::collection::vec(path, 0..4).prop_map(|paths| {
            PathSet::of(paths.iter().map(String::as_str)).expect("the pattern makes paths")
        })
    }

    proptest! {
        #[test]
        fn an_index_answers_as_each_set_would(
            sets in prop::collection::vec(any_paths(), 0..5), old in any_json(), new in any_json(),
        ) {
            let index = PathIndex::new(&sets.iter().collect::<Vec<_>>());
            let changes = index.changed(&old, &new);
            for (number, set) in sets.iter().enumerate() {
                prop_assert_eq!(changes.contains(number), set.changed(&old, &new), "{:?}", set);
            }
            prop_assert_eq!(changes.iter().count() == 0, changes.is_empty());
        }

        #[test]
        fn a_projection_shows_the_same_changes(set in any_paths(), old in any_json(), new in any_json()) {
            let changed = set.changed(&old, &new);
            prop_assert_eq!(changed, set.changed(&set.project(&old), &set.project(&new)));
            if set.project(&old) == set.project(&new) {
                prop_assert!(!changed);
            }
        }
    }
}
