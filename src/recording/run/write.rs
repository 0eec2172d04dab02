//! [`RunRecorder`]: entries in, lines out.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::super::parts::Parts;
use super::super::{Header, RecordingError, Redaction, VERSION, VERSION_OF_PROGRAM};
use super::{Began, Entry, Line, Taken, Turn};
use crate::alert::Alert;
use crate::cel::Json;
use crate::journal::{Key, Record};
use crate::notify::Notification;
use crate::setup::written::Written;
use crate::transition::ObjectSeen;
use crate::watch::{Observation, Signal, Source};

/// How the key of a stream of Secrets begins.
const SECRETS: &str = "v1/Secret";

/// Writes what an engine is given.
pub struct RunRecorder {
    parts: Parts,
    redaction: Redaction,
    /// The schemas that were written last.
    served: Option<Vec<(String, Value)>>,
}

impl RunRecorder {
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
        let header = Header {
            recording: VERSION,
            began,
            by: VERSION_OF_PROGRAM.to_owned(),
            of_a_run: true,
            sources,
        };
        Ok(Self {
            parts: Parts::create(path, header, largest)?,
            redaction,
            served: None,
        })
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, entry: Entry) -> Result<(), RecordingError> {
        match entry {
            Entry::Began(began) => self.began(*began),
            Entry::Turn(turn) => self.turn(turn),
            Entry::Lost(lost) => self.parts.write(&Line::Lost(lost)),
        }
    }

    /// Makes sure that what was written so far can be read whatever happens.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        self.parts.flush()
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<(), RecordingError> {
        self.parts.finish()
    }

    fn began(&mut self, began: Began) -> Result<(), RecordingError> {
        let Began {
            at,
            cluster,
            written,
            records,
        } = began;
        for (key, record) in records {
            let record = Box::new(self.redacted(&key, record));
            self.parts.write(&Line::State(key, record))?;
            self.parts.rotate_if_large()?;
        }
        let written = Box::new(self.without_known_schemas(written));
        self.parts.write(&Line::Began {
            at,
            cluster,
            written,
        })
    }

    fn turn(&mut self, turn: Turn) -> Result<(), RecordingError> {
        let Turn {
            at,
            inputs,
            decided,
        } = turn;
        for taken in inputs {
            let taken = match taken {
                Taken::Said(mut signalled) => {
                    signalled.signal = self.said(signalled.signal);
                    Taken::Said(signalled)
                }
                Taken::Reloaded(written) => {
                    Taken::Reloaded(Box::new(self.without_known_schemas(*written)))
                }
                other => other,
            };
            self.parts.write(&Line::In(Box::new(taken)))?;
        }
        self.parts.write(&Line::Turn { at, decided })?;
        self.parts.rotate_if_large()
    }

    fn said(&self, signal: Signal) -> Signal {
        match signal {
            Signal::Applied(it) => Signal::Applied(self.observed(it)),
            Signal::Deleted(it) => Signal::Deleted(self.observed(it)),
            Signal::Refreshed(it) => Signal::Refreshed(self.observed(it)),
            other => other,
        }
    }

    fn observed(&self, observation: Observation) -> Observation {
        if !self.redaction.concerns(&observation.object) {
            return observation;
        }
        Observation {
            object: self.redaction.applied(&observation.object),
            ..observation
        }
    }

    fn redacted(&self, key: &Key, mut record: Record) -> Record {
        match &mut record {
            Record::Object(seen) => {
                let secret =
                    matches!(key, Key::Object(source, _) if source.as_str().starts_with(SECRETS));
                let ObjectSeen {
                    object,
                    levels: _,
                    last_well,
                } = seen;
                *object = Arc::new(if secret {
                    self.redaction.applied_to_secret(object)
                } else {
                    self.redaction.applied(object)
                });
                for spec in last_well.values_mut().filter_map(|well| well.spec.as_mut()) {
                    *spec = Arc::new(self.redaction.applied_to_spec(spec));
                }
            }
            Record::Alert(alert) => self.redact_view(alert),
            Record::Outbox(waiting) => self.redact_views(&mut waiting.notification),
            Record::Dead(letter) => self.redact_views(&mut letter.notification),
            // They hold names, labels and times.
            Record::Source(_)
            | Record::Event(_)
            | Record::Group(_)
            | Record::Member(_)
            | Record::Limit(_)
            | Record::Silence(_)
            | Record::Decision(_)
            | Record::Post(_)
            | Record::Fallen(_)
            | Record::Notice => {}
        }
        record
    }

    fn redact_views(&self, notification: &mut Arc<Notification>) {
        for alert in &mut Arc::make_mut(notification).alerts {
            self.redact_view(alert);
        }
    }

    /// What a template may read are parts of objects that do not say of which kind they are; it
    /// decides nothing, so that all of it is taken for Secrets'.
    fn redact_view(&self, alert: &mut Arc<Alert>) {
        let alert = Arc::make_mut(alert);
        let mut view = self.redaction.applied_within(&alert.view, true);
        let may_hold_any = alert.source.as_str().starts_with(SECRETS) || self.redaction.has_paths();
        if may_hold_any && let Json::Map(fields) = view {
            // Values that do not say where they are from.
            let kept = |name: &str| !["variables", "changes"].contains(&name);
            let fields = fields.iter().filter(|(name, _)| kept(name));
            view = Json::Map(fields.cloned().collect());
        }
        alert.view = Arc::new(view);
    }

    /// Schemas are large and seldom change.
    fn without_known_schemas(&mut self, mut written: Written) -> Written {
        if written.served == self.served {
            written.served = None;
        } else {
            self.served.clone_from(&written.served);
        }
        written
    }
}
