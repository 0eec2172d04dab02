//! A new alert, with everything that it takes from the moment of its verdict.

use std::sync::Arc;

use super::life::Subject;
use super::{Alert, Nature, State};
use crate::decision::{About, Reason};
use crate::engine::Effects;
use crate::evaluate::Rule;
use crate::names::{Fingerprint, Labels};

/// A new alert with everything that it takes from this moment.
pub(super) fn draw(
    rule: &Rule,
    subject: &Subject<'_>,
    fingerprint: Fingerprint,
    dedup_key: Option<Arc<str>>,
    nature: Nature,
    effects: &mut Effects,
) -> Alert {
    let moment = subject.moment;
    let (labels, complaints): (Labels, _) =
        rule.labels(moment, subject.object, subject.cluster, dedup_key.as_ref());
    for complaint in complaints {
        let about = about_object(rule, subject);
        effects.decide(moment.now, Reason::Unknown(complaint), about);
    }
    Alert {
        fingerprint,
        rule: rule.name.clone(),
        source: subject.source.clone(),
        object: subject.object.clone(),
        dedup_key,
        nature,
        state: State::Pending,
        labels,
        severity: rule.severity,
        receivers: rule.receivers.clone(),
        active_since: moment.now,
        fired_at: None,
        keep_since: None,
        unknown_since: None,
        resolution: None,
        count: 1,
        owners: moment.owners.to_vec(),
        late: moment.late,
        shadow: rule.shadow,
        routed: rule.routed,
        texts: rule.texts.clone(),
        view: Arc::new(rule.view_at(moment, subject.object, subject.base)),
    }
}

/// The value, or a decision that it is unknown.
pub(super) fn complain<T>(
    rule: &Rule,
    subject: &Subject<'_>,
    result: Result<T, String>,
    effects: &mut Effects,
) -> Option<T> {
    result
        .map_err(|why| {
            let about = about_object(rule, subject);
            effects.decide(subject.moment.now, Reason::Unknown(why), about);
        })
        .ok()
}

pub(super) fn about_object(rule: &Rule, subject: &Subject<'_>) -> About {
    About {
        rule: Some(rule.name.clone()),
        object: Some(subject.object.clone()),
        ..About::default()
    }
}

pub(super) fn about(alert: &Alert) -> About {
    About {
        rule: Some(alert.rule.clone()),
        object: Some(alert.object.clone()),
        alert: Some(alert.fingerprint),
        ..About::default()
    }
}

pub(super) fn fingerprint(parts: &[&str], dedup_key: Option<&str>) -> Fingerprint {
    let mut parts = parts.to_vec();
    parts.extend(dedup_key);
    Fingerprint::of(&parts)
}
