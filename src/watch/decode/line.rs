//! One line of a watch: `{"type": "ADDED", "object": {…}}`.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{RawObject, Shape, Status};
use crate::watch::Change;

/// What a line says, before anybody asked which object it is about.
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and lives for a moment"
)]
pub(super) enum RawLine {
    Object(Change, RawObject),
    Bookmark(Bookmark),
    Error(Status),
}

#[derive(Deserialize)]
pub(super) struct Bookmark {
    pub(super) metadata: BookmarkMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BookmarkMetadata {
    pub(super) resource_version: Arc<str>,
    #[serde(default)]
    annotations: BookmarkAnnotations,
}

#[derive(Default, Deserialize)]
struct BookmarkAnnotations {
    #[serde(rename = "k8s.io/initial-events-end", default)]
    initial_events_end: String,
}

impl Bookmark {
    /// The server has sent all that there was when the stream began.
    pub(super) fn is_initial_events_end(&self) -> bool {
        self.metadata.annotations.initial_events_end == "true"
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum LineType {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum LineField {
    Type,
    Object,
    #[serde(other)]
    Other,
}

/// Reads `{"type": …, "object": …}`. The type comes first from every server known; where it
/// does not, the object waits as raw text.
pub(super) struct LineSeed<'s>(pub(super) &'s Shape);

impl LineSeed<'_> {
    fn object<'de, D: Deserializer<'de>>(
        &self,
        kind: LineType,
        from: D,
    ) -> Result<RawLine, D::Error> {
        let change = match kind {
            LineType::Bookmark => return Bookmark::deserialize(from).map(RawLine::Bookmark),
            LineType::Error => return Status::deserialize(from).map(RawLine::Error),
            LineType::Added | LineType::Modified => Change::Applied,
            LineType::Deleted => Change::Deleted,
        };
        self.0
            .deserialize(from)
            .map(|object| RawLine::Object(change, object))
    }
}

impl<'de> DeserializeSeed<'de> for LineSeed<'_> {
    type Value = RawLine;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawLine, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LineSeed<'_> {
    type Value = RawLine;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a watch event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawLine, A::Error> {
        let mut kind = None;
        let mut waiting: Option<&'de RawValue> = None;
        let mut line = None;
        while let Some(field) = map.next_key()? {
            match (field, kind) {
                (LineField::Type, _) => kind = Some(map.next_value::<LineType>()?),
                (LineField::Object, Some(kind)) => {
                    line = Some(map.next_value_seed(ObjectSeed(&self, kind))?);
                }
                (LineField::Object, None) => waiting = Some(map.next_value()?),
                (LineField::Other, _) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match (line, kind, waiting) {
            (Some(line), ..) => Ok(line),
            (None, Some(kind), Some(raw)) => self.object(kind, raw).map_err(A::Error::custom),
            (None, None, _) => Err(A::Error::missing_field("type")),
            (None, Some(_), None) => Err(A::Error::missing_field("object")),
        }
    }
}

struct ObjectSeed<'l, 's>(&'l LineSeed<'s>, LineType);

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, '_> {
    type Value = RawLine;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawLine, D::Error> {
        self.0.object(self.1, deserializer)
    }
}
