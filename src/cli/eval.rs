//! `bellwether eval`: a place to try expressions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value as Document, json};

use super::dry_run::{read, say, wrong};
use super::failure::{self, Failure};
use crate::cel::{
    Bindings, Budget, ErrorKind, EvalError, Evaluation, Json, Problem, Program, Value,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Position, Source};
use crate::dry_run::input::{self, What};
use crate::evaluate::environment;
use crate::live::clock::Clock;

const EXAMPLES: &str = "\
Examples:
  bellwether eval \"1 + 2\"
  bellwether eval \"object.status.phase == 'Failed'\" --object database.yaml
  kubectl get dbinst orders -o json | bellwether eval 'object.spec' --object -
  bellwether eval \"changed(object.spec.version)\" --object new.yaml --old old.yaml
  bellwether eval \"now - timestamp(object.status.lastBackupTime) > duration('24h')\" --object db.yaml
  bellwether eval \"object.spec.replicas > params.limit\" --object db.yaml --param limit=3 -o json

Exits with 1 if the expression is wrong, or has no answer.";

/// Try an expression
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Eval {
    /// The expression.
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    expression: String,
    /// `object`: a file of YAML or JSON; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    object: Option<PathBuf>,
    /// `oldObject`: the object before.
    #[arg(long, value_name = "FILE")]
    old: Option<PathBuf>,
    /// `events`: a file of Kubernetes Events; `event` is the newest of them.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// What time it is (RFC 3339); else it is now.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Sets `params.NAME`; VALUE is JSON, or else text.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// CEL as it is specified: a field that is not there is an error.
    #[arg(long)]
    strict: bool,
    /// How the answer is printed.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    /// One JSON object.
    Json,
}

/// What the names stand for.
struct Given {
    object: Option<Json>,
    old: Option<Json>,
    /// Newest first.
    events: Vec<Json>,
    params: Json,
    now: Timestamp,
}

/// Evaluates.
///
/// # Errors
/// A file cannot be read, the expression is wrong, or it has no answer.
pub fn run(arguments: &Eval) -> Result<(), Failure> {
    let given = arguments.given()?;
    let env = environment().strict(arguments.strict);
    let source = Source::new("expression", arguments.expression.as_str());
    let program = env
        .compile(&arguments.expression)
        .map_err(|problems| arguments.refused(&source, &problems))?;
    let evaluation = program.evaluate(&given.bindings(), &mut Budget::default());
    arguments.answer(&program, evaluation, &source)
}

impl Eval {
    fn given(&self) -> Result<Given, Failure> {
        let now = self.now.unwrap_or_else(|| Clock::start().now());
        let first = |file: &Option<PathBuf>, option| match file {
            Some(file) => document(file, option).map(Some),
            None => Ok(None),
        };
        Ok(Given {
            object: first(&self.object, "--object")?,
            old: first(&self.old, "--old")?,
            events: match &self.events {
                Some(file) => events(file, now)?,
                None => Vec::new(),
            },
            params: self.parameters()?,
            now,
        })
    }

    fn parameters(&self) -> Result<Json, Failure> {
        let mut fields = serde_json::Map::new();
        for text in &self.params {
            let Some((name, value)) = text.split_once('=') else {
                return Err(Failure::new(
                    failure::USAGE,
                    format!("--param {text:?} has no '='"),
                    "write it as NAME=VALUE",
                ));
            };
            let value = serde_json::from_str(value).unwrap_or_else(|_| Document::from(value));
            fields.insert(name.to_owned(), value);
        }
        Ok(Json::from(Document::Object(fields)))
    }

    /// The expression is wrong: all that is.
    fn refused(&self, source: &Arc<Source>, problems: &[Problem]) -> Failure {
        if self.output == Output::Json {
            let problem = &problems[0];
            let Position { line, column } = place(source, &problem.span).position();
            let mut answer = json!({"error": problem.message, "line": line, "column": column});
            if let Some(help) = &problem.help {
                answer["help"] = json!(help);
            }
            say(&format!("{answer}\n"));
            return silent();
        }
        let mut diagnostics = Diagnostics::default();
        for problem in problems {
            let mut diagnostic =
                Diagnostic::error(problem.message.as_str()).at(place(source, &problem.span));
            diagnostic.help.clone_from(&problem.help);
            diagnostics.push(diagnostic);
        }
        diagnostics.into()
    }

    fn answer(
        &self,
        program: &Program,
        evaluation: Evaluation<'_>,
        source: &Arc<Source>,
    ) -> Result<(), Failure> {
        let Evaluation { result, next } = evaluation;
        let reads = reads(program);
        match (result, self.output) {
            (Ok(value), Output::Json) => {
                let next = next.map(|next| next.to_string());
                let shown = Document::from(value.to_json());
                let type_name = value.type_name();
                let answer =
                    json!({"type": type_name, "value": shown, "reads": reads, "next": next});
                say(&format!("{answer}\n"));
                Ok(())
            }
            (Ok(value), Output::Table) => {
                say(&table(&value, &reads, program, next));
                Ok(())
            }
            (Err(error), Output::Json) => {
                let Position { line, column } = place(source, &error.span).position();
                let unknown = json!({
                    "error": error.message, "line": line, "column": column, "path": error.path,
                });
                say(&format!(
                    "{}\n",
                    json!({"unknown": unknown, "reads": reads})
                ));
                Err(silent())
            }
            (Err(error), Output::Table) => Err(unknown(source, &error)),
        }
    }
}

impl Given {
    fn bindings(&self) -> Bindings<'_> {
        let mut bindings = Bindings::new()
            .list("events", &self.events)
            .json("params", &self.params)
            .time("now", self.now)
            .bool("late", false);
        let change = match (&self.events.first(), &self.old) {
            (Some(_), _) => "EVENT",
            (None, Some(_)) => "MODIFIED",
            (None, None) => "ADDED",
        };
        bindings = bindings.text("change", change);
        if let Some(object) = &self.object {
            bindings = bindings.json("object", object);
        }
        if let Some(old) = &self.old {
            bindings = bindings.json("oldObject", old);
        }
        if let Some(event) = self.events.first() {
            bindings = bindings.json("event", event);
        }
        bindings
    }
}

/// The only document of a file.
fn document(file: &Path, option: &str) -> Result<Json, Failure> {
    let text = read(file, option)?;
    let documents = input::plain(&text).map_err(|errors| wrong(file, &errors))?;
    let count = documents.len();
    match <[Json; 1]>::try_from(documents) {
        Ok([document]) => Ok(document),
        Err(_) => Err(Failure::new(
            failure::CONFIGURATION,
            format!("{} has {count} documents", file.display()),
            &format!("{option} takes a file of one object"),
        )),
    }
}

/// The Events of a file, newest first.
fn events(file: &Path, now: Timestamp) -> Result<Vec<Json>, Failure> {
    let text = read(file, "--events")?;
    let facts = input::read(&text, now).map_err(|errors| wrong(file, &errors))?;
    let events = facts.into_iter().filter_map(|fact| match fact.what {
        What::Event(event) => Some(event.to_json()),
        What::Applied(_) | What::Deleted(_) => None,
    });
    let mut events: Vec<Json> = events.collect();
    let seen = |event: &Json| {
        event
            .get("lastSeen")
            .and_then(Json::as_str)
            .map(str::to_owned)
    };
    events.sort_by_key(|event| std::cmp::Reverse(seen(event)));
    Ok(events)
}

fn place(source: &Arc<Source>, span: &std::ops::Range<usize>) -> Place {
    Place {
        source: source.clone(),
        start: span.start,
        end: span.end,
    }
}

/// Everything was said on standard output.
fn silent() -> Failure {
    Failure {
        exit: failure::CONFIGURATION,
        report: String::new(),
    }
}

/// The expression has no answer: where, and about which field.
fn unknown(source: &Arc<Source>, error: &EvalError) -> Failure {
    let mut diagnostics = Diagnostics::default();
    let mut diagnostic = Diagnostic::error(error.message.as_str()).at(place(source, &error.span));
    if let Some(path) = &error.path {
        diagnostic = diagnostic.label(format!("at {path}"));
    }
    if error.kind == ErrorKind::Unbound {
        diagnostic = diagnostic.help("--object, --old and --events say what there is");
    }
    diagnostics.push(diagnostic);
    diagnostics.into()
}

/// Every path that it reads.
fn reads(program: &Program) -> Vec<String> {
    let mut reads = Vec::new();
    for root in program.roots() {
        let Some(paths) = program.reads(root).filter(|paths| !paths.is_all()) else {
            reads.push(root.to_owned());
            continue;
        };
        reads.extend(paths.paths().iter().map(|path| {
            let dot = if path.starts_with('[') { "" } else { "." };
            format!("{root}{dot}{path}")
        }));
    }
    reads
}

fn table(
    value: &Value<'_>,
    reads: &[String],
    program: &Program,
    next: Option<Timestamp>,
) -> String {
    let reads = match reads {
        [] => "nothing".to_owned(),
        reads => reads.join(", "),
    };
    let by_time = match next {
        Some(next) => format!("changes at {next} at the earliest"),
        None if program.reads_now() => "does not change any more".to_owned(),
        None => "does not change".to_owned(),
    };
    format!(
        "value     {}\ntype      {}\nreads     {reads}\nby time   {by_time}\n",
        value.to_json(),
        value.type_name(),
    )
}
