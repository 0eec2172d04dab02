//! `kind: Route`: which alerts go where, for rules that name no receivers themselves.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::duration::{self, DurationText};
use super::matchers::Matchers;
use super::receiver::GroupBy;
use super::text::Text;
use super::times::TimeInterval;
use crate::diagnostic::Place;
use crate::names::RouteName;

/// A route document.
#[derive(Clone, Debug)]
pub struct Route {
    pub name: RouteName,
    /// The tenant's namespace; absent for a cluster-wide route.
    pub namespace: Option<String>,
    pub spec: RouteSpec,
    /// Where its name stands.
    pub place: Place,
}

/// Which alerts go to which receivers, how grouped and when. Routes are tried in the order of their
/// `priority`, then of their names; the first that an alert matches has it, and those after it only
/// if that one says `continue`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteSpec {
    /// A route of a higher priority is tried before one of a lower.
    #[serde(default)]
    pub priority: i32,
    /// Labels that an alert must have, as Alertmanager writes them: `severity="critical"`,
    /// `team=~"db|storage"`. Without any, every alert.
    #[serde(default)]
    pub matchers: Matchers,
    /// What must be true besides, in CEL over `labels` and `object`.
    #[serde(rename = "where")]
    pub condition: Option<Text>,
    /// Names of receivers. An empty list tells nobody, on purpose.
    pub receivers: Vec<String>,
    /// The labels whose values make alerts one group, instead of the receiver's own.
    #[serde(default, deserialize_with = "group_by")]
    #[schemars(with = "Option<Vec<String>>")]
    pub group_by: Option<GroupBy>,
    /// How long a new group waits for more of its kind, instead of the receiver's own.
    #[serde(default, deserialize_with = "some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub group_wait: Option<Duration>,
    /// How long between two notifications of one group that changed, instead of the receiver's own.
    #[serde(default, deserialize_with = "some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub group_interval: Option<Duration>,
    /// How long until a group that still fires is told again, instead of the receiver's own.
    #[serde(default, deserialize_with = "some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub repeat_interval: Option<Duration>,
    /// Whether the routes after this one are tried too.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
    /// Its groups are told only within these intervals, if there are any.
    #[serde(default)]
    pub active_times: Vec<TimeInterval>,
    /// Its groups are not told within these intervals.
    #[serde(default)]
    pub mute_times: Vec<TimeInterval>,
}

fn group_by<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<GroupBy>, D::Error> {
    Vec::<String>::deserialize(deserializer).map(|labels| Some(GroupBy::from(labels)))
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration::deserialize(deserializer).map(Some)
}
