//! From the user's files to everything that runs on them: one place for every command.
//!
//! In: paths of rules and templates, overrides of parameters. Out: a [`Loaded`], whose parts fit
//! together, or every problem of every file at once. It reads files and nothing else: no
//! credential is resolved, no cluster is asked.

pub mod last_good;
mod limits;
mod paths;
mod pipeline;
mod policy;
pub mod reading;
pub mod rights;
pub mod schemas;
mod templates;
mod view;
pub mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cel::{Type, on_large_stack};
use crate::config::{Configuration, LoadOptions, Rule};
use crate::diagnostic::{Diagnostics, Source};
use crate::engine::Setup;
use crate::evaluate::{Compiled, RuleSet, compile};
use crate::names::{ReceiverName, RuleName};
use crate::notify::{Pipeline, Policy};
use crate::render::Format;
use crate::watch::documents::Held;
pub use reading::Reading;
use schemas::Schemas;

/// Where the files are, and what the command line changes of them.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Files and directories of rules and receivers.
    pub rules: Vec<PathBuf>,
    /// The directory of template files.
    pub templates: Option<PathBuf>,
    /// Overrides of `params`: `NAME=VALUE` or `RULE.NAME=VALUE`.
    pub params: Vec<String>,
    /// Documents in this namespace are cluster-wide.
    pub own_namespace: Option<String>,
    /// Read tests of rules too.
    pub tests: bool,
    /// Only these rules; all of them, if it names none.
    pub only: Vec<String>,
    /// Every `for` counts as elapsed.
    pub assume_held: bool,
    /// Files and directories of CRDs: expressions and templates are checked against their schemas.
    pub crds: Vec<PathBuf>,
    /// The same as a cluster publishes them: a group's version and its document of `/openapi/v3`.
    pub served: Vec<(String, serde_json::Value)>,
    /// The documents of a cluster, if they count too.
    pub held: Option<Held>,
    /// What types say against a rule does not refuse it: a schema that changed must not keep a bridge
    /// from starting.
    pub advisory: bool,
    pub limits: Limits,
    pub kept: Kept,
}

/// What becomes of a template that does not keep the limits of its service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// Nothing: its messages are cut.
    #[default]
    Kept,
    /// It is told of, and refused where every message would be cut.
    Checked,
}

/// How much of an object is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kept {
    /// What something reads of it.
    #[default]
    Read,
    /// All of it, for a recording that any rule can be tried with.
    WholeObjects,
}

/// The user's documents, compiled and checked against each other.
#[derive(Debug)]
pub struct Loaded {
    pub configuration: Configuration,
    pub rules: Arc<RuleSet>,
    pub policies: Vec<Policy>,
    pub pipeline: Pipeline,
    pub formats: BTreeMap<ReceiverName, Format>,
    pub schemas: Schemas,
    /// What types say against rules that run all the same; see [`Files::advisory`].
    pub advice: Diagnostics,
    /// Rules that stay as they were last read, and why.
    pub frozen: BTreeMap<RuleName, Arc<str>>,
    /// The documents that all of it was made of.
    sources: Vec<Arc<Source>>,
    templates: templates::Texts,
}

/// The group versions of the kinds that the rules read, as far as the files can be read.
#[must_use]
pub fn watched_versions(files: &Files) -> BTreeSet<String> {
    Reading::of(files, &mut Diagnostics::default()).watched_versions(files)
}

/// Loads, compiles and checks everything.
///
/// # Errors
/// Every problem found. A document that cannot be read hides what is wrong with its expressions and
/// templates, nothing else.
pub fn load(files: &Files) -> Result<Loaded, Diagnostics> {
    let mut problems = Diagnostics::default();
    let reading = Reading::of(files, &mut problems);
    assemble(files, &reading.sources(), &reading.templates, &problems)
}

/// The same from texts that were read before, with what was wrong with reading them.
fn assemble(
    files: &Files,
    sources: &[Arc<Source>],
    templates: &templates::Texts,
    problems: &Diagnostics,
) -> Result<Loaded, Diagnostics> {
    on_large_stack(|| assemble_here(files, sources, templates, problems.clone()))
}

fn assemble_here(
    files: &Files,
    sources: &[Arc<Source>],
    template_texts: &templates::Texts,
    mut problems: Diagnostics,
) -> Result<Loaded, Diagnostics> {
    let options = files.options();
    let mut configuration = Configuration::read_sources(sources, &options, &mut problems);
    if !files.only.is_empty() {
        let wanted = |rule: &Rule| files.only.iter().any(|name| *name == *rule.name.as_str());
        configuration.rules.retain(wanted);
    }
    if files.assume_held {
        for rule in &mut configuration.rules {
            rule.spec.hold = None;
        }
    }
    let templates = templates::compile(template_texts, &mut problems);
    let formats = view::formats(&configuration, &templates, &mut problems);
    let texts = view::texts(&configuration, &mut problems);
    let pipeline = pipeline::of(&configuration, &mut problems);
    let in_conditions = pipeline::reads(&pipeline);
    let receivers_of = |rule: &Rule| -> Vec<ReceiverName> {
        let receivers = configuration.receivers_of(rule).into_iter();
        receivers.map(|receiver| receiver.name.clone()).collect()
    };
    let view_of = |rule: &Rule| {
        let of_receivers = configuration.receivers_of(rule).into_iter();
        let of_receivers = of_receivers
            .flat_map(|receiver| configuration.with_fallbacks(receiver))
            .filter_map(|receiver| formats.get(&receiver.name))
            .flat_map(|format| {
                let addresses = format.addresses().into_iter();
                format
                    .template()
                    .into_iter()
                    .chain(addresses.map(|it| &it.template))
            });
        let own = texts.get(&rule.name).into_iter().flatten();
        let mut reads = view::reads(rule, own.chain(of_receivers.map(|template| &**template)));
        reads.object = reads.object.union(&in_conditions);
        reads
    };
    let mut schemas = Schemas::read(&files.crds, &mut problems);
    schemas.add_served(&files.served, &configuration);
    let type_of = |version: &str, kind: &str| {
        let known = schemas.of_kind(Some((version, kind)));
        known.unwrap_or(Type::Dyn)
    };
    let Compiled {
        rules,
        types,
        mut mismatches,
    } = compile(&configuration, &receivers_of, &view_of, &type_of);
    paths::of_rules(&configuration, &texts, &types, &mut mismatches);
    paths::of_receivers(
        &configuration,
        &formats,
        template_texts,
        &types,
        &mut mismatches,
    );
    if files.limits == Limits::Checked {
        limits::of_receivers(&configuration, &formats, template_texts, &mut problems);
    }
    let mut advice = Diagnostics::default();
    if files.advisory {
        advice = mismatches.as_warnings();
    } else {
        problems.extend(mismatches);
    }
    match rules {
        Ok(mut rules) if !problems.has_errors() => {
            if files.kept == Kept::WholeObjects {
                rules.keep_whole_objects();
            }
            // Nothing but warnings is left.
            advice.extend(problems);
            Ok(Loaded {
                advice: advice.sorted(),
                rules: Arc::new(rules),
                policies: policies(&configuration),
                schemas,
                frozen: BTreeMap::new(),
                sources: sources.to_vec(),
                templates: template_texts.clone(),
                pipeline,
                formats,
                configuration,
            })
        }
        Ok(_) => Err(problems.sorted()),
        Err(more) => {
            problems.extend(more);
            Err(problems.sorted())
        }
    }
}

fn policies(configuration: &Configuration) -> Vec<Policy> {
    let receivers = configuration.receivers.iter();
    receivers
        .map(|receiver| {
            let fallback = configuration.fallback_of(receiver);
            policy::of(receiver, fallback.map(|it| it.name.clone()))
        })
        .collect()
}

impl Files {
    fn options(&self) -> LoadOptions {
        LoadOptions {
            params: self.params.clone(),
            own_namespace: self.own_namespace.clone(),
            tests: self.tests,
            may_be_empty: self.held.is_some(),
        }
    }
}

impl Loaded {
    /// What the engine runs on; `cluster` becomes the label of that name.
    #[must_use]
    pub fn setup(&self, cluster: impl Into<Arc<str>>) -> Setup {
        Setup {
            rules: self.rules.clone(),
            policies: self.policies.clone(),
            frozen: self.frozen.clone(),
            pipeline: self.pipeline.clone(),
            cluster: cluster.into(),
        }
    }
}

#[cfg(test)]
mod tests;
