//! The end of a history: nothing fails any more, hours pass, and everything must be as it should.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::bridge::{Bridge, waiting};
use super::model::{Model, Subject, state};
use super::plan::Mode;
use super::setup::{RECEIVERS, hears};
use crate::alert::{Alert, Nature, State};
use crate::journal::{Key, Record};
use crate::names::{GroupKey, Uid};
use crate::notify::later;

/// How long everything is left alone at the end.
const REST: SignedDuration = SignedDuration::from_hours(3);

impl Bridge {
    /// Nothing fails any more, and hours pass: everything must be as it should.
    pub fn rest(&mut self) {
        self.fuse = None;
        for receiver in &mut self.receivers {
            receiver.mode = Mode::Up;
        }
        self.list_all(0);
        self.run_to(later(self.now, REST));
        let margin = SignedDuration::from_mins(1);
        while self.broken.is_none() && self.edits.routed && self.is_shut(margin) {
            self.run_to(later(self.now, SignedDuration::from_mins(5)));
        }
        if self.broken.is_none() {
            self.judge();
        }
    }

    fn judge(&mut self) {
        let (truth, unknown) = Model::truth(self.now, &self.cluster, self.edits.extra);
        let alerts: Vec<Alert> = self
            .engine
            .alerts()
            .map(|alert| Alert::clone(alert))
            .collect();
        let firing = alerts.iter().filter(|alert| alert.state == State::Firing);
        self.compare("fire", firing.collect(), &truth, &unknown, &|_| true);
        for (which, name) in RECEIVERS.into_iter().enumerate() {
            let receiver = &self.receivers[which];
            let subject = |alert: &Alert| Some((state(alert.rule.as_str())?, alert.object.uid));
            let fires = |alert: &Alert| subject(alert).is_some_and(|one| truth.contains(&one));
            let in_digest = |group: &GroupKey| group.as_str().contains("{digest}");
            // What the last message about its group did not name is not known to fire.
            let firing = receiver.firing.iter();
            let firing = firing.filter(|(place, _)| !receiver.left_out.contains(place));
            let all = || firing.clone();
            // A digest resolves when all of it has.
            let open = all().filter(|((group, _), alert)| in_digest(group) && fires(alert));
            let open: BTreeSet<&GroupKey> = open.map(|((group, _), _)| group).collect();
            let told: Vec<Alert> = all()
                .filter(|((group, _), alert)| fires(alert) || !open.contains(group))
                .map(|(_, alert)| Alert::clone(alert))
                .collect();
            let hears = move |rule: &str| hears(name, rule);
            let what = format!("are known to {name} to fire");
            // Whoever was told of it before it was explained by another knows of it.
            let unknown = self
                .explained_by_others(&truth)
                .chain(unknown.iter().copied());
            let unknown = unknown.collect();
            self.compare(&what, told.iter().collect(), &truth, &unknown, &hears);
        }
        if let Some(id) = self.journal.keys().find_map(waiting) {
            self.breaks(format!("{id} still waits"));
        }
        self.all_is_explained();
        self.nothing_piles_up();
    }

    /// What need not be told, because something else says it.
    fn explained_by_others<'a>(
        &self,
        truth: &'a BTreeSet<Subject>,
    ) -> impl Iterator<Item = Subject> + use<'a> {
        let routed = self.edits.routed;
        let short = truth
            .iter()
            .filter(move |(rule, _)| routed && *rule == "short");
        let failed = |uid: &Uid| truth.contains(&("failed", *uid));
        short.filter(move |(_, uid)| failed(uid)).copied()
    }

    /// Compares what fires somewhere with what is so; what cannot be told is left out.
    fn compare(
        &mut self,
        what: &str,
        alerts: Vec<&Alert>,
        truth: &BTreeSet<Subject>,
        unknown: &BTreeSet<Subject>,
        concerns: &dyn Fn(&str) -> bool,
    ) {
        let alerts = alerts
            .into_iter()
            .filter(|alert| alert.nature == Nature::State);
        let found: BTreeSet<Subject> = alerts
            .filter_map(|alert| Some((state(alert.rule.as_str())?, alert.object.uid)))
            .filter(|subject| !unknown.contains(subject))
            .collect();
        let wanted: BTreeSet<Subject> = truth
            .iter()
            .filter(|(rule, _)| concerns(rule))
            .filter(|subject| !unknown.contains(subject))
            .copied()
            .collect();
        if found != wanted {
            self.breaks(format!("{found:?} {what}, and {wanted:?} should"));
        }
    }

    /// What fired was told to each of its receivers, or taken back before.
    fn all_is_explained(&mut self) {
        for (which, name) in RECEIVERS.iter().enumerate() {
            let untold = self.fired.iter().find(|(fingerprint, alert)| {
                let explained = (name.to_string(), **fingerprint);
                let silenced = alert.nature == Nature::Occurrence
                    && self.silenced.contains(alert.rule.as_str());
                let concerns = !silenced
                    && !self.explained.contains(&explained)
                    && hears(name, alert.rule.as_str());
                concerns && !alert.shadow && !self.receivers[which].ever.contains(fingerprint)
            });
            if let Some((_, alert)) = untold {
                let (rule, object) = (&alert.rule, &alert.object.name);
                return self.breaks(format!("{name} never heard of {rule} of {object}"));
            }
        }
    }

    /// What is kept is what is there.
    fn nothing_piles_up(&mut self) {
        let count = |is: &dyn Fn(&Key) -> bool| self.journal.keys().filter(|key| is(key)).count();
        let objects = self.cluster.databases.iter().flatten().count()
            + self.cluster.caches.iter().flatten().count();
        let kept = count(&|key| matches!(key, Key::Object(..)));
        let events = count(&|key| matches!(key, Key::Event(_)));
        // A digest tells all of its ends together.
        let digest =
            count(&|key| matches!(key, Key::Group(group) if group.as_str().contains("{digest}")));
        let over = self.journal.values().find_map(|record| match record {
            Record::Alert(alert) if alert.state == State::Resolved => Some(alert.rule.clone()),
            _ => None,
        });
        if let Some(rule) = over.filter(|_| digest == 0) {
            self.breaks(format!("an alert of {rule} that is over is kept"));
        }
        if kept > objects || events > self.cluster.warnings.len() {
            self.breaks(format!("{kept} objects and {events} Events are kept"));
        }
    }
}
