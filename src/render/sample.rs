//! Notifications for tests: a database that failed, and variations.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use crate::alert::{Alert, Ending, Nature, Resolution, State, Texts};
use crate::cel::Json;
use crate::names::{Fingerprint, GroupKey, Labels, NotificationId, ObjectRef, Severity, Uid};
use crate::notify::{Cause, Notification, Status};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn alert(name: &str) -> Alert {
    let labels = [
        ("alertname", "database-failed"),
        ("cluster", "prod-eu"),
        ("kind", "DatabaseInstance"),
        ("name", name),
        ("namespace", "prod"),
        ("severity", "critical"),
    ];
    let labels: Labels = labels
        .into_iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect();
    Alert {
        fingerprint: Fingerprint::of(&["database-failed", name]),
        rule: "database-failed".into(),
        source: "stable.example.com/v1/DatabaseInstance".into(),
        object: ObjectRef {
            api_version: "stable.example.com/v1".into(),
            kind: "DatabaseInstance".into(),
            namespace: Some("prod".into()),
            name: name.into(),
            uid: Uid::parse("0b5e3a52-7b7e-4f3f-9c59-0b0b9f4c2f10"),
        },
        dedup_key: None,
        nature: Nature::State,
        state: State::Firing,
        labels,
        severity: Severity::Critical,
        receivers: vec!["oncall".into()],
        active_since: at("2026-11-22T11:48:00Z"),
        fired_at: Some(at("2026-11-22T11:53:00Z")),
        keep_since: None,
        unknown_since: None,
        resolution: None,
        count: 1,
        owners: Vec::new(),
        late: false,
        shadow: false,
        routed: false,
        texts: Texts {
            summary: Some(
                "{{object.metadata.name}} is {{object.status.phase}} <now> & then".into(),
            ),
            description: Some(
                "Storage {{object.status.storageUsedGB}} of {{object.spec.storageGB}} GB.".into(),
            ),
            runbook: Some("https://runbooks.example/{{rule.name}}".into()),
        },
        view: Arc::new(Json::from(json!({
            "object": {
                "metadata": {"name": name},
                "spec": {"storageGB": 20},
                "status": {"phase": "Failed", "storageUsedGB": 19},
            },
        }))),
    }
}

pub(super) fn of(cause: Cause, status: Status, alerts: Vec<Alert>) -> Notification {
    Notification {
        id: NotificationId::from("n-1"),
        receiver: "oncall".into(),
        group: GroupKey::from("oncall{alertname=\"database-failed\"}"),
        group_labels: [("alertname".into(), "database-failed".into())].into(),
        status,
        cause,
        opens: true,
        instead_of: None,
        first: Vec::new(),
        at: at("2026-11-22T12:00:00Z"),
        alerts: alerts.into_iter().map(Arc::new).collect(),
        omitted: 0,
        digest: Vec::new(),
    }
}

pub(super) fn firing() -> Notification {
    of(Cause::New, Status::Firing, vec![alert("orders")])
}

pub(super) fn resolved() -> Notification {
    let mut alert = alert("orders");
    alert.state = State::Resolved;
    alert.resolution = Some(Resolution {
        at: at("2026-11-22T11:59:30Z"),
        reason: Ending::Cleared,
    });
    of(Cause::Resolved, Status::Resolved, vec![alert])
}

pub(super) fn group(alerts: usize, omitted: u64) -> Notification {
    let alerts = (0..alerts).map(|n| alert(&format!("db-{n}"))).collect();
    let mut group = of(Cause::New, Status::Firing, alerts);
    group.omitted = omitted;
    group
}
