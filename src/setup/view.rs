//! What templates read of an alert, so that it is kept for them.

use std::collections::BTreeMap;

use super::templates::{diagnostic, expression, offset};
use crate::cel::PathSet;
use crate::config::{Configuration, Receiver, Rule, Text};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::evaluate::ViewReads;
use crate::names::{ReceiverName, RuleName};
use crate::render::{Format, FormatProblem, Scope, Target, Template, TemplateProblem, Templates};

/// How each receiver's messages look.
pub(super) fn formats(
    configuration: &Configuration,
    templates: &Templates,
    problems: &mut Diagnostics,
) -> BTreeMap<ReceiverName, Format> {
    let mut formats = BTreeMap::new();
    for receiver in &configuration.receivers {
        match Format::of(&receiver.spec, templates) {
            Ok(format) => {
                formats.insert(receiver.name.clone(), format);
            }
            Err(found) => {
                problems.extend(found.iter().map(|problem| of_receiver(receiver, problem)));
            }
        }
    }
    formats
}

fn of_receiver(receiver: &Receiver, problem: &FormatProblem) -> Diagnostic {
    if let FormatProblem::InDocument(wrong) = problem {
        return at(&wrong.written, &wrong.problem);
    }
    let diagnostic = Diagnostic::error(problem.to_string()).at(receiver.place.clone());
    match problem.help() {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The texts of each rule, compiled.
pub(super) fn texts(
    configuration: &Configuration,
    problems: &mut Diagnostics,
) -> BTreeMap<RuleName, Vec<Template>> {
    let mut compiled = BTreeMap::new();
    for rule in &configuration.rules {
        let texts = [
            ("summary", &rule.spec.summary),
            ("description", &rule.spec.description),
        ];
        let mut of_rule = Vec::new();
        for (name, text) in texts {
            let Some(text) = text else { continue };
            match Template::compile(name, &text.text, Target::Plain, Scope::Alert) {
                Ok(template) => of_rule.push(template),
                Err(found) => problems.extend(found.iter().map(|problem| at(text, problem))),
            }
        }
        compiled.insert(rule.name.clone(), of_rule);
    }
    compiled
}

fn at(text: &Text, problem: &TemplateProblem) -> Diagnostic {
    let start = offset(&text.text, problem.line, problem.column);
    let diagnostic = diagnostic(problem);
    match text.place_of(start, expression(&text.text, start)) {
        Some(place) => diagnostic.at(place),
        None => diagnostic,
    }
}

/// What these templates together read of an alert of this rule.
pub(super) fn reads<'t>(rule: &Rule, templates: impl Iterator<Item = &'t Template>) -> ViewReads {
    let mut view: BTreeMap<String, PathSet> = BTreeMap::new();
    for template in templates {
        for (root, paths) in template.view() {
            let known = view.entry(root).or_default();
            *known = known.union(&paths);
        }
    }
    let variables = view.get("variables");
    let read = |name: &String| {
        variables.is_some_and(|paths| {
            PathSet::of([name.as_str()]).is_ok_and(|one| !paths.intersect(&one).is_empty())
        })
    };
    let names = rule
        .spec
        .variables
        .iter()
        .map(|variable| variable.name.clone());
    let variables = names.filter(read).collect();
    ViewReads {
        object: view.remove("object").unwrap_or_default(),
        old_object: view.remove("oldObject").unwrap_or_default(),
        event: view.contains_key("event"),
        events: view.contains_key("events"),
        related: view.remove("related").unwrap_or_default(),
        variables,
        changes: view.contains_key("changes"),
    }
}
