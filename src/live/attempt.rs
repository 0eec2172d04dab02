//! One attempt: render, deliver, and say how it went.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::logs;
use super::metrics::Metrics;
use crate::decision::{About, Decision, Reason};
use crate::deliver::Deliverer;
use crate::names::ReceiverName;
use crate::notify::Notification;
use crate::outbox::{Attempt, Delivery, Outcome};
use crate::render::{Format, Payload, render};

/// How each receiver is spoken to.
pub struct Ways {
    pub formats: BTreeMap<ReceiverName, Format>,
    pub deliverer: Deliverer,
}

/// What every attempt needs.
pub struct Attempts {
    ways: Mutex<Arc<Ways>>,
    /// Those before the last reload: what was decided on them and is on its way still arrives.
    former: Mutex<Option<Arc<Ways>>>,
    metrics: Metrics,
}

impl Attempts {
    #[must_use]
    pub fn new(ways: Ways, metrics: Metrics) -> Self {
        Self {
            ways: Mutex::new(Arc::new(ways)),
            former: Mutex::default(),
            metrics,
        }
    }

    /// From now on receivers are spoken to like this. Attempts under way end as they began.
    pub fn replace(&self, ways: Arc<Ways>) {
        let mut now = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *now, ways);
        *self.former.lock().unwrap_or_else(PoisonError::into_inner) = Some(former);
    }

    fn way_to(&self, receiver: &ReceiverName) -> Option<Arc<Ways>> {
        let knows = |ways: &Arc<Ways>| ways.formats.contains_key(receiver);
        let now = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Some(now.clone()).filter(knows);
        now.or_else(|| {
            let former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
            former.clone().filter(knows)
        })
    }

    /// Makes an attempt.
    pub async fn make(self: Arc<Self>, attempt: Attempt) -> Delivery {
        let notification = &attempt.notification;
        let receiver = &notification.receiver;
        let ways = self.way_to(receiver);
        let format = ways
            .as_ref()
            .and_then(|ways| Some((ways, ways.formats.get(receiver)?)));
        let delivery = match format {
            Some((ways, format)) => {
                let payload = render(notification, format);
                self.tell_of_failures(notification, &payload);
                ways.deliverer.deliver(&attempt, &payload).await
            }
            None => Outcome::Refused {
                why: format!("there is no receiver {receiver} any more"),
            }
            .into(),
        };
        let outcome = &delivery.outcome;
        self.metrics.attempted(receiver.as_str(), outcome);
        delivery
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
