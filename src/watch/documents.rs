//! The documents of our own kinds that a cluster holds.
//!
//! In: a [`Cluster`]. Out: at any time a [`Held`]: the text of each document as it would stand in a
//! file, and what keeps them from being read. Whoever follows them is told that something changed,
//! not what. It does not look into a `spec`, and removes nothing while it cannot see.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: it waits for the first lists"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::{DOCUMENT_KINDS, GROUP, VERSION, document_text};
use crate::diagnostic::Source;
use crate::watch::cluster::Cluster;
use crate::watch::error::WatchError;

/// How long the first list of all kinds may take.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// A document of ours, as the cluster has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// `Rule`, `Receiver`, …
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub generation: i64,
    /// Its text, named `Rule namespace/name`.
    pub source: Arc<Source>,
    /// What was last reported of it; null if nothing was.
    pub status: Value,
}

/// All documents of a cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// In a fixed order.
    pub documents: Vec<Arc<Document>>,
    /// Why there may be others, or others no more: kinds that cannot be read.
    pub trouble: Vec<String>,
}

/// Follows them until it is dropped.
pub struct Documents {
    cluster: Cluster,
    kinds: Arc<Mutex<BTreeMap<&'static str, Kind>>>,
    changed: Arc<Notify>,
    /// Ends the watches with this.
    _watches: JoinSet<()>,
}

type Name = (String, String);

/// What is known of one kind.
#[derive(Debug, Default)]
struct Kind {
    documents: BTreeMap<Name, Arc<Document>>,
    /// The list under way, which counts when it is whole.
    listing: BTreeMap<Name, Arc<Document>>,
    listed: bool,
    trouble: Option<Arc<WatchError>>,
}

impl Kind {
    /// What does not pass by itself. While a watch is only broken, what was read stays.
    fn lasting_trouble(&self) -> Option<&Arc<WatchError>> {
        self.trouble.as_ref().filter(|trouble| {
            matches!(
                ***trouble,
                WatchError::NoDocuments | WatchError::Forbidden { .. } | WatchError::Unauthorized
            )
        })
    }
}

impl Documents {
    /// Begins to follow them. Must be called within a tokio runtime.
    #[must_use]
    pub fn follow(cluster: &Cluster) -> Self {
        let (kinds, changed) = (Arc::<Mutex<BTreeMap<_, _>>>::default(), Arc::default());
        let mut watches = JoinSet::new();
        for (kind, plural) in DOCUMENT_KINDS {
            lock(&kinds).insert(kind, Kind::default());
            let watch = Watch {
                cluster: cluster.clone(),
                kind,
                plural,
                kinds: Arc::clone(&kinds),
                changed: Arc::clone(&changed),
            };
            watches.spawn(watch.run());
        }
        Self {
            cluster: cluster.clone(),
            kinds,
            changed,
            _watches: watches,
        }
    }

    /// Waits until each kind has been listed once.
    ///
    /// # Errors
    /// One of them cannot be: the cluster does not have it, or does not allow it, or is too slow.
    pub async fn listed(&self) -> Result<(), Arc<WatchError>> {
        let listed = async {
            loop {
                if let Some(trouble) = self.first_list() {
                    return trouble;
                }
                self.changed.notified().await;
            }
        };
        let late = |_| {
            let kinds = lock(&self.kinds);
            let mut unlisted = kinds.values().filter(|kind| !kind.listed);
            let trouble = unlisted.find_map(|kind| kind.trouble.clone());
            Err(trouble.unwrap_or_else(|| {
                Arc::new(WatchError::Unreachable {
                    url: self.cluster.url().to_owned(),
                    reason: format!("no list of {GROUP} within {FIRST_LIST:?}"),
                })
            }))
        };
        tokio::time::timeout(FIRST_LIST, listed)
            .await
            .unwrap_or_else(late)
    }

    /// What came of the first lists; nothing while one is under way.
    fn first_list(&self) -> Option<Result<(), Arc<WatchError>>> {
        let kinds = lock(&self.kinds);
        let mut lasting = kinds.values().filter_map(Kind::lasting_trouble);
        match lasting.next() {
            Some(trouble) => Some(Err(trouble.clone())),
            None => kinds.values().all(|kind| kind.listed).then_some(Ok(())),
        }
    }

    /// Completes when something changed since it last did.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What there is now.
    #[must_use]
    pub fn held(&self) -> Held {
        let kinds = lock(&self.kinds);
        let documents = kinds.values().flat_map(|kind| kind.documents.values());
        let trouble = kinds.iter().filter_map(|(name, kind)| {
            let trouble = kind.lasting_trouble()?;
            Some(format!(
                "documents of kind {name} cannot be read: {trouble}"
            ))
        });
        Held {
            documents: documents.cloned().collect(),
            trouble: trouble.collect(),
        }
    }

    /// Writes what is reported of a document; a document that is gone meanwhile is nothing.
    ///
    /// # Errors
    /// All that a request can meet.
    pub async fn report(&self, document: &Document, status: &Value) -> Result<(), WatchError> {
        let plural = DOCUMENT_KINDS
            .iter()
            .find(|(kind, _)| *kind == document.kind);
        let plural = plural.map_or("", |(_, plural)| plural);
        let resource = resource(document.kind, plural);
        let client = self.cluster.client().clone();
        let api: Api<DynamicObject> = Api::namespaced_with(client, &document.namespace, &resource);
        let patch = Patch::Merge(json!({ "status": status }));
        let as_it_is = PatchParams::default();
        let patched = api.patch_status(&document.name, &as_it_is, &patch);
        match patched.await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(self.cluster.refused(&error)),
        }
    }
}

/// One kind.
struct Watch {
    cluster: Cluster,
    kind: &'static str,
    plural: &'static str,
    kinds: Arc<Mutex<BTreeMap<&'static str, Kind>>>,
    changed: Arc<Notify>,
}

impl Watch {
    async fn run(self) {
        let resource = resource(self.kind, self.plural);
        let api: Api<DynamicObject> = Api::all_with(self.cluster.client().clone(), &resource);
        let events = watcher(api, watcher::Config::default()).default_backoff();
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            let heard = match event {
                Ok(event) => self.take(event),
                Err(error) => self.fail(&error),
            };
            if heard {
                self.changed.notify_one();
            }
        }
    }

    /// Whether what it says has changed.
    fn take(&self, event: watcher::Event<DynamicObject>) -> bool {
        let mut kinds = lock(&self.kinds);
        let Some(kind) = kinds.get_mut(self.kind) else {
            return false;
        };
        let over = kind.trouble.take().is_some();
        match event {
            watcher::Event::Init => kind.listing.clear(),
            watcher::Event::InitApply(object) => {
                let (name, document) = self.document(&object);
                kind.listing.insert(name, document);
            }
            watcher::Event::InitDone => {
                kind.documents = std::mem::take(&mut kind.listing);
                kind.listed = true;
                return true;
            }
            watcher::Event::Apply(object) => {
                let (name, document) = self.document(&object);
                let source = document.source.clone();
                let before = kind.documents.insert(name, document);
                // What is reported of it is no news.
                return over || before.is_none_or(|before| before.source != source);
            }
            watcher::Event::Delete(object) => {
                let (name, _) = self.document(&object);
                kind.documents.remove(&name);
                return true;
            }
        }
        over
    }

    fn fail(&self, error: &watcher::Error) -> bool {
        let error = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => self.cluster.refused(error),
            // A version that is too old is listed anew, which is no trouble.
            watcher::Error::WatchError(status) if status.code == 410 => return false,
            error => WatchError::Server {
                code: 500,
                message: error.to_string(),
            },
        };
        let mut kinds = lock(&self.kinds);
        let Some(kind) = kinds.get_mut(self.kind) else {
            return false;
        };
        let before = kind.trouble.replace(Arc::new(error));
        let said = |error: &Option<Arc<WatchError>>| error.as_ref().map(ToString::to_string);
        said(&before) != said(&kind.trouble)
    }

    fn document(&self, object: &DynamicObject) -> (Name, Arc<Document>) {
        let name = object.name_any();
        let namespace = object.namespace().unwrap_or_default();
        let text = document_text(self.kind, &namespace, &name, &object.data["spec"]);
        let document = Document {
            kind: self.kind,
            source: Source::new(format!("{} {namespace}/{name}", self.kind), text),
            generation: object.metadata.generation.unwrap_or_default(),
            status: object.data["status"].clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        };
        ((namespace, name), Arc::new(document))
    }
}

impl Cluster {
    /// What the client's error means to the person who can mend it.
    fn refused(&self, error: &kube::Error) -> WatchError {
        let kube::Error::Api(status) = error else {
            return self.request_failed(error);
        };
        let message = status.message.clone();
        match status.code {
            401 => WatchError::Unauthorized,
            403 => WatchError::Forbidden { message },
            404 => WatchError::NoDocuments,
            code => WatchError::Server { code, message },
        }
    }
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, kind);
    ApiResource::from_gvk_with_plural(&kind, plural)
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
