//! The receivers: what each has heard, and how it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::plan::Mode;
use crate::alert::{Alert, Nature, State};
use crate::names::{Fingerprint, GroupKey, NotificationId};
use crate::notify::{Cause, Notification, later};
use crate::outbox::Outcome;

/// A receiver, and the person behind it.
pub struct Receiver {
    pub mode: Mode,
    /// What fires, as far as it was told, by the group that told it: an incident, a thread.
    pub firing: BTreeMap<(GroupKey, Fingerprint), Arc<Alert>>,
    /// What happened, by the group that told it, with its count and when that was told.
    pub occurred: BTreeMap<(GroupKey, Fingerprint), (u64, Timestamp)>,
    /// All that was ever told.
    pub ever: BTreeSet<Fingerprint>,
    /// What was tried to tell that it fires: whether it was heard, the bridge cannot know.
    attempted: BTreeSet<(GroupKey, Fingerprint)>,
    /// What fires, and a later message about its group does not name: whoever reads that may take
    /// it to be over.
    pub left_out: BTreeSet<(GroupKey, Fingerprint)>,
    heard: BTreeMap<NotificationId, Notification>,
    /// May be told again: the process was killed, or the answer was lost, before it was known
    /// that it had been told.
    pub excused: BTreeSet<NotificationId>,
    /// When each group was told of last, as decided; and of its states.
    groups: BTreeMap<String, Timestamp>,
    spoke: BTreeMap<String, Timestamp>,
    clock_is_steady: bool,
    /// It asked to be left alone until then.
    left_alone: Option<Timestamp>,
}

/// How an attempt went: what it is answered, and when.
pub struct Answer {
    pub outcome: Outcome,
    pub at: Timestamp,
}

/// How often `repeatInterval` allows the same to be said.
const REPEAT: SignedDuration = SignedDuration::from_hours(4);

impl Receiver {
    pub fn new() -> Self {
        Self {
            mode: Mode::Up,
            firing: BTreeMap::new(),
            occurred: BTreeMap::new(),
            ever: BTreeSet::new(),
            attempted: BTreeSet::new(),
            left_out: BTreeSet::new(),
            heard: BTreeMap::new(),
            excused: BTreeSet::new(),
            groups: BTreeMap::new(),
            spoke: BTreeMap::new(),
            clock_is_steady: true,
            left_alone: None,
        }
    }

    /// An attempt. What was heard must have a reason.
    pub fn attempt(&mut self, now: Timestamp, told: &Notification) -> Result<Answer, String> {
        if self.left_alone.is_some_and(|until| now < until) {
            return Err(format!("{} was attempted during Retry-After", told.id));
        }
        self.left_alone = None;
        let fires =
            |one: &&Arc<Alert>| one.state == State::Firing && told.cause != Cause::Acknowledged;
        let firing = told.alerts.iter().filter(fires);
        let places = firing.map(|alert| (told.group.clone(), alert.fingerprint));
        self.attempted.extend(places);
        let soon = |seconds: i64| later(now, SignedDuration::from_secs(seconds));
        let retry = |after: Option<i64>| Outcome::Retry {
            after: after.map(SignedDuration::from_secs),
            why: "it did not work".to_owned(),
        };
        Ok(match self.mode {
            Mode::Up => {
                self.hear(told)?;
                Answer {
                    outcome: Outcome::Accepted,
                    at: now,
                }
            }
            Mode::Slow(seconds) => {
                self.hear(told)?;
                Answer {
                    outcome: Outcome::Accepted,
                    at: soon(seconds),
                }
            }
            Mode::Busy(seconds) => Answer {
                outcome: retry(Some(seconds)),
                at: now,
            },
            Mode::Down => Answer {
                outcome: retry(None),
                at: now,
            },
            Mode::Mute => {
                self.hear(told)?;
                self.excused.insert(told.id.clone());
                Answer {
                    outcome: retry(None),
                    at: soon(30),
                }
            }
        })
    }

    /// The clock of the bridge was set: moments before and after do not compare.
    pub fn clock_was_set(&mut self) {
        self.clock_is_steady = false;
        self.spoke.clear();
        self.left_alone = None;
        for (_, at) in self.occurred.values_mut() {
            *at = Timestamp::MIN;
        }
    }

    /// The bridge has read its answer.
    pub fn answered(&mut self, now: Timestamp, outcome: &Outcome) {
        if let Outcome::Retry {
            after: Some(after), ..
        } = outcome
        {
            self.left_alone = Some(later(now, *after));
        }
    }

    /// The bridge was killed: it obeys what it had written down of the receiver's wish.
    pub fn killed(&mut self, paused_until: Option<Timestamp>) {
        self.left_alone = self.left_alone.and(paused_until);
    }

    pub fn has_heard(&self, id: &NotificationId) -> bool {
        self.heard.contains_key(id)
    }

    fn hear(&mut self, told: &Notification) -> Result<(), String> {
        // An id holds the moment of its decision, which a clock that was set back can see again.
        let before = self.heard.get(&told.id).filter(|_| self.clock_is_steady);
        if let Some(before) = before {
            if before != told {
                return Err(format!("{} says something else the second time", told.id));
            }
            if !self.excused.contains(&told.id) {
                return Err(format!("{} was told twice", told.id));
            }
            return Ok(());
        }
        let group = told.group.to_string();
        let before = self.groups.insert(group.clone(), told.at);
        if self.clock_is_steady && before.is_some_and(|before| before > told.at) {
            return Err(format!("{group}: what was decided later was told first"));
        }
        self.heard.insert(told.id.clone(), told.clone());
        if told.cause == Cause::Acknowledged {
            return self.hear_of_somebody(told);
        }
        let speaks_of_states = told.alerts.iter().any(|one| one.nature == Nature::State);
        if speaks_of_states && told.cause != Cause::Digest {
            let named = |one: &Fingerprint| told.alerts.iter().any(|it| it.fingerprint == *one);
            let of_group = self.firing.keys().filter(|(group, _)| *group == told.group);
            let left_out = of_group.filter(|(_, one)| !named(one));
            self.left_out.extend(left_out.cloned());
        }
        let mut news = 0;
        for alert in &told.alerts {
            news += usize::from(self.take(alert, told)?);
        }
        let unasked = matches!(told.cause, Cause::Repeat | Cause::Heartbeat);
        if self.clock_is_steady && news == 0 && !unasked {
            return Err(format!("{} ({:?}) tells nothing new", told.id, told.cause));
        }
        let speaks = told.alerts.iter().any(|one| one.nature == Nature::State);
        let spoke = speaks
            .then(|| self.spoke.insert(group, told.at))
            .flatten()
            .filter(|_| self.clock_is_steady && told.cause == Cause::Repeat);
        if spoke.is_some_and(|spoke| told.at.duration_since(spoke) < REPEAT) {
            return Err(format!("{} repeats too soon", told.id));
        }
        Ok(())
    }

    /// That somebody is at it is said of what fires, as far as was told.
    fn hear_of_somebody(&self, told: &Notification) -> Result<(), String> {
        let known = told.alerts.iter().any(|alert| {
            let place = (told.group.clone(), alert.fingerprint);
            self.firing.contains_key(&place) && !self.left_out.contains(&place)
        });
        if known {
            return Ok(());
        }
        Err(format!(
            "{} is acknowledged, and was not told to fire",
            told.group
        ))
    }

    /// Takes what is said of one alert; whether it is news.
    fn take(&mut self, alert: &Arc<Alert>, told: &Notification) -> Result<bool, String> {
        let name = format!("{} of {}", alert.rule, alert.object.name);
        self.ever.insert(alert.fingerprint);
        if alert.shadow {
            return Err(format!("{name} is a shadow, and was told"));
        }
        let place = (told.group.clone(), alert.fingerprint);
        if alert.nature == Nature::Occurrence {
            let before = self.occurred.insert(place, (alert.count, told.at));
            return match before {
                _ if !self.clock_is_steady => Ok(true),
                Some((count, _)) if alert.count <= count => Err(format!("{name} was told again")),
                Some((_, at)) if told.at.duration_since(at) < REPEAT => {
                    Err(format!("{name} was retold too soon"))
                }
                _ => Ok(true),
            };
        }
        match (alert.state, self.firing.remove(&place)) {
            (State::Resolved, Some(_)) => Ok(true),
            (State::Resolved, None) if self.attempted.contains(&place) => Ok(true),
            (State::Resolved, None) => Err(format!("{name} resolves, and was never told to fire")),
            (_, known) => {
                let news = self.left_out.remove(&place)
                    || known.is_none_or(|known| known.fired_at != alert.fired_at);
                self.firing.insert(place, alert.clone());
                Ok(news)
            }
        }
    }
}
