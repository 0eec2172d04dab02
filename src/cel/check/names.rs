//! Names, fields and indices.

use super::Checker;
use crate::cel::node::{Base, Field, Node, Op, Span};
use crate::cel::types::{Nowhere, Type};
use std::ops::Range;

impl<'p> Checker<'p> {
    pub(super) fn name(&mut self, node: &'p Node) -> Type {
        match &node.op {
            Op::Root(number) => self.root(*number),
            Op::Local(up) => self.local(*up),
            Op::Path(base, fields) => {
                let mut of = match base {
                    Base::Root(number) => self.root(*number),
                    Base::Local(up) => self.local(*up),
                };
                for field in fields {
                    of = self.field(&of, field, field.span);
                }
                of
            }
            Op::Select(operand, field) => {
                let of = self.of(operand);
                self.field(&of, field, node.span)
            }
            Op::Has(operand, field) => {
                let of = self.of(operand);
                self.field(&of, field, node.span);
                Type::Bool
            }
            _ => Type::Dyn,
        }
    }

    fn root(&self, number: u16) -> Type {
        let name = self.code.names.get(usize::from(number));
        name.map_or(Type::Dyn, |name| match &*name.name {
            "oldObject" => self.types.of("object"),
            name => self.types.of(name),
        })
    }

    fn local(&self, up: u16) -> Type {
        let at = self.locals.len().checked_sub(usize::from(up) + 1);
        at.map_or(Type::Dyn, |at| self.locals[at].clone())
    }

    fn field(&mut self, of: &Type, field: &Field, span: Span) -> Type {
        let found = match of {
            Type::Dyn | Type::Null => return Type::Dyn,
            Type::Object(object) => object.field(&field.name),
            Type::Map(key, value) if Type::String.takes(key) => Ok((**value).clone()),
            Type::Optional(inner) => {
                return match self.field(inner, field, span) {
                    inner @ Type::Optional(_) => inner,
                    inner => Type::optional(inner),
                };
            }
            other => Err(no_fields(other, &field.name)),
        };
        let at = last_name(self.text(span), span);
        found.unwrap_or_else(|nowhere| self.nowhere(at, nowhere))
    }

    fn nowhere(&mut self, at: Range<usize>, nowhere: Nowhere) -> Type {
        self.problem(at, nowhere.message, nowhere.help)
    }

    /// `operand[index]`, and `operand.?name`, of which `span` is the whole.
    pub(super) fn index(&mut self, operand: &'p Node, index: &'p Node, span: Span) -> Type {
        let of = self.of(operand);
        let by = self.of(index);
        let at = match self.text(index.span) {
            // The name of an optional field stands behind the mark.
            "" | "?" | ".?" | "." => last_name(self.text(span).trim_end_matches('?'), span),
            _ => index.span.range(),
        };
        self.at_index(&of, &by, [operand, index], at)
    }

    fn at_index(&mut self, of: &Type, by: &Type, of_by: [&'p Node; 2], span: Range<usize>) -> Type {
        let [operand, index] = of_by;
        if let Type::Optional(inner) = of {
            return match self.at_index(inner, by, of_by, span) {
                inner @ Type::Optional(_) => inner,
                inner => Type::optional(inner),
            };
        }
        match of {
            Type::Dyn | Type::Null => Type::Dyn,
            Type::List(item) if by.is_dyn() || by.is_number() => (**item).clone(),
            Type::List(_) => {
                let message = format!("a list is indexed by a number, not by {}", by.article());
                let list = self.text(operand.span);
                let help = format!("write {list}.filter(item, …) to find an item");
                self.problem(span, message, Some(help))
            }
            Type::Map(key, value) if key.may_equal(by) => (**value).clone(),
            Type::Object(object) if Type::String.takes(by) => match Self::constant(index) {
                Some(name) => {
                    let found = object.field(name);
                    found.unwrap_or_else(|nowhere| self.nowhere(span, nowhere))
                }
                None => Type::Dyn,
            },
            Type::Map(..) | Type::Object(_) => {
                let message = format!("there is no key that is {}", by.article());
                self.problem(span, message, None)
            }
            other => {
                let message = format!("{} has no items", other.article());
                self.problem(operand.span.range(), message, None)
            }
        }
    }
}

fn no_fields(of: &Type, name: &str) -> Nowhere {
    let help = match of {
        Type::List(_) => Some(format!(
            "write .exists(item, item.{name} == …), .map(item, item.{name}) or [0].{name}"
        )),
        _ => None,
    };
    Nowhere {
        name: name.to_owned(),
        message: format!("{} has no field '{name}'", of.article()),
        help,
    }
}

/// The last name of a chain of fields; for `has(a.b)` the brackets do not count.
fn last_name(text: &str, span: Span) -> Range<usize> {
    let end = text.trim_end_matches([')', ' ', '\n']).len();
    let start = text[..end].rfind(['.', '?']).map_or(0, |dot| dot + 1);
    let start = start + (text[start..end].len() - text[start..end].trim_start().len());
    let base = span.start as usize;
    base + start..base + end
}
