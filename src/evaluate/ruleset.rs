//! [`RuleSet`]: all rules, and the streams that they need.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use super::Rule;
use super::joins::{Chooser, Joins};
use super::relation::Reads;
use crate::cel::{PathIndex, PathSet};
use crate::names::{RuleName, SourceKey};
use crate::transition::Indexes;
use crate::transition::ownership::OWNERS;
use crate::watch::Source;

/// What is kept of objects that are joined by ownership, whatever is read of them.
/// What an object must keep so that its owners are known.
pub static OWNERSHIP: LazyLock<PathSet> =
    LazyLock::new(|| PathSet::of([OWNERS]).expect("a path, which a test of the joins reads"));

/// The rules that run, by number, and one stream for each distinct thing that they watch.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub rules: Vec<Arc<Rule>>,
    pub sources: Vec<WatchedSource>,
    /// The streams of Kubernetes Events: one of the whole cluster, or one for each namespace where
    /// rules read them; none if no rule does.
    pub events: Vec<Source>,
    /// The kinds that rules watch or join: Events about anything else are dropped at once.
    pub kinds: HashSet<Arc<str>>,
}

/// One stream and the rules that share it.
#[derive(Debug)]
pub struct WatchedSource {
    pub source: Source,
    pub key: SourceKey,
    /// What is kept of its objects.
    pub paths: PathSet,
    /// Numbers of the rules in [`RuleSet::rules`] whose objects these are.
    pub rules: Vec<usize>,
    /// Which of `rules` a change concerns, by position in `rules`.
    pub concerns: PathIndex,
    /// What each of `rules` reads besides, by position in `rules`.
    pub joins: Vec<Joins>,
    /// Who is joined with these objects: streams, and positions in their `rules`.
    pub joined_by: Vec<(usize, usize)>,
    pub indexes: Indexes,
}

impl RuleSet {
    /// Groups rules by what they watch.
    #[must_use]
    pub fn new(rules: Vec<(Rule, Vec<Source>)>) -> Self {
        let mut by_key: BTreeMap<SourceKey, (Source, Vec<usize>)> = BTreeMap::new();
        let pairs = rules
            .iter()
            .flat_map(|(rule, sources)| sources.iter().map(move |source| (rule, source)));
        let chooser = Chooser::new(pairs.clone());
        for source in pairs.flat_map(|(rule, source)| chooser.sources(rule, source)) {
            by_key.entry(source.key()).or_insert((source, Vec::new()));
        }
        let events = chooser.events.iter().cloned();
        let mut set = Self {
            events: events.map(Source::events_of).collect(),
            ..Self::default()
        };
        for (number, (rule, sources)) in rules.into_iter().enumerate() {
            for source in sources {
                let entry = by_key.entry(source.key()).or_insert((source, Vec::new()));
                entry.1.push(number);
            }
            set.rules.push(Arc::new(rule));
        }
        for (key, (source, numbers)) in by_key {
            set.watch(key, source, numbers);
        }
        set.join(&chooser);
        set
    }

    fn watch(&mut self, key: SourceKey, source: Source, numbers: Vec<usize>) {
        let rules = || numbers.iter().map(|number| &*self.rules[*number]);
        let paths = rules().fold(PathSet::none(), |all, rule| all.union(&rule.keeps));
        let concerned: Vec<&PathSet> = rules().map(|rule| &rule.concerns).collect();
        if !numbers.is_empty() {
            self.kinds.insert(source.kind.clone());
        }
        self.sources.push(WatchedSource {
            source,
            key,
            paths,
            concerns: PathIndex::new(&concerned),
            joins: Vec::new(),
            joined_by: Vec::new(),
            indexes: Indexes::default(),
            rules: numbers,
        });
    }

    /// Says of each stream with which others its rules' objects are joined, and what is kept there
    /// for that.
    fn join(&mut self, chooser: &Chooser) {
        let keys = self.sources.iter().enumerate();
        let numbers: BTreeMap<SourceKey, usize> = keys
            .map(|(at, watched)| (watched.key.clone(), at))
            .collect();
        let number = |key: &SourceKey| numbers.get(key).copied();
        for at in 0..self.sources.len() {
            for position in 0..self.sources[at].rules.len() {
                let rule = self.rules[self.sources[at].rules[position]].clone();
                let joins = chooser.joins(&rule, &self.sources[at].source, &number);
                self.join_rule(&rule, (at, position), &joins);
                self.sources[at].joins.push(joins);
            }
        }
    }

    fn join_rule(&mut self, rule: &Rule, by: (usize, usize), joins: &Joins) {
        for (join, relation) in joins.relations.iter().zip(&rule.relations) {
            for stream in join.streams() {
                let stream = &mut self.sources[stream];
                stream.paths = stream.paths.union(&OWNERSHIP);
                stream.indexes.by_owner = true;
            }
            let target = &mut self.sources[join.target];
            target.paths = target.paths.union(&relation.reads.keeps);
            if rule.reads_events {
                self.kinds.insert(relation.target.kind.clone());
            }
        }
        if let (Some(stream), Some(reads)) = (joins.namespaces, &rule.namespace) {
            let stream = &mut self.sources[stream];
            stream.paths = stream.paths.union(&reads.keeps);
            stream.indexes.by_name = true;
        }
        let streams: HashSet<usize> = joins.streams().collect();
        for stream in streams {
            self.sources[stream].joined_by.push(by);
        }
    }

    /// Keeps of objects all that they are, whatever is read of them, for rules that a recording is
    /// tried with later. Not of Secrets: what they hold has no place in memory or the state file.
    pub fn keep_whole_objects(&mut self) {
        let open = self.sources.iter_mut();
        for watched in open.filter(|watched| &*watched.source.kind != "Secret") {
            watched.paths = PathSet::all();
        }
    }

    /// The streams to open: each source with the paths that are read of its objects, and those of
    /// Kubernetes Events if a rule reads them.
    #[must_use]
    pub fn streams(&self) -> Vec<(Source, PathSet)> {
        let events = self.events.iter().cloned();
        let events = events.map(|source| (source, PathSet::all()));
        self.sources
            .iter()
            .map(|watched| (watched.source.clone(), watched.paths.clone()))
            .chain(events)
            .collect()
    }

    #[must_use]
    pub fn rule(&self, name: &RuleName) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name == *name)
    }
}

impl Rule {
    /// The paths whose change makes the engine look at this rule, of objects that are joined with
    /// its own.
    #[must_use]
    pub fn concern_of<'r>(&self, reads: &'r Reads) -> &'r PathSet {
        if self.resolves() {
            &reads.keeps
        } else {
            &reads.watches
        }
    }
}
