//! Requests to the API server: sent through the `kube` client, which knows the address, TLS and
//! credentials; answered with bytes, or with the [`WatchError`] that a status means.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: a request has a time limit"
)]

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HeaderValue, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use serde::de::DeserializeOwned;

use crate::watch::cluster::Cluster;
use crate::watch::decode::{DecodeError, Status};
use crate::watch::error::{WatchError, causes};

/// No `Retry-After` keeps a stream waiting for longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);
/// An answer that is an error, or a discovery document, is no longer than this.
const DOCUMENT_LIMIT: usize = 32 << 20;

impl Cluster {
    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// No connection, no answer within the time, or an error status.
    pub(super) async fn open(
        &self,
        request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<Body, WatchError> {
        let sent = self.client().send(request.map(Body::from));
        let response = tokio::time::timeout(within, sent)
            .await
            .map_err(|_| self.unreachable(format!("no answer within {} s", within.as_secs())))?
            .map_err(|error| self.request_failed(&error))?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(refused(response, within).await)
    }

    /// The same for a stream of lines. The server would compress each one by itself, which costs
    /// more than it saves: it is asked not to.
    pub(super) async fn open_lines(
        &self,
        mut request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<Body, WatchError> {
        let identity = HeaderValue::from_static("identity");
        request.headers_mut().insert(ACCEPT_ENCODING, identity);
        self.open(request, within).await
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// As [`Cluster::open`], and an answer that is cut or longer than `limit` bytes.
    pub(super) async fn read(
        &self,
        request: Request<Vec<u8>>,
        within: Duration,
        limit: usize,
    ) -> Result<Bytes, WatchError> {
        let body = self.open(request, within).await?;
        collect(body, within, limit).await
    }

    /// Gets a JSON document, as discovery has them.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, WatchError> {
        let request = Request::get(path)
            .body(Vec::new())
            .map_err(|error| unsendable(&error))?;
        let text = self
            .read(request, Duration::from_secs(30), DOCUMENT_LIMIT)
            .await?;
        serde_json::from_slice(&text).map_err(|error| WatchError::Unreadable {
            problem: format!("{path}: {}", DecodeError::json(&error, &text)),
        })
    }

    fn unreachable(&self, reason: String) -> WatchError {
        WatchError::Unreachable {
            url: self.url().to_owned(),
            reason,
        }
    }

    pub(super) fn request_failed(&self, error: &kube::Error) -> WatchError {
        match error {
            kube::Error::Auth(kube::client::AuthError::AuthExecRun { out, .. }) => {
                // Neither the command line nor what it printed: either can hold a secret.
                WatchError::Credentials {
                    reason: format!("the kubeconfig's exec plugin ended with {}", out.status),
                }
            }
            kube::Error::Auth(error) => WatchError::Credentials {
                reason: causes(error),
            },
            kube::Error::Service(error) => self.unreachable(causes(&**error)),
            kube::Error::HyperError(error) => self.unreachable(causes(error)),
            error => self.unreachable(causes(error)),
        }
    }
}

/// Whether this may stand between two slashes of a path: a DNS subdomain, as the names of
/// namespaces, groups and most objects are. Anything else could lead to another path.
pub(super) fn is_segment(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    !text.is_empty() && !text.starts_with('.') && text.chars().all(is_letter)
}

/// The error for a request that cannot even be written.
pub(super) fn unsendable(error: &dyn std::error::Error) -> WatchError {
    WatchError::Unsendable {
        reason: causes(error),
    }
}

async fn collect(body: Body, within: Duration, limit: usize) -> Result<Bytes, WatchError> {
    let collected = tokio::time::timeout(within, Limited::new(body, limit).collect()).await;
    match collected {
        Err(_) => Err(WatchError::Silent {
            seconds: within.as_secs(),
        }),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(WatchError::PageTooLarge { limit }),
        Ok(Err(error)) => Err(WatchError::Cut {
            reason: causes(&*error),
        }),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

async fn refused(response: Response<Body>, within: Duration) -> WatchError {
    let code = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    // The status line has said no already; a body that cannot be read only says it worse.
    let text = collect(response.into_body(), within, DOCUMENT_LIMIT)
        .await
        .unwrap_or_default();
    let mut status: Status = serde_json::from_slice(&text).unwrap_or_else(|_| Status {
        message: first_line(&text),
        ..Status::default()
    });
    status.code = code;
    WatchError::of_status(status, retry_after)
}

/// What a proxy or an overloaded server says instead of a `Status`.
fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}
