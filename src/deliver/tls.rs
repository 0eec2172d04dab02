//! TLS as a receiver's document wants it: whom we trust besides the public authorities, and who we
//! say that we are.
//!
//! In: a receiver's `caFile` and `clientCertificate`. Out: a [`Client`] that goes by what they hold
//! now: certificates are renewed while the bridge runs. Whatever they say, a server shows a
//! certificate for the name that was asked for, of an authority that is trusted, and in its time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Certificate, Client, ClientBuilder, Identity, redirect};

use super::guard::Guard;
use super::request::Preparation;
use super::{SetupError, chain};
use crate::config::{ClientCertificate, Receiver, Service};

/// Makes a receiver's client anew when its certificates change.
pub(super) struct Tls {
    guard: Arc<Guard>,
    ca_file: Option<PathBuf>,
    /// Where the document names it, and what it is.
    identity: Option<(&'static str, ClientCertificate)>,
    made: Mutex<(Material, Client)>,
}

/// What a client is made of, as PEM.
#[derive(Default, PartialEq, Eq)]
struct Material {
    authorities: Option<Vec<u8>>,
    /// The certificate with its chain, and the key.
    identity: Option<Vec<u8>>,
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("holds no PEM certificate")]
    NoCertificate,
    #[error("the client certificate cannot be used: {0}")]
    Identity(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl Tls {
    /// Reads `caFile`. The client certificate is a credential, and read when it is used.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate, or there is no TLS here.
    pub fn of(receiver: &Receiver, guard: Arc<Guard>) -> Result<Self, SetupError> {
        let (ca_file, identity) = match &receiver.spec.service {
            Service::Webhook(webhook) => {
                let identity = webhook.client_certificate.as_deref();
                let identity = identity.map(|it| ("webhook.clientCertificate", it));
                (webhook.ca_file.as_ref(), identity)
            }
            Service::Alertmanager(alertmanager) => {
                let identity = alertmanager.client_certificate.as_deref();
                let identity = identity.map(|it| ("alertmanager.clientCertificate", it));
                (alertmanager.ca_file.as_ref(), identity)
            }
            Service::Slack(_) | Service::PagerDuty(_) => (None, None),
        };
        let name = &receiver.name;
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| SetupError::CaFile {
                receiver: name.clone(),
                path: path.clone(),
                error,
            })
        };
        let material = Material {
            authorities: ca_file.map(read).transpose()?,
            identity: None,
        };
        let client = client(&material, &guard).map_err(|error| match (error, ca_file) {
            (Unusable::NoCertificate, Some(path)) => SetupError::NoCertificate {
                receiver: name.clone(),
                path: path.clone(),
            },
            (error, _) => SetupError::Tls {
                receiver: name.clone(),
                why: error.to_string(),
            },
        })?;
        Ok(Self {
            guard,
            ca_file: ca_file.cloned(),
            identity: identity.map(|(field, it)| (field, it.clone())),
            made: Mutex::new((material, client)),
        })
    }

    /// The client for the certificates as they are now.
    ///
    /// # Errors
    /// In words: what cannot be read, or is no certificate or key. It tells no value.
    pub async fn client(&self, preparation: &mut Preparation<'_>) -> Result<Client, String> {
        let material = Material {
            authorities: match &self.ca_file {
                Some(path) => Some(read(path).await?),
                None => None,
            },
            identity: match &self.identity {
                Some((field, identity)) => Some(pem(field, identity, preparation).await?),
                None => None,
            },
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.0 != material {
            let client = client(&material, &self.guard).map_err(|error| match error {
                Unusable::NoCertificate => format!("caFile {error}"),
                error => error.to_string(),
            })?;
            *made = (material, client);
        }
        Ok(made.1.clone())
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, String> {
    let read = tokio::fs::read(path).await;
    read.map_err(|error| format!("cannot read caFile {}: {error}", path.display()))
}

/// Certificate and key in one text, as the client takes them.
async fn pem(
    field: &str,
    identity: &ClientCertificate,
    preparation: &mut Preparation<'_>,
) -> Result<Vec<u8>, String> {
    let mut pem = String::new();
    for (part, credential) in [
        ("certificate", &identity.certificate),
        ("key", &identity.key),
    ] {
        let what = format!("{field}.{part}");
        pem.push_str(preparation.secret(&what, credential).await?.expose());
        pem.push('\n');
    }
    Ok(pem.into_bytes())
}

/// What all clients have in common.
fn builder(guard: &Arc<Guard>) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("bellwether/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .dns_resolver(Arc::clone(guard))
}

fn client(material: &Material, guard: &Arc<Guard>) -> Result<Client, Unusable> {
    let mut builder = builder(guard);
    if let Some(pem) = &material.authorities {
        let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(Unusable::NoCertificate);
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(pem) = &material.identity {
        let identity = Identity::from_pem(pem);
        let identity = identity.map_err(|error| Unusable::Identity(chain(&error)))?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| match material.identity {
        // The key may not be the certificate's.
        Some(_) => Unusable::Identity(chain(&error)),
        None => Unusable::Tls(chain(&error)),
    })
}

/// A client with public authorities alone, whatever proxy there is where tests run.
#[cfg(test)]
pub(super) fn plain(guard: &Arc<Guard>) -> Client {
    builder(guard).no_proxy().build().unwrap()
}
