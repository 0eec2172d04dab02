//! The reports for machines: JSON, one line each, and GitHub's workflow commands.

use serde::Serialize;

use super::{Diagnostic, Level, Place};

/// A diagnostic as JSON. Lines and columns from 1, columns and lengths in characters.
#[derive(Serialize)]
struct Line<'a> {
    level: Level,
    message: &'a str,
    #[serde(flatten)]
    at: Option<At<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Other<'a>>,
}

#[derive(Serialize)]
struct At<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    length: usize,
}

#[derive(Serialize)]
struct Other<'a> {
    #[serde(flatten)]
    at: At<'a>,
    label: &'a str,
}

impl<'a> From<&'a Place> for At<'a> {
    fn from(place: &'a Place) -> Self {
        let position = place.position();
        let text = place
            .source
            .text()
            .get(place.start..place.end)
            .unwrap_or_default();
        Self {
            file: place.file(),
            line: position.line,
            column: position.column,
            length: text.chars().count(),
        }
    }
}

/// One JSON object, without a line break.
pub(super) fn json(diagnostic: &Diagnostic) -> String {
    let line = Line {
        level: diagnostic.level,
        message: &diagnostic.message,
        at: diagnostic.place.as_ref().map(At::from),
        label: &diagnostic.label,
        help: diagnostic.help.as_deref(),
        others: diagnostic
            .others
            .iter()
            .map(|(place, label)| Other {
                at: place.into(),
                label,
            })
            .collect(),
    };
    serde_json::to_string(&line).expect("strings and numbers under string keys are always JSON")
}

/// A workflow command that annotates the line in a pull request
/// (docs.github.com, "Workflow commands for GitHub Actions").
pub(super) fn github(diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let place = diagnostic.place.as_ref().map_or_else(String::new, |place| {
        let At {
            file, line, column, ..
        } = place.into();
        format!(" file={},line={line},col={column}", property(file))
    });
    let help = diagnostic
        .help
        .as_ref()
        .map_or_else(String::new, |help| format!("\n{help}"));
    format!(
        "::{command}{place}::{}",
        value(&format!("{}{help}", diagnostic.message))
    )
}

fn value(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    value(text).replace(':', "%3A").replace(',', "%2C")
}
