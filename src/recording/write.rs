//! [`Recorder`]: signals in, lines out, a new file when one is large enough.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{RecordingError, Redaction, VERSION, part_path};
use crate::names::{ObjectRef, SourceKey, Uid};
use crate::watch::{Header, Observation, Signal, Signalled, Source};

/// Writes what streams say.
pub struct Recorder {
    header: super::Header,
    redaction: Redaction,
    first: PathBuf,
    /// A file that is larger is followed by another; in bytes.
    largest: u64,
    number: u32,
    path: PathBuf,
    file: GzEncoder<Counted>,
    written: Arc<AtomicU64>,
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

/// A file that counts what it is given.
struct Counted {
    file: BufWriter<File>,
    written: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
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
        let written = Arc::default();
        let mut recorder = Self {
            streams: streams.collect(),
            header: super::Header {
                recording: VERSION,
                began,
                sources,
            },
            redaction,
            largest,
            number: 0,
            file: begin(path, &written)?,
            path: path.to_owned(),
            first: path.to_owned(),
            written,
            began: false,
            lines: 0,
        };
        recorder.head()?;
        Ok(recorder)
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
            Signal::EventDeleted(_) | Signal::Awake | Signal::RefreshEnded => {}
        }
        for line in lines {
            self.write(&line)?;
        }
        if !self.began && self.streams.values().all(|stream| stream.listed) {
            self.began = true;
            self.write(&json!({"at": at, "type": "LIST-ENDED"}))?;
        }
        if self.written.load(Ordering::Relaxed) > self.largest {
            self.rotate()?;
        }
        Ok(())
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
        self.write(&json!({"at": at, "type": "TICK"}))?;
        self.file.flush().map_err(|error| self.failed(error))
    }

    /// Ends the recording at this moment.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, at: Timestamp) -> Result<(), RecordingError> {
        self.write(&json!({"at": at, "type": "TICK"}))?;
        let ended = self
            .file
            .try_finish()
            .and_then(|()| self.file.get_mut().flush());
        ended.map_err(|error| self.failed(error))
    }

    fn object(&mut self, at: Timestamp, type_: &str, observation: &Observation) -> Value {
        self.lines += 1;
        let mut object = serde_json::to_value(&observation.object).unwrap_or_default();
        self.redaction.apply(&mut object);
        json!({"at": at, "type": type_, "object": object})
    }

    fn rotate(&mut self) -> Result<(), RecordingError> {
        self.number += 1;
        let path = part_path(&self.first, self.number);
        self.written = Arc::default();
        let next = begin(&path, &self.written)?;
        let mut last = std::mem::replace(&mut self.file, next);
        let ended = last.try_finish().and_then(|()| last.get_mut().flush());
        ended.map_err(|error| self.failed(error))?;
        self.path = path;
        self.head()
    }

    fn head(&mut self) -> Result<(), RecordingError> {
        let header = serde_json::to_value(&self.header).unwrap_or_default();
        self.write(&header)
    }

    fn write(&mut self, line: &Value) -> Result<(), RecordingError> {
        let mut text = line.to_string();
        text.push('\n');
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> RecordingError {
        RecordingError::File {
            path: self.path.clone(),
            error,
        }
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

fn begin(path: &Path, written: &Arc<AtomicU64>) -> Result<GzEncoder<Counted>, RecordingError> {
    let file = File::create_new(path).map_err(|error| RecordingError::File {
        path: path.to_owned(),
        error,
    })?;
    let counted = Counted {
        file: BufWriter::new(file),
        written: Arc::clone(written),
    };
    Ok(GzEncoder::new(counted, Compression::fast()))
}
