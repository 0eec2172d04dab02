//! [`RunRecording`]: lines in, entries out.

use std::path::Path;

use serde_json::Value;

use super::super::lines::Lines;
use super::super::{Header, RecordingError};
use super::{Began, Entry, Line, Taken, Turn};
use crate::setup::written::Written;

/// A recording of a run, being read.
pub struct RunRecording {
    lines: Lines,
    /// The schemas that were read last.
    served: Option<Vec<(String, Value)>>,
}

impl RunRecording {
    /// # Errors
    /// The file is not there, or is no recording of a version that can be read.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        Ok(Self {
            lines: Lines::open(path)?,
            served: None,
        })
    }

    #[must_use]
    pub fn header(&self) -> &Header {
        &self.lines.header
    }

    /// Whether the last file ended in the middle of something.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.lines.is_cut
    }

    /// What happened next; nothing at the end. A turn whose end is not there did not happen.
    ///
    /// # Errors
    /// A file cannot be read, or a line of it is not what it should be.
    pub fn read(&mut self) -> Result<Option<Entry>, RecordingError> {
        let (mut text, mut records, mut inputs) = (String::new(), Vec::new(), Vec::new());
        while self.lines.read(&mut text)? {
            let line = serde_json::from_str(&text);
            match line.map_err(|error| self.lines.wrong(error.to_string()))? {
                Line::State(key, record) => records.push((key, *record)),
                Line::Began {
                    at,
                    cluster,
                    written,
                } => {
                    let began = Began {
                        at,
                        cluster,
                        written: self.with_schemas(*written),
                        records,
                    };
                    return Ok(Some(Entry::Began(Box::new(began))));
                }
                Line::In(taken) => inputs.push(match *taken {
                    Taken::Reloaded(written) => {
                        Taken::Reloaded(Box::new(self.with_schemas(*written)))
                    }
                    other => other,
                }),
                Line::Turn { at, decided } => {
                    return Ok(Some(Entry::Turn(Turn {
                        at,
                        inputs,
                        decided,
                    })));
                }
                Line::Lost(lost) => return Ok(Some(Entry::Lost(lost))),
            }
        }
        Ok(None)
    }

    fn with_schemas(&mut self, mut written: Written) -> Written {
        match &written.served {
            Some(_) => self.served.clone_from(&written.served),
            None => written.served.clone_from(&self.served),
        }
        written
    }
}
