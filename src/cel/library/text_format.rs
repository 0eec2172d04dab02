//! `'%s is %d'.format([…])`.

use super::{Call, Function, types};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::time;
use crate::cel::value::Value;
use crate::cel::value::equality::{entries, items};
use std::fmt::Write as _;

pub const FUNCTIONS: &[Function] = &[Function::new("x.format", 2, format)];

pub const SIGNATURES: &str = "
    x.format(string, list<A>) -> string
";

/// The most digits after the point.
const MOST_DIGITS: usize = 100;

fn format<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let (template, list) = (call.text(0)?, call.list(1)?);
    let mut out = String::new();
    let mut rest = template;
    let mut used = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (precision, after) = precision(call, rest)?;
        let Some(verb) = after.chars().next() else {
            return Err(call.fail(
                ErrorKind::Argument,
                "the text ends in the middle of a '%' clause",
            ));
        };
        rest = &after[verb.len_utf8()..];
        if used >= list.len() {
            let message = format!("there is no value number {used} for '%{verb}'");
            return Err(call.fail(ErrorKind::Range, message));
        }
        let value = list.get(used);
        used += 1;
        clause(call, verb, precision, &value, &mut out)?;
        call.charge(1 + out.len() / 64)?;
    }
    if used < list.len() {
        let message = format!("there are {} values for {used} clauses", list.len());
        return Err(call.fail(ErrorKind::Argument, message));
    }
    out.push_str(rest);
    call.new_text(out)
}

/// `.3` after the percent sign.
fn precision<'t>(
    call: &Call<'_, '_, '_>,
    text: &'t str,
) -> Result<(Option<usize>, &'t str), Fault> {
    let Some(rest) = text.strip_prefix('.') else {
        return Ok((None, text));
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..digits].parse() {
        Ok(precision) if precision <= MOST_DIGITS => Ok((Some(precision), &rest[digits..])),
        _ => Err(call.fail(
            ErrorKind::Argument,
            format!("at most {MOST_DIGITS} digits are possible"),
        )),
    }
}

fn clause<'a>(
    call: &mut Call<'_, 'a, '_>,
    verb: char,
    precision: Option<usize>,
    value: &Value<'a>,
    out: &mut String,
) -> Result<(), Fault> {
    let done = match verb {
        's' => return text(call, value, out),
        'd' => decimal(value),
        'f' => double(value).map(|d| fixed(d, precision.unwrap_or(6))),
        'e' => double(value).map(|d| scientific(d, precision.unwrap_or(6))),
        'b' => binary(value),
        'o' => integer(value).map(|(sign, n)| format!("{sign}{n:o}")),
        'x' => hexadecimal(value),
        'X' => hexadecimal(value).map(|text| text.to_uppercase()),
        other => {
            let message = format!("'%{other}' is not a known clause");
            return Err(call.fail(ErrorKind::Argument, message));
        }
    };
    match done {
        Some(text) => out.push_str(&text),
        None => {
            let message = format!("'%{verb}' cannot show {}", value.a_type());
            return Err(call.fail(ErrorKind::Argument, message));
        }
    }
    Ok(())
}

/// Sign and magnitude.
fn integer(value: &Value<'_>) -> Option<(&'static str, u64)> {
    match value {
        Value::Int(i) => Some((if *i < 0 { "-" } else { "" }, i.unsigned_abs())),
        Value::Uint(u) => Some(("", *u)),
        value if value.is_zero_of_any() => Some(("", 0)),
        _ => None,
    }
}

fn special(double: f64) -> Option<&'static str> {
    if double.is_nan() {
        Some("NaN")
    } else if double.is_infinite() {
        Some(if double > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    } else {
        None
    }
}

/// Without an exponent.
fn plain(double: f64) -> String {
    special(double).map_or_else(|| double.to_string(), str::to_owned)
}

fn decimal(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Double(d) => Some(plain(*d)),
        value => integer(value).map(|(sign, n)| format!("{sign}{n}")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown as a double")]
fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(d) => Some(*d),
        Value::Int(i) => Some(*i as f64),
        Value::Uint(u) => Some(*u as f64),
        value if value.is_zero_of_any() => Some(0.0),
        _ => None,
    }
}

fn fixed(double: f64, precision: usize) -> String {
    special(double).map_or_else(|| format!("{double:.precision$}"), str::to_owned)
}

fn scientific(double: f64, precision: usize) -> String {
    if let Some(text) = special(double) {
        return text.to_owned();
    }
    let text = format!("{double:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

fn binary(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Bool(b) => Some(if *b { "1" } else { "0" }.to_owned()),
        value => integer(value).map(|(sign, n)| format!("{sign}{n:b}")),
    }
}

fn hexadecimal(value: &Value<'_>) -> Option<String> {
    let of_bytes = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    match value {
        Value::Str(_) | Value::String(_) => Some(of_bytes(value.as_str()?.as_bytes())),
        Value::Bytes(bytes) => Some(of_bytes(bytes)),
        value => integer(value).map(|(sign, n)| format!("{sign}{n:x}")),
    }
}

/// `%s`: any value.
fn text<'a>(call: &mut Call<'_, 'a, '_>, value: &Value<'a>, out: &mut String) -> Result<(), Fault> {
    call.charge(1)?;
    if let Some(list) = items(value) {
        out.push('[');
        for at in 0..list.len() {
            if at > 0 {
                out.push_str(", ");
            }
            text(call, &list.get(at), out)?;
        }
        out.push(']');
        return Ok(());
    }
    if let Some(map) = entries(value) {
        let mut shown = Vec::new();
        for at in 0..map.len() {
            let (key, value) = map.get(at);
            let mut entry = String::new();
            text(call, &key, &mut entry)?;
            entry.push_str(": ");
            text(call, &value, &mut entry)?;
            shown.push(entry);
        }
        shown.sort();
        out.push('{');
        out.push_str(&shown.join(", "));
        out.push('}');
        return Ok(());
    }
    out.push_str(&scalar(call, value)?);
    Ok(())
}

fn scalar<'a>(call: &Call<'_, 'a, '_>, value: &Value<'a>) -> Result<String, Fault> {
    Ok(match value {
        Value::Null | Value::NullField => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => u.to_string(),
        Value::Double(d) => plain(*d),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Timestamp(t) => time::format_timestamp(*t),
        Value::Duration(d) => time::format_seconds(*d),
        Value::Type(name) => (*name).to_owned(),
        other => match other.as_str() {
            Some(text) => text.to_owned(),
            None => {
                let message = format!("'%s' cannot show a {}", types::of(value));
                return Err(call.fail(ErrorKind::Argument, message));
            }
        },
    })
}
