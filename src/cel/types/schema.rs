//! From `OpenAPI` v3 schemas, as Kubernetes serves and stores them, to [`Type`]s.
//!
//! In: the JSON of a `CustomResourceDefinition`'s `openAPIV3Schema`, or a document of
//! `/openapi/v3`, whose schemas refer to each other. Out: the type of an object of the kind.
//! What a schema does not say is `Dyn`.

use super::{Object, Type};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Schemas nested deeper are not followed: some refer to themselves.
const DEEPEST: usize = 48;

/// The beginning of a reference to another schema of the document.
const REFERENCE: &str = "#/components/schemas/";

/// The type of the objects of a custom resource.
#[must_use]
pub fn of_custom_resource(kind: &str, schema: &Value) -> Type {
    Reader::new(&Map::new()).kind(kind, schema)
}

/// The type of the objects of a kind, from the group's document of `/openapi/v3`. `None` if the
/// document does not have the kind.
#[must_use]
pub fn of_served(document: &Value, api_version: &str, kind: &str) -> Option<Type> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let is_it = |schema: &&Value| {
        let kinds = schema.get("x-kubernetes-group-version-kind");
        let mut kinds = kinds.and_then(Value::as_array).into_iter().flatten();
        kinds.any(|of| of["group"] == group && of["version"] == version && of["kind"] == kind)
    };
    let schema = schemas.values().find(is_it)?;
    Some(Reader::new(schemas).kind(kind, schema))
}

struct Reader<'s> {
    schemas: &'s Map<String, Value>,
    /// The references that are being followed.
    following: Vec<&'s str>,
    depth: usize,
}

impl<'s> Reader<'s> {
    fn new(schemas: &'s Map<String, Value>) -> Self {
        Reader {
            schemas,
            following: Vec::new(),
            depth: 0,
        }
    }

    fn kind(&mut self, kind: &str, schema: &'s Value) -> Type {
        match self.read(kind, schema) {
            Type::Object(object) => Type::Object(Arc::new((*object).clone().of_kubernetes(kind))),
            // A schema that says nothing but "an object".
            _ => Type::Object(Arc::new(
                Object::new(kind, Vec::new(), true).of_kubernetes(kind),
            )),
        }
    }

    fn read(&mut self, name: &str, schema: &'s Value) -> Type {
        if self.depth == DEEPEST {
            return Type::Dyn;
        }
        self.depth += 1;
        let of = match reference(schema) {
            Some(reference) => self.follow(name, reference),
            None => self.plain(name, schema),
        };
        self.depth -= 1;
        of
    }

    /// What another schema says. One that comes back to itself is not known from there on.
    fn follow(&mut self, name: &str, reference: &'s str) -> Type {
        let known = reference.strip_prefix(REFERENCE);
        let schema = known.and_then(|known| self.schemas.get(known));
        let (Some(schema), false) = (schema, self.following.contains(&reference)) else {
            return Type::Dyn;
        };
        self.following.push(reference);
        let of = self.read(name, schema);
        self.following.pop();
        of
    }

    fn plain(&mut self, name: &str, schema: &'s Value) -> Type {
        if is_set(schema, "x-kubernetes-int-or-string") {
            return Type::Dyn;
        }
        let format = schema["format"].as_str().unwrap_or_default();
        match schema["type"].as_str() {
            Some("boolean") => Type::Bool,
            Some("integer") => Type::Int,
            Some("number") => Type::Number,
            Some("string") => text(schema, format),
            Some("array") => {
                let item = match schema.get("items") {
                    Some(items) => self.read(&format!("{name}[]"), items),
                    None => Type::Dyn,
                };
                Type::list(item)
            }
            Some("object") => self.object(name, schema),
            _ if schema.get("properties").is_some() => self.object(name, schema),
            _ => Type::Dyn,
        }
    }

    fn object(&mut self, name: &str, schema: &'s Value) -> Type {
        let open = is_set(schema, "x-kubernetes-preserve-unknown-fields");
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let fields = properties.iter().map(|(field, schema)| {
                let of = self.read(&format!("{name}.{field}"), schema);
                (Arc::from(field.as_str()), of)
            });
            let fields = fields.collect();
            let open = open || is_set(schema, "x-kubernetes-embedded-resource");
            return Type::Object(Arc::new(Object::new(name, fields, open)));
        }
        match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) if !open => {
                let value = self.read(&format!("{name}[]"), values);
                Type::map(Type::String, value)
            }
            _ => Type::map(Type::String, Type::Dyn),
        }
    }
}

/// The schema that a schema refers to; a built-in kind wraps it in `allOf` to add a default.
fn reference(schema: &Value) -> Option<&str> {
    let direct = schema.get("$ref").and_then(Value::as_str);
    direct.or_else(|| match schema.get("allOf")?.as_array()?.as_slice() {
        [one] => one.get("$ref")?.as_str(),
        _ => None,
    })
}

fn is_set(schema: &Value, extension: &str) -> bool {
    schema.get(extension).and_then(Value::as_bool) == Some(true)
}

/// Bytes (`format: byte`) are text here: base64, as they stand in the object.
fn text(schema: &Value, format: &str) -> Type {
    match format {
        "date-time" => return Type::TimeText,
        "duration" => return Type::DurationText,
        "int-or-string" => return Type::Dyn,
        _ => {}
    }
    let Some(values) = schema.get("enum").and_then(Value::as_array) else {
        return Type::String;
    };
    let values = values.iter().filter(|value| !value.is_null());
    let texts: Option<Vec<Arc<str>>> = values.map(|value| value.as_str().map(Arc::from)).collect();
    match texts {
        Some(texts) if !texts.is_empty() => Type::Enum(texts.into()),
        _ => Type::String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::paths::Step;
    use serde_json::json;

    fn at(of: &Type, path: &str) -> String {
        let steps: Vec<Step> = path
            .split('.')
            .map(|name| match name {
                "[]" => Step::Each,
                name => Step::Field(name.into()),
            })
            .collect();
        match of.walk(&steps) {
            Ok(of) => format!("{of:?}"),
            Err(nowhere) => nowhere.message,
        }
    }

    fn custom() -> Type {
        of_custom_resource(
            "Widget",
            &json!({"type": "object", "properties": {
                "metadata": {"type": "object"},
                "spec": {"type": "object", "properties": {
                    "size": {"type": "integer", "format": "int32"},
                    "ratio": {"type": "number"},
                    "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                    "raw": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "half": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "boolean"}}},
                    "every": {"type": "string", "format": "duration"},
                    "blob": {"type": "string", "format": "byte"},
                    "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
                    "mode": {"type": "string", "nullable": true, "enum": ["on", "off", null]},
                    "foo-bar": {"type": "string"},
                    "parts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                }},
            }}),
        )
    }

    #[test]
    fn a_structural_schema_is_read() {
        let of = custom();
        let at = |path: &str| at(&of, path);
        insta::assert_snapshot!(at("spec.size"), @"Int");
        insta::assert_snapshot!(at("spec.ratio"), @"Number");
        insta::assert_snapshot!(at("spec.port"), @"Dyn");
        insta::assert_snapshot!(at("spec.raw.anything"), @"Dyn");
        insta::assert_snapshot!(at("spec.half.a"), @"Bool");
        insta::assert_snapshot!(at("spec.half.b"), @"Dyn");
        insta::assert_snapshot!(at("spec.every"), @"DurationText");
        insta::assert_snapshot!(at("spec.blob"), @"String");
        insta::assert_snapshot!(at("spec.limits.cpu"), @"Int");
        insta::assert_snapshot!(at("spec.mode"), @r#"Enum(["on", "off"])"#);
        insta::assert_snapshot!(at("spec.foo-bar"), @"String");
        insta::assert_snapshot!(at("spec.parts.[].nam"), @"no field 'nam' in Widget.spec.parts[], did you mean 'name'?");
        insta::assert_snapshot!(at("status.phase"), @"no field 'status' in Widget");
        insta::assert_snapshot!(at("metadata.creationTimestamp"), @"TimeText");
        insta::assert_snapshot!(at("metadata.labels.app"), @"String");
        insta::assert_snapshot!(at("metadata.lables"), @"no field 'lables' in Widget.metadata, did you mean 'labels'?");
    }

    #[test]
    fn a_served_schema_follows_references_and_ends() {
        let document = json!({"components": {"schemas": {
            "v1.Node": {
                "type": "object",
                "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Tree"}],
                "properties": {
                    "spec": {"default": {}, "allOf": [{"$ref": "#/components/schemas/v1.Spec"}]},
                    "quantity": {"$ref": "#/components/schemas/Quantity"},
                },
            },
            "v1.Spec": {"type": "object", "properties": {
                "left": {"$ref": "#/components/schemas/v1.Spec"},
                "until": {"$ref": "#/components/schemas/Time"},
            }},
            "Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
            "Time": {"type": "string", "format": "date-time"},
        }}});
        let of = of_served(&document, "apps/v1", "Tree").expect("the kind");
        insta::assert_snapshot!(at(&of, "spec.until"), @"TimeText");
        insta::assert_snapshot!(at(&of, "spec.left"), @"Dyn");
        insta::assert_snapshot!(at(&of, "quantity"), @"Dyn");
        insta::assert_snapshot!(at(&of, "spec.right"), @"no field 'right' in Tree.spec");
        assert_eq!(of_served(&document, "v1", "Tree"), None);
    }
}
