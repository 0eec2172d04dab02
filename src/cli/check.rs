//! `bellwether check`: is everything that the user wrote right?

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::failure::{self, Failure};
use super::typed::served;
use super::{ClusterArgs, FileArgs};
use crate::dry_run::report::counted;
use crate::evaluate::blank::is_true_of_blank;
use crate::live::clock::Clock;
use crate::setup::{self, Files, Limits, Loaded};
use crate::watch::cluster::Cluster;

const EXAMPLES: &str = "\
Examples:
  bellwether check rules/
  bellwether check rules/ --crds crds/
  bellwether check rules/ --cluster                      # built-in kinds too
  bellwether check rules/ --templates templates/ --format github

With --crds or --cluster, every expression, and every path of every template, is checked against the schema of
the kind that the rule watches: fields that there are not, types, values of enums.

The templates of receivers are held against the limits of their service (a header of Slack has 150 characters, a
summary of PagerDuty 1024) and its form (JSON, CloudEvents): text that is too long by itself is an error, a value
that can become too long a warning. Messages are cut to the limits all the same.";

/// Report everything that is wrong with rules, receivers and templates
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    mut_arg("rules", |rules| rules.required(false).required_unless_present_any(["rules_from_cluster", "paths"]))
)]
pub struct Check {
    /// Files and directories of rules and receivers; the same as --rules.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    /// Files and directories of CRDs, whose schemas expressions and templates are checked against.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    crds: Vec<PathBuf>,
    /// Check against the schemas that the cluster publishes, for built-in kinds too.
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    address: ClusterArgs,
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

impl Check {
    /// What could not be checked, and why.
    fn without_schema(&self, loaded: &Loaded) -> Vec<String> {
        let rules = loaded.configuration.rules.iter();
        let read = rules.flat_map(setup::schemas::kinds);
        let unknown = read.filter(|kind| loaded.schemas.of_kind(Some(*kind)).is_none());
        let kinds: BTreeSet<String> = unknown
            .map(|(version, kind)| format!("{kind} ({version})"))
            .collect();
        let why = match (self.cluster, self.crds.is_empty()) {
            (true, _) => "the cluster does not have it",
            (false, true) => "give its CRD with --crds, or --cluster",
            (false, false) => "its CRD is not in --crds",
        };
        let kinds = kinds.into_iter();
        kinds
            .map(|kind| format!("fields and types of {kind} are not checked: {why}"))
            .collect()
    }
}

/// Rules that a new object makes fire, which may be meant and may be a surprise.
fn true_of_blank(loaded: &Loaded, now: Timestamp) -> Vec<String> {
    let rules = loaded.configuration.rules.iter();
    let surprising = rules.filter(|document| {
        let rule = loaded.rules.rule(&document.name);
        rule.is_some_and(|rule| is_true_of_blank(rule, &document.spec.watch, now))
    });
    surprising
        .map(|document| {
            format!(
                "{} is true of an object that has no status yet (what is absent reads as zero)",
                document.name
            )
        })
        .collect()
}

/// How many documents of each kind there are.
fn documents(loaded: &Loaded) -> String {
    let of = &loaded.configuration;
    let optional = [
        (of.routes.len(), "route"),
        (of.inhibitions.len(), "inhibition"),
        (of.silences.len(), "silence"),
    ];
    let there = optional.into_iter().filter(|(count, _)| *count > 0);
    let counts = [(of.rules.len(), "rule"), (of.receivers.len(), "receiver")].into_iter();
    let counts = counts
        .chain(there)
        .map(|(count, what)| counted(count, what));
    let counts: Vec<String> = counts.collect();
    match counts.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Rules whose next moment is not computed.
fn looked_at_again(loaded: &Loaded) -> Vec<String> {
    let rules = loaded.rules.rules.iter();
    let again = rules.filter(|rule| rule.trigger.programs().iter().any(|of| of.rechecks()));
    again
        .map(|rule| {
            format!(
                "when {} changes by time alone cannot be computed: it is looked at again every minute",
                rule.name
            )
        })
        .collect()
}

/// Checks.
///
/// # Errors
/// What is wrong, all of it; or the cluster cannot be reached.
pub async fn run(arguments: &Check) -> Result<(), Failure> {
    let mut files = Files {
        crds: arguments.crds.clone(),
        tests: true,
        limits: Limits::Checked,
        ..arguments.files.files_of(&arguments.address).await?
    };
    files.rules.extend_from_slice(&arguments.paths);
    if arguments.cluster {
        let cluster = Cluster::connect(&arguments.address.address()).await?;
        files.served = served(&cluster, &files).await?;
    }
    match setup::load(&files) {
        Ok(loaded) => {
            match arguments.format {
                Format::Human if loaded.advice.is_empty() => {}
                Format::Human => eprintln!("{}", loaded.advice.human(super::colour())),
                Format::Json => print!("{}", loaded.advice.json()),
                Format::Github => print!("{}", loaded.advice.github()),
            }
            if matches!(arguments.format, Format::Human) {
                let blank = true_of_blank(&loaded, Clock::start().now());
                let again = looked_at_again(&loaded);
                let notes = arguments.without_schema(&loaded);
                for note in notes.iter().chain(&blank).chain(&again) {
                    println!("note: {note}");
                }
                println!("{}: nothing is wrong", documents(&loaded));
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
