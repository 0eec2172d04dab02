//! A run, played as it was.

use std::path::Path;

use super::{Output, print_decision, with_progress};
use crate::cli::dry_run::say;
use crate::cli::failure::{self, Failure};
use crate::decision::Decision;
use crate::recording::run::RunRecording;
use crate::replay::rerun::rerun;

/// Plays it, and says whether the same was decided.
///
/// # Errors
/// The recording is wrong, or something else is decided now.
pub(super) fn run(file: &Path, output: Output) -> Result<(), Failure> {
    let mut recording = RunRecording::open(file)?;
    let mut heard = |decision: &Decision| {
        if output == Output::Decisions {
            print_decision(decision);
        }
    };
    let rerun = with_progress("turns", |progress| {
        rerun(&mut recording, &mut heard, progress)
    })?;
    match output {
        Output::Json => say(&format!("{}\n", rerun.json())),
        Output::Table => say(&rerun.report.text()),
        Output::Decisions => {}
    }
    eprintln!("{}", rerun.report.summary_of("sent"));
    eprintln!("{}", rerun.summary());
    if let Some((at, lost)) = rerun.lost {
        eprintln!(
            "warning: the recording lost {} inputs after {at}; what follows was not played",
            lost.inputs
        );
    }
    if rerun.report.is_cut {
        eprintln!("warning: the recording was cut; what it has was played");
    }
    if rerun.is_same() {
        return Ok(());
    }
    Err(Failure {
        exit: failure::CONFIGURATION,
        report: String::new(),
    })
}
