//! The files of a recording: compressed lines, a new file when one is large enough.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::{Header, RecordingError, part_path};

/// Writes lines. Each file begins with the header.
pub(super) struct Parts {
    header: Header,
    first: PathBuf,
    /// A file that is larger is followed by another; in bytes.
    largest: u64,
    number: u32,
    path: PathBuf,
    file: GzEncoder<Counted>,
    written: Arc<AtomicU64>,
    line: Vec<u8>,
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

impl Parts {
    /// Begins the first file; one that is there already is not overwritten.
    pub(super) fn create(
        path: &Path,
        header: Header,
        largest: u64,
    ) -> Result<Self, RecordingError> {
        let written = Arc::default();
        let mut parts = Self {
            file: begin(path, &written)?,
            header,
            largest,
            number: 0,
            path: path.to_owned(),
            first: path.to_owned(),
            written,
            line: Vec::new(),
        };
        parts.head()?;
        Ok(parts)
    }

    pub(super) fn write(&mut self, line: &impl Serialize) -> Result<(), RecordingError> {
        let mut text = std::mem::take(&mut self.line);
        text.clear();
        let written = serde_json::to_writer(&mut text, line).map_err(io::Error::from);
        text.push(b'\n');
        let written = written.and_then(|()| self.file.write_all(&text));
        self.line = text;
        written.map_err(|error| self.failed(error))
    }

    /// Goes on in another file if this one is large enough.
    pub(super) fn rotate_if_large(&mut self) -> Result<(), RecordingError> {
        if self.written.load(Ordering::Relaxed) <= self.largest {
            return Ok(());
        }
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

    /// Makes sure that what was written so far can be read whatever happens.
    pub(super) fn flush(&mut self) -> Result<(), RecordingError> {
        self.file.flush().map_err(|error| self.failed(error))
    }

    pub(super) fn finish(mut self) -> Result<(), RecordingError> {
        let ended = self
            .file
            .try_finish()
            .and_then(|()| self.file.get_mut().flush());
        ended.map_err(|error| self.failed(error))
    }

    /// Whoever is killed right after this has left a recording that is empty, not something else.
    fn head(&mut self) -> Result<(), RecordingError> {
        let header = self.header.clone();
        self.write(&header)?;
        self.flush()
    }

    fn failed(&self, error: io::Error) -> RecordingError {
        RecordingError::File {
            path: self.path.clone(),
            error,
        }
    }
}

/// Its owner alone may read it, as with the state file: it holds fields of the watched objects.
fn begin(path: &Path, written: &Arc<AtomicU64>) -> Result<GzEncoder<Counted>, RecordingError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| RecordingError::File {
        path: path.to_owned(),
        error,
    })?;
    let counted = Counted {
        file: BufWriter::new(file),
        written: Arc::clone(written),
    };
    Ok(GzEncoder::new(counted, Compression::fast()))
}
