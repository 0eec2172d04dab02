//! What is left out of a recording: the values of Secrets, what `kubectl apply` keeps of them, and
//! what somebody says.

use std::str::FromStr;

use serde_json::Value;

use crate::cel::Json;

/// What stands instead.
const REDACTED: &str = "‹redacted›";
/// Holds the whole manifest as it was applied, also of a Secret.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Paths of values that nobody is to read later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction(Vec<Path>);

/// `spec.users[].password`.
type Path = Vec<Step>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Each,
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path such as spec.users[].password")]
pub struct RedactionError(String);

impl Redaction {
    /// # Errors
    /// A text is no path.
    pub fn of(paths: &[String]) -> Result<Self, RedactionError> {
        paths
            .iter()
            .map(|text| path(text))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn apply(&self, object: &mut Value) {
        let is_secret = object["apiVersion"] == "v1" && object["kind"] == "Secret";
        self.apply_to(object, is_secret);
    }

    /// An object without what is left out.
    pub(super) fn applied(&self, object: &Json) -> Json {
        let mut object = serde_json::to_value(object).unwrap_or_default();
        self.apply(&mut object);
        Json::from(object)
    }

    /// The same of everything in it that may be an object, or a part of one. `secret`: that may be a
    /// Secret, even if it does not say so.
    pub(super) fn applied_within(&self, view: &Json, secret: bool) -> Json {
        let mut view = serde_json::to_value(view).unwrap_or_default();
        self.apply_within(&mut view, secret);
        Json::from(view)
    }

    /// The same of an object's `spec`.
    pub(super) fn applied_to_spec(&self, spec: &Json) -> Json {
        let mut object = Value::Object(serde_json::Map::new());
        object["spec"] = serde_json::to_value(spec).unwrap_or_default();
        self.apply(&mut object);
        Json::from(object["spec"].take())
    }

    /// Whether somebody named paths.
    pub(super) fn has_paths(&self) -> bool {
        !self.0.is_empty()
    }

    fn apply_within(&self, value: &mut Value, secret: bool) {
        match value {
            Value::Object(fields) => {
                for inner in fields.values_mut() {
                    self.apply_within(inner, secret);
                }
                let says_so = value["kind"] == "Secret";
                self.apply_to(value, secret || says_so);
            }
            Value::Array(items) => {
                for inner in items {
                    self.apply_within(inner, secret);
                }
            }
            _ => {}
        }
    }

    /// Whether [`Self::apply`] may change something.
    pub(super) fn concerns(&self, object: &Json) -> bool {
        let kind = object.at(&["kind"]).and_then(Json::as_str);
        let applied = object.at(&["metadata", "annotations", LAST_APPLIED]);
        !self.0.is_empty() || kind == Some("Secret") || applied.is_some()
    }

    fn apply_to(&self, object: &mut Value, is_secret: bool) {
        let annotations = object.pointer_mut("/metadata/annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        if is_secret {
            for values in ["data", "stringData"] {
                let values = object.get_mut(values).and_then(Value::as_object_mut);
                for (_, value) in values.into_iter().flatten() {
                    *value = REDACTED.into();
                }
            }
        }
        for path in &self.0 {
            redact(object, path);
        }
    }
}

fn path(text: &str) -> Result<Path, RedactionError> {
    let mut steps = Vec::new();
    for part in text.split('.') {
        let name = part.trim_end_matches("[]");
        if name.is_empty() || name.contains(['[', ']']) {
            return Err(RedactionError(text.to_owned()));
        }
        steps.push(Step::Field(name.to_owned()));
        let lists = (part.len() - name.len()) / 2;
        steps.extend((0..lists).map(|_| Step::Each));
    }
    Ok(steps)
}

fn redact(value: &mut Value, path: &[Step]) {
    match path {
        [] => *value = REDACTED.into(),
        [Step::Field(name), rest @ ..] => {
            if let Some(inner) = value.as_object_mut().and_then(|map| map.get_mut(name)) {
                redact(inner, rest);
            }
        }
        [Step::Each, rest @ ..] => {
            for inner in value.as_array_mut().into_iter().flatten() {
                redact(inner, rest);
            }
        }
    }
}

impl FromStr for Redaction {
    type Err = RedactionError;

    fn from_str(text: &str) -> Result<Self, RedactionError> {
        Self::of(&[text.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_and_what_was_named_are_left_out() {
        let paths = ["spec.users[].password", "status.token", "spec.none.such"];
        let redaction = Redaction::of(&paths.map(str::to_owned)).unwrap();
        let mut object = json!({
            "metadata": {"annotations": {LAST_APPLIED: "{secret}", "other": "kept"}},
            "spec": {"users": [{"name": "ada", "password": "p1"}, {"password": 2}]},
            "status": {"token": {"value": "t"}},
        });
        redaction.apply(&mut object);
        insta::assert_snapshot!(object, @r#"{"metadata":{"annotations":{"other":"kept"}},"spec":{"users":[{"name":"ada","password":"‹redacted›"},{"password":"‹redacted›"}]},"status":{"token":"‹redacted›"}}"#);
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "c2VjcmV0"}});
        redaction.apply(&mut secret);
        insta::assert_snapshot!(secret, @r#"{"apiVersion":"v1","kind":"Secret","data":{"a":"‹redacted›"}}"#);
        let mut view =
            json!({"rule": "r", "view": {"object": {"data": {"a": "c2VjcmV0"}}}, "data": "kept"});
        redaction.apply_within(&mut view, true);
        insta::assert_snapshot!(view, @r#"{"rule":"r","view":{"object":{"data":{"a":"‹redacted›"}}},"data":"kept"}"#);
        assert!(Redaction::of(&["spec..x".to_owned()]).is_err());
        assert!("spec.x[0]".parse::<Redaction>().is_err());
    }
}
