//! What events do to incidents: a key opens one, more triggers of it join, a resolve ends it, and a
//! trigger after that opens another.

use super::{Event, EventKind};

/// An incident, and every event that it received.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    pub dedup_key: String,
    pub routing_key: String,
    pub state: State,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Triggered,
    Acknowledged,
    Resolved,
}

impl Incident {
    /// The summary it was opened with: what the person on call was woken by.
    pub fn title(&self) -> &str {
        self.events.first().map_or("", Event::summary)
    }
}

/// An acknowledge or resolve of a key without an open incident changes nothing, as in PagerDuty.
pub(super) fn apply(incidents: &mut Vec<Incident>, event: &Event) {
    let open = incidents.iter_mut().find(|incident| {
        incident.dedup_key == event.dedup_key
            && incident.routing_key == event.routing_key
            && incident.state != State::Resolved
    });
    match (event.kind, open) {
        (EventKind::Change, _) | (EventKind::Acknowledge | EventKind::Resolve, None) => {}
        (EventKind::Trigger, None) => incidents.push(Incident {
            dedup_key: event.dedup_key.clone(),
            routing_key: event.routing_key.clone(),
            state: State::Triggered,
            events: vec![event.clone()],
        }),
        (kind, Some(incident)) => {
            incident.events.push(event.clone());
            incident.state = match kind {
                EventKind::Acknowledge => State::Acknowledged,
                EventKind::Resolve => State::Resolved,
                EventKind::Trigger | EventKind::Change => incident.state,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn incidents(events: &[(EventKind, &str)]) -> Vec<(State, usize)> {
        let mut incidents = Vec::new();
        for (kind, key) in events {
            let event = Event {
                kind: *kind,
                dedup_key: (*key).to_owned(),
                routing_key: String::new(),
                body: json!({}),
            };
            apply(&mut incidents, &event);
        }
        incidents
            .iter()
            .map(|incident| (incident.state, incident.events.len()))
            .collect()
    }

    #[test]
    fn triggers_of_one_key_are_one_incident_until_it_is_resolved() {
        use EventKind::{Acknowledge, Resolve, Trigger};
        assert_eq!(
            incidents(&[(Trigger, "a"), (Trigger, "a"), (Acknowledge, "a")]),
            [(State::Acknowledged, 3)]
        );
        assert_eq!(
            incidents(&[(Trigger, "a"), (Trigger, "b")]),
            [(State::Triggered, 1), (State::Triggered, 1)]
        );
        assert_eq!(
            incidents(&[
                (Trigger, "a"),
                (Resolve, "a"),
                (Trigger, "a"),
                (Resolve, "b")
            ]),
            [(State::Resolved, 2), (State::Triggered, 1)]
        );
    }
}
