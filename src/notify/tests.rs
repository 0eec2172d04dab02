//! The life of a group, told as sentences.

mod acknowledge;
mod alertmanager;

use insta::assert_snapshot;
use jiff::SignedDuration;

use super::fixture::{Rig, alert, at, occurrence, policy, resolved};
use super::{GroupBy, Limit, MAX_ALERTS, Policy};
use crate::decision::Reason;

fn rig() -> Rig {
    Rig::new(vec![policy("chat")])
}

fn limited(per_hour: u32, burst: u32) -> Policy {
    let per = SignedDuration::from_hours(1);
    Policy {
        limit: Some(Limit {
            notifications: per_hour,
            per,
            burst,
        }),
        group_by: GroupBy::All,
        group_wait: SignedDuration::ZERO,
        ..policy("chat")
    }
}

#[test]
fn a_group_waits_speaks_on_its_ticks_repeats_and_resolves_once() {
    let mut rig = rig();
    assert_eq!(rig.step(0, &[alert("failed", "a", 0)]), "");
    rig.step(5, &[alert("failed", "b", 5)]);
    assert_snapshot!(rig.run(15), @r#"10 chat{alertname="failed"} Firing/New opens: b a"#);
    rig.step(20, &[alert("failed", "c", 20)]);
    assert_snapshot!(rig.run(100), @r#"70 chat{alertname="failed"} Firing/Changed: c b a"#);
    assert_snapshot!(rig.run(800), @r#"670 chat{alertname="failed"} Firing/Repeat: c b a"#);
    rig.step(800, &[resolved("failed", "a", 0, 800)]);
    assert_snapshot!(rig.run(900), @r#"850 chat{alertname="failed"} Firing/Changed: c b [a]"#);
    rig.step(
        901,
        &[
            resolved("failed", "b", 5, 901),
            resolved("failed", "c", 20, 901),
        ],
    );
    assert_snapshot!(rig.run(9999), @r#"910 chat{alertname="failed"} Resolved/Resolved: [c] [b]"#);
    assert!(rig.store.is_empty(), "{:?}", rig.store);
    assert!(rig.alerts.is_empty());
    assert_eq!(rig.notify.next_wake(), None);
}

#[test]
fn without_a_group_wait_an_alert_is_told_in_its_own_step() {
    let policy = Policy {
        group_wait: SignedDuration::ZERO,
        ..policy("chat")
    };
    let mut rig = Rig::new(vec![policy]);
    assert_snapshot!(rig.step(0, &[alert("failed", "a", 0)]), @r#"0 chat{alertname="failed"} Firing/New opens: a"#);
    assert_eq!(rig.decided(), "");
}

#[test]
fn what_resolves_before_it_was_told_is_not_told_and_the_decision_says_so() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.step(5, &[resolved("failed", "a", 0, 5)]);
    assert_eq!(rig.run(9999), "");
    assert_eq!(rig.decided(), "cancelled 1, grouped 1");
    assert!(rig.alerts.is_empty() && rig.store.is_empty());
}

#[test]
fn what_comes_back_within_the_interval_of_a_resolved_group_is_grouped() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(10);
    rig.step(20, &[resolved("failed", "a", 0, 20)]);
    rig.run(70);
    rig.step(80, &[alert("failed", "a", 80)]);
    assert_snapshot!(rig.run(200), @r#"130 chat{alertname="failed"} Firing/New opens: a"#);
}

#[test]
fn what_resolves_and_fires_again_between_two_ticks_is_no_news() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(10);
    rig.step(20, &[resolved("failed", "a", 0, 20)]);
    rig.step(21, &[alert("failed", "a", 21)]);
    assert_eq!(rig.run(600), "");
}

#[test]
fn a_receiver_that_wants_no_resolves_gets_none_and_the_decision_says_so() {
    let mut rig = Rig::new(vec![Policy {
        send_resolved: false,
        ..policy("chat")
    }]);
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(10);
    rig.step(20, &[resolved("failed", "a", 0, 20)]);
    assert_eq!(rig.run(9999), "");
    assert_eq!(rig.decided(), "grouped 2, resolve-not-wanted 1");
    assert!(rig.alerts.is_empty() && rig.store.is_empty());
}

#[test]
fn an_unknown_receiver_gets_the_alert_when_it_comes_to_exist() {
    let mut rig = rig();
    let mut lost = alert("failed", "a", 0);
    lost.receivers = vec!["pager".into()];
    rig.step(0, &[lost.clone()]);
    rig.step(1, &[lost]);
    assert_eq!(rig.decided(), "no-receiver 1");
    rig.notify
        .set_policies(at(5), vec![policy("chat"), policy("pager")]);
    rig.step(5, &[]);
    assert_snapshot!(rig.run(100), @r#"15 pager{alertname="failed"} Firing/New opens: a"#);
}

#[test]
fn an_occurrence_for_nobody_is_said_and_released() {
    let mut rig = rig();
    let mut lost = occurrence("warned", "a", 1);
    lost.receivers.clear();
    rig.step(0, &[lost]);
    assert_eq!(rig.decided(), "no-receiver 1");
    assert!(rig.alerts.is_empty() && rig.store.is_empty());
}

#[test]
fn a_shadow_is_said_once_and_never_sent() {
    let mut rig = rig();
    let mut shadow = alert("failed", "a", 0);
    shadow.shadow = true;
    rig.step(0, &[shadow.clone()]);
    rig.step(1, &[shadow]);
    assert_eq!(rig.run(9999), "");
    assert_eq!(rig.decided(), "shadowed 1");
}

#[test]
fn an_occurrence_is_told_once_and_its_fortieth_repeat_is_no_fortieth_message() {
    let mut rig = rig();
    rig.step(0, &[occurrence("warned", "a", 1)]);
    assert_snapshot!(rig.run(11), @r#"10 chat{alertname="warned"} Firing/Occurred opens: a"#);
    for count in 2..40 {
        rig.step(
            10 + i64::try_from(count).unwrap(),
            &[occurrence("warned", "a", count)],
        );
    }
    assert_snapshot!(rig.run(9999), @r#"620 chat{alertname="warned"} Firing/Occurred opens: a×39"#);
    assert!(rig.alerts.is_empty() && rig.store.is_empty());
}

#[test]
fn states_and_occurrences_of_one_group_are_told_apart() {
    let mut rig = rig();
    let mut warned = occurrence("failed", "b", 1);
    warned.fingerprint = crate::names::Fingerprint::of(&["occurred"]);
    rig.step(0, &[alert("failed", "a", 0), warned]);
    assert_snapshot!(rig.run(600), @r#"
    10 chat{alertname="failed"} Firing/New opens: a
    10 chat{alertname="failed"} Firing/Occurred: b
    "#);
    assert_ne!(rig.sent[0].id, rig.sent[1].id);
}

#[test]
fn a_reload_leaves_an_alert_in_the_group_it_entered() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(10);
    let by_name = GroupBy::Labels(vec!["name".into()]);
    rig.notify.set_policies(
        at(20),
        vec![Policy {
            group_by: by_name,
            ..policy("chat")
        }],
    );
    rig.step(20, &[alert("failed", "a", 0), alert("failed", "b", 20)]);
    rig.step(21, &[resolved("failed", "a", 0, 21)]);
    assert_snapshot!(rig.run(100), @r#"
    30 chat{name="b"} Firing/New opens: b
    70 chat{alertname="failed"} Resolved/Resolved: [a]
    "#);
}

#[test]
fn a_shorter_repeat_interval_takes_effect_on_what_fires() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.run(10);
    let shorter = Policy {
        repeat_interval: SignedDuration::from_secs(60),
        ..policy("chat")
    };
    rig.notify.set_policies(at(200), vec![shorter]);
    assert_snapshot!(rig.run(300), @r#"250 chat{alertname="failed"} Firing/Repeat: a"#);
}

#[test]
fn a_receiver_that_goes_and_comes_back_is_not_told_twice() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0), alert("failed", "b", 0)]);
    rig.run(10);
    rig.notify.set_policies(at(20), vec![]);
    rig.step(21, &[resolved("failed", "b", 0, 21)]);
    assert_eq!(rig.run(2000), "");
    assert_eq!(rig.alerts.len(), 1, "{}", rig.decided());
    rig.notify.set_policies(at(2000), vec![policy("chat")]);
    rig.step(2001, &[resolved("failed", "a", 0, 2001)]);
    assert_snapshot!(rig.run(9999), @r#"2050 chat{alertname="failed"} Resolved/Resolved: [a]"#);
}

#[test]
fn a_group_of_a_stale_rule_waits_and_is_told_at_the_first_flush_after() {
    let mut rig = rig();
    rig.step(0, &[alert("failed", "a", 0), alert("stuck", "b", 0)]);
    let stale = |alert: &crate::alert::Alert| alert.rule.as_str() == "failed";
    assert_snapshot!(rig.step_while(10, &[], &stale), @r#"10 chat{alertname="stuck"} Firing/New opens: b"#);
    assert_eq!(rig.step_while(40, &[], &stale), "");
    assert!(
        rig.notify.next_wake().unwrap() > at(40),
        "wakes for what cannot act"
    );
    assert_snapshot!(rig.step(41, &[]), @r#"41 chat{alertname="failed"} Firing/New opens: a"#);
    assert_eq!(rig.run(600), "");
}

#[test]
fn a_limit_holds_back_and_tells_later_as_one_digest_that_resolves_once() {
    let mut rig = Rig::new(vec![limited(60, 2)]);
    let storm: Vec<_> = (0..5)
        .map(|n| alert("failed", &format!("db-{n}"), n))
        .collect();
    let at_once = rig.step(10, &storm);
    assert_eq!(at_once.lines().count(), 2, "{at_once}");
    assert_eq!(rig.decided(), "limited 3");
    let digest = rig.run(71);
    assert_eq!(digest.lines().count(), 1, "{digest}");
    assert!(
        digest.starts_with("70 chat{digest} Firing/Digest opens: "),
        "{digest}"
    );
    assert!(digest.ends_with("; 3 from failed"), "{digest}");

    let told: Vec<_> = rig.sent[2].alerts.clone();
    let over = |n: usize, second| resolved("failed", &told[n].object.name, 0, second);
    rig.step(80, &[over(0, 80)]);
    assert_eq!(rig.run(200), "");
    rig.step(201, &[over(1, 201), over(2, 201)]);
    let resolve = rig.run(400);
    assert!(
        resolve.starts_with("250 chat{digest} Resolved/Resolved: "),
        "{resolve}"
    );
    assert_eq!(rig.sent.last().unwrap().alerts.len(), 3);
}

#[test]
fn a_resolve_is_never_held_back_however_full_the_limit_is() {
    let mut rig = Rig::new(vec![limited(1, 1)]);
    rig.step(0, &[alert("failed", "a", 0), alert("failed", "b", 0)]);
    let told = rig.sent[0].alerts[0].object.name.to_string();
    rig.step(10, &[resolved("failed", &told, 0, 10)]);
    let sent = rig.run(100);
    assert!(sent.contains("Resolved/Resolved"), "{sent}");
}

#[test]
fn what_is_held_back_goes_out_before_anything_newer() {
    let mut rig = Rig::new(vec![limited(60, 1)]);
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.step(1, &[alert("failed", "b", 1)]);
    assert_snapshot!(rig.step(60, &[alert("failed", "c", 60)]), @"60 chat{digest} Firing/Digest opens: b; 1 from failed");
    assert_snapshot!(rig.run(120), @"120 chat{digest} Firing/Digest: c b; 2 from failed");
}

/// A receiver where each rule has a minute to itself, twice at once.
fn limited_per_rule() -> Policy {
    Policy {
        limit: None,
        limit_per_rule: limited(60, 2).limit,
        ..limited(60, 2)
    }
}

#[test]
fn a_rule_that_finds_much_takes_no_other_rules_room() {
    let mut rig = Rig::new(vec![limited_per_rule()]);
    let storm: Vec<_> = (0..5)
        .map(|n| alert("failed", &format!("db-{n}"), n))
        .collect();
    let at_once = rig.step(10, &storm);
    assert_eq!(at_once.lines().count(), 2, "{at_once}");
    assert_eq!(rig.decided(), "limited 3");
    assert_eq!(rig.step(11, &[alert("behind", "a", 11)]).lines().count(), 1);
    rig.crash(at(12));
    let digest = rig.run(71);
    assert!(
        digest.starts_with("70 chat{digest}{alertname=\"failed\"} Firing/Digest opens: "),
        "{digest}"
    );
    assert!(digest.ends_with("; 3 from failed"), "{digest}");
    let told: Vec<_> = rig.sent.last().unwrap().alerts.clone();
    let over = |n: usize, second| resolved("failed", &told[n].object.name, 0, second);
    rig.step(80, &[over(0, 80), over(1, 80), over(2, 80)]);
    assert!(rig.run(200).contains("Resolved/Resolved"));
}

#[test]
fn what_a_group_has_of_a_rule_without_room_waits_and_the_rest_is_told() {
    let mut rig = Rig::new(vec![Policy {
        group_by: GroupBy::Labels(Vec::new()),
        limit_per_rule: limited(30, 1).limit,
        limit: None,
        ..policy("chat")
    }]);
    rig.step(0, &[alert("failed", "a", 0)]);
    assert_snapshot!(rig.run(10), @"10 chat{} Firing/New opens: a");
    rig.step(20, &[alert("failed", "b", 20), alert("behind", "c", 20)]);
    assert_snapshot!(rig.run(300), @r#"
    70 chat{} Firing/Changed: c a
    130 chat{digest}{alertname="failed"} Firing/Digest opens: b; 1 from failed
    "#);
}

#[test]
fn both_limits_count() {
    let mut rig = Rig::new(vec![Policy {
        limit: limited(30, 1).limit,
        ..limited_per_rule()
    }]);
    let storm = [
        alert("failed", "a", 0),
        alert("failed", "b", 0),
        alert("behind", "c", 0),
    ];
    let told = format!("{}\n{}", rig.step(0, &storm), rig.run(600));
    assert_snapshot!(told, @r##"
    0 chat{alertname="behind",name="c",severity="warning"#d7f9ca03d9c9cb2b7325b9a1e481078d} Firing/New opens: c
    120 chat{digest} Firing/Digest opens: b a; 2 from failed
    600 chat{alertname="behind",name="c",severity="warning"#d7f9ca03d9c9cb2b7325b9a1e481078d} Firing/Repeat: c
    "##);
}

#[test]
fn a_heartbeat_beats_from_the_first_flush_and_through_a_restart() {
    let heartbeat = Some(SignedDuration::from_mins(5));
    let mut rig = Rig::new(vec![Policy {
        heartbeat,
        ..policy("chat")
    }]);
    assert_snapshot!(rig.step(0, &[]), @"0 chat{heartbeat} Firing/Heartbeat: ");
    assert_snapshot!(rig.run(300), @"300 chat{heartbeat} Firing/Heartbeat: ");
    rig.crash(at(400));
    assert_eq!(rig.step(400, &[]), "");
    assert_snapshot!(rig.run(600), @"600 chat{heartbeat} Firing/Heartbeat: ");
    rig.notify.set_policies(at(700), vec![policy("chat")]);
    assert_eq!(rig.run(9999), "");
    assert!(rig.store.is_empty());
}

#[test]
fn a_clock_that_went_back_freezes_nothing() {
    let mut rig = rig();
    let year = 365 * 24 * 3600;
    rig.step(year, &[alert("failed", "a", year)]);
    rig.run(year + 10);
    rig.step(year + 20, &[alert("failed", "b", year)]);
    rig.crash(at(0));
    assert_snapshot!(rig.run(700), @r#"
    60 chat{alertname="failed"} Firing/Changed: b a
    660 chat{alertname="failed"} Firing/Repeat: b a
    "#);
}

#[test]
fn a_huge_group_is_told_with_the_newest_and_the_number_of_the_others() {
    let mut rig = rig();
    let many: Vec<_> = (0..10_000)
        .map(|n| alert("failed", &format!("db-{n}"), n))
        .collect();
    rig.step(10_000, &many);
    rig.run(10_010);
    let sent = &rig.sent[0];
    assert_eq!(
        (sent.alerts.len(), sent.omitted),
        (MAX_ALERTS, 10_000 - 500)
    );
    assert_eq!(&*sent.alerts[0].object.name, "db-9999");
}

#[test]
fn more_occurrences_than_are_remembered_are_bounded_and_said() {
    let mut rig = rig();
    let many: Vec<_> = (0..10_001)
        .map(|n| occurrence("warned", &format!("{n}"), 1))
        .collect();
    rig.step(0, &many);
    rig.run(10);
    let bounded = |reason: &Reason| matches!(reason, Reason::Bounded(_));
    assert_eq!(
        rig.decisions.iter().filter(|d| bounded(&d.reason)).count(),
        1
    );
    assert_eq!(rig.alerts.len(), 10_000);
}

#[test]
fn an_emptied_group_survives_a_crash_until_its_tick() {
    let policy = Policy {
        group_wait: SignedDuration::ZERO,
        ..policy("chat")
    };
    let mut rig = Rig::new(vec![policy]);
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.step(1, &[resolved("failed", "a", 0, 1)]);
    for second in 2..72 {
        rig.crash(at(second));
        rig.step(second, &[]);
    }
    rig.step(72, &[alert("failed", "a", 72)]);
    assert_snapshot!(rig.run(200), @r#"120 chat{alertname="failed"} Firing/New opens: a"#);
}

#[test]
fn a_digest_whose_last_untold_alert_is_withdrawn_resolves_at_its_next_tick() {
    let mut rig = Rig::new(vec![limited(30, 1)]);
    rig.step(0, &[alert("failed", "a", 0)]);
    rig.step(1, &[alert("failed", "b", 1)]);
    assert_snapshot!(rig.run(120), @"120 chat{digest} Firing/Digest opens: b; 1 from failed");
    rig.step(121, &[alert("failed", "c", 121)]);
    rig.step(122, &[resolved("failed", "b", 1, 122)]);
    rig.step(123, &[resolved("failed", "c", 121, 123)]);
    assert_snapshot!(rig.run(239), @"180 chat{digest} Resolved/Resolved: [b]; 1 from failed");
}
