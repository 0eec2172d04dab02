//! Regular expressions (RE2's language): `find` and `findAll` of Kubernetes.

mod re2;

use super::prepared::{Prepared, prepared};
use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::value::Value;
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;

pub const FUNCTIONS: &[Function] = &[
    Function::new("x.find", 2, find),
    Function::between("x.findAll", 2, 3, find_all),
];

pub const SIGNATURES: &str = "
    x.find(string, string) -> string
    x.findAll(string, string) -> list<string>
    x.findAll(string, string, int) -> list<string>
";

/// What a compiled pattern may take.
const LARGEST: usize = 1 << 20;

/// Steps that compiling a pattern during an evaluation costs.
const COST: usize = 2_000;

/// Compiles a pattern, or says what is wrong with it.
///
/// # Errors
/// A sentence about the pattern.
pub fn compiled(pattern: &str) -> Result<Regex, String> {
    let shown: String = pattern.chars().take(60).collect();
    let refused = |reason: String| format!("'{shown}' is not a regular expression: {reason}");
    let translated = re2::translated(pattern).map_err(refused)?;
    RegexBuilder::new(&translated)
        .size_limit(LARGEST)
        .dfa_size_limit(LARGEST)
        .build()
        .map_err(|error| {
            let reason = match &error {
                regex::Error::Syntax(text) => {
                    let last = text.lines().last().unwrap_or_default();
                    last.trim_start_matches("error: ").to_owned()
                }
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                other => other.to_string(),
            };
            refused(reason)
        })
}

/// The pattern in an argument.
pub fn at_run_time<'m>(call: &mut Call<'m, '_, '_>, at: usize) -> Result<Cow<'m, Regex>, Fault> {
    if let Some(Prepared::Pattern(regex)) = prepared(&call.args[at]) {
        return Ok(Cow::Borrowed(regex));
    }
    let pattern = call.text(at)?;
    call.charge(COST + pattern.len())?;
    compiled(pattern)
        .map(Cow::Owned)
        .map_err(|message| call.fail(ErrorKind::Argument, message))
}

fn find<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let text = call.text(0)?;
    let regex = at_run_time(call, 1)?;
    call.charge(text.len() / 64)?;
    let found = regex.find(text).map_or("", |found| found.as_str());
    call.new_text(found.to_owned())
}

/// `text.findAll(pattern)` and `text.findAll(pattern, limit)`; a negative limit is none.
fn find_all<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let text = call.text(0)?;
    let regex = at_run_time(call, 1)?;
    call.charge(text.len() / 8)?;
    let limit = if call.args.len() == 3 {
        call.int(2)?
    } else {
        -1
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = regex
        .find_iter(text)
        .take(limit)
        .map(|found| Value::text(found.as_str()));
    let found = found.collect();
    call.new_list(found)
}
