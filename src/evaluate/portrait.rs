//! What an alert takes with it from the moment it was made: labels, dedup key, and the view that
//! templates read. Frozen here, so that a message never depends on what came later.

use std::sync::Arc;

use super::changes::{Base, changes};
use super::moment::in_words;
use super::{Moment, Rule};
use crate::cel::{Json, Map, Program};
use crate::names::{Labels, ObjectRef};

/// What could not be computed: the part of the rule, and why.
pub type Complaint = String;

impl Rule {
    /// The alert's labels: those that are always there, the literal ones, the computed ones. One
    /// that cannot be computed is empty, and complained of: the alert is worth more than a label.
    #[must_use]
    pub fn labels(
        &self,
        moment: &Moment<'_>,
        object: &ObjectRef,
        cluster: &Arc<str>,
        dedup_key: Option<&Arc<str>>,
    ) -> (Labels, Vec<Complaint>) {
        let mut labels: Labels = self.labels.iter().cloned().collect();
        let mut complaints = Vec::new();
        for (name, program) in &self.label_expressions {
            let value = self.text(program, moment).unwrap_or_else(|why| {
                complaints.push(format!("label {name}: {why}"));
                Arc::from("")
            });
            labels.insert(name.clone(), value);
        }
        let mut always = |name: &str, value: &Arc<str>| {
            labels.insert(name.into(), value.clone());
        };
        always("alertname", &self.name.as_str().into());
        always("severity", &self.severity.as_str().into());
        always("cluster", cluster);
        always("kind", &object.kind);
        always("name", &object.name);
        if let Some(namespace) = &object.namespace {
            always("namespace", namespace);
        }
        if let Some(key) = dedup_key {
            always("dedupKey", key);
        }
        (labels, complaints)
    }

    /// The value of `dedupKey`, if the rule has one.
    ///
    /// # Errors
    /// When it cannot be computed, in words.
    pub fn dedup_key_at(&self, moment: &Moment<'_>) -> Result<Option<Arc<str>>, Complaint> {
        self.dedup_key
            .as_ref()
            .map(|program| self.text(program, moment))
            .transpose()
            .map_err(|why| format!("dedupKey: {why}"))
    }

    /// What the templates may read of this moment.
    #[must_use]
    pub fn view_at(&self, moment: &Moment<'_>, object: &ObjectRef, base: Base<'_>) -> Json {
        let mut view: Vec<(Arc<str>, Json)> = Vec::new();
        let mut put = |name: &str, json: Json| view.push((name.into(), json));
        put("object", self.view.object.project(moment.object));
        if let Some(old) = moment.old.filter(|_| !self.view.old_object.is_empty()) {
            put("oldObject", self.view.old_object.project(old));
        }
        if let Some(event) = moment.event.filter(|_| self.view.event) {
            put("event", event.clone());
        }
        if self.view.events {
            put("events", Json::from(moment.events.to_vec()));
        }
        if !self.view.related.is_empty() {
            let lists = self.view.related.iter().filter_map(|(name, paths)| {
                let is_it = |known: &str| known.strip_prefix("related.") == Some(&**name);
                let (_, list) = moment.related.iter().find(|(known, _)| is_it(known))?;
                let shown: Vec<Json> = list.iter().map(|one| paths.project(one)).collect();
                Some((name.clone(), Json::from(shown)))
            });
            put("related", Json::Map(Map::new(lists.collect())));
        }
        if !self.view.variables.is_empty() {
            let variables = self.view.variables.iter();
            let computed = variables.filter_map(|(name, program)| {
                // A variable that fails reads as missing, which the template marks.
                Some((name.clone(), self.value(program, moment).ok()?))
            });
            put("variables", Json::Map(Map::new(computed.collect())));
        }
        if self.view.changes {
            put("changes", changes(moment.object, object, base));
        }
        if self
            .params
            .as_map()
            .is_some_and(|params| !params.is_empty())
        {
            put("params", self.params.clone());
        }
        Json::Map(Map::new(view))
    }

    fn value(&self, program: &Program, moment: &Moment<'_>) -> Result<Json, Complaint> {
        let bindings = moment.bindings_of(self);
        let evaluation = moment.budgeted(|budget| program.evaluate(&bindings, budget));
        match evaluation.result {
            Ok(value) => Ok(value.to_json()),
            Err(error) => Err(in_words(program, &error)),
        }
    }

    /// A value as text: a string as it is, anything else as JSON.
    fn text(&self, program: &Program, moment: &Moment<'_>) -> Result<Arc<str>, Complaint> {
        Ok(match self.value(program, moment)? {
            Json::String(text) => text.into(),
            Json::Null => Arc::from(""),
            other => other.to_string().into(),
        })
    }
}
