//! Tests of rules: a timeline of virtual time, and what must come of it.
//!
//! In: the user's files with their [`RuleTest`]s. Out: for each test whether what it expects is so,
//! and where it is not, what is there instead. It is a driver of the same engine as the bridge, on
//! the clock of the timeline: nothing waits, nothing is sent, no cluster is asked.

mod compare;
mod objects;
mod play;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Configuration, RuleTest};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::setup::{Files, Loaded, load};
use play::Play;

/// An expectation that is not met, or a test that cannot be played.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub place: Place,
    /// What is wrong, a line each.
    pub message: String,
}

/// What became of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub name: String,
    pub place: Place,
    pub failures: Vec<Failure>,
}

impl Outcome {
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    /// The failures, each at its line.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for failure in &self.failures {
            let message = format!("{}: {}", self.name, failure.message);
            diagnostics.push(Diagnostic::error(message).at(failure.place.clone()));
        }
        diagnostics
    }
}

/// Which rules, with which params: what a [`Loaded`] is made of.
type Variant = (Vec<String>, Vec<String>);

/// The rules as the tests want them.
pub struct Suite {
    tests: Vec<RuleTest>,
    variants: BTreeMap<Variant, Result<Loaded, Diagnostics>>,
}

impl Suite {
    /// Reads the rules and the tests beside them; `wanted` chooses tests by name.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn read(files: &Files, wanted: &dyn Fn(&str) -> bool) -> Result<Self, Diagnostics> {
        let files = Files {
            tests: true,
            ..files.clone()
        };
        let all = load(&files)?;
        let mut tests = all.configuration.tests.clone();
        tests.retain(|test| wanted(&test.name));
        let problems = unknown_rules(&tests, &all.configuration);
        if problems.has_errors() {
            return Err(problems);
        }
        let mut variants = BTreeMap::new();
        for variant in tests.iter().flat_map(variants_of) {
            variants
                .entry(variant)
                .or_insert_with_key(|(only, params)| {
                    let mut params = params.clone();
                    params.extend(files.params.clone());
                    load(&Files {
                        only: only.clone(),
                        params,
                        tests: false,
                        ..files.clone()
                    })
                });
        }
        Ok(Self { tests, variants })
    }

    /// Plays every test, in the order of the files.
    pub fn play(&self) -> impl Iterator<Item = Outcome> {
        self.tests.iter().map(|test| Outcome {
            name: test.name.clone(),
            place: test.place.clone(),
            failures: self.failures(test),
        })
    }

    fn failures(&self, test: &RuleTest) -> Vec<Failure> {
        let broken = variants_of(test)
            .into_iter()
            .find_map(|variant| self.variants.get(&variant)?.as_ref().err());
        if let Some(problems) = broken {
            return vec![Failure {
                place: test.place.clone(),
                message: format!("its rules cannot be loaded\n{problems}"),
            }];
        }
        Play::of(test, &self.variants).map_or_else(Vec::new, Play::run)
    }
}

/// Rules that tests name and that are not there.
fn unknown_rules(tests: &[RuleTest], configuration: &Configuration) -> Diagnostics {
    let mut problems = Diagnostics::default();
    for test in tests {
        for name in &test.spec.rules {
            if configuration.rule(&name.as_str().into()).is_none() {
                let message = format!("{} tests `{name}`, and there is no such rule", test.name);
                problems.push(Diagnostic::error(message).at(test.place.clone()));
            }
        }
    }
    problems
}

/// What a test runs on: at the beginning, and after each reload.
fn variants_of(test: &RuleTest) -> Vec<Variant> {
    let reloads = test
        .spec
        .timeline
        .iter()
        .filter_map(|step| step.reload.as_ref());
    let params = std::iter::once(&test.spec.params).chain(reloads.map(|reload| &reload.params));
    params.map(|params| variant(test, params)).collect()
}

/// A test's rules with these params over its own.
fn variant(test: &RuleTest, params: &BTreeMap<String, Value>) -> Variant {
    let mut all = test.spec.params.clone();
    all.extend(params.clone());
    let params = all.iter().map(|(name, value)| match value {
        Value::String(word) => format!("{name}={word}"),
        other => format!("{name}={other}"),
    });
    (test.spec.rules.clone(), params.collect())
}

#[cfg(test)]
mod tests;
