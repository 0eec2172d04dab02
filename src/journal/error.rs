//! What can go wrong with a journal, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the folder of the state file {} does not exist", path.display())]
    NoFolder { path: PathBuf },
    #[error("the state file {} cannot be opened: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("the state file {} is in use by another bellwether{}", path.display(), by(holder.as_deref()))]
    InUse {
        path: PathBuf,
        /// Who: `pid 4711 on host-a`, where it is known.
        holder: Option<String>,
    },
    #[error("{} is not a state file of bellwether: {why}", path.display())]
    NotAStateFile { path: PathBuf, why: String },
    #[error("the state file {} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the state file {} has format {found}; this version reads format {known}", path.display())]
    Format {
        path: PathBuf,
        found: u64,
        known: u64,
    },
    #[error("the state file {} belongs to another cluster (its kube-system namespace has the UID {theirs}; this cluster's is {ours})", path.display())]
    OtherCluster {
        path: PathBuf,
        theirs: String,
        ours: String,
    },
    #[error("the state file {} holds a record that cannot be read: {key}: {source}", path.display())]
    Record {
        path: PathBuf,
        key: String,
        source: serde_json::Error,
    },
    #[error("the state file {} cannot be written: {why}", path.display())]
    Write { path: PathBuf, why: String },
    #[error(
        "another bellwether took over (epoch {newer}); this one (epoch {epoch}) may not write any more"
    )]
    Fenced { epoch: u64, newer: u64 },
}

fn by(holder: Option<&str>) -> String {
    holder.map(|who| format!(" ({who})")).unwrap_or_default()
}

impl JournalError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoFolder { path } => format!(
                "create it (mkdir -p {}), or name another file with --state",
                folder(path).display()
            ),
            Self::Open { path, source } => open_help(path, source),
            Self::InUse { .. } => {
                "stop the other one, or give each its own file with --state; two on one file would \
                 tell everything twice"
                    .to_owned()
            }
            Self::NotAStateFile { path, .. } => {
                format!(
                    "is --state right? If the file is not needed: {}",
                    aside(path)
                )
            }
            Self::Damaged { path, .. } | Self::Record { path, .. } => format!(
                "restore the file from a backup, or set it aside: {}; alerts that are still true \
                 will then be told once more",
                aside(path)
            ),
            Self::Format { path, .. } => format!(
                "use the version that wrote it or a newer one, or set the file aside: {}",
                aside(path)
            ),
            Self::OtherCluster { path, .. } => format!(
                "check --kubeconfig and --context, name another file with --state, or set this one \
                 aside: {}",
                aside(path)
            ),
            Self::Write { .. } => "free some space, or make the volume writable; until then \
                 nothing survives a crash"
                .to_owned(),
            Self::Fenced { .. } => "stop one of the two".to_owned(),
        }
    }
}

fn open_help(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "let this user write {} and the folder {}, or name another file with --state",
            path.display(),
            folder(path).display()
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: name a file on a writable volume with --state".to_owned()
        }
        io::ErrorKind::IsADirectory => "--state takes a file: name one in that folder".to_owned(),
        io::ErrorKind::StorageFull => "free some space".to_owned(),
        _ => "name another file with --state".to_owned(),
    }
}

/// The folder that a file stands in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn aside(path: &Path) -> String {
    format!("mv {0} {0}.aside", path.display())
}
