//! Many expressions: a JSON object a line in, an answer a line out.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Document, json};

use super::{Given, answered, refusal};
use crate::cel::{Budget, Json};
use crate::cli::failure::{self, Failure};
use crate::diagnostic::Source;

/// A line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    expr: String,
    #[serde(default)]
    object: Option<Json>,
    #[serde(default)]
    old_object: Option<Json>,
    /// Newest first.
    #[serde(default)]
    events: Vec<Json>,
    #[serde(default)]
    params: BTreeMap<Arc<str>, Json>,
    #[serde(default)]
    vars: BTreeMap<String, Json>,
    #[serde(default)]
    now: Option<Timestamp>,
}

/// Answers until the input ends. A line that is wrong has an answer that says so.
pub(super) fn run(now: Timestamp, strict: bool) -> Result<(), Failure> {
    // It is flushed at each line: somebody may wait for the answer before the next question.
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| {
            Failure::new(
                failure::CONFIGURATION,
                error,
                "--batch reads a JSON object a line from standard input",
            )
        })?;
        let answer = match serde_json::from_slice::<Line>(&line) {
            Ok(line) => line.answer(now, strict),
            Err(error) => json!({"error": format!("the line is not understood: {error}")}),
        };
        // A reader that has gone away has seen enough.
        if writeln!(out, "{answer}").is_err() {
            return Ok(());
        }
    }
    Ok(())
}

impl Line {
    fn answer(self, now: Timestamp, strict: bool) -> Document {
        let given = Given {
            object: self.object,
            old: self.old_object,
            events: self.events,
            params: Json::Map(self.params.into_iter().collect()),
            vars: self.vars.into_iter().collect(),
            now: self.now.unwrap_or(now),
        };
        let source = Source::new("expression", self.expr);
        match given.environment(strict).compile(source.text()) {
            Ok(program) => {
                let evaluation = program.evaluate(&given.bindings(), &mut Budget::default());
                answered(&program, evaluation, &source)
            }
            Err(problems) => refusal(&problems, &source),
        }
    }
}
