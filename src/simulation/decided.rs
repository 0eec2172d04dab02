//! What the simulated bridge decides, compared with what it may.

use super::bridge::Bridge;
use crate::alert::Alert;
use crate::decision::{Decision, Reason};
use crate::journal::{Key, Record};

impl Bridge {
    pub(super) fn decided(&mut self, decision: &Decision) {
        let about = &decision.about;
        self.told
            .push(format!("{} {} {about:?}", decision.at, decision.reason));
        match decision.reason {
            Reason::Cancelled
            | Reason::Superseded
            | Reason::Silenced(_)
            | Reason::Inhibited(_)
            | Reason::Muted(_) => {
                let receiver = about.receiver.as_ref().map_or("", |name| name.as_str());
                let told = about
                    .notification
                    .as_ref()
                    .and_then(|id| self.written.get(id));
                let alerts = told.into_iter().flatten().chain(&about.alert);
                let alerts = alerts.map(|alert| (receiver.to_owned(), *alert));
                self.explained.extend(alerts);
            }
            Reason::Firing => {
                if let (Some(rule), Some(object)) = (&about.rule, &about.object) {
                    let may = self.model.may_fire(self.now, rule.as_str(), object.uid);
                    if let Err(why) = may {
                        self.breaks(why);
                    }
                }
            }
            Reason::Occurred => {
                if let (Some(rule), Some(object)) = (&about.rule, &about.object)
                    && rule.as_str() == "created"
                    && !self.created.insert(object.uid)
                {
                    self.breaks(format!("{} was created twice", object.name));
                }
            }
            _ => {}
        }
        if matches!(decision.reason, Reason::Firing | Reason::Occurred)
            && let Some(fingerprint) = about.alert
            && let Some(Record::Alert(alert)) = self.journal.get(&Key::Alert(fingerprint))
        {
            self.fired.insert(fingerprint, Alert::clone(alert));
        }
    }
}
