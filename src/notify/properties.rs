//! What holds for every course of events: alerts of two rules and one occurrence at three
//! receivers (one limited, one without resolves), crashes, extra flushes, and stale rules.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::fixture::{Rig, alert, at, line, occurrence, policy};
use super::{Cause, GroupBy, GroupKind, Limit, Notification, Policy, Status};
use crate::alert::{Alert, Ending, Nature, Resolution, State};
use crate::decision::Reason;
use crate::names::{Fingerprint, ReceiverName};

/// One moment of a course: so many seconds after the one before, these subjects change, and the
/// rule `stuck` may act or may not.
#[derive(Clone, Debug)]
struct Moment {
    after: i64,
    changes: Vec<usize>,
    stale: bool,
}

const SUBJECTS: usize = 8;

fn course() -> impl Strategy<Value = Vec<Moment>> {
    let changes = prop::collection::vec(0..SUBJECTS, 0..4);
    let moment = (0..90_i64, changes, prop::bool::weighted(0.2));
    let moment = moment.prop_map(|(after, changes, stale)| Moment {
        after,
        changes,
        stale,
    });
    prop::collection::vec(moment, 1..40)
}

fn policies() -> Vec<Policy> {
    let limit = Limit {
        notifications: 7,
        per: SignedDuration::from_mins(10),
        burst: 2,
    };
    let heartbeat = Some(SignedDuration::from_secs(250));
    let limited = Policy {
        group_by: GroupBy::All,
        limit: Some(limit),
        ..policy("limited")
    };
    let quiet = Policy {
        send_resolved: false,
        heartbeat,
        ..policy("quiet")
    };
    let mut chat = policy("chat");
    chat.limit_per_rule = Some(Limit { burst: 1, ..limit });
    chat.group_wait = SignedDuration::ZERO;
    vec![chat, limited, quiet]
}

/// The subject's alert after its next change: states fire and resolve in turn, occurrences
/// happen again.
fn change(subject: usize, known: &mut BTreeMap<usize, Alert>, second: i64) -> Alert {
    let name = format!("db-{subject}");
    let mut next = match known.get(&subject) {
        Some(last) if last.nature == Nature::Occurrence => {
            occurrence("warned", &name, last.count + 1)
        }
        Some(last) if last.state == State::Firing => Alert {
            state: State::Resolved,
            resolution: Some(Resolution {
                at: at(second),
                reason: Ending::Cleared,
            }),
            ..last.clone()
        },
        _ if subject < 2 => occurrence("warned", &name, 1),
        _ if subject < 4 => alert("stuck", &name, second),
        _ => alert("failed", &name, second),
    };
    next.receivers = ["chat", "limited", "quiet"]
        .map(ReceiverName::from)
        .to_vec();
    known.insert(subject, next.clone());
    next
}

/// Plays the course and then lets an hour pass; `after` is called after each step.
fn play(course: &[Moment], after: &mut dyn FnMut(&mut Rig, Timestamp)) -> Rig {
    let mut rig = Rig::new(policies());
    let mut known = BTreeMap::new();
    let mut second = 0;
    let mut stale = false;
    rig.step(0, &[]);
    for moment in course {
        second += moment.after;
        let held = |alert: &Alert| stale && alert.rule.as_str() == "stuck";
        rig.run_while(second, &held, after);
        stale = moment.stale;
        let changed: Vec<Alert> = moment
            .changes
            .iter()
            .map(|subject| change(*subject, &mut known, second))
            .collect();
        let held = |alert: &Alert| stale && alert.rule.as_str() == "stuck";
        rig.step_while(second, &changed, &held);
        after(&mut rig, at(second));
    }
    rig.step(second, &[]);
    rig.run_while(second + 3600, &|_| false, after);
    rig
}

fn lines(rig: &Rig) -> Vec<String> {
    let sent = rig.sent.iter();
    sent.map(|sent| format!("{} {}", sent.id, line(sent)))
        .collect()
}

/// What one receiver knows, from what was sent to it.
#[derive(Default)]
struct Ear {
    firing: BTreeSet<Fingerprint>,
    occurred: BTreeMap<Fingerprint, (u64, Timestamp)>,
    spoken: BTreeMap<String, Timestamp>,
}

impl Ear {
    /// Hears one notification, and checks that it had a reason.
    fn hear(&mut self, sent: &Notification) {
        let repeat = policy("chat").repeat_interval;
        let mut news = 0;
        for alert in &sent.alerts {
            let fingerprint = alert.fingerprint;
            if alert.nature == Nature::Occurrence {
                if let Some((count, told)) =
                    self.occurred.insert(fingerprint, (alert.count, sent.at))
                {
                    assert!(alert.count > count, "told twice: {}", line(sent));
                    assert!(
                        sent.at.duration_since(told) >= repeat,
                        "too soon: {}",
                        line(sent)
                    );
                }
                news += 1;
            } else if alert.state == State::Resolved {
                assert!(
                    self.firing.remove(&fingerprint),
                    "never fired: {}",
                    line(sent)
                );
                news += 1;
            } else if self.firing.insert(fingerprint) {
                news += 1;
            }
        }
        let group = sent.group.to_string();
        if sent.cause == Cause::Repeat {
            let waited = sent.at.duration_since(self.spoken[&group]);
            assert!(waited >= repeat, "too soon: {}", line(sent));
        } else if sent.cause != Cause::Heartbeat && sent.receiver.as_str() != "quiet" {
            assert!(news > 0, "no reason: {}", line(sent));
        }
        if sent.status == Status::Resolved {
            assert!(
                sent.alerts
                    .iter()
                    .all(|alert| alert.state == State::Resolved)
            );
        }
        if sent
            .alerts
            .iter()
            .any(|alert| alert.nature == Nature::State)
        {
            self.spoken.insert(group, sent.at);
        }
    }
}

proptest! {
    #[test]
    fn a_crash_after_any_step_changes_no_later_notification(
        course in course(),
        crashes in prop::collection::vec(any::<bool>(), 64),
    ) {
        let smooth = play(&course, &mut |_, _| {});
        let mut step = 0;
        let rough = play(&course, &mut |rig, now| {
            step += 1;
            if crashes[step % crashes.len()] {
                rig.crash(now);
            }
        });
        prop_assert_eq!(lines(&smooth), lines(&rough));
    }

    #[test]
    fn splitting_time_into_more_flushes_sends_nothing_else(course in course(), every in 1..60_i64) {
        let whole = play(&course, &mut |_, _| {});
        let mut split = Vec::new();
        for moment in &course {
            let mut rest = moment.after;
            let before = split.last().is_some_and(|moment: &Moment| moment.stale);
            while rest > every {
                split.push(Moment { after: every, changes: Vec::new(), stale: before });
                rest -= every;
            }
            split.push(Moment { after: rest, ..moment.clone() });
        }
        prop_assert_eq!(lines(&whole), lines(&play(&split, &mut |_, _| {})));
    }

    #[test]
    fn everything_told_has_a_reason_and_a_resolve_follows_its_firing(course in course()) {
        let mut ears: BTreeMap<ReceiverName, Ear> = BTreeMap::new();
        for sent in &play(&course, &mut |_, _| {}).sent {
            ears.entry(sent.receiver.clone()).or_default().hear(sent);
        }
    }

    #[test]
    fn every_alert_is_told_or_a_decision_says_why_not(course in course()) {
        let mut known = BTreeMap::new();
        let mut fired: BTreeMap<(Fingerprint, ReceiverName), i64> = BTreeMap::new();
        for moment in &course {
            for subject in &moment.changes {
                let alert = change(*subject, &mut known, 0);
                for receiver in &alert.receivers {
                    let place = (alert.fingerprint, receiver.clone());
                    if alert.nature == Nature::Occurrence {
                        fired.insert(place, 1);
                    } else if alert.state == State::Firing {
                        *fired.entry(place).or_default() += 1;
                    }
                }
            }
        }
        let rig = play(&course, &mut |_, _| {});
        for ((alert, receiver), times) in fired {
            let told = |sent: &&Notification| {
                let names = |one: &&std::sync::Arc<Alert>| one.fingerprint == alert;
                sent.receiver == receiver && sent.alerts.iter().any(|one| names(&one))
            };
            let cancelled = rig.decisions.iter().filter(|decision| {
                decision.reason == Reason::Cancelled
                    && decision.about.alert == Some(alert)
                    && decision.about.receiver.as_ref() == Some(&receiver)
            });
            let heard = rig.sent.iter().any(|sent| told(&sent));
            prop_assert!(
                heard || i64::try_from(cancelled.count()) == Ok(times),
                "{alert} at {receiver}: {}", rig.decided()
            );
        }
        // What is over and told is kept by nobody, but for a digest of which something still fires.
        let digests = rig.notify.groups().filter(|group| group.kind() == GroupKind::Digest);
        let kept: BTreeSet<_> = digests.flat_map(super::group::Group::alerts).map(|one| one.fingerprint).collect();
        for alert in rig.alerts.values() {
            let fires = alert.nature == Nature::State && alert.state == State::Firing;
            prop_assert!(fires || kept.contains(&alert.fingerprint), "{} is kept", alert.object.name);
        }
    }
}
