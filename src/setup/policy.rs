//! What the core needs to know of a receiver, from its document.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::config::{self, Receiver, Service};
use crate::names::ReceiverName;
use crate::notify::{GroupBy, Limit, Policy, Times};

pub(super) fn of(receiver: &Receiver, fallback: Option<ReceiverName>) -> Policy {
    let spec = &receiver.spec;
    Policy {
        receiver: receiver.name.clone(),
        group_by: group_by(&spec.group_by),
        group_wait: signed(spec.group_wait),
        group_interval: signed(spec.group_interval),
        repeat_interval: signed(spec.repeat_interval),
        send_resolved: spec.send_resolved,
        limit: spec.limit.as_ref().map(limit),
        limit_per_rule: spec.limit_per_rule.as_ref().map(limit),
        max_in_flight: spec.max_in_flight.get(),
        give_up_after: signed(spec.give_up_after),
        heartbeat: spec
            .heartbeat
            .as_ref()
            .map(|heartbeat| signed(heartbeat.every)),
        fallback,
        keeps_pace: matches!(spec.service, Service::Alertmanager(_)),
        acknowledges: match &spec.service {
            Service::PagerDuty(pagerduty) => pagerduty.acknowledge_silenced,
            Service::Slack(_) | Service::Alertmanager(_) | Service::Webhook(_) => false,
        },
        route: None,
        times: Times::default(),
    }
}

fn limit(limit: &config::Limit) -> Limit {
    Limit {
        notifications: limit.notifications.get(),
        per: signed(limit.per),
        burst: limit.burst.unwrap_or(limit.notifications).get(),
    }
}

pub(super) fn group_by(labels: &config::GroupBy) -> GroupBy {
    match labels {
        config::GroupBy::All => GroupBy::All,
        config::GroupBy::Labels(labels) => {
            let labels = labels.iter().map(|label| Arc::from(label.as_str()));
            GroupBy::Labels(labels.collect())
        }
    }
}

/// A duration of a document is never so long that this loses anything.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
