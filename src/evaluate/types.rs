//! What the names that a rule's expressions and templates read stand for.

use crate::cel::{Json, Type, Types};

/// The types of all names but the variables, whose expressions say theirs. `of` is the type of the
/// objects, `Dyn` where nobody knows it.
#[must_use]
pub fn of_names(of: &Type, params: &Json) -> Types {
    let event = of_event();
    Types::new()
        .with("object", of.clone())
        .with("oldObject", of.clone())
        .with("params", Type::of_json("params", params))
        .with("now", Type::Timestamp)
        .with(
            "change",
            Type::one_of(&["ADDED", "MODIFIED", "DELETED", "EVENT"]),
        )
        .with("late", Type::Bool)
        .with("events", Type::list(event.clone()))
        .with("event", event)
}

/// A Kubernetes Event, as [`crate::watch::KubernetesEvent`] gives it.
fn of_event() -> Type {
    let regarding = Type::object(
        "event.regarding",
        vec![
            ("apiVersion", Type::String),
            ("kind", Type::String),
            ("name", Type::String),
            ("namespace", Type::String),
            ("uid", Type::String),
        ],
    );
    Type::object(
        "event",
        vec![
            ("count", Type::Int),
            ("firstSeen", Type::TimeText),
            ("lastSeen", Type::TimeText),
            ("message", Type::String),
            ("reason", Type::String),
            ("regarding", regarding),
            ("reportingController", Type::String),
            ("type", Type::String),
        ],
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::watch::KubernetesEvent;

    #[test]
    fn the_type_of_an_event_has_the_fields_that_events_have() {
        let event = KubernetesEvent::read(json!({
            "metadata": {"name": "x", "namespace": "d", "uid": "e", "creationTimestamp": "2026-11-22T08:00:00Z"},
            "regarding": {"uid": "u"}, "note": "hello",
        }));
        let of = of_event();
        let Json::Map(fields) = event.expect("an Event").to_json() else {
            panic!("an Event is a map");
        };
        assert_eq!(fields.into_iter().count(), 8);
        for (name, _) in &fields {
            let step = crate::cel::paths::Step::Field(name.clone());
            of.walk(&[step]).expect("a field");
        }
    }
}
