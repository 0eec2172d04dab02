//! A template: compiled and checked once, expanded for each message.
//!
//! In: Handlebars source with the format that it writes and what it may read; later a model.
//! Out: a [`Template`] that knows the paths it reads, or all problems with their places; later a
//! text. An absent value is written `‹missing: path›` and told to the caller. Partials,
//! decorators and logging are refused: a template is one text that only reads its model.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, Output as Sink, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson, TemplateErrorReason,
};
use jiff::Timestamp;
use serde_json::Value;

use super::escape::Target;
use super::function::{Arguments, FUNCTIONS, Function, Output};
use super::read::{self, Read};
use crate::cel::PathSet;

/// No template is longer, in bytes.
const SOURCE_LIMIT: usize = 64 * 1024;
/// No block or call stands deeper in others: the parser is recursive.
const DEPTH_LIMIT: usize = 24;
/// No template writes more, in bytes.
const OUTPUT_LIMIT: usize = 1024 * 1024;

/// What a template is for, which decides what it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A whole message: the notification with all its alerts.
    Message,
    /// A text of a rule (`summary`, `description`): one alert, before it has these texts.
    Alert,
}

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    target: Target,
    parsed: handlebars::Template,
    reads: Vec<Read>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateProblem {
    /// Counted from 1, in the template's source.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

/// What a template gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    pub text: String,
    /// The paths that had no value, as the template writes them.
    pub missing: Vec<String>,
}

impl Template {
    /// Compiles and checks a template.
    ///
    /// # Errors
    /// Every problem found; where the syntax is wrong, only that.
    pub fn compile(
        name: &str,
        source: &str,
        target: Target,
        scope: Scope,
    ) -> Result<Self, Vec<TemplateProblem>> {
        within_bounds(source).map_err(|problem| vec![problem])?;
        let parsed = handlebars::Template::compile_with_name(source, name.to_owned())
            .map_err(|error| vec![syntax(&error)])?;
        let (reads, problems) = read::of(&parsed, scope);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            name: name.to_owned(),
            target,
            parsed,
            reads,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// The same template, its values escaped for another target.
    #[must_use]
    pub(super) fn retarget(&self, target: Target) -> Self {
        Self {
            target,
            ..self.clone()
        }
    }

    /// Every path that it reads, with where it reads it.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// What it reads of an alert's view, by root: `object`, `oldObject`, `event`, … This is what
    /// must be kept of an object so that the template finds it.
    #[must_use]
    pub fn view(&self) -> BTreeMap<String, PathSet> {
        let mut view: BTreeMap<String, PathSet> = BTreeMap::new();
        for read in &self.reads {
            for (root, paths) in read.of_view() {
                let known = view.entry(root.to_owned()).or_default();
                *known = known.union(&paths);
            }
        }
        view
    }

    /// Expands the template.
    ///
    /// # Errors
    /// Why it failed, with the line: a function refused its argument, or the text grew too large.
    pub fn expand(&self, model: &Model) -> Result<Expansion, String> {
        let missing = Mutex::new(Vec::new());
        let registry = registry(self.target, model.at, &missing);
        let mut sink = Bounded(String::new());
        let mut render = RenderContext::new(None);
        let result = self
            .parsed
            .render(&registry, &model.values, &mut render, &mut sink);
        drop(render);
        drop(registry);
        result.map_err(|error| failure(&self.name, &error))?;
        Ok(Expansion {
            text: sink.0,
            missing: missing.into_inner().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

/// What templates read: a JSON tree, and the moment that it is about.
#[derive(Debug)]
pub struct Model {
    values: Context,
    at: Option<Timestamp>,
}

impl Model {
    #[must_use]
    pub fn new(values: Value, at: Option<Timestamp>) -> Self {
        // A `Value` always serialises to itself.
        let values = Context::wraps(values).unwrap_or_else(|_| Context::null());
        Self { values, at }
    }
}

fn within_bounds(source: &str) -> Result<(), TemplateProblem> {
    let problem = |message: String, help: &str| TemplateProblem {
        line: 1,
        column: 1,
        message,
        help: Some(help.to_owned()),
    };
    if source.len() > SOURCE_LIMIT {
        return Err(problem(
            format!("the template has {} bytes", source.len()),
            "a template has at most 64 KiB",
        ));
    }
    let mut depth = 0_usize;
    let mut deepest = 0;
    for (at, _) in source.match_indices(['#', '(', '[', '{', ')', ']', '}', '/']) {
        let rest = &source[at..];
        let opened = source[..at].ends_with("{{") || source[..at].ends_with("{{~");
        match rest.as_bytes()[0] {
            b'#' if opened => depth += 1,
            b'/' if opened => depth = depth.saturating_sub(1),
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > DEPTH_LIMIT {
        return Err(problem(
            format!("blocks and brackets are nested {deepest} deep"),
            "they may be nested 24 deep",
        ));
    }
    Ok(())
}

fn syntax(error: &handlebars::TemplateError) -> TemplateProblem {
    let (line, column) = error.pos().unwrap_or((1, 1));
    let (message, help) = match error.reason() {
        // The parser's own words list its grammar's rules.
        TemplateErrorReason::InvalidSyntax(rules) if rules.contains("helper_block_end") => (
            "something is not closed here".to_owned(),
            Some("{{#if …}} ends with {{/if}}, {{#each …}} with {{/each}}".to_owned()),
        ),
        TemplateErrorReason::InvalidSyntax(_) => (
            "this is not Handlebars".to_owned(),
            Some("write {{path}} or {{function argument}}; \\{{ is a plain {{".to_owned()),
        ),
        other => (other.to_string(), None),
    };
    TemplateProblem {
        line,
        column,
        message,
        help,
    }
}

fn failure(name: &str, error: &RenderError) -> String {
    let why = error.reason();
    match (error.line_no, error.column_no) {
        (Some(line), Some(column)) => format!("{name}:{line}:{column}: {why}"),
        _ => format!("{name}: {why}"),
    }
}

/// A registry costs a few microseconds; one for each expansion needs no shared state.
fn registry(target: Target, at: Option<Timestamp>, missing: &Mutex<Vec<String>>) -> Handlebars<'_> {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(move |text| target.escape(text));
    for function in FUNCTIONS {
        let call = Call {
            function,
            target,
            at,
            missing,
        };
        registry.register_helper(function.name, Box::new(call));
    }
    registry.register_helper("helperMissing", Box::new(Missing { target, missing }));
    registry
}

/// Notes that a value was absent and gives what stands in its place.
fn absent(missing: &Mutex<Vec<String>>, path: &str) -> String {
    missing
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(path.to_owned());
    format!("‹missing: {path}›")
}

/// What Handlebars calls for a path without a value.
struct Missing<'m> {
    target: Target,
    missing: &'m Mutex<Vec<String>>,
}

impl HelperDef for Missing<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Sink,
    ) -> Result<(), RenderError> {
        let text = absent(self.missing, call.name());
        Ok(out.write(&self.target.escape(&text))?)
    }
}

/// One of our functions as Handlebars calls it.
struct Call<'m> {
    function: &'static Function,
    target: Target,
    at: Option<Timestamp>,
    missing: &'m Mutex<Vec<String>>,
}

impl Call<'_> {
    fn run(&self, call: &Helper<'_>) -> Result<Output, RenderError> {
        let takes_absent = self.function.name == "default";
        let mut parameters = Vec::with_capacity(call.params().len());
        for parameter in call.params() {
            if parameter.is_value_missing() && !takes_absent {
                let path = parameter.relative_path().map_or("?", String::as_str);
                return Ok(Output::Value(Value::String(absent(self.missing, path))));
            }
            parameters.push(parameter.value());
        }
        let options = call
            .hash()
            .iter()
            .map(|(name, value)| (*name, value.value()))
            .collect();
        let arguments = Arguments {
            parameters,
            options,
            at: self.at,
            target: self.target,
        };
        (self.function.run)(&arguments).map_err(|why| {
            RenderErrorReason::Other(format!("{}: {why}", self.function.name)).into()
        })
    }
}

impl HelperDef for Call<'_> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(match self.run(call)? {
            Output::Value(value) => value,
            Output::Markup(text) => Value::String(text),
        }))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Sink,
    ) -> Result<(), RenderError> {
        let text = match self.run(call)? {
            Output::Markup(text) => text,
            Output::Value(value) => {
                let text = super::function::text_of(&value);
                if render.is_disable_escape() {
                    text
                } else {
                    self.target.escape(&text)
                }
            }
        };
        Ok(out.write(&text)?)
    }
}

/// An output that ends a template that would write without end.
struct Bounded(String);

impl Sink for Bounded {
    fn write(&mut self, text: &str) -> Result<(), std::io::Error> {
        if self.0.len() + text.len() > OUTPUT_LIMIT {
            return Err(std::io::Error::other("the text is longer than 1 MiB"));
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
