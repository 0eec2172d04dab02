//! The rules and receivers of the simulated bridge.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::cel::Type;
use crate::config::{self, Configuration, LoadOptions, Matchers, TimeInterval};
use crate::diagnostic;
use crate::engine::Setup;
use crate::evaluate::{ViewReads, compile};
use crate::names::ReceiverName;
use crate::notify::{GroupBy, Grouping, Inhibition, Limit, Pipeline, Policy, Route, Times};

/// How long `failed` must last before it fires.
pub const HOLD: i64 = 120;
/// How old a backup may be.
pub const BACKUP: i64 = 600;
/// How long `large` must last.
pub const LARGE: i64 = 30;
/// How young a backup is that is `fresh`, and how long it must be.
pub const FRESH: i64 = 150;
pub const FRESH_HOLD: i64 = 100;

/// Who hears of a rule, whether the rule or a route says so.
pub fn hears(receiver: &str, rule: &str) -> bool {
    match rule {
        "failed" | "warned" => true,
        "short" | "cache-failed" => receiver == "pager",
        "quiet" => false,
        _ => receiver == "chat",
    }
}

/// The receivers, by number.
pub const RECEIVERS: [&str; 2] = ["chat", "pager"];

const RULES: &str = "
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
  for: 2m
  notify: [chat, pager]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: short}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.availableReplicas < object.spec.replicas
  keepFiringFor: 1m
  notify: [pager]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: large}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: int(object.status.size) > 3
  for: 30s
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: overdue}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: now - timestamp(object.status.lastBackupTime) > duration('10m')
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: fresh}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: now - timestamp(object.status.lastBackupTime) < duration('150s')
  for: 100s
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: upgraded}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  on: object.spec.version != oldObject.spec.version
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: created}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  on: change == 'ADDED'
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: warned}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  on: event.type == 'Warning'
  notify: [chat, pager]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: quiet}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
  shadow: true
  notify: [chat]
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: cache-failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: Cache}
  when: object.status.phase == 'Failed'
  notify: [pager]
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: chat}
spec: {webhook: {url: 'http://127.0.0.1/'}}
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: pager}
spec: {webhook: {url: 'http://127.0.0.1/'}}
";

/// A rule that is not always there.
const EXTRA: &str = "
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: extra}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Pending'
  notify: [chat]
";

/// What is different of the setup.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edits {
    /// Other words, in another order.
    pub edited: bool,
    pub routed: bool,
    /// There is a rule more.
    pub extra: bool,
}

/// The rules as they are; or in another order, with other words and further labels, which must make
/// no difference to anything that fires. `routed`: routes choose the receivers, and an inhibition and
/// the hours of a route keep some back.
pub fn setup(edits: Edits) -> Setup {
    let Edits {
        edited,
        routed,
        extra,
    } = edits;
    let mut documents: Vec<String> = RULES.split("---\n").map(str::to_owned).collect();
    documents.extend(extra.then(|| EXTRA.to_owned()));
    if routed {
        for document in &mut documents {
            let rules = ["failed", "short", "large"].map(|name| format!("{{name: {name}}}"));
            if rules.iter().any(|name| document.contains(name)) {
                *document = document
                    .replace("  notify: [chat, pager]\n", "")
                    .replace("  notify: [chat]\n", "")
                    .replace("  notify: [pager]\n", "");
            }
        }
    }
    if edited {
        documents.reverse();
        for document in &mut documents {
            *document = document.replace("\n  watch:", "\n  summary: changed\n  watch:");
        }
    }
    let source = diagnostic::Source::new("rules.yaml", documents.join("---\n"));
    let configuration = Configuration::from_sources(&[source], &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let receivers = |rule: &config::Rule| -> Vec<ReceiverName> {
        let receivers = configuration.receivers_of(rule).into_iter();
        receivers.map(|receiver| receiver.name.clone()).collect()
    };
    let view = |_: &config::Rule| ViewReads::default();
    let rules = compile(&configuration, &receivers, &view, &|_, _| Type::Dyn)
        .rules
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    Setup {
        rules: Arc::new(rules),
        policies: vec![chat(), pager()],
        frozen: BTreeMap::default(),
        pipeline: if routed {
            pipeline()
        } else {
            Pipeline::default()
        },
        cluster: "simulated".into(),
    }
}

/// Minutes of each hour within which nobody is told of `large`.
pub const SHUT_MINUTES: i8 = 10;

/// The same receivers as the rules name, by labels; what `failed` explains is not told; and not at
/// each hour.
fn pipeline() -> Pipeline {
    let route = |rule: &str, receivers: &[&str]| Route {
        name: rule.into(),
        namespace: None,
        priority: 0,
        matchers: of_rule(rule),
        condition: None,
        receivers: receivers
            .iter()
            .map(|name| ReceiverName::from(*name))
            .collect(),
        grouping: Grouping::default(),
        goes_on: false,
        times: Times::default(),
    };
    let hours: Vec<String> = (0..24)
        .map(|hour| format!("{{startTime: '{hour:02}:00', endTime: '{hour:02}:{SHUT_MINUTES}'}}"))
        .collect();
    let shut = format!("{{times: [{}]}}", hours.join(", "));
    let shut = config::yaml_value(&shut).expect("an interval");
    let shut: TimeInterval = serde_json::from_value(shut).expect("an interval");
    Pipeline {
        routes: vec![
            Route {
                grouping: Grouping {
                    group_by: Some(GroupBy::Labels(vec!["namespace".into()])),
                    group_interval: Some(SignedDuration::from_secs(30)),
                    ..Grouping::default()
                },
                ..route("failed", &["chat", "pager"])
            },
            route("short", &["pager"]),
            Route {
                times: Times {
                    active: Vec::new(),
                    mute: vec![shut],
                },
                ..route("large", &["chat"])
            },
        ],
        inhibitions: vec![Inhibition {
            name: "failed-explains-short".into(),
            namespace: None,
            source: of_rule("failed"),
            target: of_rule("short"),
            equal: vec!["name".into()],
            owner: false,
        }],
        silences: Vec::new(),
    }
}

/// Alerts of one rule.
pub fn of_rule(rule: &str) -> Matchers {
    let matcher = format!("alertname={rule}");
    matcher.parse().expect("a matcher")
}

/// Every alert by itself, at once.
fn chat() -> Policy {
    Policy {
        receiver: ReceiverName::from("chat"),
        group_by: GroupBy::All,
        group_wait: SignedDuration::ZERO,
        group_interval: SignedDuration::from_secs(1),
        repeat_interval: SignedDuration::from_hours(4),
        send_resolved: true,
        limit: None,
        limit_per_rule: Some(Limit {
            notifications: 3,
            per: SignedDuration::from_mins(5),
            burst: 2,
        }),
        max_in_flight: 1,
        give_up_after: SignedDuration::from_hours(48),
        heartbeat: None,
        fallback: None,
        keeps_pace: false,
        acknowledges: false,
        route: None,
        times: Times::default(),
    }
}

/// Grouped by rule, and limited.
fn pager() -> Policy {
    Policy {
        receiver: ReceiverName::from("pager"),
        group_by: GroupBy::Labels(vec!["alertname".into()]),
        group_wait: SignedDuration::from_secs(10),
        group_interval: SignedDuration::from_secs(60),
        limit: Some(Limit {
            notifications: 6,
            per: SignedDuration::from_mins(10),
            burst: 3,
        }),
        max_in_flight: 2,
        limit_per_rule: None,
        acknowledges: true,
        ..chat()
    }
}
