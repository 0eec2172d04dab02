//! Text: the `strings` extension. Positions count characters, from 0.

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::value::Value;

pub const FUNCTIONS: &[Function] = &[
    Function::new("x.charAt", 2, char_at),
    Function::between("x.join", 1, 2, join),
    Function::new("x.lowerAscii", 1, |call| {
        let text = call.text(0)?.to_ascii_lowercase();
        call.new_text(text)
    }),
    Function::new("x.upperAscii", 1, |call| {
        let text = call.text(0)?.to_ascii_uppercase();
        call.new_text(text)
    }),
    Function::between("x.replace", 3, 4, replace),
    Function::between("x.split", 2, 3, split),
    Function::between("x.substring", 2, 3, substring),
    Function::new("x.trim", 1, |call| {
        let text = call.text(0)?.trim().to_owned();
        call.new_text(text)
    }),
    Function::new("strings.quote", 1, |call| {
        let text = quote(call.text(0)?);
        call.new_text(text)
    }),
];

pub const SIGNATURES: &str = "
    x.charAt(string, int) -> string
    x.join(list<string>) -> string
    x.join(list<string>, string) -> string
    x.lowerAscii(string) -> string
    x.upperAscii(string) -> string
    x.replace(string, string, string) -> string
    x.replace(string, string, string, int) -> string
    x.split(string, string) -> list<string>
    x.split(string, string, int) -> list<string>
    x.substring(string, int) -> string
    x.substring(string, int, int) -> string
    x.trim(string) -> string
    strings.quote(string) -> string
";

/// The byte where a character begins; the length of the text counts as a place too.
fn byte_of(text: &str, at: i64) -> Option<usize> {
    let at = usize::try_from(at).ok()?;
    if text.is_ascii() {
        return (at <= text.len()).then_some(at);
    }
    text.char_indices()
        .map(|(byte, _)| byte)
        .chain([text.len()])
        .nth(at)
}

fn beyond(call: &Call<'_, '_, '_>, at: i64) -> Fault {
    call.fail(ErrorKind::Range, format!("{at} is no place in the text"))
}

fn char_at<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let (text, at) = (call.text(0)?, call.int(1)?);
    let byte = byte_of(text, at).ok_or_else(|| beyond(call, at))?;
    let found = text[byte..]
        .chars()
        .next()
        .map(String::from)
        .unwrap_or_default();
    call.new_text(found)
}

/// `text.indexOf(part)` and `text.indexOf(part, from)`; -1 if it is not there.
#[expect(clippy::cast_possible_wrap, reason = "no text is longer than i64::MAX")]
pub(super) fn index_of<'a>(call: &mut Call<'_, 'a, '_>, last: bool) -> Outcome<'a> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    call.charge(text.len() / 16)?;
    let length = text.chars().count() as i64;
    let from = if call.args.len() == 3 {
        call.int(2)?
    } else if last {
        length
    } else {
        0
    };
    if from < 0 {
        return Err(beyond(call, from));
    }
    if part.is_empty() {
        return Ok(Value::Int(from.min(length)));
    }
    let Some(byte) = byte_of(text, from) else {
        return Ok(Value::Int(-1));
    };
    let found = if last {
        if call.args.len() == 3 && from == length {
            return Ok(Value::Int(-1));
        }
        // The part may begin at the place at most, and reach beyond it.
        let end = text.floor_char_boundary((byte + part.len()).min(text.len()));
        text[..end].rfind(part)
    } else {
        text[byte..].find(part).map(|at| byte + at)
    };
    Ok(Value::Int(
        found.map_or(-1, |byte| text[..byte].chars().count() as i64),
    ))
}

fn join<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let list = call.list(0)?;
    let separator = if call.args.len() == 2 {
        call.text(1)?
    } else {
        ""
    };
    let mut joined = String::new();
    for at in 0..list.len() {
        call.charge(1)?;
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(list.get(at).as_str().ok_or_else(|| call.mismatch())?);
    }
    call.new_text(joined)
}

/// All, or the first so many; a negative number is all.
fn replace<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let count = if call.args.len() == 4 {
        call.int(3)?
    } else {
        -1
    };
    // What it can grow to is paid before it is made.
    let most = (text.len() + 1).saturating_mul(new.len() + 1);
    call.charge(most / 64)?;
    let replaced = match usize::try_from(count) {
        Ok(count) => text.replacen(old, new, count),
        Err(_) => text.replace(old, new),
    };
    call.new_text(replaced)
}

/// Into all parts, or into at most so many; a negative number is all.
fn split<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    let limit = if call.args.len() == 3 {
        call.int(2)?
    } else {
        -1
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    call.charge(text.len() / 16)?;
    let parts: Vec<Value<'a>> = if separator.is_empty() {
        let mut parts: Vec<Value<'a>> = Vec::new();
        for (at, c) in text.char_indices() {
            if parts.len() + 1 >= limit {
                if limit > 0 {
                    parts.push(Value::text(&text[at..]));
                }
                break;
            }
            parts.push(Value::text(String::from(c)));
        }
        parts
    } else if limit == 0 {
        Vec::new()
    } else {
        text.splitn(limit, separator).map(Value::text).collect()
    };
    call.new_list(parts)
}

fn substring<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let (text, start) = (call.text(0)?, call.int(1)?);
    let from = byte_of(text, start).ok_or_else(|| beyond(call, start))?;
    let to = if call.args.len() == 3 {
        let end = call.int(2)?;
        byte_of(text, end)
            .filter(|to| *to >= from)
            .ok_or_else(|| beyond(call, end))?
    } else {
        text.len()
    };
    call.new_text(text[from..to].to_owned())
}

/// The text as it would stand in a source.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// How many letters one has to change, add, remove or swap with the next to come from one name
/// to the other.
#[must_use]
pub fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
