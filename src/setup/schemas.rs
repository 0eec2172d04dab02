//! The schemas of the kinds that rules watch, from files of `CustomResourceDefinitions`.
//!
//! In: files and directories. Out: the type of the objects of each version of each kind, and what
//! is wrong with the files. Documents of other kinds are passed over, so that a directory of
//! everything that is deployed will do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cel::Type;
use crate::cel::types::schema::{of_custom_resource, of_served};
use crate::config::{Configuration, Rule, split_documents, yaml_value};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::watch::Source;

/// Types by `apiVersion` and kind, and the plurals of kinds.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    types: BTreeMap<(String, String), Type>,
    /// By group and kind, as far as CRDs say them.
    plurals: BTreeMap<(String, String), String>,
}

impl Schemas {
    /// Reads CRDs; what is wrong with the files is told.
    #[must_use]
    pub fn read(paths: &[PathBuf], problems: &mut Diagnostics) -> Self {
        let mut schemas = Self::default();
        for path in paths {
            match files(path) {
                Ok(files) => {
                    for file in files {
                        schemas.read_file(&file, problems);
                    }
                }
                Err(error) => problems.push(unreadable(path, &error)),
            }
        }
        if schemas.types.is_empty() && !paths.is_empty() && !problems.has_errors() {
            let help = "a CRD is a document with `kind: CustomResourceDefinition`";
            problems.push(Diagnostic::error("there are no CRDs in these files").help(help));
        }
        schemas
    }

    /// Adds the kinds that rules read, as a cluster publishes them. A file is nearer than that.
    pub(super) fn add_served(&mut self, served: &[(String, Value)], configuration: &Configuration) {
        for (version, kind) in configuration.rules.iter().flat_map(kinds) {
            let document = served.iter().find(|(served, _)| *served == version);
            let of = document.and_then(|(_, document)| of_served(document, version, kind));
            if let Some(of) = of {
                let key = (version.to_owned(), kind.to_owned());
                self.types.entry(key).or_insert(of);
            }
        }
    }

    /// The type of the objects of a kind; where that is not said, of the only kind there is.
    #[must_use]
    pub fn of_kind(&self, kind: Option<(&str, &str)>) -> Option<Type> {
        match kind {
            Some((version, kind)) => self
                .types
                .get(&(version.to_owned(), kind.to_owned()))
                .cloned(),
            None if self.types.len() == 1 => self.types.values().next().cloned(),
            None => None,
        }
    }

    /// What a role calls the objects of a source, if a CRD says it.
    #[must_use]
    pub fn plural(&self, source: &Source) -> Option<&str> {
        let (group, _) = source.api_version.split_once('/')?;
        let key = (group.to_owned(), source.kind.to_string());
        self.plurals.get(&key).map(String::as_str)
    }

    fn read_file(&mut self, file: &Path, problems: &mut Diagnostics) {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return problems.push(unreadable(file, &error)),
        };
        for range in split_documents(&text) {
            match yaml_value(&text[range]) {
                Ok(document) => self.add(&document),
                Err(error) => problems.push(Diagnostic::error(format!(
                    "{} is not valid YAML: {}",
                    file.display(),
                    error.without_snippet()
                ))),
            }
        }
    }

    /// `apiextensions.k8s.io/v1`: a schema for each version that is served or was.
    fn add(&mut self, crd: &Value) {
        if crd["kind"] != "CustomResourceDefinition" {
            return;
        }
        let spec = &crd["spec"];
        let (group, kind) = (spec["group"].as_str(), spec["names"]["kind"].as_str());
        let (Some(group), Some(kind)) = (group, kind) else {
            return;
        };
        if let Some(plural) = spec["names"]["plural"].as_str() {
            let key = (group.to_owned(), kind.to_owned());
            self.plurals.insert(key, plural.to_owned());
        }
        for version in spec["versions"].as_array().into_iter().flatten() {
            if let Some(name) = version["name"].as_str() {
                let of = of_custom_resource(kind, &version["schema"]["openAPIV3Schema"]);
                self.types
                    .insert((format!("{group}/{name}"), kind.to_owned()), of);
            }
        }
    }
}

/// The kinds of which a rule may read something: what it watches, what is related, and Namespaces.
pub fn kinds(rule: &Rule) -> impl Iterator<Item = (&str, &str)> {
    let spec = &rule.spec;
    let watched = (spec.watch.api_version.as_str(), spec.watch.kind.as_str());
    let related = spec.related.iter();
    let related = related.map(|one| (one.api_version.as_str(), one.kind.as_str()));
    let sources = spec.sources();
    let reads_namespace = sources
        .into_iter()
        .any(|text| text.contains("namespaceObject"));
    let namespace = reads_namespace.then_some(("v1", "Namespace"));
    std::iter::once(watched).chain(related).chain(namespace)
}

/// A file, or the YAML files of a directory by name.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if matches!(
            file.extension().and_then(|end| end.to_str()),
            Some("yaml" | "yml" | "json")
        ) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot read {}: {error}", path.display()))
}
