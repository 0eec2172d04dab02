//! Rules that go by the schemas of the cluster that they run on.

use crate::diagnostic::Diagnostics;
use crate::setup::last_good::LastGood;
use crate::setup::{self, Files, Loaded};

use crate::watch::cluster::Cluster;
use crate::watch::error::WatchError;

/// The schemas of what the rules watch, as the cluster publishes them.
///
/// # Errors
/// All that a request can meet.
pub(super) async fn served(
    cluster: &Cluster,
    files: &Files,
) -> Result<Vec<(String, serde_json::Value)>, WatchError> {
    cluster.schemas_of(setup::watched_versions(files)).await
}

/// Compiles and checks the files. What is wrong with a cluster's documents is told, and the others
/// count, as they do in a bridge that runs.
///
/// # Errors
/// Every problem of every file.
pub(super) fn load(files: &Files) -> Result<Loaded, Diagnostics> {
    if files.held.is_none() {
        return setup::load(files);
    }
    let (_, reloaded, _) = LastGood::load(files.clone())?;
    if !reloaded.problems.is_empty() {
        eprintln!("{}", reloaded.problems.human(super::colour()));
    }
    Ok(reloaded.loaded)
}

/// The same rules, going by the cluster's schemas; what those say against them is advice. Without
/// its schemas, and where files have changed this moment, they stay as they are.
pub(super) async fn by_schemas(
    cluster: &Cluster,
    files: &Files,
    loaded: Loaded,
) -> Result<Loaded, WatchError> {
    let files = Files {
        served: served(cluster, files).await?,
        advisory: true,
        ..files.clone()
    };
    if files.held.is_none() {
        return Ok(setup::load(&files).unwrap_or(loaded));
    }
    let again = LastGood::load(files).map(|(_, again, _)| again.loaded);
    Ok(again.unwrap_or(loaded))
}
