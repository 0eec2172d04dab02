//! What rules read that a recording does not hold: they cannot be tried on it.
//!
//! In: rules, and what was watched. Out: [`Missing`]. To such a rule it would look as if there were
//! nothing, which is not what was so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::LABELS;
use crate::cel::PathSet;
use crate::dry_run::report::counted;
use crate::evaluate::joins::Joins;
use crate::evaluate::{OWNERSHIP, Rule, RuleSet};
use crate::names::RuleName;
use crate::watch::Source;
use crate::watch::object::with_identity;

/// What a recording does not hold of what rules read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The kinds, each with why.
    pub kinds: BTreeMap<String, Why>,
    /// The rules that read them, which are not tried.
    pub rules: BTreeSet<RuleName>,
}

/// Why something is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The kind was not watched.
    NotWatched,
    /// It was watched in other namespaces, or by other selectors.
    OnlySome,
    /// Fields that the rules read were not kept.
    Fields,
}

impl Missing {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// For people: a line a kind, and how many rules that concerns.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (kind, why) in &self.kinds {
            let _ = writeln!(text, "  {kind}: {}", why.as_str());
        }
        let rules: Vec<&str> = self.rules.iter().map(RuleName::as_str).collect();
        let count = counted(rules.len(), "rule");
        format!("{count} not tried: {}\n{text}", rules.join(", "))
    }

    /// For scripts.
    #[must_use]
    pub fn json(&self) -> Value {
        let rules = self.rules.iter().map(RuleName::as_str);
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(kind, why)| json!({"kind": kind, "why": why.as_str()}));
        json!({"rules": rules.collect::<Vec<_>>(), "kinds": kinds.collect::<Vec<_>>()})
    }
}

impl Why {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotWatched => "not recorded",
            Self::OnlySome => "recorded in other namespaces or by other selectors only",
            Self::Fields => "recorded without fields that the rules read",
        }
    }
}

/// What was watched, and what was kept of it.
#[derive(Clone, Debug)]
pub struct Watched {
    pub source: Source,
    pub paths: PathSet,
}

impl Watched {
    /// Whole objects.
    #[must_use]
    pub fn whole(source: &Source) -> Self {
        Self {
            source: source.clone(),
            paths: PathSet::all(),
        }
    }

    /// Whether it says all that this stream would.
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers(&self, source: &Source, paths: &PathSet) -> Result<(), Why> {
        let own = &self.source;
        if own.kind != source.kind || own.api_version != source.api_version {
            return Err(Why::NotWatched);
        }
        let same = own.namespace.is_none() || own.namespace == source.namespace;
        let labels = own.label_selector == source.label_selector;
        let fields = own.field_selector == source.field_selector;
        if !(same && (labels || own.label_selector.is_none()))
            || !(fields || own.field_selector.is_none())
        {
            return Err(Why::OnlySome);
        }
        let kept = with_identity(&self.paths);
        let selected = (labels || kept.covers(&LABELS)) && (fields || kept.is_all());
        if kept.covers(paths) && selected {
            Ok(())
        } else {
            Err(Why::Fields)
        }
    }

    /// Whether that stream would leave out something of what this one says.
    #[must_use]
    pub fn is_wider_than(&self, source: &Source) -> bool {
        self.source != *source
    }
}

/// What these rules read and was not watched.
#[must_use]
pub fn missing(rules: &RuleSet, watched: &[Watched]) -> Missing {
    let mut missing = Missing::default();
    let mut holds = |source: &Source, paths: &PathSet| {
        let whys = watched.iter().map(|one| one.covers(source, paths).err());
        // The nearest of all reasons.
        let why = whys
            .reduce(|a, b| a.and_then(|a| b.map(|b| a.max(b))))
            .unwrap_or(Some(Why::NotWatched));
        if let Some(why) = why {
            let kind = format!("{}/{}", source.api_version, source.kind);
            let known = missing.kinds.entry(kind).or_insert(why);
            *known = why.max(*known);
        }
        why.is_none()
    };
    let mut not_tried = BTreeSet::new();
    for (at, stream) in rules.sources.iter().enumerate() {
        for (number, joins) in stream.rules.iter().zip(&stream.joins) {
            let rule = &rules.rules[*number];
            let mut held = true;
            for (at, paths) in reads(rule, at, joins) {
                held &= holds(&rules.sources[at].source, &paths);
            }
            if let Some(at) = joins.events {
                held &= holds(&rules.events[at], &PathSet::none());
            }
            if !held {
                not_tried.insert(rule.name.clone());
            }
        }
    }
    missing.rules = not_tried;
    missing
}

/// What a rule reads of each stream.
fn reads(rule: &Rule, own: usize, joins: &Joins) -> Vec<(usize, PathSet)> {
    let mut reads = vec![(own, rule.keeps.clone())];
    for (join, relation) in joins.relations.iter().zip(&rule.relations) {
        reads.push((own, OWNERSHIP.clone()));
        reads.push((join.target, relation.reads.keeps.union(&OWNERSHIP)));
        reads.extend(join.between.iter().map(|at| (*at, OWNERSHIP.clone())));
    }
    if let (Some(at), Some(namespace)) = (joins.namespaces, &rule.namespace) {
        reads.push((at, namespace.keeps.clone()));
    }
    reads
}
