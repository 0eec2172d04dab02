//! [`Written`]: the documents that a bridge ran on, as they are kept in a recording of it.
//!
//! In: a [`Loaded`] and the flags that it was loaded with. Out: the same again, without credentials:
//! documents refer to them, and what an address or a header says literally is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Files, Kept, Loaded, assemble};
use crate::config::{split_documents, yaml_value};
use crate::diagnostic::{Diagnostics, Source};
use crate::names::RuleName;
use crate::watch::documents::Held;

/// What stands instead of an address.
const NOWHERE: &str = "https://redacted.invalid";
/// What stands instead of any other text.
const REDACTED: &str = "redacted";

/// Documents, templates, and how they are to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Name and text of each file of rules and receivers.
    documents: Vec<(String, String)>,
    templates: BTreeMap<String, String>,
    params: Vec<String>,
    own_namespace: Option<String>,
    /// The schemas that the rules went by; absent where they are those of before.
    pub(crate) served: Option<Vec<(String, Value)>>,
    advisory: bool,
    #[serde(default)]
    kept: Kept,
    frozen: BTreeMap<RuleName, Arc<str>>,
}

impl Written {
    /// `files`: the flags that it was loaded with.
    #[must_use]
    pub fn of(loaded: &Loaded, files: &Files) -> Self {
        let documents = loaded.sources.iter();
        let templates = loaded.templates.iter();
        Self {
            documents: documents
                .map(|source| (source.name().to_string(), without_literals(source.text())))
                .collect(),
            templates: templates
                .map(|(name, source)| (name.clone(), source.text().to_owned()))
                .collect(),
            params: files.params.clone(),
            own_namespace: files.own_namespace.clone(),
            served: Some(files.served.clone()),
            advisory: files.advisory,
            kept: files.kept,
            frozen: loaded.frozen.clone(),
        }
    }

    /// The same again.
    ///
    /// # Errors
    /// This version of the program finds something wrong with them.
    pub fn load(&self) -> Result<Loaded, Diagnostics> {
        let files = Files {
            params: self.params.clone(),
            own_namespace: self.own_namespace.clone(),
            served: self.served.clone().unwrap_or_default(),
            // They may be none at all, as those of a cluster may.
            held: Some(Held::default()),
            advisory: self.advisory,
            kept: self.kept,
            ..Files::default()
        };
        let documents = self.documents.iter();
        let sources: Vec<_> = documents
            .map(|(name, text)| Source::new(name.as_str(), text.as_str()))
            .collect();
        let templates = self.templates.iter();
        let templates =
            templates.map(|(name, text)| (name.clone(), Source::new(name.as_str(), text.as_str())));
        let mut loaded = assemble(
            &files,
            &sources,
            &templates.collect(),
            &Diagnostics::default(),
        )?;
        loaded.frozen.clone_from(&self.frozen);
        Ok(loaded)
    }
}

/// The same documents; receivers without what may be a credential that stands in them literally, nor
/// comments.
fn without_literals(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for range in split_documents(text) {
        let part = &text[range];
        match yaml_value(part) {
            Ok(mut document) if document["kind"] == "Receiver" => {
                leave_out(&mut document["spec"]);
                all.push_str("---\n");
                all.push_str(&document.to_string());
                all.push('\n');
            }
            _ => all.push_str(part),
        }
    }
    all
}

fn leave_out(spec: &mut Value) {
    for service in spec
        .as_object_mut()
        .into_iter()
        .flat_map(|it| it.values_mut())
    {
        let Some(service) = service.as_object_mut() else {
            continue;
        };
        for name in ["url", "baseUrl", "webhookUrl"] {
            if let Some(literal) = service.get_mut(name).filter(|it| it.is_string()) {
                *literal = NOWHERE.into();
            }
        }
        let headers = service.get_mut("headers").and_then(Value::as_object_mut);
        let headers = headers.into_iter().flat_map(|headers| headers.values_mut());
        for literal in headers.filter(|it| it.is_string()) {
            *literal = REDACTED.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::load;

    const RULES: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}   # as it was written
spec:
  watch: {apiVersion: v1, kind: Pod}
  when: object.status.phase == params.phase
  params: {phase: Failed}
---
# token: xoxb-0123456789
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec:
  webhook:
    url: https://example.com/hooks/0123456789abcdef
    headers: {X-Key: 0123456789abcdef, X-Other: {env: OTHER}}
    bearerToken: {secretKeyRef: {name: hook, key: token}}
  groupBy: [...]
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: pager}
spec:
  pagerduty: {routingKey: {env: KEY}, baseUrl: 'https://example.com/0123456789abcdef'}
";

    fn loaded(text: &str, params: Vec<String>) -> (Loaded, Files) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yaml");
        std::fs::write(&path, text).unwrap();
        let files = Files {
            rules: vec![path],
            params,
            ..Files::default()
        };
        let loaded = load(&files).unwrap_or_else(|problems| panic!("{}", problems.human(false)));
        (loaded, files)
    }

    #[test]
    fn what_was_written_loads_as_it_did_and_holds_no_credential() {
        let (loaded, files) = loaded(RULES, vec!["phase=Lost".to_owned()]);
        let written = Written::of(&loaded, &files);
        let text = serde_json::to_string(&written).unwrap();
        assert!(!text.contains("0123456789"), "{text}");
        let written: Written = serde_json::from_str(&text).unwrap();
        let again = written
            .load()
            .unwrap_or_else(|problems| panic!("{}", problems.human(false)));
        assert_eq!(again.policies, loaded.policies);
        assert_eq!(again.rules.rules.len(), 1);
        for (rule, before) in again.rules.rules.iter().zip(&loaded.rules.rules) {
            assert!(rule.is_same(before));
            assert_eq!(rule.params, before.params);
        }
        assert_eq!(again.formats.len(), loaded.formats.len());
    }
}
