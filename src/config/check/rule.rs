//! The checks of a rule.

use std::collections::HashMap;

use super::is_label_name;
use crate::config::documents::Document;
use crate::config::envelope::Envelope;
use crate::config::nearest::did_you_mean;
use crate::config::node::{Key, Node};
use crate::config::{Hold, Rule, dns, duration, selector};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};

/// Labels that every alert has.
const RESERVED_LABELS: [&str; 7] = [
    "alertname",
    "severity",
    "cluster",
    "kind",
    "namespace",
    "name",
    "dedupKey",
];

/// Words that CEL keeps for itself.
const CEL_KEYWORDS: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Checks what stands in one rule document, whether or not it can be read as a rule.
pub(in crate::config) fn check(
    document: &Document,
    envelope: &Envelope,
    diagnostics: &mut Diagnostics,
) {
    let Some(spec) = document.root.get("spec") else {
        return;
    };
    let mut check = Check {
        document,
        spec,
        diagnostics,
    };
    check.trigger();
    check.labels();
    check.identifiers();
    check.watch(envelope);
    check.related();
}

struct Check<'a> {
    document: &'a Document,
    spec: &'a Node,
    diagnostics: &'a mut Diagnostics,
}

impl Check<'_> {
    fn key(&self, name: &str) -> Option<Place> {
        self.spec
            .key(name)
            .map(|key| self.document.place(&key.span))
    }

    fn push(&mut self, place: Place, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic.at(place));
    }

    /// Exactly one of `when` and `on`, and with each only what belongs to it.
    fn trigger(&mut self) {
        match (self.key("when"), self.key("on")) {
            (None, None) => {
                let diagnostic = Diagnostic::error("the rule has neither `when` nor `on`")
                    .help("`when:` takes a state (true as long as it lasts), `on:` an occurrence (told once), both in CEL");
                self.push(self.document.place_of(&["spec"]), diagnostic);
            }
            (Some(when), Some(on)) => {
                let diagnostic = Diagnostic::error("the rule has both `when` and `on`")
                    .label("an occurrence")
                    .also(when, "a state")
                    .help("make two rules of it");
                self.push(on, diagnostic);
            }
            (None, Some(_)) => {
                for name in ["for", "keepFiringFor"] {
                    if let Some(place) = self.key(name) {
                        let diagnostic = Diagnostic::error(format!("`{name}` belongs to `when`"))
                            .help(
                                "an occurrence (`on`) has no length; `until` says when it is over",
                            );
                        self.push(place, diagnostic);
                    }
                }
            }
            (Some(_), None) => {
                if let Some(place) = self.key("until") {
                    let diagnostic = Diagnostic::error("`until` belongs to `on`")
                        .help("a state (`when`) is over when it is no longer true");
                    self.push(place, diagnostic);
                }
            }
        }
    }

    fn labels(&mut self) {
        let labels = entries(self.spec, "labels");
        let expressions = entries(self.spec, "labelExpressions");
        for key in labels.iter().chain(&expressions) {
            let place = self.document.place(&key.span);
            if RESERVED_LABELS.contains(&key.name.as_str()) {
                let diagnostic =
                    Diagnostic::error(format!("every alert has its own label `{}`", key.name))
                        .help("choose another name");
                self.push(place, diagnostic);
            } else if !is_label_name(&key.name) {
                let diagnostic = Diagnostic::error(format!("`{}` is no label name", key.name))
                    .help("letters, digits and `_`, not a digit first");
                self.push(place, diagnostic);
            }
        }
        for key in &expressions {
            if let Some(first) = labels.iter().find(|label| label.name == key.name) {
                let diagnostic =
                    Diagnostic::error(format!("label `{}` is in `labels` too", key.name))
                        .also(self.document.place(&first.span), "there");
                self.push(self.document.place(&key.span), diagnostic);
            }
        }
    }

    /// Names that expressions use: of params and variables.
    fn identifiers(&mut self) {
        for key in entries(self.spec, "params") {
            self.identifier(&key.name, self.document.place(&key.span));
        }
        let variables = self.spec.get("variables").map_or(&[][..], Node::items);
        self.names(variables, "variables");
    }

    /// What is listed has names that expressions can use, each once.
    fn names(&mut self, items: &[Node], what: &str) {
        let mut seen: HashMap<&str, &Node> = HashMap::new();
        for item in items {
            let Some((node, name)) = string(item, "name") else {
                continue;
            };
            self.identifier(name, self.document.place(&node.span));
            if let Some(first) = seen.insert(name, node) {
                let diagnostic = Diagnostic::error(format!("two {what} are called `{name}`"))
                    .also(self.document.place(&first.span), "first here");
                self.push(self.document.place(&node.span), diagnostic);
            }
        }
    }

    fn identifier(&mut self, name: &str, place: Place) {
        if CEL_KEYWORDS.contains(&name) {
            self.push(
                place,
                Diagnostic::error(format!("`{name}` is a word of CEL and cannot be a name")),
            );
        } else if !is_label_name(name) {
            let diagnostic =
                Diagnostic::error(format!("`{name}` cannot be a name in an expression"))
                    .help("letters, digits and `_`, not a digit first");
            self.push(place, diagnostic);
        }
    }

    /// `apiVersion` and `kind`, as a manifest has them.
    fn kind(&mut self, node: &Node) {
        if let Some((node, text)) = string(node, "apiVersion")
            && !is_api_version(text)
        {
            let diagnostic = Diagnostic::error(format!("`{text}` is no apiVersion")).help(
                "`group/version`, or `v1` for the core group; `kubectl api-resources` lists them",
            );
            self.push(self.document.place(&node.span), diagnostic);
        }
        if let Some((node, text)) = string(node, "kind")
            && !is_kind(text)
        {
            let diagnostic = Diagnostic::error(format!("`{text}` is no kind"))
                .help("as in a manifest: `Deployment`");
            self.push(self.document.place(&node.span), diagnostic);
        }
    }

    fn related(&mut self) {
        let related = self.spec.get("related").map_or(&[][..], Node::items);
        self.names(related, "related lists");
        for one in related {
            self.kind(one);
            if let Some((node, "Event")) = string(one, "kind") {
                let diagnostic = Diagnostic::error("Events are not related by ownership")
                    .help("`events` has those of the object and of its related objects");
                self.push(self.document.place(&node.span), diagnostic);
            }
            for node in one.get("via").map_or(&[][..], Node::items) {
                let Some(text) = node.as_str() else { continue };
                let well_formed = text
                    .rsplit_once('/')
                    .is_some_and(|(version, kind)| is_api_version(version) && is_kind(kind));
                if !well_formed {
                    let diagnostic = Diagnostic::error(format!("`{text}` names no kind"))
                        .help("`group/version/Kind`: `apps/v1/StatefulSet`");
                    self.push(self.document.place(&node.span), diagnostic);
                }
            }
        }
    }

    fn watch(&mut self, envelope: &Envelope) {
        let Some(watch) = self.spec.get("watch") else {
            return;
        };
        self.kind(watch);
        if let Some((node, text)) = string(watch, "fieldSelector")
            && let Err(problem) = selector::check_fields(text)
        {
            self.push(
                self.document.place(&node.span),
                Diagnostic::error(format!("`fieldSelector`: {problem}")),
            );
        }
        for node in watch.get("namespaces").map_or(&[][..], Node::items) {
            let Some(name) = node.as_str() else { continue };
            let place = self.document.place(&node.span);
            match &envelope.namespace {
                _ if !dns::is_label(name) => {
                    self.push(
                        place,
                        Diagnostic::error(format!("`{name}` is no namespace's name")),
                    );
                }
                Some(own) if own != name => {
                    let message = format!(
                        "a rule in namespace `{own}` sees only that namespace, not `{name}`"
                    );
                    self.push(place, Diagnostic::error(message));
                }
                _ => {}
            }
        }
    }
}

fn entries<'a>(spec: &'a Node, name: &str) -> Vec<&'a Key> {
    spec.get(name)
        .into_iter()
        .flat_map(Node::entries)
        .map(|(key, _)| key)
        .collect()
}

fn string<'a>(node: &'a Node, name: &str) -> Option<(&'a Node, &'a str)> {
    let node = node.get(name)?;
    Some((node, node.as_str()?))
}

fn is_kind(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_api_version(text: &str) -> bool {
    let (group, version) = text.split_once('/').unwrap_or(("", text));
    dns::is_label(version)
        && version.starts_with('v')
        && (text == version || dns::is_subdomain(group))
}

/// Checks the holds of a rule against its params, overrides applied.
pub(in crate::config) fn holds(rule: &Rule, document: &Document, diagnostics: &mut Diagnostics) {
    for (key, hold) in [
        ("for", &rule.spec.hold),
        ("keepFiringFor", &rule.spec.keep_firing_for),
    ] {
        let Some(Hold::Param(name)) = hold else {
            continue;
        };
        let problem = match rule.spec.params.get(name) {
            None => {
                let names = rule.spec.params.keys().map(String::as_str);
                Diagnostic::error(format!("`{key}`: there is no param `{name}`"))
                    .help(did_you_mean(name, names))
            }
            Some(value) => match value.as_str().map(duration::parse) {
                Some(Ok(_)) => continue,
                Some(Err(error)) => Diagnostic::error(format!(
                    "`{key}`: param `{name}` is not a duration: {error}"
                )),
                None => Diagnostic::error(format!(
                    "`{key}`: param `{name}` is {value}, not a duration"
                ))
                .help("write it with its unit: `5m`"),
            }
            .also(document.place_of(&["spec", "params", name]), "its value"),
        };
        diagnostics.push(problem.at(document.place_of(&["spec", key])));
    }
}
