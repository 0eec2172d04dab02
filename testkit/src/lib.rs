//! What Bellwether is tested with: a real Kubernetes API server, and receivers that refuse what the
//! real ones refuse. Never part of the program: only tests and the demo depend on it.

pub mod cluster;
pub mod user;
pub mod objects;
pub mod proxy;
pub mod receivers;

mod binaries;
mod certificates;
mod etcd;
mod ports;
mod process;

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
