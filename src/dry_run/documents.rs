//! The documents of a text, each with its line: JSON values one after another, or YAML documents.
//!
//! A document that cannot be read does not hide the others. Nothing is asked of what they mean.

use std::ops::Range;

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
    loop {
        let start = values.byte_offset();
        match values.next() {
            None => return documents,
            Some(Ok(value)) => documents.push(Document {
                line: line_of(text, start),
                value,
            }),
            Some(Err(error)) if error.is_eof() => {
                errors.push(InputError {
                    line: line_of(text, start),
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
    for range in split_documents(text) {
        let line = line_of(text, range.start);
        match yaml_value(&text[range.clone()]) {
            Ok(value) if !value.is_null() => documents.push(Document {
                line: first_line(text, &range),
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

/// The line of a byte, or of the first character behind it that is no white space.
fn line_of(text: &str, at: usize) -> usize {
    let (before, after) = text.split_at(at);
    let space = after.len() - after.trim_start().len();
    let before = &text[..before.len() + space];
    before.matches('\n').count() + 1
}

/// The line on which the content of a YAML document begins.
fn first_line(text: &str, range: &Range<usize>) -> usize {
    let lines = text[range.clone()].split('\n');
    let empty = lines.take_while(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    text[..range.start].matches('\n').count() + 1 + empty.count()
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
