//! `bellwether ledger`: what was decided, and why somebody heard nothing.

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::control::{StateArgs, ask};
use super::failure::{self, Failure};
use crate::config::duration;
use crate::decision::Decision;
use crate::decision::ledger::{Entry, Filter};
use crate::dry_run::report::aligned;
use crate::journal::{Journal as _, Store};
use crate::live::clock::Clock;
use crate::live::control::{Answer, Asked, take_ledger};
use crate::names::{GroupKey, NotificationId, ReceiverName, RuleName, SourceKey};
use crate::replay::lately::lately;

const EXAMPLES: &str = "\
Examples:
  bellwether ledger                                     # all that is remembered, the newest last
  bellwether ledger --object prod/orders --since 2h     # why was I not told of this one?
  bellwether ledger --reason silenced
  bellwether ledger --rule database-failed -o json | jq .
  bellwether ledger --summary --since 24h               # what was noisy?
  bellwether ledger --summary --shadow                  # what would the rules on trial have sent?
  kubectl exec deploy/bellwether -- bellwether ledger --since 30m

It asks the bridge that runs on the state file, or reads the file where none does. The newest 10,000
decisions of the last 7 days are kept; the same one again only counts. --summary counts as `replay`
does: a rule with `shadow: true` would have sent a message for each alert and receiver. The reasons:
  pending, withdrawn, firing, resolved, occurred, repeated   what became of an alert
  unknown, stale, frozen                                     it stays as it is, and why
  grouped, limited                                           it is told later
  inhibited, silenced, muted, shadowed, no-receiver,
  resolve-not-wanted, cancelled, superseded                  it is not told (by itself), and why
  queued, sent, retrying, refused, gave-up                   what became of the message
  template-failed, blind, bounded, silence-made, silence-over, acknowledged";

/// Ask what was decided about alerts and messages, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LedgerArgs {
    /// Decisions about this object: Kind/NAMESPACE/NAME, NAMESPACE/NAME or NAME.
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    /// Decisions of this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Decisions about this receiver.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Decisions of this kind, such as `silenced`.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only those since so long ago (`30m`, `2h`), or since a moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Count them instead: what was sent, and what shadow rules would have sent, by rule, receiver and
    /// object, and what a week of it would be.
    #[arg(long)]
    summary: bool,
    /// Count only rules that are shadows.
    #[arg(long, requires = "summary")]
    shadow: bool,
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

/// Prints it.
///
/// # Errors
/// There is no state, it cannot be read, or a flag is wrong.
pub fn run(arguments: &LedgerArgs) -> Result<(), Failure> {
    let filter = Filter {
        rule: arguments.rule.clone(),
        object: arguments.object.clone(),
        receiver: arguments.receiver.clone(),
        reason: arguments.reason.clone(),
        since: arguments.since.as_deref().map(moment).transpose()?,
    };
    if arguments.summary {
        let all = entries(&arguments.state, &Filter::default())?;
        summarize(arguments, &all, &filter);
        return Ok(());
    }
    let entries = entries(&arguments.state, &filter)?;
    match arguments.output {
        Output::Table if entries.is_empty() => eprintln!("nothing that fits was decided"),
        Output::Table => print!("{}", aligned(&rows(&entries))),
        Output::Json => {
            for entry in &entries {
                println!("{}", serde_json::json!(Line::of(entry)));
            }
        }
    }
    Ok(())
}

fn entries(state: &StateArgs, filter: &Filter) -> Result<Vec<Entry>, Failure> {
    match ask(&state.file(), &Asked::Ledger(filter.clone()))? {
        Some(Answer::Ledger(entries)) => Ok(entries),
        Some(_) => Ok(Vec::new()),
        None => of_file(state, filter),
    }
}

/// Prints what the ledger comes to, as `replay` does.
fn summarize(arguments: &LedgerArgs, entries: &[Entry], filter: &Filter) {
    let now = Clock::start().now();
    let report = lately(entries, filter, arguments.shadow, now);
    match arguments.output {
        Output::Table => print!("{}", report.text()),
        Output::Json => {
            let mut json = report.json();
            // They are of recordings.
            for name in ["transitions", "cut", "notTried"] {
                json.as_object_mut().map(|fields| fields.remove(name));
            }
            println!("{json}");
        }
    }
    let (began, ended) = (report.began, report.ended);
    eprintln!("{began:.0} to {ended:.0}: sent {}", report.messages_text());
}

/// No bridge runs: the file says what the last one decided.
fn of_file(state: &StateArgs, filter: &Filter) -> Result<Vec<Entry>, Failure> {
    let path = state.file();
    if !path.exists() {
        return Err(Failure::new(
            failure::STATE,
            format!("there is no state file {}", path.display()),
            "say with --state which one is meant; in a cluster: kubectl exec deploy/bellwether -- bellwether ledger",
        ));
    }
    let mut records = Store::open(&path)?.load()?;
    let ledger = take_ledger(&mut records);
    Ok(ledger.entries(filter).cloned().collect())
}

/// So long ago, or then.
fn moment(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let ago = duration::parse(text).ok();
    let ago = ago.and_then(|ago| SignedDuration::try_from(ago).ok());
    let moment = ago.and_then(|ago| Clock::start().now().checked_sub(ago).ok());
    moment.ok_or_else(|| {
        Failure::new(
            failure::USAGE,
            format!("--since {text:?} is neither a duration nor a moment"),
            "such as 30m, 2h, or 2026-11-23T12:00:00Z",
        )
    })
}

fn rows(entries: &[Entry]) -> Vec<Vec<String>> {
    let head = ["LAST", "TIMES", "RULE", "OBJECT", "RECEIVER", "DECISION"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for entry in entries {
        let Decision {
            at,
            reason,
            about,
            until,
        } = &entry.decision;
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let until = until.map(|until| format!(" (until {until:.0})"));
        rows.push(vec![
            format!("{at:.0}"),
            entry.count.to_string(),
            text(about.rule.as_ref().map(ToString::to_string)),
            text(about.object.as_ref().map(ToString::to_string)),
            text(about.receiver.as_ref().map(ToString::to_string)),
            format!("{reason}{}", until.unwrap_or_default()),
        ]);
    }
    rows
}

/// An entry, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    at: Timestamp,
    first: Timestamp,
    count: u64,
    reason: &'static str,
    message: String,
    until: Option<Timestamp>,
    rule: Option<&'a str>,
    object: Option<String>,
    alert: Option<String>,
    receiver: Option<&'a str>,
    group: Option<&'a str>,
    notification: Option<&'a str>,
    source: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        let Decision {
            at,
            reason,
            about,
            until,
        } = &entry.decision;
        Self {
            at: *at,
            first: entry.first,
            count: entry.count,
            reason: reason.name(),
            message: reason.to_string(),
            until: *until,
            rule: about.rule.as_ref().map(RuleName::as_str),
            object: about.object.as_ref().map(ToString::to_string),
            alert: about.alert.as_ref().map(ToString::to_string),
            receiver: about.receiver.as_ref().map(ReceiverName::as_str),
            group: about.group.as_ref().map(GroupKey::as_str),
            notification: about.notification.as_ref().map(NotificationId::as_str),
            source: about.source.as_ref().map(SourceKey::as_str),
        }
    }
}
