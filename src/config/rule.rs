//! `kind: Rule`: what to watch, when it matters, what to say and to whom.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Text;
use super::duration::{self, DurationError};
use super::selector;
use crate::diagnostic::Place;
use crate::names::{RuleName, Severity};

/// A rule document.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: RuleName,
    /// The tenant's namespace; absent for a cluster-wide rule.
    pub namespace: Option<String>,
    pub spec: RuleSpec,
    /// Where its name stands.
    pub place: Place,
}

/// A state (`when`) or an occurrence (`on`) of watched objects that somebody is told about.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    { "rule": "has(self.when) != has(self.on)", "message": "exactly one of when and on is needed; YAML 1.1 reads an unquoted on as true, so write \"on\"" },
    { "rule": "has(self.when) || (!has(self.__for__) && !has(self.keepFiringFor))", "message": "for and keepFiringFor belong to when" },
    { "rule": "has(self.on) || !has(self.until)", "message": "until belongs to on" },
]))]
pub struct RuleSpec {
    /// Which objects the rule is about.
    pub watch: Watch,
    /// Objects joined to the watched one by ownership: `related.NAME` is the list of them.
    #[serde(default)]
    pub related: Vec<Related>,
    /// Values that expressions (`params.NAME`) and holds may name; overridden per installation.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// Named CEL expressions, evaluated when used, as in admission policies: `variables.NAME`.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// A state, in CEL: the alert is active while it is true. Exactly one of `when` and `on`.
    pub when: Option<Text>,
    /// An occurrence, in CEL: told once, when it happens. Exactly one of `when` and `on`.
    pub on: Option<Text>,
    /// With `on`: what ends the occurrence, in CEL. Without it there is no resolve.
    pub until: Option<Text>,
    /// With `when`: how long the state must last before the alert fires: `5m`, `1h30m`, `1d`, or `params.NAME`.
    #[serde(rename = "for")]
    pub hold: Option<Hold>,
    /// With `when`: how long the alert goes on firing after the state ended: `2m`, or `params.NAME`.
    pub keep_firing_for: Option<Hold>,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// Labels of the alert, as they are.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Labels of the alert, in CEL.
    #[serde(default)]
    pub label_expressions: BTreeMap<String, Text>,
    /// Further identity of the alert, in CEL: another key is another alert.
    pub dedup_key: Option<Text>,
    /// One line for people: a Handlebars template.
    pub summary: Option<Text>,
    /// More for people: a Handlebars template.
    pub description: Option<Text>,
    /// The address of the page that says what to do.
    pub runbook: Option<String>,
    /// Names of receivers. Without it, every receiver that the rule may notify is told.
    #[serde(default)]
    pub notify: Vec<String>,
    /// What the deletion of the object does to its alert.
    #[serde(default)]
    pub on_delete: OnDelete,
    /// What an `on` rule does with what it finds when there is no stored state.
    #[serde(default)]
    pub on_startup: OnStartup,
    /// Evaluated, counted and kept in the ledger as "would have sent", never sent.
    #[serde(default)]
    pub shadow: bool,
    /// Names that the rule had: its alerts keep their identity through the renaming.
    #[serde(default)]
    pub formerly: Vec<String>,
}

/// Which objects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Watch {
    /// `group/version`, or `v1` for the core group.
    pub api_version: String,
    /// The kind, as in a manifest.
    pub kind: String,
    /// Namespaces to watch; all when empty.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// As kubectl takes it (`app=db,tier in (a,b)`), or as a `{matchLabels, matchExpressions}` object.
    #[serde(default, deserialize_with = "selector::deserialize")]
    #[schemars(with = "selector::SelectorSchema")]
    pub label_selector: Option<String>,
    /// As kubectl takes it: `metadata.name=main`.
    pub field_selector: Option<String>,
}

/// Objects that the watched one owns, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Related {
    /// What the list is called in expressions and templates: `related.NAME`.
    pub name: String,
    /// `group/version`, or `v1` for the core group.
    pub api_version: String,
    /// The kind, as in a manifest.
    pub kind: String,
    /// What may stand between the two in the chain of owners: `apps/v1/StatefulSet`. What Kubernetes'
    /// own controllers put between is known.
    #[serde(default)]
    pub via: Vec<String>,
}

/// A named expression.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    /// A CEL identifier.
    pub name: String,
    /// CEL.
    pub expression: Text,
}

/// How long: fixed, or one of the rule's `params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    Fixed(Duration),
    /// The name after `params.`.
    Param(String),
}

impl FromStr for Hold {
    type Err = HoldError;

    fn from_str(text: &str) -> Result<Self, HoldError> {
        match text.strip_prefix("params.") {
            Some(name) => Ok(Self::Param(name.to_owned())),
            None => duration::parse(text)
                .map(Self::Fixed)
                .map_err(|cause| HoldError {
                    text: text.to_owned(),
                    cause,
                }),
        }
    }
}

/// A hold that is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a duration nor `params.NAME`: {cause}")]
pub struct HoldError {
    text: String,
    #[source]
    cause: DurationError,
}

impl<'de> Deserialize<'de> for Hold {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Hold {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hold".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "x-bellwether-form": "hold",
            "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+|params\.[A-Za-z_][A-Za-z0-9_]*)$",
        })
    }
}

/// What the deletion of an object does to its alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// The alert resolves.
    #[default]
    Resolve,
    /// The alert goes on as it is.
    Keep,
    /// The deletion itself makes the alert fire.
    Fire,
}

/// What an `on` rule does with what it finds when there is no stored state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnStartup {
    /// It is where the rule starts from; nothing fires.
    #[default]
    Baseline,
    /// What is true of it fires.
    Fire,
}

impl Rule {
    /// How long `when` must hold before the alert fires; zero without `for`.
    #[must_use]
    pub fn held_for(&self) -> Duration {
        self.spec.resolved(self.spec.hold.as_ref())
    }

    /// How long the alert fires on after `when` ended; zero without `keepFiringFor`.
    #[must_use]
    pub fn kept_firing_for(&self) -> Duration {
        self.spec.resolved(self.spec.keep_firing_for.as_ref())
    }
}

impl RuleSpec {
    /// All its expressions, as they are written.
    #[must_use]
    pub fn sources(&self) -> Vec<&str> {
        let variables = self.variables.iter().map(|variable| &variable.expression);
        let conditions = [&self.when, &self.on, &self.until, &self.dedup_key];
        let texts = conditions.into_iter().flatten().chain(variables);
        let texts = texts.chain(self.label_expressions.values());
        texts.map(|text| text.text.as_str()).collect()
    }

    /// The duration that a hold stands for. A param that is missing or no duration was refused by
    /// the load, and counts as zero here.
    fn resolved(&self, hold: Option<&Hold>) -> Duration {
        match hold {
            None => Duration::ZERO,
            Some(Hold::Fixed(duration)) => *duration,
            Some(Hold::Param(name)) => self
                .params
                .get(name)
                .and_then(Value::as_str)
                .and_then(|text| duration::parse(text).ok())
                .unwrap_or_default(),
        }
    }
}
