//! A recording: what a cluster said, in order, for rules that are still to be written.
//!
//! In: signals of streams. Out: a compressed file of JSON lines, whole objects, redacted; and the
//! same again, line by line. A line says when; the first says what was watched. A file that was cut
//! (a crash, a full disk) is good for all that was flushed before. It decides nothing about rules.
//!
//! A relist says nothing new: what changed is a line, what it does not name any more is a deletion.

mod ahead;
mod lines;
mod parts;
mod redact;
pub mod run;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cel::{Json, PathSet};
use crate::watch::object::with_identity;
use crate::watch::{KubernetesEvent, Source};
use lines::Lines;
pub use redact::{Redaction, RedactionError};
pub use write::Recorder;

/// The version of the format.
const VERSION: u32 = 1;
/// The version of the program.
pub(crate) const VERSION_OF_PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version of the format.
    pub recording: u32,
    pub began: Timestamp,
    /// The version of the program that wrote it.
    #[serde(default)]
    pub by: String,
    /// It is of a bridge that ran ([`run`]), not of what a cluster said alone.
    #[serde(default, rename = "run", skip_serializing_if = "std::ops::Not::not")]
    pub of_a_run: bool,
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
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
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
    lines: Lines,
    /// What is read of objects.
    paths: PathSet,
    /// The line that was read last.
    text: String,
}

impl Recording {
    /// Of objects only these paths are read, and what says which object it is.
    ///
    /// # Errors
    /// The file is not there, or is no recording of a version that can be read.
    pub fn open(path: &Path, paths: &PathSet) -> Result<Self, RecordingError> {
        Ok(Self {
            lines: Lines::open(path)?,
            paths: with_identity(paths),
            text: String::new(),
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

    /// What was said next; nothing at the end.
    ///
    /// # Errors
    /// A file cannot be read, or a line of it is not what it should be.
    pub fn read(&mut self) -> Result<Option<Frame>, RecordingError> {
        if !self.lines.read(&mut self.text)? {
            return Ok(None);
        }
        let frame = frame(&self.text, &self.paths);
        let wrong = |why| self.lines.wrong(why);
        frame.map(Some).map_err(wrong)
    }
}

/// The first line of a recording.
///
/// # Errors
/// The file is not there, or is no recording of a version that can be read.
pub fn header_of(path: &Path) -> Result<Header, RecordingError> {
    Lines::open(path).map(|lines| lines.header)
}

/// The file that follows the first one at this place.
fn part_path(first: &Path, number: u32) -> PathBuf {
    let mut path = first.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
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
