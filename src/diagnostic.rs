//! What is wrong with the user's files, and where.
//!
//! In: problems found by `config`, `evaluate` and `render`, each with its place.
//! Out: one sorted report, for people, for machines (JSON lines) or for GitHub.
//! It must not read files (the text comes with the place), nor decide exit codes.

mod human;
mod machine;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A file, or a string that has a name, kept whole so that a diagnostic can show the line it is about.
#[derive(PartialEq, Eq)]
pub struct Source {
    name: Arc<str>,
    text: String,
}

impl Source {
    /// `name` is the path as the user wrote it, or what to call a text that is no file.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The name only: a source may hold, by the user's mistake, a secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

/// A line and a column, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// A stretch of a source, in bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    pub source: Arc<Source>,
    /// Byte offsets in the source's text; `start <= end`.
    pub start: usize,
    pub end: usize,
}

impl Place {
    /// The file, as the user named it.
    #[must_use]
    pub fn file(&self) -> &Arc<str> {
        &self.source.name
    }

    /// Where it begins.
    #[must_use]
    pub fn position(&self) -> Position {
        position(&self.source.text, self.start)
    }
}

/// `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The line and column of a byte offset; an offset inside a character counts as the character's.
fn position(text: &str, offset: usize) -> Position {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = before
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    let characters = |bytes: &[u8]| bytes.iter().filter(|&&b| b & 0xC0 != 0x80).count();
    Position {
        line: before.split(|&b| b == b'\n').count(),
        column: characters(&before[line_start..]) + 1,
    }
}

/// How bad a diagnostic is. Only an error refuses the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warning,
    Note,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub level: Level,
    /// What is wrong: one line, no full stop.
    pub message: String,
    /// Absent when no text is to blame (a path that does not exist).
    pub place: Option<Place>,
    /// What stands under the underline; may be empty.
    pub label: Box<str>,
    /// Further places that belong to it, each with what it is ("first defined here").
    pub others: Vec<(Place, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            message: message.into(),
            place: None,
            label: Box::default(),
            others: Vec::new(),
            help: None,
        }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(message)
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Says what stands under the underline.
    #[must_use]
    pub fn label(mut self, label: impl Into<Box<str>>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn also(mut self, place: Place, what: impl Into<String>) -> Self {
        self.others.push((place, what.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All problems of one load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// What no report may show.
    secrets: Vec<Place>,
    /// How many there were beyond [`MOST`].
    left_out: usize,
}

/// Nobody reads more; a file that is another kind of file altogether would have a problem a line.
const MOST: usize = 1_000;

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MOST {
            self.list.push(diagnostic);
        } else {
            self.left_out += 1;
        }
    }

    /// Keeps a stretch of a source out of every report: a secret that stands there by mistake.
    pub fn conceal(&mut self, place: Place) {
        self.secrets.push(place);
    }

    /// The same, as advice that refuses nothing.
    #[must_use]
    pub fn as_warnings(mut self) -> Self {
        for diagnostic in &mut self.list {
            diagnostic.level = Level::Warning;
        }
        self
    }

    /// Takes those of another report that it does not have yet, and keeps the other's secrets.
    pub fn append(&mut self, other: Self) {
        self.secrets.extend(other.secrets);
        self.left_out += other.left_out;
        let key = |d: &Diagnostic| (d.place.as_ref().map(Place::to_string), d.message.clone());
        let known: HashSet<_> = self.list.iter().map(key).collect();
        let new = other.list.into_iter();
        self.extend(new.filter(|one| !known.contains(&key(one))));
    }

    /// In the order of files and places; what has no place comes first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let key = |d: &Diagnostic| {
            d.place
                .as_ref()
                .map(|place| (Arc::clone(place.file()), place.start))
        };
        self.list.sort_by_cached_key(key);
        self
    }

    /// For people. Colour is for terminals, and only if asked for.
    #[must_use]
    pub fn human(&self, colour: bool) -> String {
        let mut reports: Vec<_> = self
            .iter()
            .map(|d| human::render(d, &self.secrets, colour))
            .collect();
        if self.left_out > 0 {
            reports.push(format!("and {} more", self.left_out));
        }
        reports.join("\n\n")
    }

    /// For machines: a JSON object a line.
    #[must_use]
    pub fn json(&self) -> String {
        self.iter().map(|d| machine::json(d) + "\n").collect()
    }

    /// For GitHub Actions: an annotation a line.
    #[must_use]
    pub fn github(&self) -> String {
        self.iter().map(|d| machine::github(d) + "\n").collect()
    }

    /// Whether anything refuses the configuration.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.left_out > 0 || self.list.iter().any(|d| d.level == Level::Error)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }
}

/// As [`Diagnostics::human`], without colour.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.human(false))
    }
}

impl std::error::Error for Diagnostics {}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Diagnostics {
        let source = Source::new("rules/a,b.yaml", "a: é 100%\nb: 2\n");
        let place = |start, end| Place {
            source: Arc::clone(&source),
            start,
            end,
        };
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::warning("`b` is\nodd")
                .at(place(11, 12))
                .label("this")
                .also(place(0, 1), "not this"),
        );
        diagnostics.push(
            Diagnostic::error("100% wrong")
                .at(place(3, 10))
                .help("write `50`"),
        );
        diagnostics.push(Diagnostic::error("nowhere"));
        diagnostics.sorted()
    }

    #[test]
    fn a_report_for_people_shows_the_line() {
        insta::assert_snapshot!(two().human(false), @"
        error: nowhere

        error: 100% wrong
         --> rules/a,b.yaml:1:4
          |
        1 | a: é 100%
          |    ^^^^^^
          |
          = help: write `50`

        warning: `b` is
                 odd
         --> rules/a,b.yaml:2:1
          |
        1 | a: é 100%
          | - not this
        2 | b: 2
          | ^ this
        ");
        assert!(!two().human(false).contains('\u{1b}') && two().human(true).contains('\u{1b}'));
    }

    #[test]
    fn a_report_for_programs_has_a_line_for_each() {
        insta::assert_snapshot!(two().json(), @r#"
        {"level":"error","message":"nowhere"}
        {"level":"error","message":"100% wrong","file":"rules/a,b.yaml","line":1,"column":4,"length":6,"help":"write `50`"}
        {"level":"warning","message":"`b` is\nodd","file":"rules/a,b.yaml","line":2,"column":1,"length":1,"label":"this","others":[{"file":"rules/a,b.yaml","line":1,"column":1,"length":1,"label":"not this"}]}
        "#);
    }

    #[test]
    fn a_report_for_github_escapes_what_its_commands_would_read() {
        insta::assert_snapshot!(two().github(), @"
        ::error::nowhere
        ::error file=rules/a%2Cb.yaml,line=1,col=4::100%25 wrong%0Awrite `50`
        ::warning file=rules/a%2Cb.yaml,line=2,col=1::`b` is%0Aodd
        ");
    }

    #[test]
    fn a_flood_is_cut_and_still_refuses() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.extend((0..MOST).map(|n| Diagnostic::warning(n.to_string())));
        assert!(!diagnostics.has_errors());
        diagnostics.push(Diagnostic::error("the last"));
        assert!(diagnostics.has_errors() && diagnostics.human(false).ends_with("and 1 more"));
    }

    #[test]
    fn reports_of_the_same_are_one_and_keep_their_secrets() {
        let mut all = two();
        all.append(two());
        assert_eq!(all, two());
        let mut other = Diagnostics::default();
        let place = two().iter().find_map(|d| d.place.clone()).unwrap();
        other.conceal(place);
        all.append(other.clone());
        assert_eq!(all.secrets, other.secrets);
    }

    #[test]
    fn a_place_at_the_very_end_can_be_shown() {
        for text in ["", "\n", "a", "a\n", "é"] {
            let source = Source::new("f", text);
            let place = Place {
                source,
                start: text.len(),
                end: text.len(),
            };
            let mut diagnostics = Diagnostics::default();
            diagnostics.conceal(place.clone());
            diagnostics.push(Diagnostic::error("here").at(place));
            assert!(diagnostics.human(false).contains("--> f"), "{text:?}");
        }
    }
}
