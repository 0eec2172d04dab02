//! The checks of inhibitions and silences.

use super::is_label_name;
use crate::config::documents::Document;
use crate::config::{InhibitionSpec, SilenceSpec};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Checks an inhibition.
pub(in crate::config) fn inhibition(
    spec: &InhibitionSpec,
    document: &Document,
    diagnostics: &mut Diagnostics,
) {
    for (name, side) in [("source", &spec.source), ("target", &spec.target)] {
        if side.matchers.match_nothing_in_particular() {
            let diagnostic = Diagnostic::error(format!("`{name}` would match every alert"))
                .at(document.place_of(&["spec", name, "matchers"]))
                .help("name at least one label that an alert must have");
            diagnostics.push(diagnostic);
        }
    }
    for node in document.items_of("equal") {
        if let Some(name) = node.as_str().filter(|name| !is_label_name(name)) {
            let diagnostic = Diagnostic::error(format!("`{name}` is no label name"))
                .at(document.place(&node.span))
                .help("letters, digits and `_`, not a digit first");
            diagnostics.push(diagnostic);
        }
    }
}

/// Checks a silence.
pub(in crate::config) fn silence(
    spec: &SilenceSpec,
    document: &Document,
    diagnostics: &mut Diagnostics,
) {
    if spec.matchers.match_nothing_in_particular() && spec.condition.is_none() {
        let diagnostic = Diagnostic::error("the silence would match every alert")
            .at(document.place_of(&["spec", "matchers"]))
            .help("name at least one label that an alert must have, in `matchers`");
        diagnostics.push(diagnostic);
    }
    if let Some(starts_at) = spec
        .starts_at
        .filter(|starts_at| *starts_at >= spec.ends_at)
    {
        let diagnostic = Diagnostic::error("the silence ends before it begins")
            .at(document.place_of(&["spec", "endsAt"]))
            .help(format!("it begins at {starts_at}"));
        diagnostics.push(diagnostic);
    }
}
