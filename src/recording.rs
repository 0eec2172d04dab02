//! A recording: what a cluster said, in order, for rules that are still to be written.
//!
//! In: signals of streams. Out: a compressed file of JSON lines, whole objects, redacted; and the
//! same again, line by line. A line says when; the first says what was watched. A file that was cut
//! (a crash, a full disk) is good for all that was flushed before. It decides nothing about rules.
//!
//! A relist says nothing new: what changed is a line, what it does not name any more is a deletion.

mod redact;
mod write;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cel::{Json, PathSet};
use crate::watch::object::with_identity;
use crate::watch::{KubernetesEvent, Source};
pub use redact::{Redaction, RedactionError};
pub use write::Recorder;

/// The version of the format.
const VERSION: u32 = 1;
/// No line is longer: etcd takes 1.5 MB, and escapes may make it six times as long.
const LONGEST: u64 = 32 << 20;

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version of the format.
    pub recording: u32,
    pub began: Timestamp,
    /// What was watched.
    pub sources: Vec<Source>,
}

/// Something that a cluster said.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub at: Timestamp,
    pub said: Said,
}

/// What it said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An object was there when the recording began.
    Listed(Json),
    /// All that was there has been said.
    ListEnded,
    Applied(Json),
    /// Its identity, and what was known of it last if the watch said that.
    Deleted(Json),
    Event(KubernetesEvent),
    Broken(Source, String),
    Recovered(Source),
    /// Nothing; time passed.
    Tick,
}

/// A line, as it is read.
#[derive(Deserialize)]
struct Line<'l> {
    at: Timestamp,
    #[serde(rename = "type")]
    type_: &'l str,
    #[serde(borrow)]
    object: Option<&'l RawValue>,
    event: Option<KubernetesEvent>,
    source: Option<Source>,
    why: Option<String>,
}

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} is no recording of bellwether", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is a recording of format {version}, and this version reads {VERSION}", path.display())]
    Version { path: PathBuf, version: u32 },
    #[error("{}:{line}: {why}", path.display())]
    Line {
        path: PathBuf,
        line: u64,
        why: String,
    },
}

/// A recording being read: its file, and those that follow it by number.
pub struct Recording {
    pub header: Header,
    part: Part,
    next: u32,
    first: PathBuf,
    /// What is read of objects.
    paths: PathSet,
    /// The last file ends in the middle of something.
    pub is_cut: bool,
}

/// One file.
struct Part {
    path: PathBuf,
    lines: BufReader<MultiGzDecoder<BufReader<File>>>,
    line: u64,
}

impl Recording {
    /// Of objects only these paths are read, and what says which object it is.
    ///
    /// # Errors
    /// The file is not there, or is no recording of a version that can be read.
    pub fn open(path: &Path, paths: &PathSet) -> Result<Self, RecordingError> {
        let (part, header) = Part::open(path)?;
        Ok(Self {
            header,
            part,
            next: 1,
            first: path.to_owned(),
            paths: with_identity(paths),
            is_cut: false,
        })
    }

    /// What was said next; nothing at the end.
    ///
    /// # Errors
    /// A file cannot be read, or a line of it is not what it should be.
    pub fn read(&mut self) -> Result<Option<Frame>, RecordingError> {
        let mut text = String::new();
        loop {
            text.clear();
            if self.part.read_line(&mut text)? {
                let frame = frame(&text, &self.paths);
                let wrong = |why| self.part.wrong(why);
                return frame.map(Some).map_err(wrong);
            }
            self.is_cut |= !text.is_empty() || self.part.line == u64::MAX;
            let path = part_path(&self.first, self.next);
            if !path.exists() {
                return Ok(None);
            }
            self.next += 1;
            (self.part, _) = Part::open(&path)?;
        }
    }
}

/// The file that follows the first one at this place.
fn part_path(first: &Path, number: u32) -> PathBuf {
    let mut path = first.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
}

impl Part {
    fn open(path: &Path) -> Result<(Self, Header), RecordingError> {
        let failed = |error| RecordingError::File {
            path: path.to_owned(),
            error,
        };
        let file = BufReader::new(File::open(path).map_err(failed)?);
        let mut part = Self {
            path: path.to_owned(),
            lines: BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)),
            line: 0,
        };
        let foreign = || RecordingError::Foreign {
            path: path.to_owned(),
        };
        let mut text = String::new();
        if !part.read_line(&mut text).map_err(|_| foreign())? {
            return Err(foreign());
        }
        let header: Header = serde_json::from_str(&text).map_err(|_| foreign())?;
        if header.recording != VERSION {
            return Err(RecordingError::Version {
                path: path.to_owned(),
                version: header.recording,
            });
        }
        Ok((part, header))
    }

    /// `false` at the end, also where the file was cut.
    fn read_line(&mut self, text: &mut String) -> Result<bool, RecordingError> {
        self.line = self.line.saturating_add(1);
        match (&mut self.lines).take(LONGEST).read_line(text) {
            Ok(0) => Ok(false),
            Ok(_) if text.ends_with('\n') => Ok(true),
            Ok(length) if length as u64 == LONGEST => {
                Err(self.wrong("the line is too long".into()))
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.line = u64::MAX;
                Ok(false)
            }
            Err(error) => Err(RecordingError::File {
                path: self.path.clone(),
                error,
            }),
        }
    }

    fn wrong(&self, why: String) -> RecordingError {
        RecordingError::Line {
            path: self.path.clone(),
            line: self.line,
            why,
        }
    }
}

fn frame(text: &str, paths: &PathSet) -> Result<Frame, String> {
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let object = || {
        let raw = line.object.ok_or("it has no object")?;
        let object = paths.decode(raw.get().as_bytes());
        object.map_err(|error| error.to_string())
    };
    let source = || line.source.clone().ok_or("it has no source");
    let said = match line.type_ {
        "LISTED" => Said::Listed(object()?),
        "LIST-ENDED" => Said::ListEnded,
        "APPLIED" => Said::Applied(object()?),
        "DELETED" => Said::Deleted(object()?),
        "EVENT" => Said::Event(line.event.clone().ok_or("it has no event")?),
        "BROKEN" => Said::Broken(source()?, line.why.clone().unwrap_or_default()),
        "RECOVERED" => Said::Recovered(source()?),
        "TICK" => Said::Tick,
        other => return Err(format!("`{other}` is no type of a line")),
    };
    Ok(Frame { at: line.at, said })
}

#[cfg(test)]
mod tests;
