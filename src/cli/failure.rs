//! How a command ends badly: what is printed, and the exit code.

use std::process::ExitCode;
use std::sync::Arc;

use crate::deliver::{SetupError, Unresolved};
use crate::diagnostic::Diagnostics;
use crate::journal::JournalError;
use crate::live::LiveError;
use crate::live::commit::CommitError;
use crate::watch::error::WatchError;

pub const CONFIGURATION: u8 = 1;
pub const USAGE: u8 = 2;
/// Something fires, and `dry-run --exit-code` was to say so.
pub const FIRING: u8 = 3;
pub const STATE: u8 = 4;
pub const LISTEN: u8 = 5;
pub const CLUSTER: u8 = 6;
/// A receiver did not take a drill.
pub const RECEIVER: u8 = 7;
/// `EX_SOFTWARE` of sysexits(3).
pub const INTERNAL: u8 = 70;

/// A command that failed.
#[derive(Debug)]
pub struct Failure {
    pub exit: u8,
    /// What a person reads, on standard error; nothing where the output says it.
    pub report: String,
}

impl Failure {
    /// An error, and what to do about it.
    pub fn new(exit: u8, error: impl std::fmt::Display, help: &str) -> Self {
        Self {
            exit,
            report: format!("error: {error}\nhelp: {help}"),
        }
    }

    /// Prints it.
    #[must_use]
    pub fn report(self) -> ExitCode {
        if !self.report.is_empty() {
            eprintln!("{}", self.report.trim_end());
        }
        ExitCode::from(self.exit)
    }
}

impl From<Diagnostics> for Failure {
    fn from(problems: Diagnostics) -> Self {
        Self {
            exit: CONFIGURATION,
            report: problems.human(super::colour()),
        }
    }
}

impl From<Vec<SetupError>> for Failure {
    fn from(errors: Vec<SetupError>) -> Self {
        let lines: Vec<String> = errors
            .iter()
            .map(|error| format!("error: {error}"))
            .collect();
        Self {
            exit: CONFIGURATION,
            report: lines.join("\n"),
        }
    }
}

impl From<Vec<Unresolved>> for Failure {
    fn from(unresolved: Vec<Unresolved>) -> Self {
        let told = unresolved
            .iter()
            .map(|missing| format!("error: {missing}\nhelp: {}", missing.error.help()));
        Self {
            exit: CONFIGURATION,
            report: told.collect::<Vec<_>>().join("\n\n"),
        }
    }
}

impl From<WatchError> for Failure {
    fn from(error: WatchError) -> Self {
        Self {
            exit: CLUSTER,
            report: format!("error: {error}"),
        }
    }
}

impl From<Arc<WatchError>> for Failure {
    fn from(error: Arc<WatchError>) -> Self {
        Self {
            exit: CLUSTER,
            report: format!("error: {error}"),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::new(STATE, &error, &error.help())
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Commit(CommitError::Fenced(error)) => error.into(),
            LiveError::Http(_) => Self {
                exit: LISTEN,
                report: format!("error: {error}"),
            },
            error => Self::new(
                INTERNAL,
                error,
                "this is a mistake in bellwether: please report it with the lines above; a restart \
                 goes on from the state file",
            ),
        }
    }
}
