//! `bellwether explain`: why a rule is true of an object, or false, or unknown, and what follows.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value as Document, json};

use super::dry_run::{Facts, connected, listed, say, warn_of_nothing};
use super::failure::{self, Failure};
use super::typed::load;
use super::{ClusterArgs, FileArgs};
use crate::cel::{Json, Tree};
use crate::dry_run::input::{Fact, What};
use crate::dry_run::{DryRun, Row};
use crate::engine::explain::Before;
use crate::evaluate::moment::Explanation;
use crate::evaluate::{Rule, Trigger, Verdict};
use crate::live::clock::Clock;
use crate::names::{ObjectRef, RuleName};
use crate::setup::Loaded;

const EXAMPLES: &str = "\
Examples:
  bellwether explain database-failed orders --rules rules/
  bellwether explain database-failed DatabaseInstance/prod/orders --rules rules/ --from day.json
  bellwether explain backup-too-old prod/orders --rules rules/ --from db.yaml --at 2026-11-23T12:00:00Z

A part that the answer comes from is marked with *.";

/// Show why a rule is true of an object or not, part by part, and what follows from it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// The name of the rule.
    #[arg(value_name = "RULE")]
    rule: String,
    /// The object: KIND/NAMESPACE/NAME, or as much of the end of that as is needed.
    #[arg(value_name = "OBJECT")]
    object: String,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Manifests or a recorded watch instead of the cluster; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// With --from: what time it is (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "from")]
    at: Option<Timestamp>,
    /// How it is printed.
    #[arg(long, short, value_enum, default_value_t = Output::Tree)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Tree,
    /// One JSON object.
    Json,
}

/// Explains.
///
/// # Errors
/// The rules or the input are wrong, the cluster cannot be reached, or there is no such rule or
/// object.
pub async fn run(arguments: &Explain) -> Result<(), Failure> {
    let files = arguments.files.files_of(&arguments.cluster).await?;
    let loaded = load(&files)?;
    let rule = arguments.rule(&loaded)?;
    let mut clock = Clock::start();
    let Some(file) = &arguments.from else {
        let (cluster, loaded) = connected(&arguments.cluster, &files, loaded).await?;
        let listed = listed(&cluster, &loaded, &arguments.cluster, &mut clock).await?;
        let explained = arguments.explain(&listed.run, arguments.rule(&loaded)?, &[]);
        listed.end().await;
        return explained;
    };
    let facts = Facts::read(file, arguments.at, &mut clock)?;
    let run = facts.play(&loaded, &arguments.cluster);
    warn_of_nothing(&run, file);
    arguments.explain(&run, rule, &facts.all)
}

impl Explain {
    fn rule<'l>(&self, loaded: &'l Loaded) -> Result<&'l Rule, Failure> {
        let rules = loaded.rules.rules.iter();
        let mut found = rules.clone().filter(|rule| rule.name.as_str() == self.rule);
        found.next().map(|rule| &**rule).ok_or_else(|| {
            let names: Vec<&str> = rules.map(|rule| rule.name.as_str()).collect();
            Failure::new(
                failure::USAGE,
                format!("there is no rule {:?}", self.rule),
                &format!("the rules are {}", names.join(", ")),
            )
        })
    }

    fn explain(&self, run: &DryRun<'_>, rule: &Rule, facts: &[Fact]) -> Result<(), Failure> {
        let object = self.object(run, &rule.name)?;
        let event = last_event(facts, &object);
        let before = Before {
            old: state_before(facts, &object),
            event: event.as_ref(),
        };
        let Some(explanation) = run.engine.explain(&rule.name, object.uid, before) else {
            return Err(Failure::new(
                failure::INTERNAL,
                format!("{object} is watched, and is not there"),
                "please report it with the rules and the objects",
            ));
        };
        let rows = run.rows(true).into_iter();
        let rows: Vec<Row> = rows
            .filter(|row| row.rule == rule.name && row.object.uid == object.uid)
            .collect();
        say(&match self.output {
            Output::Tree => text(rule, &object, &explanation, &rows),
            Output::Json => format!("{}\n", machine(rule, &explanation, &rows)),
        });
        Ok(())
    }

    /// The object that is meant, among those that the rule watches.
    fn object(&self, run: &DryRun<'_>, rule: &RuleName) -> Result<ObjectRef, Failure> {
        let watched = run.engine.watched().into_iter();
        let mut watched: Vec<ObjectRef> = watched
            .filter(|(name, _)| name == rule)
            .map(|(_, object)| object)
            .collect();
        watched.sort();
        watched.dedup();
        let (meant, others): (Vec<_>, Vec<_>) = watched
            .into_iter()
            .partition(|object| object.is_called(&self.object));
        let list = |objects: &[ObjectRef]| {
            let names: Vec<String> = objects.iter().take(10).map(ToString::to_string).collect();
            let more = objects.len().saturating_sub(10);
            let rest = if more > 0 {
                format!(", and {more} more")
            } else {
                String::new()
            };
            names.join(", ") + &rest
        };
        match <[ObjectRef; 1]>::try_from(meant) {
            Ok([object]) => Ok(object),
            Err(none) if none.is_empty() => Err(Failure::new(
                failure::USAGE,
                format!("{rule} watches no object {:?}", self.object),
                &match others.as_slice() {
                    [] => "it watches no object at all here".to_owned(),
                    others => format!("it watches {}", list(others)),
                },
            )),
            Err(many) => Err(Failure::new(
                failure::USAGE,
                format!("{:?} may be several objects", self.object),
                &format!("write one of {}", list(&many)),
            )),
        }
    }
}

fn is_of(object: &ObjectRef, json: &Json) -> bool {
    let text = |path: &[&str]| json.at(path).and_then(Json::as_str).unwrap_or_default();
    text(&["kind"]) == &*object.kind
        && text(&["metadata", "name"]) == &*object.name
        && text(&["metadata", "namespace"]) == object.namespace.as_deref().unwrap_or_default()
}

/// The state of the object before its last one, where a file has both.
fn state_before<'f>(facts: &'f [Fact], object: &ObjectRef) -> Option<&'f Json> {
    let states = facts.iter().rev().filter_map(|fact| match &fact.what {
        What::Applied(json) => Some(json),
        What::Deleted(_) | What::Event(_) => None,
    });
    states.filter(|json| is_of(object, json)).nth(1)
}

/// The last Event about the object in a file.
fn last_event(facts: &[Fact], object: &ObjectRef) -> Option<Json> {
    facts.iter().rev().find_map(|fact| {
        let What::Event(event) = &fact.what else {
            return None;
        };
        let event = event.to_json();
        let text = |field| event.at(&["regarding", field]).and_then(Json::as_str);
        let about = text("kind") == Some(&*object.kind)
            && text("name") == Some(&*object.name)
            && text("namespace").unwrap_or_default()
                == object.namespace.as_deref().unwrap_or_default();
        about.then_some(event)
    })
}

/// `when` or `on`, and the expression.
fn condition(rule: &Rule) -> (&'static str, &str) {
    match &rule.trigger {
        Trigger::State { when, .. } => ("when", when.source()),
        Trigger::Occurrence { on, .. } => ("on", on.source()),
    }
}

fn text(rule: &Rule, object: &ObjectRef, explanation: &Explanation, rows: &[Row]) -> String {
    let (name, _) = condition(rule);
    let mut out = format!("rule      {}\nobject    {object}\n", rule.name);
    for row in rows {
        // Writing to a string cannot fail.
        let _ = write!(out, "state     {}", row.state);
        if let Some(since) = row.since {
            let _ = write!(out, " since {since}");
        }
        let _ = writeln!(out, ": {}", row.reason);
        if let Some(until) = row.until {
            let what = if row.state == "pending" {
                "fires at"
            } else {
                "ended at"
            };
            let _ = writeln!(out, "          {what} {until}");
        }
        if !row.notifies.is_empty() {
            let _ = writeln!(out, "notifies  {}", row.notifies.join(", "));
        }
    }
    for (list, objects) in &explanation.related {
        let objects: Vec<String> = objects.iter().map(ToString::to_string).collect();
        let objects = match objects.as_slice() {
            [] => "none".to_owned(),
            objects => cut(&objects.join(", ")),
        };
        let _ = writeln!(out, "{list}: {objects}");
    }
    let verdict = &explanation.judgement.verdict;
    let _ = writeln!(out, "{name:<9} is {}", verdict.name());
    if let Some(next) = explanation.judgement.next {
        let _ = writeln!(out, "by time   changes at {next} at the earliest");
    }
    out.push('\n');
    lines(&explanation.tree, 0, &mut out);
    out
}

/// The longest value that stands on a line, in characters.
const LONGEST: usize = 100;

fn lines(tree: &Tree, depth: usize, out: &mut String) {
    let mark = if tree.decided { '*' } else { ' ' };
    let indent = "  ".repeat(depth);
    let element = match &tree.element {
        Some(element) => format!("[{}] ", cut(&element.to_string())),
        None => String::new(),
    };
    let value = match (&tree.value, tree.type_name) {
        (Ok(_), "absent") => "absent".to_owned(),
        (Ok(value), _) => cut(&value.to_string()),
        (Err(error), _) => format!("unknown: {error}"),
    };
    // An expression may have lines of its own.
    let source = tree.source.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(out, "{mark} {indent}{element}{source} = {value}");
    for part in &tree.parts {
        lines(part, depth + 1, out);
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn machine(rule: &Rule, explanation: &Explanation, rows: &[Row]) -> Document {
    let (name, source) = condition(rule);
    let why = match &explanation.judgement.verdict {
        Verdict::Unknown(why) => Some(why),
        Verdict::True | Verdict::False => None,
    };
    json!({
        "rule": rule.name,
        name: source,
        "verdict": explanation.judgement.verdict.name(),
        "why": why,
        "next": explanation.judgement.next,
        "alerts": rows,
        "related": explanation.related.iter().map(|(list, objects)| json!({"name": list, "objects": objects})).collect::<Vec<_>>(),
        "tree": part(&explanation.tree),
    })
}

fn part(tree: &Tree) -> Document {
    let mut shown = json!({
        "source": tree.source,
        "type": tree.type_name,
        "decided": tree.decided,
        "parts": tree.parts.iter().map(part).collect::<Vec<_>>(),
    });
    match &tree.value {
        Ok(value) => shown["value"] = Document::from(value.clone()),
        Err(error) => shown["error"] = json!({"message": error.message, "path": error.path}),
    }
    if let Some(element) = &tree.element {
        shown["element"] = Document::from(element.clone());
    }
    shown
}
