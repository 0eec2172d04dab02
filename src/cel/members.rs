//! [`Members`]: a constant list as a set, for `in`.

use super::value::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// The texts and the whole numbers of a list of constants. What else may be in it, or be looked
/// for, is compared one by one, because numbers are equal across their types and doubles round.
#[derive(Clone, Debug)]
pub struct Members {
    texts: HashSet<Arc<str>>,
    /// `None`: there is a double among the numbers.
    numbers: Option<HashSet<i64>>,
}

/// Fewer elements are looked through faster than they are hashed.
const FEW: usize = 8;

impl Members {
    /// The set of a list, if it has more than a few elements and all are constants of scalar types.
    #[must_use]
    pub fn of(list: &[Value<'static>]) -> Option<Members> {
        if list.len() < FEW {
            return None;
        }
        let mut texts = HashSet::new();
        let mut numbers = HashSet::new();
        let mut doubles = false;
        for value in list {
            match value {
                Value::Str(_) | Value::String(_) => {
                    texts.insert(Arc::from(value.as_str()?));
                }
                Value::Int(i) => {
                    numbers.insert(*i);
                }
                // One beyond the ints is equal to none of them.
                Value::Uint(u) => numbers.extend(i64::try_from(*u).ok()),
                Value::Double(_) => doubles = true,
                Value::Bool(_) | Value::Null => {}
                _ => return None,
            }
        }
        Some(Members {
            texts,
            numbers: (!doubles).then_some(numbers),
        })
    }

    /// Whether a text or an int is in it; `None` where the list itself must be asked.
    #[must_use]
    pub fn has(&self, needle: &Value<'_>) -> Option<bool> {
        match needle {
            Value::Str(text) => Some(self.texts.contains(*text)),
            Value::String(text) => Some(self.texts.contains(&**text)),
            Value::Int(int) => self.numbers.as_ref().map(|numbers| numbers.contains(int)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cel::value::Value;
    use crate::cel::value::equality::same_scalar;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            "[ab]{0,2}".prop_map(Value::text),
            (-3_i64..3).prop_map(Value::Int),
            prop_oneof![0_u64..3, Just(u64::MAX)].prop_map(Value::Uint),
            prop_oneof![Just(1.0), Just(0.5), Just(f64::NAN)].prop_map(Value::Double),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            Just(Value::Absent),
        ]
    }

    proptest! {
        #[test]
        fn the_set_has_what_the_list_has(
            list in prop::collection::vec(scalar(), 8..20), needle in scalar(),
        ) {
            if let Some(answer) = super::Members::of(&list).and_then(|set| set.has(&needle)) {
                let wanted = list.iter().any(|item| same_scalar(&needle, item));
                prop_assert_eq!(answer, wanted, "{:?} in {:?}", needle, list);
            }
        }
    }
}
