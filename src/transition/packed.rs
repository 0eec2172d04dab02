//! [`Packed`]: an object at rest, in about a tenth of the bytes that it has as a tree.
//!
//! Nearly all watched objects just lie there. A node of [`Json`] takes 24 bytes and an allocation;
//! packed, all of an object is one allocation in which a field name or a text that other objects
//! have too takes one or two bytes (see [`Words`]). Who wants the object gets a tree again.
//!
//! The form lives in memory only: the state file has JSON. A value is a head (a varint: its kind in
//! the low three bits, a size or number in the others) and what the kind says:
//!
//! | kind | in the head | follows |
//! |---|---|---|
//! | `CONSTANT` | which of null, false, true, an `Uint`, a `Double` | 8 bytes of the last two |
//! | `INT` | the number, zigzag | |
//! | `TEXT` | its length | its bytes |
//! | `WORD` | its number in [`Words`] | |
//! | `LIST` | how many | the values |
//! | `MAP` | how many | as many names (a `TEXT` or `WORD`) and values |

use std::sync::Arc;

use super::words::{Whose, Words};
use crate::cel::{Json, Map};
use crate::names::Uid;

const CONSTANT: u64 = 0;
const INT: u64 = 1;
const TEXT: u64 = 2;
const WORD: u64 = 3;
const LIST: u64 = 4;
const MAP: u64 = 5;

const KIND_BITS: u32 = 3;

const NULL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const UINT: u64 = 3;
const DOUBLE: u64 = 4;
/// An `Int` whose zigzag form does not leave room for the kind.
const WIDE_INT: u64 = 5;

/// An object at rest. It is read with the [`Words`] that it was packed with.
#[derive(Debug)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    pub(super) fn new(uid: Uid, json: &Json, words: &mut Words) -> Self {
        let mut writer = Writer {
            bytes: Vec::with_capacity(512),
            whose: words.whose(uid),
            words,
        };
        writer.value(json);
        Self(writer.bytes.into_boxed_slice())
    }

    pub(super) fn json(&self, words: &Words) -> Json {
        self.reader(words).value()
    }

    /// Whether that is the value that was packed. Allocates nothing.
    pub(super) fn is(&self, json: &Json, words: &Words) -> bool {
        self.reader(words).is(json)
    }

    /// The text at the end of a path of field names. Allocates nothing.
    pub(super) fn text<'w>(&'w self, path: &[&str], words: &'w Words) -> Option<&'w str> {
        let mut reader = self.reader(words);
        for name in path {
            reader.enter(name)?;
        }
        let (kind, size) = reader.head();
        (kind == TEXT || kind == WORD).then(|| reader.text(kind, size))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn reader<'w>(&'w self, words: &'w Words) -> Reader<'w> {
        Reader {
            rest: &self.0,
            words,
        }
    }
}

struct Writer<'w> {
    bytes: Vec<u8>,
    whose: Whose,
    words: &'w mut Words,
}

impl Writer<'_> {
    fn value(&mut self, json: &Json) {
        match json {
            Json::Null => self.head(CONSTANT, NULL),
            Json::Bool(false) => self.head(CONSTANT, FALSE),
            Json::Bool(true) => self.head(CONSTANT, TRUE),
            Json::Int(int) => self.int(*int),
            Json::Uint(uint) => self.wide(UINT, uint.to_le_bytes()),
            Json::Double(double) => self.wide(DOUBLE, double.to_bits().to_le_bytes()),
            Json::String(text) => match self.words.number(text, self.whose) {
                Some(number) => self.head(WORD, number),
                None => self.text(text),
            },
            Json::List(list) => {
                self.head(LIST, list.len() as u64);
                for value in list {
                    self.value(value);
                }
            }
            Json::Map(map) => {
                self.head(MAP, map.len() as u64);
                for (name, value) in map {
                    match self.words.number_of_name(name) {
                        Some(number) => self.head(WORD, number),
                        None => self.text(name),
                    }
                    self.value(value);
                }
            }
        }
    }

    fn int(&mut self, int: i64) {
        let zigzag = ((int << 1) ^ (int >> 63)).cast_unsigned();
        if zigzag.leading_zeros() >= KIND_BITS {
            self.head(INT, zigzag);
        } else {
            self.wide(WIDE_INT, int.to_le_bytes());
        }
    }

    fn wide(&mut self, which: u64, bytes: [u8; 8]) {
        self.head(CONSTANT, which);
        self.bytes.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    fn head(&mut self, kind: u64, size: u64) {
        let mut left = size << KIND_BITS | kind;
        while left >= 0x80 {
            self.bytes.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        self.bytes.push(left.to_le_bytes()[0]);
    }
}

/// Reads what [`Writer`] wrote. On other bytes it would read nonsense, never outside of them.
struct Reader<'w> {
    rest: &'w [u8],
    words: &'w Words,
}

impl<'w> Reader<'w> {
    fn value(&mut self) -> Json {
        let (kind, size) = self.head();
        match kind {
            CONSTANT => self.constant(size),
            INT => Json::Int(unzigzag(size)),
            LIST => (0..size).map(|_| self.value()).collect::<Vec<_>>().into(),
            MAP => Json::Map((0..size).map(|_| self.entry()).collect::<Map>()),
            _ => Json::from(self.text(kind, size)),
        }
    }

    fn entry(&mut self) -> (Arc<str>, Json) {
        let (kind, size) = self.head();
        let name = match kind {
            WORD => self.words.get(size).clone(),
            _ => self.text(kind, size).into(),
        };
        (name, self.value())
    }

    fn is(&mut self, json: &Json) -> bool {
        let (kind, size) = self.head();
        match (kind, json) {
            (LIST, Json::List(list)) => {
                size == list.len() as u64 && list.iter().all(|value| self.is(value))
            }
            (MAP, Json::Map(map)) => {
                size == map.len() as u64
                    && map.iter().all(|(name, value)| {
                        let (kind, size) = self.head();
                        self.text(kind, size) == &**name && self.is(value)
                    })
            }
            (TEXT | WORD, Json::String(text)) => self.text(kind, size) == &**text,
            (INT, Json::Int(int)) => unzigzag(size) == *int,
            (CONSTANT, _) => self.constant(size) == *json,
            _ => false,
        }
    }

    /// Goes to the value of a field; `None` where there is none.
    fn enter(&mut self, wanted: &str) -> Option<()> {
        let (MAP, entries) = self.head() else {
            return None;
        };
        for _ in 0..entries {
            let (kind, size) = self.head();
            if self.text(kind, size) == wanted {
                return Some(());
            }
            self.skip();
        }
        None
    }

    fn skip(&mut self) {
        let (kind, size) = self.head();
        match kind {
            CONSTANT => drop(self.constant(size)),
            TEXT => drop(self.text(kind, size)),
            LIST => (0..size).for_each(|_| self.skip()),
            MAP => (0..2 * size).for_each(|_| self.skip()),
            _ => {}
        }
    }

    fn constant(&mut self, which: u64) -> Json {
        match which {
            FALSE => Json::Bool(false),
            TRUE => Json::Bool(true),
            UINT => Json::Uint(u64::from_le_bytes(self.eight())),
            DOUBLE => Json::Double(f64::from_bits(u64::from_le_bytes(self.eight()))),
            WIDE_INT => Json::Int(i64::from_le_bytes(self.eight())),
            _ => Json::Null,
        }
    }

    fn text(&mut self, kind: u64, size: u64) -> &'w str {
        if kind == WORD {
            return self.words.get(size);
        }
        let end = usize::try_from(size).map_or(self.rest.len(), |size| size.min(self.rest.len()));
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }

    fn head(&mut self) -> (u64, u64) {
        let mut head = 0;
        let mut shift = 0;
        while let [byte, rest @ ..] = self.rest {
            self.rest = rest;
            head |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 || shift >= u64::BITS {
                break;
            }
        }
        (head & ((1 << KIND_BITS) - 1), head >> KIND_BITS)
    }

    fn eight(&mut self) -> [u8; 8] {
        let Some((eight, rest)) = self.rest.split_first_chunk() else {
            return [0; 8];
        };
        self.rest = rest;
        *eight
    }
}

fn unzigzag(zigzag: u64) -> i64 {
    (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> Json {
        serde_json::from_str(text).expect("the test's JSON is valid")
    }

    fn uid(number: u32) -> Uid {
        Uid::parse(&number.to_string())
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let text = prop_oneof!["[a-c]{0,2}", ".{0,80}"];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::Int),
            (-3_i64..3).prop_map(Json::Int),
            any::<u64>().prop_map(Json::from),
            any::<f64>()
                .prop_filter("JSON has no NaN", |double| !double.is_nan())
                .prop_map(Json::Double),
            text.clone().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::vec((text.clone(), inner), 0..6).prop_map(|entries| {
                    let entries = entries.into_iter();
                    Json::Map(entries.map(|(key, value)| (key.into(), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_and_only_that_is_the_same(
            values in prop::collection::vec(any_json(), 1..6),
        ) {
            let mut words = Words::default();
            let packed: Vec<Packed> = (0..)
                .zip(&values)
                .map(|(number, value)| Packed::new(uid(number), value, &mut words))
                .collect();
            for (packed, value) in packed.iter().zip(&values) {
                prop_assert_eq!(&packed.json(&words), value);
                for other in &values {
                    prop_assert_eq!(packed.is(other, &words), value == other);
                }
            }
        }
    }

    #[test]
    fn a_text_is_found_by_its_path() {
        let mut words = Words::default();
        let object = json(
            r#"{"a":[1,{"name":"no"},18446744073709551615],"b":{"c":"x","name":"main","z":7},"d":null}"#,
        );
        let packed = Packed::new(uid(1), &object, &mut words);
        assert_eq!(packed.text(&["b", "name"], &words), Some("main"));
        assert_eq!(packed.text(&["b", "z"], &words), None);
        assert_eq!(packed.text(&["b", "nowhere"], &words), None);
        assert_eq!(packed.text(&["d", "name"], &words), None);
    }

    #[test]
    fn what_objects_have_in_common_takes_a_byte_or_two() {
        let mut words = Words::default();
        let object = |name: &str| {
            json(&format!(
                r#"{{"kind":"DatabaseInstance","metadata":{{"name":"{name}","namespace":"prod"}},"status":{{"phase":"Running","replicas":3}}}}"#
            ))
        };
        for (number, name) in [(1, "a"), (2, "b")] {
            Packed::new(uid(number), &object(name), &mut words);
        }
        let packed = Packed::new(uid(3), &object("orders"), &mut words);
        // Two bytes a field with its text or number, one more a map, and the name itself.
        assert_eq!(packed.len(), 21);
        assert_eq!(packed.json(&words), object("orders"));
    }
}
