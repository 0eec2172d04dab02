//! What the ledger of a bridge says of the last days, counted as a replay counts.
//!
//! In: the entries of a ledger. Out: a [`Report`]: what was sent, and what shadow rules would have
//! sent. An entry is a count between two moments; of one that began before the time that is asked
//! for, as much counts as fits into it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Report;
use crate::decision::Reason;
use crate::decision::ledger::{Entry, Filter, MOST};
use crate::names::RuleName;

/// What stands for the object of a message about several.
const SEVERAL: &str = "(several at once)";

/// Counts the entries that fit, up to now. `shadows`: only those of rules that are shadows.
#[must_use]
pub fn lately(entries: &[Entry], filter: &Filter, shadows: bool, now: Timestamp) -> Report {
    let began = filter.since.or_else(|| remembered_since(entries));
    let mut report = Report {
        began: began.unwrap_or(now).min(now),
        ended: now,
        ..Report::default()
    };
    let of_shadows: BTreeSet<&RuleName> = entries
        .iter()
        .filter(|entry| entry.decision.reason == Reason::Shadowed)
        .filter_map(|entry| entry.decision.about.rule.as_ref())
        .collect();
    for entry in entries.iter().filter(|entry| filter.fits(entry)) {
        let about = &entry.decision.about;
        let rule = about.rule.as_ref();
        if shadows && !rule.is_some_and(|rule| of_shadows.contains(rule)) {
            continue;
        }
        let times = times(entry, report.began);
        report.decided(&entry.decision, times);
        if entry.decision.reason == Reason::Sent
            && let Some(receiver) = &about.receiver
        {
            let object = about.object.as_ref();
            let object = object.map_or_else(|| SEVERAL.to_owned(), ToString::to_string);
            let about = rule.map(|rule| (rule.clone(), object));
            report.messages_about(receiver, about.into_iter().collect(), times);
        }
    }
    report
}

/// Since when nothing was forgotten: a full ledger has lost what is older than its oldest entry.
fn remembered_since(entries: &[Entry]) -> Option<Timestamp> {
    if entries.len() >= MOST {
        return entries.iter().map(|entry| entry.decision.at).min();
    }
    entries.iter().map(|entry| entry.first).min()
}

/// How often it was decided since then, as if evenly.
fn times(entry: &Entry, since: Timestamp) -> u64 {
    let (first, last) = (entry.first, entry.decision.at);
    let all = last.duration_since(first).as_secs_f64();
    if first >= since || all <= 0.0 {
        return entry.count;
    }
    let part = last.duration_since(since).as_secs_f64().max(0.0) / all;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    let before_last = (entry.count.saturating_sub(1) as f64 * part).round() as u64;
    1 + before_last
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::decision::{About, Decision, Ending};
    use crate::names::{ObjectRef, Uid};

    fn hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    /// Decided so many times between two hours.
    fn entry(
        rule: &str,
        object: Option<&str>,
        reason: Reason,
        hours: (i64, i64),
        count: u64,
    ) -> Entry {
        let object = object.map(|name| ObjectRef {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: Some("prod".into()),
            name: name.into(),
            uid: Uid::parse(name),
        });
        let told = matches!(reason, Reason::Sent | Reason::Shadowed);
        Entry {
            first: hour(hours.0),
            count,
            decision: Decision {
                at: hour(hours.1),
                reason,
                about: About {
                    rule: Some(rule.into()),
                    object,
                    receiver: told.then(|| "hook".into()),
                    ..About::default()
                },
                until: None,
            },
        }
    }

    fn day() -> Vec<Entry> {
        vec![
            entry("tried", Some("a"), Reason::Firing, (0, 20), 11),
            entry("tried", Some("a"), Reason::Shadowed, (0, 20), 11),
            entry("tried", Some("b"), Reason::Shadowed, (5, 5), 1),
            entry("failed", Some("a"), Reason::Firing, (3, 3), 1),
            entry("failed", Some("a"), Reason::Sent, (3, 4), 2),
            entry("failed", None, Reason::Sent, (6, 6), 1),
            entry(
                "failed",
                Some("a"),
                Reason::Resolved(Ending::Cleared),
                (4, 4),
                1,
            ),
        ]
    }

    #[test]
    fn what_the_ledger_has_is_counted_as_a_replay_counts_it() {
        let report = lately(&day(), &Filter::default(), false, hour(24));
        insta::assert_snapshot!(report.text(), @"
        RULE     FIRED   RESOLVED   UNKNOWN   MESSAGES                       A WEEK
        tried    11      0          0         12 (shadow: would have sent)   84
        failed   1       1          0         3                              21

        RECEIVER   MESSAGES   A WEEK
        hook       3          21

        RECEIVER (OF SHADOWS)   MESSAGES   A WEEK
        hook                    12         84

        NOISIEST OBJECTS    MESSAGES
        Pod/prod/a          2
        (several at once)   1

        NOISIEST OBJECTS (OF SHADOWS)   MESSAGES
        Pod/prod/a                      11
        Pod/prod/b                      1
        ");
        insta::assert_snapshot!(report.messages_text(), @"3 messages, about 21 a week; 2 of them about Pod/prod/a; shadows would have sent 12 messages, about 84 a week");
    }

    #[test]
    fn of_what_began_before_the_time_that_is_asked_for_a_part_counts() {
        let filter = Filter {
            since: Some(hour(10)),
            ..Filter::default()
        };
        let report = lately(&day(), &filter, true, hour(24));
        insta::assert_snapshot!(report.text(), @"
        RULE    FIRED   RESOLVED   UNKNOWN   MESSAGES                      A WEEK
        tried   6       0          0         6 (shadow: would have sent)   72

        RECEIVER (OF SHADOWS)   MESSAGES   A WEEK
        hook                    6          72

        NOISIEST OBJECTS (OF SHADOWS)   MESSAGES
        Pod/prod/a                      6
        ");
        assert!(!report.rules.contains_key(&RuleName::from("failed")));
    }
}
