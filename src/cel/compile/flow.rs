//! Which paths a value comes from, until somebody reads it.

use super::Compiler;
use crate::cel::node::{Node, Op, Span};
use crate::cel::paths::{PathSet, Step, push_field};
use std::sync::Arc;

/// The paths whose values a sub-expression may have: several with `?:`, none for what the
/// expression itself computes.
#[derive(Clone, Debug, Default)]
pub struct Flow(pub Vec<(Arc<str>, Vec<Step>)>);

/// A longer path than this counts as read from there on, so that nothing grows without bound.
const LONGEST: usize = 64;

impl Flow {
    pub fn root(name: &Arc<str>) -> Flow {
        Flow(vec![(name.clone(), Vec::new())])
    }

    /// One step further.
    pub fn then(mut self, step: &Step) -> Flow {
        for (_, steps) in &mut self.0 {
            if steps.len() < LONGEST {
                steps.push(step.clone());
            }
        }
        self
    }

    /// Either of the two.
    pub fn or(mut self, other: Flow) -> Flow {
        for path in other.0 {
            if !self.0.contains(&path) {
                self.0.push(path);
            }
        }
        self
    }

    /// The path as people write it, if it is just one.
    pub fn text(&self) -> Option<String> {
        let [(root, steps)] = self.0.as_slice() else {
            return None;
        };
        let mut text = root.to_string();
        for step in steps {
            match step {
                Step::Each => text.push_str("[]"),
                Step::Field(name) => push_field(&mut text, name),
            }
        }
        Some(text)
    }
}

impl Compiler<'_> {
    /// The whole value is read.
    pub(super) fn read(&mut self, flow: &Flow) {
        for (root, steps) in &flow.0 {
            self.reads
                .entry(root.clone())
                .or_default()
                .insert_steps(steps);
        }
    }

    /// Only whether it is there is read.
    pub(super) fn read_presence(&mut self, flow: &Flow) {
        for (root, steps) in &flow.0 {
            self.reads
                .entry(root.clone())
                .or_default()
                .insert_presence(steps);
        }
    }

    /// The names are read, if nothing else is.
    pub(super) fn touch(&mut self, flow: &Flow) {
        for (root, _) in &flow.0 {
            self.reads.entry(root.clone()).or_insert_with(PathSet::none);
        }
    }

    /// Remembers which path stands in this part of the source.
    pub(super) fn note_path(&mut self, span: Span, flow: &Flow) {
        if let Some(text) = flow.text() {
            self.paths.push((span, text));
        }
    }
}

/// One step from a value by an index: the key if it is a constant text, else all of them.
pub(super) fn step_of(index: &Node) -> Step {
    match &index.op {
        Op::Const(value) => match value.as_str() {
            Some(text) => Step::Field(text.into()),
            None => Step::Each,
        },
        _ => Step::Each,
    }
}
