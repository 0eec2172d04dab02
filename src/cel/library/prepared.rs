//! Constant arguments in the form in which a function searches for them: a pattern compiled, a
//! text with its searcher. To everyone else they are the text that they were.

use super::{Function, regex};
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use memchr::memmem::Finder;
use std::sync::Arc;

/// A pattern or a text that is looked for.
#[derive(Debug)]
pub enum Prepared {
    Pattern(::regex::Regex),
    Text(Box<Finder<'static>>),
}

impl Opaque for Prepared {
    fn type_name(&self) -> &'static str {
        "string"
    }

    fn equals(&self, _other: &dyn Opaque) -> bool {
        false
    }

    fn to_json(&self) -> Json {
        match self {
            Prepared::Pattern(regex) => Json::from(regex.as_str()),
            Prepared::Text(finder) => Json::from(&*String::from_utf8_lossy(finder.needle())),
        }
    }
}

/// The second argument of this function in the form that it searches with; `None` where it takes
/// it as it is.
///
/// # Errors
/// What is wrong with a pattern.
pub fn prepare(
    function: &Function,
    argument: &Value<'static>,
) -> Option<Result<Value<'static>, String>> {
    let text = argument.as_str()?;
    let prepared = match function.name {
        "x.find" | "x.findAll" => regex::compiled(text).map(Prepared::Pattern),
        "x.contains" => Ok(Prepared::Text(Box::new(Finder::new(text).into_owned()))),
        _ => return None,
    };
    Some(prepared.map(|prepared| Value::Opaque(Arc::new(prepared))))
}

/// What was prepared, in an argument.
#[must_use]
pub fn prepared<'v>(argument: &'v Value<'_>) -> Option<&'v Prepared> {
    match argument {
        Value::Opaque(opaque) => opaque.downcast(),
        _ => None,
    }
}
