//! [`Reading`]: all texts of the user's files at one moment.
//!
//! Two readings are equal when they say the same: a file that was only touched is no change.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::{Files, templates};
use crate::config::{Configuration, read_files, split_documents, yaml_value};
use crate::diagnostic::{Diagnostic, Diagnostics, Level, Source};

/// What the files said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Each path of rules, in the order of the command line.
    pub(super) roots: Vec<Root>,
    pub(super) templates: templates::Texts,
    /// What could not be read of the templates.
    pub(super) templates_trouble: Diagnostics,
}

/// What was found at one path of rules, or in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Root {
    pub path: PathBuf,
    /// The cluster says what there is and what is gone; files may be missing for other reasons.
    pub is_cluster: bool,
    pub sources: Vec<Arc<Source>>,
    /// What could not be read of it.
    pub trouble: Diagnostics,
}

impl Reading {
    /// Reads all files. What cannot be read is also added to `problems`.
    #[must_use]
    pub fn of(files: &Files, problems: &mut Diagnostics) -> Self {
        let mut roots = Vec::new();
        for (path, (sources, trouble)) in files.rules.iter().zip(read_files(&files.rules)) {
            problems.append(trouble.clone());
            roots.push(Root {
                path: path.clone(),
                is_cluster: false,
                sources,
                trouble,
            });
        }
        roots.extend(files.held.as_ref().map(|held| {
            let documents = held.documents.iter();
            let mut trouble = Diagnostics::default();
            for why in &held.trouble {
                trouble.push(Diagnostic::error(why.clone()));
            }
            problems.append(trouble.clone());
            Root {
                path: PathBuf::from("(the cluster)"),
                is_cluster: true,
                sources: documents.map(|document| document.source.clone()).collect(),
                trouble,
            }
        }));
        let mut templates_trouble = Diagnostics::default();
        let templates = templates::read(files.templates.as_deref(), &mut templates_trouble);
        problems.append(templates_trouble.clone());
        Self {
            roots,
            templates,
            templates_trouble,
        }
    }

    /// The files of all paths.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<Source>> {
        let roots = self.roots.iter();
        roots.flat_map(|root| root.sources.clone()).collect()
    }

    /// Whether all of these problems are about a cluster's documents.
    pub(super) fn is_of_cluster(&self, problems: &Diagnostics) -> bool {
        let held = self.roots.iter().filter(|root| root.is_cluster);
        let held: BTreeSet<_> = held
            .flat_map(|root| root.sources.iter().map(|source| source.name()))
            .collect();
        let errors = problems.iter().filter(|it| it.level == Level::Error);
        let mut places = errors.map(|problem| problem.place.as_ref());
        places.all(|place| place.is_some_and(|place| held.contains(place.file())))
    }

    /// The group versions of the kinds that the rules watch, as far as they can be read.
    #[must_use]
    pub fn watched_versions(&self, files: &Files) -> BTreeSet<String> {
        let (sources, mut unread) = (self.sources(), Diagnostics::default());
        let read = Configuration::read_sources(&sources, &files.options(), &mut unread);
        let rules = read.rules.iter();
        rules
            .map(|rule| rule.spec.watch.api_version.clone())
            .collect()
    }

    /// The documents of all files, as far as they can be told apart.
    pub(super) fn documents(&self, own_namespace: Option<&str>) -> Vec<Document> {
        let roots = self.roots.iter();
        roots
            .flat_map(|root| {
                let sources = root.sources.iter();
                sources.flat_map(|source| documents(source, root, own_namespace))
            })
            .collect()
    }
}

/// Which document it is, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub kind: String,
    /// `name`, or `namespace/name`.
    pub name: String,
}

/// One document of a file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Absent where it cannot be read so far.
    pub identity: Option<Identity>,
    pub source: Arc<Source>,
    pub range: Range<usize>,
    /// The path of rules that it was found at.
    pub root: PathBuf,
    /// It is a cluster's.
    pub is_held: bool,
}

fn documents(source: &Arc<Source>, root: &Root, own_namespace: Option<&str>) -> Vec<Document> {
    let ranges = split_documents(source.text()).into_iter();
    let document = |range: Range<usize>| {
        let identity = match yaml_value(&source.text()[range.clone()]) {
            Ok(Value::Null) => return None,
            Ok(value) => identity(&value, own_namespace),
            Err(_) => None,
        };
        Some(Document {
            identity,
            source: source.clone(),
            range,
            root: root.path.clone(),
            is_held: root.is_cluster,
        })
    };
    ranges.filter_map(document).collect()
}

fn identity(document: &Value, own_namespace: Option<&str>) -> Option<Identity> {
    let metadata = &document["metadata"];
    let name = metadata["name"].as_str()?;
    let namespace = metadata["namespace"].as_str();
    let namespace = namespace.filter(|namespace| Some(*namespace) != own_namespace);
    Some(Identity {
        kind: document["kind"].as_str()?.to_owned(),
        name: match namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        },
    })
}

/// A source that has only these stretches of another: everything stands where it stood.
pub(super) fn only(source: &Arc<Source>, ranges: &[Range<usize>]) -> Arc<Source> {
    let text = source.text().char_indices().map(|(at, c)| {
        let kept = c == '\n' || ranges.iter().any(|range| range.contains(&at));
        if kept { (c, 1) } else { (' ', c.len_utf8()) }
    });
    let text: String = text
        .flat_map(|(c, times)| std::iter::repeat_n(c, times))
        .collect();
    Source::new(source.name().clone(), text)
}
