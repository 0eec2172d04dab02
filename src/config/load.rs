//! From sources to a configuration.
//!
//! In: sources. Out: what could be read of them, and everything that is wrong. Each document is
//! taken as far as it goes, so that one mistake hides no other.

use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;

use super::check;
use super::decode::decode;
use super::documents::{self, Document};
use super::envelope::{self, Envelope, Kind};
use super::nearest::did_you_mean;
use super::node::Node;
use super::receiver::manifest::{Contradiction, Manifest};
use super::{
    Configuration, Inhibition, InhibitionSpec, LoadOptions, Receiver, ReceiverSpec, Route,
    RouteSpec, Rule, RuleSpec, RuleTest, RuleTestSpec, Silence, SilenceSpec, params, schema, shape,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};

static RULE: LazyLock<Json> = LazyLock::new(schema::structural::<RuleSpec>);
static RECEIVER: LazyLock<Json> = LazyLock::new(schema::structural::<Manifest>);
static RULE_TEST: LazyLock<Json> = LazyLock::new(schema::structural::<RuleTestSpec>);
static ROUTE: LazyLock<Json> = LazyLock::new(schema::structural::<RouteSpec>);
static INHIBITION: LazyLock<Json> = LazyLock::new(schema::structural::<InhibitionSpec>);
static SILENCE: LazyLock<Json> = LazyLock::new(schema::structural::<SilenceSpec>);

/// The structural schema of a kind's `spec`.
pub(super) fn spec_schema(kind: Kind) -> &'static Json {
    match kind {
        Kind::Rule => &RULE,
        Kind::Receiver => &RECEIVER,
        Kind::RuleTest => &RULE_TEST,
        Kind::Route => &ROUTE,
        Kind::Inhibition => &INHIBITION,
        Kind::Silence => &SILENCE,
    }
}

/// A document of ours, and the type that it was read as, if it could be.
struct Loaded<T> {
    document: Document,
    envelope: Envelope,
    read: Option<T>,
}

/// Reads all sources: what could be read, and all that is wrong is added to `diagnostics`.
pub(super) fn load(
    sources: &[Arc<Source>],
    options: &LoadOptions,
    diagnostics: &mut Diagnostics,
) -> Configuration {
    let mut all = Documents::default();
    for source in sources {
        if source.text().trim().is_empty() {
            diagnostics.push(Diagnostic::error(format!("{} is empty", source.name())));
        }
        for document in documents::read(source, diagnostics) {
            if let Some(envelope) = envelope::read(&document, options, diagnostics) {
                all.take(document, envelope, diagnostics);
            }
        }
    }
    if all.rules.is_empty() && !options.may_be_empty && !diagnostics.has_errors() {
        diagnostics.push(no_rules(sources));
    }
    check_together(&mut all, options, diagnostics);
    let configuration = Configuration {
        rules: read(all.rules),
        receivers: read(all.receivers),
        routes: read(all.routes),
        inhibitions: read(all.inhibitions),
        silences: read(all.silences),
        tests: read(all.tests),
    };
    if !diagnostics.has_errors() {
        diagnostics.extend(check::route::unreached(&configuration));
    }
    configuration
}

/// All documents, by kind.
#[derive(Default)]
struct Documents {
    rules: Vec<Loaded<Rule>>,
    receivers: Vec<Loaded<Receiver>>,
    routes: Vec<Loaded<Route>>,
    inhibitions: Vec<Loaded<Inhibition>>,
    silences: Vec<Loaded<Silence>>,
    tests: Vec<Loaded<RuleTest>>,
}

impl Documents {
    fn take(&mut self, document: Document, envelope: Envelope, diagnostics: &mut Diagnostics) {
        match envelope.kind {
            Kind::Rule => self.rules.push(load_rule(document, envelope, diagnostics)),
            Kind::Receiver => {
                let receiver = load_receiver(document, envelope, diagnostics);
                self.receivers.push(receiver);
            }
            Kind::Route => self
                .routes
                .push(load_route(document, envelope, diagnostics)),
            Kind::Inhibition => {
                let inhibition = load_inhibition(document, envelope, diagnostics);
                self.inhibitions.push(inhibition);
            }
            Kind::Silence => {
                let silence = load_silence(document, envelope, diagnostics);
                self.silences.push(silence);
            }
            Kind::RuleTest => self.tests.push(load_test(document, envelope, diagnostics)),
        }
    }

    fn envelopes(&self) -> impl Iterator<Item = &Envelope> {
        let rules = self.rules.iter().map(|rule| &rule.envelope);
        let receivers = self.receivers.iter().map(|receiver| &receiver.envelope);
        let routes = self.routes.iter().map(|route| &route.envelope);
        let inhibitions = self
            .inhibitions
            .iter()
            .map(|inhibition| &inhibition.envelope);
        let silences = self.silences.iter().map(|silence| &silence.envelope);
        let tests = self.tests.iter().map(|test| &test.envelope);
        rules
            .chain(receivers)
            .chain(routes)
            .chain(inhibitions)
            .chain(silences)
            .chain(tests)
    }
}

fn read<T>(loaded: Vec<Loaded<T>>) -> Vec<T> {
    loaded.into_iter().filter_map(|one| one.read).collect()
}

fn no_rules(sources: &[Arc<Source>]) -> Diagnostic {
    let files = match sources {
        [] => "no `.yaml` or `.yml` file was found".to_owned(),
        [only] => format!("{} was read", only.name()),
        several => format!("{} files were read", several.len()),
    };
    Diagnostic::error("there are no rules")
        .help(format!("{files}; a rule is a document with `kind: Rule`"))
}

fn load_rule(
    document: Document,
    envelope: Envelope,
    diagnostics: &mut Diagnostics,
) -> Loaded<Rule> {
    check::rule::check(&document, &envelope, diagnostics);
    let read = read_spec::<RuleSpec>(&document, Kind::Rule, diagnostics).map(|spec| Rule {
        name: envelope.full_name().into(),
        namespace: envelope.namespace.clone(),
        spec,
        place: envelope.place.clone(),
    });
    Loaded {
        document,
        envelope,
        read,
    }
}

fn load_receiver(
    document: Document,
    envelope: Envelope,
    diagnostics: &mut Diagnostics,
) -> Loaded<Receiver> {
    check::receiver::check(&document, envelope.namespace.as_deref(), diagnostics);
    let read =
        read_spec::<ReceiverSpec>(&document, Kind::Receiver, diagnostics).map(|spec| Receiver {
            name: envelope.full_name().into(),
            namespace: envelope.namespace.clone(),
            spec,
            place: envelope.place.clone(),
        });
    Loaded {
        document,
        envelope,
        read,
    }
}

fn load_test(
    document: Document,
    envelope: Envelope,
    diagnostics: &mut Diagnostics,
) -> Loaded<RuleTest> {
    let places = |list: &str| {
        let items = document.items_of(list).iter();
        items.map(|item| document.place(&item.span)).collect()
    };
    let read =
        read_spec::<RuleTestSpec>(&document, Kind::RuleTest, diagnostics).map(|spec| RuleTest {
            name: envelope.full_name(),
            spec,
            place: envelope.place.clone(),
            steps: places("timeline"),
            expectations: places("expect"),
        });
    Loaded {
        document,
        envelope,
        read,
    }
}

fn load_route(
    document: Document,
    envelope: Envelope,
    diagnostics: &mut Diagnostics,
) -> Loaded<Route> {
    check::route::check(&document, diagnostics);
    let read = read_spec::<RouteSpec>(&document, Kind::Route, diagnostics).map(|spec| Route {
        name: envelope.full_name().into(),
        namespace: envelope.namespace.clone(),
        spec,
        place: envelope.place.clone(),
    });
    Loaded {
        document,
        envelope,
        read,
    }
}

fn load_inhibition(
    document: Document,
    envelope: Envelope,
    diagnostics: &mut Diagnostics,
) -> Loaded<Inhibition> {
    let read = read_spec::<InhibitionSpec>(&document, Kind::Inhibition, diagnostics);
    if let Some(spec) = &read {
        check::mutes::inhibition(spec, &document, diagnostics);
    }
    let read = read.map(|spec| Inhibition {
        name: envelope.full_name().into(),
        namespace: envelope.namespace.clone(),
        spec,
        place: envelope.place.clone(),
    });
    Loaded {
        document,
        envelope,
        read,
    }
}

fn load_silence(
    document: Document,
    envelope: Envelope,
    diagnostics: &mut Diagnostics,
) -> Loaded<Silence> {
    let read = read_spec::<SilenceSpec>(&document, Kind::Silence, diagnostics);
    if let Some(spec) = &read {
        check::mutes::silence(spec, &document, diagnostics);
    }
    let read = read.map(|spec| Silence {
        name: envelope.full_name().into(),
        namespace: envelope.namespace.clone(),
        spec,
        place: envelope.place.clone(),
    });
    Loaded {
        document,
        envelope,
        read,
    }
}

/// The `spec` of a document: first all that is wrong with its shape; then, if nothing is, as its type.
fn read_spec<T: serde::de::DeserializeOwned>(
    document: &Document,
    kind: Kind,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let Some(spec) = document.root.get("spec") else {
        diagnostics.push(Diagnostic::error("`spec` is missing").at(document.place_of(&[])));
        return None;
    };
    let before = diagnostics.iter().count();
    shape::check(document, "spec", spec, spec_schema(kind), diagnostics);
    if diagnostics.iter().count() > before {
        return None;
    }
    match decode(document, spec) {
        Ok(read) => Some(read),
        // The checks of the receiver have said it, with both places.
        Err(error) if Contradiction::is(&error.message) => None,
        Err(error) => {
            diagnostics.push(error);
            None
        }
    }
}

/// What only all documents together show.
fn check_together(documents: &mut Documents, options: &LoadOptions, diagnostics: &mut Diagnostics) {
    check::names_are_unique(documents.envelopes(), diagnostics);
    let all = !diagnostics.has_errors();
    let receivers = &documents.receivers;
    for route in &documents.routes {
        for node in route.document.items_of("receivers") {
            check_notify(
                &route.document,
                &route.envelope,
                node,
                receivers,
                diagnostics,
            );
        }
    }
    for receiver in receivers {
        check_fallback(receiver, receivers, diagnostics);
    }
    let rules = &mut documents.rules;
    let mut read: Vec<_> = rules
        .iter_mut()
        .filter_map(|rule| rule.read.as_mut())
        .collect();
    params::apply(&options.params, &mut read, all, diagnostics);
    for Loaded {
        document,
        envelope,
        read,
    } in &*rules
    {
        if let Some(rule) = read {
            check::rule::holds(rule, document, diagnostics);
        }
        for node in document.items_of("notify") {
            check_notify(document, envelope, node, receivers, diagnostics);
        }
    }
    former_names_are_free(rules, diagnostics);
}

fn check_notify(
    document: &Document,
    notifier: &Envelope,
    node: &Node,
    receivers: &[Loaded<Receiver>],
    diagnostics: &mut Diagnostics,
) {
    let Some(name) = node.as_str() else { return };
    // Of a receiver that could not be read it is not known whether it is shared.
    let may_notify = |receiver: &Loaded<Receiver>| {
        let shared = receiver.read.as_ref().is_none_or(|read| read.spec.shared);
        receiver.envelope.namespace == notifier.namespace
            || receiver.envelope.namespace.is_none() && shared
    };
    let visible = || receivers.iter().filter(|receiver| may_notify(receiver));
    if visible().any(|receiver| receiver.envelope.name == name) {
        return;
    }
    let names = visible().map(|receiver| receiver.envelope.name.as_str());
    let diagnostic = Diagnostic::error(format!("there is no receiver `{name}`"));
    let diagnostic = match receivers
        .iter()
        .find(|receiver| receiver.envelope.name == name)
    {
        Some(other) if other.envelope.namespace.is_none() => diagnostic
            .also(
                other.envelope.place.clone(),
                "this one is not shared with other namespaces",
            )
            .help("write `shared: true` in that receiver's `spec`"),
        Some(other) => diagnostic.also(
            other.envelope.place.clone(),
            "this one is in another namespace",
        ),
        None if receivers.is_empty() => diagnostic.help("there are no receivers in the rules path"),
        None => diagnostic.help(did_you_mean(name, names)),
    };
    diagnostics.push(diagnostic.at(document.place(&node.span)));
}

/// A fallback is another receiver, and none stands in for itself in the end.
fn check_fallback(
    receiver: &Loaded<Receiver>,
    receivers: &[Loaded<Receiver>],
    diagnostics: &mut Diagnostics,
) {
    let fallback_of = |one: &Loaded<Receiver>| {
        let spec = one.document.root.get("spec")?;
        Some(spec.get("fallback")?.as_str()?.to_owned())
    };
    let spec = receiver.document.root.get("spec");
    let Some(node) = spec.and_then(|spec| spec.get("fallback")) else {
        return;
    };
    let (document, envelope) = (&receiver.document, &receiver.envelope);
    check_notify(document, envelope, node, receivers, diagnostics);
    let mut next = fallback_of(receiver);
    for _ in receivers {
        let Some(name) = next else { return };
        if name == envelope.name {
            let message = format!("`{name}` would stand in for itself");
            let help = "name a receiver that reaches people in another way";
            let diagnostic = Diagnostic::error(message).at(document.place(&node.span));
            diagnostics.push(diagnostic.help(help));
            return;
        }
        let named = receivers.iter().find(|one| one.envelope.name == name);
        next = named.and_then(fallback_of);
    }
}

/// A former name that another rule has would give one alert to two rules.
fn former_names_are_free(rules: &[Loaded<Rule>], diagnostics: &mut Diagnostics) {
    for rule in rules {
        for node in rule.document.items_of("formerly") {
            let owner = rules.iter().find(|other| {
                other.envelope.namespace == rule.envelope.namespace
                    && node.as_str() == Some(&other.envelope.name)
            });
            if let Some(owner) = owner {
                let message = format!("`formerly`: a rule is called `{}` now", owner.envelope.name);
                diagnostics.push(
                    Diagnostic::error(message)
                        .at(rule.document.place(&node.span))
                        .also(owner.envelope.place.clone(), "this one"),
                );
            }
        }
    }
}
