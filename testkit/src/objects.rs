//! What a person does with kubectl, for tests: apply, patch, delete, wait.
//!
//! In: manifests and patches. Out: the objects as the server stored them. Every failure names the
//! object. Kinds are found by discovery, so any custom resource works.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{self, Scope};
use kube::runtime::{conditions, wait};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

/// Why something could not be done with an object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    #[error("document {number} of the manifest is not an object")]
    Manifest {
        number: usize,
        source: serde_json::Error,
    },
    #[error("the manifest is not YAML")]
    Yaml(#[from] serde_saphyr::Error),
    #[error("{object}: no apiVersion and kind")]
    NoKind { object: String },
    #[error("{object}")]
    Refused { object: String, source: kube::Error },
    #[error("{object}: not established within {seconds} s")]
    NotEstablished { object: String, seconds: u64 },
    #[error("waiting for {object}")]
    Wait { object: String, source: wait::Error },
}

type Result<T, E = ObjectError> = std::result::Result<T, E>;

/// A Kubernetes Event to create; see [`Objects::event`].
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// `Normal` or `Warning`.
    pub kind: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
    /// How often it was seen; above 1 it becomes a series (`events.k8s.io/v1`) or a count (`v1`).
    pub count: i32,
}

/// Works on objects as one user.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    field_manager: String,
}

impl Objects {
    pub fn new(client: Client) -> Objects {
        Objects {
            client,
            field_manager: "testkit".to_owned(),
        }
    }

    /// The same, but changes are recorded in `managedFields` as made by `field_manager`.
    #[must_use]
    pub fn acting_as(&self, field_manager: &str) -> Objects {
        Objects {
            client: self.client.clone(),
            field_manager: field_manager.to_owned(),
        }
    }

    /// Applies every document of a manifest (server-side, forced), in order; namespaced objects without a
    /// namespace go into `namespace`. Waits for a CustomResourceDefinition to be established, so that its
    /// objects may follow in the same manifest.
    pub async fn apply(&self, namespace: &str, manifest: &str) -> Result<Vec<DynamicObject>> {
        let mut applied = Vec::new();
        for (number, document) in serde_saphyr::from_multiple::<Value>(manifest)?
            .into_iter()
            .enumerate()
        {
            let object =
                serde_json::from_value(document).map_err(|source| ObjectError::Manifest {
                    number: number + 1,
                    source,
                })?;
            applied.push(self.apply_object(namespace, &object).await?);
        }
        Ok(applied)
    }

    async fn apply_object(&self, namespace: &str, object: &DynamicObject) -> Result<DynamicObject> {
        let api = self.api_of(object, namespace).await?;
        let name = object.name_any();
        let params = PatchParams::apply(&self.field_manager).force();
        let applied = api
            .patch(&name, &params, &Patch::Apply(object))
            .await
            .map_err(refused(object))?;
        if is_kind(object, "CustomResourceDefinition") {
            self.established(&name, Duration::from_secs(10)).await?;
            self.discoverable(object).await?;
        }
        Ok(applied)
    }

    /// Waits until discovery names the kinds of a definition: that lags behind its being
    /// established, longer on a busy machine.
    async fn discoverable(&self, definition: &DynamicObject) -> Result<()> {
        let spec = &definition.data["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
        let versions = spec["versions"].as_array().into_iter().flatten();
        for version in versions.filter(|version| version["served"] == Value::Bool(true)) {
            let api_version = format!("{group}/{}", text(&version["name"]));
            let mut attempts = 0;
            while let Err(error) = self.api(&api_version, &kind, "").await {
                attempts += 1;
                if attempts > 200 {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// A typed door to one kind, for everything that is not offered here.
    pub async fn api(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
    ) -> Result<Api<DynamicObject>> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) =
            discovery::pinned_kind(&self.client, &kind)
                .await
                .map_err(|source| ObjectError::Refused {
                    object: format!("{api_version} {}", kind.kind),
                    source,
                })?;
        Ok(self.scoped(&resource, &capabilities.scope, namespace))
    }

    fn scoped(&self, resource: &ApiResource, scope: &Scope, namespace: &str) -> Api<DynamicObject> {
        match scope {
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), namespace, resource),
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
        }
    }

    async fn api_of(&self, object: &DynamicObject, namespace: &str) -> Result<Api<DynamicObject>> {
        let types = object.types.as_ref().ok_or_else(|| ObjectError::NoKind {
            object: object.name_any(),
        })?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
        self.api(&types.api_version, &types.kind, namespace).await
    }

    /// Merges `patch` into an object.
    pub async fn patch(&self, object: &DynamicObject, patch: Value) -> Result<DynamicObject> {
        let api = self.api_of(object, "").await?;
        let params = PatchParams {
            field_manager: Some(self.field_manager.clone()),
            ..PatchParams::default()
        };
        api.patch(&object.name_any(), &params, &Patch::Merge(patch))
            .await
            .map_err(refused(object))
    }

    /// Merges `status` into the status of an object, through its status subresource.
    pub async fn patch_status(
        &self,
        object: &DynamicObject,
        status: Value,
    ) -> Result<DynamicObject> {
        let api = self.api_of(object, "").await?;
        let params = PatchParams {
            field_manager: Some(self.field_manager.clone()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({ "status": status }));
        api.patch_status(&object.name_any(), &params, &patch)
            .await
            .map_err(refused(object))
    }

    /// Deletes an object; one that has finalizers stays with a deletion timestamp.
    pub async fn delete(&self, object: &DynamicObject) -> Result<()> {
        let api = self.api_of(object, "").await?;
        api.delete(&object.name_any(), &DeleteParams::default())
            .await
            .map_err(refused(object))?;
        Ok(())
    }

    /// Waits until a CustomResourceDefinition serves its kind.
    pub async fn established(&self, name: &str, within: Duration) -> Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let wait = wait::await_condition(api, name, conditions::is_crd_established());
        match tokio::time::timeout(within, wait).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(ObjectError::Wait {
                object: name.to_owned(),
                source,
            }),
            Err(_) => Err(ObjectError::NotEstablished {
                object: name.to_owned(),
                seconds: within.as_secs(),
            }),
        }
    }

    /// Creates an Event about `object` through `events.k8s.io/v1`, as today's controllers do.
    pub async fn event(&self, object: &DynamicObject, event: Event<'_>) -> Result<DynamicObject> {
        let now = Timestamp::now();
        let series = (event.count > 1)
            .then(|| json!({ "count": event.count, "lastObservedTime": micro_time(now) }));
        let body = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "regarding": reference(object), "type": event.kind, "reason": event.reason, "note": event.message,
            "action": "Reconcile", "eventTime": micro_time(now), "series": series,
            "reportingController": "testkit.bellwether.dev", "reportingInstance": "testkit-0",
        });
        self.create_event(object, "events.k8s.io/v1", body).await
    }

    /// Creates an Event about `object` through core `v1`, as older controllers do.
    pub async fn core_event(
        &self,
        object: &DynamicObject,
        event: Event<'_>,
    ) -> Result<DynamicObject> {
        let now = Timestamp::now()
            .round(k8s_openapi::jiff::Unit::Second)
            .unwrap_or_default()
            .to_string();
        let body = json!({
            "apiVersion": "v1", "kind": "Event",
            "involvedObject": reference(object), "type": event.kind, "reason": event.reason, "message": event.message,
            "count": event.count, "firstTimestamp": now, "lastTimestamp": now, "source": { "component": "testkit" },
        });
        self.create_event(object, "v1", body).await
    }

    async fn create_event(
        &self,
        about: &DynamicObject,
        api_version: &str,
        mut body: Value,
    ) -> Result<DynamicObject> {
        let namespace = about.namespace().unwrap_or_else(|| "default".to_owned());
        body["metadata"] = json!({ "name": format!("{}.{:016x}", about.name_any(), fastrand::u64(..)), "namespace": namespace });
        let event = serde_json::from_value(body)
            .map_err(|source| ObjectError::Manifest { number: 1, source })?;
        let api = self.api(api_version, "Event", &namespace).await?;
        api.create(&PostParams::default(), &event)
            .await
            .map_err(refused(&event))
    }
}

fn reference(object: &DynamicObject) -> Value {
    let types = object.types.clone().unwrap_or_default();
    json!({
        "apiVersion": types.api_version, "kind": types.kind, "name": object.name_any(),
        "namespace": object.metadata.namespace, "uid": object.metadata.uid,
    })
}

/// Kubernetes' MicroTime: exactly six digits.
fn micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn is_kind(object: &DynamicObject, kind: &str) -> bool {
    object
        .types
        .as_ref()
        .is_some_and(|types| types.kind == kind)
}

fn refused(object: &DynamicObject) -> impl FnOnce(kube::Error) -> ObjectError + use<> {
    let kind = object
        .types
        .as_ref()
        .map(|types| types.kind.clone())
        .unwrap_or_default();
    let object = format!("{kind} {}", object.name_any());
    |source| ObjectError::Refused { object, source }
}
