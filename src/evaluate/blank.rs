//! What rules make of an object that nobody has written a status for yet.

use std::cell::Cell;

use jiff::Timestamp;
use serde_json::json;

use super::{Moment, Relation, Rule, Sight, Trigger, Verdict};
use crate::cel::{Json, Memo};
use crate::config::Watch;
use crate::transition::ChangeKind;

/// Whether a state is true of an object that was created this moment and has neither a spec nor a
/// status: what a reviewer would ask, because absent fields read as zero values. A rule about what
/// happens is not.
#[must_use]
pub fn is_true_of_blank(rule: &Rule, watch: &Watch, now: Timestamp) -> bool {
    let Trigger::State { when, .. } = &rule.trigger else {
        return false;
    };
    let object = Json::from(json!({
        "apiVersion": watch.api_version.as_str(), "kind": watch.kind.as_str(),
        "metadata": {"name": "new", "namespace": "default", "generation": 1,
            "creationTimestamp": now.to_string()},
    }));
    let none = |relation: &Relation| (relation.name.clone(), Vec::new());
    let related: Vec<_> = rule.relations.iter().map(none).collect();
    let namespace = Json::from(json!({"metadata": {"name": "default"}}));
    let moment = Moment {
        now,
        object: &object,
        old: None,
        change: ChangeKind::Added,
        event: None,
        events: &[],
        related: &related,
        namespace: Some(&namespace),
        owners: &[],
        late: false,
        spent: &Cell::new(0),
    };
    let mut memo = Memo::default();
    Sight::new(&moment, &mut memo).judge(rule, when).verdict == Verdict::True
}
