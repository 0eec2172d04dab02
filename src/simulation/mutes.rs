//! What keeps alerts back in the simulated world: somebody's silences, an inhibition, a route's hours.

use jiff::{SignedDuration, Timestamp};

use super::bridge::Bridge;
use super::setup::{SHUT_MINUTES, of_rule};
use crate::alert::{Alert, Nature, State};
use crate::engine::Input;
use crate::journal::{Key, Record};
use crate::notify::{Notification, Silence, SilenceChange, later};

impl Bridge {
    pub(super) fn silence(&mut self, rule: &str, seconds: i64) {
        self.silenced.insert(rule.to_owned());
        self.silences += 1;
        let silence = Silence {
            name: rule.into(),
            namespace: None,
            matchers: of_rule(rule),
            condition: None,
            starts_at: self.now,
            ends_at: later(self.now, SignedDuration::from_secs(seconds)),
            comment: "simulated".to_owned(),
            created_by: None,
        };
        self.step(Input::SilencesChanged(vec![SilenceChange::Put(silence)]));
    }

    /// That somebody is at it is said of what is silenced, once for each silence.
    pub(super) fn somebody_is_at(&mut self, told: &Notification) {
        let group = &told.group;
        let mut alerts = told.alerts.iter();
        if told.receiver.as_str() != "pager" {
            self.breaks(format!("{group} is acknowledged, which nobody there knows"));
        } else if let Some(alert) = alerts.find(|alert| self.is_kept_back(alert).is_none()) {
            let name = &alert.object.name;
            self.breaks(format!(
                "{group} is acknowledged, and {name} is not silenced"
            ));
        } else if self.acknowledged.insert(group.clone(), self.silences) == Some(self.silences) {
            self.breaks(format!("{group} is acknowledged twice"));
        }
    }

    /// Whether the hours of a route are now, or begin or end so soon.
    pub(super) fn is_shut(&self, margin: SignedDuration) -> bool {
        let minutes = |at: Timestamp| at.as_second().rem_euclid(3600) / 60;
        let at = [self.now, later(self.now, -margin), later(self.now, margin)];
        at.iter().any(|at| minutes(*at) < i64::from(SHUT_MINUTES))
    }

    /// Nobody is told, in something that is written down now, of what is to be kept back.
    pub(super) fn is_kept_back(&self, alert: &Alert) -> Option<String> {
        let rule = alert.rule.as_str();
        let is_over = alert.nature == Nature::State && alert.state != State::Firing;
        // That nothing can be seen is told whatever somebody silenced.
        if is_over || alert.is_notice() {
            return None;
        }
        let silence = self.journal.get(&Key::Silence(rule.into()));
        if let Some(Record::Silence(silence)) = silence
            && (silence.starts_at..silence.ends_at).contains(&self.now)
        {
            return Some(format!("{rule} is silenced until {}", silence.ends_at));
        }
        if self.edits.routed && rule == "large" && self.is_shut(SignedDuration::ZERO) {
            return Some(format!("{rule} is told outside of its hours"));
        }
        let explains = |record: &Record| match record {
            Record::Alert(other) => {
                other.rule.as_str() == "failed"
                    && other.state == State::Firing
                    && other.object.uid == alert.object.uid
                    && other.fired_at.is_some_and(|at| at < self.now)
            }
            _ => false,
        };
        let explained = self.edits.routed && rule == "short" && self.journal.values().any(explains);
        explained.then(|| format!("{rule} is explained by failed"))
    }
}
