//! `kind: Receiver`: who is told, how, how often and in which groups.

pub(super) mod manifest;
pub(super) mod slack;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::slack::{Mention, Mentions, Slack, SlackWay};
use super::duration::{self, DurationText};
use super::{Credential, LiteralOrCredential, Text};
use crate::diagnostic::Place;
use crate::names::ReceiverName;

/// A receiver document.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub name: ReceiverName,
    /// The tenant's namespace; absent for a cluster-wide receiver.
    pub namespace: Option<String>,
    pub spec: ReceiverSpec,
    /// Where its name stands.
    pub place: Place,
}

impl Receiver {
    /// The name without the namespace, as rules name it.
    #[must_use]
    pub fn short_name(&self) -> &str {
        let name = self.name.as_str();
        name.rsplit_once('/').map_or(name, |(_, short)| short)
    }
}

/// A receiver with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "manifest::Manifest")]
pub struct ReceiverSpec {
    pub service: Service,
    pub group_by: GroupBy,
    /// How long a new group waits for more of its kind.
    pub group_wait: Duration,
    /// How long between two notifications of one group that changed.
    pub group_interval: Duration,
    /// How long until a group that still fires is told again.
    pub repeat_interval: Duration,
    pub send_resolved: bool,
    pub limit: Option<Limit>,
    /// The same for each rule by itself.
    pub limit_per_rule: Option<Limit>,
    /// How many notifications may be on their way at once; also how many a crash may send twice.
    pub max_in_flight: NonZeroU32,
    /// For one attempt.
    pub timeout: Duration,
    /// After this long a notification that was not accepted becomes a dead letter.
    pub give_up_after: Duration,
    pub heartbeat: Option<Heartbeat>,
    /// The name of the receiver that is told what this one does not take.
    pub fallback: Option<String>,
    /// The name of a template file.
    pub template: Option<String>,
    /// Whether the rules of tenants' namespaces may notify this cluster-wide receiver.
    pub shared: bool,
}

/// The service that a receiver speaks to.
#[derive(Clone, Debug, PartialEq)]
pub enum Service {
    Slack(Slack),
    PagerDuty(PagerDuty),
    Alertmanager(Alertmanager),
    Webhook(Webhook),
}

/// What makes alerts one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The same values of these labels, sorted; none means that all alerts are one group.
    Labels(Vec<String>),
    /// The same values of all labels: each alert is its own group. Written `[...]`.
    All,
}

/// A link that a message offers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    /// What it says.
    pub text: String,
    /// Where it leads: a Handlebars template, whose values are escaped for an address.
    pub url: Text,
}

/// PagerDuty's Events API v2.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PagerDuty {
    /// The integration key of the service.
    pub routing_key: Credential,
    /// Where the API is; `https://events.eu.pagerduty.com` for the EU.
    #[serde(default = "pagerduty_base_url")]
    pub base_url: String,
    /// What PagerDuty calls the monitoring client.
    pub client: Option<String>,
    /// Where the client is to be found.
    pub client_url: Option<String>,
    /// `payload.class`: the kind of event.
    pub class: Option<String>,
    /// `payload.component`: the part that is affected.
    pub component: Option<String>,
    /// What becomes of that which `on` rules tell, and which never resolves: an `alert` opens an
    /// incident, a `change` is shown beside incidents and wakes nobody.
    #[serde(default)]
    pub occurrences: Occurrences,
    /// Whether an incident is acknowledged when somebody silences all of its alerts: somebody is at
    /// it, and nobody else need be called.
    #[serde(default = "yes")]
    pub acknowledge_silenced: bool,
    /// Links of the incident, besides the runbook.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Pictures of the incident.
    #[serde(default)]
    pub images: Vec<Image>,
}

/// What PagerDuty makes of something that happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Occurrences {
    #[default]
    Alert,
    Change,
}

/// A picture that an incident shows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Where the picture is: a Handlebars template, whose values are escaped for an address.
    /// PagerDuty shows it only by `https`.
    pub src: Text,
    /// Where a click on it leads, a template too.
    pub href: Option<Text>,
    /// What it shows, in words.
    pub alt: Option<String>,
}

/// Prometheus' Alertmanager, by its API v2. It groups, silences and routes by itself: it gets each
/// alert by its labels, again and again while it fires.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alertmanager {
    /// Where it is, with its path prefix if it has one: `http://alertmanager:9093`. Each replica of a
    /// cluster is a receiver of its own.
    pub url: LiteralOrCredential,
    /// Sent as `Authorization: Bearer …`.
    pub bearer_token: Option<Credential>,
    /// Sent as `Authorization: Basic …`.
    pub basic: Option<Basic>,
    /// A PEM file of certificate authorities to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// What we show a server that wants to know who asks (mutual TLS).
    pub client_certificate: Option<Box<ClientCertificate>>,
}

/// An HTTP endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// The address; a credential where it contains a secret.
    pub url: LiteralOrCredential,
    /// The HTTP method.
    #[serde(default = "post")]
    pub method: String,
    /// Further headers; a credential where the value is a secret.
    #[serde(default)]
    pub headers: BTreeMap<String, LiteralOrCredential>,
    /// A Handlebars template of the body. Without it the body is Bellwether's own JSON.
    pub body: Option<Text>,
    /// The `Content-Type` header.
    #[serde(default = "json")]
    pub content_type: String,
    /// Sent as `Authorization: Bearer …`.
    pub bearer_token: Option<Credential>,
    /// Sent as `Authorization: Basic …`.
    pub basic: Option<Basic>,
    /// Signs time and body with HMAC-SHA256.
    pub hmac: Option<Hmac>,
    /// Answers that mean "received"; every 2xx when empty.
    #[serde(default)]
    pub success_codes: Vec<u16>,
    /// A PEM file of certificate authorities to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// What we show a server that wants to know who asks (mutual TLS).
    pub client_certificate: Option<Box<ClientCertificate>>,
}

/// A certificate and its key, read again whenever they are used: what renews them needs no restart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate as PEM, followed by the authorities between it and the root, if there are any.
    pub certificate: Credential,
    /// Its private key as PEM.
    pub key: Credential,
}

/// HTTP basic authentication.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basic {
    pub username: String,
    pub password: Credential,
}

/// A signature over time and body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hmac {
    /// The key that both sides know.
    pub secret: Credential,
    /// The header that carries the signature.
    #[serde(default = "signature_header")]
    pub header: String,
}

/// At most so many notifications in so long; what is held back is told as one digest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// How many.
    pub notifications: NonZeroU32,
    /// In how long.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub per: Duration,
    /// How many at once, after a quiet time; as many as `notifications` when absent.
    pub burst: Option<NonZeroU32>,
}

/// A signal that a dead man's switch can watch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Heartbeat {
    /// How long between two signals.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub every: Duration,
}

fn yes() -> bool {
    true
}

fn pagerduty_base_url() -> String {
    "https://events.pagerduty.com".to_owned()
}

fn post() -> String {
    "POST".to_owned()
}

fn json() -> String {
    "application/json".to_owned()
}

fn signature_header() -> String {
    "X-Bellwether-Signature".to_owned()
}
