//! Where a secret is kept. The secret itself is never in a document and never in this process's
//! configuration: only `deliver` resolves a credential, when it sends.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Where a secret value is kept: exactly one of `env`, `file` and `secretKeyRef`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-bellwether-credential" = true))]
pub enum Credential {
    /// The name of an environment variable of the bridge.
    Env(String),
    /// The path of a file; its content without the trailing newline. Read again when it changes.
    File(PathBuf),
    /// A key of a Secret in the document's own namespace.
    SecretKeyRef(SecretKey),
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKey {
    /// The name of the Secret.
    pub name: String,
    /// The key in its `data`.
    pub key: String,
}

/// A value that may stand in the document, or be kept elsewhere because it is secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum LiteralOrCredential {
    Literal(String),
    Credential(Credential),
}

/// Without the literal: an address may hold more than its author thought of.
impl fmt::Debug for LiteralOrCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal(…)"),
            Self::Credential(credential) => credential.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for LiteralOrCredential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherVisitor)
    }
}

struct EitherVisitor;

impl<'de> Visitor<'de> for EitherVisitor {
    type Value = LiteralOrCredential;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a string, `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`",
        )
    }

    fn visit_str<E>(self, literal: &str) -> Result<Self::Value, E> {
        Ok(LiteralOrCredential::Literal(literal.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Credential::deserialize(MapAccessDeserializer::new(entries))
            .map(LiteralOrCredential::Credential)
    }
}

impl JsonSchema for LiteralOrCredential {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LiteralOrCredential".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // A string or an object: a structural schema can only say "anything".
        schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}
