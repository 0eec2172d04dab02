//! For some time nobody is told of certain alerts, because somebody said so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::index::Index;
use super::route::tenant;
use crate::alert::Alert;
use crate::config::Matchers;
use crate::names::SilenceName;

/// A silence: from a document, or made while the bridge runs and then kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    pub name: SilenceName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    pub matchers: Matchers,
    /// Only a document has one.
    #[serde(skip)]
    pub condition: Option<Condition>,
    pub starts_at: Timestamp,
    /// The first moment at which it is over.
    pub ends_at: Timestamp,
    pub comment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// What is done to the silences that were made while the bridge runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SilenceChange {
    /// A new one, or another version of one.
    Put(Silence),
    /// It is over now.
    Expire(SilenceName),
}

/// All silences.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    /// From documents.
    written: Vec<Silence>,
    /// Made while the bridge runs.
    made: BTreeMap<SilenceName, Silence>,
    /// When each of those ends.
    ends: BTreeSet<(Timestamp, SilenceName)>,
    /// When silences begin that have not been looked at since.
    begins: BTreeSet<Timestamp>,
    /// Both, in the order of the index.
    all: Vec<Silence>,
    index: Index,
}

impl Silences {
    /// The documents are new.
    pub(crate) fn write(&mut self, written: Vec<Silence>) {
        self.written = written;
        self.reindex();
    }

    /// Those that the journal kept.
    pub(crate) fn restore(&mut self, made: Vec<Silence>) {
        self.made
            .extend(made.into_iter().map(|it| (it.name.clone(), it)));
        self.reindex();
    }

    pub(crate) fn put(&mut self, silence: Silence) {
        self.made.insert(silence.name.clone(), silence);
        self.reindex();
    }

    /// Takes out one that was made while the bridge runs.
    pub(crate) fn remove(&mut self, name: &SilenceName) -> Option<Silence> {
        let removed = self.made.remove(name)?;
        self.reindex();
        Some(removed)
    }

    /// Takes out those that were made while the bridge runs and are over.
    pub(crate) fn take_over(&mut self, now: Timestamp) -> Vec<Silence> {
        if self.next_end().is_none_or(|end| end > now) {
            return Vec::new();
        }
        let over = self.made.values().filter(|it| it.ends_at <= now);
        let over: Vec<Silence> = over.cloned().collect();
        for silence in &over {
            self.made.remove(&silence.name);
        }
        self.reindex();
        over
    }

    /// When the first of those that were made while the bridge runs is over.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Whether silences have begun since this was asked last, or since there are others.
    pub(crate) fn take_begun(&mut self, now: Timestamp) -> bool {
        let mut begun = false;
        while self.begins.first().is_some_and(|begin| *begin <= now) {
            self.begins.pop_first();
            begun = true;
        }
        begun
    }

    /// When the first silence begins that [`Self::take_begun`] has not told of.
    pub(crate) fn next_begin(&self) -> Option<Timestamp> {
        self.begins.first().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.all.iter()
    }

    /// Whether it was made while the bridge runs.
    pub(crate) fn is_made(&self, name: &SilenceName) -> bool {
        self.made.contains_key(name)
    }

    /// The silence that is longest over the alert now; and conditions that cannot be evaluated,
    /// which silence nothing.
    pub(crate) fn over(&self, alert: &Alert, now: Timestamp) -> (Option<&Silence>, Vec<String>) {
        let mut complaints = Vec::new();
        let mut longest: Option<&Silence> = None;
        for at in self.index.candidates(&alert.labels) {
            let silence = &self.all[at];
            let namespace = silence.namespace.as_deref();
            let concerns = namespace.is_none() || namespace == tenant(&alert.rule);
            let runs = silence.starts_at <= now && now < silence.ends_at;
            if !concerns || !runs || !silence.matchers.matches(&alert.labels) {
                continue;
            }
            match silence.condition.as_ref().map(|it| it.holds(alert)) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => continue,
                Some(Err(why)) => {
                    complaints.push(format!("silence {}: where: {why}", silence.name));
                    continue;
                }
            }
            if longest.is_none_or(|known| known.ends_at < silence.ends_at) {
                longest = Some(silence);
            }
        }
        (longest, complaints)
    }

    fn reindex(&mut self) {
        let made = self.made.values();
        self.ends = made.map(|it| (it.ends_at, it.name.clone())).collect();
        self.all = self
            .written
            .iter()
            .chain(self.made.values())
            .cloned()
            .collect();
        self.begins = self.all.iter().map(|it| it.starts_at).collect();
        self.index = Index::of(self.all.iter().map(|it| &it.matchers));
    }
}
