//! The user's documents: rules and receivers, typed, each expression and template with its place.
//!
//! In: paths of YAML files and directories, or texts. Out: a [`Configuration`], or every problem
//! found, at once. It must not compile expressions or templates (`evaluate` and `render` do) nor
//! talk to a cluster.

pub mod credential;
pub mod duration;
pub mod receiver;
pub mod rule;
pub mod text;

use crate::names::{ReceiverName, RuleName};

pub use credential::{Credential, LiteralOrCredential, SecretKey};
pub use receiver::{
    Basic, GroupBy, Heartbeat, Hmac, Limit, PagerDuty, Receiver, ReceiverSpec, Service, Slack,
    Webhook,
};
pub use rule::{Hold, OnDelete, OnStartup, Rule, RuleSpec, Variable, Watch};
pub use text::Text;

/// The group of our kinds.
pub const GROUP: &str = "bellwether.dev";
/// The version of our kinds.
pub const VERSION: &str = "v1alpha1";

/// Everything that the user wrote, checked as far as it can be without a schema or a cluster.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    pub rules: Vec<Rule>,
    pub receivers: Vec<Receiver>,
}

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Overrides of `params`: `NAME=VALUE` for every rule that has NAME, or `RULE.NAME=VALUE`.
    pub params: Vec<String>,
    /// The bridge's own namespace: documents in it are cluster-wide, as those without a namespace.
    pub own_namespace: Option<String>,
}

impl Configuration {
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
