//! [`RuleSet`]: all rules, and the streams that they need.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Rule;
use crate::cel::{PathIndex, PathSet};
use crate::names::{RuleName, SourceKey};
use crate::watch::Source;

/// The rules that run, by number, and one stream for each distinct thing that they watch.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub rules: Vec<Arc<Rule>>,
    pub sources: Vec<WatchedSource>,
    /// The kinds that rules watch: Events about anything else are dropped at once.
    pub kinds: HashSet<Arc<str>>,
}

/// One stream and the rules that share it.
#[derive(Debug)]
pub struct WatchedSource {
    pub source: Source,
    pub key: SourceKey,
    /// What is kept of its objects.
    pub paths: PathSet,
    /// Numbers of its rules in [`RuleSet::rules`].
    pub rules: Vec<usize>,
    /// Which of `rules` a change concerns, by position in `rules`.
    pub concerns: PathIndex,
}

impl RuleSet {
    /// Groups rules by what they watch.
    #[must_use]
    pub fn new(rules: Vec<(Rule, Vec<Source>)>) -> Self {
        let mut set = Self::default();
        let mut by_key: BTreeMap<SourceKey, (Source, Vec<usize>)> = BTreeMap::new();
        for (number, (rule, sources)) in rules.into_iter().enumerate() {
            for source in sources {
                set.kinds.insert(source.kind.clone());
                let entry = by_key
                    .entry(source.key())
                    .or_insert_with(|| (source, Vec::new()));
                entry.1.push(number);
            }
            set.rules.push(Arc::new(rule));
        }
        for (key, (source, numbers)) in by_key {
            let rules = || numbers.iter().map(|number| &*set.rules[*number]);
            let paths = rules().fold(PathSet::none(), |all, rule| all.union(&rule.keeps));
            let concerned: Vec<&PathSet> = rules().map(Rule::concern).collect();
            set.sources.push(WatchedSource {
                source,
                key,
                paths,
                concerns: PathIndex::new(&concerned),
                rules: numbers,
            });
        }
        set
    }

    /// The streams to open: each source with the paths that are read of its objects, and the one
    /// for Kubernetes Events if a rule reads them.
    #[must_use]
    pub fn streams(&self) -> Vec<(Source, PathSet)> {
        let events = self
            .reads_events()
            .then(|| (Source::events(), PathSet::all()));
        self.sources
            .iter()
            .map(|watched| (watched.source.clone(), watched.paths.clone()))
            .chain(events)
            .collect()
    }

    /// Whether any rule reads Kubernetes Events.
    #[must_use]
    pub fn reads_events(&self) -> bool {
        self.rules.iter().any(|rule| rule.reads_events)
    }

    #[must_use]
    pub fn rule(&self, name: &RuleName) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name == *name)
    }
}

impl Rule {
    /// The paths whose change makes the engine look at this rule: an occurrence fires only for
    /// what its condition reads, a state also shows its templates what is new.
    fn concern(&self) -> &PathSet {
        if self.resolves() {
            &self.keeps
        } else {
            &self.watches
        }
    }
}
