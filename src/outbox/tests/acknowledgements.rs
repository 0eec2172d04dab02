//! That somebody is at it waits behind what it is about, and goes with it.

use super::{Rig, note, occurred, policy, refused, retry};
use crate::notify::{Cause, Policy};
use crate::outbox::{OutboxChange, Outcome};

fn pager() -> Rig {
    Rig::new(vec![Policy {
        acknowledges: true,
        ..policy("pager")
    }])
}

fn fires(second: i64) -> crate::notify::Notification {
    note("pager", "g", Cause::New, second)
}

fn somebody(second: i64) -> crate::notify::Notification {
    note("pager", "g", Cause::Acknowledged, second)
}

fn over(second: i64) -> crate::notify::Notification {
    note("pager", "g", Cause::Resolved, second)
}

#[test]
fn it_follows_its_firing_and_takes_no_place() {
    let mut rig = pager();
    assert_eq!(rig.push(0, &[fires(0)]), "g-0#1");
    rig.end(1, "g-0", retry(Some(60)));
    assert_eq!(rig.push(2, &[somebody(2)]), "");
    rig.crash(3);
    assert_eq!(rig.push(70, &[]), "g-0#2");
    rig.end(71, "g-0", Outcome::Accepted);
    assert_eq!(rig.push(71, &[]), "g-2#1");
    rig.end(72, "g-2", Outcome::Accepted);
    assert_eq!(rig.outbox.waiting().count(), 0);
}

#[test]
fn what_is_news_of_the_group_takes_its_place() {
    let mut rig = pager();
    rig.push(0, &[fires(0)]);
    rig.end(0, "g-0", Outcome::Accepted);
    rig.push(1, &[somebody(1)]);
    rig.end(1, "g-1", retry(Some(60)));
    assert_eq!(rig.push(2, &[over(2)]), "");
    insta::assert_snapshot!(rig.decided(), @"queued g-0, sent g-0, queued g-1, retrying: 503 g-1, superseded g-1, queued g-2");
    assert_eq!(rig.push(70, &[]), "g-2#1");
}

#[test]
fn of_two_that_wait_the_newer_is_told() {
    let mut rig = pager();
    rig.push(0, &[fires(0)]);
    rig.push(1, &[somebody(1)]);
    rig.push(2, &[somebody(2)]);
    rig.end(3, "g-0", Outcome::Accepted);
    assert_eq!(rig.push(3, &[]), "g-2#1");
    assert_eq!(rig.outbox.waiting().count(), 1);
}

#[test]
fn a_firing_that_nobody_heard_of_and_its_end_cancel_out_with_it() {
    let mut rig = pager();
    rig.push(0, &[note("pager", "other", Cause::New, 0)]);
    rig.push(1, &[fires(1)]);
    rig.push(2, &[somebody(2)]);
    rig.push(3, &[over(3)]);
    insta::assert_snapshot!(rig.decided(), @"queued other-0, queued g-1, queued g-2, superseded g-2, cancelled g-1, cancelled g-3");
    assert_eq!(rig.outbox.waiting().count(), 1, "the other group's");
}

#[test]
fn it_is_not_sent_when_its_firing_was_not() {
    for end in ["refused", "given up", "dropped"] {
        let mut rig = pager();
        rig.push(0, &[fires(0)]);
        if end != "refused" {
            rig.end(0, "g-0", retry(Some(24 * 3600)));
        }
        rig.push(1, &[somebody(1), occurred("pager", "g", 2)]);
        match end {
            "refused" => rig.end(3, "g-0", refused()),
            "given up" => {
                rig.push(25 * 3600, &[]);
            }
            _ => {
                rig.change(3, &OutboxChange::Drop("g-0".into()));
            }
        }
        let decided = rig.decided();
        assert!(decided.contains("cancelled g-1"), "{end}: {decided}");
    }
}

#[test]
fn a_receiver_that_no_longer_wants_it_is_not_told() {
    let mut rig = pager();
    rig.push(0, &[fires(0)]);
    rig.push(1, &[somebody(1)]);
    rig.outbox.set_policies(&[policy("pager")]);
    rig.end(2, "g-0", Outcome::Accepted);
    assert_eq!(rig.push(2, &[]), "");
    insta::assert_snapshot!(rig.decided(), @"queued g-0, queued g-1, sent g-0, cancelled g-1");
    assert_eq!(rig.outbox.waiting().count(), 0);
    assert!(rig.records().is_empty());
}
