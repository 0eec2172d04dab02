//! Roles and bindings as YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use super::{Asked, Rights, ServiceAccount, Why};

/// No comment names more rules.
const NAMED: usize = 3;

impl Rights {
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
