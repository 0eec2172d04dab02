//! The command line: arguments in, exit code out. One file a subcommand.
//!
//! It turns arguments into calls of the library and errors into text; it decides nothing else.

pub mod check;
pub mod completions;
pub mod crds;
pub mod dry_run;
pub mod eval;
pub mod control;
pub mod explain;
pub mod failure;
pub mod ledger;
pub mod outbox;
pub mod rbac;
pub mod record;
pub mod replay;
pub mod run;
pub mod schema;
pub mod send;
pub mod silence;
mod summary;
pub mod test;
mod typed;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::live::logs;
use crate::setup::Files;
use crate::watch::cluster::{Address, Cluster};
use crate::watch::documents::Documents;
use failure::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0   all went well
  1   the rules, receivers, templates or credentials have a problem, the expression of eval,
      or a test fails, or a run that is replayed is decided otherwise than it was
  2   the command line is wrong
  3   something fires (dry-run --exit-code)
  4   the state file cannot be used
  5   the listen address cannot be used
  6   the cluster cannot be reached, or does not allow what is needed
  7   a receiver did not take a drill (send)
  70  an internal error; please report it";

/// Watches Kubernetes resources, evaluates CEL rules on every transition, and delivers the
/// notifications.
#[derive(Debug, Parser)]
#[command(name = "bellwether", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logging: Logging,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    DryRun(dry_run::DryRunArgs),
    Check(check::Check),
    Test(test::Test),
    Eval(eval::Eval),
    Explain(explain::Explain),
    Send(send::Send),
    Record(record::Record),
    Replay(replay::Replay),
    Ledger(ledger::LedgerArgs),
    Outbox(outbox::OutboxArgs),
    Silence(silence::SilenceArgs),
    Crds(crds::Crds),
    Rbac(rbac::Rbac),
    Schema(schema::Schema),
    Completions(completions::Completions),
}

/// How much is logged, and how.
#[derive(Debug, Args)]
struct Logging {
    /// How log lines look: `auto` is text on a terminal and JSON otherwise.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "auto")]
    log_format: logs::Format,
    /// error, warn, info, debug or trace; or a filter such as `info,bellwether::watch=debug`.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "RUST_LOG",
        default_value = "info"
    )]
    log_level: String,
}

/// The user's files, as every command takes them.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// Files and directories of rules and receivers (YAML).
    #[arg(long, required_unless_present = "rules_from_cluster", num_args = 1.., value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// The rules, receivers, routes, inhibitions and silences that the cluster holds; with --rules,
    /// those too.
    #[arg(long)]
    pub rules_from_cluster: bool,
    /// The directory of template files (.hbs).
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Sets a rule's parameter: NAME=VALUE for every rule that has it, or RULE.NAME=VALUE.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
}

impl FileArgs {
    /// The same with what the cluster holds now, if that counts.
    ///
    /// # Errors
    /// The cluster cannot be reached, does not know the kinds, or does not allow to read them.
    pub async fn files_of(&self, address: &ClusterArgs) -> Result<Files, Failure> {
        let mut files = self.files(address.namespace.clone());
        if self.rules_from_cluster {
            let cluster = Cluster::connect(&address.address()).await?;
            let documents = Documents::follow(&cluster);
            documents.listed().await?;
            files.own_namespace = Some(cluster.namespace().to_string());
            files.held = Some(documents.held());
        }
        Ok(files)
    }

    /// The same for [`crate::setup::load`].
    #[must_use]
    pub fn files(&self, own_namespace: Option<String>) -> Files {
        Files {
            rules: self.rules.clone(),
            templates: self.templates.clone(),
            params: self.params.clone(),
            own_namespace,
            ..Files::default()
        }
    }
}

/// Which cluster, as every command takes it.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// The kubeconfig; else $KUBECONFIG, ~/.kube/config, or the pod's own service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; else its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The bridge's own namespace; else the context's or the pod's.
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The `cluster` label of alerts; else the context's name.
    #[arg(long, value_name = "NAME")]
    pub cluster_name: Option<String>,
}

impl ClusterArgs {
    /// The same for [`crate::watch::cluster::Cluster::connect`].
    #[must_use]
    pub fn address(&self) -> Address {
        Address {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = match cli.logging.start() {
        Ok(format) => format,
        Err(failure) => return failure.report(),
    };
    let done = match cli.command {
        Command::Run(arguments) => blocking(run::run(&arguments, format)),
        Command::DryRun(arguments) => blocking(dry_run::run(&arguments)),
        Command::Check(arguments) => blocking(check::run(&arguments)),
        Command::Test(arguments) => test::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Explain(arguments) => blocking(explain::run(&arguments)),
        Command::Rbac(arguments) => blocking(rbac::run(&arguments)),
        Command::Send(arguments) => blocking(send::run(&arguments)),
        Command::Record(arguments) => blocking(record::run(&arguments)),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Ledger(arguments) => ledger::run(&arguments),
        Command::Outbox(arguments) => outbox::run(&arguments),
        Command::Silence(arguments) => silence::run(&arguments),
        Command::Crds(arguments) => {
            crds::run(&arguments);
            Ok(())
        }
        Command::Schema(arguments) => {
            schema::run(&arguments);
            Ok(())
        }
        Command::Completions(arguments) => {
            completions::run(&arguments, Cli::command());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Logging {
    fn start(&self) -> Result<logs::Format, Failure> {
        logs::start(self.log_format, &self.log_level).map_err(|error| Failure {
            exit: failure::USAGE,
            report: format!(
                "error: --log-level {:?}: {error}\nhelp: one of error, warn, info, debug, trace; \
                 or a filter such as info,bellwether::watch=debug",
                self.log_level
            ),
        })
    }
}

/// Runs a command on a runtime of its own. Work that is still blocked after it, such as a disk that
/// does not answer, does not keep the process.
fn blocking(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().map_err(|error| Failure {
        exit: failure::INTERNAL,
        report: format!("error: no thread can be started: {error}"),
    })?;
    let done = runtime.block_on(command);
    runtime.shutdown_timeout(Duration::from_millis(500));
    done
}

/// Whether reports are coloured.
pub(crate) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    /// The words of an example, as a shell splits them; nothing behind a `#`, a `|` or a `>`.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, ' ') => words.push(String::new()),
                (None, '#' | '|' | '>' | '<' | ')') => break,
                (_, c) => words.last_mut().expect("it has one").push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_is_understood() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.contains("Examples:"), "{name} has no examples");
            let lines = help.lines().filter_map(|line| {
                let at = line.find(&format!("bellwether {name}"))?;
                Some(words(&line[at..]))
            });
            let mut count = 0;
            for line in lines {
                count += 1;
                let parsed = Cli::try_parse_from(&line);
                assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
            }
            assert!(count > 0, "{name} has no example of itself");
        }
    }

    #[test]
    fn completions_name_every_command() {
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            let mut script = Vec::new();
            let shell: clap_complete::Shell = shell.parse().expect("a shell");
            clap_complete::generate(shell, &mut Cli::command(), "bellwether", &mut script);
            let script = String::from_utf8_lossy(&script);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}");
            }
        }
    }
}
