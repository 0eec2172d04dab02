//! `bellwether check`: is everything that the user wrote right?

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::FileArgs;
use super::failure::{self, Failure};
use crate::dry_run::report::counted;
use crate::setup::{self, Files, Loaded};

const EXAMPLES: &str = "\
Examples:
  bellwether check --rules rules/
  bellwether check --rules rules/ --crds crds/
  bellwether check --rules rules/ --templates templates/ --format github

With --crds, every expression, and every path in a summary or description, is checked against the
schema of the kind that its rule watches: fields that there are not, types, values of enums.";

/// Report everything that is wrong with rules, receivers and templates
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    #[command(flatten)]
    files: FileArgs,
    /// Files and directories of CRDs, whose schemas expressions and texts are checked against.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    crds: Vec<PathBuf>,
    /// How problems are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    /// One JSON object a line.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// What could not be checked, and why.
fn without_schema(loaded: &Loaded, no_crds: bool) -> Vec<String> {
    let rules = loaded.configuration.rules.iter();
    let unknown = rules.filter(|rule| loaded.schemas.of(rule).is_none());
    let kinds: BTreeSet<String> = unknown
        .map(|rule| format!("{} ({})", rule.spec.watch.kind, rule.spec.watch.api_version))
        .collect();
    let why = if no_crds {
        "give its CRD with --crds"
    } else {
        "its CRD is not in --crds"
    };
    let kinds = kinds.into_iter();
    kinds
        .map(|kind| format!("note: fields and types of {kind} are not checked: {why}"))
        .collect()
}

/// Checks.
///
/// # Errors
/// What is wrong, all of it.
pub fn run(arguments: &Check) -> Result<(), Failure> {
    let files = Files {
        crds: arguments.crds.clone(),
        ..arguments.files.files(None)
    };
    match setup::load(&files) {
        Ok(loaded) => {
            if matches!(arguments.format, Format::Human) {
                for note in without_schema(&loaded, arguments.crds.is_empty()) {
                    println!("{note}");
                }
                println!(
                    "{} and {}: nothing is wrong",
                    counted(loaded.rules.rules.len(), "rule"),
                    counted(loaded.configuration.receivers.len(), "receiver")
                );
            }
            Ok(())
        }
        Err(problems) => {
            let report = match arguments.format {
                Format::Human => return Err(problems.into()),
                Format::Json => problems.json(),
                Format::Github => problems.github(),
            };
            // For programs, and so on standard output.
            println!("{}", report.trim_end());
            Err(Failure {
                exit: failure::CONFIGURATION,
                report: String::new(),
            })
        }
    }
}
