//! `bellwether eval`: a place to try expressions.

mod batch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value as Document, json};

use super::dry_run::{read, say, wrong};
use super::failure::{self, Failure};
use crate::cel::{
    Bindings, Budget, Env, ErrorKind, EvalError, Evaluation, Json, Kind, Problem, Program, Types,
    Value,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Position, Source};
use crate::dry_run::input::{self, What};
use crate::evaluate::{environment, of_names};
use crate::live::clock::Clock;
use crate::setup::schemas::Schemas;

const EXAMPLES: &str = "\
Examples:
  bellwether eval \"1 + 2\"
  bellwether eval \"object.status.phase == 'Failed'\" --object database.yaml
  kubectl get dbinst orders -o json | bellwether eval 'object.spec' --object -
  bellwether eval \"changed(object.spec.version)\" --object new.yaml --old old.yaml
  bellwether eval \"now - timestamp(object.status.lastBackupTime) > duration('24h')\" --object db.yaml
  bellwether eval \"object.spec.replicas > params.limit\" --object db.yaml --param limit=3 -o json
  bellwether eval \"object.status.phse == 'Failed'\" --schema crds/
  bellwether eval --batch < lines.json    # {\"expr\": \"x + 1\", \"vars\": {\"x\": 1}, \"object\": {}}

--batch reads a JSON object a line (expr; object, oldObject, events, params, vars, now) and answers
one a line; a line that is wrong has an answer with an error.

Exits with 1 if the expression is wrong, or has no answer.";

/// Try an expression
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Eval {
    /// The expression.
    #[arg(
        value_name = "EXPR",
        allow_hyphen_values = true,
        required_unless_present = "batch"
    )]
    expression: Option<String>,
    /// Many expressions, a JSON object a line of standard input.
    #[arg(long, conflicts_with_all = ["expression", "object", "old", "events", "params", "vars", "schema", "output"])]
    batch: bool,
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
    /// Sets a name of its own; JSON is what it has.
    #[arg(long = "var", value_name = "NAME=JSON")]
    vars: Vec<String>,
    /// Check the expression against the schema of the object's kind: files and directories of CRDs.
    #[arg(long, num_args = 1.., value_name = "CRD")]
    schema: Vec<PathBuf>,
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
    /// Further names.
    vars: Vec<(String, Json)>,
    now: Timestamp,
}

/// Evaluates.
///
/// # Errors
/// A file cannot be read, the expression is wrong, or it has no answer.
pub fn run(arguments: &Eval) -> Result<(), Failure> {
    let now = arguments.now.unwrap_or_else(|| Clock::start().now());
    let Some(expression) = &arguments.expression else {
        return batch::run(now, arguments.strict);
    };
    let given = arguments.given(now)?;
    let source = Source::new("expression", expression.as_str());
    let program = given
        .environment(arguments.strict)
        .compile(expression)
        .map_err(|problems| arguments.refused(&source, &problems))?;
    let checked = program.check(&arguments.types(&given)?);
    if !checked.problems.is_empty() {
        return Err(arguments.refused(&source, &checked.problems));
    }
    let program = program.read_as(&checked);
    let evaluation = program.evaluate(&given.bindings(), &mut Budget::default());
    arguments.answer(&program, evaluation, &source)
}

impl Eval {
    fn given(&self, now: Timestamp) -> Result<Given, Failure> {
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
            vars: self.variables()?,
            now,
        })
    }

    /// What the names stand for, as far as the schema says it.
    fn types(&self, given: &Given) -> Result<Types, Failure> {
        if self.schema.is_empty() {
            return Ok(Types::new());
        }
        let mut problems = Diagnostics::default();
        let schemas = Schemas::read(&self.schema, &mut problems);
        if problems.has_errors() {
            return Err(problems.into());
        }
        let object = given.object.as_ref().or(given.old.as_ref());
        let kind = object.map(|object| {
            let text = |name| object.get(name).and_then(Json::as_str).unwrap_or_default();
            (text("apiVersion"), text("kind"))
        });
        let Some(of) = schemas.of_kind(kind) else {
            let what = kind.map_or_else(
                || "--schema has more than one kind".to_owned(),
                |(version, kind)| format!("--schema has no {kind} of {version}"),
            );
            let help = "give the CRD of the object's kind, and --object";
            return Err(Failure::new(failure::CONFIGURATION, what, help));
        };
        Ok(of_names(&of, &given.params))
    }

    fn parameters(&self) -> Result<Json, Failure> {
        let mut fields = serde_json::Map::new();
        for text in &self.params {
            let (name, value) = assigned(text, "--param")?;
            let value = serde_json::from_str(value).unwrap_or_else(|_| Document::from(value));
            fields.insert(name.to_owned(), value);
        }
        Ok(Json::from(Document::Object(fields)))
    }

    fn variables(&self) -> Result<Vec<(String, Json)>, Failure> {
        let variable = |text: &String| {
            let (name, value) = assigned(text, "--var")?;
            let value = serde_json::from_str(value).map_err(|error| {
                Failure::new(
                    failure::USAGE,
                    format!("--var {text:?}: {error}"),
                    "a text is JSON in double quotes: --var 'name=\"text\"'",
                )
            })?;
            Ok((name.to_owned(), value))
        };
        self.vars.iter().map(variable).collect()
    }

    /// The expression is wrong: all that is.
    fn refused(&self, source: &Arc<Source>, problems: &[Problem]) -> Failure {
        if self.output == Output::Json {
            let answer = refusal(problems, source);
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
        if self.output == Output::Json {
            let failed = evaluation.result.is_err();
            say(&format!("{}\n", answered(program, evaluation, source)));
            return if failed { Err(silent()) } else { Ok(()) };
        }
        let value = evaluation.result.map_err(|error| unknown(source, &error))?;
        say(&table(&value, &reads(program), program, evaluation.next));
        Ok(())
    }
}

/// Why there is no program, for a machine.
fn refusal(problems: &[Problem], source: &Arc<Source>) -> Document {
    let Some(problem) = problems.first() else {
        return json!({"error": "the expression is wrong"});
    };
    let Position { line, column } = place(source, &problem.span).position();
    let mut answer = json!({"error": problem.message, "line": line, "column": column});
    if let Some(help) = &problem.help {
        answer["help"] = json!(help);
    }
    answer
}

/// The answer, for a machine.
fn answered(program: &Program, evaluation: Evaluation<'_>, source: &Arc<Source>) -> Document {
    let reads = reads(program);
    match evaluation.result {
        Ok(value) => {
            let next = evaluation.next.map(|next| next.to_string());
            let shown = Document::from(value.to_json());
            json!({"type": value.type_name(), "value": shown, "reads": reads, "next": next})
        }
        Err(error) => {
            let Position { line, column } = place(source, &error.span).position();
            let unknown = json!({
                "error": error.message, "line": line, "column": column, "path": error.path,
            });
            json!({"unknown": unknown, "reads": reads})
        }
    }
}

impl Given {
    /// The names of a rule, and those that are given besides.
    fn environment(&self, strict: bool) -> Env {
        let vars = self.vars.iter();
        vars.fold(environment().strict(strict), |env, (name, _)| {
            env.variable(name, Kind::Plain)
        })
    }

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
        for (name, value) in &self.vars {
            bindings = bindings.json(name, value);
        }
        bindings
    }
}

/// `NAME=VALUE`.
fn assigned<'t>(text: &'t str, option: &str) -> Result<(&'t str, &'t str), Failure> {
    text.split_once('=').ok_or_else(|| {
        Failure::new(
            failure::USAGE,
            format!("{option} {text:?} has no '='"),
            "write it as NAME=VALUE",
        )
    })
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
