//! The documents of a text, each with its line: JSON values one after another, or YAML documents.
//!
//! A document that cannot be read does not hide the others. Nothing is asked of what they mean.

use serde_json::Value;

use super::input::{InputError, Wrong};
use crate::config::{split_documents, yaml_value};

/// A document, and the line on which it begins, from 1.
pub(super) struct Document {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// Reads the documents; empty ones are passed over.
pub(super) fn read(text: &str, errors: &mut Vec<InputError>) -> Vec<Document> {
    if text.trim_start().starts_with('{') {
        let mut wrong = Vec::new();
        let values = json(text, &mut wrong);
        // YAML may begin like that too; then not even the first value is JSON.
        let may_be_yaml = values.is_empty() && wrong.iter().all(|error| error.what != Wrong::Cut);
        if !may_be_yaml || wrong.is_empty() {
            errors.append(&mut wrong);
            return values;
        }
    }
    yaml(text, errors)
}

fn json(text: &str, errors: &mut Vec<InputError>) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let mut lines = Lines::of(text);
    loop {
        let start = values.byte_offset();
        match values.next() {
            None => return documents,
            Some(Ok(value)) => documents.push(Document {
                line: lines.of_text(start),
                value,
            }),
            Some(Err(error)) if error.is_eof() => {
                errors.push(InputError {
                    line: lines.of_text(start),
                    what: Wrong::Cut,
                });
                return documents;
            }
            Some(Err(error)) => {
                errors.push(InputError {
                    line: error.line(),
                    what: Wrong::Json(without_place(&error.to_string())),
                });
                return documents;
            }
        }
    }
}

fn yaml(text: &str, errors: &mut Vec<InputError>) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut lines = Lines::of(text);
    for range in split_documents(text) {
        let line = lines.of_byte(range.start);
        match yaml_value(&text[range.clone()]) {
            Ok(value) if !value.is_null() => documents.push(Document {
                line: line + empty_lines(&text[range]),
                value,
            }),
            Ok(_) => {}
            Err(error) => {
                let within = error.location().map_or(1, |at| at.line());
                errors.push(InputError {
                    line: line - 1 + usize::try_from(within).unwrap_or(1),
                    what: Wrong::Yaml(without_place(&error.without_snippet().to_string())),
                });
            }
        }
    }
    documents
}

/// Counts lines while a text is read: from the place before, or a long text would take its square.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    /// The line of a byte, which lies behind the one before.
    fn of_byte(&mut self, at: usize) -> usize {
        let passed = &self.text[self.at..at];
        self.line += passed.matches('\n').count();
        self.at = at;
        self.line
    }

    /// The same of the first character from there on that is no white space.
    fn of_text(&mut self, at: usize) -> usize {
        let after = &self.text[at..];
        let space = after.len() - after.trim_start().len();
        self.of_byte(at + space)
    }
}

/// How many lines stand before the content of a YAML document.
fn empty_lines(document: &str) -> usize {
    let empty = document.split('\n').take_while(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    empty.count()
}

/// Parsers say where in words of their own; the line stands in front already.
fn without_place(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let end = [" at line ", " (line "]
        .iter()
        .filter_map(|place| first.find(place))
        .min();
    first[..end.unwrap_or(first.len())].to_owned()
}
