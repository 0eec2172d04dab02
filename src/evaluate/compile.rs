//! From the documents to the [`RuleSet`]: every expression compiled, every mistake collected.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::changes;
use super::moment::{SHARED, SHARED_BY_ALL};
use super::relation::name_of;
use super::types::of_names;
use super::{Occasion, Reads, Relation, Rule, RuleSet, Trigger, View};
use crate::cel::{Env, Kind, PathSet, Problem, Program, Terms, Type, Types};
use crate::config::{self, Configuration, Text};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::names::{ReceiverName, RuleName};
use document::{formerly, literals, params, question, signed, sources, texts};

/// What the templates for a rule read: its own and those of its receivers. `render` knows.
#[derive(Clone, Debug, Default)]
pub struct ViewReads {
    pub object: PathSet,
    pub old_object: PathSet,
    pub event: bool,
    pub events: bool,
    /// Of `related`: the names of lists, and below them what is read of the lists.
    pub related: PathSet,
    pub variables: BTreeSet<String>,
    pub changes: bool,
}

/// What became of the documents.
#[derive(Debug)]
pub struct Compiled {
    /// The rules; or every mistake of every expression, each at its place.
    pub rules: Result<RuleSet, Diagnostics>,
    /// What the names stand for in each rule.
    pub types: BTreeMap<RuleName, Types>,
    /// What the types say against expressions. The rules run all the same.
    pub mismatches: Diagnostics,
}

/// Compiles all rules, and checks them against the types of their objects: those of an `apiVersion`
/// and a kind.
pub fn compile(
    configuration: &Configuration,
    receivers_of: &dyn Fn(&config::Rule) -> Vec<ReceiverName>,
    view_of: &dyn Fn(&config::Rule) -> ViewReads,
    type_of: &dyn Fn(&str, &str) -> Type,
) -> Compiled {
    let mut diagnostics = Diagnostics::default();
    let mut types = BTreeMap::new();
    let mut mismatches = Diagnostics::default();
    let mut rules = Vec::new();
    let terms = Terms::default();
    let environment = environment();
    for document in &configuration.rules {
        let related = document.spec.related.iter();
        let env = related.clone().fold(environment.clone(), |env, one| {
            env.variable(&name_of(one), Kind::Watched)
        });
        // The Events of related objects are among the `events` of a rule that has some.
        let env = match document.spec.related.as_slice() {
            [] => env.sharing(&terms, &SHARED),
            _ => env.sharing(&terms, &SHARED_BY_ALL),
        };
        let watch = &document.spec.watch;
        let of = type_of(&watch.api_version, &watch.kind);
        let mut names = of_names(&of, &params(&document.spec))
            .with("namespaceObject", type_of("v1", "Namespace"));
        for one in related {
            let of = Type::list(type_of(&one.api_version, &one.kind));
            names = names.with(&name_of(one), of);
        }
        let mut compiler = Compiler::new(document, env, names, &mut diagnostics);
        if let Some(rule) = compiler.rule(receivers_of(document), &view_of(document)) {
            rules.push((rule, sources(document)));
        }
        mismatches.extend(compiler.mismatches);
        types.insert(document.name.clone(), compiler.types);
    }
    let rules = if diagnostics.has_errors() {
        Err(diagnostics)
    } else {
        Ok(RuleSet::new(rules))
    };
    Compiled {
        rules,
        types,
        mismatches,
    }
}

/// One rule on its way.
struct Compiler<'a> {
    document: &'a config::Rule,
    env: Env,
    /// What the names stand for.
    types: Types,
    variables: Vec<(Arc<str>, Program)>,
    diagnostics: &'a mut Diagnostics,
    mismatches: Diagnostics,
    failed: bool,
}

impl<'a> Compiler<'a> {
    fn new(
        document: &'a config::Rule,
        env: Env,
        types: Types,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        let mut compiler = Self {
            document,
            env,
            types,
            variables: Vec::new(),
            diagnostics,
            mismatches: Diagnostics::default(),
            failed: false,
        };
        for variable in &document.spec.variables {
            if let Some((program, of)) = compiler.checked(&variable.expression) {
                let name = format!("variables.{}", variable.name);
                compiler.types = std::mem::take(&mut compiler.types).with(&name, of);
                compiler.env =
                    std::mem::take(&mut compiler.env).define("variables", &variable.name, &program);
                let name = Arc::from(variable.name.as_str());
                compiler.variables.push((name, program));
            }
        }
        compiler
    }

    /// The rule, or nothing where a mistake was reported.
    fn rule(&mut self, receivers: Vec<ReceiverName>, view: &ViewReads) -> Option<Rule> {
        let spec = &self.document.spec;
        let trigger = self.trigger();
        let label_expressions: Vec<_> = spec
            .label_expressions
            .iter()
            .filter_map(|(name, text)| Some((name.as_str().into(), self.expression(text)?)))
            .collect();
        let dedup_key = spec
            .dedup_key
            .as_ref()
            .and_then(|text| self.expression(text));
        let trigger = trigger.filter(|_| !self.failed)?;

        let shown_related = view.related.clone();
        let view = self.view(view);
        let conditions = trigger.programs();
        let watches = object_paths(conditions.iter().copied());
        let shown = view.variables.iter().map(|(_, program)| program);
        let others = label_expressions.iter().map(|(_, program)| program);
        let others: Vec<&Program> = others.chain(&dedup_key).chain(shown).collect();
        let told = watches
            .union(&object_paths(others.iter().copied()))
            .union(&view.object)
            .union(&view.old_object);
        let (mut keeps, mut concerns) = match &trigger {
            Trigger::Occurrence { until: None, .. } => (told, watches.clone()),
            _ => (told.clone(), told),
        };
        if view.changes {
            keeps = keeps.union(&changes::READS);
            // Whoever writes anything changes what is known of the writers: that is no news.
            concerns = concerns.union(&changes::SPEC);
        }
        let reads_events = view.event
            || view.events
            || conditions
                .iter()
                .chain(&others)
                .any(|program| reads(program, "event") || reads(program, "events"));
        let relations = Relation::of(
            self.document,
            [&conditions, &others],
            &shown_related,
            reads_events,
        );
        let namespace = Reads::of_namespace([&conditions, &others]);
        Some(Rule {
            name: self.document.name.clone(),
            tenant: self.document.namespace.as_deref().map(Into::into),
            written: spec.clone(),
            question: question(spec),
            hold: signed(self.document.held_for()),
            keep_firing_for: signed(self.document.kept_firing_for()),
            severity: spec.severity,
            labels: literals(spec),
            label_expressions,
            dedup_key,
            receivers,
            on_delete: spec.on_delete,
            on_startup: spec.on_startup,
            shadow: spec.shadow,
            routed: spec.notify.is_empty(),
            formerly: formerly(self.document),
            params: params(spec),
            texts: texts(spec),
            view,
            watches,
            keeps,
            concerns,
            reads_events,
            relations,
            namespace,
            trigger,
        })
    }

    fn trigger(&mut self) -> Option<Trigger> {
        let spec = &self.document.spec;
        if let Some(text) = &spec.when {
            let when = self.condition(text)?;
            self.refuse(text, &when, "`when`", &["event", "oldObject", "change"]);
            let reads_events = reads(&when, "events");
            return Some(Trigger::State { when, reads_events });
        }
        let text = spec.on.as_ref()?;
        let on = self.condition(text)?;
        let until = match &spec.until {
            None => None,
            Some(text) => {
                let until = self.condition(text)?;
                self.refuse(text, &until, "`until`", &["event", "oldObject", "change"]);
                Some(until)
            }
        };
        let occasion = occasion(&on);
        self.event_of_no_event(text, &on);
        Some(Trigger::Occurrence {
            on,
            until,
            occasion,
        })
    }

    /// A state is a function of what is now: it may not read what only an occurrence has.
    fn refuse(&mut self, text: &Text, program: &Program, what: &str, names: &[&str]) {
        for name in names.iter().filter(|name| reads(program, name)) {
            let span = position(program.source(), name);
            self.report(
                text,
                &Problem {
                    span,
                    message: format!(
                        "{what} may not read `{name}`: a state is a function of what is now"
                    ),
                    help: Some("write it as `on:` if it is something that happens".to_owned()),
                },
            );
        }
    }

    /// Only a rule that reads `event` is evaluated for Events: to any other, `change` is never that.
    fn event_of_no_event(&mut self, text: &Text, on: &Program) {
        let quoted = ["'EVENT'", "\"EVENT\""].map(|word| on.source().find(word));
        let Some(at) = quoted.into_iter().flatten().min() else {
            return;
        };
        if reads(on, "change") && !reads(on, "event") {
            let problem = Problem {
                span: at..at + "'EVENT'".len(),
                message: "`change` is never 'EVENT' here: this does not read `event`".to_owned(),
                help: Some("say which Event: event.reason == '…'".to_owned()),
            };
            self.mismatches.push(diagnostic(text, &problem));
        }
    }

    fn expression(&mut self, text: &Text) -> Option<Program> {
        self.checked(text).map(|(program, _)| program)
    }

    /// An expression that must be true or false.
    fn condition(&mut self, text: &Text) -> Option<Program> {
        let (program, of) = self.checked(text)?;
        if !of.may_be_bool() {
            let problem = Problem {
                span: 0..program.source().len(),
                message: format!("this is {}, not a bool", of.article()),
                help: Some("compare it with something: it must be true or false".to_owned()),
            };
            self.mismatches.push(diagnostic(text, &problem));
        }
        Some(program)
    }

    /// An expression that goes by the types of its names, and its own type.
    fn checked(&mut self, text: &Text) -> Option<(Program, Type)> {
        match self.env.compile(&text.text) {
            Ok(program) => {
                let checked = program.check(&self.types);
                for problem in &checked.problems {
                    self.mismatches.push(diagnostic(text, problem));
                }
                Some((program.read_as(&checked), checked.of))
            }
            Err(problems) => {
                for problem in &problems {
                    self.report(text, problem);
                }
                None
            }
        }
    }

    fn report(&mut self, text: &Text, problem: &Problem) {
        self.failed = true;
        self.diagnostics.push(diagnostic(text, problem));
    }

    fn view(&self, reads: &ViewReads) -> View {
        View {
            object: reads.object.clone(),
            old_object: reads.old_object.clone(),
            event: reads.event,
            events: reads.events,
            related: self
                .document
                .spec
                .related
                .iter()
                .map(|one| (one.name.as_str().into(), reads.related.field(&one.name)))
                .filter(|(_, shown)| *shown != PathSet::none())
                .map(|(name, shown)| (name, shown.elements()))
                .collect(),
            variables: self
                .variables
                .iter()
                .filter(|(name, _)| reads.variables.contains(&**name))
                .cloned()
                .collect(),
            changes: reads.changes,
        }
    }
}

/// A problem of an expression, at its place in the file.
fn diagnostic(text: &Text, problem: &Problem) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(problem.message.clone());
    if let Some(place) = text.place_of(problem.span.start, problem.span.len()) {
        diagnostic = diagnostic.at(place);
    }
    if let Some(help) = &problem.help {
        diagnostic = diagnostic.help(help.clone());
    }
    diagnostic
}

/// The names that the expressions of a rule may read.
#[must_use]
pub fn environment() -> Env {
    Env::new()
        .variable("object", Kind::Watched)
        .variable("oldObject", Kind::Watched)
        .variable("event", Kind::Watched)
        .variable("events", Kind::Watched)
        .variable("namespaceObject", Kind::Watched)
        .variable("params", Kind::Plain)
        .variable("now", Kind::Time)
        .variable("change", Kind::Text)
        .bool("late")
}

impl Trigger {
    /// Its expressions.
    #[must_use]
    pub fn programs(&self) -> Vec<&Program> {
        match self {
            Self::State { when, .. } => vec![when],
            Self::Occurrence { on, until, .. } => std::iter::once(on).chain(until).collect(),
        }
    }
}

fn occasion(on: &Program) -> Occasion {
    let (reads_old, reads_change) = (reads(on, "oldObject"), reads(on, "change"));
    if reads(on, "event") {
        Occasion::Event
    } else if reads_old || reads_change {
        Occasion::Transition {
            reads_old,
            reads_change,
        }
    } else {
        Occasion::Becoming {
            reads_events: reads(on, "events"),
        }
    }
}

fn reads(program: &Program, root: &str) -> bool {
    program.reads(root).is_some()
}

/// What the programs read of the object, before and now.
fn object_paths<'p>(programs: impl Iterator<Item = &'p Program>) -> PathSet {
    programs
        .flat_map(|program| [program.reads("object"), program.reads("oldObject")])
        .flatten()
        .fold(PathSet::none(), |all, paths| all.union(paths))
}

/// Where a name stands in a source, for underlining; the whole source where a variable reads it.
fn position(source: &str, name: &str) -> Range<usize> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut places = source
        .match_indices(name)
        .map(|(at, _)| at..at + name.len());
    let whole = places.find(|place| {
        !source[..place.start].ends_with(of_name)
            && !source[place.end..].starts_with(|c: char| of_name(c) && c != '.')
    });
    whole.unwrap_or(0..source.len())
}
