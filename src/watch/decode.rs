//! From the bytes of a watch line or of a list's page to what they say.
//!
//! Pure, and the hot path: a line is read once, the object in it goes straight to its
//! projection, and what nobody reads is skipped without being built.
//!
//! Formats: `WatchEvent` and `List` of <https://kubernetes.io/docs/reference/using-api/api-concepts/>.

mod line;
mod page;

use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer};

use crate::cel::{Json, PathSet};
use crate::watch::object::{self, Names};
use crate::watch::{Change, KubernetesEvent, Observation, Signal, event};
use line::{LineSeed, RawLine};
use page::PageSeed;

/// Knows what is read of the objects of one stream.
#[derive(Debug)]
pub(super) struct Decoder {
    shape: Shape,
    names: Names,
}

#[derive(Debug)]
enum Shape {
    Objects {
        paths: PathSet,
        api_version: Arc<str>,
        kind: Arc<str>,
    },
    Events,
}

/// What one line of a watch says.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and lives for a moment"
)]
pub(super) enum Line {
    Item(Item),
    Bookmark {
        resource_version: Arc<str>,
        /// The last of the initial events has been sent.
        initial_events_end: bool,
    },
    Error(Status),
}

/// An object or Event, as a signal, and where in the stream it stands.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) signal: Signal,
    pub(super) resource_version: Arc<str>,
}

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) resource_version: Arc<str>,
    /// The token for the next page, if there is one.
    pub(super) next: Option<String>,
}

/// `meta/v1 Status`: how the server says no.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) details: StatusDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StatusDetails {
    pub(super) retry_after_seconds: u64,
}

/// The text is not what the API promises. It says where, and never quotes: it may be a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum DecodeError {
    #[error("not the JSON that was expected ({category}, byte {at})")]
    Json { category: &'static str, at: usize },
    #[error("an object without kind or name")]
    NoIdentity,
}

impl DecodeError {
    /// Where and how, but not which text: `serde_json` would quote it.
    pub(super) fn json(error: &serde_json::Error, text: &[u8]) -> Self {
        let line_start = text
            .split_inclusive(|&byte| byte == b'\n')
            .take(error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum::<usize>();
        Self::Json {
            category: match error.classify() {
                serde_json::error::Category::Eof => "it ends too early",
                serde_json::error::Category::Data => "a field missing or of another type",
                _ => "a syntax error",
            },
            at: line_start + error.column(),
        }
    }
}

impl Decoder {
    /// Decodes objects to these paths and their identity.
    pub(super) fn of_objects(paths: &PathSet, api_version: Arc<str>, kind: Arc<str>) -> Self {
        Self {
            shape: Shape::Objects {
                paths: object::with_identity(paths),
                api_version,
                kind,
            },
            names: Names::default(),
        }
    }

    /// Decodes Kubernetes Events of either API.
    pub(super) fn of_events() -> Self {
        Self {
            shape: Shape::Events,
            names: Names::default(),
        }
    }

    /// One line of a watch.
    pub(super) fn line(&mut self, text: &[u8]) -> Result<Line, DecodeError> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let raw = LineSeed(&self.shape)
            .deserialize(&mut deserializer)
            .and_then(|raw| deserializer.end().map(|()| raw))
            .map_err(|error| DecodeError::json(&error, text))?;
        Ok(match raw {
            RawLine::Object(change, object) => Line::Item(self.item(change, object)?),
            RawLine::Bookmark(bookmark) => Line::Bookmark {
                initial_events_end: bookmark.is_initial_events_end(),
                resource_version: bookmark.metadata.resource_version,
            },
            RawLine::Error(status) => Line::Error(status),
        })
    }

    /// One page of a list; its items are decoded one by one, never as a tree of all.
    pub(super) fn page(&mut self, text: &[u8]) -> Result<Page, DecodeError> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let raw = PageSeed(&self.shape)
            .deserialize(&mut deserializer)
            .and_then(|raw| deserializer.end().map(|()| raw))
            .map_err(|error| DecodeError::json(&error, text))?;
        let items = raw
            .items
            .into_iter()
            .map(|object| self.item(Change::Applied, object))
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            resource_version: raw.metadata.resource_version,
            next: raw.metadata.next.filter(|token| !token.is_empty()),
        })
    }

    fn item(&mut self, change: Change, object: RawObject) -> Result<Item, DecodeError> {
        match object {
            RawObject::Event(event, resource_version) => Ok(Item {
                signal: match change {
                    Change::Applied => Signal::Event(event),
                    Change::Deleted | Change::Left => Signal::EventDeleted(event.uid),
                },
                resource_version,
            }),
            RawObject::Object(mut object) => {
                if let Shape::Objects {
                    api_version, kind, ..
                } = &self.shape
                {
                    object = object::with_kind(object, api_version, kind);
                }
                let header = self.names.header(&object).ok_or(DecodeError::NoIdentity)?;
                let resource_version = header.resource_version.clone();
                let observation = Observation {
                    change,
                    object,
                    header,
                };
                Ok(Item {
                    signal: match change {
                        Change::Applied => Signal::Applied(observation),
                        Change::Deleted | Change::Left => Signal::Deleted(observation),
                    },
                    resource_version,
                })
            }
        }
    }
}

/// An object, projected, of which nobody has asked yet who it is.
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and lives for a moment"
)]
enum RawObject {
    Object(Json),
    Event(KubernetesEvent, Arc<str>),
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = RawObject;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawObject, D::Error> {
        match self {
            Shape::Objects { paths, .. } => paths
                .seed()
                .deserialize(deserializer)
                .map(RawObject::Object),
            Shape::Events => {
                let wire = event::Wire::deserialize(deserializer)?;
                let resource_version = wire
                    .metadata
                    .as_ref()
                    .and_then(|metadata| metadata.resource_version.clone())
                    .unwrap_or_else(|| Arc::from(""));
                Ok(RawObject::Event(wire.into_event(), resource_version))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::{assert_debug_snapshot, assert_snapshot};

    use super::*;
    use crate::names::Uid;

    const UID: &str = "6f7b1c8e-3c0f-4c39-8a0f-1d2f3a4b5c6d";

    fn databases() -> Decoder {
        Decoder::of_objects(
            &PathSet::of(["status.phase"]).expect("a path"),
            "stable.example.com/v1".into(),
            "DatabaseInstance".into(),
        )
    }

    fn object(name: &str, version: u32) -> String {
        format!(
            r#"{{"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","metadata":{{"name":"{name}","namespace":"prod","uid":"{UID}","resourceVersion":"{version}"}},"spec":{{"password":"hunter2"}},"status":{{"phase":"Failed","extra":1}}}}"#
        )
    }

    fn item(line: Result<Line, DecodeError>) -> Item {
        match line {
            Ok(Line::Item(item)) => item,
            other => panic!("not an item: {other:?}"),
        }
    }

    #[test]
    fn a_change_becomes_its_projection() {
        for (kind, change) in [
            ("ADDED", Change::Applied),
            ("MODIFIED", Change::Applied),
            ("DELETED", Change::Deleted),
        ] {
            let line = format!(r#"{{"type":"{kind}","object":{}}}"#, object("main", 7));
            let item = item(databases().line(line.as_bytes()));
            assert_eq!(&*item.resource_version, "7");
            let (Signal::Applied(observation) | Signal::Deleted(observation)) = item.signal else {
                panic!("no observation");
            };
            assert_eq!(observation.change, change);
            assert_eq!(observation.header.uid, Uid::parse(UID));
            let text = observation.object.to_string();
            assert!(
                text.contains("Failed") && !text.contains("hunter2") && !text.contains("extra"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_line_reads_the_same_whatever_comes_first() {
        let (first, second) = (
            format!(r#"{{"type":"ADDED","object":{}}}"#, object("main", 7)),
            format!(
                r#"{{"object":{},"note":[1],"type":"ADDED"}}"#,
                object("main", 7)
            ),
        );
        assert_eq!(
            item(databases().line(first.as_bytes())).signal,
            item(databases().line(second.as_bytes())).signal
        );
    }

    #[test]
    fn a_bookmark_says_where_the_stream_is() {
        let bookmark = |annotations: &str| {
            let line = format!(
                r#"{{"type":"BOOKMARK","object":{{"kind":"Pod","apiVersion":"v1","metadata":{{"resourceVersion":"12746"{annotations}}},"spec":{{"containers":null}}}}}}"#
            );
            databases().line(line.as_bytes()).expect("a bookmark")
        };
        assert_debug_snapshot!(bookmark(""), @r#"
        Bookmark {
            resource_version: "12746",
            initial_events_end: false,
        }
        "#);
        assert_debug_snapshot!(bookmark(r#","annotations":{"k8s.io/initial-events-end":"true"}"#), @r#"
        Bookmark {
            resource_version: "12746",
            initial_events_end: true,
        }
        "#);
    }

    #[test]
    fn an_error_is_a_status() {
        let line = br#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (9)","reason":"Expired","code":410}}"#;
        let Ok(Line::Error(status)) = databases().line(line) else {
            panic!("no error");
        };
        assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    }

    #[test]
    fn an_event_of_a_watch_is_the_event_or_its_end() {
        let line = |kind: &str| {
            format!(
                r#"{{"type":"{kind}","object":{{"metadata":{{"name":"a","namespace":"b","uid":"{UID}","resourceVersion":"9"}},"reason":"Why","note":"because"}}}}"#
            )
        };
        let added = item(Decoder::of_events().line(line("ADDED").as_bytes()));
        assert!(matches!(&added.signal, Signal::Event(event) if &*event.message == "because"));
        assert_eq!(&*added.resource_version, "9");
        let deleted = item(Decoder::of_events().line(line("DELETED").as_bytes()));
        assert_eq!(deleted.signal, Signal::EventDeleted(Uid::parse(UID)));
    }

    #[test]
    fn a_page_is_its_items_and_the_way_to_the_next() {
        let page = format!(
            r#"{{"kind":"DatabaseInstanceList","apiVersion":"stable.example.com/v1","metadata":{{"resourceVersion":"99","continue":"abc","remainingItemCount":3}},"items":[{},{}]}}"#,
            object("a", 1),
            object("b", 2)
        );
        let page = databases().page(page.as_bytes()).expect("a page");
        assert_eq!(page.items.len(), 2);
        assert_eq!(
            (&*page.resource_version, page.next.as_deref()),
            ("99", Some("abc"))
        );
    }

    #[test]
    fn a_page_without_items_is_empty_and_the_last() {
        for items in ["[]", "null"] {
            let page = format!(
                r#"{{"items":{items},"metadata":{{"resourceVersion":"5","continue":""}}}}"#
            );
            let page = databases().page(page.as_bytes()).expect("a page");
            assert_eq!((page.items.len(), page.next), (0, None));
        }
    }

    #[test]
    fn items_of_a_list_have_their_kind() {
        let mut pods = Decoder::of_objects(&PathSet::none(), "v1".into(), "Pod".into());
        let page = pods
            .page(br#"{"items":[{"metadata":{"name":"a","namespace":"b"}}],"metadata":{"resourceVersion":"5"}}"#)
            .expect("a page");
        let Signal::Applied(pod) = &page.items[0].signal else {
            panic!("no observation");
        };
        assert_snapshot!(pod.object, @r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"b"}}"#);
    }

    #[test]
    fn what_cannot_be_read_says_where_and_never_what() {
        let problem = |line: &[u8]| databases().line(line).expect_err("no line").to_string();
        assert_snapshot!(problem(b"<html>hunter2"), @"not the JSON that was expected (a syntax error, byte 1)");
        assert_snapshot!(problem(br#"{"type":"ADDED","object":{"spec":"hunter2"#), @"not the JSON that was expected (it ends too early, byte 41)");
        assert_snapshot!(problem(br#"{"type":"SURPRISE","object":{}}"#), @"not the JSON that was expected (a field missing or of another type, byte 18)");
        assert_snapshot!(problem(br#"{"type":"ADDED"}"#), @"not the JSON that was expected (a field missing or of another type, byte 16)");
        assert_snapshot!(problem(br#"{"object":{}}"#), @"not the JSON that was expected (a field missing or of another type, byte 13)");
        assert_snapshot!(problem(br#"{"type":"ADDED","object":{"kind":"Pod","metadata":{}}}"#), @"an object without kind or name");
        assert_snapshot!(problem(br#"{"type":"ADDED","object":7}"#), @"an object without kind or name");
    }

    proptest::proptest! {
        #[test]
        fn no_line_and_no_page_panics(text in ".{0,60}", at in 0_usize..200, byte in 0_u8..=255) {
            let mut broken = format!(r#"{{"type":"ADDED","object":{}}}"#, object("main", 7)).into_bytes();
            let at = at.min(broken.len() - 1);
            broken[at] = byte;
            for mut decoder in [databases(), Decoder::of_events()] {
                for text in [text.as_bytes(), &broken, &broken[..at]] {
                    let _ = decoder.line(text);
                    let _ = decoder.page(text);
                }
            }
        }
    }
}
