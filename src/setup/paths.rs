//! Paths of templates that lead nowhere.
//!
//! In: the compiled texts of rules and receivers, and what the names stand for in each rule. Out: a
//! problem for each path that no alert can have. A receiver's template is for the alerts of many
//! rules: what one of them has is right.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::templates::{expression, offset};
use crate::cel::Types;
use crate::cel::types::Nowhere;
use crate::config::{Configuration, Receiver, Rule, Service, Text};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};
use crate::names::{ReceiverName, RuleName};
use crate::render::{Format, Read, Template};

/// Where a template is written.
#[derive(Clone, Copy)]
pub(super) enum Written<'a> {
    InDocument(&'a Text),
    InFile(&'a Arc<Source>),
}

/// What the names stand for, by rule.
type ByRule = BTreeMap<RuleName, Types>;

/// What the texts of rules read.
pub(super) fn of_rules(
    configuration: &Configuration,
    compiled: &BTreeMap<RuleName, Vec<Template>>,
    types: &ByRule,
    problems: &mut Diagnostics,
) {
    for rule in &configuration.rules {
        let texts = [&rule.spec.summary, &rule.spec.description];
        let templates = compiled.get(&rule.name).into_iter().flatten();
        let types: Vec<&Types> = types.get(&rule.name).into_iter().collect();
        for (text, template) in texts.into_iter().flatten().zip(templates) {
            check(template, Written::InDocument(text), &types, problems);
        }
    }
}

/// What the templates of receivers read.
pub(super) fn of_receivers(
    configuration: &Configuration,
    formats: &BTreeMap<ReceiverName, Format>,
    files: &BTreeMap<String, Arc<Source>>,
    types: &ByRule,
    problems: &mut Diagnostics,
) {
    let mut templates: Vec<(&Arc<Template>, Written<'_>, Vec<&Types>)> = Vec::new();
    for receiver in &configuration.receivers {
        let Some(format) = formats.get(&receiver.name) else {
            continue;
        };
        let own = format.template().zip(written(receiver, files));
        let addresses = format.addresses().into_iter();
        let addresses = addresses.map(|it| (&it.template, Written::InDocument(&it.written)));
        let rules = configuration.rules.iter();
        let rules = rules.filter(|rule| is_told(configuration, rule, receiver));
        let types = rules.filter_map(|rule| types.get(&rule.name));
        let types: Vec<&Types> = types.collect();
        for (template, written) in own.into_iter().chain(addresses) {
            match templates
                .iter_mut()
                .find(|(known, ..)| Arc::ptr_eq(known, template))
            {
                Some((_, _, of_others)) => of_others.extend(&types),
                None => templates.push((template, written, types.clone())),
            }
        }
    }
    for (template, written, types) in templates {
        check(template, written, &types, problems);
    }
}

/// Where the template of a receiver is written.
pub(super) fn written<'a>(
    receiver: &'a Receiver,
    files: &'a BTreeMap<String, Arc<Source>>,
) -> Option<Written<'a>> {
    if let Some(name) = &receiver.spec.template {
        return files.get(name).map(Written::InFile);
    }
    match &receiver.spec.service {
        Service::Webhook(webhook) => webhook.body.as_ref().map(Written::InDocument),
        _ => None,
    }
}

fn is_told(configuration: &Configuration, rule: &Rule, receiver: &Receiver) -> bool {
    let receivers = configuration.receivers_of(rule);
    receivers.iter().any(|told| told.name == receiver.name)
}

/// Reports the paths that are nowhere in all of these.
fn check(template: &Template, written: Written<'_>, types: &[&Types], problems: &mut Diagnostics) {
    for read in template.reads() {
        let found: Option<Vec<Nowhere>> = types.iter().map(|types| nowhere(read, types)).collect();
        if let Some(first) = found.and_then(|found| found.into_iter().next()) {
            problems.push(diagnostic(written, read, first));
        }
    }
}

fn nowhere(read: &Read, types: &Types) -> Option<Nowhere> {
    let of = match read.root() {
        root @ ("variables" | "related") => types.under(root),
        root @ ("object" | "oldObject" | "event" | "events" | "params") => types.of(root),
        _ => return None,
    };
    of.walk(&read.steps[1..]).err()
}

fn diagnostic(written: Written<'_>, read: &Read, nowhere: Nowhere) -> Diagnostic {
    let diagnostic = Diagnostic::error(nowhere.message);
    let diagnostic = match place(written, read, &nowhere.name) {
        Some(place) => diagnostic.at(place),
        None => diagnostic,
    };
    match nowhere.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The name, in the expression that reads it.
fn place(written: Written<'_>, read: &Read, name: &str) -> Option<Place> {
    let text = match written {
        Written::InDocument(text) => &text.text,
        Written::InFile(source) => source.text(),
    };
    let start = offset(text, read.line, read.column);
    let length = expression(text, start);
    let (start, length) = match text[start..start + length].find(name) {
        Some(at) if !name.is_empty() => (start + at, name.len()),
        _ => (start, length),
    };
    match written {
        Written::InDocument(text) => text.place_of(start, length),
        Written::InFile(source) => Some(Place {
            source: source.clone(),
            start,
            end: start + length,
        }),
    }
}
