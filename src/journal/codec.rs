//! Keys and records as bytes.
//!
//! In and out: [`Key`] and [`Record`], as compact JSON. What the names of their fields and
//! variants are is therefore part of the file format: a field may be added (with a default),
//! never renamed, without raising [`FORMAT`](super::store::FORMAT). Unknown fields are ignored,
//! so that an older version reads what a newer one of the same format wrote.

use super::{Key, Record};

/// A key as it is stored.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "it cannot: see the expectation")]
pub fn encode_key(key: &Key) -> Vec<u8> {
    serde_json::to_vec(key).expect("a key holds only texts: it always has a JSON form")
}

/// A record as it is stored.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "it cannot: see the expectation")]
pub fn encode_record(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record)
        .expect("records hold JSON values and maps with text keys: they always have a JSON form")
}

/// The key that these bytes are.
///
/// # Errors
/// They are no key that this version knows.
pub fn decode_key(bytes: &[u8]) -> Result<Key, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// The record that these bytes are.
///
/// # Errors
/// They are no record that this version knows.
pub fn decode_record(bytes: &[u8]) -> Result<Record, serde_json::Error> {
    serde_json::from_slice(bytes)
}
