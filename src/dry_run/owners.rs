//! Owners by name: a manifest that never was in a cluster cannot know the UID of its owner.

use std::collections::HashMap;

use serde_json::Value;

use super::input::{Fact, What};
use super::text;
use crate::cel::Json;
use crate::watch::object::uid_of_name;

/// Group, kind, namespace and name.
type Name = [String; 4];

/// Gives references to owners that have no UID the one of the object that has that name.
pub(super) fn resolve(facts: &mut [Fact]) {
    let objects = facts.iter().filter_map(|fact| object(&fact.what));
    let uids: HashMap<Name, String> = objects
        .map(|object| (name_of(object), uid_of(object)))
        .collect();
    for fact in facts {
        if let What::Applied(object) | What::Deleted(object) = &mut fact.what
            && let Some(resolved) = resolved(object, &uids)
        {
            *object = resolved;
        }
    }
}

fn object(what: &What) -> Option<&Json> {
    match what {
        What::Applied(object) | What::Deleted(object) => Some(object),
        What::Event(_) => None,
    }
}

fn name_of(object: &Json) -> Name {
    let text = |path: &[&str]| text(object, path).to_owned();
    [
        group(&text(&["apiVersion"])),
        text(&["kind"]),
        text(&["metadata", "namespace"]),
        text(&["metadata", "name"]),
    ]
}

fn uid_of(object: &Json) -> String {
    match text(object, &["metadata", "uid"]) {
        "" => uid_of_name(
            text(object, &["apiVersion"]),
            text(object, &["kind"]),
            text(object, &["metadata", "namespace"]),
            text(object, &["metadata", "name"]),
        ),
        uid => uid.to_owned(),
    }
}

/// The version may be another one than the reference says.
fn group(api_version: &str) -> String {
    let group = api_version.split_once('/');
    group.map_or(String::new(), |(group, _)| group.to_owned())
}

/// The object with those references resolved; nothing if there are none.
fn resolved(object: &Json, uids: &HashMap<Name, String>) -> Option<Json> {
    let references = object.at(&["metadata", "ownerReferences"])?;
    let Json::List(list) = references else {
        return None;
    };
    if list
        .iter()
        .all(|reference| !text(reference, &["uid"]).is_empty())
    {
        return None;
    }
    let own = text(object, &["metadata", "namespace"]);
    let mut object = serde_json::to_value(object).ok()?;
    let references = object.pointer_mut("/metadata/ownerReferences")?;
    for reference in references.as_array_mut()? {
        let field = |name: &str| reference[name].as_str().unwrap_or_default().to_owned();
        if !field("uid").is_empty() {
            continue;
        }
        // An owner is in the same namespace, or in none.
        let found = [own, ""].into_iter().find_map(|namespace| {
            let name = [
                group(&field("apiVersion")),
                field("kind"),
                namespace.to_owned(),
                field("name"),
            ];
            uids.get(&name)
        });
        if let (Some(uid), Some(fields)) = (found, reference.as_object_mut()) {
            fields.insert("uid".to_owned(), Value::from(uid.as_str()));
        }
    }
    Some(Json::from(object))
}
