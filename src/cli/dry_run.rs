//! `bellwether dry-run`: which rules would fire, on what, since when, why, and to whom.

#![expect(
    clippy::disallowed_methods,
    reason = "a command of the shell: it waits for streams and for time"
)]

mod listing;

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::failure::{self, Failure};
use super::typed::load;
use super::{ClusterArgs, FileArgs};
use crate::dry_run::input::{Fact, InputError};
use crate::dry_run::{DryRun, Row, input, report};
use crate::live::clock::Clock;
use crate::names::ObjectRef;
use crate::notify::Notification;
use crate::render::render;
use crate::setup::{self, Files};
use crate::watch::Signalled;
use crate::watch::cluster::Cluster;
pub(super) use listing::{connected, listed};

const EXAMPLES: &str = "\
Examples:
  bellwether dry-run --rules rules/                              # the cluster as it is now
  bellwether dry-run --rules rules/ --watch                      # and what happens from now on
  bellwether dry-run --rules rules/ --assume-held --exit-code    # in CI: 3 if something would fire
  bellwether dry-run --rules rules/ --rule database-failed --object prod/orders -o rendered
  bellwether dry-run --rules rules/ --at 2026-12-24T18:00:00Z    # what will be overdue by then
  bellwether dry-run --rules rules/ --from databases.yaml --all
  kubectl get dbinst -A --watch --output-watch-events -o json > day.json
  bellwether dry-run --rules rules/ --from day.json -o json

With --from, several documents of one object are its successive states, documents of kind Event its
Events; each may say `at`, a moment (RFC 3339) or an offset from the start (30s). Nothing is sent
and nothing is written; credentials need not exist.";

/// Show which rules would fire, without sending anything
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct DryRunArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Manifests or a recorded watch instead of the cluster; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    from: Option<PathBuf>,
    /// Follow the cluster until Ctrl-C.
    #[arg(long, short)]
    watch: bool,
    /// Only these rules.
    #[arg(long = "rule", value_name = "NAME")]
    only: Vec<String>,
    /// Only what is about this object: Kind/NAMESPACE/NAME, NAMESPACE/NAME or NAME.
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    /// What time it is (RFC 3339). On the cluster a later moment: what is so then if nothing
    /// changes. With --from, documents that do not say `at` happen then; of those that do, time runs
    /// on to it.
    #[arg(long, value_name = "TIME", conflicts_with = "watch")]
    at: Option<Timestamp>,
    /// Treat every `for` as elapsed: what is pending fires at once.
    #[arg(long)]
    assume_held: bool,
    /// Exit with 3 if something fires.
    #[arg(long)]
    exit_code: bool,
    /// Also show the rules that are not true.
    #[arg(long)]
    all: bool,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    /// One JSON object a line.
    Json,
    /// The table, and the messages exactly as they would be sent.
    Rendered,
}

/// Runs it.
///
/// # Errors
/// The rules or the input are wrong, or the cluster cannot be reached.
pub async fn run(arguments: &DryRunArgs) -> Result<(), Failure> {
    let files = Files {
        assume_held: arguments.assume_held,
        only: arguments.only.clone(),
        ..arguments.files.files_of(&arguments.cluster).await?
    };
    let loaded = load(&files)?;
    arguments.all_rules_are_there(&loaded)?;
    let mut clock = Clock::start();
    let Some(file) = &arguments.from else {
        let (cluster, loaded) = connected(&arguments.cluster, &files, loaded).await?;
        return arguments.live(&cluster, &loaded, clock).await;
    };
    let facts = Facts::read(file, arguments.at, &mut clock)?;
    let mut run = facts.play(&loaded, &arguments.cluster);
    let rows = arguments.print(&mut run);
    warn_of_nothing(&run, file);
    arguments.verdict(&rows)
}

/// What a file says happened.
pub(super) struct Facts {
    pub(super) all: Vec<Fact>,
    start: Timestamp,
    until: Option<Timestamp>,
}

impl Facts {
    /// Reads a file; `at` is what time it is, if that was said.
    pub(super) fn read(
        file: &Path,
        at: Option<Timestamp>,
        clock: &mut Clock,
    ) -> Result<Facts, Failure> {
        let text = read(file, "--from")?;
        let now = at.unwrap_or_else(|| clock.now());
        let facts = input::read(&text, now).map_err(|errors| wrong(file, &errors))?;
        let start = facts.first().map_or(now, |fact| fact.at);
        if let Some(last) = facts.last().filter(|fact| at.is_some() && fact.at > now) {
            return Err(Failure::new(
                failure::USAGE,
                format!(
                    "--at {now} lies before the last document, which is of {}",
                    last.at
                ),
                "leave --at out, or give a later moment",
            ));
        }
        Ok(Facts {
            all: facts,
            start,
            until: at,
        })
    }

    /// Lets it happen.
    pub(super) fn play<'l>(&self, loaded: &'l setup::Loaded, cluster: &ClusterArgs) -> DryRun<'l> {
        let cluster = cluster.cluster_name.as_deref().unwrap_or_default();
        let mut run = DryRun::new(loaded, cluster, self.start);
        run.play(&self.all, self.until);
        run
    }
}

/// Says so if no rule watches anything that is in the file.
pub(super) fn warn_of_nothing(run: &DryRun<'_>, file: &Path) {
    if run.engine.watched().is_empty() && run.alerts.is_empty() {
        let watched = run.loaded().rules.sources.iter();
        let watched: Vec<&str> = watched.map(|one| one.key.as_str()).collect();
        eprintln!(
            "warning: nothing in {} is what the rules watch: {}",
            file.display(),
            watched.join(", ")
        );
    }
}

impl DryRunArgs {
    async fn live(
        &self,
        cluster: &Cluster,
        loaded: &setup::Loaded,
        mut clock: Clock,
    ) -> Result<(), Failure> {
        let mut listed = listed(cluster, loaded, &self.cluster, &mut clock).await?;
        if let Some(at) = self.at {
            let now = listed.run.now();
            if at < now {
                return Err(Failure::new(
                    failure::USAGE,
                    format!("--at {at} has passed: the cluster says only what is so now"),
                    "give a later moment, or a recording with --from",
                ));
            }
            listed.run.run_to(at);
        }
        let mut rows = self.print(&mut listed.run);
        if self.watch {
            rows = self
                .follow(&mut listed.run, &mut clock, &mut listed.said)
                .await;
        }
        listed.end().await;
        self.verdict(&rows)
    }

    /// A name that no rule has is a mistake.
    fn all_rules_are_there(&self, loaded: &setup::Loaded) -> Result<(), Failure> {
        let mut wanted = self.only.iter();
        let missing = wanted.find(|name| loaded.rules.rule(&name.as_str().into()).is_none());
        missing.map_or(Ok(()), |name| {
            Err(Failure::new(
                failure::USAGE,
                format!("there is no rule {name:?}"),
                "`bellwether dry-run` without --rule names those that there are",
            ))
        })
    }

    fn concerns(&self, object: &ObjectRef) -> bool {
        let wanted = self.object.as_deref();
        wanted.is_none_or(|wanted| object.is_called(wanted))
    }

    fn rows(&self, run: &DryRun<'_>) -> Vec<Row> {
        let rows = run.rows(self.all).into_iter();
        rows.filter(|row| self.concerns(&row.object)).collect()
    }

    /// With `--exit-code`: whether something fires.
    fn verdict(&self, rows: &[Row]) -> Result<(), Failure> {
        if self.exit_code && rows.iter().any(|row| row.state == "firing") {
            return Err(Failure {
                exit: failure::FIRING,
                report: String::new(),
            });
        }
        Ok(())
    }

    /// Prints what changes, until Ctrl-C; gives what is so at the end.
    async fn follow(
        &self,
        run: &mut DryRun<'_>,
        clock: &mut Clock,
        said: &mut mpsc::Receiver<Signalled>,
    ) -> Vec<Row> {
        let mut rows = self.rows(run);
        let mut known: HashSet<Row> = rows.iter().map(Row::key).collect();
        run.forget_what_is_over();
        loop {
            let wake = run.engine.next_wake().unwrap_or(Timestamp::MAX);
            let pause = wake.duration_since(clock.now()).unsigned_abs();
            let pause = pause.min(Duration::from_hours(1));
            let mut signals = Vec::new();
            tokio::select! {
                many = said.recv_many(&mut signals, 1024) => if many == 0 { break },
                _ = tokio::signal::ctrl_c() => break,
                () = tokio::time::sleep(pause) => {}
            }
            for signalled in signals {
                run.observe(signalled);
            }
            run.set_now(clock.now());
            rows = self.rows(run);
            let changed = rows.iter().filter(|row| !known.contains(&row.key()));
            let withdrawn = run.withdrawn_rows().into_iter();
            let withdrawn = withdrawn.filter(|row| self.concerns(&row.object));
            let news: Vec<Row> = changed.cloned().chain(withdrawn).collect();
            self.print_rows(&news);
            self.print_messages(run);
            known = rows.iter().map(Row::key).collect();
            run.forget_what_is_over();
        }
        rows = self.rows(run);
        eprintln!("{}", run.summary(&rows));
        rows
    }

    fn print(&self, run: &mut DryRun<'_>) -> Vec<Row> {
        let rows = self.rows(run);
        self.print_rows(&rows);
        if !self.watch {
            run.settle();
        }
        self.print_messages(run);
        eprintln!("{}", run.summary(&rows));
        rows
    }

    /// The messages exactly as they would be sent, if they were asked for.
    fn print_messages(&self, run: &DryRun<'_>) {
        if self.output != Output::Rendered {
            return;
        }
        let of_object = |told: &&Arc<Notification>| {
            self.object.is_none() || told.alerts.iter().any(|one| self.concerns(&one.object))
        };
        for notification in run.sent.iter().filter(of_object) {
            let Some(format) = run.loaded().formats.get(&notification.receiver) else {
                continue;
            };
            let message = render(notification, format).preview();
            say(&format!(
                "\n--- to {} at {}\n{message}\n",
                notification.receiver, notification.at
            ));
        }
    }

    fn print_rows(&self, rows: &[Row]) {
        if self.output == Output::Json {
            for row in rows {
                if let Ok(line) = serde_json::to_string(row) {
                    say(&format!("{line}\n"));
                }
            }
        } else if !rows.is_empty() {
            say(&report::table(rows));
        }
    }
}

/// Prints. A reader that has gone away (`| head`) has seen enough, which is no error.
pub(super) fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// A file that is wrong, line by line.
pub(super) fn wrong(file: &Path, errors: &[InputError]) -> Failure {
    let lines = errors
        .iter()
        .map(|error| format!("error: {}:{error}", file.display()));
    Failure {
        exit: failure::CONFIGURATION,
        report: lines.collect::<Vec<_>>().join("\n"),
    }
}

/// The text of a file that an option names; `-` is standard input.
pub(super) fn read(file: &Path, option: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    match read {
        Ok(()) => Ok(text),
        Err(error) => Err(Failure::new(
            failure::CONFIGURATION,
            format!("{}: {error}", file.display()),
            &format!("{option} takes a file of YAML or JSON, or - for standard input"),
        )),
    }
}
