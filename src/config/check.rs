//! What a schema cannot say about a document, and what only all documents together show.
//!
//! In: documents and their names. Out: diagnostics. The checks of one kind are in its part.

pub(super) mod mutes;
pub(super) mod receiver;
pub(super) mod route;
pub(super) mod rule;

use std::collections::HashMap;

use super::documents::Document;
use super::duration;
use super::envelope::{Envelope, Kind};
use super::node::Node;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};

/// No two documents of a kind may have one name, whatever else is wrong with them.
pub(super) fn names_are_unique<'a>(
    envelopes: impl Iterator<Item = &'a Envelope>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: HashMap<(Kind, String), &Place> = HashMap::new();
    for envelope in envelopes {
        let name = envelope.full_name();
        match seen.get(&(envelope.kind, name.clone())) {
            Some(first) => diagnostics.push(
                Diagnostic::error(format!(
                    "two {}s are called `{name}`",
                    envelope.kind.as_str()
                ))
                .at(envelope.place.clone())
                .label("again here")
                .also((*first).clone(), "first here"),
            ),
            None => {
                seen.insert((envelope.kind, name), &envelope.place);
            }
        }
    }
}

/// A label name of Prometheus' data model.
fn is_label_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

/// `groupBy`: names of labels, or `...` alone.
fn grouping(document: &Document, spec: &Node, diagnostics: &mut Diagnostics) {
    let labels = spec.get("groupBy").map_or(&[][..], Node::items);
    for node in labels {
        let diagnostic = match node.as_str() {
            Some("...") if labels.len() > 1 => {
                Diagnostic::error("`...` stands for all labels, and alone")
                    .help("write `groupBy: [...]`")
            }
            Some("...") | None => continue,
            Some(name) if is_label_name(name) => continue,
            Some(name) => Diagnostic::error(format!("`{name}` is no label name"))
                .help("letters, digits and `_`, not a digit first"),
        };
        diagnostics.push(diagnostic.at(document.place(&node.span)));
    }
}

/// Durations that may not be zero: what they pace would never stop.
fn not_zero(document: &Document, spec: &Node, paths: &[&[&str]], diagnostics: &mut Diagnostics) {
    for path in paths {
        let node = path.iter().try_fold(spec, |node, name| node.get(name));
        let Some((node, text)) = node.and_then(|node| Some((node, node.as_str()?))) else {
            continue;
        };
        if duration::parse(text).is_ok_and(|duration| duration.as_secs() == 0) {
            let message = format!("`{}` is at least one second, not `{text}`", path.join("."));
            diagnostics.push(Diagnostic::error(message).at(document.place(&node.span)));
        }
    }
}
