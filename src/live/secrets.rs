//! Secrets of the cluster, as `deliver` asks for them.

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::config::SecretKey;
use crate::deliver::{Secret, SecretReader};
use crate::watch::cluster::Cluster;

/// Reads `secretKeyRef` through the cluster that is watched.
pub struct ClusterSecrets {
    cluster: Cluster,
}

impl ClusterSecrets {
    #[must_use]
    pub fn of(cluster: Cluster) -> Self {
        Self { cluster }
    }
}

impl SecretReader for ClusterSecrets {
    fn read<'a>(
        &'a self,
        namespace: Option<&'a str>,
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Secret, String>> {
        async move {
            let namespace = namespace.unwrap_or_else(|| self.cluster.namespace());
            let text = self.cluster.secret(namespace, &key.name, &key.key).await;
            text.map(Secret::new).map_err(|error| error.to_string())
        }
        .boxed()
    }
}
