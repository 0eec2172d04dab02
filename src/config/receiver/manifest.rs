//! A receiver's `spec` as it is written, before the defaults that depend on its service.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Alertmanager, GroupBy, Heartbeat, Limit, PagerDuty, ReceiverSpec, Service, Slack, Webhook,
    slack,
};
use crate::config::duration::{self, DurationText};
use crate::config::route::some_duration;

/// Who is told, how, how often and in which groups. Exactly one of `slack`, `pagerduty`,
/// `alertmanager` and `webhook`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.slack), has(self.pagerduty), has(self.alertmanager), has(self.webhook)].exists_one(x, x)",
    "message": "exactly one of slack, pagerduty, alertmanager and webhook is needed",
}]))]
pub(in crate::config) struct Manifest {
    /// Slack, by an incoming webhook or a bot.
    slack: Option<slack::Manifest>,
    /// PagerDuty's Events API v2.
    pagerduty: Option<PagerDuty>,
    /// Prometheus' Alertmanager, by its API v2.
    alertmanager: Option<Alertmanager>,
    /// An HTTP endpoint.
    webhook: Option<Webhook>,
    /// The labels whose values make alerts one group; `[alertname]` by default, `[...]` for an
    /// Alertmanager. `[]` puts all
    /// alerts into one group, `[...]` each into its own, as in Alertmanager.
    group_by: Option<Vec<String>>,
    /// How long a new group waits for more of its kind.
    #[serde(default, with = "duration")]
    #[schemars(with = "DurationText")]
    group_wait: Duration,
    /// How long between two notifications of one group that changed.
    #[serde(default = "minute", with = "duration")]
    #[schemars(with = "DurationText")]
    group_interval: Duration,
    /// How long until a group that still fires is told again; by default four hours, one minute for
    /// an Alertmanager, where an alert ends unless it is sent again within four times as long.
    #[serde(default, deserialize_with = "some_duration")]
    #[schemars(with = "Option<DurationText>")]
    repeat_interval: Option<Duration>,
    /// Whether the end of an alert is told too.
    #[serde(default = "yes")]
    send_resolved: bool,
    /// At most so many notifications in so long.
    limit: Option<Limit>,
    /// At most so many notifications in so long about each rule by itself.
    limit_per_rule: Option<Limit>,
    /// How many notifications may be on their way at once, and so how many a crash may send twice;
    /// by default 1 for Slack and PagerDuty, 4 for the others.
    max_in_flight: Option<NonZeroU32>,
    /// For one attempt.
    #[serde(default = "ten_seconds", with = "duration")]
    #[schemars(with = "DurationText")]
    timeout: Duration,
    /// After this long a notification that was not accepted becomes a dead letter.
    #[serde(default = "day", with = "duration")]
    #[schemars(with = "DurationText")]
    give_up_after: Duration,
    /// A signal that a dead man's switch can watch.
    heartbeat: Option<Heartbeat>,
    /// The receiver that is told instead what this one refuses for good, or does not take within
    /// `giveUpAfter`.
    fallback: Option<String>,
    /// The name of a template file for the message.
    template: Option<String>,
    /// Whether the rules of other namespaces may notify this receiver, if it is cluster-wide.
    #[serde(default)]
    shared: bool,
}

/// A receiver that has the shape of one, and cannot be: the checks of the receiver say it, with
/// both places.
#[derive(Debug, thiserror::Error)]
pub(in crate::config) enum Contradiction {
    #[error("exactly one of `slack`, `pagerduty`, `alertmanager` and `webhook` is needed")]
    Service,
    #[error("exactly one of `webhookUrl` and `botToken` is needed")]
    SlackWay,
    #[error("a bot needs a `channel`")]
    Channel,
}

impl Contradiction {
    /// Whether a message is one of these.
    pub(in crate::config) fn is(message: &str) -> bool {
        let all = [Self::Service, Self::SlackWay, Self::Channel];
        all.iter().any(|one| one.to_string() == message)
    }
}

impl TryFrom<Manifest> for ReceiverSpec {
    type Error = Contradiction;

    fn try_from(manifest: Manifest) -> Result<Self, Contradiction> {
        let slack = manifest.slack.map(Slack::try_from).transpose()?;
        let services = [
            slack.map(Service::Slack),
            manifest.pagerduty.map(Service::PagerDuty),
            manifest.alertmanager.map(Service::Alertmanager),
            manifest.webhook.map(Service::Webhook),
        ];
        let mut services: Vec<_> = services.into_iter().flatten().collect();
        let (Some(service), true) = (services.pop(), services.is_empty()) else {
            return Err(Contradiction::Service);
        };
        let at_once = match service {
            Service::Slack(_) | Service::PagerDuty(_) => NonZeroU32::MIN,
            Service::Alertmanager(_) | Service::Webhook(_) => NonZeroU32::MIN.saturating_add(3),
        };
        // It groups by itself, and forgets an alert that it does not hear of.
        let (group_by, repeat_interval) = match service {
            Service::Alertmanager(_) => (GroupBy::All, minute()),
            _ => (GroupBy::default(), four_hours()),
        };
        Ok(Self {
            service,
            group_by: manifest.group_by.map_or(group_by, GroupBy::from),
            group_wait: manifest.group_wait,
            group_interval: manifest.group_interval,
            repeat_interval: manifest.repeat_interval.unwrap_or(repeat_interval),
            send_resolved: manifest.send_resolved,
            limit: manifest.limit,
            limit_per_rule: manifest.limit_per_rule,
            max_in_flight: manifest.max_in_flight.unwrap_or(at_once),
            timeout: manifest.timeout,
            give_up_after: manifest.give_up_after,
            heartbeat: manifest.heartbeat,
            fallback: manifest.fallback,
            template: manifest.template,
            shared: manifest.shared,
        })
    }
}

impl Default for GroupBy {
    fn default() -> Self {
        Self::Labels(vec!["alertname".to_owned()])
    }
}

impl From<Vec<String>> for GroupBy {
    fn from(mut labels: Vec<String>) -> Self {
        if labels.iter().any(|label| label == "...") {
            return Self::All;
        }
        labels.sort_unstable();
        labels.dedup();
        Self::Labels(labels)
    }
}

fn yes() -> bool {
    true
}

fn minute() -> Duration {
    Duration::from_mins(1)
}

fn four_hours() -> Duration {
    Duration::from_hours(4)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn day() -> Duration {
    Duration::from_hours(24)
}
