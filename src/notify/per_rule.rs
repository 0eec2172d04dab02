//! The limit that each rule has by itself at a receiver (`limitPerRule`): one that finds much does
//! not take the others' room.
//!
//! What it holds back is told as a digest of the rule's own, when the rule has room again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::digest::{key_of_rule, waits};
use super::group::{Group, GroupKind};
use super::limit::{Cell, LimitRecord};
use super::{Notify, Policy};
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, ReceiverName, RuleName};

impl Notify {
    /// Moves what the group has not told of rules that have no room to their digests.
    pub(super) fn hold_back_by_rule(
        &mut self,
        now: Timestamp,
        group: &mut Group,
        policy: &Policy,
        effects: &mut Effects,
    ) {
        if policy.limit_per_rule.is_none() || group.kind() != GroupKind::Labels {
            return;
        }
        let mut news: BTreeMap<RuleName, Vec<Fingerprint>> = BTreeMap::new();
        for fingerprint in group.untold.union(&group.occurred) {
            if let Some(alert) = group.members.get(fingerprint) {
                news.entry(alert.rule.clone())
                    .or_default()
                    .push(*fingerprint);
            }
        }
        let receiver = group.receiver().clone();
        for (rule, held) in news {
            let room_at = self.rule_room_at(&receiver, &rule, now);
            let digest = key_of_rule(&receiver, &rule);
            let behind = self.groups.get(&digest);
            let behind = behind.is_some_and(|digest| waits(digest) && !digest.is_blocked());
            if behind || room_at > now {
                self.move_to_digest(now, group, held, Some(&rule), room_at, effects);
            }
        }
    }

    /// The rules of these alerts have told something.
    pub(super) fn charge_rules(
        &mut self,
        now: Timestamp,
        receiver: &ReceiverName,
        rules: BTreeSet<RuleName>,
        effects: &mut Effects,
    ) {
        let limit = self.policies.get(receiver);
        let Some(limit) = limit.and_then(|policy| policy.limit_per_rule) else {
            return;
        };
        for rule in rules {
            let place = (receiver.clone(), rule);
            let cell = self.rule_cells.entry(place.clone());
            let cell = cell.or_insert_with(|| Cell::new(limit));
            cell.take(now);
            if let Some(record) = cell.record() {
                let key = Key::RuleLimit(place.0, place.1);
                effects.put(key, Record::Limit(record));
            }
        }
    }

    /// The first moment, from `now`, at which the rule has room.
    pub(super) fn rule_room_at(
        &self,
        receiver: &ReceiverName,
        rule: &RuleName,
        now: Timestamp,
    ) -> Timestamp {
        let cell = self.rule_cells.get(&(receiver.clone(), rule.clone()));
        cell.map_or(now, |cell| cell.room_at(now))
    }

    pub(super) fn restore_rule_cell(
        &mut self,
        place: (ReceiverName, RuleName),
        record: LimitRecord,
        now: Timestamp,
    ) {
        let policy = self.policies.get(&place.0);
        if let Some(limit) = policy.and_then(|policy| policy.limit_per_rule) {
            let cell = Cell::restore(limit, record, now);
            self.rule_cells.insert(place, cell);
        }
    }

    /// Forgets what is as good as new.
    pub(super) fn forget_idle_rules(&mut self, now: Timestamp, effects: &mut Effects) {
        self.rule_cells.retain(|(receiver, rule), cell| {
            let idle = cell.record().is_none_or(|record| record.arrival <= now);
            if idle {
                effects.remove(Key::RuleLimit(receiver.clone(), rule.clone()));
            }
            !idle
        });
    }
}

/// The rules of these members of a group.
pub(super) fn rules_of(group: &Group, alerts: &BTreeSet<Fingerprint>) -> BTreeSet<RuleName> {
    let alerts = alerts.iter().filter_map(|one| group.members.get(one));
    alerts.map(|alert| alert.rule.clone()).collect()
}
