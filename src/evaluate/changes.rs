//! What templates see as `changes`: what is different in `spec` since an object was well, who wrote
//! it, and what puts it back.
//!
//! In: the object, and the `spec` with which it was well. Out: JSON of bounded size. Who wrote a
//! field is what the API server keeps of it in `metadata.managedFields`
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>); the patch
//! is a JSON merge patch (RFC 7386).

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use super::writers::{Writer, Writers};
use crate::cel::paths::push_field;
use crate::cel::{Json, Map, PathSet};
use crate::names::ObjectRef;

/// What is kept of objects for it.
pub static READS: LazyLock<PathSet> = LazyLock::new(|| {
    PathSet::of(["spec", "metadata.managedFields"]).expect("paths, which the tests read")
});

/// The part of it whose change is news.
pub static SPEC: LazyLock<PathSet> =
    LazyLock::new(|| PathSet::of(["spec"]).expect("a path, which the tests read"));

/// So many fields are listed; the others are counted.
const MOST_FIELDS: usize = 20;
/// A value with a longer JSON text, in bytes, is shown as the beginning of that text.
const LONGEST_VALUE: usize = 256;
/// No longer patch is given, in bytes of its JSON text.
const LONGEST_PATCH: usize = 8 * 1024;
/// Nothing is compared further down.
const DEEPEST: usize = 32;

/// The `spec` that an object's changes are counted from.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a> {
    /// It was never seen well.
    Unknown,
    /// The one that it has: nothing was changed.
    Present,
    /// This one.
    Spec(&'a Json),
}

/// A step into a value.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Field(Arc<str>),
    Item(usize),
}

/// One difference: where, and the values on both sides.
struct Difference<'a> {
    path: Vec<Step>,
    from: Option<&'a Json>,
    to: Option<&'a Json>,
}

/// The value that templates see.
#[must_use]
pub fn changes(object: &Json, reference: &ObjectRef, base: Base<'_>) -> Json {
    let present = object.get("spec").unwrap_or(&Json::Null);
    let good = match base {
        Base::Unknown => return summary(false, &[], 0, None, None),
        Base::Present => present,
        Base::Spec(spec) => spec,
    };
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(good), Some(present), &mut found);
    let writers = Writers::of(object);
    let shown: Vec<(Difference<'_>, Option<Writer>)> = found
        .drain(..found.len().min(MOST_FIELDS))
        .map(|one| {
            let writer = writers.of_field(&one.path, object.get("spec"));
            (one, writer)
        })
        .collect();
    let patch = (!shown.is_empty()).then(|| patch(good, present));
    let patch = patch.filter(|patch| patch.to_string().len() <= LONGEST_PATCH);
    let command = patch.as_ref().map(|patch| command(reference, patch));
    summary(true, &shown, found.len(), patch, command)
}

fn summary(
    known: bool,
    shown: &[(Difference<'_>, Option<Writer>)],
    omitted: usize,
    patch: Option<Json>,
    command: Option<String>,
) -> Json {
    let writers: BTreeSet<&str> = shown
        .iter()
        .filter_map(|(_, writer)| Some(&*writer.as_ref()?.name))
        .collect();
    let by: Vec<Json> = writers.into_iter().map(Json::from).collect();
    let fields: Vec<Json> = shown.iter().map(field).collect();
    map([
        ("known", Json::Bool(known)),
        ("fields", Json::from(fields)),
        (
            "omitted",
            Json::from(i64::try_from(omitted).unwrap_or(i64::MAX)),
        ),
        ("by", Json::from(by)),
        ("patch", patch.unwrap_or_default()),
        ("command", command.map(Json::from).unwrap_or_default()),
    ])
}

fn field((one, writer): &(Difference<'_>, Option<Writer>)) -> Json {
    let at = writer.as_ref().and_then(|writer| writer.at.as_deref());
    map([
        ("path", Json::from(path(&one.path))),
        ("from", one.from.map(shortened).unwrap_or_default()),
        ("to", one.to.map(shortened).unwrap_or_default()),
        (
            "by",
            Json::from(writer.as_ref().map_or("unknown", |writer| &writer.name)),
        ),
        ("at", at.map(Json::from).unwrap_or_default()),
    ])
}

fn map<const N: usize>(entries: [(&str, Json); N]) -> Json {
    let entries = entries.into_iter();
    Json::Map(Map::new(
        entries.map(|(name, json)| (name.into(), json)).collect(),
    ))
}

/// Where two values differ, as deep as both are maps, or lists of one length.
fn compare<'a>(
    path: &mut Vec<Step>,
    from: Option<&'a Json>,
    to: Option<&'a Json>,
    found: &mut Vec<Difference<'a>>,
) {
    if from == to {
        return;
    }
    let deeper = path.len() < DEEPEST;
    match (from, to) {
        (Some(Json::Map(from)), Some(Json::Map(to))) if deeper => {
            let names = from.iter().chain(to.iter()).map(|(name, _)| name);
            let names: BTreeSet<&Arc<str>> = names.collect();
            for name in names {
                path.push(Step::Field(name.clone()));
                compare(path, from.get(name), to.get(name), found);
                path.pop();
            }
        }
        (Some(Json::List(from)), Some(Json::List(to))) if deeper && from.len() == to.len() => {
            for (at, (from, to)) in from.iter().zip(to).enumerate() {
                path.push(Step::Item(at));
                compare(path, Some(from), Some(to), found);
                path.pop();
            }
        }
        _ => found.push(Difference {
            path: path.clone(),
            from,
            to,
        }),
    }
}

/// `spec.containers[0].image`, as expressions write it.
fn path(steps: &[Step]) -> String {
    let mut text = "spec".to_owned();
    for step in steps {
        match step {
            Step::Item(at) => text.extend(["[", &at.to_string(), "]"]),
            Step::Field(name) => push_field(&mut text, name),
        }
    }
    text
}

/// The value; one that is long as the beginning of its text.
fn shortened(value: &Json) -> Json {
    let text = value.to_string();
    if text.len() <= LONGEST_VALUE {
        return value.clone();
    }
    let mut cut: String = text.chars().take(LONGEST_VALUE / 4).collect();
    cut.push('…');
    Json::from(cut)
}

/// The merge patch that makes the good `spec` of the present one.
fn patch(good: &Json, present: &Json) -> Json {
    map([("spec", restoring(good, present))])
}

fn restoring(good: &Json, present: &Json) -> Json {
    let (Json::Map(good), Json::Map(present)) = (good, present) else {
        return good.clone();
    };
    let names = good.iter().chain(present.iter()).map(|(name, _)| name);
    let names: BTreeSet<&Arc<str>> = names.collect();
    let differing = names.into_iter().filter_map(|name| {
        let value = match (good.get(name), present.get(name)) {
            (good, present) if good == present => return None,
            (Some(good), Some(present)) => restoring(good, present),
            (Some(good), None) => good.clone(),
            (None, _) => Json::Null,
        };
        Some((name.clone(), value))
    });
    Json::Map(Map::new(differing.collect()))
}

/// What to type in a POSIX shell.
fn command(object: &ObjectRef, patch: &Json) -> String {
    let kind = match object.api_version.split_once('/') {
        Some((group, version)) => format!("{}.{version}.{group}", object.kind),
        None => object.kind.to_string(),
    };
    let namespace = object.namespace.as_ref();
    let namespace = namespace.map_or_else(String::new, |name| format!(" -n {}", quoted(name)));
    format!(
        "kubectl{namespace} patch {} {} --type merge -p {}",
        quoted(&kind),
        quoted(&object.name),
        quoted(&patch.to_string())
    )
}

fn quoted(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_word) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
