//! `bellwether replay`: rules on a recording.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::FileArgs;
use super::dry_run::say;
use super::failure::{self, Failure};
use crate::recording::{Recording, RecordingError};
use crate::replay::{self, Report, report};
use crate::setup::{self, Files, Loaded};

const EXAMPLES: &str = "\
Examples:
  bellwether replay day.jsonl.gz --rules rules/                      # what would these have sent?
  bellwether replay day.jsonl.gz --rules rules/ --against new-rules/ # and what would change?
  bellwether replay day.jsonl.gz --rules rules/ -o json | jq .aWeek

The rules are played on what `bellwether record` wrote, on its time, by the same engine as in a
bridge: holds, grouping, limits and repeats count; every receiver takes every message. Rules may read
what they like, since whole objects are recorded, of the kinds that were. Routes and silences count
as they are in the files; rules with `shadow: true` show what they would have sent.";

/// Replay a recording: what would these rules have sent, and what would others?
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    /// What `bellwether record` wrote; FILE.1, FILE.2 and so on are read with it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    files: FileArgs,
    /// Other rules, to compare with.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    against: Vec<PathBuf>,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    /// One JSON object.
    Json,
}

/// Replays.
///
/// # Errors
/// The rules or the recording are wrong.
pub fn run(arguments: &Replay) -> Result<(), Failure> {
    let files = arguments.files.files(None);
    let loaded = setup::load(&files)?;
    let other = if arguments.against.is_empty() {
        None
    } else {
        let rules = arguments.against.clone();
        Some(setup::load(&Files { rules, ..files })?)
    };
    let report = played(&arguments.file, &loaded)?;
    let against = other
        .map(|other| played(&arguments.file, &other))
        .transpose()?;
    let differences = against.as_ref().map(|against| report.differences(against));
    if arguments.output == Output::Json {
        let mut json = report.json();
        if let (Some(against), Some(differences)) = (&against, &differences) {
            json["against"] = against.json();
            let differences = differences.iter().map(|one| {
                json!({"rule": one.rule.as_str(), "object": one.object, "messages": one.before,
                    "against": one.after})
            });
            json["differences"] = differences.collect();
        }
        say(&format!("{json}\n"));
    } else {
        say(&report.text());
        if let Some(differences) = &differences {
            say(&report::differences(differences));
        }
    }
    eprintln!("{}", report.summary());
    if let Some(against) = &against {
        eprintln!("against: {}", against.summary());
    }
    if report.is_cut {
        eprintln!("warning: the recording was cut; what it has was played");
    }
    Ok(())
}

fn played(file: &Path, loaded: &Loaded) -> Result<Report, Failure> {
    let mut recording = Recording::open(file, &replay::reads(loaded))?;
    let terminal = std::io::stderr().is_terminal();
    let mut progress = |frames| {
        if terminal {
            eprint!("\r{frames} lines");
        }
    };
    let report = replay::replay(loaded, &mut recording, &mut |_| {}, &mut progress)?;
    if terminal {
        eprint!("\r\x1b[K");
    }
    Ok(report)
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        let help = match &error {
            RecordingError::File { error, .. }
                if error.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                "a recording is never overwritten: choose another name, or remove it"
            }
            RecordingError::File { .. } => "is the path right, and is there room?",
            RecordingError::Foreign { .. } => {
                "make one with `bellwether record`; manifests and what kubectl watched go to `dry-run --from`"
            }
            RecordingError::Version { .. } => "replay it with the version that recorded it",
            RecordingError::Line { .. } => "was the file changed?",
        };
        Failure::new(failure::CONFIGURATION, error, help)
    }
}
