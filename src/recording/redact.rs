//! What is left out of a recording: the values of Secrets, what `kubectl apply` keeps of them, and
//! what somebody says.

use std::str::FromStr;

use serde_json::Value;

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
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.remove(LAST_APPLIED);
        }
        if object["apiVersion"] == "v1" && object["kind"] == "Secret" {
            for values in ["data", "stringData"] {
                for (_, value) in object[values].as_object_mut().into_iter().flatten() {
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
        insta::assert_snapshot!(secret, @r#"{"apiVersion":"v1","kind":"Secret","data":{"a":"‹redacted›"},"metadata":{"annotations":null},"stringData":null}"#);
        assert!(Redaction::of(&["spec..x".to_owned()]).is_err());
        assert!("spec.x[0]".parse::<Redaction>().is_err());
    }
}
