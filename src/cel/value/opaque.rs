//! [`Opaque`]: values that only a library's functions look into.

use crate::cel::json::Json;
use std::any::Any;
use std::cmp::Ordering;
use std::fmt::Debug;

/// A value of a library.
pub trait Opaque: Any + Debug + Send + Sync {
    /// Its name, as it stands in messages.
    fn type_name(&self) -> &'static str;

    /// Whether the two are the same value. Values of different types are not.
    fn equals(&self, other: &dyn Opaque) -> bool;

    /// How the two are ordered, where the type has an order.
    fn compare(&self, _other: &dyn Opaque) -> Option<Ordering> {
        None
    }

    /// Its JSON, mostly its text.
    fn to_json(&self) -> Json;
}

impl dyn Opaque {
    /// The library's own type.
    #[must_use]
    pub fn downcast<T: Opaque>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}
