//! What can go wrong between this program and the API server, in words for the person who can
//! mend it. No variant carries a credential or the content of an object.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use crate::watch::decode::{DecodeError, Status};

/// Why a cluster cannot be connected to, or a stream is down.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kubeconfig is missing, unreadable or wrong.
    #[error("kubeconfig {path}: {reason}")]
    Kubeconfig { path: String, reason: String },
    #[error(
        "no cluster to connect to: there is no kubeconfig (looked at $KUBECONFIG and ~/.kube/config) and this \
         is not a pod ({reason}); give --kubeconfig FILE"
    )]
    NoCluster { reason: String },
    #[error("kubeconfig {path} has no context {context:?}; it has: {available}")]
    UnknownContext {
        path: String,
        context: String,
        available: String,
    },
    #[error("kubeconfig {path} has no current context; choose one with --context: {available}")]
    NoContext { path: String, available: String },

    /// No connection, or no TLS session.
    #[error(
        "cannot reach the API server at {url}: {reason}; check that it runs, the address, and the network between"
    )]
    Unreachable { url: String, reason: String },
    #[error("cannot obtain credentials for the API server: {reason}")]
    Credentials { reason: String },
    /// 401.
    #[error(
        "the API server refuses the credentials (401 Unauthorized): they are expired or of another cluster; \
         renew the kubeconfig's user, or the service account's token"
    )]
    Unauthorized,
    /// 403. The server's message names user, verb and resource.
    #[error(
        "not allowed (403 Forbidden): {message}; grant it in a ClusterRole, as deploy/base/clusterrole.yaml does"
    )]
    Forbidden { message: String },
    /// 404.
    #[error("not found (404): {message}")]
    NotFound { message: String },
    /// 410, as an answer or in the stream.
    #[error("the server no longer keeps the changes since this version (410 Gone): {message}")]
    Expired { message: String },
    /// 429, or 503 and the like with a time to wait.
    #[error("the API server asks to come back later ({code})")]
    Busy { code: u16, after: Duration },
    /// 400, 405, 406, 415, 422: the request itself is at fault.
    #[error("the API server rejects the request ({code}): {message}")]
    Rejected { code: u16, message: String },
    /// A selector or namespace that no request can hold.
    #[error("this cannot be asked for: {reason}")]
    Unsendable { reason: String },
    /// Any other error status.
    #[error("the API server fails ({code}): {message}")]
    Server { code: u16, message: String },

    /// The server does not know the kinds of our own documents.
    #[error(
        "the cluster does not have all kinds of bellwether.dev; make them known with `bellwether crds | \
         kubectl apply --server-side -f -`"
    )]
    NoDocuments,
    /// The server has no such kind, at least not in this version.
    #[error("the server has no {kind} in {api_version}{hint}")]
    NoSuchKind {
        api_version: String,
        kind: String,
        /// What it has instead; empty, or text to append.
        hint: String,
    },
    #[error(
        "{kind} in {api_version} belongs to no namespace: remove `namespaces` from what is watched"
    )]
    NoNamespaces { api_version: String, kind: String },
    #[error("{kind} in {api_version} cannot be watched: the server offers only {verbs}")]
    NotWatchable {
        api_version: String,
        kind: String,
        verbs: String,
    },

    /// Nothing came for so long that the connection may be dead.
    #[error("nothing came for {seconds} s: the connection is taken for dead")]
    Silent { seconds: u64 },
    #[error("the connection was cut: {reason}")]
    Cut { reason: String },
    /// A line or page that is not what the API promises.
    #[error("the server's answer cannot be read: {problem}")]
    Unreadable { problem: String },
    #[error("a page of the list is larger than {limit} bytes")]
    PageTooLarge { limit: usize },
}

impl WatchError {
    /// The error that an HTTP status means, or a `Status` inside a watch.
    pub(super) fn of_status(status: Status, retry_after: Option<Duration>) -> Self {
        let Status { code, message, .. } = status;
        let in_status = Some(status.details.retry_after_seconds).filter(|seconds| *seconds > 0);
        let after = retry_after.or(in_status.map(Duration::from_secs));
        match (code, after) {
            (401, _) => Self::Unauthorized,
            (403, _) => Self::Forbidden { message },
            (404, _) => Self::NotFound { message },
            (410, _) => Self::Expired { message },
            (429, after) => Self::Busy {
                code,
                after: after.unwrap_or_default(),
            },
            (500..=599, Some(after)) => Self::Busy { code, after },
            (400 | 405 | 406 | 415 | 422, _) => Self::Rejected { code, message },
            (code, _) => Self::Server { code, message },
        }
    }

    /// How long the server asked to be left alone.
    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::Busy { after, .. } => *after,
            _ => Duration::ZERO,
        }
    }
}

impl From<DecodeError> for WatchError {
    fn from(error: DecodeError) -> Self {
        Self::Unreadable {
            problem: error.to_string(),
        }
    }
}

/// An error and its causes in one line; a cause that the text already names is left out.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            let _ = write!(text, ": {words}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u16, retry_after: Option<u64>) -> WatchError {
        let status = Status {
            code,
            message: "because".into(),
            ..Status::default()
        };
        WatchError::of_status(status, retry_after.map(Duration::from_secs))
    }

    #[test]
    fn a_status_says_what_to_do() {
        use WatchError as E;
        assert!(matches!(of(401, None), E::Unauthorized));
        assert!(matches!(of(403, None), E::Forbidden { .. }));
        assert!(matches!(of(404, None), E::NotFound { .. }));
        assert!(matches!(of(410, None), E::Expired { .. }));
        assert!(matches!(of(422, None), E::Rejected { code: 422, .. }));
        assert!(matches!(of(500, None), E::Server { code: 500, .. }));
        assert!(matches!(of(418, None), E::Server { code: 418, .. }));
    }

    #[test]
    fn the_time_that_the_server_asks_for_is_kept() {
        assert_eq!(of(429, Some(7)).retry_after(), Duration::from_secs(7));
        assert_eq!(of(503, Some(2)).retry_after(), Duration::from_secs(2));
        assert_eq!(of(429, None).retry_after(), Duration::ZERO);
        let status = serde_json::from_str(r#"{"code":500,"details":{"retryAfterSeconds":3}}"#);
        let error = WatchError::of_status(status.expect("a Status"), None);
        assert_eq!(error.retry_after(), Duration::from_secs(3));
    }
}
