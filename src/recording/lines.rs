//! The lines of a recording, over all of its files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{Header, RecordingError, VERSION, part_path};

/// No line is longer: etcd takes 1.5 MB, and escapes may make it six times as long; what a cluster
/// publishes of its schemas is a few MB.
const LONGEST: u64 = 64 << 20;

/// A file, and those that follow it by number.
pub(super) struct Lines {
    pub(super) header: Header,
    part: Part,
    next: u32,
    first: PathBuf,
    /// The last file ends in the middle of something.
    pub(super) is_cut: bool,
}

/// One file.
struct Part {
    path: PathBuf,
    lines: BufReader<MultiGzDecoder<BufReader<File>>>,
    line: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, RecordingError> {
        let (part, header) = Part::open(path)?;
        Ok(Self {
            header,
            part,
            next: 1,
            first: path.to_owned(),
            is_cut: false,
        })
    }

    /// The next line, in place of what `text` held; `false` at the end.
    pub(super) fn read(&mut self, text: &mut String) -> Result<bool, RecordingError> {
        loop {
            text.clear();
            if self.part.read_line(text)? {
                return Ok(true);
            }
            self.is_cut |= !text.is_empty() || self.part.line == u64::MAX;
            let path = part_path(&self.first, self.next);
            if !path.exists() {
                return Ok(false);
            }
            self.next += 1;
            (self.part, _) = Part::open(&path)?;
        }
    }

    /// What is wrong with the line that was read last.
    pub(super) fn wrong(&self, why: String) -> RecordingError {
        self.part.wrong(why)
    }
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
