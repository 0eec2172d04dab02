//! Comparisons: those that no types allow, and those whose answer can only be a mistake.

use super::Checker;
use crate::cel::compile::nearest;
use crate::cel::node::{Comparison, Node, Op, Span};
use crate::cel::types::{Type, listed};
use crate::cel::value::Value;
use crate::cel::value::equality::items;
use std::ops::Range;
use std::sync::Arc;

impl<'p> Checker<'p> {
    /// `a == b` and `a != b`.
    pub(super) fn equality(&mut self, sides: &'p [Node; 2], span: Span) -> Type {
        let [left, right] = sides;
        let (a, b) = (self.of(left), self.of(right));
        let (a, b) = self.times(a, b, span);
        self.value_of_enum(left, &a, right);
        self.value_of_enum(right, &b, left);
        if !a.may_equal(&b) {
            let message = match (&a, &b) {
                (Type::Enum(_), Type::Enum(_)) => "these two have no value in common".to_owned(),
                _ => format!("{} is never equal to {}", a.article(), b.article()),
            };
            let help = self.converted(left, &a, right, &b);
            let help = help.or_else(|| self.converted(right, &b, left, &a));
            self.problem(span.range(), message, help);
        }
        Type::Bool
    }

    /// How text is made what it is compared with.
    fn converted(&self, node: &Node, of: &Type, with: &Node, as_of: &Type) -> Option<String> {
        let function = match (of, as_of) {
            (Type::String | Type::TimeText, Type::Timestamp) => "timestamp",
            (Type::String | Type::DurationText, Type::Duration) => "duration",
            (Type::String | Type::Enum(_), number) if number.is_number() => {
                if let Some(text) = Self::constant(node) {
                    return Some(format!("write {text}, without quotes"));
                }
                if matches!(with.op, Op::Const(_)) {
                    return Some(format!("write '{}', in quotes", self.text(with.span)));
                }
                "int"
            }
            _ => return None,
        };
        Some(format!("write {function}({})", self.text(node.span)))
    }

    /// Text that is compared with an enum must be one of its values.
    fn value_of_enum(&mut self, node: &'p Node, of: &Type, with: &'p Node) {
        let (Type::Enum(values), Some(text)) = (of, Self::constant(with)) else {
            return;
        };
        self.one_of(node, values, text, with.span.range());
    }

    fn one_of(&mut self, node: &'p Node, values: &[Arc<str>], text: &str, at: Range<usize>) {
        // Empty is what an absent one reads as.
        if text.is_empty() || values.iter().any(|value| **value == *text) {
            return;
        }
        let values = || values.iter().map(|value| &**value);
        let message = format!("{} is never '{text}'", self.text(node.span));
        let (message, help) = match nearest(text, values()) {
            Some(near) => (format!("{message}, did you mean '{near}'?"), None),
            None => (
                message,
                Some(format!("its values are {}", listed(values()))),
            ),
        };
        self.problem(at, message, help);
    }

    /// `<`, and `==` where a side moves with the time.
    pub(super) fn comparison(
        &mut self,
        sides: &'p [Node; 2],
        comparison: Comparison,
        span: Span,
    ) -> Type {
        if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            return self.equality(sides, span);
        }
        let (a, b) = (self.of(&sides[0]), self.of(&sides[1]));
        let (a, b) = self.times(a, b, span);
        if matches!(
            (&a, &b),
            (Type::DurationText, Type::String) | (Type::String, Type::DurationText)
        ) {
            let message = "durations in text are compared letter by letter".to_owned();
            let help = format!(
                "write duration({}) {} duration({})",
                self.text(sides[0].span),
                comparison.symbol(),
                self.text(sides[1].span)
            );
            self.problem(span.range(), message, Some(help));
        } else if !a.may_be_ordered(&b) {
            let symbol = comparison.symbol();
            let message = format!("{} {symbol} {} is not possible", a.word(), b.word());
            let [left, right] = sides;
            let help = self.converted(left, &a, right, &b);
            let help = help.or_else(|| self.converted(right, &b, left, &a));
            self.problem(span.range(), message, help);
        }
        Type::Bool
    }

    /// `needle in haystack`.
    pub(super) fn membership(&mut self, sides: &'p [Node; 2], span: Span) -> Type {
        let [needle, haystack] = sides;
        let (a, b) = (self.of(needle), self.of(haystack));
        if let Type::Enum(values) = &a {
            for (text, at) in self.texts_in(haystack) {
                self.one_of(needle, values, &text, at);
            }
        }
        let item = match &b {
            Type::Dyn | Type::Null => return Type::Bool,
            Type::List(item) => (**item).clone(),
            Type::Map(key, _) => (**key).clone(),
            Type::Object(object) => {
                if let Some(name) = Self::constant(needle)
                    && let Err(nowhere) = object.field(name)
                {
                    self.problem(needle.span.range(), nowhere.message, nowhere.help);
                }
                Type::String
            }
            other => {
                let message = format!("{} is no list or map to look into", other.article());
                let help = (other.word() == "string").then(|| {
                    let (part, text) = (self.text(needle.span), self.text(haystack.span));
                    format!("write {text}.contains({part})")
                });
                self.problem(haystack.span.range(), message, help);
                return Type::Bool;
            }
        };
        if let (Type::Enum(values), Some(text)) = (&item, Self::constant(needle)) {
            self.one_of(haystack, values, text, needle.span.range());
        }
        let a = self.needle(a, &item, span);
        if !a.may_equal(&item) {
            let message = format!("{} is never in {}", a.article(), plural(&b, &item));
            self.problem(span.range(), message, None);
        }
        Type::Bool
    }

    /// The constant texts of a list in the source, each with its place.
    fn texts_in(&self, list: &Node) -> Vec<(String, Range<usize>)> {
        match &list.op {
            Op::List(elements) => elements
                .iter()
                .filter_map(|element| {
                    let text = Self::constant(&element.value)?;
                    Some((text.to_owned(), element.value.span.range()))
                })
                .collect(),
            Op::Const(value) => items(value).map_or_else(Vec::new, |items| {
                let values = (0..items.len()).map(|at| items.get(at));
                let texts = values.filter_map(|value| match &value {
                    Value::Str(_) | Value::String(_) => value.as_str().map(str::to_owned),
                    _ => None,
                });
                texts.map(|text| self.placed(text, list.span)).collect()
            }),
            _ => Vec::new(),
        }
    }

    /// Where a text stands within a part of the source; all of it, if it is written otherwise.
    fn placed(&self, text: String, within: Span) -> (String, Range<usize>) {
        let source = self.text(within);
        let written = [format!("'{text}'"), format!("\"{text}\"")];
        let found = written
            .iter()
            .find_map(|written| Some((source.find(written.as_str())?, written.len())));
        let range = within.range();
        let place = match found {
            Some((at, length)) => range.start + at..range.start + at + length,
            None => range,
        };
        (text, place)
    }
}

/// `a list of strings`.
fn plural(of: &Type, item: &Type) -> String {
    match of {
        Type::List(_) => format!("a list of {}s", item.word()),
        _ => format!("a map with {} keys", item.word()),
    }
}
