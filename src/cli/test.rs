//! `bellwether test`: do the rules do what their tests expect?

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::dry_run::say;
use super::failure::{self, Failure};
use crate::diagnostic::{Diagnostics, Place};
use crate::dry_run::report::counted;
use crate::rule_test::{Outcome, Suite};
use crate::setup::{Files, Reading};

const EXAMPLES: &str = "\
Examples:
  bellwether test                                  # the rules and tests in rules/
  bellwether test rules/ --run database-failed     # tests whose name has this in it
  bellwether test rules/ --watch                   # again whenever a file is saved
  bellwether test rules/ -o json

A test lies beside the rules, in a document of its own:

  apiVersion: bellwether.dev/v1alpha1
  kind: RuleTest
  metadata: {name: a-failed-database-pages-after-five-minutes}
  spec:
    rules: [database-failed]
    timeline:
      - at: 0s
        apply:
          apiVersion: stable.example.com/v1
          kind: DatabaseInstance
          metadata: {name: orders, namespace: prod}
          status: {phase: Failed}
      - {at: 6m, apply: {status: {phase: Running}}}
    expect:
      - {at: 4m59s, alerts: [{state: pending}], notifications: []}
      - {at: 5m, notifications: [{receiver: pager, status: firing}]}
      - {at: 7m, alerts: []}

The time is virtual. What happens: apply (a merge patch), delete, event, restart, reload, silence, receiver.
Exits with 1 if a test fails.";

/// Test rules on timelines of virtual time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Test {
    /// Files and directories of rules, receivers and tests.
    #[arg(value_name = "PATH", default_value = "rules")]
    paths: Vec<PathBuf>,
    /// The directory of template files (.hbs).
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Sets a rule's parameter, over what a test says: NAME=VALUE or RULE.NAME=VALUE.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Only tests whose name has this in it.
    #[arg(long, value_name = "TEXT")]
    run: Option<String>,
    /// Test again whenever a file changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t = Output::Human)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Human,
    /// One JSON object a test.
    Json,
}

/// How often the files are looked at with `--watch`.
const LOOK: Duration = Duration::from_millis(300);

/// Tests.
///
/// # Errors
/// The files are wrong, or a test fails.
pub fn run(arguments: &Test) -> Result<(), Failure> {
    let files = Files {
        rules: arguments.paths.clone(),
        templates: arguments.templates.clone(),
        params: arguments.params.clone(),
        ..Files::default()
    };
    if !arguments.watch {
        return arguments.once(&files);
    }
    loop {
        let seen = read(&files);
        if let Err(failure) = arguments.once(&files)
            && !failure.report.is_empty()
        {
            eprintln!("{}", failure.report);
        }
        eprintln!("waiting for a file to change; Ctrl-C ends");
        while read(&files) == seen {
            pause();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command that watches files waits"
)]
fn pause() {
    std::thread::sleep(LOOK);
}

impl Test {
    fn once(&self, files: &Files) -> Result<(), Failure> {
        let began = now();
        let wanted = |name: &str| self.run.as_deref().is_none_or(|part| name.contains(part));
        let suite = Suite::read(files, &wanted)?;
        let (mut count, mut failed) = (0, 0);
        let mut failures = Diagnostics::default();
        for outcome in suite.play() {
            count += 1;
            failed += usize::from(!outcome.is_ok());
            self.tell(&outcome);
            failures.extend(outcome.diagnostics().iter().cloned());
        }
        if count == 0 {
            return Err(Failure::new(
                failure::CONFIGURATION,
                "there are no tests".to_owned(),
                "a test is a document with `kind: RuleTest`; see --help",
            ));
        }
        if self.output == Output::Human {
            if !failures.is_empty() {
                say(&format!("\n{}\n", failures.human(super::colour())));
            }
            let took = began.elapsed().as_millis();
            let failed = match failed {
                0 => "all passed".to_owned(),
                failed => format!("{failed} failed"),
            };
            say(&format!(
                "\n{}, {failed} ({took} ms)\n",
                counted(count, "test")
            ));
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failure {
                exit: failure::CONFIGURATION,
                report: String::new(),
            }),
        }
    }

    fn tell(&self, outcome: &Outcome) {
        let Outcome {
            name,
            place,
            failures,
        } = outcome;
        if self.output == Output::Human {
            let word = if outcome.is_ok() { "ok    " } else { "FAILED" };
            say(&format!("{word}  {name}\n"));
            return;
        }
        let at = |place: &Place| json!({"file": &**place.file(), "line": place.position().line});
        let failures = failures
            .iter()
            .map(|failure| json!({"at": at(&failure.place), "message": failure.message}));
        let line = json!({
            "test": name, "at": at(place), "ok": outcome.is_ok(),
            "failures": failures.collect::<Vec<_>>(),
        });
        say(&format!("{line}\n"));
    }
}

#[expect(clippy::disallowed_methods, reason = "it says how long the tests took")]
fn now() -> Instant {
    Instant::now()
}

/// What the files say now.
fn read(files: &Files) -> Reading {
    Reading::of(files, &mut Diagnostics::default())
}
