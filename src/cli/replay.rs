//! `bellwether replay`: rules on a recording, or a run once more.

mod rerun;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::dry_run::say;
use super::failure::{self, Failure};
use super::ledger::Line;
use crate::decision::Decision;
use crate::decision::ledger::Entry;
use crate::recording::run::RunRecording;
use crate::recording::{Recording, RecordingError, header_of};
use crate::replay::held::{Watched, missing};
use crate::replay::rerun::RerunError;
use crate::replay::{self, Report, others, report};
use crate::setup::{self, Files};

const EXAMPLES: &str = "\
Examples:
  bellwether replay day.jsonl.gz --rules rules/                      # what would these have sent?
  bellwether replay day.jsonl.gz --rules rules/ --against new-rules/ # and what would change?
  bellwether replay day.jsonl.gz --rules rules/ -o json | jq .aWeek
  bellwether replay run.jsonl.gz                                     # is the same decided again?
  bellwether replay run.jsonl.gz -o decisions | jq 'select(.reason == \"silenced\")'

The rules are played on what `bellwether record` wrote, on its time, by the same engine as in a
bridge: holds, grouping, limits and repeats count; every receiver takes every message. Rules may read
what they like, since whole objects are recorded, of the kinds that were; one that reads another kind
is not tried, and named. Routes and silences count as they are in the files; rules with
`shadow: true` show what they would have sent.

What `bellwether run --record` wrote is played as it was, if no rules are given: with its state, its
documents and their changes, its silences, and what receivers answered, each at its moment. It tells
what was decided and sent, and whether this version decides the same in every turn; if not, it says
where, and exits with 1. With --rules it is played to those, as far as the bridge kept what they
read.";

/// Replay a recording: what would these rules have sent, and what would others?
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    /// What `bellwether record` or `bellwether run --record` wrote; FILE.1, FILE.2 and so on are read
    /// with it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Files and directories of rules and receivers (YAML); without them a run is played as it was.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// The directory of template files (.hbs).
    #[arg(long, value_name = "DIR", requires = "rules")]
    templates: Option<PathBuf>,
    /// Sets a rule's parameter: NAME=VALUE for every rule that has it, or RULE.NAME=VALUE.
    #[arg(long = "param", value_name = "NAME=VALUE", requires = "rules")]
    params: Vec<String>,
    /// Other rules, to compare with.
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "rules")]
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
    /// Every decision of the first rules, a JSON document a line, as `ledger -o json` prints them.
    Decisions,
}

/// Replays.
///
/// # Errors
/// The rules or the recording are wrong, or a run is not decided again as it was.
pub fn run(arguments: &Replay) -> Result<(), Failure> {
    let header = header_of(&arguments.file)?;
    if arguments.rules.is_empty() {
        if header.of_a_run {
            return rerun::run(&arguments.file, arguments.output);
        }
        return Err(Failure::new(
            failure::USAGE,
            "this recording holds what a cluster said, and no rules",
            "say with --rules which ones to play; what `bellwether run --record` wrote needs none",
        ));
    }
    let watched = if header.of_a_run {
        others::watched(&mut RunRecording::open(&arguments.file)?)?
    } else {
        header.sources.iter().map(Watched::whole).collect()
    };
    let files = Files {
        rules: arguments.rules.clone(),
        templates: arguments.templates.clone(),
        params: arguments.params.clone(),
        ..Files::default()
    };
    let decisions = arguments.output == Output::Decisions;
    let of_a_run = header.of_a_run;
    let played = |files: &Files, tells: bool| played(arguments, files, &watched, of_a_run, tells);
    let report = played(&files, decisions)?;
    let against = (!arguments.against.is_empty()).then(|| Files {
        rules: arguments.against.clone(),
        ..files
    });
    let against = against.map(|files| played(&files, false)).transpose()?;
    tell(arguments.output, &report, against.as_ref());
    Ok(())
}

fn tell(output: Output, report: &Report, against: Option<&Report>) {
    let differences = against.map(|against| report.differences(against));
    match output {
        Output::Json => {
            let mut json = report.json();
            if let (Some(against), Some(differences)) = (against, &differences) {
                json["against"] = against.json();
                let differences = differences.iter().map(|one| {
                    json!({"rule": one.rule.as_str(), "object": one.object, "messages": one.before,
                    "against": one.after})
                });
                json["differences"] = differences.collect();
            }
            say(&format!("{json}\n"));
        }
        Output::Table => {
            say(&report.text());
            if let Some(differences) = &differences {
                say(&report::differences(differences));
            }
        }
        Output::Decisions => {}
    }
    eprintln!("{}", report.summary());
    if let Some(against) = against {
        eprintln!("against: {}", against.summary());
    }
    for (report, which) in [(Some(report), ""), (against, "against: ")] {
        if let Some(report) = report.filter(|report| !report.missing.is_empty()) {
            eprint!("warning: {which}{}", report.missing.text());
        }
    }
    if report.is_cut {
        eprintln!("warning: the recording was cut; what it has was played");
    }
}

/// Plays the recording to these rules, those left out that it cannot be played to.
fn played(
    arguments: &Replay,
    files: &Files,
    watched: &[Watched],
    of_a_run: bool,
    tells: bool,
) -> Result<Report, Failure> {
    let mut loaded = setup::load(files)?;
    let missing = missing(&loaded.rules, watched);
    if !missing.is_empty() {
        let names = loaded.rules.rules.iter().map(|rule| &rule.name);
        let tried = names.filter(|name| !missing.rules.contains(name));
        let only: Vec<String> = tried.map(ToString::to_string).collect();
        if only.is_empty() {
            return Err(Failure::new(
                failure::CONFIGURATION,
                format!(
                    "the recording has nothing for these rules: {}",
                    missing.text()
                ),
                "`bellwether record --rules` records the kinds that its rules read",
            ));
        }
        loaded = setup::load(&Files {
            only,
            ..files.clone()
        })?;
    }
    let mut heard = |decision: &Decision| {
        if tells {
            print_decision(decision);
        }
    };
    let mut report = if of_a_run {
        let mut recording = RunRecording::open(&arguments.file)?;
        let (report, lost) = with_progress("turns", |progress| {
            others::replay(&loaded, &mut recording, &mut heard, progress)
        })?;
        if lost > 0 {
            eprintln!(
                "warning: {lost} inputs are missing in the recording; what it has was played"
            );
        }
        report
    } else {
        let mut recording = Recording::open(&arguments.file, &replay::reads(&loaded))?;
        with_progress("lines", |progress| {
            replay::replay(&loaded, &mut recording, &mut heard, progress)
        })?
    };
    report.missing.kinds.extend(missing.kinds);
    report.missing.rules.extend(missing.rules);
    Ok(report)
}

fn with_progress<T>(what: &str, work: impl FnOnce(&mut dyn FnMut(u64)) -> T) -> T {
    let terminal = std::io::stderr().is_terminal();
    let mut progress = |count| {
        if terminal {
            eprint!("\r{count} {what}");
        }
    };
    let done = work(&mut progress);
    if terminal {
        eprint!("\r\x1b[K");
    }
    done
}

fn print_decision(decision: &Decision) {
    let entry = Entry {
        decision: decision.clone(),
        first: decision.at,
        count: 1,
    };
    say(&format!("{}\n", json!(Line::of(&entry))));
}

impl From<RerunError> for Failure {
    fn from(error: RerunError) -> Self {
        match error {
            RerunError::Recording(error) => error.into(),
            RerunError::Documents(problems) => problems.into(),
            RerunError::NeverBegan => Failure::new(
                failure::CONFIGURATION,
                error,
                "was the bridge killed at once? then there is nothing to play",
            ),
        }
    }
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
            RecordingError::Thread(_) => "is there a limit on processes?",
            RecordingError::Foreign { .. } => {
                "make one with `bellwether record`; manifests and what kubectl watched go to `dry-run --from`"
            }
            RecordingError::Version { .. } => "replay it with the version that recorded it",
            RecordingError::Line { .. } => "was the file changed?",
        };
        Failure::new(failure::CONFIGURATION, error, help)
    }
}
