//! The JSON Schema of our documents, for editors (the YAML language server).
//!
//! In: the schemas that the loader and the CRDs have. Out: one schema for a document of any of our
//! kinds, which refuses the keys that the loader refuses.

use serde_json::{Map, Value, json};

use super::envelope::Kind;
use super::{GROUP, VERSION, load, schema};

/// The kinds, with what each is.
const KINDS: [(Kind, &str, &str); 6] = [
    (
        Kind::Rule,
        "Rule",
        "A state or an occurrence of watched objects that somebody is told about.",
    ),
    (
        Kind::Receiver,
        "Receiver",
        "Who is told, how, how often and in which groups.",
    ),
    (
        Kind::Route,
        "Route",
        "Which alerts go to which receivers, how grouped and when.",
    ),
    (
        Kind::Inhibition,
        "Inhibition",
        "While one alert fires, nobody is told of certain others.",
    ),
    (
        Kind::Silence,
        "Silence",
        "For some time nobody is told of certain alerts.",
    ),
    (
        Kind::RuleTest,
        "RuleTest",
        "A timeline of virtual time, and what rules must make of it.",
    ),
];

/// A schema of JSON Schema draft 7, which editors know best.
#[must_use]
pub fn editor_schema() -> Value {
    let choices = KINDS.map(|(kind, name, description)| {
        json!({
            "if": { "properties": { "kind": { "const": name } }, "required": ["kind"] },
            "then": {
                "description": description,
                "properties": { "spec": closed(&schema::public(load::spec_schema(kind))) },
            },
        })
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Bellwether",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": { "const": format!("{GROUP}/{VERSION}") },
            "kind": { "enum": KINDS.map(|(_, name, _)| name) },
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": { "name": { "type": "string" }, "namespace": { "type": "string" } },
            },
            "spec": { "type": "object" },
            "status": { "type": "object" },
        },
        "allOf": choices,
    })
}

/// The schema with no other keys than it names, and without the keywords of Kubernetes.
fn closed(schema: &Value) -> Value {
    let Value::Object(keywords) = schema else {
        return schema.clone();
    };
    let mut all: Map<String, Value> = keywords
        .iter()
        .filter(|(name, _)| !name.starts_with("x-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(Value::Object(properties)) = all.get_mut("properties") {
        properties.values_mut().for_each(|of| *of = closed(of));
        all.insert("additionalProperties".to_owned(), json!(false));
    } else if let Some(of) = all.get_mut("additionalProperties") {
        *of = closed(of);
    }
    if let Some(of) = all.get_mut("items") {
        *of = closed(of);
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a schema, those of its parts, and so on.
    fn parts<'s>(schema: &'s Value, found: &mut Vec<&'s Map<String, Value>>) {
        match schema {
            Value::Object(keywords) => {
                found.push(keywords);
                keywords.values().for_each(|part| parts(part, found));
            }
            Value::Array(items) => items.iter().for_each(|part| parts(part, found)),
            _ => {}
        }
    }

    #[test]
    fn a_key_that_no_document_has_is_refused_everywhere() {
        let schema = editor_schema();
        let mut found = Vec::new();
        parts(&schema["allOf"], &mut found);
        let open = found.iter().filter(|keywords| {
            let is_spec = keywords.get("type") == Some(&json!("object"));
            is_spec
                && keywords.contains_key("properties")
                && keywords.get("additionalProperties") != Some(&json!(false))
        });
        assert_eq!(open.count(), 0);
        assert!(
            found
                .iter()
                .all(|keywords| keywords.keys().all(|key| !key.starts_with("x-")))
        );
        let rule = &schema["allOf"][0]["then"]["properties"]["spec"];
        assert_eq!(
            rule["properties"]["watch"]["required"],
            json!(["apiVersion", "kind"])
        );
    }

    #[test]
    fn the_schema_in_the_repository_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/bellwether.json");
        let kept = std::fs::read_to_string(path).expect("the file");
        let now = format!("{:#}\n", editor_schema());
        assert!(
            kept == now,
            "run `bellwether schema > schemas/bellwether.json`"
        );
    }
}
