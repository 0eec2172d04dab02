//! Which objects a stream would be told of: kind, namespace, label and field selectors, as the API
//! server reads them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).

use super::text;
use crate::cel::Json;
use crate::watch::Source;

/// Whether the object is of the stream's kind. The version is the server's to convert, and a file
/// has only one: another version of the same kind is not the stream's.
#[must_use]
pub fn is_of_kind(source: &Source, object: &Json) -> bool {
    text(object, &["kind"]) == &*source.kind
        && text(object, &["apiVersion"]) == &*source.api_version
}

/// Whether the stream's namespace and selectors let the object in.
#[must_use]
pub fn matches(source: &Source, object: &Json) -> bool {
    let namespace = text(object, &["metadata", "namespace"]);
    let here = source
        .namespace
        .as_deref()
        .is_none_or(|own| own == namespace);
    let labels = source.label_selector.as_deref().unwrap_or_default();
    let fields = source.field_selector.as_deref().unwrap_or_default();
    here && requirements(labels).all(|one| has_label(one, object))
        && requirements(fields).all(|one| has_field(one, object))
}

/// The requirements of a selector: split at commas outside of parentheses.
fn requirements(selector: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    selector
        .split(move |c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|one| !one.is_empty())
}

fn has_label(requirement: &str, object: &Json) -> bool {
    let label = |name: &str| {
        let labels = object.at(&["metadata", "labels"])?;
        labels.get(name.trim()).and_then(Json::as_str)
    };
    if let Some((name, value)) = requirement.split_once("!=") {
        return label(name) != Some(value.trim());
    }
    if let Some((name, value)) = requirement.split_once('=') {
        return label(name) == Some(value.trim_start_matches('=').trim());
    }
    if let Some((name, values)) = set(requirement, " notin") {
        return label(name).is_none_or(|own| !values.contains(&own));
    }
    if let Some((name, values)) = set(requirement, " in") {
        return label(name).is_some_and(|own| values.contains(&own));
    }
    match requirement.strip_prefix('!') {
        Some(name) => label(name).is_none(),
        None => label(requirement).is_some(),
    }
}

/// `name in (a, b)`: the name and the values.
fn set<'r>(requirement: &'r str, operator: &str) -> Option<(&'r str, Vec<&'r str>)> {
    let (head, values) = requirement.trim_end().strip_suffix(')')?.split_once('(')?;
    let name = head.trim_end().strip_suffix(operator)?;
    Some((name, values.split(',').map(str::trim).collect()))
}

/// The server selects by few fields; those of every kind are the name and the namespace, and the
/// others stand in the object under their path.
fn has_field(requirement: &str, object: &Json) -> bool {
    let value = |path: &str| {
        let path: Vec<&str> = path.trim().split('.').collect();
        text(object, &path)
    };
    if let Some((path, wanted)) = requirement.split_once("!=") {
        return value(path) != wanted.trim();
    }
    requirement
        .split_once('=')
        .is_some_and(|(path, wanted)| value(path) == wanted.trim_start_matches('=').trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(labels: &str, fields: &str) -> bool {
        let source = Source {
            label_selector: Some(labels.into()),
            field_selector: Some(fields.into()),
            ..Source::of("v1", "Pod")
        };
        let object = serde_json::json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "labels": {"app": "db", "tier": "gold"}}});
        matches(&source, &object.into())
    }

    #[test]
    fn labels_select_as_kubectl_says() {
        for yes in [
            "",
            "app",
            "app=db",
            "app==db",
            "app!=web",
            "!gone",
            "gone!=x",
            "app in (db, web)",
            "app notin (web)",
            "gone notin (x)",
            "app=db,tier in (gold,silver)",
        ] {
            assert!(selects(yes, ""), "{yes}");
        }
        for no in [
            "gone",
            "app=web",
            "app!=db",
            "!app",
            "app in (web)",
            "app notin (db)",
            "gone in (x)",
            "app=db,tier=silver",
        ] {
            assert!(!selects(no, ""), "{no}");
        }
    }

    #[test]
    fn fields_select_by_path() {
        assert!(selects("", "metadata.name=a"));
        assert!(!selects("", "metadata.name!=a"));
        assert!(!selects("", "metadata.name=b"));
    }
}
