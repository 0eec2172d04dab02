//! Which paths a template reads, and whether it may: found without expanding it.
//!
//! In: a parsed template and its scope. Out: its [`Read`]s, and problems: unknown names and
//! functions (with a near miss), wrong numbers of arguments, what we do not support.

use std::sync::Arc;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};

use super::function::{self, FUNCTIONS, STANDARD};
use super::shape::{Shape, VIEW};
use super::template::{Scope, TemplateProblem};
use crate::cel::{PathSet, paths::Step};

/// No more loops stand in each other: the time of an expansion is bounded by their product.
const LOOP_LIMIT: usize = 3;

/// Functions that do not look into a list or an alert that they are given.
const SHALLOW: &[&str] = &["if", "unless", "len", "not", "and", "or"];

/// One path that a template reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// From the roots of the model (`group.firing`); what belongs to an alert without `alert` or
    /// `alerts[]` in front (`object.status.phase`, `summary`).
    pub steps: Vec<Step>,
    /// Only whether it is there and how many it has, as `{{#if}}` and `len` ask.
    pub shallow: bool,
    /// Where, counted from 1 in the template's source: the expression that holds the path.
    pub line: usize,
    pub column: usize,
}

impl Read {
    /// The first name: `object`, `event`, `group`, …
    #[must_use]
    pub fn root(&self) -> &str {
        match self.steps.first() {
            Some(Step::Field(name)) => name,
            _ => "",
        }
    }

    /// What is read of an alert's view, by its roots, which expressions see too: `object`,
    /// `oldObject`, `event`, `events`, `related`, `variables`, `params`, `changes`. A whole alert
    /// (`{{json alerts}}`) reads all of it.
    #[must_use]
    pub fn of_view(&self) -> Vec<(&str, PathSet)> {
        let whole = |root: &&'static str| (*root, PathSet::all());
        match (self.root(), self.steps.len()) {
            (root, _) if VIEW.contains(&root) => {
                let mut paths = PathSet::none();
                paths.insert_steps(&self.steps[1..]);
                vec![(root, paths)]
            }
            ("alert", 1) | ("alerts", 1 | 2) if !self.shallow => VIEW.iter().map(whole).collect(),
            _ => Vec::new(),
        }
    }
}

/// The path as text: `object.status.conditions[].type`.
impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut paths = PathSet::none();
        paths.insert_steps(&self.steps);
        f.write_str(&paths.paths().concat())
    }
}

/// All reads and all problems of a template.
pub(super) fn of(
    template: &handlebars::Template,
    scope: Scope,
) -> (Vec<Read>, Vec<TemplateProblem>) {
    let mut walk = Walk {
        root: Shape::of(scope),
        blocks: vec![Block {
            base: Some(Vec::new()),
            names: Vec::new(),
        }],
        loops: 0,
        at: (1, 1),
        reads: Vec::new(),
        problems: Vec::new(),
    };
    walk.template(template);
    for read in &mut walk.reads {
        read.steps = without_alert(std::mem::take(&mut read.steps));
    }
    (walk.reads, walk.problems)
}

/// A path from the root of the model, or nothing for a computed value.
type Base = Option<Vec<Step>>;

struct Block {
    base: Base,
    /// `as |alert|`
    names: Vec<(String, Base)>,
}

struct Walk {
    root: &'static Shape,
    blocks: Vec<Block>,
    loops: usize,
    at: (usize, usize),
    reads: Vec<Read>,
    problems: Vec<TemplateProblem>,
}

impl Walk {
    fn problem(&mut self, message: String, help: Option<String>) {
        self.problems.push(TemplateProblem {
            line: self.at.0,
            column: self.at.1,
            message,
            help,
        });
    }

    fn template(&mut self, template: &handlebars::Template) {
        for (element, place) in template.elements.iter().zip(&template.mapping) {
            self.at = (place.0, place.1);
            match element {
                TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                    self.expression(call);
                }
                TemplateElement::HelperBlock(call) => self.block(call),
                TemplateElement::PartialExpression(_) | TemplateElement::PartialBlock(_) => {
                    self.problem("partials are not supported".to_owned(), None);
                }
                TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
                    self.problem("decorators are not supported".to_owned(), None);
                }
                _ => {}
            }
        }
    }

    /// `{{path}}` or `{{function …}}`.
    fn expression(&mut self, call: &HelperTemplate) {
        let is_value = call.params.is_empty() && call.hash.is_empty();
        match &call.name {
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(call) = inner.as_element() {
                    self.expression(call);
                }
            }
            Parameter::Path(path) if is_value && arity(name_of(&call.name)).is_none() => {
                self.read(path, false);
            }
            name => {
                let name = name_of(name).to_owned();
                self.call(&name, call);
                if ["if", "unless", "each", "with"].contains(&name.as_str()) {
                    let help = format!("write {{{{#{name} …}}}} … {{{{/{name}}}}}");
                    self.problem(format!("{name:?} is a block"), Some(help));
                }
            }
        }
    }

    /// Checks a call and reads its arguments.
    fn call(&mut self, name: &str, call: &HelperTemplate) {
        let Some((least, most)) = arity(name) else {
            let known = STANDARD.iter().map(|(name, ..)| *name);
            let known = known.chain(FUNCTIONS.iter().map(|function| function.name));
            let help = nearest(name, known);
            self.problem(format!("there is no function {name:?}"), help);
            return;
        };
        let given = call.params.len();
        if given < least || given > most {
            let help = function::named(name).map(|f| format!("write {}", f.usage));
            let wants = match (least, most) {
                (least, most) if least == most => format!("{least}"),
                (least, most) => format!("{least} to {most}"),
            };
            let message = format!("{name:?} takes {wants} argument(s), {given} given");
            self.problem(message, help);
        }
        let options = function::named(name).map_or(&[][..], |f| f.options);
        for option in call.hash.keys() {
            if !options.contains(&option.as_str()) {
                let help = nearest(option, options.iter().copied());
                self.problem(format!("{name:?} has no option {option:?}"), help);
            }
        }
        let shallow = SHALLOW.contains(&name);
        for argument in call.params.iter().chain(call.hash.values()) {
            self.argument(argument, shallow);
        }
    }

    fn argument(&mut self, argument: &Parameter, shallow: bool) {
        match argument {
            Parameter::Path(path) => self.read(path, shallow),
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(call) = inner.as_element() {
                    self.expression(call);
                }
            }
            _ => {}
        }
    }

    /// `{{#if …}}`, `{{#each …}}`, …
    fn block(&mut self, call: &HelperTemplate) {
        let at = self.at;
        let name = name_of(&call.name).to_owned();
        match (name.as_str(), call.params.first()) {
            ("each" | "with", Some(Parameter::Path(path))) => {
                let reads = self.reads.len();
                let base = self.resolve(path);
                self.body(&name, call, base.clone());
                let base = base.unwrap_or_default();
                // What the body reads of it says enough; if it reads nothing, the value counts.
                let used = self.reads[reads..]
                    .iter()
                    .any(|read| read.steps.starts_with(&base));
                self.at = at;
                if !used {
                    self.read(path, true);
                }
            }
            ("each" | "with", Some(argument)) => {
                self.argument(argument, false);
                self.body(&name, call, None);
            }
            _ => {
                self.call(&name, call);
                if let Some(template) = &call.template {
                    self.template(template);
                }
            }
        }
        self.at = at;
        if let Some(inverse) = &call.inverse {
            self.template(inverse);
        }
    }

    /// The inside of a block that goes into a value.
    fn body(&mut self, name: &str, call: &HelperTemplate, base: Base) {
        let loops = name == "each";
        if loops && self.loops == LOOP_LIMIT {
            let help = "compute the list in a variable of the rule".to_owned();
            self.problem("more than 3 loops in each other".to_owned(), Some(help));
            return;
        }
        let base = base.map(|mut steps| {
            if loops {
                steps.push(Step::Each);
            }
            steps
        });
        let names = match &call.block_param {
            Some(BlockParam::Single(one)) => vec![(name_of(one).to_owned(), base.clone())],
            Some(BlockParam::Pair((one, key))) => vec![
                (name_of(one).to_owned(), base.clone()),
                (name_of(key).to_owned(), None),
            ],
            _ => Vec::new(),
        };
        self.loops += usize::from(loops);
        self.blocks.push(Block { base, names });
        if let Some(template) = &call.template {
            self.template(template);
        }
        self.blocks.pop();
        self.loops -= usize::from(loops);
    }

    fn read(&mut self, path: &handlebars::Path, shallow: bool) {
        if let Some(steps) = self.resolve(path) {
            let (line, column) = self.at;
            self.reads.push(Read {
                steps,
                shallow,
                line,
                column,
            });
        }
    }

    /// Where a path leads, from the root of the model; nothing for a loop's own variables
    /// (`@index`) and computed values. A name that the model does not have is a problem.
    fn resolve(&mut self, path: &handlebars::Path) -> Base {
        let handlebars::Path::Relative((segments, raw)) = path else {
            return None;
        };
        let names: Vec<&str> = segments
            .iter()
            .filter_map(|segment| match segment {
                handlebars::PathSeg::Named(name) => Some(unbracketed(name)),
                _ => None,
            })
            .collect();
        let (start, rest) = self.start(raw, &names);
        let mut steps = start?;
        for name in rest {
            steps.push(if name.parse::<usize>().is_ok() {
                Step::Each
            } else {
                Step::Field(Arc::from(*name))
            });
        }
        if let Err((message, help)) = self.root.check(&steps) {
            self.problem(message, help);
            return None;
        }
        Some(steps)
    }

    /// Where a path begins, and which of its names are left to walk from there.
    fn start<'n>(&self, raw: &str, names: &'n [&'n str]) -> (Base, &'n [&'n str]) {
        if raw.starts_with("@root") {
            return (Some(Vec::new()), names);
        }
        let up = raw.matches("../").count();
        let bound = names.first().and_then(|first| {
            let mut all = self.blocks.iter().rev().flat_map(|block| &block.names);
            all.find(|(name, _)| name == first)
        });
        if up == 0
            && let Some((_, base)) = bound
        {
            return (base.clone(), &names[1..]);
        }
        let block = self.blocks.len().checked_sub(up + 1);
        let block = block.and_then(|at| self.blocks.get(at));
        (block.and_then(|block| block.base.clone()), names)
    }
}

/// The path without `alert` or `alerts[]` in front: all alerts look alike.
fn without_alert(mut steps: Vec<Step>) -> Vec<Step> {
    let is = |step: Option<&Step>, name: &str| matches!(step, Some(Step::Field(field)) if **field == *name);
    if is(steps.first(), "alert") && steps.len() > 1 {
        steps.remove(0);
    } else if is(steps.first(), "alerts") && steps.get(1) == Some(&Step::Each) && steps.len() > 2 {
        steps.drain(..2);
    }
    steps
}

fn name_of(parameter: &Parameter) -> &str {
    parameter.as_name().unwrap_or_default()
}

fn unbracketed(name: &str) -> &str {
    let inner = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.unwrap_or(name);
    inner.trim_matches('"')
}

/// The fewest and the most parameters of a function.
fn arity(name: &str) -> Option<(usize, usize)> {
    let standard = STANDARD.iter().find(|(known, ..)| *known == name);
    standard
        .map(|(_, least, most)| (*least, *most))
        .or_else(|| function::named(name).map(|function| function.parameters))
}

/// A hint at the known name that was probably meant.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let best = known.min_by_key(distance)?;
    (distance(&best) <= 1 + name.chars().count() / 4).then(|| format!("did you mean {best:?}?"))
}
