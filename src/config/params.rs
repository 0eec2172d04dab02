//! Overrides of `params`, as given on the command line.
//!
//! In: `NAME=VALUE` or `RULE.NAME=VALUE`. Out: the rules with those values. A value has the type of
//! the one it replaces.

use serde_json::Value;

use super::Rule;
use super::nearest::did_you_mean;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Applies the overrides. `all` says that no rule is missing, so that a name that none has is wrong.
pub(super) fn apply(
    overrides: &[String],
    rules: &mut [&mut Rule],
    all: bool,
    diagnostics: &mut Diagnostics,
) {
    for text in overrides {
        if let Err(problem) = apply_one(text, rules, all) {
            diagnostics.push(problem);
        }
    }
}

fn apply_one(text: &str, rules: &mut [&mut Rule], all: bool) -> Result<(), Diagnostic> {
    let Some((path, value)) = text.split_once('=') else {
        let message = format!("param `{text}` has no value");
        return Err(Diagnostic::error(message).help("write `NAME=VALUE` or `RULE.NAME=VALUE`"));
    };
    // A rule's name may have dots, a param's may not.
    let (rule, name) = path
        .rsplit_once('.')
        .map_or((None, path), |(rule, name)| (Some(rule), name));
    let mut known = Vec::new();
    let mut applied = false;
    for target in rules.iter_mut() {
        if rule.is_some_and(|rule| rule != target.name.as_str()) {
            continue;
        }
        if let Some(old) = target.spec.params.get_mut(name) {
            *old = like(old, value).map_err(|wanted| {
                Diagnostic::error(format!(
                    "param `{path}`: `{value}` is not {wanted}, as it is in rule `{}`",
                    target.name
                ))
            })?;
            applied = true;
        }
        known.extend(target.spec.params.keys().cloned());
    }
    if applied || !all {
        return Ok(());
    }
    if let Some(rule) = rule
        && !rules.iter().any(|target| target.name.as_str() == rule)
    {
        let names = rules.iter().map(|target| target.name.as_str());
        return Err(
            Diagnostic::error(format!("param `{path}`: there is no rule `{rule}`"))
                .help(did_you_mean(rule, names)),
        );
    }
    known.sort_unstable();
    known.dedup();
    let owner = rule.map_or_else(
        || "no rule has".to_owned(),
        |rule| format!("rule `{rule}` has no"),
    );
    let names = known.iter().map(String::as_str);
    Err(
        Diagnostic::error(format!("param `{path}`: {owner} param `{name}`"))
            .help(did_you_mean(name, names)),
    )
}

/// The text as a value of the type of another; or that type, in words.
fn like(old: &Value, text: &str) -> Result<Value, &'static str> {
    let (wanted, fits): (_, fn(&Value) -> bool) = match old {
        Value::String(_) | Value::Null => return Ok(Value::String(text.to_owned())),
        Value::Bool(_) => ("`true` or `false`", Value::is_boolean),
        Value::Number(_) => ("a number", Value::is_number),
        Value::Array(_) => ("a list in JSON", Value::is_array),
        Value::Object(_) => ("an object in JSON", Value::is_object),
    };
    serde_json::from_str(text).ok().filter(fits).ok_or(wanted)
}
