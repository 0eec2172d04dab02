//! What a schema cannot say about a document, and what only all documents together show.
//!
//! In: documents and their names. Out: diagnostics. The checks of one kind are in its part.

pub(super) mod receiver;
pub(super) mod rule;

use std::collections::HashMap;

use super::envelope::{Envelope, Kind};
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
