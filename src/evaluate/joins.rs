//! [`Joins`]: from which streams the objects come that a rule reads besides its own.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Rule;
use super::relation::Kind;
use crate::names::SourceKey;
use crate::watch::Source;

/// The streams that one rule's objects of one stream are joined with, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joins {
    /// In the order of [`Rule::relations`].
    pub relations: Vec<Join>,
    /// Where its objects' Namespaces are, if it reads them.
    pub namespaces: Option<usize>,
    /// Where their Events are, if it reads them: a number of [`super::RuleSet::events`].
    pub events: Option<usize>,
}

/// The streams of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    pub target: usize,
    pub between: Vec<usize>,
}

impl Joins {
    /// Every stream of objects, perhaps more than once.
    pub fn streams(&self) -> impl Iterator<Item = usize> {
        let related = self.relations.iter().flat_map(Join::streams);
        related.chain(self.namespaces)
    }

    /// Whether the rule reads nothing but its own objects and their Events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.relations.is_empty() && self.namespaces.is_none()
    }
}

impl Join {
    pub fn streams(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.target).chain(self.between.iter().copied())
    }
}

/// Chooses the streams for related objects: one in all namespaces serves all who need the kind in
/// some.
pub(super) struct Chooser {
    everywhere: HashSet<Kind>,
    /// The namespaces whose Events are read; all at once if some rule reads them everywhere.
    pub(super) events: Vec<Option<Arc<str>>>,
}

impl Chooser {
    pub(super) fn new<'r>(rules: impl Iterator<Item = (&'r Rule, &'r Source)> + Clone) -> Self {
        let mut everywhere = HashSet::new();
        let readers = rules.clone().filter(|(rule, _)| rule.reads_events);
        let namespaces: BTreeSet<Option<Arc<str>>> = readers
            .map(|(_, source)| source.namespace.clone())
            .collect();
        let events = if namespaces.contains(&None) {
            vec![None]
        } else {
            namespaces.into_iter().collect()
        };
        for (rule, source) in rules {
            if source.namespace.is_some() {
                continue;
            }
            if source.label_selector.is_none() && source.field_selector.is_none() {
                everywhere.insert(Kind::new(&source.api_version, &source.kind));
            }
            everywhere.extend(rule.relations.iter().flat_map(kinds).cloned());
            everywhere.extend(rule.namespace.as_ref().map(|_| namespace()));
        }
        Self { everywhere, events }
    }

    /// Which of `events` has those of a source's objects.
    fn events_number(&self, watched: &Source) -> Option<usize> {
        let mut events = self.events.iter();
        events.position(|namespace| namespace.is_none() || *namespace == watched.namespace)
    }

    /// What a rule needs for its objects of this stream: the relations' targets with what stands
    /// between, and Namespaces.
    pub(super) fn sources(&self, rule: &Rule, watched: &Source) -> Vec<Source> {
        let related = rule.relations.iter().flat_map(kinds);
        let related = related.map(|kind| self.related(kind, watched));
        related.chain(self.namespaces(rule, watched)).collect()
    }

    /// The same by number.
    pub(super) fn joins(
        &self,
        rule: &Rule,
        watched: &Source,
        number: &dyn Fn(&SourceKey) -> Option<usize>,
    ) -> Joins {
        let stream = |kind| number(&self.related(kind, watched).key());
        let relations = rule.relations.iter().filter_map(|relation| {
            Some(Join {
                target: stream(&relation.target)?,
                between: relation.between.iter().filter_map(stream).collect(),
            })
        });
        let namespaces = self.namespaces(rule, watched);
        Joins {
            relations: relations.collect(),
            namespaces: namespaces.and_then(|source| number(&source.key())),
            events: rule
                .reads_events
                .then(|| self.events_number(watched))
                .flatten(),
        }
    }

    fn related(&self, kind: &Kind, watched: &Source) -> Source {
        let namespace = watched.namespace.clone();
        Source {
            namespace: namespace.filter(|_| !self.everywhere.contains(kind)),
            ..Source::of(kind.api_version.clone(), kind.kind.clone())
        }
    }

    fn namespaces(&self, rule: &Rule, watched: &Source) -> Option<Source> {
        rule.namespace.as_ref()?;
        let kind = namespace();
        let one = watched.namespace.as_ref();
        let one = one.filter(|_| !self.everywhere.contains(&kind));
        Some(Source {
            field_selector: one.map(|name| Arc::from(format!("metadata.name={name}"))),
            ..Source::of(kind.api_version, kind.kind)
        })
    }
}

fn kinds(relation: &super::Relation) -> impl Iterator<Item = &Kind> {
    std::iter::once(&relation.target).chain(&relation.between)
}

fn namespace() -> Kind {
    Kind::new("v1", "Namespace")
}
