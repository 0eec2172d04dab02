//! What happened, from files: manifests, or a watch as
//! `kubectl get … --watch --output-watch-events -o json` prints it.
//!
//! In: the bytes of a file. Out: [`Fact`]s in order, or where the text is wrong. Several documents
//! of one object are its successive states; documents of `kind: Event` are its Events. Without
//! `at` everything happens at the start; `at` is a moment (RFC 3339) or an offset from the start
//! (`30s`). A reference to an owner may leave out the UID.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{documents, owners};
use crate::cel::Json;
use crate::config::duration;
use crate::names::Uid;
use crate::watch::{Change, KubernetesEvent, Observation};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub at: Timestamp,
    pub what: What,
    /// It was so when the watch began: part of the first list.
    pub listed: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a file has few of them, and Events are the large ones"
)]
pub enum What {
    Applied(Json),
    Deleted(Json),
    Event(KubernetesEvent),
}

/// A document that cannot be taken for anything, and its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct InputError {
    pub line: usize,
    pub what: Wrong,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("not valid JSON: {0}")]
    Json(String),
    #[error("not valid YAML: {0}")]
    Yaml(String),
    #[error("the JSON that begins here has no end: was the recording cut?")]
    Cut,
    #[error(
        "no apiVersion, kind and metadata.name, so it is no object \
         (a name such as 1 is text only in quotes)"
    )]
    NoObject,
    #[error("the watch ended with an error: {0}")]
    WatchError(String),
    #[error("`{0}` is no type of a watch event; they are ADDED, MODIFIED, DELETED")]
    Type(String),
    #[error("it is no Kubernetes Event: {0}")]
    Event(String),
    #[error("at `{0}` is neither a moment (RFC 3339) nor an offset such as 30s")]
    At(String),
}

/// When the facts begin: `now`, or the earliest moment that the text names.
///
/// # Errors
/// Everything that is wrong with the text, in the order of its lines.
pub fn read(text: &str, now: Timestamp) -> Result<Vec<Fact>, Vec<InputError>> {
    let mut errors = Vec::new();
    let documents = documents::read(text, &mut errors);
    let start = documents
        .iter()
        .filter_map(|document| document.value.get("at")?.as_str()?.parse().ok())
        .min()
        .unwrap_or(now);
    let mut reader = Reader {
        start,
        facts: Vec::new(),
        errors,
        line: 0,
        known: BTreeSet::new(),
        versions: 0,
        began: false,
    };
    for document in documents {
        reader.line = document.line;
        reader.document(document.value);
    }
    if !reader.errors.is_empty() {
        reader.errors.sort_by_key(|error| error.line);
        return Err(reader.errors);
    }
    reader.facts.sort_by_key(|fact| fact.at);
    owners::resolve(&mut reader.facts);
    Ok(reader.facts)
}

/// The documents of a text as they stand in it, whatever they are.
///
/// # Errors
/// Everything that is no JSON or YAML, in the order of its lines.
pub fn plain(text: &str) -> Result<Vec<Json>, Vec<InputError>> {
    let mut errors = Vec::new();
    let documents = documents::read(text, &mut errors);
    if errors.is_empty() {
        return Ok(documents.into_iter().map(|d| Json::from(d.value)).collect());
    }
    Err(errors)
}

struct Reader {
    start: Timestamp,
    facts: Vec<Fact>,
    errors: Vec<InputError>,
    /// Where the document begins that is being read.
    line: usize,
    /// Objects that were there before.
    known: BTreeSet<Uid>,
    /// How many objects there were, which numbers their versions.
    versions: u64,
    /// A watch has said something else than ADDED: from here on ADDED is news.
    began: bool,
}

impl Reader {
    fn document(&mut self, mut document: Value) {
        let at = match self.at(&document) {
            Ok(at) => at,
            Err(text) => return self.wrong(Wrong::At(text)),
        };
        if let Some(fields) = document.as_object_mut() {
            fields.remove("at");
        }
        let type_ = document
            .get("type")
            .and_then(Value::as_str)
            .map(str::to_owned);
        match (type_, document.get_mut("object").map(Value::take)) {
            (Some(type_), Some(object)) => self.watched(at, &type_, object),
            (_, taken) => {
                if let (Some(fields), Some(object)) = (document.as_object_mut(), taken) {
                    fields.insert("object".to_owned(), object);
                }
                self.manifest(at, document);
            }
        }
    }

    fn wrong(&mut self, what: Wrong) {
        let line = self.line;
        self.errors.push(InputError { line, what });
    }

    /// When: the start, if the document does not say.
    fn at(&self, document: &Value) -> Result<Timestamp, String> {
        let Some(at) = document.get("at") else {
            let last = self.facts.last().map(|fact| fact.at);
            return Ok(last.unwrap_or(self.start));
        };
        let text = at.as_str().map_or_else(|| at.to_string(), str::to_owned);
        if let Ok(at) = text.parse() {
            return Ok(at);
        }
        let offset = duration::parse(&text).ok();
        offset
            .and_then(|offset| SignedDuration::try_from(offset).ok())
            .and_then(|offset| self.start.checked_add(offset).ok())
            .ok_or(text)
    }

    /// An event of a watch.
    fn watched(&mut self, at: Timestamp, type_: &str, object: Value) {
        match type_ {
            "BOOKMARK" => {}
            "ERROR" => {
                let message = object.get("message").and_then(Value::as_str);
                let message = message.unwrap_or("no message").to_owned();
                self.wrong(Wrong::WatchError(message));
            }
            "ADDED" => self.object(at, object, Change::Applied, !self.began),
            "MODIFIED" => {
                self.began = true;
                self.object(at, object, Change::Applied, false);
            }
            "DELETED" => {
                self.began = true;
                self.object(at, object, Change::Deleted, false);
            }
            other => self.wrong(Wrong::Type(other.to_owned())),
        }
    }

    /// A manifest, or a list of them.
    fn manifest(&mut self, at: Timestamp, mut document: Value) {
        let is_list = document
            .get("kind")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.ends_with("List"));
        if let Some(Value::Array(items)) = document.get_mut("items").map(Value::take)
            && is_list
        {
            for item in items {
                self.object(at, item, Change::Applied, true);
            }
            return;
        }
        self.object(at, document, Change::Applied, true);
    }

    fn object(&mut self, at: Timestamp, mut object: Value, change: Change, may_be_listed: bool) {
        if is_event(&object) {
            self.event(at, object);
            return;
        }
        self.versions += 1;
        identify(&mut object, self.versions);
        let json = Json::from(object);
        let named = |path: &[&str]| json.at(path).and_then(Json::as_str).is_some();
        let observation = Observation::of(change, json.clone());
        let Some(observation) = observation.filter(|_| named(&["apiVersion"])) else {
            return self.wrong(Wrong::NoObject);
        };
        let first = self.known.insert(observation.header.uid);
        if change == Change::Deleted {
            self.known.remove(&observation.header.uid);
        }
        self.facts.push(Fact {
            at,
            listed: first && may_be_listed && at == self.start && change == Change::Applied,
            what: match change {
                Change::Applied => What::Applied(json),
                Change::Deleted | Change::Left => What::Deleted(json),
            },
        });
    }

    fn event(&mut self, at: Timestamp, mut event: Value) {
        if let Some(metadata) = event.get_mut("metadata").and_then(Value::as_object_mut) {
            let name = metadata
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("event");
            let uid = format!("Event/{name}/{}", self.facts.len());
            metadata.entry("uid").or_insert_with(|| Value::from(uid));
        }
        // An Event that does not say when it happened, happened when the text says.
        if let Some(fields) = event.as_object_mut() {
            let said = [
                "eventTime",
                "lastTimestamp",
                "deprecatedLastTimestamp",
                "series",
            ];
            if said
                .iter()
                .all(|field| fields.get(*field).is_none_or(Value::is_null))
            {
                fields.insert("eventTime".to_owned(), Value::from(at.to_string()));
            }
        }
        match KubernetesEvent::read(event) {
            Ok(event) => self.facts.push(Fact {
                at,
                what: What::Event(event),
                listed: false,
            }),
            Err(error) => self.wrong(Wrong::Event(error.to_string())),
        }
    }
}

/// The part of a document that says what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Kind {
    api_version: String,
    kind: String,
}

fn is_event(object: &Value) -> bool {
    let kind = Kind::deserialize(object).unwrap_or_default();
    kind.kind == "Event" && matches!(&*kind.api_version, "v1" | "events.k8s.io/v1")
}

/// A manifest that never was in a cluster has no version: its place in the text is one.
fn identify(object: &mut Value, version: u64) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata
            .entry("resourceVersion")
            .or_insert_with(|| Value::from(version.to_string()));
    }
}
