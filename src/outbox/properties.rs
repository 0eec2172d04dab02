//! What holds for every course of pushes, outcomes and crashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Delivery, Fallen, Kept, Outbox, OutboxChange, Outcome, Posted, Waiting};
use crate::decision::Decision;
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{GroupKey, Labels, NotificationId, ReceiverName};
use crate::notify::fixture::{Store, alert, at, commit, occurrence, policy};
use crate::notify::{Cause, Notification, Policy, Status};

/// A notification of a group of that name, decided at that second: `group-second` is its id.
pub(super) fn note(receiver: &str, group: &str, cause: Cause, second: i64) -> Notification {
    Notification {
        id: format!("{group}-{second}").into(),
        receiver: receiver.into(),
        group: format!("{receiver}{{{group}}}").into(),
        group_labels: Labels::new(),
        status: match cause {
            Cause::Resolved => Status::Resolved,
            _ => Status::Firing,
        },
        cause,
        opens: cause == Cause::New,
        instead_of: None,
        first: Vec::new(),
        at: at(second),
        alerts: vec![Arc::new(alert("failed", group, second))],
        omitted: 0,
        digest: Vec::new(),
    }
}

pub(super) fn occurred(receiver: &str, group: &str, second: i64) -> Notification {
    Notification {
        alerts: vec![Arc::new(occurrence("warned", group, 1))],
        ..note(receiver, group, Cause::Occurred, second)
    }
}

/// The outbox with a journal and a shell around it.
pub(super) struct Rig {
    pub(super) outbox: Outbox,
    pub(super) store: Store,
    decisions: Vec<Decision>,
    /// The attempts under way: id and receiver.
    flying: BTreeMap<NotificationId, ReceiverName>,
    policies: Vec<Policy>,
    now: Timestamp,
    /// The message that the last attempt is to change.
    changed: Option<Posted>,
}

impl Rig {
    pub(super) fn new(policies: Vec<Policy>) -> Self {
        Self {
            outbox: Outbox::new(&policies),
            store: Store::new(),
            decisions: Vec::new(),
            flying: BTreeMap::new(),
            policies,
            now: at(0),
            changed: None,
        }
    }

    fn commit(&mut self, effects: Effects) -> String {
        let (decisions, attempts) = commit(&mut self.store, effects);
        self.decisions.extend(decisions);
        let mut text = Vec::new();
        for attempt in attempts {
            let notification = &attempt.notification;
            self.changed.clone_from(&attempt.posted);
            text.push(format!("{}#{}", notification.id, attempt.number));
            let before = self
                .flying
                .insert(notification.id.clone(), notification.receiver.clone());
            assert!(before.is_none(), "{} is under way twice", notification.id);
        }
        assert_eq!(
            self.store.len(),
            self.outbox.waiting().count()
                + self.outbox.dead().count()
                + self.outbox.posts.len()
                + self.outbox.fallbacks.len(),
            "the journal has what waits, what is dead, where messages stand, and what fell back"
        );
        text.join(" ")
    }

    /// One step: these notifications, then what is due. Gives the attempts begun.
    pub(super) fn push(&mut self, second: i64, notes: &[Notification]) -> String {
        self.now = at(second);
        self.push_now(notes)
    }

    pub(super) fn push_now(&mut self, notes: &[Notification]) -> String {
        let mut effects = Effects::default();
        for note in notes {
            self.outbox.push(self.now, note.clone(), &mut effects);
        }
        self.outbox.due(self.now, &mut effects);
        let text = self.commit(effects);
        let next = self.outbox.next_wake();
        assert!(next.is_none_or(|next| next > self.now), "wakes in a circle");
        text
    }

    /// An attempt ends; nothing new begins yet.
    pub(super) fn end(&mut self, second: i64, id: &str, outcome: Outcome) {
        self.now = at(second);
        self.end_now(id, outcome);
    }

    /// The same, with what it posted.
    pub(super) fn end_with(&mut self, second: i64, id: &str, delivery: Delivery) {
        self.now = at(second);
        self.deliver(id, delivery);
    }

    /// The `ts` of the message that the last attempt is to change.
    pub(super) fn changed(&self) -> Option<String> {
        let posted = self.changed.as_ref()?;
        Some(posted.post.ts.to_string())
    }

    pub(super) fn end_now(&mut self, id: &str, outcome: Outcome) {
        self.deliver(id, outcome.into());
    }

    fn deliver(&mut self, id: &str, delivery: Delivery) {
        let mut effects = Effects::default();
        let id = id.into();
        self.flying.remove(&id);
        self.outbox.delivered(self.now, &id, delivery, &mut effects);
        self.commit(effects);
    }

    /// Goes to the moment that the outbox wants to be woken at.
    pub(super) fn wake(&mut self) -> String {
        let wake = self.outbox.next_wake().expect("something waits");
        self.now = self.now.max(wake);
        self.push_now(&[])
    }

    pub(super) fn crash(&mut self, second: i64) {
        self.now = at(second);
        self.flying.clear();
        let dead = self.store.values().filter_map(|record| match record {
            Record::Dead(letter) => Some(letter.clone()),
            _ => None,
        });
        let dead = dead.collect();
        let kept = Kept {
            waiting: self.records(),
            dead,
            posts: self.posts(),
            fallen: self.fallen(),
        };
        self.outbox = Outbox::restore(self.now, &self.policies, kept);
    }

    fn fallen(&self) -> Vec<(ReceiverName, GroupKey, Fallen)> {
        let records = self.store.iter();
        let fallen = records.filter_map(|(key, record)| match (key, record) {
            (Key::Fallen(receiver, group), Record::Fallen(fallen)) => {
                Some((receiver.clone(), group.clone(), fallen.clone()))
            }
            _ => None,
        });
        fallen.collect()
    }

    fn posts(&self) -> Vec<(ReceiverName, GroupKey, Posted)> {
        let records = self
            .store
            .iter()
            .filter_map(|(key, record)| match (key, record) {
                (Key::Post(receiver, group), Record::Post(posted)) => {
                    Some((receiver.clone(), group.clone(), posted.clone()))
                }
                _ => None,
            });
        records.collect()
    }

    /// Somebody sends again, or drops, and what is due begins.
    pub(super) fn change(&mut self, second: i64, change: &OutboxChange) -> String {
        self.now = at(second);
        let mut effects = Effects::default();
        self.outbox.change(self.now, change, &mut effects);
        self.outbox.due(self.now, &mut effects);
        self.commit(effects)
    }

    pub(super) fn records(&self) -> Vec<Waiting> {
        let waiting = |record: &Record| match record {
            Record::Outbox(waiting) => Some(waiting.clone()),
            Record::Dead(_) | Record::Post(_) | Record::Fallen(_) => None,
            other => panic!("not this stage's: {other:?}"),
        };
        self.store.values().filter_map(waiting).collect()
    }

    /// What the oldest attempt under way tells.
    pub(super) fn told_now(&self) -> Option<Arc<Notification>> {
        let mut waiting = self.outbox.waiting();
        let now = waiting.find(|one| self.flying.contains_key(&one.notification.id))?;
        Some(Arc::clone(&now.notification))
    }

    pub(super) fn in_flight(&self) -> Vec<String> {
        self.flying.keys().map(ToString::to_string).collect()
    }

    pub(super) fn decided(&self) -> String {
        let text = |decision: &Decision| {
            let id = decision
                .about
                .notification
                .as_ref()
                .expect("about a notification");
            format!("{} {id}", decision.reason)
        };
        self.decisions
            .iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn count(&self, name: &str) -> usize {
        self.decisions
            .iter()
            .filter(|one| one.reason.name() == name)
            .count()
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// A notification of one of three groups.
    State(usize),
    Resolve(usize),
    Occur(usize),
    Acknowledge(usize),
    /// The oldest attempt under way ends: accepted, failed, failed with `Retry-After`, refused.
    End(u8),
    Wait(i64),
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_usize).prop_map(Event::State),
        2 => (0..3_usize).prop_map(Event::Resolve),
        2 => (0..3_usize).prop_map(Event::Occur),
        2 => (0..3_usize).prop_map(Event::Acknowledge),
        5 => (0..4_u8).prop_map(Event::End),
        3 => (1..100_i64).prop_map(Event::Wait),
        1 => Just(Event::Crash),
    ]
}

fn outcome(which: u8) -> Outcome {
    match which {
        0 => Outcome::Accepted,
        1 => Outcome::Retry {
            after: None,
            why: "503".into(),
        },
        2 => Outcome::Retry {
            after: Some(SignedDuration::from_secs(30)),
            why: "429".into(),
        },
        _ => Outcome::Refused { why: "400".into() },
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_each_group_stays_in_order(
        events in prop::collection::vec(event(), 1..120),
        most in 1..4_u32,
    ) {
        let minutes = SignedDuration::from_mins(10);
        let terms = Policy { max_in_flight: most, give_up_after: minutes, acknowledges: true, ..policy("chat") };
        let mut rig = Rig::new(vec![terms]);
        let (mut second, mut pushed) = (0, 0_usize);
        let mut firing = [false; 3];
        let mut attempted: BTreeMap<String, i64> = BTreeMap::new();
        for event in events {
            second += 1;
            let mut new = Vec::new();
            match event {
                Event::State(group) => {
                    let cause = if firing[group] { Cause::Changed } else { Cause::New };
                    firing[group] = true;
                    new.push(note("chat", &format!("g{group}"), cause, second));
                }
                Event::Resolve(group) if firing[group] => {
                    firing[group] = false;
                    new.push(note("chat", &format!("g{group}"), Cause::Resolved, second));
                }
                Event::Acknowledge(group) if firing[group] => {
                    new.push(note("chat", &format!("g{group}"), Cause::Acknowledged, second));
                }
                Event::Resolve(_) | Event::Acknowledge(_) => {}
                Event::Occur(group) => new.push(occurred("chat", &format!("g{group}"), second)),
                Event::End(which) => {
                    if let Some(id) = rig.in_flight().first() {
                        rig.end(second, id, outcome(which));
                    }
                }
                Event::Wait(seconds) => second += seconds,
                Event::Crash => rig.crash(second),
            }
            pushed += new.len();
            for attempt in rig.push(second, &new).split_whitespace() {
                let (id, _) = attempt.split_once('#').expect("id#number");
                let (group, number) = id.split_once('-').expect("group-second");
                let number: i64 = number.parse().expect("a second");
                let last = attempted.insert(group.to_owned(), number);
                prop_assert!(last.is_none_or(|last| last <= number), "{id} after {last:?}");
            }
            prop_assert!(rig.in_flight().len() <= most as usize);
            let gone: usize = ["sent", "gave-up", "refused", "superseded", "cancelled"]
                .iter()
                .map(|name| rig.count(name))
                .sum();
            prop_assert_eq!(gone + rig.outbox.waiting().count(), pushed, "{}", rig.decided());
        }
    }

    #[test]
    fn a_group_that_fires_at_the_end_is_never_left_at_resolved(
        events in prop::collection::vec((0..6_u8, 0..3_u8), 1..60),
    ) {
        let mut rig = Rig::new(vec![policy("chat")]);
        // What the receiver knows: it hears every attempt but those that it refuses.
        let (mut second, mut firing, mut heard) = (0, false, false);
        let mut hear = |rig: &Rig| {
            for waiting in rig.outbox.waiting().filter(|waiting| {
                rig.flying.contains_key(&waiting.notification.id)
            }) {
                heard = waiting.notification.status == Status::Firing;
            }
            heard
        };
        for (what, end) in events {
            second += 1;
            let mut new = Vec::new();
            match (what, rig.in_flight().first()) {
                (0..2, _) => {
                    let cause = match (firing, what) {
                        (true, 0) => Cause::Resolved,
                        (true, _) => Cause::Changed,
                        (false, _) => Cause::New,
                    };
                    firing = cause != Cause::Resolved;
                    new.push(note("chat", "g", cause, second));
                }
                (2, _) => rig.crash(second),
                (_, Some(id)) => rig.end(second, id, outcome(end)),
                _ => {}
            }
            rig.push(second, &new);
            hear(&rig);
        }
        while rig.outbox.next_wake().is_some() || !rig.in_flight().is_empty() {
            match rig.in_flight().first() {
                Some(id) => rig.end_now(id, Outcome::Accepted),
                None => {
                    rig.wake();
                }
            }
            rig.push_now(&[]);
            hear(&rig);
        }
        prop_assert_eq!(hear(&rig), firing, "{}", rig.decided());
    }
}
