//! Discovery: where the objects of a kind are found on this server, built-in and custom ones alike.
//!
//! In: a [`Source`]. Out: the path to list and watch. Implements
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#api-discovery> (unaggregated,
//! one request for one group and version).

use serde::Deserialize;

use crate::watch::Source;
use crate::watch::cluster::Cluster;
use crate::watch::error::WatchError;
use crate::watch::request::is_segment;

/// A kind as this server serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// The path of the collection, below the server's address.
    pub(super) path: String,
}

#[derive(Deserialize)]
struct ResourceList {
    resources: Vec<ApiResource>,
}

#[derive(Deserialize)]
struct ApiResource {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

impl Cluster {
    /// What a role calls the objects of a source: the plural that the server serves them under.
    ///
    /// # Errors
    /// The server does not have the kind, and all that a request can meet.
    pub async fn plural(&self, source: &Source) -> Result<String, WatchError> {
        let resource = Resource::find(self, source).await?;
        let (_, plural) = resource.path.rsplit_once('/').unwrap_or_default();
        Ok(plural.to_owned())
    }
}

impl Resource {
    /// Asks the server for it.
    ///
    /// # Errors
    /// [`WatchError::NoSuchKind`] if the server has it not, and all that a request can meet.
    pub(super) async fn find(cluster: &Cluster, source: &Source) -> Result<Self, WatchError> {
        match Self::find_version(cluster, source, &source.api_version).await {
            Err(WatchError::NoSuchKind { .. })
                if source.is_events() && source.api_version.contains('/') =>
            {
                Self::find_version(cluster, source, "v1").await
            }
            found => found,
        }
    }

    async fn find_version(
        cluster: &Cluster,
        source: &Source,
        api_version: &str,
    ) -> Result<Self, WatchError> {
        check_segments(source, api_version)?;
        let path = version_path(api_version);
        let resources = match cluster.document::<ResourceList>(&path).await {
            Ok(list) => list.resources,
            Err(WatchError::NotFound { .. }) => {
                let hint = other_versions(cluster, api_version).await;
                return Err(no_such_kind(api_version, &source.kind, hint));
            }
            Err(error) => return Err(error),
        };
        Self::choose(source, api_version, &resources)
    }

    fn choose(
        source: &Source,
        api_version: &str,
        resources: &[ApiResource],
    ) -> Result<Self, WatchError> {
        // "pods/status" and the like are of kind Pod too.
        let mut whole = resources.iter().filter(|r| !r.name.contains('/'));
        let Some(resource) = whole.clone().find(|r| *r.kind == *source.kind) else {
            let nearly = whole.find(|r| {
                r.kind.eq_ignore_ascii_case(&source.kind)
                    || r.name.eq_ignore_ascii_case(&source.kind)
            });
            let hint = nearly.map_or_else(String::new, |r| format!("; did you mean {}?", r.kind));
            return Err(no_such_kind(api_version, &source.kind, hint));
        };
        let can = |verb: &str| resource.verbs.iter().any(|v| v == verb);
        if !(can("list") && can("watch")) {
            return Err(WatchError::NotWatchable {
                api_version: api_version.to_owned(),
                kind: source.kind.to_string(),
                verbs: resource.verbs.join(", "),
            });
        }
        let version = version_path(api_version);
        let name = &resource.name;
        match (&source.namespace, resource.namespaced) {
            (Some(namespace), true) => Ok(Self {
                path: format!("{version}/namespaces/{namespace}/{name}"),
            }),
            (None, _) => Ok(Self {
                path: format!("{version}/{name}"),
            }),
            (Some(_), false) => Err(WatchError::NoNamespaces {
                api_version: api_version.to_owned(),
                kind: source.kind.to_string(),
            }),
        }
    }
}

/// A rule's author chooses these texts, and must not choose a path with them.
fn check_segments(source: &Source, api_version: &str) -> Result<(), WatchError> {
    let version = api_version.split_once('/');
    let segments = version.map_or([api_version, "v1"], |(group, version)| [group, version]);
    let wrong = segments
        .into_iter()
        .chain(source.namespace.as_deref())
        .find(|segment| !is_segment(segment));
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(WatchError::Unsendable {
            reason: format!("{wrong:?} is no group, version or namespace"),
        }),
    }
}

/// `/api/v1` for the core group, `/apis/group/version` for all others.
fn version_path(api_version: &str) -> String {
    if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    }
}

fn no_such_kind(api_version: &str, kind: &str, hint: String) -> WatchError {
    WatchError::NoSuchKind {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        hint,
    }
}

/// Which versions of the group there are: only a hint, so an error is no answer.
async fn other_versions(cluster: &Cluster, api_version: &str) -> String {
    let Some((group, _)) = api_version.split_once('/') else {
        return String::new();
    };
    match cluster.document::<Group>(&format!("/apis/{group}")).await {
        Ok(Group { versions }) => {
            let versions: Vec<_> = versions.into_iter().map(|v| v.group_version).collect();
            format!("; of this group it serves {}", versions.join(", "))
        }
        Err(_) => String::from(" (is its CustomResourceDefinition installed?)"),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn choose(source: &Source) -> Result<Resource, WatchError> {
        let list = r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[
            {"name":"pods/status","singularName":"","namespaced":true,"kind":"Pod","verbs":["get","patch"]},
            {"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["create","get","list","watch"]},
            {"name":"nodes","singularName":"node","namespaced":false,"kind":"Node","verbs":["get","list","watch"]},
            {"name":"bindings","singularName":"binding","namespaced":true,"kind":"Binding","verbs":["create"]}]}"#;
        let list: ResourceList = serde_json::from_str(list).expect("the test's JSON");
        Resource::choose(source, &source.api_version, &list.resources)
    }

    fn in_prod(kind: &str) -> Source {
        Source {
            namespace: Some("prod".into()),
            ..Source::of("v1", kind)
        }
    }

    #[test]
    fn a_kind_is_found_where_it_is_served() {
        let path = |source: &Source| choose(source).map(|resource| resource.path);
        assert_snapshot!(path(&Source::of("v1", "Pod")).expect("found"), @"/api/v1/pods");
        assert_snapshot!(path(&in_prod("Pod")).expect("found"), @"/api/v1/namespaces/prod/pods");
        assert_snapshot!(path(&Source::of("v1", "Node")).expect("found"), @"/api/v1/nodes");
        assert_snapshot!(version_path("stable.example.com/v1"), @"/apis/stable.example.com/v1");
    }

    #[test]
    fn a_source_cannot_choose_a_path() {
        let refused = |source: &Source| check_segments(source, &source.api_version).is_err();
        for api_version in [
            "",
            "v1/a/b",
            "../v1",
            "v1?x",
            "a.b/v1/namespaces",
            "/v1",
            "v1/",
            "a/../v1",
        ] {
            assert!(refused(&Source::of(api_version, "Pod")), "{api_version}");
        }
        let elsewhere = Source {
            namespace: Some("a/secrets?".into()),
            ..in_prod("Pod")
        };
        assert!(refused(&elsewhere));
        assert!(!refused(&in_prod("Pod")));
        assert!(!refused(&Source::of(
            "stable.example.com/v1beta1",
            "Database"
        )));
    }

    #[test]
    fn what_cannot_be_watched_says_why() {
        let problem = |source: &Source| choose(source).expect_err("refused").to_string();
        assert_snapshot!(problem(&Source::of("v1", "Database")), @"the server has no Database in v1");
        assert_snapshot!(problem(&Source::of("v1", "pods")), @"the server has no pods in v1; did you mean Pod?");
        assert_snapshot!(problem(&in_prod("Node")), @"Node in v1 belongs to no namespace: remove `namespaces` from what is watched");
        assert_snapshot!(problem(&Source::of("v1", "Binding")), @"Binding in v1 cannot be watched: the server offers only create");
    }
}
