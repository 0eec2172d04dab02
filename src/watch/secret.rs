//! Single keys of Kubernetes Secrets, for the credentials of receivers.
//!
//! In: namespace, name, key. Out: its text, for `deliver` alone. It is read when it is used and
//! kept nowhere, so that a rotated Secret counts at once.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::Deserialize;

use crate::watch::cluster::Cluster;
use crate::watch::error::WatchError;
use crate::watch::request::is_segment;

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    data: BTreeMap<String, ByteString>,
}

impl Cluster {
    /// The text of a key of a Secret.
    ///
    /// # Errors
    /// All that a request can meet; the key is missing, or holds no UTF-8.
    pub async fn secret(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<String, WatchError> {
        let segments = [namespace, name];
        if segments.iter().any(|segment| !is_segment(segment)) {
            return Err(WatchError::Unsendable {
                reason: format!("{namespace:?}/{name:?} is no name of a Secret"),
            });
        }
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let mut secret: Secret = self.document(&path).await?;
        let wrong = |what: &str| WatchError::NotFound {
            message: format!("Secret {namespace}/{name} {what} {key:?}"),
        };
        let bytes = secret.data.remove(key).ok_or_else(|| wrong("has no key"))?;
        String::from_utf8(bytes.0).map_err(|_| wrong("holds no text under"))
    }
}
