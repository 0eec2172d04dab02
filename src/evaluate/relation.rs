//! [`Relation`]: objects that a rule's objects own, and through what.

use std::sync::Arc;

use crate::cel::{PathSet, Program};
use crate::config;

/// Objects of a kind, as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    pub api_version: Arc<str>,
    pub kind: Arc<str>,
}

/// What a rule reads of objects that are not its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Its conditions.
    pub watches: PathSet,
    /// Its conditions, labels and templates.
    pub keeps: PathSet,
    /// Whether its conditions read anything of them, if only how many there are.
    pub decide: bool,
}

/// One entry of a rule's `related`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// As expressions name it: `related.pods`.
    pub name: Arc<str>,
    pub target: Kind,
    /// What may stand between the two, in any order.
    pub between: Vec<Kind>,
    /// Of each of the objects.
    pub reads: Reads,
}

const NAMESPACE: &str = "namespaceObject";

/// What Kubernetes' own controllers put between an owner and its Pods: the owner, and what.
const BETWEEN_PODS: [[(&str, &str); 2]; 2] = [
    [("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet")],
    [("batch/v1", "CronJob"), ("batch/v1", "Job")],
];

impl Kind {
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
        }
    }

    fn is(&self, (api_version, kind): (&str, &str)) -> bool {
        *self.api_version == *api_version && *self.kind == *kind
    }
}

impl Reads {
    /// What a rule reads of its objects' Namespaces; `None` if nothing is.
    pub(super) fn of_namespace([conditions, others]: [&[&Program]; 2]) -> Option<Self> {
        let reads = |programs: &[&Program]| {
            let reads = programs
                .iter()
                .filter_map(|program| program.reads(NAMESPACE));
            reads.cloned().reduce(|all, paths| all.union(&paths))
        };
        let (watches, others) = (reads(conditions), reads(others));
        let decide = watches.is_some();
        let all = watches.iter().chain(&others);
        let keeps = all.cloned().reduce(|all, paths| all.union(&paths))?;
        Some(Self {
            watches: watches.unwrap_or_default(),
            keeps,
            decide,
        })
    }
}

impl Relation {
    /// The lists of `related` that something reads; if the rule reads Events, all of them.
    /// `conditions`, `others`: its expressions; `shown`: what its templates read of `related`.
    pub(super) fn of(
        document: &config::Rule,
        programs: [&[&Program]; 2],
        shown: &PathSet,
        reads_events: bool,
    ) -> Vec<Self> {
        let watch = &document.spec.watch;
        let watched = Kind::new(&watch.api_version, &watch.kind);
        let related = document.spec.related.iter();
        let related = related.map(|one| (one, shown.field(&one.name)));
        let read = related.filter(|(one, shown)| {
            let name = name_of(one);
            let mut all = programs.iter().copied().flatten();
            reads_events
                || *shown != PathSet::none()
                || all.any(|program| program.reads(&name).is_some())
        });
        read.map(|(one, shown)| Self::new(one, &watched, programs, &shown))
            .collect()
    }

    /// The entry of a rule on objects of this kind.
    fn new(
        document: &config::Related,
        of: &Kind,
        [conditions, others]: [&[&Program]; 2],
        shown: &PathSet,
    ) -> Self {
        let name = name_of(document);
        let target = Kind::new(&document.api_version, &document.kind);
        let mut between: Vec<Kind> = document.via.iter().filter_map(|via| parsed(via)).collect();
        for [owner, known] in BETWEEN_PODS {
            let owns = [of].into_iter().chain(&between).any(|kind| kind.is(owner));
            if owns && target.is(("v1", "Pod")) {
                between.push(Kind::new(known.0, known.1));
            }
        }
        between.sort();
        between.dedup();
        let watches = elements(conditions, &name);
        let keeps = watches
            .union(&elements(others, &name))
            .union(&shown.elements());
        Self {
            target,
            between,
            reads: Reads {
                decide: reads_any(conditions, &name),
                watches,
                keeps,
            },
            name,
        }
    }
}

/// As expressions name it.
pub(super) fn name_of(document: &config::Related) -> Arc<str> {
    format!("related.{}", document.name).into()
}

/// `group/version/Kind`; what is no kind was refused by the load.
fn parsed(via: &str) -> Option<Kind> {
    let (api_version, kind) = via.rsplit_once('/')?;
    Some(Kind::new(api_version, kind))
}

/// Whether one of these reads the list, or Events, which may be those of its objects.
fn reads_any(programs: &[&Program], name: &str) -> bool {
    let names = [name, "event", "events"];
    let mut programs = programs.iter();
    programs.any(|program| names.iter().any(|name| program.reads(name).is_some()))
}

fn elements(programs: &[&Program], name: &str) -> PathSet {
    let reads = programs.iter().filter_map(|program| program.reads(name));
    reads.fold(PathSet::none(), |all, paths| all.union(&paths.elements()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(watched: (&str, &str), kind: (&str, &str), via: &[&str]) -> String {
        let document = config::Related {
            name: "list".to_owned(),
            api_version: kind.0.to_owned(),
            kind: kind.1.to_owned(),
            via: via.iter().map(|via| (*via).to_owned()).collect(),
        };
        let watched = Kind::new(watched.0, watched.1);
        let relation = Relation::new(&document, &watched, [&[], &[]], &PathSet::none());
        let kinds = relation.between.iter();
        let kinds: Vec<String> = kinds
            .map(|one| format!("{}/{}", one.api_version, one.kind))
            .collect();
        kinds.join(", ")
    }

    #[test]
    fn what_stands_between_is_known_or_named() {
        let pod = ("v1", "Pod");
        let database = ("stable.example.com/v1", "DatabaseInstance");
        insta::assert_snapshot!(between(("apps/v1", "Deployment"), pod, &[]), @"apps/v1/ReplicaSet");
        insta::assert_snapshot!(between(("batch/v1", "CronJob"), pod, &[]), @"batch/v1/Job");
        insta::assert_snapshot!(between(("batch/v1", "CronJob"), ("batch/v1", "Job"), &[]), @"");
        insta::assert_snapshot!(between(("apps/v1", "StatefulSet"), pod, &[]), @"");
        insta::assert_snapshot!(between(database, pod, &["apps/v1/StatefulSet"]), @"apps/v1/StatefulSet");
        insta::assert_snapshot!(between(database, pod, &["apps/v1/Deployment"]), @"apps/v1/Deployment, apps/v1/ReplicaSet");
    }
}
