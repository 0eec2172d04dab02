//! The journal in one file on disk.
//!
//! One table of records and one that says what the file is: its format, its cluster, its epoch.
//! A commit is one transaction of redb, on disk (fsync) before it returns. Nobody else reads or
//! writes the file, so the layout is ours to change with [`FORMAT`].
//!
//! A file that something else has altered is refused: every page's checksum is verified when the
//! file is opened, and a panic in the storage library counts as damage, never as ours.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

use super::codec::{decode_key, decode_record, encode_key, encode_record};
use super::error::folder;
use super::lock::Lock;
use super::{Batch, Journal, JournalError, Key, Record};

/// The layout that this version writes and reads.
pub const FORMAT: u64 = 1;

/// What redb may keep in memory, in bytes: the journal is written often and read once.
const CACHE: usize = 8 << 20;

const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
/// `format` and `epoch` are numbers.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("bellwether");
/// `cluster` is the UID of the namespace `kube-system`.
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("bellwether-texts");

/// A state file, open and ours alone.
pub struct Store {
    path: PathBuf,
    /// Absent after a failed write: redb asks for a reopen then.
    database: Option<Database>,
    epoch: u64,
    _lock: Lock,
}

impl Store {
    /// Opens the state file, or makes a new one, and takes the lock on it. The file is readable by
    /// its owner only: it holds fields of the watched objects.
    ///
    /// # Errors
    /// The file cannot be opened or written, is in use, damaged, of another format, or not ours.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        if !folder(path).is_dir() {
            let path = path.to_owned();
            return Err(JournalError::NoFolder { path });
        }
        // The state file first: "cannot be opened" should name the file that the user named.
        let file = open_file(path)?;
        let lock = Lock::take(path)?;
        let database = open_database(path, file)?;
        let epoch = guarded(path, || read_epoch(path, &database))?;
        Ok(Self {
            path: path.to_owned(),
            database: Some(database),
            epoch: epoch + 1,
            _lock: lock,
        })
    }

    /// The epoch of this process: one more than any that wrote the file before.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Says which cluster this is, by the UID of its namespace `kube-system`. A new file is that
    /// cluster's from now on.
    ///
    /// # Errors
    /// The file is another cluster's, or cannot be written.
    pub fn claim(&mut self, cluster: &str) -> Result<(), JournalError> {
        let path = self.path.clone();
        let epoch = self.epoch;
        let database = self.database()?;
        guarded(&path, || {
            let write = begin(&path, database)?;
            let known = write_identity(&write, cluster, epoch).map_err(|e| failed(&path, e))?;
            match known {
                Some(theirs) if theirs != cluster => Err(JournalError::OtherCluster {
                    path: path.clone(),
                    theirs,
                    ours: cluster.to_owned(),
                }),
                _ => write.commit().map_err(|e| failed(&path, e.into())),
            }
        })
    }

    /// The open database; after a failed write it is opened again.
    fn database(&mut self) -> Result<&Database, JournalError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open_database(&self.path, open_file(&self.path)?)?,
        };
        Ok(self.database.insert(database))
    }
}

impl Journal for Store {
    fn load(&mut self) -> Result<Vec<(Key, Record)>, JournalError> {
        let path = self.path.clone();
        let database = self.database()?;
        let mut records = guarded(&path, || read_records(&path, database))?;
        records.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(records)
    }

    fn commit(&mut self, batch: &Batch, epoch: u64) -> Result<(), JournalError> {
        let path = self.path.clone();
        let database = self.database()?;
        let outcome = guarded(&path, || {
            let write = begin(&path, database)?;
            let newer = write_batch(&write, batch, epoch).map_err(|e| failed(&path, e))?;
            if newer > epoch {
                return Err(JournalError::Fenced { epoch, newer });
            }
            write.commit().map_err(|e| failed(&path, e.into()))
        });
        if outcome.is_err() {
            self.database = None;
        }
        outcome
    }
}

fn open_file(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| JournalError::Open {
        path: path.to_owned(),
        source,
    })
}

fn open_database(path: &Path, file: File) -> Result<Database, JournalError> {
    guarded(path, || {
        FileBackend::new(file)
            .and_then(|backend| {
                Database::builder()
                    .set_cache_size(CACHE)
                    .set_check_integrity_on_open(true)
                    .create_with_backend(backend)
            })
            .map_err(|error| failed(path, error.into()))
    })
}

/// The newest epoch of the file; 0 for a new one.
fn read_epoch(path: &Path, database: &Database) -> Result<u64, JournalError> {
    let read = || -> Result<_, redb::Error> {
        let read = database.begin_read()?;
        let mut tables = read.list_tables()?;
        if !tables.any(|table| table.name() == NUMBERS.name()) {
            return Ok(read.list_tables()?.next().is_none().then_some((FORMAT, 0)));
        }
        let numbers = read.open_table(NUMBERS)?;
        let number = |name| Ok::<_, redb::Error>(numbers.get(name)?.map_or(0, |n| n.value()));
        Ok(Some((number("format")?, number("epoch")?)))
    };
    match read().map_err(|error| failed(path, error))? {
        Some((FORMAT, epoch)) => Ok(epoch),
        Some((found, _)) => Err(JournalError::Format {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        None => Err(JournalError::NotAStateFile {
            path: path.to_owned(),
            why: "it is the database of another program".to_owned(),
        }),
    }
}

fn begin(path: &Path, database: &Database) -> Result<redb::WriteTransaction, JournalError> {
    database
        .begin_write()
        .map_err(|error| failed(path, error.into()))
}

/// Writes format, epoch and cluster; says which cluster the file was.
fn write_identity(
    write: &redb::WriteTransaction,
    cluster: &str,
    epoch: u64,
) -> Result<Option<String>, redb::Error> {
    let mut numbers = write.open_table(NUMBERS)?;
    numbers.insert("format", FORMAT)?;
    numbers.insert("epoch", epoch)?;
    write.open_table(RECORDS)?;
    let mut texts = write.open_table(TEXTS)?;
    let known = texts.get("cluster")?.map(|text| text.value().to_owned());
    texts.insert("cluster", cluster)?;
    Ok(known)
}

/// Writes the batch, unless the file has a newer epoch; says which epoch the file is in.
fn write_batch(
    write: &redb::WriteTransaction,
    batch: &Batch,
    epoch: u64,
) -> Result<u64, redb::Error> {
    let mut numbers = write.open_table(NUMBERS)?;
    let stored = numbers.get("epoch")?.map_or(0, |number| number.value());
    if stored > epoch {
        return Ok(stored);
    }
    if stored < epoch {
        numbers.insert("format", FORMAT)?;
        numbers.insert("epoch", epoch)?;
    }
    let mut records = write.open_table(RECORDS)?;
    for (key, record) in &batch.0 {
        let key = encode_key(key);
        match record {
            Some(record) => {
                records.insert(key.as_slice(), encode_record(record).as_slice())?;
            }
            None => {
                records.remove(key.as_slice())?;
            }
        }
    }
    Ok(epoch)
}

fn read_records(path: &Path, database: &Database) -> Result<Vec<(Key, Record)>, JournalError> {
    let failed = |error: redb::Error| failed(path, error);
    let read = database.begin_read().map_err(|e| failed(e.into()))?;
    let table = match read.open_table(RECORDS) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error.into())),
    };
    let mut records = Vec::new();
    for entry in table.iter().map_err(|e| failed(e.into()))? {
        let (key, record) = entry.map_err(|e| failed(e.into()))?;
        let unreadable = |source| JournalError::Record {
            path: path.to_owned(),
            key: String::from_utf8_lossy(key.value()).into_owned(),
            source,
        };
        records.push((
            decode_key(key.value()).map_err(unreadable)?,
            decode_record(record.value()).map_err(unreadable)?,
        ));
    }
    Ok(records)
}

/// Our words for redb's errors.
fn failed(path: &Path, error: redb::Error) -> JournalError {
    let path = path.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            JournalError::InUse { path, holder: None }
        }
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            let why = "it is no database, or its beginning is lost".to_owned();
            JournalError::NotAStateFile { path, why }
        }
        redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => JournalError::NotAStateFile {
            path,
            why: "it is the database of another program".to_owned(),
        },
        redb::Error::Corrupted(why) => JournalError::Damaged { path, why },
        redb::Error::UpgradeRequired(_) => JournalError::Damaged {
            path,
            why: "its storage format is not one that was ever written".to_owned(),
        },
        other => JournalError::Write {
            path,
            why: other.to_string(),
        },
    }
}

/// Runs a piece of work on the file. redb may panic on pages that something else has altered; that
/// is damage to the file, and is said as such.
fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let why = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("the storage library gave up on it");
        Err(JournalError::Damaged {
            path: path.to_owned(),
            why: why.to_owned(),
        })
    })
}
