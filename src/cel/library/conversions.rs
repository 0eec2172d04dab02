//! Conversions between types: `int`, `uint`, `double`, `string`, `bool`, `bytes`, `timestamp`,
//! `duration`.

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::Outcome;
use crate::cel::time;
use crate::cel::value::Value;
use jiff::{SignedDuration, Timestamp};

pub const FUNCTIONS: &[Function] = &[
    Function::new("int", 1, |call| convert(call, to_int)),
    Function::new("uint", 1, |call| convert(call, to_uint)),
    Function::new("double", 1, |call| convert(call, to_double)),
    Function::new("bool", 1, |call| convert(call, to_bool)),
    Function::new("bytes", 1, |call| convert(call, to_bytes)),
    Function::new("timestamp", 1, |call| {
        convert(call, |value| to_timestamp(value))
    }),
    Function::new("duration", 1, |call| convert(call, to_duration)),
    Function::new("string", 1, |call| {
        let text = convert(call, to_text)?;
        call.machine
            .allocate(text.as_str().map_or(0, str::len) as u64, call.span)?;
        Ok(text)
    }),
];

pub const SIGNATURES: &str = "
    int(int) -> int
    int(uint) -> int
    int(double) -> int
    int(timestamp) -> int
    int(string) -> int
    uint(uint) -> uint
    uint(int) -> uint
    uint(double) -> uint
    uint(string) -> uint
    double(double) -> double
    double(int) -> double
    double(uint) -> double
    double(string) -> double
    bool(bool) -> bool
    bool(string) -> bool
    bytes(bytes) -> bytes
    bytes(string) -> bytes
    timestamp(timestamp) -> timestamp
    timestamp(int) -> timestamp
    timestamp(string) -> timestamp
    duration(duration) -> duration
    duration(int) -> duration
    duration(string) -> duration
    string(string) -> string
    string(bool) -> string
    string(int) -> string
    string(uint) -> string
    string(double) -> string
    string(bytes) -> string
    string(timestamp) -> string
    string(duration) -> string
    string(net.IP) -> string
    string(net.CIDR) -> string
    string(quantity) -> string
    string(semver) -> string
    string(url) -> string
";

/// Why a value cannot be converted. An empty message: no value of this type can.
pub struct Refused(pub ErrorKind, pub String);

type Converted<'a> = Result<Value<'a>, Refused>;

fn convert<'a>(
    call: &mut Call<'_, 'a, '_>,
    to: impl Fn(&Value<'a>) -> Converted<'a>,
) -> Outcome<'a> {
    to(&call.args[0]).map_err(|Refused(kind, message)| {
        if message.is_empty() {
            call.mismatch()
        } else {
            call.fail(kind, message)
        }
    })
}

fn no_overload<'a>() -> Converted<'a> {
    Err(Refused(ErrorKind::Type, String::new()))
}

fn refused<'a>(text: &str, what: &str) -> Converted<'a> {
    // A text of megabytes helps nobody in a message.
    let shown: String = text.chars().take(60).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    Err(Refused(
        ErrorKind::Conversion,
        format!("'{shown}{more}' is not {what}"),
    ))
}

fn out_of_range<'a>(value: &Value<'_>, what: &str) -> Converted<'a> {
    Err(Refused(
        ErrorKind::Range,
        format!("{} is out of the range of {what}", value.to_json()),
    ))
}

#[expect(clippy::cast_possible_truncation, reason = "in range after the check")]
fn to_int<'a>(value: &Value<'a>) -> Converted<'a> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(u) => i64::try_from(*u)
            .map(Value::Int)
            .or_else(|_| out_of_range(value, "int")),
        Value::Double(d) if *d > -BEYOND && *d < BEYOND => Ok(Value::Int(*d as i64)),
        Value::Double(_) => out_of_range(value, "int"),
        Value::Timestamp(t) => Ok(Value::Int(
            t.as_nanosecond().div_euclid(1_000_000_000) as i64
        )),
        Value::Str(_) | Value::String(_) => {
            let text = value.as_str().unwrap_or_default();
            text.parse()
                .map(Value::Int)
                .or_else(|_| refused(text, "an int"))
        }
        value if value.is_zero_of_any() => Ok(Value::Int(0)),
        _ => no_overload(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in range after the check"
)]
fn to_uint<'a>(value: &Value<'a>) -> Converted<'a> {
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    match value {
        Value::Uint(_) => Ok(value.clone()),
        Value::Int(i) => u64::try_from(*i)
            .map(Value::Uint)
            .or_else(|_| out_of_range(value, "uint")),
        Value::Double(d) if *d >= 0.0 && *d < BEYOND => Ok(Value::Uint(*d as u64)),
        Value::Double(_) => out_of_range(value, "uint"),
        Value::Str(_) | Value::String(_) => {
            let text = value.as_str().unwrap_or_default();
            match text.parse() {
                Ok(u) if !text.starts_with('+') => Ok(Value::Uint(u)),
                _ => refused(text, "a uint"),
            }
        }
        value if value.is_zero_of_any() => Ok(Value::Uint(0)),
        _ => no_overload(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "that is what double() does")]
fn to_double<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Double(_) => Ok(value.clone()),
        Value::Int(i) => Ok(Value::Double(*i as f64)),
        Value::Uint(u) => Ok(Value::Double(*u as f64)),
        Value::Str(_) | Value::String(_) => {
            let text = value.as_str().unwrap_or_default();
            parse_double(text).map_or_else(|| refused(text, "a double"), |d| Ok(Value::Double(d)))
        }
        value if value.is_zero_of_any() => Ok(Value::Double(0.0)),
        _ => no_overload(),
    }
}

fn to_bool<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::Str(_) | Value::String(_) => match value.as_str().unwrap_or_default() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            text => refused(text, "a bool"),
        },
        value if value.is_zero_of_any() => Ok(Value::Bool(false)),
        _ => no_overload(),
    }
}

fn to_bytes<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Bytes(_) => Ok(value.clone()),
        Value::Str(_) | Value::String(_) => Ok(Value::Bytes(
            value.as_str().unwrap_or_default().as_bytes().into(),
        )),
        value if value.is_zero_of_any() => Ok(Value::Bytes([].into())),
        _ => no_overload(),
    }
}

/// `timestamp(x)`. An absent one is "never".
pub fn to_timestamp<'a>(value: &Value<'_>) -> Converted<'a> {
    match value {
        Value::Timestamp(t) => Ok(Value::Timestamp(*t)),
        Value::Int(seconds) => match Timestamp::from_second(*seconds)
            .ok()
            .and_then(time::in_range)
        {
            Some(time) => Ok(Value::Timestamp(time)),
            None => out_of_range(value, "timestamp"),
        },
        Value::Str(_) | Value::String(_) => {
            let text = value.as_str().unwrap_or_default();
            match time::parse_timestamp(text) {
                Some(time) => Ok(Value::Timestamp(time)),
                None => refused(text, "a time in RFC 3339, as in 2026-11-22T18:00:00Z"),
            }
        }
        value if value.is_zero_of_any() => Ok(Value::Timestamp(time::NEVER)),
        _ => no_overload(),
    }
}

fn to_duration<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Duration(_) => Ok(value.clone()),
        Value::Int(seconds) => match time::duration_in_range(SignedDuration::from_secs(*seconds)) {
            Some(duration) => Ok(Value::Duration(duration)),
            None => out_of_range(value, "duration"),
        },
        Value::Str(_) | Value::String(_) => {
            let text = value.as_str().unwrap_or_default();
            match time::parse_duration(text) {
                Some(duration) => Ok(Value::Duration(duration)),
                None => refused(text, "a duration, as in 1h30m or 20s"),
            }
        }
        value if value.is_zero_of_any() => Ok(Value::Duration(SignedDuration::ZERO)),
        _ => no_overload(),
    }
}

/// The largest power of ten without an exponent.
const MOST_PLAIN: i32 = 5;

fn to_text<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(match value {
        Value::Str(_) | Value::String(_) => value.clone(),
        Value::Bool(b) => Value::text(b.to_string()),
        Value::Int(i) => Value::text(i.to_string()),
        Value::Uint(u) => Value::text(u.to_string()),
        Value::Double(d) => Value::text(double_text(*d)),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::text(text),
            Err(_) => {
                return Err(Refused(
                    ErrorKind::Conversion,
                    "the bytes are not UTF-8".into(),
                ));
            }
        },
        Value::Timestamp(t) => Value::text(time::format_timestamp(*t)),
        Value::Duration(d) => Value::text(time::format_seconds(*d)),
        Value::Opaque(opaque) => match opaque.to_json() {
            crate::cel::Json::String(text) => Value::text(text),
            _ => return no_overload(),
        },
        value if value.is_zero_of_any() => Value::Str(""),
        _ => return no_overload(),
    })
}

/// Digits may be grouped by underscores; what is larger than every double is none.
fn parse_double(text: &str) -> Option<f64> {
    let grouped = text.contains('_');
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let misplaced = |at: usize| {
        !digit(at.checked_sub(1).and_then(|at| bytes.get(at))) || !digit(bytes.get(at + 1))
    };
    if grouped && text.match_indices('_').any(|(at, _)| misplaced(at)) {
        return None;
    }
    let double: f64 = if grouped {
        text.replace('_', "").parse().ok()?
    } else {
        text.parse().ok()?
    };
    let named = text.to_ascii_lowercase().contains("inf");
    (named || !double.is_infinite()).then_some(double)
}

/// The shortest text that is this double again, with an exponent where it is very large or very
/// small (Go's `%g`).
#[must_use]
fn double_text(double: f64) -> String {
    if double.is_nan() {
        return "NaN".to_owned();
    }
    if double.is_infinite() {
        return if double > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{double:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if double != 0.0 && (!(-4..=MOST_PLAIN).contains(&exponent)) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{double}")
}
