//! The least that a cluster must allow for a set of rules: what `bellwether rbac` prints.
//!
//! In: the rules' streams, the Secrets that receivers name, and the plurals of kinds. Out: one
//! `ClusterRole`, a `Role` for each namespace that is asked by itself, and bindings if it is said
//! for whom, as YAML. A test on a real cluster runs the bridge with nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use super::Loaded;
use crate::config::{Credential, Receiver};
use crate::deliver::credentials;
use crate::evaluate::{RuleSet, WatchedSource};
use crate::watch::Source;

/// No comment names more rules.
const NAMED: usize = 3;

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

impl Rights {
    /// What these rules and receivers need. `own`: the bridge's namespace, where the Secrets of
    /// documents are that say none.
    #[must_use]
    pub fn of(loaded: &Loaded, own: &str, plural: &dyn Fn(&Source) -> Plural) -> Self {
        let mut rights = Self::default();
        for watched in &loaded.rules.sources {
            rights.stream(&loaded.rules, watched, plural);
        }
        if loaded.rules.reads_events() {
            rights.events(&loaded.rules);
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

    fn events(&mut self, rules: &RuleSet) {
        let asked = Asked {
            groups: vec!["events.k8s.io".to_owned(), String::new()],
            resource: "events".to_owned(),
            names: Vec::new(),
            verbs: WATCH,
        };
        let readers = rules.rules.iter().filter(|rule| rule.reads_events);
        let why = self.grant(None, asked);
        why.read_by
            .extend(readers.map(|rule| rule.name.to_string()));
        why.said
            .insert("a server without events.k8s.io has them in the core group".to_owned());
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

    /// The manifests: roles of this name, and their bindings if it is said for whom.
    #[must_use]
    pub fn manifests(&self, name: &str, account: Option<&ServiceAccount>) -> String {
        let roles = self.grants.iter().map(|(namespace, grants)| Role {
            name,
            namespace: namespace.as_deref(),
            grants,
        });
        let documents = roles.flat_map(|role| {
            let binding = account.map(|account| role.binding(account));
            std::iter::once(role.to_string()).chain(binding)
        });
        documents.collect::<Vec<_>>().join("---\n")
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

struct Role<'a> {
    name: &'a str,
    namespace: Option<&'a str>,
    grants: &'a BTreeMap<Asked, Why>,
}

impl Role<'_> {
    fn kind(&self) -> &'static str {
        match self.namespace {
            None => "ClusterRole",
            Some(_) => "Role",
        }
    }

    fn metadata(&self) -> String {
        match self.namespace {
            None => format!("{{name: {}}}", quoted(self.name)),
            Some(namespace) => {
                format!(
                    "{{name: {}, namespace: {}}}",
                    quoted(self.name),
                    quoted(namespace)
                )
            }
        }
    }

    fn binding(&self, account: &ServiceAccount) -> String {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\nmetadata: {metadata}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}\n\
             subjects:\n  - {{kind: ServiceAccount, namespace: {namespace}, name: {account}}}\n",
            kind = self.kind(),
            metadata = self.metadata(),
            name = quoted(self.name),
            namespace = quoted(&account.namespace),
            account = quoted(&account.name),
        )
    }
}

impl Display for Role<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "apiVersion: rbac.authorization.k8s.io/v1")?;
        writeln!(
            f,
            "kind: {}\nmetadata: {}\nrules:",
            self.kind(),
            self.metadata()
        )?;
        for (asked, why) in self.grants {
            for line in why.lines() {
                writeln!(f, "  # {line}")?;
            }
            writeln!(f, "  - apiGroups: {}", list(&asked.groups))?;
            write!(f, "    resources: [{}]", quoted(&asked.resource))?;
            if why.guessed {
                write!(f, "  # guessed: `kubectl api-resources` knows")?;
            }
            writeln!(f)?;
            if !asked.names.is_empty() {
                writeln!(f, "    resourceNames: {}", list(&asked.names))?;
            }
            writeln!(f, "    verbs: [{}]", asked.verbs.join(", "))?;
        }
        Ok(())
    }
}

impl Why {
    fn lines(&self) -> Vec<String> {
        let by = |what: &str, names: &BTreeSet<String>| {
            (!names.is_empty()).then(|| format!("{what} by {}", named(names)))
        };
        let rules = [by("watched", &self.watched_by), by("read", &self.read_by)];
        let rules = rules.into_iter().flatten();
        rules.chain(self.said.iter().cloned()).collect()
    }
}

fn named(names: &BTreeSet<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
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

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// As YAML takes it: in quotes where it is not letters, digits, dots and dashes alone, or would be
/// something else than text.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if first && text.chars().all(plain) && !word.contains(&&*text.to_ascii_lowercase()) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
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
mod tests {
    use super::*;
    use crate::setup::{Files, load};

    fn manifests(rules: &str, account: Option<&ServiceAccount>) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, rules).expect("writable");
        let files = Files {
            rules: vec![file],
            ..Files::default()
        };
        let loaded = load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)));
        Rights::of(&loaded, "own", &guess).manifests("bellwether", account)
    }

    fn rule(name: &str, watch: &str, spec: &str) -> String {
        format!(
            "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: {name}}}\n\
             spec:\n  watch: {{{watch}}}\n  {spec}\n---\n"
        )
    }

    const RECEIVER: &str = "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {name: chat}\n\
                            spec: {slack: {webhookUrl: {secretKeyRef: {name: slack, key: url}}}}\n";
    const DATABASE: &str = "apiVersion: stable.example.com/v1, kind: DatabaseInstance";
    const CRASHING: &str = "related: [{name: pods, apiVersion: v1, kind: Pod, via: [apps/v1/StatefulSet]}]\n  \
                            when: related.pods.exists(pod, pod.status.phase == 'Failed')";

    #[test]
    fn rules_need_what_they_watch_what_they_join_and_their_events() {
        let everywhere = rule("crashing", DATABASE, CRASHING);
        let told = rule("told", DATABASE, "\"on\": event.type == 'Warning'");
        let node = rule(
            "node",
            "apiVersion: v1, kind: Node, fieldSelector: metadata.name=main",
            "when: object.spec.unschedulable",
        );
        insta::assert_snapshot!(manifests(&format!("{everywhere}{told}{node}{RECEIVER}"), None), @r#"
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: bellwether}
        rules:
          # its UID tells this cluster from every other: a state file of another one is refused
          - apiGroups: [""]
            resources: [namespaces]
            resourceNames: [kube-system]
            verbs: [get]
          # watched by node
          - apiGroups: [""]
            resources: [nodes]
            resourceNames: [main]
            verbs: [list, watch]
          # read by crashing
          - apiGroups: [""]
            resources: [pods]
            verbs: [list, watch]
          # read by crashing
          - apiGroups: [apps]
            resources: [statefulsets]
            verbs: [list, watch]
          # read by told
          # a server without events.k8s.io has them in the core group
          - apiGroups: [events.k8s.io, ""]
            resources: [events]
            verbs: [list, watch]
          # watched by crashing, told
          - apiGroups: [stable.example.com]
            resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
            verbs: [list, watch]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: bellwether, namespace: own}
        rules:
          # a credential of receiver chat
          - apiGroups: [""]
            resources: [secrets]
            resourceNames: [slack]
            verbs: [get]
        "#);
    }

    #[test]
    fn rules_in_some_namespaces_need_nothing_elsewhere() {
        let here = format!("{DATABASE}, namespaces: [a, b]");
        let crashing = rule("crashing", &here, CRASHING);
        let gold = rule(
            "gold",
            &format!("{DATABASE}, namespaces: [a]"),
            "when: namespaceObject.metadata.labels.tier == 'gold'",
        );
        let deployments = rule(
            "all",
            "apiVersion: apps/v1, kind: StatefulSet",
            "when: object.status.replicas == 0",
        );
        let account = ServiceAccount {
            namespace: "own".to_owned(),
            name: "bridge".to_owned(),
        };
        insta::assert_snapshot!(manifests(&format!("{crashing}{gold}{deployments}{RECEIVER}"), Some(&account)), @r#"
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: bellwether}
        rules:
          # read by gold
          - apiGroups: [""]
            resources: [namespaces]
            resourceNames: [a]
            verbs: [list, watch]
          # its UID tells this cluster from every other: a state file of another one is refused
          - apiGroups: [""]
            resources: [namespaces]
            resourceNames: [kube-system]
            verbs: [get]
          # watched by all
          # read by crashing
          - apiGroups: [apps]
            resources: [statefulsets]
            verbs: [list, watch]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: bellwether}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bellwether}
        subjects:
          - {kind: ServiceAccount, namespace: own, name: bridge}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: bellwether, namespace: a}
        rules:
          # read by crashing
          - apiGroups: [""]
            resources: [pods]
            verbs: [list, watch]
          # watched by crashing, gold
          - apiGroups: [stable.example.com]
            resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
            verbs: [list, watch]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: bellwether, namespace: a}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bellwether}
        subjects:
          - {kind: ServiceAccount, namespace: own, name: bridge}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: bellwether, namespace: b}
        rules:
          # read by crashing
          - apiGroups: [""]
            resources: [pods]
            verbs: [list, watch]
          # watched by crashing
          - apiGroups: [stable.example.com]
            resources: [databaseinstances]  # guessed: `kubectl api-resources` knows
            verbs: [list, watch]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: bellwether, namespace: b}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bellwether}
        subjects:
          - {kind: ServiceAccount, namespace: own, name: bridge}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: bellwether, namespace: own}
        rules:
          # a credential of receiver chat
          - apiGroups: [""]
            resources: [secrets]
            resourceNames: [slack]
            verbs: [get]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: bellwether, namespace: own}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bellwether}
        subjects:
          - {kind: ServiceAccount, namespace: own, name: bridge}
        "#);
    }

    #[test]
    fn plurals_are_guessed_as_kubernetes_guesses() {
        let plurals = [
            "Pod",
            "Ingress",
            "NetworkPolicy",
            "Endpoints",
            "Gateway",
            "Proxy",
        ]
        .map(|kind| guess(&Source::of("v1", kind)).name);
        insta::assert_snapshot!(plurals.join(" "), @"pods ingresses networkpolicies endpoints gateways proxies");
        assert!(guess(&Source::of("stable.example.com/v1", "DatabaseInstance")).guessed);
        assert!(!guess(&Source::of("networking.k8s.io/v1", "Ingress")).guessed);
    }
}
