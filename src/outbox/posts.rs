//! Messages that their receiver can change: where each group's stands, until it has resolved.
//!
//! In: what attempts left at the receiver. Out, with the group's next attempt: the message to change
//! instead of posting another. Written down with the attempt's outcome, so that a restart knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{GroupKey, NotificationId, ReceiverName};
use crate::notify::{Notification, Status};

/// Messages that are remembered, the newest: those of groups that never resolve go in the end.
pub const MOST_POSTS: usize = 10_000;

/// A message as its receiver calls it: Slack's channel and `ts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub channel: Arc<str>,
    pub ts: Arc<str>,
}

/// A group's message, as it is kept in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    pub post: Post,
    /// The notification that it was posted for.
    pub by: NotificationId,
    pub at: Timestamp,
}

/// The messages of all groups.
#[derive(Debug, Default)]
pub(super) struct Posts(BTreeMap<(ReceiverName, GroupKey), Posted>);

impl Posts {
    pub(super) fn restore(posts: Vec<(ReceiverName, GroupKey, Posted)>) -> Self {
        let posts = posts.into_iter();
        Self(
            posts
                .map(|(receiver, group, posted)| ((receiver, group), posted))
                .collect(),
        )
    }

    /// The message of the notification's group. One that a group left behind which ended unheard
    /// is none: what opens the group again is news, and nobody looks at an old message.
    pub(super) fn of(&self, notification: &Notification) -> Option<&Posted> {
        let posted = self.0.get(&place(notification))?;
        if !notification.goes_on() {
            return None;
        }
        (!notification.opens || posted.by == notification.id).then_some(posted)
    }

    /// An attempt posted this.
    pub(super) fn note(
        &mut self,
        now: Timestamp,
        notification: &Notification,
        post: Post,
        effects: &mut Effects,
    ) {
        if !notification.goes_on() {
            return;
        }
        let posted = Posted {
            post,
            by: notification.id.clone(),
            at: now,
        };
        let place = place(notification);
        effects.put(key(&place), Record::Post(posted.clone()));
        self.0.insert(place, posted);
        if self.0.len() > MOST_POSTS {
            let oldest = self.0.iter().min_by_key(|(_, posted)| posted.at);
            if let Some((oldest, _)) = oldest.map(|(place, posted)| (place.clone(), posted)) {
                effects.remove(key(&oldest));
                self.0.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The receiver took it. What is resolved is not spoken of again.
    pub(super) fn accepted(&mut self, notification: &Notification, effects: &mut Effects) {
        let place = place(notification);
        if notification.status == Status::Resolved && self.0.remove(&place).is_some() {
            effects.remove(key(&place));
        }
    }
}

fn place(notification: &Notification) -> (ReceiverName, GroupKey) {
    (notification.receiver.clone(), notification.group.clone())
}

fn key((receiver, group): &(ReceiverName, GroupKey)) -> Key {
    Key::Post(receiver.clone(), group.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notify::Cause;
    use crate::notify::fixture::{at, policy};
    use crate::outbox::properties::{Rig, note, occurred};
    use crate::outbox::{Delivery, Outcome};

    fn posted(ts: &str, outcome: Outcome) -> Delivery {
        let post = Post {
            channel: "C1".into(),
            ts: ts.into(),
        };
        Delivery {
            outcome,
            post: Some(post),
        }
    }

    #[test]
    fn a_groups_message_is_changed_until_it_has_resolved_also_after_a_crash() {
        let mut rig = Rig::new(vec![policy("chat")]);
        rig.push(0, &[note("chat", "g", Cause::New, 0)]);
        assert_eq!(rig.changed(), None);
        rig.end_with(1, "g-0", posted("1", Outcome::Accepted));
        rig.crash(2);
        rig.push(3, &[note("chat", "g", Cause::Changed, 3)]);
        assert_eq!(rig.changed().as_deref(), Some("1"));
        // It was not there any more.
        rig.end_with(4, "g-3", posted("2", Outcome::Accepted));
        rig.push(5, &[note("chat", "g", Cause::Resolved, 5)]);
        assert_eq!(rig.changed().as_deref(), Some("2"));
        rig.end(6, "g-5", Outcome::Accepted);
        assert_eq!(rig.store.len(), 0);
        rig.push(7, &[note("chat", "g", Cause::New, 7)]);
        assert_eq!(rig.changed(), None);
    }

    #[test]
    fn what_an_attempt_posted_before_it_failed_is_changed_by_the_next() {
        let mut rig = Rig::new(vec![policy("chat")]);
        rig.push(0, &[note("chat", "g", Cause::New, 0)]);
        rig.end_with(
            1,
            "g-0",
            posted(
                "1",
                Outcome::Retry {
                    after: None,
                    why: "503".to_owned(),
                },
            ),
        );
        rig.crash(2);
        rig.push(61, &[]);
        assert_eq!(rig.changed().as_deref(), Some("1"));
    }

    #[test]
    fn what_opens_a_group_again_is_a_new_message_though_the_last_was_never_resolved() {
        let mut rig = Rig::new(vec![policy("chat")]);
        rig.push(0, &[note("chat", "g", Cause::New, 0)]);
        rig.end_with(1, "g-0", posted("1", Outcome::Accepted));
        rig.push(9, &[note("chat", "g", Cause::New, 9)]);
        assert_eq!(rig.changed(), None);
    }

    #[test]
    fn what_only_happened_is_a_message_of_its_own() {
        let mut rig = Rig::new(vec![policy("chat")]);
        rig.push(0, &[note("chat", "g", Cause::New, 0)]);
        rig.end_with(1, "g-0", posted("1", Outcome::Accepted));
        rig.push(2, &[occurred("chat", "g", 2)]);
        assert_eq!(rig.changed(), None);
        rig.end_with(3, "g-2", posted("2", Outcome::Accepted));
        rig.push(4, &[note("chat", "g", Cause::Changed, 4)]);
        assert_eq!(rig.changed().as_deref(), Some("1"));
    }

    #[test]
    fn messages_are_bounded_and_the_oldest_goes() {
        let mut posts = Posts::default();
        let mut effects = Effects::default();
        let told = |n: usize| note("chat", &format!("g{n}"), Cause::New, 0);
        for n in 0..=MOST_POSTS {
            let second = i64::try_from(n).unwrap();
            let post = posted("1", Outcome::Accepted).post.unwrap();
            posts.note(at(second), &told(n), post, &mut effects);
        }
        assert_eq!(posts.len(), MOST_POSTS);
        assert!(posts.of(&told(0)).is_none() && posts.of(&told(1)).is_some());
    }

    proptest! {
        /// Beside a model: the message that an answer named last, until the group has resolved.
        #[test]
        fn whatever_fails_and_crashes_a_group_that_fires_has_the_message_that_was_named_last(
            events in prop::collection::vec((0..8_u8, 0..4_u8), 1..80),
        ) {
            let mut rig = Rig::new(vec![policy("chat")]);
            let (mut firing, mut known) = (false, None::<(String, NotificationId)>);
            for (second, (what, end)) in (1..).zip(events) {
                let mut new = Vec::new();
                match (what, rig.told_now()) {
                    (0 | 1, _) => {
                        let cause = match (firing, what) {
                            (true, 0) => Cause::Resolved,
                            (true, _) => Cause::Changed,
                            (false, _) => Cause::New,
                        };
                        firing = cause != Cause::Resolved;
                        new.push(note("chat", "g", cause, second));
                    }
                    (2, _) => rig.crash(second),
                    (_, Some(told)) => {
                        let outcome = match end {
                            0 | 1 => Outcome::Accepted,
                            2 => Outcome::Retry { after: None, why: "503".to_owned() },
                            _ => Outcome::Refused { why: "400".to_owned() },
                        };
                        let posts = rig.changed().is_none() && end != 3 && what != 3;
                        let ts = second.to_string();
                        let post = posts.then(|| Post {
                            channel: "C1".into(),
                            ts: ts.as_str().into(),
                        });
                        if posts {
                            known = Some((ts, told.id.clone()));
                        }
                        if outcome == Outcome::Accepted && told.status == Status::Resolved {
                            known = None;
                        }
                        rig.end_with(second, told.id.as_str(), Delivery { outcome, post });
                    }
                    _ => {}
                }
                let began = rig.push(second, &new);
                if let Some(told) = rig.told_now().filter(|_| !began.is_empty()) {
                    let now = known.as_ref().filter(|(_, by)| !told.opens || *by == told.id);
                    prop_assert_eq!(rig.changed(), now.map(|(ts, _)| ts.clone()));
                }
            }
        }
    }
}
