//! Templates of receivers against the limits of their services.
//!
//! In: the compiled formats and where their templates are written. Out: an error for what is too
//! long or malformed whatever an alert holds, a warning for what can become too long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::paths::{Written, written};
use crate::config::Configuration;
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};
use crate::names::ReceiverName;
use crate::render::Format;
use crate::render::verify::{Finding, findings};

/// Checks the template of each receiver; one that several share is told of once.
pub(super) fn of_receivers(
    configuration: &Configuration,
    formats: &BTreeMap<ReceiverName, Format>,
    files: &BTreeMap<String, Arc<Source>>,
    problems: &mut Diagnostics,
) {
    let mut known = BTreeSet::new();
    for receiver in &configuration.receivers {
        let format = formats.get(&receiver.name);
        let Some((format, written)) = format.zip(written(receiver, files)) else {
            continue;
        };
        for finding in findings(format) {
            let place = place(written, finding.near);
            let told = (
                place.as_ref().map(Place::to_string),
                finding.message.clone(),
            );
            if known.insert(told) {
                problems.push(diagnostic(finding, place));
            }
        }
    }
}

fn diagnostic(finding: Finding, place: Option<Place>) -> Diagnostic {
    let diagnostic = if finding.always {
        Diagnostic::error(finding.message)
    } else {
        Diagnostic::warning(finding.message)
    };
    let diagnostic = match finding.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    };
    match place {
        Some(place) => diagnostic.at(place),
        None => diagnostic,
    }
}

/// The word near which it stands, or the template's first line.
fn place(written: Written<'_>, near: &str) -> Option<Place> {
    let text = match written {
        Written::InDocument(text) => &text.text,
        Written::InFile(source) => source.text(),
    };
    let first_line = text.split('\n').next().map_or(0, str::len);
    let (start, length) = match text.find(near) {
        Some(at) if !near.is_empty() => (at, near.len()),
        _ => (0, first_line),
    };
    match written {
        Written::InDocument(text) => text.place_of(start, length),
        Written::InFile(source) => Some(Place {
            source: source.clone(),
            start,
            end: start + length,
        }),
    }
}
