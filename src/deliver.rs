//! One attempt to deliver a payload: the only place that resolves credentials and talks to
//! receivers.
//!
//! In: an [`Attempt`] and its [`Payload`]. Out: a [`Delivery`]. It does not
//! retry, wait or remember: the outbox decides what happens next. No error names more of a URL
//! than its host, because a webhook's URL is a secret.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: it sends requests, signs them with the time, and reads HTTP dates"
)]

mod answer;
mod conversation;
mod guard;
mod pace;
mod request;
mod secret;
mod signature;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, Url};

pub use self::request::credentials;
pub use self::secret::{CredentialError, NoSecrets, Secret, SecretReader};

use self::answer::Answer;
use self::conversation::Bot;
use self::guard::{Guard, Reach};
use self::pace::Pace;
use self::request::{Preparation, Prepared};
use self::tls::Tls;
use crate::config::{Receiver, Service, Slack, SlackWay};
use crate::names::{Fingerprint, ReceiverName};
use crate::outbox::{Attempt, Delivery, Outcome};
use crate::render::Payload;

/// Bytes of an answer that are read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Delivers to every receiver of a configuration.
pub struct Deliverer {
    routes: BTreeMap<ReceiverName, Route>,
    pace: Pace,
    secrets: Arc<dyn SecretReader>,
}

/// The way to one receiver.
struct Route {
    tls: Tls,
    service: Service,
    timeout: Duration,
    namespace: Option<String>,
    reach: Reach,
}

/// How far receivers of tenants' namespaces reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// To what is on the internet: not to services of the cluster or its network.
    ReachPublicAddresses,
    /// To whatever the bridge itself does.
    ReachAll,
}

/// A receiver that cannot be spoken to as its document says.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("receiver {receiver}: cannot read caFile {}: {error}", path.display())]
    CaFile {
        receiver: ReceiverName,
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("receiver {receiver}: caFile {} holds no PEM certificate", path.display())]
    NoCertificate {
        receiver: ReceiverName,
        path: PathBuf,
    },
    #[error("receiver {receiver}: TLS cannot be set up: {why}")]
    Tls { receiver: ReceiverName, why: String },
}

/// A credential that cannot be resolved now.
#[derive(Debug, thiserror::Error)]
#[error("receiver {receiver}: {field}: {error}")]
pub struct Unresolved {
    pub receiver: ReceiverName,
    /// The receiver is a tenant's: its mistakes are no one else's.
    pub of_tenant: bool,
    /// Where it stands in the document: `slack.webhookUrl`.
    pub field: String,
    pub error: CredentialError,
}

impl Deliverer {
    /// Makes ready for these receivers. Nothing is resolved or sent yet.
    ///
    /// # Errors
    /// Every receiver whose TLS settings do not work.
    pub fn new(
        receivers: &[Receiver],
        secrets: Arc<dyn SecretReader>,
    ) -> Result<Self, Vec<SetupError>> {
        Self::with(receivers, secrets, Tenants::ReachPublicAddresses)
    }

    /// The same, with how far receivers of tenants' namespaces reach.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(
        receivers: &[Receiver],
        secrets: Arc<dyn SecretReader>,
        tenants: Tenants,
    ) -> Result<Self, Vec<SetupError>> {
        // Whoever comes first in the process; it is the same provider everywhere.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut routes = BTreeMap::new();
        let mut errors = Vec::new();
        for receiver in receivers {
            let internal = receiver.namespace.is_none() || tenants == Tenants::ReachAll;
            let reach = if internal {
                Reach::Anywhere
            } else {
                Reach::Public
            };
            match Tls::of(receiver, Arc::new(Guard::new(reach))) {
                Ok(tls) => {
                    let route = Route {
                        tls,
                        service: receiver.spec.service.clone(),
                        timeout: receiver.spec.timeout,
                        namespace: receiver.namespace.clone(),
                        reach,
                    };
                    routes.insert(receiver.name.clone(), route);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                routes,
                pace: Pace::default(),
                secrets,
            })
        } else {
            Err(errors)
        }
    }

    /// Every credential that cannot be resolved now, or is no address where one is needed, for a
    /// start that tells all at once.
    pub async fn verify(&self) -> Vec<Unresolved> {
        let mut unresolved = Vec::new();
        for (name, route) in &self.routes {
            for (field, credential) in request::credentials(&route.service) {
                let namespace = route.namespace.as_deref();
                let secret = secret::resolve(credential, namespace, &*self.secrets).await;
                let secret = secret.and_then(|secret| {
                    let fits =
                        !request::is_url(&field) || request::parse(secret.expose()).is_some();
                    fits.then_some(secret).ok_or(CredentialError::NoUrl)
                });
                if let Err(error) = secret {
                    unresolved.push(Unresolved {
                        receiver: name.clone(),
                        of_tenant: route.namespace.is_some(),
                        field,
                        error,
                    });
                }
            }
            let known = unresolved.iter().any(|it| it.receiver == *name);
            let mut preparation = self.preparation(route);
            if let (false, Err(why)) = (known, route.tls.client(&mut preparation).await) {
                unresolved.push(Unresolved {
                    receiver: name.clone(),
                    of_tenant: route.namespace.is_some(),
                    field: "TLS".to_owned(),
                    error: CredentialError::Tls(why),
                });
            }
        }
        unresolved
    }

    /// Makes one attempt. A credential that cannot be resolved is tried again later: a Secret may
    /// just be about to be written.
    pub async fn deliver(&self, attempt: &Attempt, payload: &Payload) -> Delivery {
        let receiver = &attempt.notification.receiver;
        let Some(route) = self.routes.get(receiver) else {
            let why = format!("there is no receiver {receiver} any more");
            return Outcome::Refused { why }.into();
        };
        let mut preparation = self.preparation(route);
        let mut delivery = self
            .attempt(route, attempt, payload, &mut preparation)
            .await
            .unwrap_or_else(|why| Outcome::Retry { after: None, why }.into());
        match &mut delivery.outcome {
            Outcome::Accepted => {}
            Outcome::Retry { why, .. } | Outcome::Refused { why } => {
                *why = secret::masked(why, &preparation.used);
            }
        }
        delivery
    }

    fn preparation<'a>(&'a self, route: &'a Route) -> Preparation<'a> {
        Preparation {
            namespace: route.namespace.as_deref(),
            reader: &*self.secrets,
            used: Vec::new(),
        }
    }

    /// The attempt, once its credentials are there.
    ///
    /// # Errors
    /// In words: a credential that cannot be resolved or does not fit.
    async fn attempt(
        &self,
        route: &Route,
        attempt: &Attempt,
        payload: &Payload,
        preparation: &mut Preparation<'_>,
    ) -> Result<Delivery, String> {
        let notification = &attempt.notification;
        let client = route.tls.client(preparation).await?;
        if let Service::Slack(Slack {
            way:
                SlackWay::Bot {
                    token,
                    channel,
                    base_url,
                },
            ..
        }) = &route.service
        {
            let (authorization, api) = preparation.bot(token, base_url).await?;
            let bot = Bot {
                route,
                client: &client,
                pace: &self.pace,
                api,
                authorization,
                secrets: &preparation.used,
                channel,
            };
            let posted = attempt.posted.as_ref();
            return Ok(bot.tell(notification, payload, posted).await);
        }
        let id = notification.id.as_str();
        let request = preparation.request(&route.service, payload, id, Timestamp::now());
        let request = request.await?;
        // Slack counts by webhook; its address is a secret, of which only a hash is kept.
        let webhook = matches!(route.service, Service::Slack(_))
            .then(|| Fingerprint::of(&["slack", request.url.as_str()]).to_string());
        let exchange = route.exchange(&client, request, &preparation.used);
        let answer = match webhook {
            Some(webhook) => self.pace.send(&webhook, exchange).await,
            None => exchange.await,
        };
        Ok(match answer {
            Ok(answer) => route.judge(&answer).into(),
            Err(outcome) => outcome.into(),
        })
    }
}

impl Route {
    /// Sends a request and reads what matters of the answer.
    ///
    /// # Errors
    /// No answer came.
    async fn exchange(
        &self,
        client: &Client,
        prepared: Prepared,
        secrets: &[Secret],
    ) -> Result<Answer, Outcome> {
        let host = host(&prepared.url);
        if let Err(forbidden) = guard::check(&prepared.url, self.reach) {
            return Err(Outcome::Refused {
                why: forbidden.to_string(),
            });
        }
        let mut request = client
            .request(prepared.method, prepared.url)
            .headers(prepared.headers)
            .timeout(self.timeout)
            .body(prepared.body);
        if let Some((user, password)) = prepared.basic {
            request = request.basic_auth(user, Some(password.expose()));
        }
        match request.send().await {
            Ok(response) => {
                let mut answer = read(response).await;
                // Before anything is cut out of it: half a secret is not recognised.
                answer.body = secret::masked(&answer.body, secrets);
                Ok(answer)
            }
            Err(error) => Err(failed(&host, &error.without_url(), self.timeout)),
        }
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        match &self.service {
            Service::Slack(_) => answer::slack(answer),
            Service::PagerDuty(_) => answer::pagerduty(answer),
            Service::Alertmanager(_) => answer::alertmanager(answer),
            Service::Webhook(webhook) => answer::webhook(answer, &webhook.success_codes),
        }
    }
}

/// What matters of an answer. Its body is read up to a limit; if that fails the status still counts.
async fn read(mut response: Response) -> Answer {
    let header = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let location = header(LOCATION);
    let location = location.and_then(|to| response.url().join(&to).ok());
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: header(RETRY_AFTER),
        location: location.map(|url| host(&url)),
        body: String::new(),
        at: Some(Timestamp::now()),
    };
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == ANSWER_LIMIT {
            break;
        }
    }
    answer.body = String::from_utf8_lossy(&body).into_owned();
    answer
}

/// No answer came. Whether the receiver heard it is unknown, so it is tried again.
fn failed(host: &str, error: &reqwest::Error, timeout: Duration) -> Outcome {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(forbidden) = cause.downcast_ref::<guard::Forbidden>() {
            return Outcome::Refused {
                why: format!("{host}: {forbidden}"),
            };
        }
        source = cause.source();
    }
    let why = if error.is_timeout() {
        format!("{host}: no answer within {timeout:?}")
    } else if error.is_connect() {
        format!("cannot connect to {host}: {}", chain(error))
    } else {
        format!("{host}: {}", chain(error))
    };
    Outcome::Retry { after: None, why }
}

/// Host and port: all of a URL that may be shown.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

/// The innermost cause says what happened; the outer ones only that something did.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    text
}
