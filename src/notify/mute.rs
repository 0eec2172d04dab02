//! What keeps an alert of a group from being told now: an inhibition, a silence, the hours of its
//! route.
//!
//! The end of an alert that was heard of is told in spite of a silence or inhibition: whoever was
//! called may rest. It waits for the hours of the route like everything else.

use jiff::Timestamp;

use super::group::{Group, Heard};
use super::policy::Policy;
use super::timers::tick;
use super::{Notify, SHORTEST_INTERVAL, SilenceChange, about, put_group, put_member};
use crate::alert::{Alert, Nature};
use crate::decision::{About, Reason};
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, GroupKey};
use crate::planted::{self, Bug};

/// Why a member that fires is not told now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mute {
    pub(crate) why: Reason,
    pub(crate) until: Option<Timestamp>,
    /// The alert that inhibits it.
    source: Option<Fingerprint>,
    /// What its receiver has heard of it.
    pub(crate) heard: Heard,
}

impl Notify {
    /// Looks which of the group's members may be told now, and says of those newly muted why not.
    /// An occurrence that is muted is over: it is not told later.
    pub(super) fn mute(&mut self, now: Timestamp, group: &mut Group, effects: &mut Effects) {
        let silences = self.silences.iter().next().is_some();
        if !silences && self.inhibitions.is_empty() && group.muted.is_empty() {
            return;
        }
        let members = group.members.values();
        let speaking = members.filter(|alert| !group.resolved.contains(&alert.fingerprint));
        for alert in speaking.cloned().collect::<Vec<_>>() {
            let Some(mute) = self.muted_by(now, &alert, effects) else {
                group.unmute(alert.fingerprint);
                continue;
            };
            if let Some(source) = mute.source {
                let waiting = self.inhibited.entry(source).or_default();
                waiting.insert(group.key.clone());
            }
            let known = group.muted.get(&alert.fingerprint);
            if known.is_none_or(|known| (&known.why, known.until) != (&mute.why, mute.until)) {
                let about = about(&alert, Some(group.receiver()), Some(&group.key));
                effects.decide_until(now, mute.why.clone(), about, mute.until);
            }
            if alert.nature == Nature::Occurrence {
                self.leave(group, alert.fingerprint, effects);
            } else {
                group.mute(alert.fingerprint, mute);
            }
        }
    }

    /// Inhibitions come first, as in Alertmanager.
    fn muted_by(&self, now: Timestamp, alert: &Alert, effects: &mut Effects) -> Option<Mute> {
        if alert.is_notice() {
            return None;
        }
        let heard = Heard::Nothing;
        if let Some((name, source)) = self.inhibitions.inhibits(alert) {
            let why = format!("{name}: {} {} fires", source.rule, source.object);
            return Some(Mute {
                why: Reason::Inhibited(why),
                until: None,
                source: Some(source.fingerprint),
                heard,
            });
        }
        let (silence, complaints) = self.silences.over(alert, now);
        for why in complaints {
            effects.decide(now, Reason::Unknown(why), about(alert, None, None));
        }
        let silence = silence?;
        let mut why = silence.name.to_string();
        if !silence.comment.is_empty() {
            why = format!("{why}: {}", silence.comment);
        }
        Some(Mute {
            why: Reason::Silenced(why),
            until: Some(silence.ends_at),
            source: None,
            heard,
        })
    }

    /// Nobody is told outside of the route's hours: everything stays as it is until they begin.
    /// Gives when the group is looked at next.
    pub(super) fn shut(
        now: Timestamp,
        group: &mut Group,
        policy: &Policy,
        effects: &mut Effects,
    ) -> Timestamp {
        let opens = policy.times.open_at(now);
        let route = policy.route.as_ref().map_or("", |route| route.as_str());
        let news = group
            .untold
            .iter()
            .chain(&group.occurred)
            .chain(&group.resolved);
        for fingerprint in news.copied().collect::<Vec<_>>() {
            if let Some(alert) = group.members.get(&fingerprint)
                && group.shut.insert(fingerprint)
            {
                let about = about(alert, Some(group.receiver()), Some(&group.key));
                let until = (opens < Timestamp::MAX).then_some(opens);
                effects.decide_until(now, Reason::Muted(route.to_owned()), about, until);
            }
        }
        let start = *group.record.flushed_at.get_or_insert(now);
        tick(start, policy.group_interval.max(SHORTEST_INTERVAL), opens)
    }

    /// Whether an inhibition asks who owns what.
    #[must_use]
    pub fn inhibits_by_owner(&self) -> bool {
        self.inhibitions.ask_for_owners()
    }

    /// An alert that inhibited others does so no more: they are due at the next tick.
    pub(super) fn set_free(&mut self, now: Timestamp, source: Fingerprint, effects: &mut Effects) {
        for key in self.inhibited.remove(&source).into_iter().flatten() {
            self.look_again(now, &key, effects);
        }
    }

    /// A silence was made or ended while the bridge runs.
    pub fn change_silence(&mut self, now: Timestamp, change: SilenceChange, effects: &mut Effects) {
        match change {
            SilenceChange::Put(silence) => {
                let key = Key::Silence(silence.name.clone());
                effects.put(key, Record::Silence(silence.clone()));
                let reason = Reason::SilenceMade(silence.in_words());
                effects.decide_until(now, reason, About::default(), Some(silence.ends_at));
                self.silences.put(silence);
            }
            SilenceChange::Expire(name) => {
                let Some(silence) = self.silences.remove(&name) else {
                    return;
                };
                effects.remove(Key::Silence(name));
                let reason = Reason::SilenceOver(silence.in_words());
                effects.decide(now, reason, About::default());
            }
        }
        self.look_at_muted(now, effects);
    }

    /// The silences that were made while the bridge runs and are over are forgotten.
    pub(super) fn end_silences(&mut self, now: Timestamp, effects: &mut Effects) {
        for silence in self.silences.take_over(now) {
            let reason = Reason::SilenceOver(silence.in_words());
            effects.decide(now, reason, About::default());
            effects.remove(Key::Silence(silence.name));
        }
    }

    /// What mutes has changed: groups with muted members are due at their next tick.
    pub(super) fn look_at_muted(&mut self, now: Timestamp, effects: &mut Effects) {
        let muted = self.groups.values().filter(|group| !group.muted.is_empty());
        for key in muted.map(|group| group.key.clone()).collect::<Vec<_>>() {
            self.look_again(now, &key, effects);
        }
    }

    pub(super) fn look_again(&mut self, now: Timestamp, key: &GroupKey, effects: &mut Effects) {
        let Some(mut group) = self.groups.remove(key) else {
            return;
        };
        if let (Some(policy), Some(flushed_at)) = (self.policy_of(&group), group.record.flushed_at)
        {
            let interval = policy.group_interval.max(SHORTEST_INTERVAL);
            let next = tick(flushed_at, interval, now);
            if next < group.flush_at() {
                self.schedule(&mut group, next);
                put_group(&group, effects);
            }
        }
        self.groups.insert(key.clone(), group);
    }
}

impl Group {
    /// The member is not told for now.
    fn mute(&mut self, fingerprint: Fingerprint, mut mute: Mute) {
        mute.heard = match self.muted.get(&fingerprint) {
            Some(known) => known.heard,
            None if !self.untold.remove(&fingerprint) || planted::has(Bug::SilencedIsTold) => {
                Heard::Firing
            }
            None if self.left_out.contains(&fingerprint) => Heard::LeftOut,
            None => Heard::Nothing,
        };
        self.muted.insert(fingerprint, mute);
    }

    /// The member may be told again; it is news unless its receiver takes it to be firing.
    fn unmute(&mut self, fingerprint: Fingerprint) {
        if let Some(mute) = self.muted.remove(&fingerprint)
            && mute.heard != Heard::Firing
        {
            self.untold.insert(fingerprint);
        }
    }

    /// The group was told of without its muted members: what their receiver takes to be firing
    /// now does not include them.
    pub(super) fn leave_out_muted(&mut self, effects: &mut Effects) {
        let mut left_out = Vec::new();
        for (fingerprint, mute) in &mut self.muted {
            if mute.heard == Heard::Firing {
                mute.heard = Heard::LeftOut;
                left_out.push(*fingerprint);
            }
        }
        for fingerprint in left_out {
            self.left_out.insert(fingerprint);
            put_member(self, fingerprint, Heard::LeftOut, effects);
        }
    }

    /// The first moment at which a muted member may be told again, as far as time decides it.
    pub(super) fn unmuted_at(&self) -> Timestamp {
        let ends = self.muted.values().filter_map(|mute| mute.until);
        ends.min().unwrap_or(Timestamp::MAX)
    }

    /// How many members that may not be told now, or were left out, their receiver has heard of.
    pub(super) fn heard_before(&self) -> usize {
        let muted = self
            .muted
            .values()
            .filter(|mute| mute.heard != Heard::Nothing);
        muted.count() + self.untold.intersection(&self.left_out).count()
    }
}

/// The silence in a line: its name, what it matches, why and by whom.
impl super::Silence {
    pub(crate) fn in_words(&self) -> String {
        let by = match &self.created_by {
            Some(name) => format!(", by {name}"),
            None => String::new(),
        };
        format!("{} {}: {}{by}", self.name, self.matchers, self.comment)
    }
}
