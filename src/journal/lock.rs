//! One writer a state file: a lock that says who holds it.
//!
//! The lock is the operating system's, on `FILE.lock`; it goes with the process, however that
//! ends. The file's text is for people only: who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::JournalError;

/// The right to write a state file, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the state file at `path`.
    ///
    /// # Errors
    /// Another process has it, or the lock file cannot be written.
    pub fn take(path: &Path) -> Result<Self, JournalError> {
        let beside = beside(path);
        let open = |source| JournalError::Open {
            path: beside.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&beside)
            .map_err(open)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::InUse {
                    path: path.to_owned(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(open(source)),
        }
        sign(&mut file).map_err(open)?;
        Ok(Self { _file: file })
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Writes who we are.
fn sign(file: &mut File) -> io::Result<()> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => String::new(),
        host => format!(" on {host}"),
    };
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "pid {}{host}", std::process::id())
}

/// Reads who the holder is. It may not have signed yet.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(200).read_to_string(&mut text).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = Lock::take(&path).unwrap();
        let Err(JournalError::InUse { holder, .. }) = Lock::take(&path) else {
            panic!("two writers on one file");
        };
        let holder = holder.unwrap();
        assert!(
            holder.starts_with(&format!("pid {}", std::process::id())),
            "{holder}"
        );
        drop(first);
        Lock::take(&path).unwrap();
    }
}
