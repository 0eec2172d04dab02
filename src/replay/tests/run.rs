//! A run that was recorded, played again and to other rules.

use insta::assert_snapshot;

use super::*;
use crate::engine::{Effect, Engine, Input};
use crate::names::NotificationId;
use crate::notify::{Silence, SilenceChange};
use crate::outbox::{Delivery, Outcome};
use crate::recording::run::{
    Attempted, Began, Decided, Entry, Lost, RunRecorder, RunRecording, Taken, Turn,
};
use crate::replay::held::{Watched, missing};
use crate::replay::others;
use crate::replay::rerun::{Rerun, rerun};
use crate::setup::written::Written;

/// A bridge that is recorded: its engine, and what it was given.
struct Live {
    engine: Engine,
    entries: Vec<Entry>,
    under_way: Vec<NotificationId>,
    decisions: Vec<Decision>,
}

impl Live {
    fn start(rules: &str) -> Self {
        let loaded = loaded(rules);
        let began = Began {
            at: at(0),
            cluster: "live".into(),
            written: Written::of(&loaded, &Files::default()),
            records: Vec::new(),
        };
        Self {
            engine: Engine::new(at(0), loaded.setup("live")),
            entries: vec![Entry::Began(Box::new(began))],
            under_way: Vec::new(),
            decisions: Vec::new(),
        }
    }

    fn turn(&mut self, minute: i64, inputs: Vec<Input>, rules: Option<&str>) {
        let loaded = rules.map(loaded);
        let reload = loaded
            .as_ref()
            .map(|loaded| Input::Reloaded(loaded.setup("live")));
        let inputs: Vec<Input> = inputs.into_iter().chain(reload).collect();
        let written = loaded.map(|loaded| Box::new(Written::of(&loaded, &Files::default())));
        let taken = inputs
            .iter()
            .filter_map(|input| Taken::of(input, || written.clone()));
        let taken = taken.collect();
        let inputs = inputs.into_iter().chain([Input::Tick]);
        let effects: Vec<Effect> = inputs
            .flat_map(|input| self.engine.step(at(minute), input))
            .collect();
        let decided = Decided::of(&effects);
        self.under_way
            .extend(decided.attempts.iter().map(|one| one.id.clone()));
        self.decisions.extend(decided.decisions.clone());
        self.entries.push(Entry::Turn(Turn {
            at: at(minute),
            inputs: taken,
            decided,
        }));
    }

    fn say(&mut self, minute: i64, signals: Vec<Signal>) {
        let source = Source::of("stable.example.com/v1", "DatabaseInstance").key();
        let signals = signals.into_iter().map(|signal| {
            let source = source.clone();
            Input::Signalled(Signalled { source, signal })
        });
        self.turn(minute, signals.collect(), None);
    }

    /// All attempts under way end like this.
    fn answer(&mut self, minute: i64, outcome: &Outcome) {
        let ids = std::mem::take(&mut self.under_way).into_iter();
        let inputs = ids.map(|id| Input::Delivered {
            id,
            delivery: Delivery::from(outcome.clone()),
        });
        self.turn(minute, inputs.collect(), None);
    }

    fn recorded(self, folder: &std::path::Path) -> std::path::PathBuf {
        let path = folder.join("run");
        let redaction = Redaction::default();
        let mut recorder =
            RunRecorder::create(&path, at(0), Vec::new(), redaction, u64::MAX).unwrap();
        for entry in self.entries {
            recorder.write(entry).unwrap();
        }
        recorder.finish().unwrap();
        path
    }
}

const PLAIN: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
  for: 5m
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec: {webhook: {url: 'http://127.0.0.1/'}, groupBy: [...], groupWait: 0s, groupInterval: 1s}
";

/// `orders` fails: a message fails once and is taken; then the rule is edited, and all is silenced
/// when `orders` fails again.
fn history() -> Live {
    let mut live = Live::start(PLAIN);
    live.say(
        0,
        vec![
            Signal::ListBegan,
            phase("orders", "Running", 0),
            Signal::ListEnded,
        ],
    );
    live.say(1, vec![phase("orders", "Failed", 1)]);
    live.turn(6, Vec::new(), None);
    let busy = Outcome::Retry {
        after: None,
        why: "503".to_owned(),
    };
    live.answer(7, &busy);
    live.turn(8, Vec::new(), None);
    live.answer(8, &Outcome::Accepted);
    live.say(9, vec![phase("orders", "Running", 2)]);
    live.turn(10, Vec::new(), None);
    live.answer(10, &Outcome::Accepted);
    live.turn(11, Vec::new(), Some(&PLAIN.replace("for: 5m", "for: 1m")));
    let silence = Silence {
        name: "night".into(),
        namespace: None,
        matchers: "alertname=failed".parse().unwrap(),
        condition: None,
        starts_at: at(11),
        ends_at: at(60),
        comment: "an upgrade".to_owned(),
        created_by: None,
    };
    let put = SilenceChange::Put(silence);
    live.turn(11, vec![Input::SilencesChanged(vec![put])], None);
    live.say(12, vec![phase("orders", "Failed", 3)]);
    live.turn(13, Vec::new(), None);
    live.turn(20, vec![Input::Draining], None);
    live
}

fn played_again(path: &std::path::Path) -> (Rerun, Vec<Decision>) {
    let mut recording = RunRecording::open(path).unwrap();
    let mut heard = Vec::new();
    let mut hear = |decision: &Decision| heard.push(decision.clone());
    let rerun = rerun(&mut recording, &mut hear, &mut |_| {}).unwrap();
    (rerun, heard)
}

#[test]
fn a_run_played_again_decides_what_it_decided() {
    let folder = tempfile::tempdir().unwrap();
    let live = history();
    let decisions = live.decisions.clone();
    let (rerun, heard) = played_again(&live.recorded(folder.path()));
    assert_eq!(heard, decisions);
    assert!(rerun.is_same(), "{}", rerun.summary());
    assert_snapshot!(rerun.summary(), @"the same is decided as then: 13 decisions and 3 attempts in 14 turns");
    assert_snapshot!(rerun.report.summary_of("sent"), @"2027-01-15T08:00:00Z to 2027-01-15T08:20:00Z: 3 transitions, 1 rule; sent 2 messages, about 1008 a week; 2 of them about DatabaseInstance/prod/orders");
    let reasons: Vec<&str> = heard
        .iter()
        .map(|decision| decision.reason.name())
        .collect();
    assert_snapshot!(reasons.join(" "), @"pending firing queued retrying sent resolved grouped queued sent silence-made pending firing silenced");
}

#[test]
fn where_something_else_is_decided_than_then_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut live = history();
    let attempts = live.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Turn(turn) if !turn.decided.attempts.is_empty() => Some(&mut turn.decided),
        _ => None,
    });
    let tampered = attempts.last().unwrap();
    tampered.decisions.pop();
    tampered.attempts = vec![Attempted {
        id: "another".into(),
        number: 7,
    }];
    let (rerun, _) = played_again(&live.recorded(folder.path()));
    assert!(!rerun.is_same());
    assert_eq!(rerun.otherwise, 1);
    assert_snapshot!(rerun.summary(), @r##"
    1 of 14 turns decide otherwise than then, under 0.1.0 (this is 0.1.0)
      2027-01-15T08:09:00Z
        then: attempt 7 of another
        now:  attempt 1 of 1ace810f483e1e72100a5f369dd64846
        now:  queued: rule "failed", object {"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","namespace":"prod","name":"orders","uid":"b7c81242-592e-ea86-187d-e2a6c35c6b23"}, alert "3ea806e24adec0b64b7f74985daab121", receiver "hook", group "hook{alertname=\"failed\",cluster=\"live\",kind=\"DatabaseInstance\",name=\"orders\",namespace=\"prod\",severity=\"warning\"#3ea806e24adec0b64b7f74985daab121}", notification "1ace810f483e1e72100a5f369dd64846"
    "##);
}

#[test]
fn what_follows_what_is_lost_is_not_played() {
    let folder = tempfile::tempdir().unwrap();
    let mut live = history();
    live.entries.truncate(3);
    let lost = Lost {
        turns: 1,
        inputs: 1,
    };
    live.entries.push(Entry::Lost(lost));
    live.turn(30, Vec::new(), None);
    let (rerun, _) = played_again(&live.recorded(folder.path()));
    assert_eq!(rerun.lost, Some((at(1), lost)));
    assert_eq!((rerun.turns, rerun.is_same()), (2, true));
}

#[test]
fn a_run_is_played_to_other_rules_as_far_as_it_holds_what_they_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = history().recorded(folder.path());
    let other = PLAIN
        .replace("name: failed", "name: down")
        .replace("for: 5m", "for: 2m");
    let more = format!(
        "{other}---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: tier}}
spec:
  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}
  when: object.spec.tier == 'gold'
"
    );
    let watched = others::watched(&mut RunRecording::open(&path).unwrap()).unwrap();
    let missing = missing(&loaded(&more).rules, &watched);
    assert_snapshot!(missing.text(), @"
    1 rule not tried: tier
      stable.example.com/v1/DatabaseInstance: recorded without fields that the rules read
    ");
    let loaded = loaded(&other);
    let mut recording = RunRecording::open(&path).unwrap();
    let played = others::replay(&loaded, &mut recording, &mut |_| {}, &mut |_| {});
    let (report, lost) = played.unwrap();
    assert_eq!(lost, 0);
    // The silence of then is not about it.
    assert_snapshot!(report.text(), @"
    RULE   FIRED   RESOLVED   UNKNOWN   MESSAGES   A WEEK
    down   2       1          0         3          1512

    RECEIVER   MESSAGES   A WEEK
    hook       3          1512

    NOISIEST OBJECTS               MESSAGES
    DatabaseInstance/prod/orders   3
    ");
}

#[test]
fn a_rule_that_reads_what_was_not_recorded_is_not_tried() {
    let rules = format!(
        "{RULES}---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: pods}}
spec:
  watch: {{apiVersion: v1, kind: Pod}}
  when: object.status.phase == 'Failed'
---
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {{name: warned}}
spec:
  watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance, namespaces: [prod]}}
  on: event.type == 'Warning'
"
    );
    let loaded = loaded(&rules);
    let database = Source::of("stable.example.com/v1", "DatabaseInstance");
    let of_prod = Source {
        namespace: Some("prod".into()),
        ..database.clone()
    };
    let all = [Watched::whole(&database)];
    assert_snapshot!(missing(&loaded.rules, &all).text(), @"
    2 rules not tried: pods, warned
      events.k8s.io/v1/Event: not recorded
      v1/Pod: not recorded
    ");
    let some = [Watched::whole(&of_prod), Watched::whole(&Source::events())];
    assert_snapshot!(missing(&loaded.rules, &some).text(), @"
    3 rules not tried: failed, pods, tried
      stable.example.com/v1/DatabaseInstance: recorded in other namespaces or by other selectors only
      v1/Pod: not recorded
    ");
}

#[test]
fn a_secret_that_changed_is_told_of_again_although_its_values_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let rules = PLAIN
        .replace(
            "apiVersion: stable.example.com/v1, kind: DatabaseInstance",
            "apiVersion: v1, kind: Secret",
        )
        .replace(
            "when: object.status.phase == 'Failed'\n  for: 5m",
            "on: object.data != oldObject.data",
        );
    let secret = |value: &str, version: i64| {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"key": value},
            "metadata": {"name": "a", "namespace": "prod", "uid": "a", "resourceVersion": version.to_string()},
        });
        Signal::Applied(Observation::of(Change::Applied, Json::from(object)).unwrap())
    };
    let mut live = Live::start(&rules);
    let mut say = |minute: i64, signals: Vec<Signal>| {
        let source = Source::of("v1", "Secret").key();
        let signals = signals.into_iter().map(|signal| {
            let source = source.clone();
            Input::Signalled(Signalled { source, signal })
        });
        live.turn(minute, signals.collect(), None);
    };
    say(
        0,
        vec![Signal::ListBegan, secret("c2VjcmV0", 1), Signal::ListEnded],
    );
    say(1, vec![secret("b3RoZXI=", 2)]);
    say(2, vec![secret("b3RoZXI=", 3)]);
    let (rerun, heard) = played_again(&live.recorded(folder.path()));
    assert!(rerun.is_same(), "{}", rerun.summary());
    let occurred = heard.iter().filter(|it| it.reason == Reason::Occurred);
    assert_eq!(occurred.count(), 1);
}
