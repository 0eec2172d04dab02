//! The life of a queue, told as sentences.

use std::sync::Arc;

use insta::assert_snapshot;
use jiff::SignedDuration;

use super::properties::{Rig, note, occurred};
use super::{MOST_WAITING, OutboxChange, Outcome, Waiting};
use crate::alert::State;
use crate::notify::fixture::{alert, at, policy};
use crate::notify::{Cause, Notification, Policy};

mod acknowledgements;
mod fallbacks;
mod turns;

fn retry(after: Option<i64>) -> Outcome {
    let after = after.map(SignedDuration::from_secs);
    Outcome::Retry {
        after,
        why: "503".into(),
    }
}

fn refused() -> Outcome {
    Outcome::Refused { why: "400".into() }
}

#[test]
fn a_notification_is_written_down_attempted_once_and_gone_when_accepted() {
    let mut rig = Rig::new(vec![policy("chat")]);
    assert_eq!(rig.push(0, &[note("chat", "g", Cause::New, 0)]), "g-0#1");
    assert_eq!(rig.store.len(), 1);
    assert_eq!(rig.push(1, &[]), "");
    rig.end(2, "g-0", Outcome::Accepted);
    assert!(rig.store.is_empty());
    assert_eq!(rig.outbox.next_wake(), None);
    assert_snapshot!(rig.decided(), @"queued g-0, sent g-0");
}

#[test]
fn a_begun_attempt_is_on_record_before_it_is_made() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    let waiting: Vec<Waiting> = rig.records();
    assert_eq!((waiting[0].attempts, waiting[0].heard), (1, true));
    rig.crash(1);
    assert_eq!(rig.push(1, &[]), "g-0#2", "the same id again");
}

#[test]
fn a_failed_attempt_is_made_again_after_about_one_then_two_seconds() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.end(0, "g-0", retry(None));
    let wait = rig
        .outbox
        .next_wake()
        .unwrap()
        .duration_since(at(0))
        .as_millis();
    assert!((800..=1200).contains(&wait), "{wait}");
    assert_eq!(rig.wake(), "g-0#2");
    rig.end(2, "g-0", retry(None));
    let wait = rig
        .outbox
        .next_wake()
        .unwrap()
        .duration_since(at(2))
        .as_millis();
    assert!((1600..=2400).contains(&wait), "{wait}");
}

#[test]
fn retry_after_is_obeyed_to_the_second_by_the_whole_receiver_and_by_no_other() {
    let mut rig = Rig::new(vec![policy("chat"), policy("pager")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.end(0, "g-0", retry(Some(600)));
    let others = [
        note("chat", "h", Cause::New, 1),
        note("pager", "p", Cause::New, 1),
    ];
    assert_eq!(rig.push(1, &others), "p-1#1");
    rig.end(1, "p-1", Outcome::Accepted);
    assert_eq!(rig.outbox.next_wake(), Some(at(600)));
    rig.crash(10);
    assert_eq!(rig.push(599, &[]), "");
    assert_eq!(rig.push(600, &[]), "h-1#1");
}

#[test]
fn a_newer_state_takes_the_place_of_one_that_waits() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(
        0,
        &[
            note("chat", "busy", Cause::New, 0),
            note("chat", "g", Cause::New, 0),
        ],
    );
    rig.push(1, &[note("chat", "g", Cause::Changed, 1)]);
    rig.end(2, "busy-0", Outcome::Accepted);
    assert_eq!(rig.push(2, &[]), "g-1#1");
    assert_snapshot!(rig.decided(), @"queued busy-0, queued g-0, superseded g-0, queued g-1, sent busy-0");
}

#[test]
fn what_occurred_is_appended_and_kept_in_order() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(
        0,
        &[
            occurred("chat", "g", 0),
            occurred("chat", "g", 1),
            occurred("chat", "g", 2),
        ],
    );
    rig.end(1, "g-0", Outcome::Accepted);
    assert_eq!(rig.push(1, &[]), "g-1#1");
    rig.end(2, "g-1", Outcome::Accepted);
    assert_eq!(rig.push(2, &[]), "g-2#1");
}

#[test]
fn a_resolve_and_a_firing_that_nobody_heard_cancel_out() {
    let mut rig = Rig::new(vec![policy("chat")]);
    let busy = note("chat", "busy", Cause::New, 0);
    rig.push(0, &[busy, note("chat", "g", Cause::New, 0)]);
    rig.push(1, &[note("chat", "g", Cause::Changed, 1)]);
    rig.crash(1);
    rig.push(2, &[note("chat", "g", Cause::Resolved, 2)]);
    rig.end(3, "busy-0", Outcome::Accepted);
    assert_eq!(rig.push(3, &[]), "");
    assert!(
        rig.decided()
            .ends_with("cancelled g-1, cancelled g-2, sent busy-0"),
        "{}",
        rig.decided()
    );
}

#[test]
fn a_resolve_is_sent_when_the_firing_was_attempted_or_sent_before() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.push(1, &[note("chat", "g", Cause::Resolved, 1)]);
    rig.end(2, "g-0", retry(None));
    assert_eq!(rig.push(2, &[]), "g-1#1", "a time-out counts as heard");
    rig.end(2, "g-1", Outcome::Accepted);

    rig.push(
        3,
        &[
            note("chat", "busy", Cause::New, 3),
            note("chat", "h", Cause::Changed, 3),
        ],
    );
    rig.push(4, &[note("chat", "h", Cause::Resolved, 4)]);
    rig.end(5, "busy-3", Outcome::Accepted);
    assert_eq!(
        rig.push(5, &[]),
        "h-4#1",
        "the group was heard of before it changed"
    );
}

#[test]
fn one_bad_notification_blocks_no_other_and_trips_no_breaker() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "bad", Cause::New, 0)]);
    for _ in 0..20 {
        rig.end_now("bad-0", retry(None));
        rig.wake();
    }
    rig.end_now("bad-0", retry(None));
    assert_eq!(
        rig.push_now(&[note("chat", "good", Cause::New, 9)]),
        "good-9#1"
    );
}

#[test]
fn five_failures_in_a_row_leave_one_attempt_at_a_time_until_one_succeeds() {
    let mut rig = Rig::new(vec![Policy {
        max_in_flight: 8,
        ..policy("chat")
    }]);
    let storm: Vec<_> = (0..8)
        .map(|n| note("chat", &format!("g{n}"), Cause::New, 0))
        .collect();
    rig.push(0, &storm);
    for n in 0..8 {
        rig.end(0, &format!("g{n}-0"), retry(None));
    }
    assert_eq!(rig.wake().split_whitespace().count(), 1);
    let probe = rig.in_flight().pop().unwrap();
    rig.end_now(&probe, Outcome::Accepted);
    rig.push(10, &[]);
    assert_eq!(rig.in_flight().len(), 7);
}

#[test]
fn a_refusal_removes_the_notification_and_the_queue_goes_on() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(
        0,
        &[
            note("chat", "bad", Cause::New, 0),
            note("chat", "good", Cause::New, 0),
        ],
    );
    rig.end(1, "bad-0", refused());
    assert_eq!(rig.push(1, &[]), "good-0#1");
    assert_snapshot!(rig.decided(), @"queued bad-0, queued good-0, refused: 400 bad-0");
}

#[test]
fn what_is_not_delivered_in_time_is_given_up_and_said() {
    let mut rig = Rig::new(vec![Policy {
        give_up_after: SignedDuration::from_mins(1),
        ..policy("chat")
    }]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.end(0, "g-0", retry(Some(3600)));
    assert_eq!(rig.outbox.next_wake(), Some(at(60)));
    rig.wake();
    assert!(
        rig.decided()
            .ends_with("gave-up: not delivered in time, after 1 attempts; the last: 503 g-0"),
        "{}",
        rig.decided()
    );
    assert!(rig.records().is_empty());
}

#[test]
fn a_restart_after_days_still_tries_what_it_finds() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.crash(3 * 24 * 3600);
    assert_eq!(rig.push(3 * 24 * 3600, &[]), "g-0#2");
}

#[test]
fn a_clock_that_went_back_freezes_nothing() {
    let mut rig = Rig::new(vec![policy("chat")]);
    let year = 365 * 24 * 3600;
    rig.push(year, &[note("chat", "g", Cause::New, year)]);
    rig.end(year, &format!("g-{year}"), retry(Some(60)));
    rig.crash(0);
    assert_eq!(rig.push(0, &[]), format!("g-{year}#2"));
}

#[test]
fn what_waits_for_a_receiver_that_is_gone_is_kept_until_it_is_back() {
    let mut rig = Rig::new(vec![policy("chat"), policy("pager")]);
    rig.push(
        0,
        &[
            note("chat", "busy", Cause::New, 0),
            note("chat", "g", Cause::New, 0),
        ],
    );
    rig.outbox.set_policies(&[policy("pager")]);
    rig.end(1, "busy-0", Outcome::Accepted);
    assert_eq!(rig.push(1, &[]), "");
    assert_eq!(rig.outbox.depth(&"chat".into()), 1);
    rig.outbox.set_policies(&[policy("chat")]);
    assert_eq!(rig.push(2, &[]), "g-0#1");
}

#[test]
fn an_outcome_of_nothing_under_way_changes_nothing() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.end(1, "g-0", Outcome::Accepted);
    rig.end(1, "g-0", refused());
    rig.end(1, "no-such", Outcome::Accepted);
    assert_snapshot!(rig.decided(), @"queued g-0, sent g-0");
}

/// A notification about alerts, each firing (`a`), firing and told for the first time (`+a`), or
/// resolved (`-a`).
fn about(cause: Cause, second: i64, alerts: &[&str]) -> Notification {
    let mut told = note("chat", "g", cause, second);
    told.opens = cause == Cause::New;
    told.alerts.clear();
    for name in alerts {
        let mut one = alert("failed", name.trim_start_matches(['+', '-']), 0);
        if name.starts_with('-') {
            one.state = State::Resolved;
        }
        if name.starts_with('+') {
            told.first.push(one.fingerprint);
        }
        told.alerts.push(Arc::new(one));
    }
    told
}

/// What waits, as `about` writes it.
fn waits(rig: &Rig) -> String {
    let waiting: Vec<Waiting> = rig.records();
    let texts = waiting.iter().map(|one| {
        let told = &one.notification;
        let alerts = told.alerts.iter().map(|alert| {
            let first = told.first.contains(&alert.fingerprint);
            let mark = match (alert.state, first) {
                (State::Resolved, _) => "-",
                (_, true) => "+",
                _ => "",
            };
            format!("{mark}{}", alert.object.name)
        });
        format!("{:?} {}", told.cause, alerts.collect::<Vec<_>>().join(" "))
    });
    texts.collect::<Vec<_>>().join("; ")
}

#[test]
fn what_a_superseded_notification_said_to_be_over_is_said_by_its_successor() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[about(Cause::New, 0, &["+a", "+b"])]);
    rig.end(1, "g-0", Outcome::Accepted);
    rig.push(2, &[about(Cause::Changed, 2, &["a", "-b"])]);
    rig.end(2, "g-2", retry(Some(60)));
    rig.push(3, &[about(Cause::Resolved, 3, &["-a"])]);
    assert_snapshot!(waits(&rig), @"Resolved -a -b");
    // Also where the newer one came while the older one was under way.
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[about(Cause::Changed, 0, &["a", "-b"])]);
    rig.push(1, &[about(Cause::Resolved, 1, &["-a"])]);
    rig.end(2, "g-0", retry(None));
    assert_snapshot!(waits(&rig), @"Resolved -a -b");
}

#[test]
fn what_nobody_was_told_to_fire_is_not_told_to_be_over() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(
        0,
        &[
            note("chat", "busy", Cause::New, 0),
            about(Cause::New, 0, &["+a"]),
        ],
    );
    rig.push(1, &[about(Cause::Changed, 1, &["+b", "-a"])]);
    assert_snapshot!(waits(&rig), @"New busy; Changed +b");
    // It fires again, while the receiver does not know that it was over: then it does know it.
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[about(Cause::Resolved, 0, &["-a"])]);
    rig.end(0, "g-0", retry(Some(60)));
    rig.push(1, &[about(Cause::New, 1, &["+a"])]);
    rig.push(2, &[about(Cause::Resolved, 2, &["-a"])]);
    assert_snapshot!(waits(&rig), @"Resolved -a");
}

#[test]
fn the_attempt_to_tell_what_happened_leaves_nothing_to_resolve() {
    let mut rig = Rig::new(vec![policy("chat")]);
    let happened = Notification {
        opens: true,
        ..occurred("chat", "g", 0)
    };
    rig.push(0, &[happened]);
    rig.end(0, "g-0", retry(Some(60)));
    rig.push(1, &[about(Cause::New, 1, &["+a"])]);
    rig.push(2, &[about(Cause::Resolved, 2, &["-a"])]);
    assert_snapshot!(rig.decided(), @"queued g-0, retrying: 503 g-0, queued g-1, cancelled g-1, cancelled g-2");
}

#[test]
fn what_is_refused_or_given_up_is_dead_until_somebody_sends_or_drops_it() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.end(1, "g-0", refused());
    rig.push(1, &[note("chat", "h", Cause::New, 1)]);
    rig.end(1, "h-1", retry(Some(2 * 24 * 3600)));
    rig.push(25 * 3600, &[]);
    let dead = |rig: &Rig| {
        let letters = rig.outbox.dead();
        let lines: Vec<String> = letters
            .map(|it| format!("{}: {}", it.notification.id, it.why))
            .collect();
        lines.join(", ")
    };
    assert_snapshot!(dead(&rig), @"g-0: 400, h-1: not delivered in time, after 1 attempts; the last: 503");
    rig.crash(26 * 3600);
    assert_eq!(rig.outbox.dead().count(), 2, "they survive a crash");
    assert_eq!(
        rig.change(26 * 3600, &OutboxChange::Retry("g-0".into())),
        "g-0#1"
    );
    rig.end(26 * 3600, "g-0", Outcome::Accepted);
    rig.change(26 * 3600, &OutboxChange::Drop("h-1".into()));
    assert!(rig.store.is_empty(), "{}", dead(&rig));
    assert_snapshot!(rig.decided(), @"queued g-0, refused: 400 g-0, queued h-1, retrying: 503 h-1, gave-up: not delivered in time, after 1 attempts; the last: 503 h-1, queued g-0, sent g-0, dropped h-1");
}

#[test]
fn what_waits_is_attempted_at_once_if_somebody_says_so_and_what_is_under_way_is_left_alone() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    assert_eq!(rig.change(0, &OutboxChange::Drop("g-0".into())), "");
    rig.end(0, "g-0", retry(None));
    assert_eq!(rig.change(0, &OutboxChange::Retry("g-0".into())), "g-0#2");
    rig.end(0, "g-0", Outcome::Accepted);
    assert!(rig.store.is_empty());
}

#[test]
fn a_dead_letter_does_not_overtake_what_is_so_now() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[note("chat", "g", Cause::New, 0)]);
    rig.end(1, "g-0", refused());
    rig.push(2, &[note("chat", "g", Cause::Changed, 2)]);
    rig.change(3, &OutboxChange::Retry("g-0".into()));
    rig.end(4, "g-2", Outcome::Accepted);
    assert_eq!(rig.push(5, &[]), "");
    assert!(
        rig.decided().contains("superseded g-0"),
        "{}",
        rig.decided()
    );
}

#[test]
fn only_so_many_dead_letters_are_kept() {
    let mut rig = Rig::new(vec![policy("chat")]);
    for second in 0..=super::MOST_DEAD {
        let second = i64::try_from(second).unwrap();
        rig.push(second, &[note("chat", "g", Cause::New, second)]);
        rig.end(second, &format!("g-{second}"), refused());
    }
    assert_eq!(rig.outbox.dead().count(), super::MOST_DEAD);
    assert!(
        rig.decided()
            .ends_with("the oldest is forgotten g-0, refused: 400 g-1000"),
        "the oldest goes, and it is said"
    );
}

#[test]
fn what_happens_while_a_receiver_is_dead_for_hours_is_counted_in_one_digest() {
    let mut rig = Rig::new(vec![policy("chat")]);
    let (hours, each) = (4, 20);
    let mut pushed = 0;
    for second in 0..hours * 3600 / each {
        let second = second * each;
        let news: Vec<_> = (0..3)
            .map(|n| occurred("chat", &format!("{second}-{n}"), second))
            .collect();
        pushed += news.len() as u64;
        rig.push(second, &news);
        for id in rig.in_flight() {
            rig.end(second, &id, retry(None));
        }
        if second % 3600 == 0 {
            rig.crash(second);
        }
    }
    let waiting: Vec<_> = rig.outbox.waiting().collect();
    assert!(waiting.len() <= MOST_WAITING + 100, "{}", waiting.len());
    let folded = |note: &&&Waiting| note.notification.cause == Cause::Digest;
    let digests: Vec<_> = waiting.iter().filter(folded).collect();
    let lines = digests.iter().flat_map(|one| &one.notification.digest);
    let counted: u64 = lines.map(|line| line.alerts).sum();
    let whole = (waiting.len() - digests.len()) as u64;
    assert_eq!(counted + whole, pushed);
    for digest in digests {
        let told = &digest.notification;
        assert!(told.alerts.len() <= 20);
        let lines = told.digest.iter().map(|line| line.alerts);
        assert_eq!(told.omitted + told.alerts.len() as u64, lines.sum::<u64>());
    }
}
