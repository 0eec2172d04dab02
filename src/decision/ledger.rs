//! [`Ledger`]: what was decided lately, so that somebody can ask why they heard nothing.
//!
//! In: decisions, in order. Out: the entries that changed, for the journal, and answers. The same
//! decision about the same things again is one entry with a count. Bounded by age and number.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{About, Decision, Reason};
use crate::names::{ReceiverName, RuleName};

/// Entries that are kept, the newest.
pub const MOST: usize = 10_000;
/// How long after it was last taken a decision is kept.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A decision, and how often it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// As it was taken last.
    #[serde(flatten)]
    pub decision: Decision,
    /// When it was taken first.
    pub first: Timestamp,
    pub count: u64,
}

/// An entry that is new, or gone.
pub type Change = (u64, Option<Entry>);

/// The newest decisions, by number, which only grows.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<u64, Entry>,
    /// The newest entry about the same things.
    newest: HashMap<About, u64>,
    next: u64,
}

/// Which entries somebody asks for: all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub rule: Option<String>,
    /// `Kind/namespace/name`, `namespace/name` or the name alone.
    pub object: Option<String>,
    pub receiver: Option<String>,
    /// The name of a reason, such as `silenced`.
    pub reason: Option<String>,
    pub since: Option<Timestamp>,
}

impl Ledger {
    /// With what the journal kept.
    #[must_use]
    pub fn restore(entries: impl IntoIterator<Item = (u64, Entry)>) -> Self {
        let entries: BTreeMap<u64, Entry> = entries.into_iter().collect();
        let newest = entries.iter();
        Self {
            newest: newest
                .map(|(number, entry)| (entry.decision.about.clone(), *number))
                .collect(),
            next: entries.last_key_value().map_or(0, |(last, _)| last + 1),
            entries,
        }
    }

    /// Takes a decision down, and gives what that changes.
    pub fn note(&mut self, decision: &Decision) -> Vec<Change> {
        if decision.reason == Reason::Unchanged {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let mut entry = Entry {
            decision: decision.clone(),
            first: decision.at,
            count: 1,
        };
        if let Some(number) = self.newest.get(&decision.about).copied()
            && let Some(before) = self.entries.get(&number)
            && before.decision.reason == decision.reason
        {
            entry.first = before.first;
            entry.count = before.count.saturating_add(1);
            self.entries.remove(&number);
            changes.push((number, None));
        }
        let number = self.next;
        self.next += 1;
        self.newest.insert(decision.about.clone(), number);
        self.entries.insert(number, entry.clone());
        changes.push((number, Some(entry)));
        self.prune(decision.at, &mut changes);
        changes
    }

    fn prune(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        while let Some(oldest) = self.entries.first_entry() {
            let age = now.duration_since(oldest.get().decision.at);
            if age <= KEPT_FOR && self.entries.len() <= MOST {
                return;
            }
            let Some((number, entry)) = self.entries.pop_first() else {
                return;
            };
            if self.newest.get(&entry.decision.about) == Some(&number) {
                self.newest.remove(&entry.decision.about);
            }
            changes.push((number, None));
        }
    }

    /// The entries that fit, in the order in which they were last taken.
    pub fn entries<'l>(&'l self, filter: &'l Filter) -> impl Iterator<Item = &'l Entry> {
        self.entries.values().filter(|entry| filter.fits(entry))
    }
}

impl Filter {
    /// Whether all that is given fits.
    #[must_use]
    pub fn fits(&self, entry: &Entry) -> bool {
        let Decision {
            at, reason, about, ..
        } = &entry.decision;
        let is = |wanted: &Option<String>, name: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| name == Some(wanted))
        };
        let object = |wanted: &str| {
            let object = about.object.as_ref();
            object.is_some_and(|object| object.is_called(wanted))
        };
        is(&self.rule, about.rule.as_ref().map(RuleName::as_str))
            && is(
                &self.receiver,
                about.receiver.as_ref().map(ReceiverName::as_str),
            )
            && is(&self.reason, Some(reason.name()))
            && self.object.as_deref().is_none_or(object)
            && self.since.is_none_or(|since| *at >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(second: i64, rule: &str, reason: Reason) -> Decision {
        Decision {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
            reason,
            about: About {
                rule: Some(rule.into()),
                ..About::default()
            },
            until: None,
        }
    }

    fn shown(ledger: &Ledger, filter: &Filter) -> String {
        let line = |entry: &Entry| {
            let rule = entry.decision.about.rule.as_ref();
            let rule = rule.map_or("", |rule| rule.as_str());
            let (at, first) = (entry.decision.at.as_second(), entry.first.as_second());
            format!(
                "{first}-{at}s {rule} {} x{}",
                entry.decision.reason, entry.count
            )
        };
        let lines: Vec<String> = ledger.entries(filter).map(line).collect();
        lines.join("\n")
    }

    #[test]
    fn the_same_decision_again_is_counted_and_another_one_begins_anew() {
        let mut ledger = Ledger::default();
        let mut kept = BTreeMap::new();
        for (second, rule, reason) in [
            (1, "a", Reason::Grouped),
            (2, "b", Reason::Grouped),
            (3, "a", Reason::Grouped),
            (4, "a", Reason::Silenced("night".to_owned())),
            (5, "a", Reason::Grouped),
            (6, "b", Reason::Unchanged),
        ] {
            for (number, entry) in ledger.note(&decision(second, rule, reason)) {
                match entry {
                    Some(entry) => drop(kept.insert(number, entry)),
                    None => drop(kept.remove(&number)),
                }
            }
        }
        let all = shown(&ledger, &Filter::default());
        insta::assert_snapshot!(all, @"
        2-2s b grouped x1
        1-3s a grouped x2
        4-4s a silenced: night x1
        5-5s a grouped x1
        ");
        assert_eq!(shown(&Ledger::restore(kept), &Filter::default()), all);
        let silenced = Filter {
            reason: Some("silenced".to_owned()),
            ..Filter::default()
        };
        insta::assert_snapshot!(shown(&ledger, &silenced), @"4-4s a silenced: night x1");
    }

    #[test]
    fn it_is_bounded_by_number_and_age() {
        let mut ledger = Ledger::default();
        for second in 0..20_000 {
            ledger.note(&decision(second, &second.to_string(), Reason::Grouped));
        }
        assert_eq!(ledger.entries.len(), MOST);
        assert_eq!(ledger.newest.len(), MOST);
        let much_later = 20_000 + KEPT_FOR.as_secs();
        let changes = ledger.note(&decision(much_later, "x", Reason::Firing));
        assert_eq!(ledger.entries.len(), 1);
        assert_eq!(changes.len(), MOST + 1, "the journal forgets them too");
    }
}
