//! The least that a cluster must allow for a set of rules: what `bellwether rbac` prints.
//!
//! In: the rules' streams, the Secrets that receivers name, and the plurals of kinds. Out: one
//! `ClusterRole`, a `Role` for each namespace that is asked by itself, and bindings if it is said
//! for whom, as YAML. A test on a real cluster runs the bridge with nothing else.

mod role;

use std::collections::{BTreeMap, BTreeSet};

use super::Loaded;
use crate::config::{Credential, DOCUMENT_KINDS, GROUP, Receiver};
use crate::deliver::credentials;
use crate::evaluate::{RuleSet, WatchedSource};
use crate::watch::Source;

/// What a role calls the objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plural {
    pub name: String,
    /// Nobody who knows was asked.
    pub guessed: bool,
}

/// Who is to have the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    pub namespace: String,
    pub name: String,
}

/// Everything that is asked of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// By namespace; `None`: of the whole cluster.
    grants: BTreeMap<Option<String>, BTreeMap<Asked, Why>>,
}

/// A group, a resource, the only objects of it that are meant (none: all), and the verbs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    groups: Vec<String>,
    resource: String,
    names: Vec<String>,
    verbs: &'static [&'static str],
}

/// What it is for.
#[derive(Clone, Debug, Default)]
struct Why {
    watched_by: BTreeSet<String>,
    read_by: BTreeSet<String>,
    said: BTreeSet<String>,
    guessed: bool,
}

const WATCH: &[&str] = &["list", "watch"];
const GET: &[&str] = &["get"];
const PATCH: &[&str] = &["patch"];

impl Rights {
    /// What these rules and receivers need. `own`: the bridge's namespace, where the Secrets of
    /// documents are that say none.
    #[must_use]
    pub fn of(loaded: &Loaded, own: &str, plural: &dyn Fn(&Source) -> Plural) -> Self {
        let mut rights = Self::default();
        for watched in &loaded.rules.sources {
            rights.stream(&loaded.rules, watched, plural);
        }
        for at in 0..loaded.rules.events.len() {
            rights.events(&loaded.rules, at);
        }
        for receiver in &loaded.configuration.receivers {
            rights.secrets(receiver, own);
        }
        rights.identity();
        rights.drop_what_is_granted_everywhere();
        rights
    }

    fn grant(&mut self, namespace: Option<String>, asked: Asked) -> &mut Why {
        let grants = self.grants.entry(namespace).or_default();
        grants.entry(asked).or_default()
    }

    fn stream(
        &mut self,
        rules: &RuleSet,
        watched: &WatchedSource,
        plural: &dyn Fn(&Source) -> Plural,
    ) {
        let source = &watched.source;
        let Plural { name, guessed } = plural(source);
        let asked = Asked {
            groups: vec![group(&source.api_version)],
            resource: name,
            names: only_name(source).into_iter().collect(),
            verbs: WATCH,
        };
        let why = self.grant(source.namespace.as_deref().map(str::to_owned), asked);
        why.guessed |= guessed;
        let name = |number: &usize| rules.rules[*number].name.to_string();
        why.watched_by.extend(watched.rules.iter().map(name));
        let readers = watched.joined_by.iter();
        let readers = readers.map(|(at, position)| &rules.sources[*at].rules[*position]);
        why.read_by.extend(readers.map(name));
    }

    fn events(&mut self, rules: &RuleSet, at: usize) {
        let asked = Asked {
            groups: vec!["events.k8s.io".to_owned(), String::new()],
            resource: "events".to_owned(),
            names: Vec::new(),
            verbs: WATCH,
        };
        let readers = rules.sources.iter();
        let readers = readers.flat_map(|watched| watched.rules.iter().zip(&watched.joins));
        let readers = readers.filter(|(_, joins)| joins.events == Some(at));
        let namespace = rules.events[at].namespace.as_deref();
        let why = self.grant(namespace.map(str::to_owned), asked);
        why.read_by
            .extend(readers.map(|(number, _)| rules.rules[*number].name.to_string()));
        why.said
            .insert("a server without events.k8s.io has them in the core group".to_owned());
    }

    /// What reading our documents from the cluster needs, and reporting of them.
    pub fn documents(&mut self) {
        for (_, plural) in DOCUMENT_KINDS {
            let parts: [(String, &[&str]); 2] = [
                (plural.to_owned(), WATCH),
                (format!("{plural}/status"), PATCH),
            ];
            for (resource, verbs) in parts {
                let asked = Asked {
                    groups: vec![GROUP.to_owned()],
                    resource,
                    names: Vec::new(),
                    verbs,
                };
                let why = self.grant(None, asked);
                why.said.insert("--rules-from-cluster".to_owned());
            }
        }
    }

    fn secrets(&mut self, receiver: &Receiver, own: &str) {
        for name in secrets_of(receiver) {
            let namespace = receiver.namespace.as_deref().unwrap_or(own);
            let asked = Asked {
                groups: vec![String::new()],
                resource: "secrets".to_owned(),
                names: vec![name],
                verbs: GET,
            };
            let why = self.grant(Some(namespace.to_owned()), asked);
            why.said
                .insert(format!("a credential of receiver {}", receiver.name));
        }
    }

    fn identity(&mut self) {
        let asked = Asked {
            groups: vec![String::new()],
            resource: "namespaces".to_owned(),
            names: vec!["kube-system".to_owned()],
            verbs: GET,
        };
        let why = self.grant(None, asked);
        why.said.insert(
            "its UID tells this cluster from every other: a state file of another one is refused"
                .to_owned(),
        );
    }

    fn drop_what_is_granted_everywhere(&mut self) {
        let everywhere = self.grants.get(&None).cloned().unwrap_or_default();
        let granted = |asked: &Asked| {
            everywhere.keys().any(|wide| {
                let same = (&wide.groups, &wide.resource, wide.verbs);
                wide.names.is_empty() && same == (&asked.groups, &asked.resource, asked.verbs)
            })
        };
        for (namespace, grants) in &mut self.grants {
            grants.retain(|asked, _| {
                let narrower = namespace.is_some() || !asked.names.is_empty();
                !(narrower && granted(asked))
            });
        }
        self.grants.retain(|_, grants| !grants.is_empty());
    }
}

/// Whether a receiver's credentials are in Secrets of the cluster.
#[must_use]
pub fn reads_secrets(receiver: &Receiver) -> bool {
    secrets_of(receiver).next().is_some()
}

fn secrets_of(receiver: &Receiver) -> impl Iterator<Item = String> {
    let all = credentials(&receiver.spec.service).into_iter();
    all.filter_map(|(_, credential)| match credential {
        Credential::SecretKeyRef(key) => Some(key.name.clone()),
        Credential::Env(_) | Credential::File(_) => None,
    })
}

fn group(api_version: &str) -> String {
    let group = api_version.split_once('/');
    group.map_or(String::new(), |(group, _)| group.to_owned())
}

/// The one object that a stream is about: its role may name it.
fn only_name(source: &Source) -> Option<String> {
    let mut parts = source.field_selector.as_deref()?.split(',');
    parts.find_map(|part| {
        let (path, name) = part.split_once('=')?;
        let name = name.trim_start_matches('=').trim();
        (path.trim() == "metadata.name" && !name.is_empty()).then(|| name.to_owned())
    })
}

/// The plural that Kubernetes itself would guess; it is right for all built-in kinds.
#[must_use]
pub fn guess(source: &Source) -> Plural {
    let kind = source.kind.to_lowercase();
    let group = group(&source.api_version);
    let built_in = !group.contains('.') || group.ends_with(".k8s.io");
    let name = if kind.ends_with("endpoints") {
        kind
    } else if kind.ends_with('s') || kind.ends_with('x') || kind.ends_with("ch") {
        format!("{kind}es")
    } else if let Some(stem) = kind
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'o']))
    {
        format!("{stem}ies")
    } else {
        format!("{kind}s")
    };
    Plural {
        name,
        guessed: !built_in,
    }
}

#[cfg(test)]
mod tests;
