//! Somebody who may talk to the test cluster, as the outside sees them: a kubeconfig or a client.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use crate::certificates::Pair;
use crate::cluster::ClusterError;

#[derive(Clone)]
pub(crate) enum Credentials {
    Certificate(Pair),
    Token(String),
}

/// A user of one [`Cluster`](crate::Cluster).
#[derive(Clone)]
pub struct User {
    name: String,
    credentials: Credentials,
    server: SocketAddr,
    authority: String,
    folder: PathBuf,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl User {
    pub(crate) fn new(
        name: &str,
        credentials: Credentials,
        server: SocketAddr,
        authority: String,
        folder: &Path,
    ) -> User {
        User {
            name: name.to_owned(),
            credentials,
            server,
            authority,
            folder: folder.to_path_buf(),
        }
    }

    /// The name that a role is bound to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes this user's kubeconfig (context `test`) and returns its path.
    pub fn kubeconfig(&self) -> Result<PathBuf, ClusterError> {
        self.kubeconfig_through(self.server)
    }

    /// As [`User::kubeconfig`], but the server is reached through `address`, a [`CutProxy`](crate::CutProxy).
    pub fn kubeconfig_through(&self, address: SocketAddr) -> Result<PathBuf, ClusterError> {
        let path = self.folder.join(format!(
            "{}-{}.kubeconfig",
            self.name.replace(':', "-"),
            address.port()
        ));
        // Written whole under another name: somebody may be reading the same user's file just now.
        let unfinished = path.with_extension(format!("{:016x}", fastrand::u64(..)));
        std::fs::write(&unfinished, self.document(address))?;
        std::fs::rename(&unfinished, &path)?;
        Ok(path)
    }

    /// A client of the runtime that calls; it must not be used in another one.
    pub async fn client(&self) -> Result<Client, ClusterError> {
        self.client_through(self.server).await
    }

    /// As [`User::client`], through a [`CutProxy`](crate::CutProxy).
    pub async fn client_through(&self, address: SocketAddr) -> Result<Client, ClusterError> {
        crate::install_crypto_provider();
        let kubeconfig = Kubeconfig::from_yaml(&self.document(address))?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Whether the API server is ready and has made its own namespaces.
    pub(crate) async fn is_served(&self) -> bool {
        let Ok(client) = self.client().await else {
            return false;
        };
        let ready = http::Request::get("/readyz").body(Vec::new());
        let Ok(ready) = ready else { return false };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        client.request_text(ready).await.is_ok()
            && namespaces.get("kube-system").await.is_ok()
            && namespaces.get("default").await.is_ok()
    }

    pub(crate) async fn request_token(
        &self,
        namespace: &str,
        account: &str,
    ) -> Result<String, ClusterError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec::default()),
            ..TokenRequest::default()
        };
        let granted = accounts
            .create_token_request(account, &PostParams::default(), &request)
            .await?;
        granted
            .status
            .and_then(|status| status.token)
            .ok_or(ClusterError::NoToken)
    }

    /// The kubeconfig. JSON is YAML, and its quoting leaves no doubt.
    fn document(&self, address: SocketAddr) -> String {
        let encode = |pem: &str| BASE64_STANDARD.encode(pem);
        let user = match &self.credentials {
            Credentials::Certificate(pair) => json!({
                "client-certificate-data": encode(&pair.certificate),
                "client-key-data": encode(&pair.key),
            }),
            Credentials::Token(token) => json!({ "token": token }),
        };
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": self.name } }],
            "clusters": [{ "name": "test", "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": encode(&self.authority),
            } }],
            "users": [{ "name": self.name, "user": user }],
        });
        format!("{document:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_whole_while_it_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let server = SocketAddr::from(([127, 0, 0, 1], 6443));
        let token = Credentials::Token("x".repeat(100_000));
        let user = User::new("ada", token, server, String::new(), folder.path());
        let path = user.kubeconfig().unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..100).for_each(|_| drop(user.kubeconfig().unwrap())));
            while !writer.is_finished() {
                let whole = std::fs::read_to_string(&path).unwrap();
                assert!(whole.ends_with("}\n"), "{} bytes", whole.len());
            }
        });
    }
}
