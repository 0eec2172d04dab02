//! The same alerts through the real Alertmanager and through ours: which groups are told, when, with
//! which alerts. `hack/alertmanager-oracle` asked Alertmanager, in virtual time; its answers are beside
//! its questions (`make alertmanager-oracle` asks again).
//!
//! Where ours means to differ, it is said below, with the reason, and what ours tells instead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::super::fixture::{Rig, alert, at, policy, resolved};
use super::super::{
    GroupBy, Grouping, Inhibition, Notification, Pipeline, Policy, Route, Silence, Times,
};
use crate::alert::{Alert, State};
use crate::config::{Matchers, TimeInterval, duration, yaml_value};
use crate::names::{Fingerprint, ReceiverName};

const SCENARIOS: &str = include_str!("../../../hack/alertmanager-oracle/testdata/scenarios.yaml");
const GENERATED: &str = include_str!("../../../hack/alertmanager-oracle/testdata/generated.jsonl");
const ANSWERS: &str = include_str!("../../../hack/alertmanager-oracle/testdata/answers.jsonl");

/// Alertmanager's time begins on a Saturday at midnight; so does this second of the fixture's.
const START: i64 = 57_600;

/// Where ours means to differ: the scenario, why, and what ours tells.
const DELIBERATE: [(&str, &str, &str); 4] = [
    (
        "an alert that resolves while it is silenced",
        "whoever was told that it fires may rest when it is over, whatever was silenced since",
        "10 chat{alertname=A}: a []\n130 chat{alertname=A}:  [a]",
    ),
    (
        "an alert that resolves outside of its route's hours",
        "the same: they are told when the hours begin",
        "10 muted{alertname=A}: a []\n310 muted{alertname=A}:  [a]",
    ),
    (
        "an alert that fires after its group has become empty",
        "nobody is told of a group more often than its interval says; Alertmanager forgets the group \
         at its next clean-up",
        "10 chat{alertname=A}: a []\n70 chat{alertname=A}:  [a]\n130 chat{alertname=A}: b []",
    ),
    (
        "an alert that resolves before it was told to fire, in a group that was told of",
        "what nobody was told to fire is not told to be over",
        "10 chat{alertname=A}: a []",
    ),
];

/// One who is told something: second, receiver, group, who fires, who resolved.
type Told = (i64, String, String, BTreeSet<String>, BTreeSet<String>);

fn shown(told: &[Told]) -> String {
    let lines = told
        .iter()
        .map(|(second, receiver, group, firing, resolved)| {
            let names =
                |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
            format!(
                "{second} {receiver}{{{group}}}: {} [{}]",
                names(firing),
                names(resolved)
            )
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn names(value: &Value) -> BTreeSet<String> {
    list(value).iter().map(text).collect()
}

fn second(value: &Value) -> i64 {
    value.as_i64().expect("a second")
}

/// What Alertmanager told.
fn theirs(answer: &Value) -> Vec<Told> {
    let mut told: Vec<Told> = list(&answer["told"])
        .iter()
        .map(|one| {
            let group = one["group"].as_object().cloned().unwrap_or_default();
            let group = group
                .iter()
                .map(|(name, value)| format!("{name}={}", text(value)));
            (
                second(&one["at"]),
                text(&one["receiver"]),
                group.collect::<Vec<_>>().join(","),
                names(&one["firing"]),
                names(&one["resolved"]),
            )
        })
        .collect();
    told.sort();
    told
}

/// What ours told.
fn of_ours(sent: &[Notification]) -> Vec<Told> {
    let of = |notification: &Notification| {
        let group = notification.group_labels.iter();
        let group = group.map(|(name, value)| format!("{name}={value}"));
        let named = |fires: bool| {
            let alerts = notification.alerts.iter();
            let alerts = alerts.filter(|alert| (alert.state == State::Firing) == fires);
            alerts
                .map(|alert| alert.labels["name"].to_string())
                .collect()
        };
        (
            notification.at.as_second() - at(START).as_second(),
            notification.receiver.to_string(),
            group.collect::<Vec<_>>().join(","),
            named(true),
            named(false),
        )
    };
    let mut told: Vec<Told> = sent.iter().map(of).collect();
    told.sort();
    told
}

/// Alertmanager's configuration in our words.
struct Translation {
    receivers: Vec<ReceiverName>,
    pipeline: Pipeline,
    intervals: BTreeMap<String, Vec<TimeInterval>>,
}

/// What a route has from those above it.
#[derive(Clone, Default)]
struct Inherited {
    matchers: Vec<String>,
    options: Map<String, Value>,
}

impl Translation {
    fn of(config: &Value, silences: &Value) -> Self {
        let intervals = list(&config["time_intervals"]);
        let intervals = intervals.iter().map(|named| {
            let all = list(&named["time_intervals"]);
            let all = all
                .iter()
                .map(|one| serde_json::from_value(camel(one)).expect("an interval"));
            (text(&named["name"]), all.collect())
        });
        let mut translation = Self {
            receivers: list(&config["receivers"])
                .iter()
                .map(|receiver| text(&receiver["name"]).as_str().into())
                .collect(),
            pipeline: Pipeline::default(),
            intervals: intervals.collect(),
        };
        translation.route(&config["route"], &Inherited::default());
        for (number, rule) in list(&config["inhibit_rules"]).iter().enumerate() {
            let equal = list(&rule["equal"]);
            translation.pipeline.inhibitions.push(Inhibition {
                name: format!("i{number}").as_str().into(),
                namespace: None,
                source: matchers(&names_of(&rule["source_matchers"])),
                target: matchers(&names_of(&rule["target_matchers"])),
                equal: equal.iter().map(|name| Arc::from(text(name))).collect(),
                owner: false,
            });
        }
        for (number, silence) in list(silences).iter().enumerate() {
            let labels = silence["matchers"].as_object().cloned().unwrap_or_default();
            let labels = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", text(value)));
            translation.pipeline.silences.push(Silence {
                name: format!("s{number}").as_str().into(),
                namespace: None,
                matchers: matchers(&labels.collect::<Vec<_>>()),
                condition: None,
                starts_at: at(START + second(&silence["from"])),
                ends_at: at(START + second(&silence["until"])),
                comment: String::new(),
                created_by: None,
            });
        }
        translation
    }

    /// A tree of routes as a list: children stand before their parent, which takes what none of
    /// them does. In ours what a route with `continue` took goes on to all that follow, so the
    /// parent says that it does not want that.
    fn route(&mut self, route: &Value, above: &Inherited) {
        let mut here = above.clone();
        let own = names_of(&route["matchers"]);
        here.matchers.extend(own);
        for option in [
            "receiver",
            "group_by",
            "group_wait",
            "group_interval",
            "repeat_interval",
        ] {
            if !route[option].is_null() {
                here.options
                    .insert(option.to_owned(), route[option].clone());
            }
        }
        let mut refused = Vec::new();
        for child in list(&route["routes"]) {
            self.route(&child, &here);
            if child["continue"] == true {
                refused.extend(names_of(&child["matchers"]).iter().map(|one| negated(one)));
            }
        }
        here.matchers.extend(refused);
        let span = |name: &str| {
            let text = text(here.options.get(name).unwrap_or(&Value::Null));
            let parsed = duration::parse(&text).expect("a duration");
            SignedDuration::try_from(parsed).expect("a duration")
        };
        let times = |name: &str| {
            let named = list(&route[name]).into_iter();
            named
                .flat_map(|name| self.intervals[&text(&name)].clone())
                .collect()
        };
        let group_by = here
            .options
            .get("group_by")
            .map(names_of)
            .unwrap_or_default();
        let receiver = text(&here.options["receiver"]);
        let number = self.pipeline.routes.len();
        self.pipeline.routes.push(Route {
            name: format!("r{number:03}").as_str().into(),
            namespace: None,
            priority: 0,
            matchers: matchers(&here.matchers),
            condition: None,
            receivers: vec![receiver.as_str().into()],
            grouping: Grouping {
                group_by: Some(GroupBy::Labels(
                    group_by
                        .iter()
                        .map(|name| Arc::from(name.as_str()))
                        .collect(),
                )),
                group_wait: Some(span("group_wait")),
                group_interval: Some(span("group_interval")),
                // Alertmanager repeats when more than this has passed, ours when this has passed.
                repeat_interval: Some(span("repeat_interval") + SignedDuration::from_millis(1)),
            },
            goes_on: route["continue"] == true,
            times: Times {
                active: times("active_time_intervals"),
                mute: times("mute_time_intervals"),
            },
        });
    }
}

fn names_of(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

fn matchers(texts: &[String]) -> Matchers {
    if texts.is_empty() {
        return Matchers::default();
    }
    let all = texts.join(",");
    all.parse().unwrap_or_else(|error| panic!("{all}: {error}"))
}

/// The opposite of one matcher.
fn negated(matcher: &str) -> String {
    for (is, is_not) in [("!~", "=~"), ("!=", "="), ("=~", "!~"), ("=", "!=")] {
        if matcher.contains(is) {
            return matcher.replacen(is, is_not, 1);
        }
    }
    panic!("{matcher}")
}

/// `start_time` is `startTime` with us.
fn camel(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let name = |name: &str| {
                let mut parts = name.split('_');
                let first = parts.next().unwrap_or_default().to_owned();
                parts.fold(first, |all, part| {
                    let (head, tail) = part.split_at(1);
                    all + &head.to_uppercase() + tail
                })
            };
            map.iter()
                .map(|(key, value)| (name(key), camel(value)))
                .collect()
        }
        Value::Array(all) => all.iter().map(camel).collect(),
        other => other.clone(),
    }
}

fn one_alert(labels: &Value, since: i64, over: Option<i64>, receivers: &[ReceiverName]) -> Alert {
    let labels = labels.as_object().expect("labels");
    let name = text(&labels["name"]);
    let plain = match over {
        None => alert("rule", &name, since),
        Some(over) => resolved("rule", &name, since, over),
    };
    let labels = labels.iter();
    Alert {
        fingerprint: Fingerprint::of(&[&name]),
        labels: labels
            .map(|(name, value)| (Arc::from(name.as_str()), Arc::from(text(value))))
            .collect(),
        receivers: receivers.to_vec(),
        routed: true,
        ..plain
    }
}

fn ours(scenario: &Value) -> Vec<Told> {
    let Translation {
        receivers,
        pipeline,
        ..
    } = Translation::of(&scenario["config"], &scenario["silences"]);
    let policies: Vec<Policy> = receivers.iter().map(|name| policy(name.as_str())).collect();
    let mut rig = Rig::with(policies, pipeline);
    rig.step(START, &[]);
    let mut since: BTreeMap<String, i64> = BTreeMap::new();
    for event in list(&scenario["events"]) {
        let now = START + second(&event["at"]);
        rig.run(now);
        let mut alerts = Vec::new();
        for labels in list(&event["fire"]) {
            since.entry(text(&labels["name"])).or_insert(now);
            alerts.push(one_alert(&labels, now, None, &receivers));
        }
        for labels in list(&event["resolve"]) {
            let began = since.remove(&text(&labels["name"])).unwrap_or(now);
            alerts.push(one_alert(&labels, began, Some(now), &receivers));
        }
        rig.step(now, &alerts);
    }
    rig.run(START + second(&scenario["until"]));
    of_ours(&rig.sent)
}

#[test]
fn ours_tells_what_alertmanager_tells() {
    let lines = |text: &str| -> Vec<Value> {
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect()
    };
    let mut scenarios = list(&yaml_value(SCENARIOS).expect("the scenarios are YAML"));
    scenarios.extend(lines(GENERATED));
    let answers = lines(ANSWERS).into_iter();
    let answers: BTreeMap<String, Value> = answers
        .map(|answer| (text(&answer["name"]), answer))
        .collect();
    assert_eq!(scenarios.len(), answers.len());
    let mut differences = Vec::new();
    for scenario in &scenarios {
        let name = text(&scenario["name"]);
        let (theirs, ours) = (shown(&theirs(&answers[&name])), shown(&ours(scenario)));
        let deliberate = DELIBERATE.iter().find(|(of, ..)| *of == name);
        let expected = deliberate.map_or(&*theirs, |(_, _, ours)| ours);
        if ours != expected {
            differences.push(format!(
                "--- {name}\nAlertmanager:\n{theirs}\nours:\n{ours}"
            ));
        }
        assert!(
            deliberate.is_none() || ours != theirs,
            "{name} does not differ"
        );
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
