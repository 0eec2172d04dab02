//! Objects of which only metadata is read: the server is asked for nothing else
//! (`PartialObjectMetadata`, <https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches>).

use std::sync::LazyLock;

use http::Request;
use http::header::{ACCEPT, HeaderValue};

use crate::cel::PathSet;

/// What such an answer has of an object.
static METADATA: LazyLock<PathSet> = LazyLock::new(|| {
    PathSet::of(["apiVersion", "kind", "metadata"]).expect("the paths above are names")
});

/// What the server calls such objects, instead of their own kind.
pub(super) const KIND: (&str, &str) = ("meta.k8s.io/v1", "PartialObjectMetadata");

/// Behind the comma: an aggregated server may know whole objects only.
const OBJECTS: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const LISTS: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Whether it has all that is read.
pub(super) fn suffices(paths: &PathSet) -> bool {
    METADATA.covers(paths)
}

/// Asks for metadata only, in a watch.
pub(super) fn of_objects(request: &mut Request<Vec<u8>>) {
    accept(request, OBJECTS);
}

/// Asks for metadata only, in a list.
pub(super) fn of_lists(request: &mut Request<Vec<u8>>) {
    accept(request, LISTS);
}

fn accept(request: &mut Request<Vec<u8>>, media_types: &'static str) {
    let media_types = HeaderValue::from_static(media_types);
    request.headers_mut().insert(ACCEPT, media_types);
}
