//! Whether a document has the shape that its kind's schema gives it.
//!
//! In: a tree and a structural schema. Out: every key, type and word that is wrong, at once: serde
//! stops at the first.

use serde_json::Value as Json;

use super::documents::Document;
use super::duration;
use super::matchers::Matchers;
use super::nearest::{did_you_mean, listed};
use super::node::{Node, Value};
use super::receiver::Mention;
use super::rule::Hold;
use super::schema::{CREDENTIAL, FORM};
use super::times;
use crate::diagnostic::{Diagnostic, Diagnostics};

const WHERE_SECRETS_ARE: &str = "say where the secret is kept: `{env: NAME}`, `{file: PATH}` or \
     `{secretKeyRef: {name: NAME, key: KEY}}`";

/// Checks a node against a schema. `name` is what to call it in a message: the key it stands under.
pub(super) fn check(
    document: &Document,
    name: &str,
    node: &Node,
    schema: &Json,
    diagnostics: &mut Diagnostics,
) {
    Shape {
        document,
        diagnostics,
    }
    .check(name, node, schema);
}

struct Shape<'a> {
    document: &'a Document,
    diagnostics: &'a mut Diagnostics,
}

impl Shape<'_> {
    fn push(&mut self, node: &Node, diagnostic: Diagnostic) {
        self.diagnostics
            .push(diagnostic.at(self.document.place(&node.span)));
    }

    fn check(&mut self, name: &str, node: &Node, schema: &Json) {
        if schema[CREDENTIAL] == true && !matches!(node.value, Value::Mapping(_)) {
            self.diagnostics.conceal(self.document.place(&node.span));
            let message = format!("`{name}` is a secret and cannot stand in the document");
            return self.push(node, Diagnostic::error(message).help(WHERE_SECRETS_ARE));
        }
        match (schema["type"].as_str(), &node.value) {
            (None, _) | (Some("boolean"), Value::Bool(_)) => {}
            (Some("object"), Value::Mapping(_)) => self.check_mapping(name, node, schema),
            (Some("array"), Value::Sequence(items)) => {
                for item in items {
                    self.check(name, item, &schema["items"]);
                }
            }
            (Some("string"), Value::String(text)) => self.check_string(name, node, text, schema),
            (Some("integer"), Value::Number(number)) => {
                self.check_integer(name, node, number, schema);
            }
            (Some("string"), Value::Number(number))
                if schema[FORM] == "duration" || schema[FORM] == "hold" =>
            {
                let message = format!("`{name}`: {number} has no unit");
                self.push(
                    node,
                    Diagnostic::error(message)
                        .help(format!("write `{number}s`, `{number}m` or `{number}h`")),
                );
            }
            (Some(wanted), _) => self.push(node, wrong_type(name, wanted, node)),
        }
    }

    fn check_mapping(&mut self, name: &str, node: &Node, schema: &Json) {
        let Some(properties) = schema["properties"].as_object() else {
            for (key, value) in node.entries() {
                self.check(&key.name, value, &schema["additionalProperties"]);
            }
            return;
        };
        for (key, value) in node.entries() {
            match properties.get(&key.name) {
                Some(property) => self.check(&key.name, value, property),
                None => self.diagnostics.push(
                    Diagnostic::error(format!("unknown key `{}` in `{name}`", key.name))
                        .at(self.document.place(&key.span))
                        .help(did_you_mean(
                            &key.name,
                            properties.keys().map(String::as_str),
                        )),
                ),
            }
        }
        for required in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            if node.get(required).is_none() {
                self.push(
                    node,
                    Diagnostic::error(format!("`{name}` lacks `{required}`")),
                );
            }
        }
        let count = node.entries().count() as u64;
        if schema["maxProperties"]
            .as_u64()
            .is_some_and(|most| count > most)
            || schema["minProperties"]
                .as_u64()
                .is_some_and(|least| count < least)
        {
            let keys = listed(properties.keys().map(String::as_str));
            self.push(
                node,
                Diagnostic::error(format!("`{name}` needs exactly one of {keys}")),
            );
        }
    }

    fn check_string(&mut self, name: &str, node: &Node, text: &str, schema: &Json) {
        if let Some(words) = schema["enum"].as_array() {
            let words = words.iter().filter_map(Json::as_str);
            if !words.clone().any(|word| word == text) {
                let message = format!("`{text}` is no value of `{name}`");
                let help = format!(
                    "{} (one of {})",
                    did_you_mean(text, words.clone()),
                    listed(words.clone())
                );
                let help = if help.starts_with("known") {
                    format!("one of {}", listed(words))
                } else {
                    help
                };
                self.push(node, Diagnostic::error(message).help(help));
            }
        }
        let problem = match schema[FORM].as_str() {
            Some("duration") => duration::parse(text)
                .err()
                .map(|error| format!("`{text}` is not a duration: {error}")),
            Some("hold") => text.parse::<Hold>().err().map(|error| error.to_string()),
            Some("matcher") => text
                .parse::<Matchers>()
                .err()
                .map(|error| format!("`{text}` is no matcher: {error}")),
            Some("mention") => Mention::parse(text).err().map(|error| error.to_string()),
            Some("moment") => text
                .parse::<jiff::Timestamp>()
                .err()
                .map(|_| format!("`{text}` is no moment; write it as `2026-11-30T18:00:00Z`")),
            Some(form) => times::check(form, text).err(),
            None => None,
        };
        if let Some(problem) = problem {
            self.push(node, Diagnostic::error(format!("`{name}`: {problem}")));
        }
    }

    fn check_integer(
        &mut self,
        name: &str,
        node: &Node,
        number: &serde_json::Number,
        schema: &Json,
    ) {
        let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        let fits = number.as_i64().is_some_and(|value| {
            least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)
        });
        if !fits {
            let least = least.unwrap_or(i64::MIN);
            let range = most.map_or_else(
                || format!("at least {least}"),
                |most| format!("{least} to {most}"),
            );
            let message = format!("`{name}` takes a whole number, {range}, not {number}");
            self.push(node, Diagnostic::error(message));
        }
    }
}

fn wrong_type(name: &str, wanted: &str, node: &Node) -> Diagnostic {
    let wanted_in_words = match wanted {
        "object" => "a mapping",
        "array" => "a list",
        "integer" => "a whole number",
        "boolean" => "`true` or `false`",
        _ => "a string",
    };
    let diagnostic = Diagnostic::error(format!(
        "`{name}` takes {wanted_in_words}, not {}",
        node.value
    ));
    let help = match (&node.value, wanted) {
        (Value::Null, _) => "give it a value, or leave the key out".to_owned(),
        (Value::Bool(value), "string") => format!("write it in quotes: `\"{value}\"`"),
        (Value::Number(number), "string") => format!("write it in quotes: `\"{number}\"`"),
        (Value::String(text), "array") if text.len() < 40 && !text.contains('\n') => {
            format!("a list of one is written `[{text}]`")
        }
        (Value::Mapping(_), "string") => {
            "a text that begins with `{` needs quotes around it".to_owned()
        }
        _ => return diagnostic,
    };
    diagnostic.help(help)
}
