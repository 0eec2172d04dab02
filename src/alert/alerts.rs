//! [`Alerts`]: all alerts that exist, found by fingerprint, by object and rule, and by timer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Alert, Nature, State};
use crate::engine::Effects;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, RuleName, Uid};

/// The alerts that exist. What it changes, it also writes to the journal.
#[derive(Debug, Default)]
pub struct Alerts {
    all: BTreeMap<Fingerprint, Arc<Alert>>,
    /// The pending and firing alerts that can resolve: at most one for a rule and an object.
    active: HashMap<Uid, Vec<(RuleName, Fingerprint)>>,
    timers: BTreeSet<(Timestamp, Fingerprint)>,
    timer_of: HashMap<Fingerprint, Timestamp>,
}

impl Alerts {
    /// The alerts of the journal. Their timers are set by whoever knows the rules.
    #[must_use]
    pub fn restore(alerts: impl IntoIterator<Item = Arc<Alert>>) -> Self {
        let mut restored = Self::default();
        for alert in alerts {
            restored.insert(alert);
        }
        restored
    }

    #[must_use]
    pub fn get(&self, fingerprint: Fingerprint) -> Option<&Arc<Alert>> {
        self.all.get(&fingerprint)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.all.values()
    }

    /// The pending or firing alert of a rule about an object.
    #[must_use]
    pub fn active(&self, uid: Uid, rule: &RuleName) -> Option<&Arc<Alert>> {
        let (_, fingerprint) = self
            .active
            .get(&uid)?
            .iter()
            .find(|(name, _)| name == rule)?;
        self.all.get(fingerprint)
    }

    /// All pending and firing alerts about an object.
    #[must_use]
    pub fn active_on(&self, uid: Uid) -> Vec<Arc<Alert>> {
        let of_object = self.active.get(&uid).into_iter().flatten();
        of_object
            .filter_map(|(_, fingerprint)| self.all.get(fingerprint).cloned())
            .collect()
    }

    /// Takes an alert that no rule's verdict made.
    pub fn put(&mut self, alert: Alert, effects: &mut Effects) -> Arc<Alert> {
        self.keep(alert, effects)
    }

    /// Keeps this version of an alert, here and in the journal.
    pub(super) fn keep(&mut self, alert: Alert, effects: &mut Effects) -> Arc<Alert> {
        let alert = Arc::new(alert);
        self.insert(alert.clone());
        effects.put(Key::Alert(alert.fingerprint), Record::Alert(alert.clone()));
        alert
    }

    /// Forgets an alert, here and in the journal.
    pub(super) fn forget(&mut self, fingerprint: Fingerprint, effects: &mut Effects) {
        if let Some(alert) = self.all.remove(&fingerprint) {
            self.deactivate(&alert);
            self.set_timer(fingerprint, None);
            effects.remove(Key::Alert(fingerprint));
        }
    }

    /// Nobody needs to be told about this alert any more.
    pub fn release(&mut self, fingerprint: Fingerprint, effects: &mut Effects) {
        let Some(alert) = self.all.get(&fingerprint) else {
            return;
        };
        match (alert.nature, alert.state) {
            (Nature::Occurrence, _) | (_, State::Resolved) => self.forget(fingerprint, effects),
            (_, State::Pending) if alert.resolution.is_some() => {
                let reborn = Alert {
                    resolution: None,
                    ..Alert::clone(alert)
                };
                self.keep(reborn, effects);
            }
            (_, State::Pending | State::Firing) => {}
        }
    }

    /// Wakes an alert at this moment, or not at all.
    pub(super) fn set_timer(&mut self, fingerprint: Fingerprint, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => {
                self.timers.insert((at, fingerprint));
                self.timer_of.insert(fingerprint, at)
            }
            None => self.timer_of.remove(&fingerprint),
        };
        if let Some(before) = before.filter(|before| Some(*before) != at) {
            self.timers.remove(&(before, fingerprint));
        }
    }

    /// The next alert whose timer is over, once.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Arc<Alert>> {
        while let Some((at, fingerprint)) = self.timers.first().copied() {
            if at > now {
                return None;
            }
            self.set_timer(fingerprint, None);
            if let Some(alert) = self.all.get(&fingerprint) {
                return Some(alert.clone());
            }
        }
        None
    }

    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn insert(&mut self, alert: Arc<Alert>) {
        let active = alert.nature == Nature::State && alert.state != State::Resolved;
        self.deactivate(&alert);
        if active {
            self.active
                .entry(alert.object.uid)
                .or_default()
                .push((alert.rule.clone(), alert.fingerprint));
        }
        self.all.insert(alert.fingerprint, alert);
    }

    fn deactivate(&mut self, alert: &Alert) {
        let uid = alert.object.uid;
        if let Some(of_object) = self.active.get_mut(&uid) {
            of_object.retain(|(_, fingerprint)| *fingerprint != alert.fingerprint);
            if of_object.is_empty() {
                self.active.remove(&uid);
            }
        }
    }
}
