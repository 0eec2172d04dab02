//! [`Type`]: what is known of a value before it is there, from a schema or from the expression.
//!
//! In: an `OpenAPI` schema ([`schema`]), a JSON value, or what a program computes. Out: types, the
//! fields at the end of a path, and which types go together ([`relation`]). `Dyn` goes with
//! everything: what is not known is never refused.

mod metadata;
pub(super) mod relation;
pub mod schema;

use super::compile::nearest;
use super::json::Json;
use super::paths::{PathSet, Step};
use super::value::Value;
use super::value::equality::{entries, items};
use std::fmt;
use std::sync::Arc;

/// The type of a value.
///
/// Some are of two types at once, because JSON has fewer than schemas: text that is a time is used
/// as text or as a time, and both are right.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Nothing is known.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    /// A JSON number: an int where it is whole, else a double.
    Number,
    String,
    /// Text that is one of these, or empty where it is absent.
    Enum(Arc<[Arc<str>]>),
    /// Text that is a time in RFC 3339 (`format: date-time`).
    TimeText,
    /// Text that is a duration (`format: duration`).
    DurationText,
    Bytes,
    Timestamp,
    Duration,
    /// The type of types.
    Type,
    List(Arc<Type>),
    Map(Arc<Type>, Arc<Type>),
    Optional(Arc<Type>),
    Object(Arc<Object>),
    /// A type of a library, by the name that its values have: `quantity`, `net.IP`.
    Opaque(&'static str),
}

/// A map with known fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Where it stands: `DatabaseInstance.status`.
    pub name: Arc<str>,
    /// Sorted by name.
    fields: Vec<(Arc<str>, Type)>,
    /// It may have others too.
    open: bool,
}

/// A path that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nowhere {
    /// The name that is not there.
    pub name: String,
    /// `no field 'phse' in DatabaseInstance.status, did you mean 'phase'?`
    pub message: String,
    /// What there is instead, where no name is near.
    pub help: Option<String>,
}

/// No message lists more names.
const MOST_LISTED: usize = 12;

impl Object {
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, mut fields: Vec<(Arc<str>, Type)>, open: bool) -> Object {
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Object {
            name: name.into(),
            fields,
            open,
        }
    }

    /// The type of a field.
    ///
    /// # Errors
    /// There is no such field.
    pub fn field(&self, name: &str) -> Result<Type, Nowhere> {
        match self
            .fields
            .binary_search_by(|(known, _)| (**known).cmp(name))
        {
            Ok(at) => Ok(self.fields[at].1.clone()),
            Err(_) if self.open => Ok(Type::Dyn),
            Err(_) => Err(self.nowhere(name)),
        }
    }

    /// One of the two: it has the fields of either, since what is absent may be read.
    fn join(&self, other: &Object) -> Object {
        let theirs = |name: &str| other.fields.iter().find(|(known, _)| **known == *name);
        let ours = self.fields.iter().map(|(name, of)| {
            let joined = theirs(name).map_or_else(|| of.clone(), |(_, their)| of.join(their));
            (Arc::clone(name), joined)
        });
        let is_ours = |name: &str| self.fields.iter().any(|(known, _)| **known == *name);
        let others = other.fields.iter().filter(|(name, _)| !is_ours(name));
        let name = if self.name == other.name {
            Arc::clone(&self.name)
        } else {
            format!("{} or {}", self.name, other.name).into()
        };
        let fields = ours.chain(others.cloned()).collect();
        Object::new(name, fields, self.open || other.open)
    }

    fn nowhere(&self, name: &str) -> Nowhere {
        let names = || self.fields.iter().map(|(known, _)| &**known);
        let message = format!("no field '{name}' in {}", self.name);
        match nearest(name, names()) {
            Some(near) => Nowhere {
                name: name.to_owned(),
                message: format!("{message}, did you mean '{near}'?"),
                help: None,
            },
            None => Nowhere {
                name: name.to_owned(),
                message,
                help: Some(if self.fields.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("it has {}", listed(names()))
                }),
            },
        }
    }
}

/// The names, as far as anybody reads them.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    let more = names.clone().count().saturating_sub(MOST_LISTED);
    let shown: Vec<&str> = names.take(MOST_LISTED).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Type {
    #[must_use]
    pub fn list(of: Type) -> Type {
        Type::List(Arc::new(of))
    }

    #[must_use]
    pub fn map(key: Type, value: Type) -> Type {
        Type::Map(Arc::new(key), Arc::new(value))
    }

    #[must_use]
    pub fn optional(of: Type) -> Type {
        Type::Optional(Arc::new(of))
    }

    #[must_use]
    pub fn object(name: &str, fields: Vec<(&str, Type)>) -> Type {
        let fields = fields.into_iter().map(|(name, of)| (name.into(), of));
        Type::Object(Arc::new(Object::new(name, fields.collect(), false)))
    }

    #[must_use]
    pub fn one_of(values: &[&str]) -> Type {
        Type::Enum(values.iter().map(|value| Arc::from(*value)).collect())
    }

    /// The type of a JSON value that is there, such as parameters: its fields and no others.
    #[must_use]
    pub fn of_json(name: &str, json: &Json) -> Type {
        match json {
            Json::Null => Type::Dyn,
            Json::Bool(_) => Type::Bool,
            Json::Int(_) => Type::Int,
            Json::Uint(_) => Type::Uint,
            Json::Double(_) => Type::Double,
            Json::String(_) => Type::String,
            Json::List(list) => {
                let name = format!("{name}[]");
                Type::list(Type::join_all(
                    list.iter().map(|json| Type::of_json(&name, json)),
                ))
            }
            Json::Map(map) => {
                let field = |(key, json): &(Arc<str>, Json)| {
                    (key.clone(), Type::of_json(&format!("{name}.{key}"), json))
                };
                let fields = map.into_iter().map(field).collect();
                Type::Object(Arc::new(Object::new(name, fields, false)))
            }
        }
    }

    /// The type of a value that the expression holds.
    pub(super) fn of_value(value: &Value<'_>) -> Type {
        match value {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Uint(_) => Type::Uint,
            Value::Double(_) => Type::Double,
            Value::Str(_) | Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::Timestamp(_) => Type::Timestamp,
            Value::Duration(_) => Type::Duration,
            Value::Type(_) => Type::Type,
            Value::Opaque(opaque) => Type::Opaque(opaque.type_name()),
            Value::Optional(Some(inner)) => Type::optional(Type::of_value(inner)),
            Value::Optional(None) => Type::optional(Type::Dyn),
            _ => Type::of_collection(value),
        }
    }

    fn of_collection(value: &Value<'_>) -> Type {
        if let Some(items) = items(value) {
            let types = (0..items.len()).map(|at| Type::of_value(&items.get(at)));
            return Type::list(Type::join_all(types));
        }
        match entries(value) {
            Some(map) => {
                let keys = (0..map.len()).map(|at| Type::of_value(&map.get(at).0));
                let values = (0..map.len()).map(|at| Type::of_value(&map.get(at).1));
                Type::map(Type::join_all(keys), Type::join_all(values))
            }
            None => Type::Dyn,
        }
    }

    /// What is at the end of a path.
    ///
    /// # Errors
    /// The path leads nowhere.
    pub fn walk(&self, steps: &[Step]) -> Result<Type, Nowhere> {
        let mut at = self.clone();
        for step in steps {
            at = match (at, step) {
                (Type::Object(object), Step::Field(name)) => object.field(name)?,
                (Type::Map(_, value), _) => (*value).clone(),
                (Type::List(of), Step::Each) => (*of).clone(),
                // Nothing is known, or it is a loop over the fields of an object.
                (Type::Dyn | Type::Object(_) | Type::Optional(_), _) => return Ok(Type::Dyn),
                (other, Step::Field(name)) => {
                    return Err(Nowhere {
                        name: name.to_string(),
                        message: format!("{} has no field '{name}'", other.article()),
                        help: None,
                    });
                }
                (other, Step::Each) => {
                    return Err(Nowhere {
                        name: String::new(),
                        message: format!("{} has no items", other.article()),
                        help: None,
                    });
                }
            };
        }
        Ok(at)
    }

    /// The paths of a set that lead nowhere.
    #[must_use]
    pub fn missing(&self, paths: &PathSet) -> Vec<Nowhere> {
        let steps = paths.steps().into_iter();
        steps.filter_map(|steps| self.walk(&steps).err()).collect()
    }

    /// In a sentence: `a list`, `an int`.
    #[must_use]
    pub fn article(&self) -> String {
        let name = self.word();
        let article = if name.starts_with(['a', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {name}")
    }

    /// In one word, as values of the type are called when something goes wrong at run time.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Type::Dyn => "value",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::Number => "number",
            Type::String | Type::Enum(_) | Type::TimeText | Type::DurationText => "string",
            Type::Bytes => "bytes",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::Type => "type",
            Type::List(_) => "list",
            Type::Map(..) => "map",
            Type::Object(_) => "object",
            Type::Optional(_) => "optional",
            Type::Opaque(name) => name,
        }
    }
}

/// As in the documentation of CEL: `list<string>`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::List(of) => write!(f, "list<{of}>"),
            Type::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Type::Optional(of) => write!(f, "optional<{of}>"),
            Type::Object(object) => f.write_str(&object.name),
            other => f.write_str(other.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> Type {
        let json =
            r#"{"hold": "5m", "limits": {"cpu": 2}, "names": ["a", "b"], "mixed": [1, "a"]}"#;
        Type::of_json("params", &serde_json::from_str(json).expect("JSON"))
    }

    #[test]
    fn json_gives_a_type_with_its_fields_and_no_others() {
        let at = |steps: &[Step]| params().walk(steps);
        let field = |name: &str| Step::Field(name.into());
        assert_eq!(at(&[field("limits"), field("cpu")]), Ok(Type::Int));
        assert_eq!(at(&[field("names"), Step::Each]), Ok(Type::String));
        assert_eq!(at(&[field("mixed"), Step::Each]), Ok(Type::Dyn));
        let message = |steps: &[Step]| at(steps).expect_err("nowhere").message;
        insta::assert_snapshot!(message(&[field("hodl")]), @"no field 'hodl' in params, did you mean 'hold'?");
        insta::assert_snapshot!(message(&[field("limits"), field("memory")]), @"no field 'memory' in params.limits");
        insta::assert_snapshot!(message(&[field("hold"), field("x")]), @"a string has no field 'x'");
        insta::assert_snapshot!(params().walk(&[field("memory")]).expect_err("nowhere").help.expect("help"), @"it has hold, limits, mixed, names");
    }

    #[test]
    fn a_type_is_written_as_cel_documents_it() {
        let of = Type::map(Type::String, Type::list(Type::optional(Type::Int)));
        insta::assert_snapshot!(of, @"map<string, list<optional<int>>>");
        insta::assert_snapshot!(Type::Int.article(), @"an int");
    }
}
