//! What every document begins with: `apiVersion`, `kind` and `metadata`.
//!
//! In: a document. Out: which of our kinds it is and what it is called; or what is wrong with that.

use super::dns;
use super::documents::Document;
use super::nearest::{did_you_mean, nearest};
use super::node::{Node, Value};
use super::{GROUP, LoadOptions, VERSION};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};

/// The kinds that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Rule,
    Receiver,
    RuleTest,
    Route,
    Inhibition,
    Silence,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Receiver => "receiver",
            Self::RuleTest => "test",
            Self::Route => "route",
            Self::Inhibition => "inhibition",
            Self::Silence => "silence",
        }
    }
}

const KINDS: [&str; 6] = [
    "Rule",
    "Receiver",
    "RuleTest",
    "Route",
    "Silence",
    "Inhibition",
];

/// A document of one of our kinds, its `spec` not yet looked at.
pub(super) struct Envelope {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Absent for a cluster-wide document.
    pub(super) namespace: Option<String>,
    /// Where the name stands.
    pub(super) place: Place,
}

impl Envelope {
    /// The name by which the rest of the program knows it: `name` or `namespace/name`.
    pub(super) fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Reads the envelope. Nothing without a diagnostic means that the document is not for the loader.
pub(super) fn read(
    document: &Document,
    options: &LoadOptions,
    diagnostics: &mut Diagnostics,
) -> Option<Envelope> {
    let mut reader = Reader {
        document,
        tests: options.tests,
        diagnostics,
    };
    let kind = reader.kind()?;
    reader.refuse_unknown_keys();
    let (name, namespace) = reader.metadata()?;
    Some(Envelope {
        kind,
        place: document.place_of(&["metadata", "name"]),
        name,
        namespace: namespace.filter(|namespace| options.own_namespace.as_ref() != Some(namespace)),
    })
}

struct Reader<'a> {
    document: &'a Document,
    /// Tests are read too.
    tests: bool,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn refuse<T>(&mut self, path: &[&str], diagnostic: Diagnostic) -> Option<T> {
        self.diagnostics
            .push(diagnostic.at(self.document.place_of(path)));
        None
    }

    /// A string that must be there.
    fn string(&mut self, path: &[&str]) -> Option<&str> {
        let mut node = Some(&self.document.root);
        for name in path {
            node = node.and_then(|node| node.get(name));
        }
        match node.map(|node| &node.value) {
            Some(Value::String(text)) => Some(text),
            Some(other) => {
                let message = format!("`{}` takes a string, not {other}", path.join("."));
                self.refuse(path, Diagnostic::error(message))
            }
            None => self.refuse(
                path,
                Diagnostic::error(format!("`{}` is missing", path.join("."))),
            ),
        }
    }

    fn kind(&mut self) -> Option<Kind> {
        if !matches!(self.document.root.value, Value::Mapping(_)) {
            let message = format!(
                "a document is a mapping with `apiVersion` and `kind`, not {}",
                self.document.root.value
            );
            return self.refuse(&[], Diagnostic::error(message));
        }
        let api_version = self.string(&["apiVersion"]).map(str::to_owned);
        let kind = self.string(&["kind"]).map(str::to_owned);
        let (api_version, kind) = api_version.zip(kind)?;
        let ours = format!("{GROUP}/{VERSION}");
        if api_version != ours {
            return self.refuse(&["apiVersion"], foreign(&api_version, &kind, &ours));
        }
        match kind.as_str() {
            "Rule" => Some(Kind::Rule),
            "Receiver" => Some(Kind::Receiver),
            // Tests lie beside the rules that they test; whoever runs the rules passes over them.
            "RuleTest" if self.tests => Some(Kind::RuleTest),
            "Route" => Some(Kind::Route),
            "Inhibition" => Some(Kind::Inhibition),
            "Silence" => Some(Kind::Silence),
            "RuleTest" => None,
            _ => {
                let diagnostic = Diagnostic::error(format!("there is no kind `{kind}` in {GROUP}"));
                self.refuse(&["kind"], diagnostic.help(did_you_mean(&kind, KINDS)))
            }
        }
    }

    fn refuse_unknown_keys(&mut self) {
        const KEYS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
        for (key, _) in self.document.root.entries() {
            if !KEYS.contains(&key.name.as_str()) {
                let help = match key.name.as_str() {
                    "name" | "namespace" | "labels" => format!(
                        "it belongs under `metadata`: `metadata: {{{}: …}}`",
                        key.name
                    ),
                    name if nearest(name, KEYS).is_none() => {
                        "everything else stands under `spec`".to_owned()
                    }
                    name => did_you_mean(name, KEYS),
                };
                let diagnostic =
                    Diagnostic::error(format!("unknown key `{}`", key.name)).help(help);
                self.diagnostics
                    .push(diagnostic.at(self.document.place(&key.span)));
            }
        }
    }

    fn metadata(&mut self) -> Option<(String, Option<String>)> {
        let name = self.string(&["metadata", "name"])?.to_owned();
        if !dns::is_subdomain(&name) {
            let diagnostic =
                Diagnostic::error(format!("`{name}` is no name that Kubernetes takes"));
            let help = "lower-case letters, digits, `-` and `.`, a letter or digit first and last, at most 253";
            return self.refuse(&["metadata", "name"], diagnostic.help(help));
        }
        let metadata = self.document.root.get("metadata").map(Node::entries);
        if metadata
            .into_iter()
            .flatten()
            .all(|(key, _)| key.name != "namespace")
        {
            return Some((name, None));
        }
        let namespace = self.string(&["metadata", "namespace"])?.to_owned();
        if !dns::is_label(&namespace) {
            let diagnostic = Diagnostic::error(format!("`{namespace}` is no namespace's name"));
            return self.refuse(&["metadata", "namespace"], diagnostic);
        }
        Some((name, Some(namespace)))
    }
}

fn foreign(api_version: &str, kind: &str, ours: &str) -> Diagnostic {
    let group = api_version.split('/').next().unwrap_or_default();
    if group == GROUP {
        let message = format!("`{api_version}` is not supported");
        return Diagnostic::error(message).help(format!("write `apiVersion: {ours}`"));
    }
    if nearest(api_version, [ours]).is_some() {
        return Diagnostic::error(format!("unknown apiVersion `{api_version}`"))
            .help(format!("did you mean `{ours}`?"));
    }
    if (api_version, kind) == ("v1", "List") {
        return Diagnostic::error("a `List` is not read")
            .help("write its items as documents of their own, with `---` between them");
    }
    let message = format!("a `{kind}` of `{api_version}` is not for Bellwether");
    Diagnostic::error(message).help(format!(
        "only documents of `{ours}` belong in the rules path; keep others elsewhere"
    ))
}
