//! [`Recorder`]: signals in, lines out, a new file when one is large enough.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::parts::Parts;
use super::{RecordingError, Redaction, VERSION, VERSION_OF_PROGRAM};
use crate::names::{ObjectRef, SourceKey, Uid};
use crate::watch::{Header, Observation, Signal, Signalled, Source};

/// Writes what streams say.
pub struct Recorder {
    parts: Parts,
    redaction: Redaction,
    streams: HashMap<SourceKey, Stream>,
    /// All that was there has been said.
    began: bool,
    /// Lines about objects and Events.
    pub lines: u64,
}

/// What a stream has said.
struct Stream {
    source: Source,
    known: HashMap<Uid, Header>,
    /// What the list under way has named.
    named: Option<HashSet<Uid>>,
    listed: bool,
}

impl Recorder {
    /// Begins a file; one that is there already is not overwritten.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(
        path: &Path,
        began: Timestamp,
        sources: Vec<Source>,
        redaction: Redaction,
        largest: u64,
    ) -> Result<Self, RecordingError> {
        let streams = sources.iter().map(|source| {
            let stream = Stream {
                source: source.clone(),
                known: HashMap::new(),
                named: None,
                listed: false,
            };
            (source.key(), stream)
        });
        let streams = streams.collect();
        let header = super::Header {
            recording: VERSION,
            began,
            by: VERSION_OF_PROGRAM.to_owned(),
            of_a_run: false,
            sources,
        };
        Ok(Self {
            parts: Parts::create(path, header, largest)?,
            redaction,
            streams,
            began: false,
            lines: 0,
        })
    }

    /// Writes what a stream said.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(&mut self, at: Timestamp, signalled: Signalled) -> Result<(), RecordingError> {
        let Some(stream) = self.streams.get_mut(&signalled.source) else {
            return Ok(());
        };
        let mut lines = Vec::new();
        match signalled.signal {
            Signal::ListBegan => stream.named = Some(HashSet::new()),
            Signal::Applied(observation) | Signal::Refreshed(observation) => {
                // A relist says again what is known.
                if stream.is_news(&observation) {
                    let type_ = if self.began { "APPLIED" } else { "LISTED" };
                    lines.push(self.object(at, type_, &observation));
                }
            }
            Signal::Deleted(observation) => {
                stream.known.remove(&observation.header.uid);
                lines.push(self.object(at, "DELETED", &observation));
            }
            Signal::Event(event) => {
                self.lines += 1;
                lines.push(json!({"at": at, "type": "EVENT", "event": event}));
            }
            Signal::ListEnded => {
                let gone = stream.gone();
                lines.extend(gone.iter().map(|object| deletion(at, object)));
                stream.listed = true;
            }
            Signal::ListAborted { .. } => stream.named = None,
            Signal::Dormant { .. } => stream.listed = true,
            Signal::Broken { why } => {
                lines
                    .push(json!({"at": at, "type": "BROKEN", "source": stream.source, "why": why}));
            }
            Signal::Recovered => {
                lines.push(json!({"at": at, "type": "RECOVERED", "source": stream.source}));
            }
            Signal::EventDeleted(_) | Signal::StoodStill | Signal::Awake | Signal::RefreshEnded => {
            }
        }
        for line in lines {
            self.parts.write(&line)?;
        }
        if !self.began && self.streams.values().all(|stream| stream.listed) {
            self.began = true;
            self.parts.write(&json!({"at": at, "type": "LIST-ENDED"}))?;
        }
        self.parts.rotate_if_large()
    }

    /// Whether all that was there when it began is written.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.began
    }

    /// Says what time it is, and makes sure that what was written so far can be read whatever
    /// happens.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self, at: Timestamp) -> Result<(), RecordingError> {
        self.parts.write(&json!({"at": at, "type": "TICK"}))?;
        self.parts.flush()
    }

    /// Ends the recording at this moment.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, at: Timestamp) -> Result<(), RecordingError> {
        self.parts.write(&json!({"at": at, "type": "TICK"}))?;
        self.parts.finish()
    }

    fn object(&mut self, at: Timestamp, type_: &str, observation: &Observation) -> Value {
        self.lines += 1;
        let mut object = serde_json::to_value(&observation.object).unwrap_or_default();
        self.redaction.apply(&mut object);
        json!({"at": at, "type": type_, "object": object})
    }
}

impl Stream {
    fn is_news(&mut self, observation: &Observation) -> bool {
        let header = &observation.header;
        if let Some(named) = &mut self.named {
            named.insert(header.uid);
        }
        let before = self.known.insert(header.uid, header.clone());
        before.is_none_or(|before| before.resource_version != header.resource_version)
    }

    /// What the list that ended did not name.
    fn gone(&mut self) -> Vec<ObjectRef> {
        let Some(named) = self.named.take() else {
            return Vec::new();
        };
        let gone = self.known.extract_if(|uid, _| !named.contains(uid));
        gone.map(|(_, header)| header.object).collect()
    }
}

fn deletion(at: Timestamp, object: &ObjectRef) -> Value {
    json!({"at": at, "type": "DELETED", "object": {
        "apiVersion": object.api_version, "kind": object.kind,
        "metadata": {"name": object.name, "namespace": object.namespace, "uid": object.uid.to_string()},
    }})
}
