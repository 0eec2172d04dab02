//! The checks of a route, and of what no route reaches.

use crate::config::documents::Document;
use crate::config::node::Node;
use crate::config::times::TimeOfDay;
use crate::config::{Configuration, Route, Rule};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Checks what stands in one route document, whether or not it can be read as a route.
pub(in crate::config) fn check(document: &Document, diagnostics: &mut Diagnostics) {
    let Some(spec) = document.root.get("spec") else {
        return;
    };
    super::grouping(document, spec, diagnostics);
    let durations: [&[&str]; 2] = [&["groupInterval"], &["repeatInterval"]];
    super::not_zero(document, spec, &durations, diagnostics);
    for name in ["activeTimes", "muteTimes"] {
        for interval in document.items_of(name) {
            for times in interval.get("times").map_or(&[][..], Node::items) {
                in_order(document, times, diagnostics);
            }
        }
    }
}

fn in_order(document: &Document, times: &Node, diagnostics: &mut Diagnostics) {
    let time = |name| {
        let node: &Node = times.get(name)?;
        Some((node, node.as_str()?.parse::<TimeOfDay>().ok()?))
    };
    if let (Some((_, start)), Some((node, end))) = (time("startTime"), time("endTime"))
        && start >= end
    {
        let diagnostic = Diagnostic::error("the time of the day ends before it begins")
            .at(document.place(&node.span))
            .help("write two: one until `24:00` and one from `00:00`");
        diagnostics.push(diagnostic);
    }
}

/// Rules whose alerts may reach nobody. Many for one reason are one warning.
pub(in crate::config) fn unreached(configuration: &Configuration) -> Vec<Diagnostic> {
    let rules = configuration.rules.iter();
    let mut all: Vec<(Diagnostic, usize)> = Vec::new();
    for found in rules.filter_map(|rule| of(rule, configuration)) {
        match all
            .iter_mut()
            .find(|(known, _)| known.message == found.message)
        {
            Some((_, more)) => *more += 1,
            None => all.push((found, 0)),
        }
    }
    let told = all.into_iter().map(|(mut first, more)| {
        if more > 0 {
            let rules = if more == 1 { "rule" } else { "rules" };
            first.message = format!("{} (as {more} more {rules})", first.message);
        }
        first
    });
    told.collect()
}

fn of(rule: &Rule, configuration: &Configuration) -> Option<Diagnostic> {
    if !rule.spec.notify.is_empty() {
        return None;
    }
    if configuration.receivers_of(rule).is_empty() {
        let message = "the rule names no receivers, and there are none that it may notify";
        let help = "nobody hears of its alerts; write a document with `kind: Receiver`";
        let warning = Diagnostic::warning(message).at(rule.place.clone());
        return Some(warning.help(help));
    }
    let concerns = |route: &&Route| route.namespace.is_none() || route.namespace == rule.namespace;
    let mut routes = configuration.routes.iter().filter(concerns).peekable();
    routes.peek()?;
    let takes_all = |route: &Route| {
        route.spec.matchers.is_empty()
            && route.spec.condition.is_none()
            && configuration.receivers_of(rule).iter().any(|receiver| {
                route
                    .spec
                    .receivers
                    .iter()
                    .any(|it| it == receiver.short_name())
            })
            || route.spec.receivers.is_empty() && route.spec.matchers.is_empty()
    };
    if routes.any(takes_all) {
        return None;
    }
    let message = "the rule names no receivers, and no route takes every alert";
    let help = "what no route matches is told to nobody; add a `Route` without `matchers`, of a low \
                `priority`, or name receivers in `notify`";
    let warning = Diagnostic::warning(message).at(rule.place.clone());
    Some(warning.help(help))
}
