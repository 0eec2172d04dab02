//! [`PathSet`]: which paths of an object somebody reads, as a trie.
//!
//! Text of a path: `status.phase`, `status.conditions[].type` (`[]`: each element of a list or
//! each value of a map), `metadata.labels['app.kubernetes.io/name']`, `status?` (only whether it
//! is there), `*` (the whole object).

mod text;

use std::sync::Arc;

use text::parse;
pub(crate) use text::push_field;

/// A set of paths into a JSON value. A path includes everything below it, unless it ends in `?`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PathSet {
    pub(super) root: Node,
}

/// What is read of one value.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// The value and all below. Then the rest of the node is empty.
    pub(super) whole: bool,
    /// Whether it is there, and whether it is null.
    pub(super) presence: bool,
    /// Fields, sorted by name.
    pub(super) fields: Vec<(Arc<str>, Node)>,
    /// Each element of a list, each value of a map; also how many there are and a map's keys.
    pub(super) each: Option<Box<Node>>,
}

/// One step of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Step {
    Field(Arc<str>),
    Each,
}

/// The text is not a path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path:?} is not a path: {reason} at byte {at}")]
pub struct PathError {
    pub path: String,
    pub at: usize,
    pub reason: &'static str,
}

impl PathSet {
    /// Nothing.
    #[must_use]
    pub fn none() -> PathSet {
        PathSet::default()
    }

    /// The whole object.
    #[must_use]
    pub fn all() -> PathSet {
        PathSet {
            root: Node::whole(),
        }
    }

    /// The set of these paths.
    ///
    /// # Errors
    /// The first text that is not a path.
    pub fn of<'p>(paths: impl IntoIterator<Item = &'p str>) -> Result<PathSet, PathError> {
        let mut set = PathSet::none();
        for path in paths {
            set.insert(path)?;
        }
        Ok(set)
    }

    /// Adds a path given as text.
    ///
    /// # Errors
    /// The text is not a path.
    pub fn insert(&mut self, path: &str) -> Result<(), PathError> {
        let (steps, presence) = parse(path)?;
        if presence {
            self.insert_presence(&steps);
        } else {
            self.insert_steps(&steps);
        }
        Ok(())
    }

    /// Adds a path and everything below it.
    pub fn insert_steps(&mut self, steps: &[Step]) {
        if let Some(node) = self.root.reach(steps) {
            *node = Node::whole();
        }
    }

    /// Adds whether a path is there, without its value.
    pub fn insert_presence(&mut self, steps: &[Step]) {
        if let Some(node) = self.root.reach(steps) {
            node.presence = true;
        }
    }

    /// Whether nothing is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root == Node::default()
    }

    /// Whether the whole object is read.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.root.whole
    }

    /// What one of the two reads.
    #[must_use]
    pub fn union(&self, other: &PathSet) -> PathSet {
        let mut root = self.root.clone();
        root.merge(&other.root);
        PathSet { root }
    }

    /// What both read.
    #[must_use]
    pub fn intersect(&self, other: &PathSet) -> PathSet {
        PathSet {
            root: self.root.intersect(&other.root).unwrap_or_default(),
        }
    }

    /// Whether a projection to this set has all that `other` reads.
    #[must_use]
    pub fn covers(&self, other: &PathSet) -> bool {
        self.root.covers(&other.root)
    }

    /// What is read of a field's value.
    #[must_use]
    pub fn field(&self, name: &str) -> PathSet {
        if self.root.whole {
            return PathSet::all();
        }
        let root = self.root.field(name).cloned().unwrap_or_default();
        PathSet { root }
    }

    /// What is read of each element of a list.
    #[must_use]
    pub fn elements(&self) -> PathSet {
        if self.root.whole {
            return PathSet::all();
        }
        let root = self.root.each.as_deref().cloned().unwrap_or_default();
        PathSet { root }
    }

    /// The same of each element of a list.
    #[must_use]
    pub fn of_each(&self) -> PathSet {
        PathSet {
            root: Node {
                each: Some(Box::new(self.root.clone())),
                ..Node::default()
            },
        }
    }

    /// The paths step by step.
    pub(super) fn steps(&self) -> Vec<Vec<Step>> {
        let paths = self.paths().into_iter();
        paths
            .filter_map(|path| parse(&path).ok())
            .map(|(steps, _)| steps)
            .collect()
    }

    /// The paths as text, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.root.whole {
            out.push("*".to_owned());
        }
        self.root.write(&mut String::new(), &mut out);
        out.sort();
        out
    }
}

impl Node {
    pub(super) fn whole() -> Node {
        Node {
            whole: true,
            ..Node::default()
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Node> {
        let found = self
            .fields
            .binary_search_by(|(n, _)| (**n).cmp(name))
            .ok()?;
        Some(&self.fields[found].1)
    }

    /// The node at the end of the steps, made where it is missing; `None` if a node on the way
    /// already reads everything.
    fn reach(&mut self, steps: &[Step]) -> Option<&mut Node> {
        if self.whole {
            return None;
        }
        let Some((step, rest)) = steps.split_first() else {
            return Some(self);
        };
        let next = match step {
            Step::Each => self.each.get_or_insert_default(),
            Step::Field(name) => {
                let at = match self.fields.binary_search_by(|(n, _)| n.cmp(name)) {
                    Ok(at) => at,
                    Err(at) => {
                        self.fields.insert(at, (name.clone(), Node::default()));
                        at
                    }
                };
                &mut self.fields[at].1
            }
        };
        next.reach(rest)
    }

    fn merge(&mut self, other: &Node) {
        if self.whole {
            return;
        }
        if other.whole {
            *self = Node::whole();
            return;
        }
        self.presence |= other.presence;
        for (name, node) in &other.fields {
            match self.fields.binary_search_by(|(n, _)| n.cmp(name)) {
                Ok(at) => self.fields[at].1.merge(node),
                Err(at) => self.fields.insert(at, (name.clone(), node.clone())),
            }
        }
        if let Some(each) = &other.each {
            self.each.get_or_insert_default().merge(each);
        }
    }

    fn intersect(&self, other: &Node) -> Option<Node> {
        if self.whole {
            return Some(other.clone());
        }
        if other.whole {
            return Some(self.clone());
        }
        let mut both = Node {
            presence: self.presence && other.presence,
            ..Node::default()
        };
        for (name, node) in &self.fields {
            let theirs = other.field(name).or(other.each.as_deref());
            if let Some(node) = theirs.and_then(|theirs| node.intersect(theirs)) {
                both.fields.push((name.clone(), node));
            }
        }
        if let (Some(a), Some(b)) = (&self.each, &other.each) {
            both.each = a.intersect(b).map(Box::new);
        }
        (both != Node::default()).then_some(both)
    }

    fn covers(&self, other: &Node) -> bool {
        if self.whole {
            return true;
        }
        let each = self.each.as_deref();
        // A projection keeps the prefixes of its paths, so presence is always there.
        !other.whole
            && other.fields.iter().all(|(name, theirs)| {
                [self.field(name), each]
                    .into_iter()
                    .flatten()
                    .any(|ours| ours.covers(theirs))
            })
            && other
                .each
                .as_deref()
                .is_none_or(|theirs| each.is_some_and(|e| e.covers(theirs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str]) -> PathSet {
        PathSet::of(paths.iter().copied()).expect("the test's paths are valid")
    }

    #[test]
    fn paths_come_back_as_they_were_written_and_sorted() {
        let written = [
            "metadata.labels['a.b/c\\'d']",
            "status.conditions[].type",
            "spec?",
        ];
        assert_eq!(
            set(&written).paths(),
            [
                "metadata.labels['a.b/c\\'d']",
                "spec?",
                "status.conditions[].type"
            ]
        );
        let text = serde_json::to_string(&set(&written)).expect("a set is serialisable");
        assert_eq!(
            serde_json::from_str::<PathSet>(&text).expect("its text"),
            set(&written)
        );
        assert_eq!(set(&["*"]), PathSet::all());
        assert_eq!(PathSet::all().paths(), ["*"]);
    }

    #[test]
    fn a_path_includes_what_is_below_it() {
        assert_eq!(
            set(&["status.phase", "status", "status.x"]).paths(),
            ["status"]
        );
        assert!(set(&["status"]).covers(&set(&["status.conditions[].type", "status?"])));
        assert!(!set(&["status.phase"]).covers(&set(&["status"])));
        assert!(set(&["labels[]"]).covers(&set(&["labels.app"])));
        assert!(PathSet::all().covers(&PathSet::all()));
        assert!(PathSet::none().covers(&PathSet::none()));
    }

    #[test]
    fn a_union_covers_both_and_an_intersection_is_covered_by_both() {
        let a = set(&["status.conditions[].type", "spec.version", "metadata"]);
        let b = set(&["status.conditions", "metadata.name", "kind"]);
        assert!(a.union(&b).covers(&a) && a.union(&b).covers(&b));
        assert_eq!(
            a.intersect(&b).paths(),
            ["metadata.name", "status.conditions[].type"]
        );
        assert_eq!(a.intersect(&PathSet::none()), PathSet::none());
        assert_eq!(a.union(&PathSet::all()), PathSet::all());
    }

    #[test]
    fn what_is_read_of_the_elements_of_a_field() {
        let related = set(&["pods[].status.phase", "pods[].metadata.name", "jobs"]);
        let pods = related.field("pods").elements();
        assert_eq!(pods.paths(), ["metadata.name", "status.phase"]);
        assert_eq!(pods.of_each(), related.field("pods"));
        assert!(related.field("jobs").elements().is_all());
        assert!(related.field("nodes").is_empty());
    }

    #[test]
    fn text_that_is_no_path_is_refused_with_its_place() {
        let problem = |path| PathSet::of([path]).expect_err("no path").to_string();
        insta::assert_snapshot!(problem("status..phase"), @r#""status..phase" is not a path: a name of letters, digits, '_', '-' is expected at byte 7"#);
        insta::assert_snapshot!(problem(".a"), @r#"".a" is not a path: a name is expected here at byte 0"#);
        insta::assert_snapshot!(problem("a['b"), @r#""a['b" is not a path: no closing "']" to "['" at byte 1"#);
        insta::assert_snapshot!(problem(""), @r#""" is not a path: it is empty at byte 0"#);
    }
}
