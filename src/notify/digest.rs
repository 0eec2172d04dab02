//! What a limit held back, told as one notification.
//!
//! The digest of a receiver is a group like any other: it has its own key, it is told when the
//! limit has room, and it resolves, once, when all of its alerts have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::group::{Group, GroupKind, Heard};
use super::notification::Digest;
use super::{Notify, about, put_group, put_member};
use crate::alert::Alert;
use crate::decision::Reason;
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, GroupKey, Labels, ReceiverName, RuleName};

impl Notify {
    /// Takes room for one notification of the group. What is `limited` (all but resolves) also
    /// stands behind what already waits in the digest.
    pub(super) fn has_room(
        &mut self,
        now: Timestamp,
        group: &Group,
        limited: bool,
        effects: &mut Effects,
    ) -> bool {
        let receiver = group.receiver();
        let of_rule = group.record.rule.clone();
        if of_rule
            .as_ref()
            .is_some_and(|rule| self.rule_room_at(receiver, rule, now) > now)
        {
            return false;
        }
        if let Some(cell) = self.cells.get_mut(receiver) {
            if limited
                && group.kind() != GroupKind::Digest
                && let Some(digest) = self.groups.get(&key(receiver))
                && waits(digest)
                && !digest.is_blocked()
            {
                return false;
            }
            if !cell.take(now) {
                return false;
            }
            if let Some(record) = cell.record() {
                effects.put(Key::Limit(receiver.clone()), Record::Limit(record));
            }
        }
        self.charge_rules(now, receiver, of_rule.into_iter().collect(), effects);
        true
    }

    /// The first moment, from `now`, at which a digest has room; nothing if it is not limited.
    pub(super) fn room_at(&self, now: Timestamp, digest: &Group) -> Option<Timestamp> {
        let receiver = digest.receiver();
        let of_receiver = self.cells.get(receiver).map(|cell| cell.room_at(now));
        let rule = digest.record.rule.as_ref();
        let of_rule = rule.map(|rule| self.rule_room_at(receiver, rule, now));
        of_receiver.max(of_rule)
    }

    /// There is no room: what the group has not told moves to the receiver's digest, which is
    /// due as soon as there is.
    pub(super) fn hold_back(&mut self, now: Timestamp, group: &mut Group, effects: &mut Effects) {
        let held: Vec<Fingerprint> = group.untold.union(&group.occurred).copied().collect();
        if group.kind() == GroupKind::Digest || held.is_empty() {
            return;
        }
        let cell = self.cells.get(group.receiver());
        let room_at = cell.map_or(now, |cell| cell.room_at(now));
        self.move_to_digest(now, group, held, None, room_at, effects);
    }

    /// Moves these alerts to the receiver's digest, or to that of a rule there.
    pub(super) fn move_to_digest(
        &mut self,
        now: Timestamp,
        group: &mut Group,
        held: Vec<Fingerprint>,
        rule: Option<&RuleName>,
        room_at: Timestamp,
        effects: &mut Effects,
    ) {
        let receiver = group.receiver().clone();
        let key = match rule {
            Some(rule) => key_of_rule(&receiver, rule),
            None => key(&receiver),
        };
        let mut digest = self.groups.remove(&key).unwrap_or_else(|| {
            let name = |rule: &RuleName| (Arc::from("alertname"), Arc::from(rule.as_str()));
            let labels: Labels = rule.map(name).into_iter().collect();
            let mut digest = Group::open(key, GroupKind::Digest, receiver.clone(), labels, room_at);
            digest.record.rule = rule.cloned();
            digest
        });
        let due = if waits(&digest) {
            digest.flush_at().min(room_at)
        } else {
            room_at
        };
        for fingerprint in held {
            let Some(alert) = group.take(fingerprint) else {
                continue;
            };
            digest.insert(&alert, Heard::Nothing);
            put_member(&digest, fingerprint, Heard::Nothing, effects);
            let place = (fingerprint, receiver.clone());
            self.places.insert(place, digest.key.clone());
            let about = about(&alert, Some(&receiver), Some(&digest.key));
            effects.decide_until(now, Reason::Limited, about, Some(due));
        }
        self.schedule(&mut digest, due);
        put_group(&digest, effects);
        self.groups.insert(digest.key.clone(), digest);
    }
}

/// Whether a digest has alerts that its limit holds back.
pub(super) fn waits(group: &Group) -> bool {
    group.kind() == GroupKind::Digest && !(group.untold.is_empty() && group.occurred.is_empty())
}

/// The key of a receiver's digest. No label lacks a `=`, so it meets no other group's key.
pub(crate) fn key(receiver: &ReceiverName) -> GroupKey {
    format!("{receiver}{{digest}}").into()
}

/// The key of the digest that a rule has there by itself.
pub(crate) fn key_of_rule(receiver: &ReceiverName, rule: &RuleName) -> GroupKey {
    format!("{receiver}{{digest}}{{alertname={:?}}}", rule.as_str()).into()
}

/// The alerts counted by rule: the rule with the most of them first.
pub(crate) fn lines<'a>(alerts: impl Iterator<Item = &'a &'a Arc<Alert>>) -> Vec<Digest> {
    let mut rules: BTreeMap<_, (u64, BTreeSet<_>)> = BTreeMap::new();
    for alert in alerts {
        let (count, namespaces) = rules.entry(&alert.rule).or_default();
        *count += 1;
        namespaces.extend(&alert.object.namespace);
    }
    let mut lines: Vec<Digest> = rules
        .into_iter()
        .map(|(rule, (alerts, namespaces))| Digest {
            rule: rule.clone(),
            alerts,
            namespaces: namespaces.len() as u64,
        })
        .collect();
    lines.sort_by(|a, b| b.alerts.cmp(&a.alerts).then_with(|| a.rule.cmp(&b.rule)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::fixture::alert;

    #[test]
    fn the_lines_count_alerts_and_namespaces_by_rule() {
        let mut alerts: Vec<_> = (0..3)
            .map(|n| Arc::new(alert("failed", &format!("db-{n}"), 0)))
            .collect();
        let mut elsewhere = alert("failed", "db-9", 0);
        elsewhere.object.namespace = Some("elsewhere".into());
        alerts.extend([Arc::new(elsewhere), Arc::new(alert("behind", "db-1", 0))]);
        let refs: Vec<_> = alerts.iter().collect();
        let text: Vec<_> = lines(refs.iter())
            .into_iter()
            .map(|line| {
                format!(
                    "{} more from {}, {} namespaces",
                    line.alerts, line.rule, line.namespaces
                )
            })
            .collect();
        assert_eq!(
            text,
            [
                "4 more from failed, 2 namespaces",
                "1 more from behind, 1 namespaces"
            ]
        );
    }
}
