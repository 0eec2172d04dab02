//! The user's documents: rules, receivers, routes and what mutes them, typed, each expression and template with its place.
//!
//! In: paths of YAML files and directories, or texts. Out: a [`Configuration`], or every problem
//! found, at once. It must not compile expressions or templates (`evaluate` and `render` do) nor
//! talk to a cluster.

pub mod credential;
pub mod duration;
pub mod matchers;
pub mod mutes;
pub mod receiver;
pub mod route;
pub mod rule;
pub mod rule_test;
pub mod text;
pub mod times;

mod check;
mod crd;
mod decode;
mod dns;
mod documents;
mod editor;
mod envelope;
mod files;
mod load;
pub(crate) mod nearest;
mod node;
mod params;
mod schema;
mod selector;
mod shape;

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};
use crate::names::{ReceiverName, RuleName};

pub use crd::{Crd, DOCUMENT_KINDS, crds};
pub use credential::{Credential, LiteralOrCredential, SecretKey};
pub(crate) use documents::{
    split as split_documents, text_of as document_text, value as yaml_value,
};
pub use editor::editor_schema;
pub(crate) use files::read_each as read_files;
pub use matchers::{Comparison, Matcher, MatcherError, Matchers};
pub use mutes::{Inhibition, InhibitionSpec, Silence, SilenceSpec};
pub use receiver::{
    Alertmanager, Basic, ClientCertificate, GroupBy, Heartbeat, Hmac, Image, Limit, Link, Mention,
    Mentions, Occurrences, PagerDuty, Receiver, ReceiverSpec, Service, Slack, SlackWay, Webhook,
};
pub use route::{Route, RouteSpec};
pub use rule::{Hold, OnDelete, OnStartup, Related, Rule, RuleSpec, Variable, Watch};
pub use rule_test::{RuleTest, RuleTestSpec};
pub use text::Text;
pub use times::TimeInterval;

/// The group of our kinds.
pub const GROUP: &str = "bellwether.dev";
/// The version of our kinds.
pub const VERSION: &str = "v1alpha1";

/// Everything that the user wrote, checked as far as it can be without a schema or a cluster.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    pub rules: Vec<Rule>,
    pub receivers: Vec<Receiver>,
    /// Only if they were asked for.
    pub tests: Vec<RuleTest>,
    pub routes: Vec<Route>,
    pub inhibitions: Vec<Inhibition>,
    pub silences: Vec<Silence>,
}

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Overrides of `params`: `NAME=VALUE` for every rule that has NAME, or `RULE.NAME=VALUE`.
    pub params: Vec<String>,
    /// The bridge's own namespace: documents in it are cluster-wide, as those without a namespace.
    pub own_namespace: Option<String>,
    /// Read tests of rules too.
    pub tests: bool,
    /// No rules are no mistake: they may come later.
    pub may_be_empty: bool,
}

/// The configuration, if nothing is wrong.
fn whole(read: Configuration, diagnostics: Diagnostics) -> Result<Configuration, Diagnostics> {
    if diagnostics.has_errors() {
        return Err(diagnostics.sorted());
    }
    Ok(read)
}

impl Configuration {
    /// Reads files and directories.
    ///
    /// # Errors
    /// Everything that is wrong, sorted by file and place. One wrong document refuses them all: half
    /// a configuration would silence somebody.
    pub fn load(paths: &[PathBuf], options: &LoadOptions) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let read = Self::read(paths, options, &mut diagnostics);
        whole(read, diagnostics)
    }

    /// Reads what can be read of files and directories, for a check that goes on behind a mistake.
    /// What is wrong is added to `diagnostics`, and whoever runs a part must know that it is one.
    pub fn read(paths: &[PathBuf], options: &LoadOptions, diagnostics: &mut Diagnostics) -> Self {
        let sources = files::read(paths, diagnostics);
        Self::read_sources(&sources, options, diagnostics)
    }

    /// The same of texts that somebody else has read.
    pub fn read_sources(
        sources: &[Arc<Source>],
        options: &LoadOptions,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        load::load(sources, options, diagnostics)
    }

    /// The same from texts that somebody else has read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_sources(
        sources: &[Arc<Source>],
        options: &LoadOptions,
    ) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let read = load::load(sources, options, &mut diagnostics);
        whole(read, diagnostics)
    }

    /// The receivers that a rule notifies: those that it names, or, if it names none, every one that
    /// it may. A cluster-wide rule may notify the cluster-wide receivers; a tenant's rule those of
    /// its namespace, and the cluster-wide ones that are shared. A tenant's own comes before a
    /// shared one of the same name.
    #[must_use]
    pub fn receivers_of(&self, rule: &Rule) -> Vec<&Receiver> {
        let may = |receiver: &&Receiver| {
            receiver.namespace == rule.namespace
                || receiver.namespace.is_none() && receiver.spec.shared
        };
        let own_first = |receiver: &&Receiver| receiver.namespace != rule.namespace;
        let mut allowed: Vec<_> = self.receivers.iter().filter(may).collect();
        allowed.sort_by_key(own_first);
        if rule.spec.notify.is_empty() {
            return allowed;
        }
        let called = |name: &String| {
            allowed
                .iter()
                .find(|receiver| receiver.short_name() == name)
        };
        rule.spec
            .notify
            .iter()
            .filter_map(called)
            .copied()
            .collect()
    }

    /// The receiver that is told what this one does not take.
    #[must_use]
    pub fn fallback_of(&self, receiver: &Receiver) -> Option<&Receiver> {
        let name = receiver.spec.fallback.as_ref()?;
        let called = |of: Option<&str>, shared: bool| {
            let mut receivers = self.receivers.iter();
            receivers.find(|one| {
                one.namespace.as_deref() == of
                    && one.short_name() == name
                    && (!shared || one.spec.shared)
            })
        };
        let namespace = receiver.namespace.as_deref();
        called(namespace, false).or_else(|| called(None, namespace.is_some()))
    }

    /// A receiver, and those that stand in for it one after the other.
    pub fn with_fallbacks<'c>(
        &'c self,
        receiver: &'c Receiver,
    ) -> impl Iterator<Item = &'c Receiver> {
        // No longer than there are receivers, should they stand in a circle.
        let next = |one: &&'c Receiver| self.fallback_of(one);
        std::iter::successors(Some(receiver), next).take(self.receivers.len())
    }

    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &RuleName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == *name)
    }

    /// The receiver of this name.
    #[must_use]
    pub fn receiver(&self, name: &ReceiverName) -> Option<&Receiver> {
        self.receivers
            .iter()
            .find(|receiver| receiver.name == *name)
    }
}

#[cfg(test)]
mod tests;
