//! Credentials: references resolved to secrets, at the moment of use and nowhere else.
//!
//! In: a [`Credential`]. Out: a [`Secret`], which cannot be printed, or why there is none.

use std::io;
use std::path::PathBuf;

use futures::future::BoxFuture;

use crate::config::{Credential, SecretKey};

/// A secret value. It has no `Debug` and no `Display`, so it gets into no log by accident.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself: for a request, and for nothing that a person reads.
    #[must_use]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads keys of Kubernetes Secrets; the shell implements it with its cluster client.
pub trait SecretReader: Send + Sync {
    /// The key's value. `namespace` is that of the receiver's document; absent for a receiver
    /// without one, whose Secrets are in the bridge's own namespace.
    fn read<'a>(
        &'a self,
        namespace: Option<&'a str>,
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Secret, String>>;
}

/// For installations without a cluster to read Secrets from.
pub struct NoSecrets;

impl SecretReader for NoSecrets {
    fn read<'a>(
        &'a self,
        _: Option<&'a str>,
        _: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Secret, String>> {
        Box::pin(async { Err("there is no cluster to read Secrets from".to_owned()) })
    }
}

/// Why a credential could not be resolved. It never tells a value.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    #[error("the environment variable {0} is not UTF-8")]
    VariableText(String),
    #[error("cannot read the file {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("cannot read key {:?} of Secret {:?}: {why}", key.key, key.name)]
    SecretKey { key: SecretKey, why: String },
    #[error("{0} is empty")]
    Empty(String),
    #[error("the value is not an http or https URL")]
    NoUrl,
    /// The files of a receiver's TLS, in words.
    #[error("{0}")]
    Tls(String),
}

impl CredentialError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoVariable(name) => {
                format!("set it where bellwether runs: export {name}=…, or env in the Deployment")
            }
            Self::File { .. } => "mount the Secret there, or correct the path".to_owned(),
            Self::SecretKey { key, .. } => format!(
                "kubectl create secret generic {} --from-literal={}=…, and allow bellwether to get it",
                key.name, key.key
            ),
            Self::VariableText(_) | Self::Empty(_) => "give it the value".to_owned(),
            Self::Tls(_) => "give a certificate and its key as PEM".to_owned(),
            Self::NoUrl => {
                "give it the whole address, https://… (it is not shown: it may be a secret)"
                    .to_owned()
            }
        }
    }
}

/// Resolves a credential.
///
/// # Errors
/// It is not there, unreadable or empty.
pub(super) async fn resolve(
    credential: &Credential,
    namespace: Option<&str>,
    secrets: &dyn SecretReader,
) -> Result<Secret, CredentialError> {
    let (value, place) = match credential {
        Credential::Env(name) => {
            let value = std::env::var(name).map_err(|error| match error {
                std::env::VarError::NotPresent => CredentialError::NoVariable(name.clone()),
                std::env::VarError::NotUnicode(_) => CredentialError::VariableText(name.clone()),
            })?;
            (value, format!("the environment variable {name}"))
        }
        // Read at each use: a mounted Secret changes without a sign.
        Credential::File(path) => {
            let read = tokio::fs::read_to_string(path).await;
            let value = read.map_err(|error| CredentialError::File {
                path: path.clone(),
                error,
            })?;
            (value, format!("the file {}", path.display()))
        }
        Credential::SecretKeyRef(key) => {
            let read = secrets.read(namespace, key).await;
            let secret = read.map_err(|why| CredentialError::SecretKey {
                key: key.clone(),
                why,
            })?;
            (
                secret.0,
                format!("key {:?} of Secret {:?}", key.key, key.name),
            )
        }
    };
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(CredentialError::Empty(place));
    }
    Ok(Secret(value.to_owned()))
}

/// The text without these secrets, as a receiver may repeat what it was sent.
pub(super) fn masked(text: &str, secrets: &[Secret]) -> String {
    let mut masked = text.to_owned();
    for secret in secrets {
        if secret.0.len() >= 4 {
            masked = masked.replace(&secret.0, "•••");
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(credential: Credential) -> Result<String, String> {
        let secret = resolve(&credential, None, &NoSecrets).await;
        secret
            .map(|secret| secret.0)
            .map_err(|error| format!("{error} ({})", error.help()))
    }

    #[tokio::test]
    async fn a_file_is_read_again_at_each_use_and_loses_its_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let credential = Credential::File(file.path().to_owned());
        for value in ["first", "second"] {
            std::fs::write(file.path(), format!("{value}\n")).unwrap();
            assert_eq!(resolved(credential.clone()).await.unwrap(), value);
        }
        std::fs::write(file.path(), "\n").unwrap();
        assert!(resolved(credential).await.unwrap_err().contains("is empty"));
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_with_what_to_do() {
        let missing = resolved(Credential::Env("BELLWETHER_NO_SUCH".into())).await;
        insta::assert_snapshot!(missing.unwrap_err(), @"the environment variable BELLWETHER_NO_SUCH is not set (set it where bellwether runs: export BELLWETHER_NO_SUCH=…, or env in the Deployment)");
        let missing = resolved(Credential::File("/no/such/file".into())).await;
        insta::assert_snapshot!(missing.unwrap_err(), @"cannot read the file /no/such/file: No such file or directory (os error 2) (mount the Secret there, or correct the path)");
        let key = SecretKey {
            name: "slack".into(),
            key: "url".into(),
        };
        let missing = resolved(Credential::SecretKeyRef(key)).await;
        insta::assert_snapshot!(missing.unwrap_err(), @r#"cannot read key "url" of Secret "slack": there is no cluster to read Secrets from (kubectl create secret generic slack --from-literal=url=…, and allow bellwether to get it)"#);
    }

    #[test]
    fn a_repeated_secret_is_masked() {
        let secrets = [Secret::new("s3cret".into())];
        assert_eq!(masked("key s3cret is wrong", &secrets), "key ••• is wrong");
    }
}
