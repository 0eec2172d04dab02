//! A namespace in the shared cluster, or a cluster of one's own, with what tests put into it.

use bellwether::watch::Source;
use bellwether::watch::cluster::{Address, Cluster};
use bellwether_testkit as testkit;
use bellwether_testkit::{CutProxy, Objects};
use kube::api::DynamicObject;

/// The kind of [`kind`], in a group of its own so that tests do not meet.
pub struct World {
    pub objects: Objects,
    pub cluster: Cluster,
    pub namespace: String,
    /// Of the custom resource of this world.
    pub group: String,
}

impl World {
    /// A namespace of its own in the cluster that all tests share.
    pub async fn shared(prefix: &str) -> Self {
        Self::within(testkit::Cluster::shared().await, prefix).await
    }

    pub async fn within(testbed: &testkit::Cluster, prefix: &str) -> Self {
        let kubeconfig = testbed.admin().kubeconfig().expect("a kubeconfig");
        Self::through(testbed, prefix, kubeconfig).await
    }

    /// The bridge's side goes through a proxy; the test's own side does not.
    pub async fn behind(testbed: &testkit::Cluster, proxy: &CutProxy, prefix: &str) -> Self {
        let kubeconfig = testbed.admin().kubeconfig_through(proxy.address());
        Self::through(testbed, prefix, kubeconfig.expect("a kubeconfig")).await
    }

    async fn through(
        testbed: &testkit::Cluster,
        prefix: &str,
        kubeconfig: std::path::PathBuf,
    ) -> Self {
        let namespace = testbed.namespace(prefix).await.expect("a namespace");
        let client = testbed.admin().client().await.expect("a client");
        Self {
            objects: Objects::new(client),
            cluster: connect(kubeconfig).await,
            group: format!("{namespace}.example.com"),
            namespace,
        }
    }

    /// Makes the custom kind exist.
    pub async fn define(&self) -> DynamicObject {
        let definition = format!(
            "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: databases.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: databases, singular: database, kind: Database}}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {{status: {{}}}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
            status: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
",
            group = self.group
        );
        self.apply(&definition).await
    }

    /// Applies a database of the custom kind.
    pub async fn database(&self, name: &str, version: u32) -> DynamicObject {
        let manifest = format!(
            "
apiVersion: {}/v1
kind: Database
metadata: {{name: {name}, labels: {{tier: gold}}}}
spec: {{version: {version}, password: hunter2}}
",
            self.group
        );
        self.apply(&manifest).await
    }

    pub async fn config_map(&self, name: &str, value: u32) -> DynamicObject {
        self.apply(&format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{value: '{value}'}}}}"
        ))
        .await
    }

    pub async fn apply(&self, manifest: &str) -> DynamicObject {
        let mut applied = self
            .objects
            .apply(&self.namespace, manifest)
            .await
            .unwrap_or_else(|error| panic!("{error}: {manifest}"));
        applied.pop().expect("the manifest has one document")
    }

    pub async fn delete(&self, object: &DynamicObject) {
        self.objects.delete(object).await.expect("it is there");
    }

    pub fn databases(&self) -> Source {
        Source::of(format!("{}/v1", self.group), "Database")
    }

    pub fn config_maps(&self) -> Source {
        self.here(Source::of("v1", "ConfigMap"))
    }

    pub fn events(&self) -> Source {
        self.here(Source::events())
    }

    /// This kind, in this world's namespace.
    pub fn here(&self, source: Source) -> Source {
        Source {
            namespace: Some(self.namespace.as_str().into()),
            ..source
        }
    }
}

pub async fn connect(kubeconfig: std::path::PathBuf) -> Cluster {
    let address = Address {
        kubeconfig: Some(kubeconfig),
        ..Address::default()
    };
    Cluster::connect(&address)
        .await
        .expect("the kubeconfig is right")
}
