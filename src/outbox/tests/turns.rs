//! What is known of the next attempt at what waits.

use jiff::Timestamp;

use super::{Rig, at, occurred, policy, retry};
use crate::outbox::Outbox;

#[test]
fn what_waits_says_why_its_last_attempt_failed_and_when_the_next_one_is() {
    let mut rig = Rig::new(vec![policy("chat")]);
    rig.push(0, &[occurred("chat", "g", 0)]);
    rig.push(0, &[occurred("chat", "g", 1)]);
    let standing = |outbox: &Outbox| -> Vec<(Option<String>, Option<Timestamp>)> {
        let waiting = outbox.waiting();
        waiting
            .map(|it| (it.last_error.clone(), outbox.next_attempt_of(it)))
            .collect()
    };
    rig.end(0, "g-0", retry(Some(3600)));
    let expected = [(Some("503".to_owned()), Some(at(3600))), (None, None)];
    assert_eq!(
        standing(&rig.outbox),
        expected,
        "the second has no turn yet"
    );
    rig.crash(10);
    assert_eq!(standing(&rig.outbox), expected);
}
