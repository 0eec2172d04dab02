//! A string of a document that is an expression or a template, with where it stands.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::diagnostic::{Place, Position, Source};

/// An expression or a template.
///
/// Two texts are equal when they say the same, wherever they stand: moving a rule within its file
/// changes nothing.
#[derive(Clone, Debug)]
pub struct Text {
    pub text: String,
    /// Absent where it did not come from a source that we read (an object of the cluster).
    /// A block scalar's place is its content, without the `|` or `>`; a quoted one's includes the quotes.
    pub place: Option<Place>,
}

impl Text {
    /// The line and column in the file of a byte of `text`, whatever the YAML style it is written in.
    #[must_use]
    pub fn locate(&self, offset: usize) -> Option<Position> {
        self.place_of(offset, 0).map(|place| place.position())
    }

    /// The stretch of the file that `length` bytes of `text`, from `offset`, were written as.
    #[must_use]
    pub fn place_of(&self, offset: usize, length: usize) -> Option<Place> {
        let place = self.place.as_ref()?;
        let raw = place.source.text().get(place.start..place.end)?;
        let start = alignment(&self.text, raw, offset);
        let end = if length == 0 {
            start
        } else {
            // The end of the last character, not the start of the next: that may be lines away.
            let last = floor(&self.text, (offset + length).saturating_sub(1));
            let at = alignment(&self.text, raw, last);
            at + raw_length(&self.text, raw, at)
        };
        Some(Place {
            source: Arc::clone(&place.source),
            start: place.start + start,
            end: place.start + end.max(start),
        })
    }
}

/// The byte offset in the scalar as it is written (`raw`) of a byte offset in what it says (`text`).
///
/// Indentation, folding and line breaks only ever add or turn white space, so the two agree in
/// everything else: the n-th character that is no white space is the same in both.
fn alignment(text: &str, raw: &str, offset: usize) -> usize {
    let offset = floor(text, offset);
    let solid = |c: &char| !c.is_whitespace();
    let before = &text[..offset];
    let wanted = before.chars().filter(solid).count();
    let trailing: usize = before.len() - before.trim_end().len();
    let mut characters = written(text, raw).filter(|(_, _, c)| solid(c));
    if trailing == 0 && text[offset..].starts_with(|c: char| !c.is_whitespace()) || wanted == 0 {
        return characters.nth(wanted).map_or(raw.len(), |(at, _, _)| at);
    }
    // White space, or the end: count on from the character before it.
    match (
        wanted.checked_sub(1).and_then(|n| characters.nth(n)),
        text[offset..].chars().next(),
    ) {
        (Some((at, length, _)), None) => at + length,
        (Some((at, length, _)), Some(next)) if next.is_whitespace() => {
            floor(raw, (at + length + trailing).min(raw.len()))
        }
        _ => characters.next().map_or(raw.len(), |(at, _, _)| at),
    }
}

/// The length in `raw` of the character written at `at`.
fn raw_length(text: &str, raw: &str, at: usize) -> usize {
    written(text, raw)
        .find(|(start, _, _)| *start == at)
        .map_or(0, |(_, length, _)| length)
}

/// The characters that a scalar consists of: offset and length in `raw`, and what each stands for.
fn written<'a>(text: &str, raw: &'a str) -> Box<dyn Iterator<Item = (usize, usize, char)> + 'a> {
    let solid = |s: &str| {
        s.chars()
            .filter(|c| !c.is_whitespace())
            .map(char::len_utf8)
            .sum::<usize>()
    };
    // Without quotes there is nothing but white space to differ in; with them there are the quotes.
    if solid(text) == solid(raw) {
        return Box::new(raw.char_indices().map(|(at, c)| (at, c.len_utf8(), c)));
    }
    let Some((quote, inner)) = raw
        .chars()
        .next()
        .zip(raw.get(1..raw.len().saturating_sub(1)))
    else {
        return Box::new(std::iter::empty());
    };
    let mut rest = inner;
    Box::new(std::iter::from_fn(move || {
        let at = 1 + inner.len() - rest.len();
        let (length, character) = if quote == '"' {
            escaped(rest)?
        } else {
            doubled(rest)?
        };
        rest = &rest[length..];
        Some((at, length, character))
    }))
}

/// The first character of a single-quoted text: a quote is written twice.
fn doubled(rest: &str) -> Option<(usize, char)> {
    let first = rest.chars().next()?;
    Some((
        if rest.starts_with("''") {
            2
        } else {
            first.len_utf8()
        },
        first,
    ))
}

/// The first character of a double-quoted text, escapes resolved (YAML 1.2.2, 5.7).
fn escaped(rest: &str) -> Option<(usize, char)> {
    let first = rest.chars().next()?;
    let Some(after) = rest.strip_prefix('\\') else {
        return Some((first.len_utf8(), first));
    };
    let code = after.chars().next()?;
    let digits = match code {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let value = after
            .get(1..=digits)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())?;
        return Some((2 + digits, char::from_u32(value)?));
    }
    let character = match code {
        '0' | 'a' | 'b' | 'e' => '\u{1}',
        't' | 'n' | 'v' | 'f' | 'r' | ' ' | '_' | 'N' | 'L' | 'P' | '\t' | '\n' => ' ',
        other => other,
    };
    Some((1 + code.len_utf8(), character))
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            place: None,
        }
    }
}

impl schemars::JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// The newtype name by which a deserializer of placed nodes knows that the place is wanted too.
pub(super) const MARKER: &str = "bellwether::Text";

thread_local! {
    /// The source that is being read: serde hands a `Deserialize` nothing but plain data, and a
    /// place is more than that.
    static SOURCE: RefCell<Option<Arc<Source>>> = const { RefCell::new(None) };
}

/// Runs `read` so that each [`Text`] it deserializes has its place in `source`.
pub(super) fn reading<T>(source: &Arc<Source>, read: impl FnOnce() -> T) -> T {
    let before = SOURCE.replace(Some(Arc::clone(source)));
    let result = read();
    SOURCE.set(before);
    result
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(MARKER, TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    /// From any other format: the text alone.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(|text| Text { text, place: None })
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text::from(text))
    }

    /// From placed nodes: start, end, text.
    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let mut part = || parts.next_element::<usize>();
        let span = part()?.zip(part()?);
        let text = parts.next_element::<String>()?.unwrap_or_default();
        let place = SOURCE.with_borrow(|source| {
            let (start, end) = span?;
            let source = Arc::clone(source.as_ref()?);
            Some(Place { source, start, end })
        });
        Ok(Text { text, place })
    }
}
