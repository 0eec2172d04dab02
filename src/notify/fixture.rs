//! Alerts and policies for the tests of this stage and of the outbox.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::policy::{GroupBy, Policy};
use crate::alert::{Alert, Ending, Nature, Resolution, State, Texts};
use crate::cel::Json;
use crate::names::{Fingerprint, ObjectRef, Severity, Uid};

/// That many seconds after the start of the test.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Waits 10 s, speaks at most each 60 s, repeats each 600 s, groups by `alertname`.
pub(crate) fn policy(receiver: &str) -> Policy {
    Policy {
        receiver: receiver.into(),
        group_by: GroupBy::Labels(vec!["alertname".into()]),
        group_wait: SignedDuration::from_secs(10),
        group_interval: SignedDuration::from_secs(60),
        repeat_interval: SignedDuration::from_secs(600),
        send_resolved: true,
        limit: None,
        max_in_flight: 1,
        give_up_after: SignedDuration::from_hours(24),
        heartbeat: None,
    }
}

/// An alert for `chat` that fires since then.
pub(crate) fn alert(rule: &str, name: &str, since: i64) -> Alert {
    let labels = [("alertname", rule), ("name", name), ("severity", "warning")];
    Alert {
        fingerprint: Fingerprint::of(&[rule, name]),
        rule: rule.into(),
        source: "databases".into(),
        object: ObjectRef {
            api_version: "stable.example.com/v1".into(),
            kind: "DatabaseInstance".into(),
            namespace: Some("prod".into()),
            name: name.into(),
            uid: Uid::parse(name),
        },
        dedup_key: None,
        nature: Nature::State,
        state: State::Firing,
        labels: labels
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        severity: Severity::Warning,
        receivers: vec!["chat".into()],
        active_since: at(since),
        fired_at: Some(at(since)),
        keep_since: None,
        resolution: None,
        count: 1,
        late: false,
        shadow: false,
        texts: Texts::default(),
        view: Arc::new(Json::Null),
    }
}

pub(crate) fn resolved(rule: &str, name: &str, since: i64, until: i64) -> Alert {
    let reason = Ending::Cleared;
    Alert {
        state: State::Resolved,
        resolution: Some(Resolution {
            at: at(until),
            reason,
        }),
        ..alert(rule, name, since)
    }
}

pub(crate) fn occurrence(rule: &str, name: &str, count: u64) -> Alert {
    Alert {
        nature: Nature::Occurrence,
        count,
        ..alert(rule, name, 0)
    }
}
