//! Why an evaluation has no answer.

use std::ops::Range;

/// An expression that could not be evaluated: what happened, where in the expression, and which
/// field of the object it was about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    pub kind: ErrorKind,
    /// A sentence without the position.
    pub message: String,
    /// Bytes of the source: the part of the expression that failed.
    pub span: Range<usize>,
    /// The field it was about, where it was about one: `object.status.lastBackupTime`.
    pub path: Option<String>,
}

/// What kind of thing went wrong, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A field or map key that is not there, and not of watched data.
    NoSuchKey,
    /// No operator or function takes these types.
    Type,
    /// Text that is not what it was taken for: a number, a time, an address.
    Conversion,
    /// A number, time or duration beyond its range; an index out of a list.
    Range,
    DivideByZero,
    /// It took more steps or memory than allowed.
    Budget,
    /// A name that has no value in this evaluation: `oldObject` where there is none.
    Unbound,
    /// A call with an argument that the function refuses.
    Argument,
}

/// The longest message, in bytes: names and texts of an expression stand in them.
const LONGEST_MESSAGE: usize = 400;

/// A message that people read to its end.
pub(super) fn brief(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    message
}
