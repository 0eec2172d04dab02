//! Selectors, in the one form that the API takes: kubectl's.
//!
//! In: that form, or the `{matchLabels, matchExpressions}` of manifests. Out: that form, checked
//! as far as its grammar goes (`k8s.io/apimachinery/pkg/labels`).

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::dns;

/// How `labelSelector` looks in a schema: a string or an object, so anything.
pub struct SelectorSchema;

impl JsonSchema for SelectorSchema {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LabelSelector".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
/// When it is neither form, or not well-formed.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(SelectorVisitor).map(Some)
}

struct SelectorVisitor;

impl<'de> Visitor<'de> for SelectorVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a selector as kubectl takes it, or a mapping with `matchLabels` and `matchExpressions`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        check_labels(text).map_err(E::custom)?;
        Ok(text.to_owned())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<String, A::Error> {
        let selector = LabelSelector::deserialize(MapAccessDeserializer::new(entries))?;
        let text = selector.text().map_err(A::Error::custom)?;
        check_labels(&text).map_err(A::Error::custom)?;
        Ok(text)
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LabelSelector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    #[serde(default)]
    match_expressions: Vec<Requirement>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(serde::Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelSelector {
    fn text(self) -> Result<String, String> {
        let mut parts: Vec<_> = self
            .match_labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        for Requirement {
            key,
            operator,
            values,
        } in self.match_expressions
        {
            let list = values.join(",");
            parts.push(match (operator, values.is_empty()) {
                (Operator::In, false) => format!("{key} in ({list})"),
                (Operator::NotIn, false) => format!("{key} notin ({list})"),
                (Operator::Exists, true) => key,
                (Operator::DoesNotExist, true) => format!("!{key}"),
                (Operator::In | Operator::NotIn, true) => {
                    return Err(format!("`{key}`: `values` is empty"));
                }
                (Operator::Exists | Operator::DoesNotExist, false) => {
                    return Err(format!(
                        "`{key}`: `Exists` and `DoesNotExist` take no `values`"
                    ));
                }
            });
        }
        Ok(parts.join(","))
    }
}

/// Whether a label selector is well-formed.
fn check_labels(text: &str) -> Result<(), String> {
    requirements(text)?.iter().try_for_each(|requirement| {
        let requirement = requirement.trim();
        if let Some(key) = requirement.strip_prefix('!') {
            return check_key(key.trim());
        }
        if let Some((left, list)) = requirement.split_once('(') {
            let list = list
                .strip_suffix(')')
                .ok_or_else(|| format!("`{requirement}` lacks a `)`"))?;
            let (key, operator) = left
                .trim()
                .rsplit_once(char::is_whitespace)
                .unwrap_or((left.trim(), ""));
            if !matches!(operator, "in" | "notin") {
                return Err(format!(
                    "`{requirement}`: before `(` stands `in` or `notin`"
                ));
            }
            check_key(key.trim())?;
            return list
                .split(',')
                .try_for_each(|value| check_value(value.trim()));
        }
        let (key, value) = ["!=", "==", "="]
            .iter()
            .find_map(|operator| requirement.split_once(operator))
            .unwrap_or((requirement, ""));
        check_key(key.trim())?;
        check_value(value.trim())
    })
}

/// Whether a field selector is well-formed: `path=value`, `path==value` or `path!=value`, with commas between.
pub(super) fn check_fields(text: &str) -> Result<(), String> {
    text.split(',')
        .try_for_each(|part| match part.split_once('=') {
            Some((path, _)) if !path.trim_end_matches('!').trim().is_empty() => Ok(()),
            _ => Err(format!("`{part}` is not `path=value` or `path!=value`")),
        })
}

/// The parts between the commas that stand outside of parentheses.
fn requirements(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_i32);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        if !(0..=1).contains(&depth) {
            return Err(format!("the parentheses in `{text}` do not match"));
        }
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// A label's key: an optional DNS prefix, `/`, and a name.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key
        .rsplit_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let right = is_name(name) && prefix.is_none_or(dns::is_subdomain);
    right
        .then_some(())
        .ok_or_else(|| format!("`{key}` is no label key"))
}

fn check_value(value: &str) -> Result<(), String> {
    (value.is_empty() || is_name(value))
        .then_some(())
        .ok_or_else(|| format!("`{value}` is no label value"))
}

/// At most 63 of letters, digits, `-`, `_` and `.`, a letter or digit first and last.
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let outer = |c: char| c.is_ascii_alphanumeric();
    (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> String {
        let value: serde_json::Value = serde_saphyr::from_str(yaml).expect("YAML");
        match deserialize(value) {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn both_forms_become_the_one_that_the_api_takes() {
        assert_eq!(
            read("app=db,tier in (a, b),!old,new"),
            "app=db,tier in (a, b),!old,new"
        );
        assert_eq!(
            read("{matchLabels: {app: db, example.com/tier: x}}"),
            "app=db,example.com/tier=x"
        );
        assert_eq!(
            read(
                "matchExpressions: [{key: tier, operator: NotIn, values: [a, b]}, {key: old, operator: DoesNotExist}]"
            ),
            "tier notin (a,b),!old"
        );
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused_here() {
        let errors = [
            "app=a b",
            "tier in (a",
            "tier of (a)",
            "=x",
            "{matchLabel: {a: b}}",
            "matchExpressions: [{key: a, operator: In}]",
            "3",
        ]
        .map(read)
        .join("\n");
        insta::assert_snapshot!(errors, @"
        error: `a b` is no label value
        error: `tier in (a` lacks a `)`
        error: `tier of (a)`: before `(` stands `in` or `notin`
        error: `` is no label key
        error: unknown field `matchLabel`, expected `matchLabels` or `matchExpressions`
        error: `a`: `values` is empty
        error: invalid type: integer `3`, expected a selector as kubectl takes it, or a mapping with `matchLabels` and `matchExpressions`
        ");
    }
}
