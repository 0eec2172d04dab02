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
