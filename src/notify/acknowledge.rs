//! A group that its receiver was told of, and whose alerts somebody has silenced all: somebody is at
//! it. A receiver that knows acknowledgement is told so, once for as long as they are silenced.
//!
//! Nothing else follows from it: what the silence keeps back, and what is told when it is over, is as
//! without. An inhibition or a route's hours acknowledge nothing, as nobody decided.

use jiff::Timestamp;

use super::group::{Group, GroupKind, Heard};
use super::notification::{Cause, Notification};
use super::policy::Policy;
use super::{Notify, about};
use crate::decision::Reason;
use crate::engine::Effects;
use crate::names::{Fingerprint, GroupKey};
use crate::planted::{self, Bug};

impl Notify {
    /// Silences that have begun: the groups of receivers that know acknowledgement are due at their
    /// next tick, instead of when they have something to say.
    pub(super) fn look_at_silenced(&mut self, now: Timestamp, effects: &mut Effects) {
        if !self.silences.take_begun(now) || !self.acknowledges() {
            return;
        }
        let told = |group: &&Group| {
            let policy = self.policies.get(group.receiver());
            group.kind() == GroupKind::Labels && policy.is_some_and(|policy| policy.acknowledges)
        };
        let keys = self.groups.values().filter(told);
        for key in keys
            .map(|group| group.key.clone())
            .collect::<Vec<GroupKey>>()
        {
            self.look_again(now, &key, effects);
        }
    }

    /// When a silence begins that a receiver may have to be told of.
    pub(super) fn next_silence(&self) -> Option<Timestamp> {
        let begins = self.silences.next_begin()?;
        self.acknowledges().then_some(begins)
    }

    fn acknowledges(&self) -> bool {
        self.policies.values().any(|policy| policy.acknowledges)
    }
}

/// The acknowledgement, if the group is silenced as a whole since one of its alerts was told last.
pub(super) fn acknowledge(
    now: Timestamp,
    group: &mut Group,
    policy: &Policy,
    effects: &mut Effects,
) -> Option<Notification> {
    let over = group.resolved.len() + group.occurred.len();
    if group.muted.len() + over < group.members.len() {
        group.record.acknowledged = false;
        return None;
    }
    let knows = policy.acknowledges && group.kind() == GroupKind::Labels;
    if group.record.acknowledged || !knows {
        return None;
    }
    let why = silenced_by(group)?;
    let heard = group.muted.iter();
    let heard = heard
        .filter(|(_, mute)| mute.heard == Heard::Firing || planted::has(Bug::AcknowledgedUnheard));
    let heard: Vec<Fingerprint> = heard.map(|(fingerprint, _)| *fingerprint).collect();
    let first = group.members.get(heard.first()?)?;
    let about = about(first, Some(group.receiver()), Some(&group.key));
    let until = group.muted.values().filter_map(|mute| mute.until).min();
    effects.decide_until(now, Reason::Acknowledged(why), about, until);
    group.record.acknowledged = !planted::has(Bug::AcknowledgedTwice);
    Some(group.notification(now, Cause::Acknowledged, heard.iter(), [].iter()))
}

/// A silence over the group's alerts; nothing if something else keeps one of them back.
fn silenced_by(group: &Group) -> Option<String> {
    let silences = group.muted.values().map(|mute| match &mute.why {
        Reason::Silenced(why) => Some(why),
        _ => None,
    });
    let silences: Option<Vec<&String>> = silences.collect();
    silences?.first().map(|why| (*why).clone())
}
