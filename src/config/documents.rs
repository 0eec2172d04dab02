//! The documents of a file.
//!
//! In: a source. Out: its documents as trees, each parsed by itself so that a syntax error in one
//! does not hide what is wrong with the next.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_saphyr::Error;

use super::node::{self, Key, Node, Value};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};

/// One document of a source.
pub(super) struct Document {
    pub(super) source: Arc<Source>,
    /// Where its text begins in the source.
    base: usize,
    pub(super) root: Node,
}

impl Document {
    /// The items of a list in `spec`; nothing if it is not there, or no list.
    pub(super) fn items_of(&self, name: &str) -> &[Node] {
        let list = self.root.get("spec").and_then(|spec| spec.get(name));
        list.map_or(&[], Node::items)
    }

    /// The place of a span of this document's tree.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place {
            source: Arc::clone(&self.source),
            start: self.base + span.start,
            end: self.base + span.end,
        }
    }

    /// The place of the innermost node that a path of keys leads to, as far as it goes.
    pub(super) fn place_of(&self, path: &[&str]) -> Place {
        let mut node = &self.root;
        let mut span = &self.root.span;
        for name in path {
            let Some(next) = node.get(name) else { break };
            span = match next.value {
                // The first character of a mapping or list says less than its key.
                Value::Mapping(_) | Value::Sequence(_) | Value::Null => {
                    node.key(name).map_or(&next.span, |key| &key.span)
                }
                _ => &next.span,
            };
            node = next;
        }
        self.place(span)
    }
}

/// Reads all documents of a source; empty ones are passed over.
pub(super) fn read(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Vec<Document> {
    let mut documents = Vec::new();
    for range in split(source.text()) {
        let text = &source.text()[range.clone()];
        match node::parse(text) {
            Ok(root) if root.value == Value::Null => {}
            Ok(root) => {
                let document = Document {
                    source: Arc::clone(source),
                    base: range.start,
                    root,
                };
                refuse_duplicate_keys(&document, &document.root, diagnostics);
                documents.push(document);
            }
            Err(error) => diagnostics.push(syntax_error(source, &range, &error)),
        }
    }
    documents
}

/// The byte ranges of the documents. A line that begins with `---` or `...` ends a document
/// wherever it stands (YAML 1.2.2, 9.1.2), also within a block of text.
pub fn split(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let marks = |marker| {
            line.strip_prefix(marker).is_some_and(|rest: &str| {
                rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])
            })
        };
        if marks("---") {
            ranges.push(start..at);
            start = at;
        } else if marks("...") {
            ranges.push(start..at);
            start = at + line.len();
        }
        at += line.len();
    }
    ranges.push(start..text.len());
    ranges
}

/// A document of somebody else's, as its value: null where it is empty. `y` and `no` are text, as
/// kubectl reads them, and there is room for the list of a whole cluster.
pub fn value(text: &str) -> Result<serde_json::Value, Error> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_depth: 128,
            max_events: 100_000_000,
            max_nodes: 100_000_000,
            max_total_scalar_bytes: 1 << 30,
        },
    };
    let value = serde_saphyr::from_str_with_options::<Option<serde_json::Value>>(text, options);
    value.map(Option::unwrap_or_default)
}

/// A document that a cluster holds, as it would stand in a file.
pub fn text_of(kind: &str, namespace: &str, name: &str, spec: &serde_json::Value) -> String {
    let document = serde_json::json!({
        "apiVersion": format!("{}/{}", super::GROUP, super::VERSION),
        "kind": kind,
        "metadata": { "namespace": namespace, "name": name },
        "spec": spec,
    });
    // Every JSON value is a YAML value; and if one were not, JSON is YAML.
    serde_saphyr::to_string(&document).unwrap_or_else(|_| document.to_string())
}

fn refuse_duplicate_keys(document: &Document, node: &Node, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<&str, &Key> = HashMap::new();
    for (key, value) in node.entries() {
        match seen.get(key.name.as_str()) {
            Some(first) => diagnostics.push(
                Diagnostic::error(format!("`{}` is there twice", key.name))
                    .at(document.place(&key.span))
                    .also(document.place(&first.span), "first here"),
            ),
            None => {
                seen.insert(&key.name, key);
            }
        }
        refuse_duplicate_keys(document, value, diagnostics);
    }
    for item in node.items() {
        refuse_duplicate_keys(document, item, diagnostics);
    }
}

fn syntax_error(
    source: &Arc<Source>,
    range: &Range<usize>,
    error: &serde_saphyr::Error,
) -> Diagnostic {
    let text = &source.text()[range.clone()];
    let offset = error
        .location()
        .map_or(0, |at| offset_of(text, at.line(), at.column()));
    let length = text[offset..].chars().next().map_or(0, char::len_utf8);
    let place = Place {
        source: Arc::clone(source),
        start: range.start + offset,
        end: range.start + offset + length,
    };
    let rest = &text[offset..];
    let message = in_words(error);
    let diagnostic = Diagnostic::error(format!("not valid YAML: {message}")).at(place);
    match hint(rest, &text[..offset], &message) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// What people most often did when the parser stumbles here.
fn hint(rest: &str, before: &str, message: &str) -> Option<&'static str> {
    let line_so_far = before.rsplit('\n').next().unwrap_or_default();
    if line_so_far.chars().all(char::is_whitespace)
        && (rest.starts_with('\t') || line_so_far.contains('\t'))
    {
        Some("indent with spaces; YAML does not allow tabs there")
    } else if rest.starts_with('{') || line_so_far.trim_end().ends_with('{') {
        Some("a text that begins with `{{` needs quotes around it")
    } else if rest.starts_with(['@', '`', '%']) {
        Some("a text that begins with this character needs quotes around it")
    } else if message == "recursion limit exceeded" {
        Some("it is nested too deeply")
    } else if message.contains("mapping values are not allowed") {
        Some(
            "a text that contains `: ` needs quotes around it, or a block: `key: >-` and the text indented below",
        )
    } else {
        None
    }
}

/// The byte offset of a line and a column, both from 1, the column in characters.
fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let nth = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let line_start: usize = text
        .split_inclusive('\n')
        .take(nth(line))
        .map(str::len)
        .sum();
    let within = text[line_start..]
        .chars()
        .take(nth(column))
        .map(char::len_utf8)
        .sum::<usize>();
    line_start + within
}

/// The parser's message, without the location that we show ourselves.
fn in_words(error: &Error) -> String {
    let message = match error {
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            return "its aliases stand for too much".to_owned();
        }
        Error::AliasError { error, .. } => return in_words(error),
        Error::Budget { .. } => return "it is nested too deeply, or too large".to_owned(),
        other => other.to_string(),
    };
    let first = message.lines().next().unwrap_or_default();
    first
        .split(" at line ")
        .next()
        .unwrap_or(first)
        .replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn a_marker_ends_a_document_wherever_it_stands() {
        assert_eq!(ranges("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
        assert_eq!(
            ranges("---\na: 1\n...\n---\nb: 2"),
            ["", "---\na: 1\n", "", "---\nb: 2"]
        );
        assert_eq!(ranges("a: |\n  ---\n  x\n"), ["a: |\n  ---\n  x\n"]);
        assert_eq!(ranges("a: 1\n---b: 2\n"), ["a: 1\n---b: 2\n"]);
        assert_eq!(ranges("---\r\na: 1\r\n"), ["", "---\r\na: 1\r\n"]);
    }

    #[test]
    fn a_syntax_error_hides_nothing_of_the_next_document() {
        let source = Source::new("f.yaml", "a: b: c\n---\nd: 1\n---\ne: [\n");
        let mut diagnostics = Diagnostics::default();
        assert_eq!(read(&source, &mut diagnostics).len(), 1);
        assert_eq!(diagnostics.iter().count(), 2);
    }

    #[test]
    fn what_a_cluster_holds_is_one_document_whatever_its_texts() {
        let text = "a\n---\nb: {{x}}\n...\n";
        let spec = serde_json::json!({ "on": "true", "summary": text, "no": [null, 1.5, "1.5"] });
        let text = text_of("Rule", "prod", "x", &spec);
        let source = Source::new("f", text.clone());
        let mut diagnostics = Diagnostics::default();
        assert_eq!(read(&source, &mut diagnostics).len(), 1, "{text}");
        assert!(diagnostics.is_empty(), "{text}");
        assert_eq!(value(&text).unwrap()["spec"], spec, "{text}");
    }

    #[test]
    fn a_line_and_column_are_found_behind_wide_characters() {
        assert_eq!(offset_of("é: 1\nüü: x", 2, 3), 10);
        assert_eq!(offset_of("a", 9, 9), 1);
    }
}
