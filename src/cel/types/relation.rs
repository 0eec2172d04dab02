//! Which types go together: in a comparison, as an argument, as one type of two.
//!
//! A type that is two at once goes with whatever either of the two goes with.

use std::sync::Arc;

use super::Type;
use crate::cel::node::Arithmetic;

impl Type {
    /// The types that a value of this type may be used as; none for `Dyn`, which is all of them.
    fn faces(&self) -> Vec<Type> {
        match self {
            Type::Number => vec![Type::Int, Type::Double],
            Type::Enum(_) => vec![Type::String],
            Type::TimeText => vec![Type::String, Type::Timestamp],
            Type::DurationText => vec![Type::String, Type::Duration],
            other => vec![other.clone()],
        }
    }

    pub(in crate::cel) fn is_dyn(&self) -> bool {
        matches!(self, Type::Dyn)
    }

    pub(in crate::cel) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double | Type::Number)
    }

    /// Whether a condition may be of this type.
    #[must_use]
    pub fn may_be_bool(&self) -> bool {
        matches!(self, Type::Dyn | Type::Bool)
    }

    /// Whether two values of these types may be equal.
    pub(in crate::cel) fn may_equal(&self, other: &Type) -> bool {
        use Type::{Dyn, Enum, List, Map, Null, Object, Opaque, Optional};
        match (self, other) {
            // Null is equal to what is absent.
            (Dyn | Null, _) | (_, Dyn | Null) => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (Enum(a), Enum(b)) => a.iter().any(|value| b.contains(value)),
            // Both may be empty.
            (List(_), List(_)) | (Map(..) | Object(_), Map(..) | Object(_)) => true,
            (Optional(a), Optional(b)) => a.may_equal(b),
            (Opaque(a), Opaque(b)) => a == b,
            // Text is equal to text only: a time in it is not yet a time.
            (a, b) => a.word() == b.word(),
        }
    }

    /// Whether `<` and the like have an answer.
    pub(in crate::cel) fn may_be_ordered(&self, other: &Type) -> bool {
        if self.is_dyn() || other.is_dyn() {
            return true;
        }
        let goes = |a: &Type, b: &Type| match (a, b) {
            (a, b) if a.is_number() => b.is_number(),
            (Type::Opaque(a), Type::Opaque(b)) => a == b,
            (Type::Bool | Type::String | Type::Bytes | Type::Timestamp | Type::Duration, b) => {
                a == b
            }
            _ => false,
        };
        let others = other.faces();
        let mut faces = self.faces().into_iter();
        faces.any(|a| others.iter().any(|b| goes(&a, b)))
    }

    /// What `a + b` and the like are; nothing where they are not possible.
    pub(in crate::cel) fn arithmetic(&self, op: Arithmetic, other: &Type) -> Option<Type> {
        if let (Type::Number, b) | (b, Type::Number) = (self, other)
            && matches!(b, Type::Number | Type::Int | Type::Double)
        {
            return Some(Type::Number);
        }
        let mut found: Option<Type> = None;
        for a in self.faces() {
            for b in other.faces() {
                if let Some(of) = arithmetic(op, &a, &b) {
                    found = Some(match found {
                        Some(before) => before.join(&of),
                        None => of,
                    });
                }
            }
        }
        found
    }

    /// Whether a function that takes this type takes the other one.
    pub(in crate::cel) fn takes(&self, argument: &Type) -> bool {
        match (self, argument) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::Number, given) => given.is_number(),
            (Type::List(of), Type::List(item)) => of.takes(item),
            (Type::Map(key, value), Type::Map(k, v)) => key.takes(k) && value.takes(v),
            (Type::Map(key, _), Type::Object(_)) => key.takes(&Type::String),
            (Type::Optional(of), Type::Optional(inner)) => of.takes(inner),
            (wanted, given) => given.faces().contains(wanted),
        }
    }

    /// One type for both.
    #[must_use]
    pub(in crate::cel) fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Type::List(a), Type::List(b)) => Type::list(a.join(b)),
            (Type::Map(k, v), Type::Map(l, w)) => Type::map(k.join(l), v.join(w)),
            (Type::Optional(a), Type::Optional(b)) => Type::optional(a.join(b)),
            (Type::Enum(a), Type::Enum(b)) => {
                let mut all = a.to_vec();
                all.extend(b.iter().filter(|value| !a.contains(value)).cloned());
                Type::Enum(all.into())
            }
            (Type::String, Type::Enum(_)) | (Type::Enum(_), Type::String) => Type::String,
            (Type::Object(a), Type::Object(b)) => Type::Object(Arc::new(a.join(b))),
            _ => Type::Dyn,
        }
    }

    pub(in crate::cel) fn join_all(types: impl Iterator<Item = Type>) -> Type {
        types.reduce(|a, b| a.join(&b)).unwrap_or(Type::Dyn)
    }
}

fn arithmetic(op: Arithmetic, a: &Type, b: &Type) -> Option<Type> {
    use Arithmetic::{Add, Modulo, Subtract};
    use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
    Some(match (op, a, b) {
        (_, Dyn, _) | (_, _, Dyn) => Dyn,
        (_, Int, Int) => Int,
        (_, Uint, Uint) => Uint,
        (op, Double, Double) if op != Modulo => Double,
        (Add, String, String) => String,
        (Add, Bytes, Bytes) => Bytes,
        (Add, List(a), List(b)) => Type::list(a.join(b)),
        (Add | Subtract, Timestamp, Duration) | (Add, Duration, Timestamp) => Timestamp,
        (Subtract, Timestamp, Timestamp) | (Add | Subtract, Duration, Duration) => Duration,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_a_time_is_used_as_either() {
        let (time, text) = (Type::Timestamp, Type::TimeText);
        assert!(text.may_be_ordered(&time) && text.may_be_ordered(&Type::String));
        assert!(!text.may_equal(&time) && text.may_equal(&Type::String));
        assert_eq!(
            time.arithmetic(Arithmetic::Subtract, &text),
            Some(Type::Duration)
        );
        assert_eq!(
            text.arithmetic(Arithmetic::Add, &Type::String),
            Some(Type::String)
        );
        assert_eq!(text.arithmetic(Arithmetic::Subtract, &Type::String), None);
        assert!(time.takes(&text) && Type::String.takes(&text) && !Type::Int.takes(&text));
    }

    #[test]
    fn a_json_number_goes_with_ints_and_doubles() {
        let product = Type::Number.arithmetic(Arithmetic::Multiply, &Type::Int);
        assert_eq!(product, Some(Type::Number));
        assert_eq!(Type::Int.arithmetic(Arithmetic::Add, &Type::Double), None);
        assert!(Type::Double.takes(&Type::Number) && Type::Int.may_equal(&Type::Double));
    }

    #[test]
    fn what_is_not_known_goes_with_everything() {
        let all = [
            Type::Null,
            Type::Bool,
            Type::list(Type::Int),
            Type::Opaque("quantity"),
        ];
        for of in all {
            assert!(
                Type::Dyn.may_equal(&of) && of.may_be_ordered(&Type::Dyn) && of.takes(&Type::Dyn)
            );
            assert_eq!(
                of.arithmetic(Arithmetic::Divide, &Type::Dyn),
                Some(Type::Dyn)
            );
        }
    }
}
