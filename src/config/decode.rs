//! From a document's tree to a type: a serde deserializer that knows places.
//!
//! In: a [`Document`]'s node. Out: any `Deserialize` type, each [`Text`](super::Text) with its place;
//! or the error with the place of the innermost node that it is about.

use std::fmt;
use std::ops::Range;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::documents::Document;
use super::node::{Key, Node, Value};
use super::text;
use crate::diagnostic::Diagnostic;

/// Reads a type from a node of a document.
pub(super) fn decode<T: DeserializeOwned>(
    document: &Document,
    node: &Node,
) -> Result<T, Diagnostic> {
    text::reading(&document.source, || {
        T::deserialize(Placed { node, document })
    })
    .map_err(|error| {
        let span = error.span.as_ref().unwrap_or(&node.span);
        Diagnostic::error(error.message).at(document.place(span))
    })
}

#[derive(Debug)]
struct DecodeError {
    message: String,
    span: Option<Range<usize>>,
}

impl DecodeError {
    /// Says where, unless something within it has said so already.
    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            span: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Placed<'a> {
    node: &'a Node,
    document: &'a Document,
}

impl<'a> Placed<'a> {
    fn of(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }
}

impl<'de, 'a: 'de> IntoDeserializer<'de, DecodeError> for Placed<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de, 'a: 'de> Deserializer<'de> for Placed<'a> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => number
                .deserialize_any(visitor)
                .map_err(serde::de::Error::custom),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(|item| self.of(item))))
            }
            Value::Mapping(entries) => visitor.visit_map(MapDeserializer::new(
                entries
                    .iter()
                    .map(|(key, value)| (PlacedKey(key), self.of(value))),
            )),
        }
        .map_err(|error| error.at(&self.node.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::String(text) if name == text::MARKER => {
                let place = self.document.place(&self.node.span);
                visitor.visit_seq(TextParts {
                    numbers: [place.end, place.start],
                    left: 2,
                    text: Some(text),
                })
            }
            _ if name == text::MARKER => self.deserialize_any(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::String(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            Value::Mapping(entries) if entries.len() == 1 => visitor.visit_enum(Variant {
                key: &entries[0].0,
                value: self.of(&entries[0].1),
            }),
            _ => Err(serde::de::Error::custom("exactly one key is wanted here")),
        }
        .map_err(|error: DecodeError| error.at(&self.node.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct PlacedKey<'a>(&'a Key);

impl<'de, 'a: 'de> IntoDeserializer<'de, DecodeError> for PlacedKey<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de, 'a: 'de> Deserializer<'de> for PlacedKey<'a> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor
            .visit_borrowed_str(&self.0.name)
            .map_err(|error: DecodeError| error.at(&self.0.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What a `Text` is made of: start, end, text.
struct TextParts<'a> {
    numbers: [usize; 2],
    left: usize,
    text: Option<&'a str>,
}

impl<'de> serde::de::SeqAccess<'de> for TextParts<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: serde::de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if self.left > 0 {
            self.left -= 1;
            return seed
                .deserialize(self.numbers[self.left].into_deserializer())
                .map(Some);
        }
        self.text
            .take()
            .map(|text| seed.deserialize(StrDeserializer::new(text)))
            .transpose()
    }
}

/// An enum written as a mapping of one key.
struct Variant<'a> {
    key: &'a Key,
    value: Placed<'a>,
}

impl<'de, 'a: 'de> EnumAccess<'de> for Variant<'a> {
    type Error = DecodeError;
    type Variant = Placed<'a>;

    fn variant_seed<V: serde::de::DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Placed<'a>), DecodeError> {
        Ok((seed.deserialize(PlacedKey(self.key))?, self.value))
    }
}

impl<'de, 'a: 'de> VariantAccess<'de> for Placed<'a> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: serde::de::DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_any(visitor)
    }
}
