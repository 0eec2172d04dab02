//! While one alert fires, nobody need be told of certain others: Alertmanager's inhibition.
//!
//! What fires is enough: it need not have been told, and may itself be muted. An alert that is on
//! both sides of an inhibition is not inhibited by another that is on both sides.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::Index;
use super::route::tenant;
use crate::alert::{Alert, Nature, State};
use crate::config::Matchers;
use crate::names::{Fingerprint, InhibitionName, Labels, Uid};

/// An inhibition, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Inhibition {
    pub name: InhibitionName,
    pub namespace: Option<Arc<str>>,
    pub source: Matchers,
    pub target: Matchers,
    pub equal: Vec<Arc<str>>,
    /// Only what the source's object owns.
    pub owner: bool,
}

/// The values of the labels that both sides share, and with `owner` the source's object.
type Shared = (Vec<Arc<str>>, Option<Uid>);

/// An alert on the source side, and whether it is on the target side too.
#[derive(Debug)]
struct Source {
    alert: Arc<Alert>,
    both: bool,
}

/// All inhibitions, and the alerts that are the source of one.
#[derive(Debug, Default)]
pub(crate) struct Inhibitions {
    all: Vec<Inhibition>,
    sources: Index,
    targets: Index,
    /// By inhibition and shared values, the sources that fire.
    firing: Vec<BTreeMap<Shared, BTreeMap<Fingerprint, Source>>>,
    /// Where a source stands in `firing`.
    places: BTreeMap<Fingerprint, Vec<(usize, Shared)>>,
}

impl Inhibitions {
    pub(crate) fn new(all: Vec<Inhibition>) -> Self {
        Self {
            sources: Index::of(all.iter().map(|it| &it.source)),
            targets: Index::of(all.iter().map(|it| &it.target)),
            firing: all.iter().map(|_| BTreeMap::new()).collect(),
            places: BTreeMap::new(),
            all,
        }
    }

    /// An alert changed. Says whether it was a source and is no longer.
    pub(crate) fn notice(&mut self, alert: &Arc<Alert>) -> bool {
        let fires = alert.nature == Nature::State && alert.state == State::Firing && !alert.shadow;
        if !fires {
            return self.forget(alert.fingerprint);
        }
        if self.places.contains_key(&alert.fingerprint) {
            return false;
        }
        let mut places = Vec::new();
        for at in self.sources.candidates(&alert.labels) {
            let inhibition = &self.all[at];
            if concerns(inhibition, alert) && inhibition.source.matches(&alert.labels) {
                let owner = inhibition.owner.then_some(alert.object.uid);
                let shared = (shared(inhibition, &alert.labels), owner);
                let both = inhibition.target.matches(&alert.labels);
                let of_values = self.firing[at].entry(shared.clone()).or_default();
                let alert = Arc::clone(alert);
                of_values.insert(alert.fingerprint, Source { alert, both });
                places.push((at, shared));
            }
        }
        if !places.is_empty() {
            self.places.insert(alert.fingerprint, places);
        }
        false
    }

    fn forget(&mut self, alert: Fingerprint) -> bool {
        let Some(places) = self.places.remove(&alert) else {
            return false;
        };
        for (at, shared) in places {
            if let Some(of_values) = self.firing[at].get_mut(&shared) {
                of_values.remove(&alert);
                if of_values.is_empty() {
                    self.firing[at].remove(&shared);
                }
            }
        }
        true
    }

    /// Whether one of them asks who owns what.
    pub(crate) fn ask_for_owners(&self) -> bool {
        self.all.iter().any(|inhibition| inhibition.owner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What keeps the alert from being told, and the alert that is the reason.
    pub(crate) fn inhibits(&self, alert: &Alert) -> Option<(&InhibitionName, &Alert)> {
        self.targets
            .candidates(&alert.labels)
            .into_iter()
            .find_map(|at| {
                let inhibition = &self.all[at];
                if !concerns(inhibition, alert) || !inhibition.target.matches(&alert.labels) {
                    return None;
                }
                let values = shared(inhibition, &alert.labels);
                let owners: Vec<Option<Uid>> = if inhibition.owner {
                    alert.owners.iter().copied().map(Some).collect()
                } else {
                    vec![None]
                };
                let firing = owners.into_iter();
                let firing = firing.filter_map(|it| self.firing[at].get(&(values.clone(), it)));
                let both = inhibition.source.matches(&alert.labels);
                let mut sources = firing.flat_map(BTreeMap::values);
                let source = sources.find(|source| !(both && source.both))?;
                Some((&inhibition.name, &*source.alert))
            })
    }
}

/// Whether the alert is one of those that the inhibition may speak of.
fn concerns(inhibition: &Inhibition, alert: &Alert) -> bool {
    let namespace = inhibition.namespace.as_deref();
    namespace.is_none() || namespace == tenant(&alert.rule)
}

fn shared(inhibition: &Inhibition, labels: &Labels) -> Vec<Arc<str>> {
    let value = |name| labels.get(name).cloned().unwrap_or_else(|| Arc::from(""));
    inhibition.equal.iter().map(value).collect()
}
