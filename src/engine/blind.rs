//! Notices about the bridge's own sight: a stream that is broken, a rule that cannot be evaluated.
//! They are alerts like others, told once to the receivers of the rules that they concern.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::stream::{Health, PATIENCE};
use super::{Effects, Engine};
use crate::alert::{Alert, Nature, State, Texts};
use crate::cel::{Json, Map};
use crate::decision::{About, Reason};
use crate::evaluate::Rule;
use crate::names::{Fingerprint, Labels, ObjectRef, SourceKey, Uid};
use crate::watch::Source;

impl Engine {
    /// When the next broken stream has been broken for too long.
    pub(super) fn next_blind(&self) -> Option<Timestamp> {
        let healths = self.streams.iter().map(|stream| &stream.health);
        healths
            .chain(self.event_streams.iter().map(|stream| &stream.health))
            .filter_map(|health| health.broken.as_ref().filter(|broken| !broken.told))
            .filter_map(|broken| broken.since.checked_add(PATIENCE).ok())
            .map(|at| {
                at.saturating_add(jiff::SignedDuration::from_millis(1))
                    .unwrap_or(at)
            })
            .min()
    }

    /// Tells those who rely on a stream, once, that nothing is known since it broke.
    pub(super) fn tell_of_blindness(&mut self, effects: &mut Effects) {
        for at in 0..self.streams.len() {
            let source = &self.rules.sources[at];
            let (key, kind) = (source.key.clone(), source.source.kind.clone());
            let joined = source.joined_by.iter();
            let joined = joined.map(|(at, position)| self.rules.sources[*at].rules[*position]);
            let numbers: BTreeSet<usize> = source.rules.iter().copied().chain(joined).collect();
            let numbers: Vec<usize> = numbers.into_iter().collect();
            if let Some(why) = newly_stale(&mut self.streams[at].health, self.now) {
                self.blind(&key, &kind, &numbers, &why, effects);
            }
        }
        for at in 0..self.event_streams.len() {
            let stream = &mut self.event_streams[at];
            if let Some(why) = newly_stale(&mut stream.health, self.now) {
                let (key, kind) = (stream.key.clone(), Source::events().kind);
                let numbers = self.readers_of(at);
                self.blind(&key, &kind, &numbers, &why, effects);
            }
        }
    }

    /// The numbers of the rules that read a stream of Events.
    fn readers_of(&self, events: usize) -> Vec<usize> {
        let rules = self.rules.sources.iter();
        let rules = rules.flat_map(|watched| watched.rules.iter().zip(&watched.joins));
        let readers = rules.filter(|(_, joins)| joins.events == Some(events));
        let numbers: BTreeSet<usize> = readers.map(|(number, _)| *number).collect();
        numbers.into_iter().collect()
    }

    fn blind(
        &mut self,
        source: &SourceKey,
        kind: &Arc<str>,
        numbers: &[usize],
        why: &str,
        effects: &mut Effects,
    ) {
        let about = About {
            source: Some(source.clone()),
            ..About::default()
        };
        effects.decide(self.now, Reason::Blind(why.to_owned()), about);
        let object = ObjectRef {
            api_version: Arc::from(""),
            kind: kind.clone(),
            namespace: None,
            name: Arc::from("*"),
            uid: Uid::parse(source.as_str()),
        };
        // A shadow tells nobody: it must not count as if it had.
        let rules = numbers.iter().map(|number| &self.rules.rules[*number]);
        let mut rules: Vec<Arc<Rule>> = rules.cloned().collect();
        rules.sort_by_key(|rule| rule.shadow);
        let mut heard = BTreeSet::new();
        for rule in rules {
            let notice = self.notice(&rule, &object, source, "blind", why);
            let receivers: BTreeSet<_> = self.notify.receivers_of(&notice).into_iter().collect();
            if !receivers.is_subset(&heard) {
                heard.extend(receivers);
                self.tell_notice(notice, effects);
            }
        }
    }

    /// A notice. Its reason is a value of its view, never part of a template.
    pub(super) fn notice(
        &self,
        rule: &Rule,
        object: &ObjectRef,
        source: &SourceKey,
        what: &str,
        why: &str,
    ) -> Alert {
        let summary = match what {
            "blind" => "blind to {{params.kind}}: {{params.notice}}",
            _ => "can no longer be evaluated: {{params.notice}}",
        };
        let params = Map::new(vec![
            ("kind".into(), Json::from(&*object.kind)),
            ("notice".into(), Json::from(why)),
        ]);
        let view = Map::new(vec![("params".into(), Json::Map(params))]);
        let now = self.now.to_string();
        let parts = [
            "notice",
            what,
            rule.name.as_str(),
            &object.uid.to_string(),
            &now,
        ];
        Alert {
            fingerprint: Fingerprint::of(&parts),
            rule: rule.name.clone(),
            source: source.clone(),
            object: object.clone(),
            dedup_key: None,
            nature: Nature::Occurrence,
            state: State::Firing,
            labels: notice_labels(rule, object, &self.cluster, what),
            severity: rule.severity,
            receivers: rule.receivers.clone(),
            active_since: self.now,
            fired_at: Some(self.now),
            keep_since: None,
            unknown_since: None,
            resolution: None,
            count: 1,
            owners: Vec::new(),
            late: false,
            shadow: rule.shadow,
            routed: rule.routed,
            texts: Texts {
                summary: Some(summary.into()),
                ..Texts::default()
            },
            view: Arc::new(Json::Map(view)),
        }
    }

    pub(super) fn tell_notice(&mut self, notice: Alert, effects: &mut Effects) {
        let alert = self.alerts.put(notice, effects);
        self.tell(&alert, effects);
    }
}

/// Why a stream is newly stale, marking it as told.
fn newly_stale(health: &mut Health, now: Timestamp) -> Option<String> {
    let stale = health.is_stale(now);
    let broken = health.broken.as_mut().filter(|broken| !broken.told)?;
    if !stale {
        return None;
    }
    broken.told = true;
    Some(format!("since {}: {}", broken.since, broken.why))
}

fn notice_labels(rule: &Rule, object: &ObjectRef, cluster: &Arc<str>, what: &str) -> Labels {
    // Routes may go by them.
    let mut labels: Labels = rule.labels.iter().cloned().collect();
    let mut put = |name: &str, value: &str| labels.insert(name.into(), value.into());
    put("alertname", rule.name.as_str());
    put("severity", rule.severity.as_str());
    put("cluster", cluster);
    put("kind", &object.kind);
    put("name", &object.name);
    put(Alert::NOTICE, what);
    if let Some(namespace) = &object.namespace {
        put("namespace", namespace);
    }
    labels
}
