//! What JSON writes as text or as a whole number, used as what it stands for.
//!
//! A schema tells times, durations and doubles from text and ints, and a program that was checked
//! against one goes by it ([`read_as`]). Without one, where an operation would otherwise have no
//! answer, text that meets a time is read as a time, text that meets a duration as one, and an int
//! that meets a double becomes a double. What has an answer already keeps it: `==` of text and a
//! time is false as in all of CEL, and text is ordered as text.

use super::super::error::ErrorKind;
use super::super::library::conversions::to_timestamp;
use super::super::node::{Arithmetic, Reading, Span};
use super::super::time;
use super::super::value::Value;
use super::{Fault, Machine};
use jiff::SignedDuration;

type Pair<'a> = Option<(Value<'a>, Value<'a>)>;

fn is_text(value: &Value<'_>) -> bool {
    matches!(value, Value::Str(_) | Value::String(_))
}

/// The sides of `<` and the like; nothing where they are right as they are.
pub(super) fn sides<'a>(
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &Machine<'a, '_>,
) -> Result<Pair<'a>, Fault> {
    let is_time = |value: &Value<'_>| matches!(value, Value::Timestamp(_) | Value::Duration(_));
    if !m.lenient() {
        return Ok(None);
    }
    if is_text(a) && is_time(b) {
        return Ok(Some((like(a, b, span, m)?, b.clone())));
    }
    if is_time(a) && is_text(b) {
        return Ok(Some((a.clone(), like(b, a, span, m)?)));
    }
    Ok(None)
}

/// The operands of `+`, `-` and so on; nothing where no reading helps.
#[expect(clippy::cast_precision_loss, reason = "a double was asked for")]
pub(super) fn operands<'a>(
    op: Arithmetic,
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &Machine<'a, '_>,
) -> Result<Pair<'a>, Fault> {
    if !m.lenient() {
        return Ok(None);
    }
    let text = (is_text(a), is_text(b));
    Ok(match (a, b) {
        (Value::Int(i), Value::Double(_)) => Some((Value::Double(*i as f64), b.clone())),
        (Value::Double(_), Value::Int(i)) => Some((a.clone(), Value::Double(*i as f64))),
        (_, Value::Timestamp(_) | Value::Duration(_)) if text.0 => {
            Some((any_time(a, span, m)?, b.clone()))
        }
        (Value::Timestamp(_) | Value::Duration(_), _) if text.1 => {
            Some((a.clone(), any_time(b, span, m)?))
        }
        // From one time of the object to another; an absent one is never.
        _ if op == Arithmetic::Subtract
            && (text.0 || a.is_zero_of_any())
            && (text.1 || b.is_zero_of_any())
            && (text.0 || text.1) =>
        {
            Some((moment(a, span, m)?, moment(b, span, m)?))
        }
        _ => None,
    })
}

/// A field as what its schema says it is.
#[expect(
    clippy::cast_precision_loss,
    reason = "the schema says that it is a double"
)]
pub(super) fn read_as<'a>(
    value: Value<'a>,
    reading: Reading,
    span: Span,
    m: &Machine<'a, '_>,
) -> Result<Value<'a>, Fault> {
    let is_json = is_text(&value) || value.is_zero_of_any();
    match (reading, &value) {
        (Reading::Double, Value::Int(number)) => Ok(Value::Double(*number as f64)),
        (Reading::Timestamp, _) if is_json => moment(&value, span, m),
        (Reading::Duration, _) if is_json => duration(&value, span, m),
        _ => Ok(value),
    }
}

/// Text as the time or duration that it says; nothing for what is no text.
pub(super) fn time<'a>(
    value: &Value<'a>,
    span: Span,
    m: &Machine<'a, '_>,
) -> Result<Option<Value<'a>>, Fault> {
    if m.lenient() && is_text(value) {
        return any_time(value, span, m).map(Some);
    }
    Ok(None)
}

/// A time or duration, as the other side is.
fn like<'a>(
    text: &Value<'a>,
    other: &Value<'a>,
    span: Span,
    m: &Machine<'a, '_>,
) -> Result<Value<'a>, Fault> {
    match other {
        Value::Duration(_) => duration(text, span, m),
        _ => moment(text, span, m),
    }
}

/// Text as a duration; what is absent is none.
fn duration<'a>(text: &Value<'a>, span: Span, m: &Machine<'a, '_>) -> Result<Value<'a>, Fault> {
    if text.is_zero_of_any() {
        return Ok(Value::Duration(SignedDuration::ZERO));
    }
    let text = text.as_str().unwrap_or_default();
    match time::parse_duration(text) {
        Some(duration) => Ok(Value::Duration(duration)),
        None => Err(refused(text, "a duration, as in 1h30m or 20s", span, m)),
    }
}

fn any_time<'a>(text: &Value<'a>, span: Span, m: &Machine<'a, '_>) -> Result<Value<'a>, Fault> {
    match time::parse_duration(text.as_str().unwrap_or_default()) {
        Some(duration) => Ok(Value::Duration(duration)),
        None => moment(text, span, m),
    }
}

fn moment<'a>(value: &Value<'a>, span: Span, m: &Machine<'a, '_>) -> Result<Value<'a>, Fault> {
    to_timestamp(value).map_err(|refused| m.fault(refused.0, span, refused.1))
}

fn refused(text: &str, what: &str, span: Span, m: &Machine<'_, '_>) -> Fault {
    let shown: String = text.chars().take(60).collect();
    m.fault(
        ErrorKind::Conversion,
        span,
        format!("'{shown}' is not {what}"),
    )
}
