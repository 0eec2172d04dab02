//! The schema of a type, structural as the API server wants it.
//!
//! In: a type's schemars description. Out: a schema without references, alternatives or nulls,
//! from which both the CRD and the loader's own check come, so that they cannot disagree.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, generate::SchemaGenerator};
use serde_json::{Map, Value, json};

/// Keys that only the loader reads; they never reach a CRD.
pub(super) const PRIVATE: &str = "x-bellwether-";
/// A string with a form of its own: `duration` or `hold`.
pub(super) const FORM: &str = "x-bellwether-form";
/// A place for a reference to a secret, never for the secret.
pub(super) const CREDENTIAL: &str = "x-bellwether-credential";

/// The structural schema of a type, with the private keys.
pub(super) fn structural<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        settings.transforms.clear();
    });
    let mut schema = SchemaGenerator::new(settings)
        .into_root_schema_for::<T>()
        .to_value();
    restructure(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.remove("title");
    }
    schema
}

/// The same without the private keys, as the API server may see it.
pub(super) fn public(schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => keywords
            .iter()
            .filter(|(name, _)| !name.starts_with(PRIVATE))
            .map(|(name, value)| (name.clone(), public(value)))
            .collect(),
        Value::Array(items) => items.iter().map(public).collect(),
        other => other.clone(),
    }
}

fn restructure(schema: &mut Value) {
    if *schema == json!(true) {
        *schema = json!({ "x-kubernetes-preserve-unknown-fields": true });
    }
    let Value::Object(keywords) = schema else {
        return;
    };
    merge_alternatives(keywords);
    drop_null(keywords);
    // A structural schema prunes or refuses what it does not name; it need not, and may not, say so.
    if keywords.contains_key("properties") {
        keywords.remove("additionalProperties");
    }
    // Go's validator knows int32 and int64 only; the bounds say the rest.
    if keywords
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| format.starts_with("uint"))
    {
        keywords.remove("format");
    }
    let empty = |value: &Value| value.is_null() || *value == json!([]) || *value == json!({});
    if keywords.get("default").is_some_and(empty) {
        keywords.remove("default");
    }
    if let Some(Value::String(description)) = keywords.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    for name in ["items", "additionalProperties"] {
        keywords.get_mut(name).into_iter().for_each(restructure);
    }
    if let Some(Value::Object(properties)) = keywords.get_mut("properties") {
        properties.values_mut().for_each(restructure);
    }
}

/// `oneOf` over the variants of an enum becomes what it means: one of some words, or an object with
/// exactly one of some keys.
fn merge_alternatives(keywords: &mut Map<String, Value>) {
    if let Some(Value::Array(mut alternatives)) = keywords.remove("anyOf") {
        // `Option<Enum>` is "that, or null".
        alternatives.retain(|alternative| alternative["type"] != "null");
        if let Some(Value::Object(only)) = alternatives.pop() {
            for (name, value) in only {
                keywords.entry(name).or_insert(value);
            }
        }
    }
    let Some(Value::Array(alternatives)) = keywords.remove("oneOf") else {
        return;
    };
    let mut words = Vec::new();
    let mut properties = Map::new();
    for alternative in alternatives {
        match (
            &alternative["const"],
            &alternative["enum"],
            &alternative["properties"],
        ) {
            (Value::String(word), _, _) => words.push(json!(word)),
            (_, Value::Array(several), _) => words.extend(several.iter().cloned()),
            (_, _, Value::Object(keys)) => {
                for (name, value) in keys {
                    let mut value = value.clone();
                    if let (Value::Object(value), Some(text)) =
                        (&mut value, alternative.get("description"))
                    {
                        value.insert("description".to_owned(), text.clone());
                    }
                    properties.insert(name.clone(), value);
                }
            }
            _ => {}
        }
    }
    if properties.is_empty() {
        keywords.insert("type".to_owned(), json!("string"));
        keywords.insert("enum".to_owned(), Value::Array(words));
    } else {
        keywords.insert("type".to_owned(), json!("object"));
        keywords.insert("properties".to_owned(), Value::Object(properties));
        keywords.insert("minProperties".to_owned(), json!(1));
        keywords.insert("maxProperties".to_owned(), json!(1));
    }
}

/// An optional field may be absent; it may not be null.
fn drop_null(keywords: &mut Map<String, Value>) {
    keywords.remove("nullable");
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            keywords.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = keywords.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}
