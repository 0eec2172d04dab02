//! `kind: Inhibition` and `kind: Silence`: which alerts nobody is told of, and why not.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::matchers::Matchers;
use super::text::Text;
use crate::diagnostic::Place;
use crate::names::{InhibitionName, SilenceName};

/// An inhibition document.
#[derive(Clone, Debug)]
pub struct Inhibition {
    pub name: InhibitionName,
    /// The tenant's namespace; absent for a cluster-wide one.
    pub namespace: Option<String>,
    pub spec: InhibitionSpec,
    /// Where its name stands.
    pub place: Place,
}

/// While an alert fires that matches `source`, nobody is told of those that match `target`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InhibitionSpec {
    /// The alert that explains the others.
    pub source: Side,
    /// The alerts that need not be told.
    pub target: Side,
    /// Labels that must have the same value on both sides; one that neither has is the same.
    #[serde(default)]
    pub equal: Vec<String>,
    /// Only where the source's object owns the target's, directly or through objects that rules read
    /// (`related`).
    #[serde(default)]
    pub owner: bool,
}

/// One side of an inhibition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Labels that the alert must have.
    pub matchers: Matchers,
}

/// A silence document.
#[derive(Clone, Debug)]
pub struct Silence {
    pub name: SilenceName,
    /// The tenant's namespace; absent for a cluster-wide one.
    pub namespace: Option<String>,
    pub spec: SilenceSpec,
    /// Where its name stands.
    pub place: Place,
}

/// From `startsAt` to `endsAt` nobody is told of the alerts that match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SilenceSpec {
    /// Labels that an alert must have.
    #[serde(default)]
    pub matchers: Matchers,
    /// What must be true besides, in CEL over `labels` and `object`.
    #[serde(rename = "where")]
    pub condition: Option<Text>,
    /// From when on; by default it has begun.
    #[serde(default)]
    #[schemars(with = "Option<Moment>")]
    pub starts_at: Option<Timestamp>,
    /// Until when.
    #[schemars(with = "Moment")]
    pub ends_at: Timestamp,
    /// Why.
    pub comment: String,
    /// By whom.
    #[serde(default)]
    pub created_by: Option<String>,
}

/// How a moment looks in a schema.
struct Moment;

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "x-bellwether-form": "moment",
        })
    }
}
