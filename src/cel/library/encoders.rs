//! Base64, and keys in a JSON patch.

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::Outcome;
use crate::cel::value::Value;

pub const FUNCTIONS: &[Function] = &[
    Function::new("base64.encode", 1, encode),
    Function::new("base64.decode", 1, decode),
    Function::new("jsonpatch.escapeKey", 1, |call| {
        let key = call.text(0)?.replace('~', "~0").replace('/', "~1");
        call.new_text(key)
    }),
];

pub const SIGNATURES: &str = "
    jsonpatch.escapeKey(string) -> string
    base64.encode(bytes) -> string
    base64.decode(string) -> bytes
";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let text = match &call.args[0] {
        Value::Bytes(bytes) => base64(bytes),
        value if value.is_zero_of_any() => String::new(),
        _ => return Err(call.mismatch()),
    };
    call.new_text(text)
}

fn decode<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let text = call.text(0)?;
    let bytes = from_base64(text)
        .ok_or_else(|| call.fail(ErrorKind::Conversion, "the text is not base64"))?;
    call.machine.allocate(bytes.len() as u64, call.span)?;
    Ok(Value::Bytes(bytes.into()))
}

/// The text of bytes, padded.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                let six = group >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[six as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// The bytes of a text, padded or not, in one line or several.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\r', '\n']) {
        return from_base64(&text.replace(['\r', '\n'], ""));
    }
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let padded = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    if !padded || body.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() * 3 / 4);
    for chunk in body.as_bytes().chunks(4) {
        let mut group = 0u32;
        for byte in chunk {
            let six = ALPHABET.iter().position(|known| known == byte)?;
            group = group << 6 | u32::try_from(six).ok()?;
        }
        group <<= 6 * (4 - chunk.len());
        bytes.extend(group.to_be_bytes()[1..chunk.len()].iter());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_is_written_and_need_not_be_read() {
        assert_eq!(base64(b"hello"), "aGVsbG8=");
        assert_eq!(from_base64("aGVsbG8").as_deref(), Some(&b"hello"[..]));
        assert_eq!(from_base64("aGVsbG8==="), None);
        assert_eq!(from_base64("a"), None);
        assert_eq!(from_base64("?!@#"), None);
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes));
        }
    }
}
