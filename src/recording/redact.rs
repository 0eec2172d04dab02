//! What is left out of a recording: the values of Secrets, what `kubectl apply` keeps of them, and
//! what somebody says.
//!
//! Instead of a value stands a mark, `‹redacted 1b2c3d4e›`, which is another one when the value
//! changes: a rule that tells of a change tells of it in a replay too. It is a keyed hash (`SipHash`)
//! whose key is made for one recording and written nowhere, so that nobody can try values; and it
//! counts where the value stands, so that it does not tell who has the same. What is empty stays.

use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;

use serde_json::Value;

use crate::cel::Json;

/// How what stands instead begins.
const MARK: &str = "‹redacted";
/// Holds the whole manifest as it was applied, also of a Secret.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Paths of values that nobody is to read later.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    paths: Vec<Path>,
    key: RandomState,
}

/// `spec.users[].password`.
type Path = Vec<Step>;

/// What marks depend on besides the value: whose it is. Nothing: they are all the same.
type Whose<'o> = Option<&'o str>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Each,
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path such as spec.users[].password or metadata.annotations['example.com/token']"
)]
pub struct RedactionError(String);

impl Redaction {
    /// # Errors
    /// A text is no path.
    pub fn of(paths: &[String]) -> Result<Self, RedactionError> {
        paths
            .iter()
            .map(|text| path(text))
            .collect::<Result<_, _>>()
            .map(|paths| Self {
                paths,
                key: RandomState::new(),
            })
    }

    pub(super) fn apply(&self, object: &mut Value) {
        let is_secret = object["apiVersion"] == "v1" && object["kind"] == "Secret";
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
        let uid = uid.unwrap_or_default().to_owned();
        self.apply_to(object, is_secret, Some(&uid));
    }

    /// An object without what is left out.
    pub(super) fn applied(&self, object: &Json) -> Json {
        let mut object = serde_json::to_value(object).unwrap_or_default();
        self.apply(&mut object);
        Json::from(object)
    }

    /// The same of what is known to be a Secret.
    pub(super) fn applied_to_secret(&self, object: &Json) -> Json {
        let mut object = serde_json::to_value(object).unwrap_or_default();
        object["apiVersion"] = "v1".into();
        object["kind"] = "Secret".into();
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
        !self.paths.is_empty()
    }

    fn apply_within(&self, value: &mut Value, secret: bool) {
        match value {
            Value::Object(fields) => {
                for inner in fields.values_mut() {
                    self.apply_within(inner, secret);
                }
                let says_so = value["kind"] == "Secret";
                self.apply_to(value, secret || says_so, None);
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
        !self.paths.is_empty() || kind == Some("Secret") || applied.is_some()
    }

    fn apply_to(&self, object: &mut Value, is_secret: bool, whose: Whose<'_>) {
        let annotations = object.pointer_mut("/metadata/annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        if is_secret {
            for values in ["data", "stringData"] {
                let values = object.get_mut(values).and_then(Value::as_object_mut);
                for (name, value) in values.into_iter().flatten() {
                    self.mark(value, whose, name);
                }
            }
        }
        for (number, path) in self.paths.iter().enumerate() {
            self.redact(object, path, whose, &number.to_string());
        }
    }

    fn redact(&self, value: &mut Value, path: &[Step], whose: Whose<'_>, place: &str) {
        match path {
            [] => self.mark(value, whose, place),
            [Step::Field(name), rest @ ..] => {
                if let Some(inner) = value.as_object_mut().and_then(|map| map.get_mut(name)) {
                    self.redact(inner, rest, whose, place);
                }
            }
            [Step::Each, rest @ ..] => {
                for inner in value.as_array_mut().into_iter().flatten() {
                    self.redact(inner, rest, whose, place);
                }
            }
        }
    }

    fn mark(&self, value: &mut Value, whose: Whose<'_>, place: &str) {
        let is_empty = match &*value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        if is_empty {
            return;
        }
        *value = match whose {
            Some(whose) => {
                let hash = self.key.hash_one((whose, place, value.to_string()));
                format!("{MARK} {:08x}›", hash & 0xffff_ffff).into()
            }
            None => format!("{MARK}›").into(),
        };
    }
}

fn path(text: &str) -> Result<Path, RedactionError> {
    let wrong = || RedactionError(text.to_owned());
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (step, after) = step(rest, steps.is_empty()).ok_or_else(wrong)?;
        steps.push(step);
        rest = after;
    }
    let names: Vec<_> = steps.iter().take(2).collect();
    let field = |name: &str| Step::Field(name.to_owned());
    let texts = [field("annotations"), field("labels")];
    // Their values are texts: what seems to stand in one was the rest of its name.
    let in_text = names.first() == Some(&&field("metadata"))
        && names.get(1).is_some_and(|name| texts.contains(name))
        && steps.len() > 3;
    if steps.is_empty() || in_text {
        return Err(wrong());
    }
    Ok(steps)
}

/// The next step of a path, and what follows it.
fn step(text: &str, is_first: bool) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix("[]").filter(|_| !is_first) {
        return Some((Step::Each, rest));
    }
    for quote in ['\'', '"'] {
        let quoted = text.strip_prefix('[').and_then(|it| it.strip_prefix(quote));
        if let Some(quoted) = quoted {
            let (name, rest) = quoted.split_once(quote)?;
            let name = Some(name).filter(|name| !name.is_empty())?;
            return Some((Step::Field(name.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let text = if is_first {
        text
    } else {
        text.strip_prefix('.')?
    };
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let plain = !name.is_empty() && !name.contains(['/', ']', '\'', '"']);
    plain.then(|| (Step::Field(name.to_owned()), rest))
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

    /// A text with every mark as `…`.
    fn unmarked(value: &Value) -> String {
        let text = value.to_string();
        let mut parts = text.split(MARK);
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| part.split_once('›').map_or("", |(_, rest)| rest));
        rest.fold(first, |all, rest| all + "…" + rest)
    }

    fn secret(uid: &str, value: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"uid": uid},
            "data": {"a": value, "b": value, "none": ""},
        })
    }

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
        insta::assert_snapshot!(unmarked(&object), @r#"{"metadata":{"annotations":{"other":"kept"}},"spec":{"users":[{"name":"ada","password":"…"},{"password":"…"}]},"status":{"token":"…"}}"#);
        let mut one = secret("1", "c2VjcmV0");
        redaction.apply(&mut one);
        insta::assert_snapshot!(unmarked(&one), @r#"{"apiVersion":"v1","kind":"Secret","metadata":{"uid":"1"},"data":{"a":"…","b":"…","none":""}}"#);
        let mut view =
            json!({"rule": "r", "view": {"object": {"data": {"a": "c2VjcmV0"}}}, "data": "kept"});
        redaction.apply_within(&mut view, true);
        insta::assert_snapshot!(view, @r#"{"rule":"r","view":{"object":{"data":{"a":"‹redacted›"}}},"data":"kept"}"#);
        assert!(Redaction::of(&["spec..x".to_owned()]).is_err());
        for wrong in [
            "",
            "[]",
            "spec.x[0]",
            "spec['x",
            "spec['']",
            "spec['x']y",
            "metadata.annotations.example.com/token",
            "metadata.annotations.example.token",
        ] {
            assert!(wrong.parse::<Redaction>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_with_dots_is_quoted() {
        let paths = [
            "metadata.annotations['example.com/token']",
            "spec[\"a.b\"][].c",
        ];
        let redaction = Redaction::of(&paths.map(str::to_owned)).unwrap();
        let mut object = json!({
            "metadata": {"annotations": {"example.com/token": "t", "example": "kept"}},
            "spec": {"a.b": [{"c": 1, "d": 2}]},
        });
        redaction.apply(&mut object);
        insta::assert_snapshot!(unmarked(&object), @r#"{"metadata":{"annotations":{"example.com/token":"…","example":"kept"}},"spec":{"a.b":[{"c":"…","d":2}]}}"#);
    }

    #[test]
    fn a_mark_tells_that_its_value_changed_and_nothing_else() {
        let redaction = Redaction::default();
        let marked = |redaction: &Redaction, uid, value| {
            let mut secret = secret(uid, value);
            redaction.apply(&mut secret);
            secret["data"].clone()
        };
        let mark = marked(&redaction, "1", "c2VjcmV0");
        assert_eq!(marked(&redaction, "1", "c2VjcmV0"), mark);
        assert_ne!(marked(&redaction, "1", "b3RoZXI=")["a"], mark["a"]);
        // Neither where the same value stands too, nor what it is to somebody who tries.
        assert_ne!(mark["a"], mark["b"]);
        assert_ne!(marked(&redaction, "2", "c2VjcmV0")["a"], mark["a"]);
        assert_ne!(
            marked(&Redaction::default(), "1", "c2VjcmV0")["a"],
            mark["a"]
        );
    }
}
