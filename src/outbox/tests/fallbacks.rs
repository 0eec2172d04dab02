//! What a receiver does not take, its fallback is told.

use insta::assert_snapshot;

use super::*;

/// `pager`, for which `chat` stands in, and for that `mail`.
fn rig() -> Rig {
    let with = |name: &str, fallback: Option<&str>| Policy {
        fallback: fallback.map(Into::into),
        give_up_after: SignedDuration::from_mins(30),
        ..policy(name)
    };
    Rig::new(vec![
        with("pager", Some("chat")),
        with("chat", Some("mail")),
        with("mail", None),
    ])
}

/// What is under way: to whom, in which group, and whether it fires.
fn under_way(rig: &Rig) -> String {
    let told = rig.told_now().expect("something is under way");
    let instead = told.instead_of.as_ref().map_or("", |name| name.as_str());
    format!(
        "{} {} {:?} opens={} instead of {instead}",
        told.receiver, told.group, told.status, told.opens
    )
}

fn id(rig: &Rig) -> String {
    rig.in_flight().pop().expect("something is under way")
}

#[test]
fn what_is_refused_is_told_to_the_fallback_at_once_and_its_end_too() {
    let mut rig = rig();
    rig.push(0, &[note("pager", "g", Cause::New, 0)]);
    rig.end(1, "g-0", refused());
    rig.push(1, &[]);
    assert_snapshot!(under_way(&rig), @"chat chat{instead of}pager{g} Firing opens=true instead of pager");
    let first = id(&rig);
    rig.end(2, &first, Outcome::Accepted);
    rig.crash(3);
    // The receiver is well again, and takes the end: the fallback hears of it all the same.
    rig.push(10, &[note("pager", "g", Cause::Resolved, 10)]);
    rig.end(11, "g-10", Outcome::Accepted);
    rig.push(11, &[]);
    assert_snapshot!(under_way(&rig), @"chat chat{instead of}pager{g} Resolved opens=false instead of pager");
    let last = id(&rig);
    rig.end(12, &last, Outcome::Accepted);
    rig.push(20, &[note("pager", "g", Cause::New, 20)]);
    rig.end(21, "g-20", Outcome::Accepted);
    rig.push(22, &[note("pager", "g", Cause::Resolved, 22)]);
    rig.end(23, "g-22", Outcome::Accepted);
    rig.push(24, &[]);
    assert!(rig.in_flight().is_empty(), "what it never heard is not its");
    assert_eq!(
        rig.outbox.dead().count(),
        1,
        "and somebody can send it again"
    );
}

#[test]
fn what_is_given_up_is_told_to_the_fallback_and_to_that_ones() {
    let mut rig = rig();
    rig.push(0, &[note("pager", "g", Cause::New, 0)]);
    rig.end(1_900, "g-0", retry(None));
    rig.push(1_900, &[]);
    let first = id(&rig);
    rig.end(1_901, &first, refused());
    rig.push(1_901, &[]);
    assert_snapshot!(under_way(&rig), @"mail mail{instead of}chat{instead of}pager{g} Firing opens=true instead of chat");
    let second = id(&rig);
    rig.end(1_902, &second, refused());
    rig.push(1_902, &[]);
    assert!(rig.in_flight().is_empty());
    assert_eq!(rig.outbox.dead().count(), 3);
}

#[test]
fn signs_of_life_and_repeats_of_what_was_told_fall_back_nowhere() {
    let mut rig = rig();
    rig.push(0, &[note("pager", "beat", Cause::Heartbeat, 0)]);
    rig.end(1, "beat-0", refused());
    rig.push(1, &[]);
    assert!(rig.in_flight().is_empty());
    rig.push(2, &[note("pager", "g", Cause::New, 2)]);
    rig.end(3, "g-2", refused());
    rig.push(3, &[]);
    let told = id(&rig);
    rig.end(4, &told, Outcome::Accepted);
    rig.push(5, &[note("pager", "g", Cause::Repeat, 5)]);
    rig.end(6, "g-5", refused());
    rig.push(7, &[]);
    assert!(rig.in_flight().is_empty());
    rig.push(8, &[occurred("pager", "h", 8)]);
    rig.end(9, "h-8", refused());
    rig.push(9, &[]);
    assert_snapshot!(under_way(&rig), @"chat chat{instead of}pager{h} Firing opens=true instead of pager");
}
