//! A run that was recorded, played to other rules; and what no recording can be played to.

use insta::assert_snapshot;

use super::live::{Live, PLAIN, history};
use super::*;
use crate::recording::run::RunRecording;
use crate::replay::held::{Watched, missing};
use crate::replay::others;

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

/// What the rule of `PLAIN` fires on under other names, played to the recording of `live`.
fn fired(live: Live, others: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = live.recorded(folder.path());
    let loaded = loaded(others);
    let mut recording = RunRecording::open(&path).unwrap();
    let mut fired = Vec::new();
    let mut hear = |decision: &Decision| {
        let minute = (decision.at.as_second() - 1_800_000_000) / 60;
        if matches!(
            decision.reason,
            Reason::Firing | Reason::Resolved(_) | Reason::Blind(_)
        ) {
            let rule = decision
                .about
                .rule
                .as_ref()
                .map_or("", |rule| rule.as_str());
            fired.push(format!("{minute} {rule} {}", decision.reason));
        }
    };
    others::replay(&loaded, &mut recording, &mut hear, &mut |_| {}).unwrap();
    fired.join("; ")
}

#[test]
fn rules_with_selectors_hear_what_the_server_would_have_told_them() {
    let labelled = |tier: &str, version: i64| {
        let Signal::Applied(it) = phase("orders", "Failed", version) else {
            unreachable!()
        };
        let text = it.object.to_string().replace("gold", tier);
        let object = serde_json::from_str(&text).unwrap();
        Signal::Applied(Observation::of(Change::Applied, object).unwrap())
    };
    let rules = PLAIN.replace(
        "when: object.status.phase == 'Failed'",
        "when: object.status.phase == 'Failed' && object.metadata.labels != {'none':''}",
    );
    let mut live = Live::start(&rules);
    live.say(
        0,
        vec![Signal::ListBegan, labelled("gold", 0), Signal::ListEnded],
    );
    live.say(10, vec![labelled("silver", 1)]);
    live.say(20, vec![labelled("gold", 2)]);
    let others: String = ["gold", "silver"]
        .map(|tier| {
            PLAIN
                .split_once("---")
                .unwrap()
                .0
                .replace("name: failed", &format!("name: {tier}"))
                .replace(
                    "kind: DatabaseInstance}",
                    &format!("kind: DatabaseInstance, labelSelector: tier={tier}}}"),
                )
                + "---\n"
        })
        .concat();
    assert_snapshot!(fired(live, &others), @"5 gold firing; 10 gold resolved: left selection; 15 silver firing; 20 silver resolved: left selection");
}

#[test]
fn after_a_reload_that_watches_less_time_fires_nothing() {
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
    let pods = PLAIN.replace(
        "stable.example.com/v1, kind: DatabaseInstance",
        "v1, kind: Pod",
    );
    live.turn(2, Vec::new(), Some(&pods));
    live.turn(30, Vec::new(), None);
    assert_snapshot!(fired(live, &PLAIN.replace("name: failed", "name: down")), @"3  blind: since 2027-01-15T08:02:00Z: it is not in the recording any more");
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
