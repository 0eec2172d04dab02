//! What stands in a rule's document and needs no compiling: what it watches, asks and says.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::cel::Json;
use crate::config::{self, Text};
use crate::evaluate::Texts;
use crate::names::{Fingerprint, RuleName};
use crate::watch::Source;

/// What a rule watches: one stream a namespace. A tenant's rule sees its own namespace only.
pub(super) fn sources(document: &config::Rule) -> Vec<Source> {
    let watch = &document.spec.watch;
    let namespaces: Vec<Option<Arc<str>>> = match &document.namespace {
        Some(own) => vec![Some(own.as_str().into())],
        None if watch.namespaces.is_empty() => vec![None],
        None => watch
            .namespaces
            .iter()
            .map(|name| Some(name.as_str().into()))
            .collect(),
    };
    namespaces
        .into_iter()
        .map(|namespace| Source {
            namespace,
            label_selector: watch.label_selector.as_deref().map(Into::into),
            field_selector: watch.field_selector.as_deref().map(Into::into),
            ..Source::of(watch.api_version.as_str(), watch.kind.as_str())
        })
        .collect()
}

pub(super) fn literals(spec: &config::RuleSpec) -> Vec<(Arc<str>, Arc<str>)> {
    let labels = spec.labels.iter();
    labels
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect()
}

pub(super) fn params(spec: &config::RuleSpec) -> Json {
    let params = spec.params.iter();
    Json::Map(
        params
            .map(|(name, value)| (Arc::from(name.as_str()), Json::from(value.clone())))
            .collect(),
    )
}

/// The conditions, and all that they name.
pub(super) fn question(spec: &config::RuleSpec) -> Fingerprint {
    let params = serde_json::to_string(&spec.params).unwrap_or_default();
    let related = spec.related.iter().flat_map(|it| {
        let via = it.via.iter().map(String::as_str);
        [it.name.as_str(), &it.api_version, &it.kind]
            .into_iter()
            .chain(via)
    });
    let variables = spec.variables.iter();
    let variables = variables.flat_map(|it| [it.name.as_str(), &it.expression.text]);
    let conditions = [
        ("when", &spec.when),
        ("on", &spec.on),
        ("until", &spec.until),
    ];
    let conditions = conditions.into_iter();
    let conditions = conditions.filter_map(|(key, text)| Some([key, &text.as_ref()?.text]));
    let parts: Vec<&str> = std::iter::once(params.as_str())
        .chain(related)
        .chain(variables)
        .chain(conditions.flatten())
        .collect();
    Fingerprint::of(&parts)
}

pub(super) fn texts(spec: &config::RuleSpec) -> Texts {
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.text.as_str().into());
    Texts {
        summary: text(&spec.summary),
        description: text(&spec.description),
        runbook: spec.runbook.as_deref().map(Into::into),
    }
}

/// The names that the rule had, in the namespace that it has.
pub(super) fn formerly(document: &config::Rule) -> Vec<RuleName> {
    let names = document.spec.formerly.iter();
    names
        .map(|name| match &document.namespace {
            Some(namespace) => RuleName::from(format!("{namespace}/{name}")),
            None => RuleName::from(name.as_str()),
        })
        .collect()
}

pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
