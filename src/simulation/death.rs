//! The death of the simulated process, at any effect, and its return with what was persisted by then.

use jiff::SignedDuration;

use super::bridge::{Bridge, waiting};
use super::cluster;
use super::receivers::Receiver;
use super::setup::RECEIVERS;
use crate::alert::{Nature, State};
use crate::engine::Engine;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, NotificationId};

/// The process is about to be killed.
#[derive(Clone, Copy)]
pub(super) struct Fuse {
    pub(super) left: usize,
    pub(super) away: i64,
    pub(super) clock: i64,
}

impl Bridge {
    /// The process dies here, and starts again with what was persisted.
    pub(super) fn kill(&mut self) {
        let Some(fuse) = self.fuse.take() else { return };
        self.told.push(format!("{} killed", self.now));
        self.deaths += 1;
        let waiting: Vec<&NotificationId> = self.journal.keys().filter_map(waiting).collect();
        for receiver in &mut self.receivers {
            let told = waiting.iter().filter(|id| receiver.has_heard(id));
            let told: Vec<NotificationId> = told.map(|id| (*id).clone()).collect();
            receiver.excused.extend(told);
        }
        for (receiver, name) in self.receivers.iter_mut().zip(RECEIVERS) {
            let paused = self.journal.values().filter_map(|record| match record {
                Record::Outbox(one) if one.notification.receiver.as_str() == name => {
                    one.paused_until
                }
                _ => None,
            });
            receiver.killed(paused.max());
        }
        let fires = |fingerprint: &Fingerprint| {
            let record = self.journal.get(&Key::Alert(*fingerprint));
            matches!(record, Some(Record::Alert(alert)) if alert.state == State::Firing)
        };
        // The decision that says why may not have been told any more.
        self.fired.retain(|fingerprint, _| fires(fingerprint));
        let alerts = self.journal.values().filter_map(|record| match record {
            Record::Alert(alert) => Some(&**alert),
            _ => None,
        });
        self.model
            .killed(alerts.filter(|alert| alert.nature == Nature::State));
        self.answers.clear();
        for connection in &mut self.cluster.streams {
            *connection = cluster::Connection::default();
        }
        let away = SignedDuration::from_secs(fuse.away + fuse.clock);
        self.now = self.now.checked_add(away).unwrap_or(self.now);
        if fuse.clock != 0 {
            self.receivers.iter_mut().for_each(Receiver::clock_was_set);
        }
        self.model.started(self.now);
        let records = self.journal.clone().into_iter().collect();
        self.engine = Engine::restore(self.now, self.setup.clone(), records);
        self.note_beginning();
        self.list_all(fuse.away);
    }
}
