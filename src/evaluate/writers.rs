//! Who wrote a field of an object, as the API server knows it.
//!
//! In: `metadata.managedFields`, whose `fieldsV1` are sets of fields
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/#System>):
//! `f:name` for a field, `k:{…}` for the item of a list with these keys, `v:…` for the item that is
//! this value, `i:0` for the item of that number; an empty set has all below it. Out: the last
//! writer that has a field. Who removed one is not known there.

use std::sync::Arc;

use super::changes::Step;
use crate::cel::Json;

/// Who wrote a field, and when (RFC 3339) it last wrote anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    pub name: Arc<str>,
    pub at: Option<Arc<str>>,
}

/// The writers of an object, except of its subresources.
pub struct Writers<'a> {
    entries: Vec<&'a Json>,
}

impl<'a> Writers<'a> {
    #[must_use]
    pub fn of(object: &'a Json) -> Self {
        let entries = object.at(&["metadata", "managedFields"]);
        let entries = entries.and_then(Json::as_list).unwrap_or_default();
        let of_object = |entry: &&Json| text(entry, "subresource").is_none_or(str::is_empty);
        Self {
            entries: entries.iter().filter(of_object).collect(),
        }
    }

    /// The last of those that have this field of `spec`.
    pub(super) fn of_field(&self, path: &[Step], spec: Option<&Json>) -> Option<Writer> {
        let entries = self.entries.iter().filter(|entry| {
            let fields = entry.at(&["fieldsV1", "f:spec"]);
            fields.is_some_and(|fields| has(fields, path, spec))
        });
        // The times are in UTC and of one length: the later one is the greater text.
        let last = entries.max_by_key(|entry| text(entry, "time"))?;
        Some(Writer {
            name: text(last, "manager")?.into(),
            at: text(last, "time").map(Into::into),
        })
    }
}

fn text<'a>(entry: &'a Json, name: &str) -> Option<&'a str> {
    entry.get(name).and_then(Json::as_str)
}

/// Whether a set of fields has the one at the end of this path in `value`.
fn has(fields: &Json, path: &[Step], value: Option<&Json>) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return true;
    };
    let Some(set) = fields.as_map() else {
        return false;
    };
    if set.is_empty() {
        return true;
    }
    match step {
        Step::Field(name) => {
            let below = set.get(&format!("f:{name}"));
            let value = value.and_then(|value| value.get(name));
            // One that is not there any more belongs to nobody.
            below.is_some_and(|below| has(below, rest, value))
        }
        Step::Item(at) => {
            let item = value.and_then(|value| value.as_list()?.get(*at));
            let mut items = set.iter();
            let below = items.find(|(name, _)| is_item(name, *at, item));
            below.is_some_and(|(_, below)| has(below, rest, item))
        }
    }
}

/// Whether a member of a set stands for this item of a list.
fn is_item(name: &str, at: usize, item: Option<&Json>) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Json>(text).ok();
    match (name.split_once(':'), item) {
        (Some(("i", number)), _) => number.parse() == Ok(at),
        (Some(("v", text)), Some(item)) => parsed(text).as_ref() == Some(item),
        (Some(("k", text)), Some(item)) => parsed(text).is_some_and(|keys| {
            let mut keys = keys.as_map().into_iter().flat_map(|keys| keys.iter());
            keys.all(|(name, value)| item.get(name) == Some(value))
        }),
        _ => false,
    }
}
