//! Types as values.

use crate::cel::value::Value;

/// The type that a name stands for.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 15] = [
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "optional_type",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "net.IP",
        "net.CIDR",
    ];
    NAMES.into_iter().find(|known| *known == name)
}

/// The name of a value's type in CEL. An absent field has the type of null.
#[must_use]
pub fn of(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null | Value::NullField | Value::Absent => "null_type",
        Value::Timestamp(_) => "google.protobuf.Timestamp",
        Value::Duration(_) => "google.protobuf.Duration",
        Value::Optional(_) => "optional_type",
        Value::Opaque(opaque) => match opaque.type_name() {
            "quantity" => "kubernetes.Quantity",
            "semver" => "kubernetes.Semver",
            "url" => "kubernetes.URL",
            name => name,
        },
        other => other.type_name(),
    }
}
