//! Routes, inhibitions and silences as the core takes them, from their documents.

use std::sync::Arc;

use jiff::Timestamp;

use super::policy::{group_by, signed};
use crate::cel::PathSet;
use crate::config::{self, Configuration, Text};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::evaluate::OWNERSHIP;
use crate::names::ReceiverName;
use crate::notify::{Condition, Grouping, Inhibition, Pipeline, Route, Silence, Times};

pub(super) fn of(configuration: &Configuration, problems: &mut Diagnostics) -> Pipeline {
    let routes = configuration.routes.iter();
    let silences = configuration.silences.iter();
    Pipeline {
        routes: routes
            .map(|it| route(it, configuration, problems))
            .collect(),
        inhibitions: configuration.inhibitions.iter().map(inhibition).collect(),
        silences: silences.map(|it| silence(it, problems)).collect(),
    }
}

/// What the conditions together read of an alert's object, and inhibitions by owner.
pub(super) fn reads(pipeline: &Pipeline) -> PathSet {
    let routes = pipeline
        .routes
        .iter()
        .filter_map(|it| it.condition.as_ref());
    let silences = pipeline
        .silences
        .iter()
        .filter_map(|it| it.condition.as_ref());
    let all = routes.chain(silences).map(Condition::reads);
    let by_owner = pipeline.inhibitions.iter().any(|it| it.owner);
    let owners = if by_owner {
        OWNERSHIP.clone()
    } else {
        PathSet::none()
    };
    all.fold(owners, |all, paths| all.union(&paths))
}

fn route(
    document: &config::Route,
    configuration: &Configuration,
    problems: &mut Diagnostics,
) -> Route {
    let spec = &document.spec;
    let receivers = spec.receivers.iter();
    Route {
        name: document.name.clone(),
        namespace: document.namespace.as_deref().map(Arc::from),
        priority: spec.priority,
        matchers: spec.matchers.clone(),
        condition: condition(spec.condition.as_ref(), problems),
        receivers: receivers
            .filter_map(|name| receiver(name, document, configuration))
            .collect(),
        grouping: Grouping {
            group_by: spec.group_by.as_ref().map(group_by),
            group_wait: spec.group_wait.map(signed),
            group_interval: spec.group_interval.map(signed),
            repeat_interval: spec.repeat_interval.map(signed),
        },
        goes_on: spec.goes_on,
        times: Times {
            active: spec.active_times.clone(),
            mute: spec.mute_times.clone(),
        },
    }
}

/// The receiver of that name that the route may name: one of its own namespace before a shared one.
fn receiver(
    name: &str,
    route: &config::Route,
    configuration: &Configuration,
) -> Option<ReceiverName> {
    let called = |receiver: &&config::Receiver| receiver.short_name() == name;
    let all = || configuration.receivers.iter().filter(called);
    let own = all().find(|receiver| receiver.namespace == route.namespace);
    let shared = || all().find(|receiver| receiver.namespace.is_none() && receiver.spec.shared);
    own.or_else(shared).map(|receiver| receiver.name.clone())
}

fn inhibition(document: &config::Inhibition) -> Inhibition {
    let spec = &document.spec;
    Inhibition {
        name: document.name.clone(),
        namespace: document.namespace.as_deref().map(Arc::from),
        source: spec.source.matchers.clone(),
        target: spec.target.matchers.clone(),
        equal: spec
            .equal
            .iter()
            .map(|name| Arc::from(name.as_str()))
            .collect(),
        owner: spec.owner,
    }
}

fn silence(document: &config::Silence, problems: &mut Diagnostics) -> Silence {
    let spec = &document.spec;
    Silence {
        name: document.name.clone(),
        namespace: document.namespace.as_deref().map(Arc::from),
        matchers: spec.matchers.clone(),
        condition: condition(spec.condition.as_ref(), problems),
        starts_at: spec.starts_at.unwrap_or(Timestamp::MIN),
        ends_at: spec.ends_at,
        comment: spec.comment.clone(),
        created_by: spec.created_by.clone(),
    }
}

fn condition(text: Option<&Text>, problems: &mut Diagnostics) -> Option<Condition> {
    let text = text?;
    match Condition::compile(&text.text) {
        Ok(condition) => Some(condition),
        Err(found) => {
            for problem in found {
                let mut diagnostic = Diagnostic::error(problem.message);
                if let Some(place) = text.place_of(problem.span.start, problem.span.len()) {
                    diagnostic = diagnostic.at(place);
                }
                if let Some(help) = problem.help {
                    diagnostic = diagnostic.help(help);
                }
                problems.push(diagnostic);
            }
            None
        }
    }
}
