//! The text of paths, both ways.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use std::fmt;

use super::{Node, PathError, PathSet, Step};

impl Node {
    pub(super) fn write(&self, prefix: &mut String, out: &mut Vec<String>) {
        let length = prefix.len();
        if self.whole && length > 0 {
            out.push(prefix.clone());
        }
        if self.presence && length > 0 {
            out.push(format!("{prefix}?"));
        }
        for (name, node) in &self.fields {
            push_field(prefix, name);
            node.write(prefix, out);
            prefix.truncate(length);
        }
        if let Some(each) = &self.each {
            prefix.push_str("[]");
            if **each == Node::default() {
                out.push(format!("{prefix}?"));
            }
            each.write(prefix, out);
            prefix.truncate(length);
        }
    }
}

/// Appends `.name`, or `['na.me']` where the name is not an identifier.
pub(crate) fn push_field(path: &mut String, name: &str) {
    if is_plain(name) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    } else {
        path.push_str("['");
        path.push_str(&name.replace('\\', "\\\\").replace('\'', "\\'"));
        path.push_str("']");
    }
}

fn is_plain(name: &str) -> bool {
    name.chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The steps of a path's text, and whether it ends in `?`.
pub(super) fn parse(path: &str) -> Result<(Vec<Step>, bool), PathError> {
    let error = |at, reason| PathError {
        path: path.to_owned(),
        at,
        reason,
    };
    if path == "*" {
        return Ok((Vec::new(), false));
    }
    let (body, presence) = match path.strip_suffix('?') {
        Some(body) => (body, true),
        None => (path, false),
    };
    let mut steps = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if rest.starts_with("[]") {
            steps.push(Step::Each);
            at += 2;
        } else if let Some(quoted) = rest.strip_prefix("['") {
            let (name, length) =
                unquote(quoted).ok_or_else(|| error(at, "no closing \"']\" to \"['\""))?;
            steps.push(Step::Field(name.into()));
            at += 2 + length;
        } else {
            let dot = usize::from(rest.starts_with('.'));
            if (dot == 1) == steps.is_empty() {
                return Err(error(at, "a name is expected here"));
            }
            let name = &rest[dot..];
            let name = &name[..name.find(['.', '[']).unwrap_or(name.len())];
            if !is_plain(name) {
                return Err(error(
                    at + dot,
                    "a name of letters, digits, '_', '-' is expected",
                ));
            }
            steps.push(Step::Field(name.into()));
            at += dot + name.len();
        }
    }
    if steps.is_empty() {
        Err(error(0, "it is empty"))
    } else {
        Ok((steps, presence))
    }
}

/// The name up to `']`, and how many bytes that took.
fn unquote(text: &str) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '\'' => return text[at..].starts_with("']").then_some((name, at + 2)),
            c => name.push(c),
        }
    }
    None
}

impl fmt::Debug for PathSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.paths()).finish()
    }
}

impl Serialize for PathSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.paths())
    }
}

impl<'de> Deserialize<'de> for PathSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PathSet, D::Error> {
        let paths = Vec::<String>::deserialize(deserializer)?;
        PathSet::of(paths.iter().map(String::as_str)).map_err(D::Error::custom)
    }
}
