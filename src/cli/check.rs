//! `bellwether check`: is everything that the user wrote right?

use clap::{Args, ValueEnum};

use super::FileArgs;
use super::failure::{self, Failure};
use crate::dry_run::report::counted;
use crate::setup;

const EXAMPLES: &str = "\
Examples:
  bellwether check --rules rules/
  bellwether check --rules rules/ --templates templates/ --format github

Expressions and templates are compiled; nothing is checked against the schema of a CRD yet.";

/// Report everything that is wrong with rules, receivers and templates
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    #[command(flatten)]
    files: FileArgs,
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

/// Checks.
///
/// # Errors
/// What is wrong, all of it.
pub fn run(arguments: &Check) -> Result<(), Failure> {
    match setup::load(&arguments.files.files(None)) {
        Ok(loaded) => {
            if matches!(arguments.format, Format::Human) {
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
