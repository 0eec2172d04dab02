//! `kind: RuleTest`: what happens, and what must come of it. It lies beside the rules in files, and
//! never in a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::duration::{self, DurationText};
use super::matchers::Matchers;
use crate::diagnostic::Place;

/// A test of rules.
#[derive(Clone, Debug)]
pub struct RuleTest {
    pub name: String,
    pub spec: RuleTestSpec,
    /// Where its name stands.
    pub place: Place,
    /// Where each step of the timeline, and each expectation, begins.
    pub steps: Vec<Place>,
    pub expectations: Vec<Place>,
}

/// A timeline of virtual time, and what is expected at moments of it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleTestSpec {
    /// The rules under test. Without it, all that are beside the test.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Overrides of the rules' `params`, as `--param` makes them.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// What time it is at the beginning (RFC 3339); else 2026-01-01T00:00:00Z.
    #[schemars(with = "Option<String>")]
    pub start: Option<Timestamp>,
    /// Objects that are there when the bridge starts for the first time.
    #[serde(default)]
    pub given: Vec<Map<String, Value>>,
    /// What happens, each at its moment.
    #[serde(default)]
    pub timeline: Vec<Step>,
    /// What must be so, each at its moment: after all that happens until then, that moment included.
    pub expect: Vec<Expectation>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// How long after the beginning.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub at: Duration,
    /// An object is created or changed: a merge patch (RFC 7386) on the object of this kind and name.
    /// Without kind and name it is about the object of the step before.
    pub apply: Option<Map<String, Value>>,
    /// An object is deleted: its kind and name; `{}` for the object of the step before.
    pub delete: Option<Map<String, Value>>,
    /// A Kubernetes Event is written about an object.
    pub event: Option<Event>,
    /// The process is killed, and starts again with what it had written down.
    #[serde(default)]
    pub restart: bool,
    /// The rules are read again, with these params.
    pub reload: Option<Reload>,
    /// How a receiver answers from now on.
    pub receiver: Option<Answers>,
    /// Somebody silences alerts.
    pub silence: Option<Silencing>,
}

/// A silence that somebody makes while the bridge runs.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Silencing {
    /// One of the same name is replaced.
    #[serde(default)]
    pub name: String,
    /// Labels that an alert must have, as Alertmanager writes them.
    #[serde(default)]
    pub matchers: Matchers,
    /// For how long from now on; `0s` ends it.
    #[serde(rename = "for", with = "duration")]
    #[schemars(with = "DurationText")]
    pub lasts: Duration,
}

/// A Kubernetes Event; the same reason and message about the same object again is a repeat of it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// `Warning` if it says nothing.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    pub reason: String,
    #[serde(default)]
    pub message: String,
    /// How often it was seen; else once more than before.
    pub count: Option<u64>,
    /// The kind and name of the object that it is about; else that of the step before.
    #[serde(default)]
    pub regarding: Map<String, Value>,
}

/// What is different when the rules are read again.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reload {
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
}

/// How a receiver answers.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answers {
    pub name: String,
    pub answer: Answer,
    /// With `retry`: it asks to be left alone for so long.
    #[serde(default, deserialize_with = "optional_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub retry_after: Option<Duration>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Yes.
    Accepted,
    /// Not now: 429, 5xx, a time-out.
    Retry,
    /// Never: 400 and the like.
    Refused,
}

/// What must be so at a moment.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// How long after the beginning.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub at: Duration,
    /// The alerts that fire, and those that are pending if one of these says `state: pending`: each by
    /// some of its fields, and no others.
    pub alerts: Option<Vec<Map<String, Value>>>,
    /// The notifications that were sent since the expectation before that asked for them: each by
    /// some of its fields, and no others.
    pub notifications: Option<Vec<Map<String, Value>>>,
    /// There may be others too.
    #[serde(default)]
    pub or_more: bool,
    /// What is named has nothing else in it: `payload`, say, is the whole payload.
    #[serde(default)]
    pub exactly: bool,
}

fn optional_duration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration::deserialize(deserializer).map(Some)
}
