//! The connection to one cluster: from a kubeconfig, or from inside a pod.
//!
//! In: what the command line says. Out: a [`Cluster`] that answers, with an identity that
//! survives a change of its address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::Value;

use crate::names::Uid;
use crate::watch::error::{WatchError, causes};

/// How to find the cluster; everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Address {
    /// The kubeconfig; else `$KUBECONFIG`, `~/.kube/config`, and the pod's own credentials.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; else its current one.
    pub context: Option<String>,
    /// The namespace that counts as the bridge's own; else the context's or the pod's.
    pub namespace: Option<String>,
}

/// A cluster to talk to. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    url: Arc<str>,
    name: Arc<str>,
    namespace: Arc<str>,
}

impl fmt::Debug for Cluster {
    /// Name and address; the client holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Namespace {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
}

impl Cluster {
    /// Reads the configuration; sends nothing yet. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The configuration is missing or wrong.
    pub async fn connect(address: &Address) -> Result<Self, WatchError> {
        let (mut config, name) = configuration(address).await?;
        // Retries are this stage's own: they are counted, told, and obey `Retry-After`.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(10));
        if let Some(namespace) = &address.namespace {
            config.default_namespace.clone_from(namespace);
        }
        install_crypto();
        let url = config.cluster_url.to_string().trim_end_matches('/').into();
        let namespace = config.default_namespace.as_str().into();
        let client = Client::try_from(config).map_err(|error| WatchError::Kubeconfig {
            path: place(address),
            reason: causes(&error),
        })?;
        Ok(Self {
            client,
            url,
            name,
            namespace,
        })
    }

    /// The UID of the namespace `kube-system`: the same for as long as the cluster lives, and of
    /// no other cluster. Also the proof that the server answers and takes the credentials.
    ///
    /// # Errors
    /// All that a request can meet; 403 if the role may not `get` this namespace.
    pub async fn identity(&self) -> Result<Uid, WatchError> {
        let system: Namespace = self.document("/api/v1/namespaces/kube-system").await?;
        Ok(Uid::parse(&system.metadata.uid))
    }

    /// The schemas of these group versions, as far as the server has them.
    ///
    /// # Errors
    /// All that a request can meet.
    pub async fn schemas_of(
        &self,
        versions: impl IntoIterator<Item = String>,
    ) -> Result<Vec<(String, Value)>, WatchError> {
        let mut served = Vec::new();
        for version in versions {
            if let Some(schemas) = self.openapi(&version).await? {
                served.push((version, schemas));
            }
        }
        Ok(served)
    }

    /// The schemas of a group's version as the server publishes them, built-in kinds too
    /// (`/openapi/v3`); `None` where it does not have the version.
    ///
    /// # Errors
    /// All that a request can meet.
    pub async fn openapi(&self, api_version: &str) -> Result<Option<Value>, WatchError> {
        let path = match api_version.split_once('/') {
            Some(_) => format!("/openapi/v3/apis/{api_version}"),
            None => format!("/openapi/v3/api/{api_version}"),
        };
        match self.document(&path).await {
            Ok(schemas) => Ok(Some(schemas)),
            Err(WatchError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For the `cluster` label: the context's name, `in-cluster` in a pod.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The address of the API server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bridge's own namespace.
    #[must_use]
    pub fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

/// TLS without a choice of provider cannot start; a second installation changes nothing.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn configuration(address: &Address) -> Result<(Config, Arc<str>), WatchError> {
    let path = place(address);
    let wrong = |error: &KubeconfigError| WatchError::Kubeconfig {
        path: path.clone(),
        reason: reason(error, &path),
    };
    let Some(kubeconfig) = read_kubeconfig(address).map_err(|error| wrong(&error))? else {
        let config = Config::incluster().map_err(|error| WatchError::NoCluster {
            reason: causes(&error),
        })?;
        return Ok((config, "in-cluster".into()));
    };
    let context = chosen_context(address, &kubeconfig, &path)?;
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| wrong(&error))?;
    Ok((config, context.into()))
}

fn read_kubeconfig(address: &Address) -> Result<Option<Kubeconfig>, KubeconfigError> {
    if let Some(path) = &address.kubeconfig {
        return Kubeconfig::read_from(path).map(Some);
    }
    if let Some(kubeconfig) = Kubeconfig::from_env()? {
        return Ok(Some(kubeconfig));
    }
    match home_kubeconfig().filter(|path| path.exists()) {
        Some(path) => Kubeconfig::read_from(path).map(Some),
        None => Ok(None),
    }
}

fn home_kubeconfig() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".kube").join("config"))
}

fn chosen_context(
    address: &Address,
    kubeconfig: &Kubeconfig,
    path: &str,
) -> Result<String, WatchError> {
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    if names.is_empty() {
        return Err(WatchError::Kubeconfig {
            path: path.to_owned(),
            reason: String::from("it has no contexts: is it a kubeconfig?"),
        });
    }
    let available = names.join(", ");
    let wanted = address
        .context
        .as_ref()
        .or(kubeconfig.current_context.as_ref());
    match wanted.filter(|context| !context.is_empty()) {
        Some(context) if names.contains(&context.as_str()) => Ok(context.clone()),
        Some(context) => Err(WatchError::UnknownContext {
            path: path.to_owned(),
            context: context.clone(),
            available,
        }),
        None => Err(WatchError::NoContext {
            path: path.to_owned(),
            available,
        }),
    }
}

/// Where the configuration comes from, for an error.
fn place(address: &Address) -> String {
    let shown = |path: &Path| path.display().to_string();
    match (
        &address.kubeconfig,
        std::env::var_os("KUBECONFIG"),
        home_kubeconfig(),
    ) {
        (Some(path), ..) => shown(path),
        (None, Some(paths), _) => Path::new(&paths).display().to_string(),
        (None, None, Some(path)) => shown(&path),
        (None, None, None) => String::from("(none)"),
    }
}

/// The reason without the text of the file: a parser's excerpt may quote a token.
fn reason(error: &KubeconfigError, path: &str) -> String {
    match error {
        KubeconfigError::ReadConfig(error, at) if *at == *Path::new(path) => error.to_string(),
        KubeconfigError::ReadConfig(error, at) => format!("{}: {error}", at.display()),
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!(
                "line {}, column {}: this is not a kubeconfig (YAML of kind Config)",
                at.line(),
                at.column()
            ),
            None => String::from("this is not a kubeconfig (YAML of kind Config)"),
        },
        KubeconfigError::LoadClusterOfContext(cluster) => {
            format!("the context names the cluster {cluster:?}, which is not in it")
        }
        KubeconfigError::MissingClusterUrl => String::from("the cluster has no `server`"),
        error => causes(error),
    }
}
