//! `bellwether silence`: for some time nobody is told of certain alerts.

use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::control::{StateArgs, ask_running};
use super::failure::{self, Failure};
use crate::config::{Matchers, duration};
use crate::dry_run::report::aligned;
use crate::live::clock::Clock;
use crate::live::control::{Answer, Asked};
use crate::names::{Fingerprint, SilenceName};
use crate::notify::Silence;

const EXAMPLES: &str = "\
Examples:
  bellwether silence add alertname=database-failed namespace=prod --duration 2h --comment 'upgrade to 17'
  bellwether silence add 'severity=~\"info|warning\"' --comment 'quiet, please'
  bellwether silence list
  bellwether silence expire silence-5f3a09c1
  kubectl exec deploy/bellwether -- bellwether silence list

It asks the bridge that runs on the state file. A silence that is made here is kept in the state file and
survives a restart; one that stands in a document (kind: Silence) is changed there. The end of an alert
that was told before is told all the same; what still fires when the silence ends is told then, once. PagerDuty is
told that somebody is at an incident when all of its alerts are silenced.";

/// Make, list and end silences
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SilenceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell nobody of alerts with these labels for some time; prints the silence's name
    Add(Add),
    /// List the silences that have not ended
    #[command(visible_alias = "query")]
    List(List),
    /// End silences now
    Expire(Expire),
}

#[derive(Debug, Args)]
struct Add {
    /// Labels that an alert must have: `name=value`, `!=`, `=~`, `!~`, as in Alertmanager.
    #[arg(required = true, value_name = "MATCHER")]
    matchers: Vec<String>,
    /// For how long.
    #[arg(
        long,
        short,
        visible_alias = "for",
        value_name = "DURATION",
        default_value = "1h",
        conflicts_with = "end"
    )]
    duration: String,
    /// Until when (RFC 3339), instead.
    #[arg(long, value_name = "MOMENT")]
    end: Option<Timestamp>,
    /// From when on (RFC 3339); else from now.
    #[arg(long, value_name = "MOMENT")]
    start: Option<Timestamp>,
    /// Why.
    #[arg(long, short, value_name = "TEXT")]
    comment: String,
    /// By whom.
    #[arg(long, short, value_name = "NAME", env = "USER")]
    author: Option<String>,
    /// What the silence is called; one of that name is replaced.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Args)]
struct List {
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
struct Expire {
    /// Names of silences, as `list` prints them.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    state: StateArgs,
}

/// Does it.
///
/// # Errors
/// A flag is wrong, no bridge runs, or it refuses.
pub fn run(arguments: &SilenceArgs) -> Result<(), Failure> {
    match &arguments.command {
        Command::Add(add) => add.run(),
        Command::List(list) => list.run(),
        Command::Expire(expire) => expire.run(),
    }
}

impl Add {
    fn run(&self) -> Result<(), Failure> {
        let silence = self.silence(Clock::start().now())?;
        let name = silence.name.clone();
        ask_running(&self.state.file(), &Asked::Silence(Box::new(silence)))?;
        println!("{name}");
        Ok(())
    }

    fn silence(&self, now: Timestamp) -> Result<Silence, Failure> {
        let matchers = self.matchers()?;
        let starts_at = self.start.unwrap_or(now);
        let ends_at = match self.end {
            Some(end) => end,
            None => self.lasting_from(starts_at)?,
        };
        if ends_at <= starts_at || ends_at <= now {
            return Err(Failure::new(
                failure::USAGE,
                format!("the silence would be over at {ends_at}, before it begins"),
                "say --duration, or another --end",
            ));
        }
        if self.comment.trim().is_empty() {
            return Err(Failure::new(
                failure::USAGE,
                "--comment says nothing",
                "somebody will ask why nobody was told",
            ));
        }
        let parts = [
            matchers.to_string(),
            starts_at.to_string(),
            ends_at.to_string(),
            self.comment.clone(),
        ];
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let generated = || format!("silence-{:.8}", Fingerprint::of(&parts).to_string());
        Ok(Silence {
            name: self.name.clone().unwrap_or_else(generated).into(),
            namespace: None,
            matchers,
            condition: None,
            starts_at,
            ends_at,
            comment: self.comment.clone(),
            created_by: self.author.clone(),
        })
    }

    fn lasting_from(&self, start: Timestamp) -> Result<Timestamp, Failure> {
        let lasts = duration::parse(&self.duration);
        let lasts = lasts.map_err(|error| {
            let message = format!("--duration {:?}: {error}", self.duration);
            Failure::new(failure::USAGE, message, "such as 30m, 2h or 7d")
        })?;
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        Ok(start.checked_add(lasts).unwrap_or(Timestamp::MAX))
    }

    fn matchers(&self) -> Result<Matchers, Failure> {
        let wrong = |error: &dyn std::fmt::Display| {
            let help =
                "such as alertname=database-failed, 'team=~\"db|storage\"' (quoted for the shell)";
            Failure::new(failure::USAGE, error, help)
        };
        let mut all = Vec::new();
        for text in &self.matchers {
            // Each by itself, so that the wrong one is named.
            let one: Matchers = text
                .parse()
                .map_err(|error| wrong(&format!("{text:?} is no matcher: {error}")))?;
            all.extend(one.iter().cloned());
        }
        let all = Matchers::from_iter(all);
        if all.match_nothing_in_particular() {
            return Err(wrong(&"the silence would match every alert"));
        }
        Ok(all)
    }
}

impl List {
    fn run(&self) -> Result<(), Failure> {
        let Answer::Silences(silences) = ask_running(&self.state.file(), &Asked::Silences)? else {
            return Ok(());
        };
        let now = Clock::start().now();
        let mut silences: Vec<(Silence, bool)> = silences;
        silences.retain(|(silence, _)| silence.ends_at > now);
        silences.sort_by_key(|(silence, _)| (silence.ends_at, silence.name.clone()));
        match self.output {
            Output::Table if silences.is_empty() => eprintln!("there are no silences"),
            Output::Table => print!("{}", aligned(&rows(&silences, now))),
            Output::Json => {
                for (silence, made) in &silences {
                    println!(
                        "{}",
                        serde_json::json!(Line {
                            silence,
                            made: *made
                        })
                    );
                }
            }
        }
        Ok(())
    }
}

impl Expire {
    fn run(&self) -> Result<(), Failure> {
        for name in &self.names {
            let name = SilenceName::from(name.as_str());
            ask_running(&self.state.file(), &Asked::Expire(name))?;
        }
        Ok(())
    }
}

fn rows(silences: &[(Silence, bool)], now: Timestamp) -> Vec<Vec<String>> {
    let head = [
        "NAME", "MATCHERS", "STATE", "UNTIL", "BY", "FROM", "COMMENT",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (silence, made) in silences {
        let state = if silence.starts_at <= now {
            "active"
        } else {
            "pending"
        };
        rows.push(vec![
            silence.name.to_string(),
            silence.matchers.to_string(),
            state.to_owned(),
            format!("{:.0}", silence.ends_at),
            silence.created_by.clone().unwrap_or_else(|| "-".to_owned()),
            if *made { "command" } else { "document" }.to_owned(),
            silence.comment.clone(),
        ]);
    }
    rows
}

/// A silence, for programs.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    silence: &'a Silence,
    /// Made with this command, and not in a document.
    made: bool,
}
