//! One attempt: render, deliver, and say how it went.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::logs;
use super::metrics::Metrics;
use crate::decision::{About, Decision, Reason};
use crate::deliver::Deliverer;
use crate::names::ReceiverName;
use crate::notify::Notification;
use crate::outbox::Outcome;
use crate::render::{Format, Payload, render};

/// What every attempt needs.
pub struct Attempts {
    formats: BTreeMap<ReceiverName, Format>,
    deliverer: Deliverer,
    metrics: Metrics,
}

impl Attempts {
    #[must_use]
    pub fn new(
        formats: BTreeMap<ReceiverName, Format>,
        deliverer: Deliverer,
        metrics: Metrics,
    ) -> Self {
        Self {
            formats,
            deliverer,
            metrics,
        }
    }

    /// Makes an attempt.
    pub async fn make(self: Arc<Self>, notification: Arc<Notification>) -> Outcome {
        let receiver = &notification.receiver;
        let outcome = match self.formats.get(receiver) {
            Some(format) => {
                let payload = render(&notification, format);
                self.tell_of_failures(&notification, &payload);
                let deliver = self.deliverer.deliver(receiver, &payload, &notification);
                deliver.await
            }
            None => Outcome::Refused {
                why: format!("there is no receiver {receiver} any more"),
            },
        };
        self.metrics.attempted(receiver.as_str(), &outcome);
        outcome
    }

    /// A template that failed loses no message, but its author must hear of it.
    fn tell_of_failures(&self, notification: &Notification, payload: &Payload) {
        for failure in &payload.failures {
            let decision = Decision {
                at: notification.at,
                reason: Reason::TemplateFailed(failure.clone()),
                about: About {
                    receiver: Some(notification.receiver.clone()),
                    group: Some(notification.group.clone()),
                    notification: Some(notification.id.clone()),
                    ..About::default()
                },
                until: None,
            };
            self.metrics.decided(&decision);
            logs::decided(&decision);
        }
        for path in &payload.missing {
            self.metrics.missing();
            tracing::debug!(receiver = %notification.receiver, path, "a template read what is not there");
        }
    }
}
