//! From a payload to an HTTP request: where it goes, and with which credentials.
//!
//! In: a receiver's service, a payload, the notification's identity, a way to read secrets.
//! Out: a [`Prepared`] request and the secrets that are in it, or why there is none.

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

use super::secret::{CredentialError, Secret, SecretReader, resolve};
use super::signature;
use crate::config::{
    Alertmanager, Basic, Credential, LiteralOrCredential, PagerDuty, Service, Slack, SlackWay,
    Webhook,
};
use crate::render::{Endpoint, Payload};

/// A request to be sent.
pub(super) struct Prepared {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    /// User and password of basic authentication.
    pub basic: Option<(String, Secret)>,
    pub body: Vec<u8>,
}

/// Prepares requests, and remembers which secrets went into them.
pub(super) struct Preparation<'a> {
    pub namespace: Option<&'a str>,
    pub reader: &'a dyn SecretReader,
    pub used: Vec<Secret>,
}

impl Preparation<'_> {
    /// The request for this payload.
    ///
    /// # Errors
    /// In words: a credential that cannot be resolved or does not fit. It tells no value.
    pub async fn request(
        &mut self,
        service: &Service,
        payload: &Payload,
        id: &str,
        at: Timestamp,
    ) -> Result<Prepared, String> {
        let mut headers = HeaderMap::new();
        let content_type = header_value("Content-Type", &payload.content_type)?;
        headers.insert(CONTENT_TYPE, content_type);
        match service {
            Service::Slack(slack) => self.slack(slack, payload, headers).await,
            Service::PagerDuty(pagerduty) => self.pagerduty(pagerduty, payload, headers).await,
            Service::Alertmanager(alertmanager) => {
                self.alertmanager(alertmanager, payload, headers).await
            }
            Service::Webhook(webhook) => {
                headers.insert("idempotency-key", header_value("Idempotency-Key", id)?);
                self.webhook(webhook, payload, headers, at).await
            }
        }
    }

    async fn slack(
        &mut self,
        slack: &Slack,
        payload: &Payload,
        headers: HeaderMap,
    ) -> Result<Prepared, String> {
        let SlackWay::Webhook { url, .. } = &slack.way else {
            return Err("slack.webhookUrl is not there".to_owned());
        };
        let url = self.secret("slack.webhookUrl", url).await?;
        let url = parsed("slack.webhookUrl", url.expose())?;
        self.hide_path(&url);
        Ok(Prepared {
            method: Method::POST,
            url,
            headers,
            basic: None,
            body: payload.body.clone(),
        })
    }

    /// What a bot calls Slack with: its `Authorization`, and where Slack is.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn bot(
        &mut self,
        token: &Credential,
        base_url: &str,
    ) -> Result<(HeaderValue, Url), String> {
        let authorization = self.bearer("slack.botToken", token).await?;
        Ok((authorization, parsed("slack.baseUrl", base_url)?))
    }

    async fn pagerduty(
        &mut self,
        pagerduty: &PagerDuty,
        payload: &Payload,
        headers: HeaderMap,
    ) -> Result<Prepared, String> {
        let key = self
            .secret("pagerduty.routingKey", &pagerduty.routing_key)
            .await?;
        let path = match payload.endpoint {
            Endpoint::Default => "/v2/enqueue",
            Endpoint::Change => "/v2/change/enqueue",
        };
        let url = format!("{}{path}", pagerduty.base_url.trim_end_matches('/'));
        let mut event: Value = serde_json::from_slice(&payload.body)
            .map_err(|error| format!("the event is not JSON: {error}"))?;
        if let Some(event) = event.as_object_mut() {
            event.insert("routing_key".to_owned(), key.expose().into());
        }
        Ok(Prepared {
            method: Method::POST,
            url: parsed("pagerduty.baseUrl", &url)?,
            headers,
            basic: None,
            body: event.to_string().into_bytes(),
        })
    }

    async fn alertmanager(
        &mut self,
        alertmanager: &Alertmanager,
        payload: &Payload,
        mut headers: HeaderMap,
    ) -> Result<Prepared, String> {
        let url = self.text("alertmanager.url", &alertmanager.url).await?;
        let mut url = parsed("alertmanager.url", url.expose())?;
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/api/v2/alerts"));
        if matches!(alertmanager.url, LiteralOrCredential::Credential(_)) {
            self.hide_path(&url);
        }
        if let Some(token) = &alertmanager.bearer_token {
            let value = self.bearer("alertmanager.bearerToken", token).await?;
            headers.insert(AUTHORIZATION, value);
        }
        let basic = alertmanager.basic.as_ref();
        Ok(Prepared {
            method: Method::POST,
            url,
            headers,
            basic: self.basic("alertmanager.basic.password", basic).await?,
            body: payload.body.clone(),
        })
    }

    async fn bearer(&mut self, what: &str, token: &Credential) -> Result<HeaderValue, String> {
        let token = self.secret(what, token).await?;
        let value = header_value(what, &format!("Bearer {}", token.expose()))?;
        Ok(sensitive(value))
    }

    async fn basic(
        &mut self,
        what: &str,
        basic: Option<&Basic>,
    ) -> Result<Option<(String, Secret)>, String> {
        match basic {
            Some(basic) => {
                let password = self.secret(what, &basic.password).await?;
                Ok(Some((basic.username.clone(), password)))
            }
            None => Ok(None),
        }
    }

    async fn webhook(
        &mut self,
        webhook: &Webhook,
        payload: &Payload,
        mut headers: HeaderMap,
        at: Timestamp,
    ) -> Result<Prepared, String> {
        let url = self.text("webhook.url", &webhook.url).await?;
        let url = parsed("webhook.url", url.expose())?;
        if matches!(webhook.url, LiteralOrCredential::Credential(_)) {
            self.hide_path(&url);
        }
        for (name, value) in &webhook.headers {
            let what = format!("webhook.headers.{name}");
            let text = self.text(&what, value).await?;
            let name = HeaderName::from_bytes(name.as_bytes());
            let name = name.map_err(|_| format!("{what}: that is no header's name"))?;
            headers.insert(name, sensitive(header_value(&what, text.expose())?));
        }
        if let Some(token) = &webhook.bearer_token {
            let value = self.bearer("webhook.bearerToken", token).await?;
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(hmac) = &webhook.hmac {
            let secret = self.secret("webhook.hmac.secret", &hmac.secret).await?;
            let name = HeaderName::from_bytes(hmac.header.as_bytes());
            let name = name.map_err(|_| "webhook.hmac.header: that is no header's name")?;
            let value = signature::of(&secret, at, &payload.body);
            headers.insert(name, header_value("webhook.hmac", &value)?);
        }
        let basic = webhook.basic.as_ref();
        let basic = self.basic("webhook.basic.password", basic).await?;
        Ok(Prepared {
            method: Method::from_bytes(webhook.method.as_bytes())
                .map_err(|_| format!("webhook.method: {:?} is no HTTP method", webhook.method))?,
            url,
            headers,
            basic,
            body: payload.body.clone(),
        })
    }

    /// Of a URL that is secret, path and query are too: an answer may repeat them alone.
    fn hide_path(&mut self, url: &Url) {
        self.used.push(Secret::new(url.path().to_owned()));
        if let Some(query) = url.query() {
            self.used.push(Secret::new(query.to_owned()));
        }
    }

    async fn text(&mut self, what: &str, value: &LiteralOrCredential) -> Result<Secret, String> {
        match value {
            LiteralOrCredential::Literal(text) => Ok(Secret::new(text.clone())),
            LiteralOrCredential::Credential(credential) => self.secret(what, credential).await,
        }
    }

    pub(super) async fn secret(
        &mut self,
        what: &str,
        credential: &Credential,
    ) -> Result<Secret, String> {
        let secret = resolve(credential, self.namespace, self.reader).await;
        let secret = secret.map_err(|error| format!("{what}: {error}; {}", error.help()))?;
        self.used.push(secret.clone());
        Ok(secret)
    }
}

/// Each credential of a service, with where it stands in the document.
#[must_use]
pub fn credentials(service: &Service) -> Vec<(String, &Credential)> {
    match service {
        Service::Slack(slack) => vec![match &slack.way {
            SlackWay::Webhook { url, .. } => ("slack.webhookUrl".to_owned(), url),
            SlackWay::Bot { token, .. } => ("slack.botToken".to_owned(), token),
        }],
        Service::PagerDuty(pagerduty) => {
            vec![("pagerduty.routingKey".to_owned(), &pagerduty.routing_key)]
        }
        Service::Alertmanager(alertmanager) => {
            let url = match &alertmanager.url {
                LiteralOrCredential::Credential(url) => Some(url),
                LiteralOrCredential::Literal(_) => None,
            };
            let password = alertmanager.basic.as_ref().map(|basic| &basic.password);
            let token = alertmanager.bearer_token.as_ref();
            let identity = alertmanager.client_certificate.as_ref();
            let all = [
                ("alertmanager.url", url),
                ("alertmanager.bearerToken", token),
                ("alertmanager.basic.password", password),
                (
                    "alertmanager.clientCertificate.certificate",
                    identity.map(|it| &it.certificate),
                ),
                (
                    "alertmanager.clientCertificate.key",
                    identity.map(|it| &it.key),
                ),
            ];
            let there = all
                .into_iter()
                .filter_map(|(name, it)| Some((name.to_owned(), it?)));
            there.collect()
        }
        Service::Webhook(webhook) => {
            let mut all = Vec::new();
            if let LiteralOrCredential::Credential(url) = &webhook.url {
                all.push(("webhook.url".to_owned(), url));
            }
            for (name, value) in &webhook.headers {
                if let LiteralOrCredential::Credential(value) = value {
                    all.push((format!("webhook.headers.{name}"), value));
                }
            }
            let token = webhook.bearer_token.as_ref();
            let password = webhook.basic.as_ref().map(|basic| &basic.password);
            let secret = webhook.hmac.as_ref().map(|hmac| &hmac.secret);
            let identity = webhook.client_certificate.as_ref();
            for (name, credential) in [
                ("webhook.bearerToken", token),
                ("webhook.basic.password", password),
                ("webhook.hmac.secret", secret),
                (
                    "webhook.clientCertificate.certificate",
                    identity.map(|it| &it.certificate),
                ),
                ("webhook.clientCertificate.key", identity.map(|it| &it.key)),
            ] {
                all.extend(credential.map(|credential| (name.to_owned(), credential)));
            }
            all
        }
    }
}

/// Whether the field of that name, as [`credentials`] has it, is an address.
pub(super) fn is_url(field: &str) -> bool {
    matches!(
        field,
        "slack.webhookUrl" | "webhook.url" | "alertmanager.url"
    )
}

/// A URL with a host.
pub(super) fn parse(url: &str) -> Option<Url> {
    let parsed = Url::parse(url).ok();
    parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The same; the error does not repeat it, as it may be a secret.
fn parsed(what: &str, url: &str) -> Result<Url, String> {
    parse(url).ok_or_else(|| format!("{what}: {}", CredentialError::NoUrl))
}

fn header_value(what: &str, value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("{what}: the value does not fit in a header"))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
