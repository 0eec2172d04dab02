//! `bellwether outbox`: what is decided and not yet delivered, and what nobody took.

use clap::{Args, Subcommand, ValueEnum};

use super::control::{StateArgs, ask, ask_running};
use super::failure::{self, Failure};
use crate::dry_run::report::{aligned, counted};
use crate::journal::{Journal as _, Store};
use crate::live::control::{Answer, Asked, Letter, LetterState, letters_of};
use crate::names::NotificationId;
use crate::outbox::OutboxChange;

const EXAMPLES: &str = "\
Examples:
  bellwether outbox list
  bellwether outbox list --receiver chat -o json
  bellwether outbox retry 0f3a52…            # now, not when its turn comes
  bellwether outbox retry --dead             # all that was given up or refused
  bellwether outbox drop 0f3a52…
  kubectl exec deploy/bellwether -- bellwether outbox list

`list` asks the bridge that runs on the state file, or reads the file where none does: of each message
how often it was attempted, why the last attempt failed, and when the next one is. What a receiver
refuses for good, or does not take within `giveUpAfter`, becomes a dead letter; the newest 1,000 are kept.";

/// List, send again and drop what was not delivered
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct OutboxArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what waits, is under way, or is dead
    List(List),
    /// Attempt messages now
    Retry(Which),
    /// Forget messages
    Drop(Which),
}

#[derive(Debug, Args)]
struct List {
    /// Messages for this receiver only.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    #[command(flatten)]
    state: StateArgs,
    /// How they are printed; `json` is a document a line.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Debug, Args)]
struct Which {
    /// Ids of messages, as `list` prints them.
    #[arg(required_unless_present = "dead", value_name = "ID")]
    ids: Vec<String>,
    /// All dead letters.
    #[arg(long, conflicts_with = "ids")]
    dead: bool,
    /// Of this receiver only.
    #[arg(long, value_name = "NAME", requires = "dead")]
    receiver: Option<String>,
    #[command(flatten)]
    state: StateArgs,
}

/// Does it.
///
/// # Errors
/// There is no state, no bridge runs, or a message is not there.
pub fn run(arguments: &OutboxArgs) -> Result<(), Failure> {
    match &arguments.command {
        Command::List(list) => list.run(),
        Command::Retry(which) => which.change("sent again", OutboxChange::Retry),
        Command::Drop(which) => which.change("dropped", OutboxChange::Drop),
    }
}

impl List {
    fn run(&self) -> Result<(), Failure> {
        let mut letters = letters(&self.state)?;
        letters.retain(|letter| fits(letter, self.receiver.as_deref()));
        match self.output {
            Output::Table if letters.is_empty() => eprintln!("everything is delivered"),
            Output::Table => print!("{}", aligned(&rows(&letters))),
            Output::Json => {
                for letter in &letters {
                    println!("{}", serde_json::json!(letter));
                }
            }
        }
        Ok(())
    }
}

impl Which {
    fn change(
        &self,
        done: &str,
        change: impl Fn(NotificationId) -> OutboxChange,
    ) -> Result<(), Failure> {
        let state = self.state.file();
        let mut ids: Vec<NotificationId> = self.ids.iter().map(|id| id.as_str().into()).collect();
        if self.dead {
            let Answer::Outbox(letters) = ask_running(&state, &Asked::Outbox)? else {
                return Ok(());
            };
            let dead = letters.into_iter().filter(|letter| {
                letter.state == LetterState::Dead && fits(letter, self.receiver.as_deref())
            });
            ids.extend(dead.map(|letter| letter.id));
        }
        for id in &ids {
            ask_running(&state, &Asked::Change(change(id.clone())))?;
        }
        println!("{} {done}", counted(ids.len(), "message"));
        Ok(())
    }
}

fn fits(letter: &Letter, receiver: Option<&str>) -> bool {
    receiver.is_none_or(|receiver| letter.receiver.as_str() == receiver)
}

fn letters(state: &StateArgs) -> Result<Vec<Letter>, Failure> {
    let path = state.file();
    match ask(&path, &Asked::Outbox)? {
        Some(Answer::Outbox(letters)) => return Ok(letters),
        Some(_) => return Ok(Vec::new()),
        None => {}
    }
    if !path.exists() {
        return Err(Failure::new(
            failure::STATE,
            format!("there is no state file {}", path.display()),
            "say with --state which one is meant; in a cluster: kubectl exec deploy/bellwether -- bellwether outbox list",
        ));
    }
    Ok(letters_of(&Store::open(&path)?.load()?))
}

fn rows(letters: &[Letter]) -> Vec<Vec<String>> {
    let head = [
        "ID",
        "RECEIVER",
        "STATE",
        "SINCE",
        "ATTEMPTS",
        "NEXT ATTEMPT",
        "SAYS",
        "LAST ERROR",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for letter in letters {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        rows.push(vec![
            letter.id.to_string(),
            letter.receiver.to_string(),
            letter.state.as_str().to_owned(),
            format!("{:.0}", letter.decided_at),
            letter.attempts.to_string(),
            or_none(letter.next.map(|next| format!("{next:.0}"))),
            format!("{} {}", letter.status, letter.group),
            or_none(letter.why.clone().or_else(|| letter.last_error.clone())),
        ]);
    }
    rows
}
