//! What Bellwether is tested with: a real Kubernetes API server, and receivers that refuse what the
//! real ones refuse. Never part of the program: only tests and the demo depend on it.
//!
//! # A cluster
//! ```ignore
//! let cluster = Cluster::shared().await;               // one for a test binary, about 3 s; or Cluster::start()
//! let cluster = Cluster::start_with(&["--event-ttl=10s"]).await?;
//! let namespace = cluster.namespace("storm").await?;   // of this test alone
//!
//! let objects = Objects::new(cluster.admin().client().await?);
//! let made = objects.apply(&namespace, manifest).await?;          // every document; waits for CRDs
//! objects.patch_status(&made[0], json!({"phase": "Failed"})).await?;
//! objects.event(&made[0], Event { kind: "Warning", reason: "…", message: "…", count: 1 }).await?;
//! objects.acting_as("kubectl-edit").patch(&made[0], json!({"spec": {…}})).await?;
//!
//! let bridge = cluster.user("bridge-of-this-test")?;   // no rights until a role is bound to the name
//! let bridge = cluster.service_account(&namespace, "bellwether").await?;
//! bridge.kubeconfig()?;                                // for the program
//! bridge.client().await?;                              // for the test
//!
//! cluster.restart_apiserver().await?; cluster.restart_etcd().await?;
//! cluster.stop_apiserver(); cluster.start_apiserver().await?;
//! cluster.pause()?; cluster.resume()?;                 // SIGSTOP, SIGCONT
//! cluster.compact_etcd().await?;                       // then 410 Gone: see there
//!
//! let proxy = CutProxy::start(cluster.address()).await?;
//! bridge.kubeconfig_through(proxy.address())?;
//! proxy.cut(); proxy.refuse().await; proxy.accept().await; proxy.stall(); proxy.flow();
//! ```
//!
//! # Receivers
//! ```ignore
//! let slack = Slack::start().await?;                   // also PagerDuty, Webhook
//! slack.webhook_url("alerts"); slack.enforce_pace(Duration::from_secs(1));
//! pagerduty.base_url(); pagerduty.incidents();
//! webhook.require_signature("X-Bellwether-Signature", secret);
//!
//! slack.fail_next(3, 429, Some(Duration::from_secs(30)));         // faults queue up
//! slack.reset_connections(1); slack.answer_too_late(1, delay); slack.slow(delay); slack.recover();
//! let messages = slack.wait_for(2, Duration::from_secs(5)).await?; // Display draws what a person sees
//! slack.accepted(); slack.refused();
//!
//! let authority = Authority::create()?;                // TLS in front of any of them
//! Tls::start(webhook.address(), &authority.server_of(&["127.0.0.1"], (2020, 2100))?, None).await?;
//! Hostile::start(Manner::EndlessBody).await?;          // answers that never end, and others
//! ```
//!
//! Servers and receivers belong to the runtime that started them, except the processes of a
//! [`Cluster`], which only end with it or with the whole process.

#![expect(
    clippy::missing_errors_doc,
    reason = "each error type lists its causes, and a test can only fail with them"
)]
#![expect(
    clippy::must_use_candidate,
    reason = "a test that drops what it asked for is only longer than needed"
)]

pub mod alertmanager;
pub mod cluster;
pub mod user;
pub mod objects;
pub mod proxy;
pub mod receivers;
pub mod certificates;

mod binaries;
mod etcd;
mod ports;
mod process;

pub use alertmanager::Alertmanager;
pub use binaries::MissingBinary;
pub use cluster::{Cluster, ClusterError};
pub use objects::{Event, ObjectError, Objects};
pub use proxy::CutProxy;
pub use user::User;

/// The TLS implementation for the whole process; whoever comes first wins.
pub(crate) fn install_crypto_provider() {
    // An error says that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
