//! [`Env`]: the names that an expression may read, and the way from its source to a [`Program`].

use super::compile;
use super::error::brief;
use super::parse;
use super::program::Program;
use super::terms::Terms;
use std::ops::Range;
use std::sync::Arc;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON of the cluster: a field that it does not have reads as a zero value. One value or a
    /// list of them.
    Watched,
    /// JSON from elsewhere (parameters): a field that it does not have is an error.
    Plain,
    /// A moment; the name `now` is the one that [`super::Evaluation::next`] is about.
    Time,
    /// True or false.
    Bool,
    /// A string.
    Text,
}

/// The names that an expression may read. A name may have dots (`related.pods`).
#[derive(Clone, Debug, Default)]
pub struct Env {
    pub(super) variables: Vec<(Arc<str>, Kind)>,
    pub(super) definitions: Vec<(Arc<str>, Program)>,
    pub(super) container: Arc<str>,
    pub(super) strict: bool,
    /// What is shared, and the names that mean the same wherever it is.
    pub(super) sharing: Option<(Terms, Arc<[Arc<str>]>)>,
}

/// Why a source is not an expression, or not one that this [`Env`] can evaluate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// In words that people use, without the position.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

impl Env {
    #[must_use]
    pub fn new() -> Env {
        Env::default()
    }

    /// Adds a name.
    #[must_use]
    pub fn variable(mut self, name: &str, kind: Kind) -> Env {
        self.variables.push((name.into(), kind));
        self
    }

    /// Adds a name that is true or false.
    #[must_use]
    pub fn bool(self, name: &str) -> Env {
        self.variable(name, Kind::Bool)
    }

    /// Adds `root.name`, which stands for an expression: it is evaluated when it is used, at most
    /// once in an evaluation, and what it reads counts as read by whoever uses it. It may itself
    /// use earlier definitions, if it was compiled with them.
    #[must_use]
    pub fn define(mut self, root: &str, name: &str, program: &Program) -> Env {
        self.definitions
            .push((format!("{root}.{name}").into(), program.clone()));
        self
    }

    /// CEL as specified: an absent field of watched data is an error, as it is everywhere else,
    /// and a name or function that does not exist is an error only when it is evaluated.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Env {
        self.strict = strict;
        self
    }

    /// Expressions compiled with these terms share the answers to conditions that read nothing but
    /// these names, if they are evaluated with one [`super::Memo`]. All of them must be compiled
    /// with the same kinds of these names, and as strict.
    #[must_use]
    pub fn sharing(mut self, terms: &Terms, names: &[&str]) -> Env {
        let names = names.iter().map(|name| Arc::from(*name)).collect();
        self.sharing = Some((terms.clone(), names));
        self
    }

    /// Names are looked up in this namespace first: in `a.b`, `x` is `a.b.x`, then `a.x`, then
    /// `x`.
    #[must_use]
    pub fn container(mut self, container: &str) -> Env {
        self.container = container.into();
        self
    }

    /// Compiles an expression.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the source.
    pub fn compile(&self, source: &str) -> Result<Program, Vec<Problem>> {
        let compiled = parse::with_room(source, || {
            compile::compile(self, source, compile::Tense::Now)
        });
        compiled.map_err(|mut problems| {
            for problem in &mut problems {
                problem.message = brief(std::mem::take(&mut problem.message));
            }
            problems
        })
    }
}
