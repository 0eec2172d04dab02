//! The Common Expression Language over borrowed JSON, made for watching objects.
//!
//! In: the source of an expression and an [`Env`] that names what it may read; then, for each
//! evaluation, [`Bindings`] from those names to borrowed [`Json`].
//! Out: a [`Program`], which knows the paths it reads ([`PathSet`]) and, given [`Types`] from a
//! schema, what of it cannot work ([`Program::check`]); and for each evaluation an
//! [`Evaluation`]: a [`Value`] or an [`EvalError`], and the moment at which time alone can
//! change it.
//!
//! The syntax tree comes from the `cel` crate; macros, evaluation and the libraries are here.
//! This part of the crate imports nothing of the rest. It reads no clock, does no IO, spawns
//! nothing but one thread with a large stack while it parses, and never panics on any input.

#![expect(
    clippy::unnecessary_box_returns,
    reason = "an error is rare, and values stay small"
)]
#![expect(
    clippy::single_match_else,
    reason = "a match shows both outcomes side by side"
)]

pub mod changed;
pub mod check;
mod compile;
pub mod env;
pub mod error;
mod evaluate;
pub mod explain;
pub mod json;
mod library;
pub mod map;
mod members;
mod node;
mod parse;
pub mod paths;
mod program;
pub mod project;
mod terms;
pub mod time;
pub mod types;
pub mod value;

#[cfg(test)]
mod tests;

pub use changed::{Changes, PathIndex};
pub use check::{Checked, Types};
pub use env::{Env, Kind, Problem};
pub use error::{ErrorKind, EvalError};
pub use explain::Tree;
pub use json::Json;
pub use map::Map;
pub use parse::on_large_stack;
pub use paths::{PathError, PathSet};
pub use program::{Bindings, Budget, Evaluation, Program};
pub use terms::{Memo, Terms};
pub use types::Type;
pub use value::{Origin, Value};
