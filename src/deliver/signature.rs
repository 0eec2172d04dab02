//! The signature of a webhook's body.
//!
//! The header holds `t=SECONDS,v1=HEX`: the time of the attempt, in seconds since 1970, and the
//! HMAC-SHA256 of `SECONDS.BODY` under the shared secret, in lowercase hexadecimal. A receiver
//! computes the same over the bytes it got, compares in constant time, and refuses a time that
//! lies more than five minutes from its own, so that nobody can replay an old request.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::secret::Secret;

/// The header's value.
pub(super) fn of(secret: &Secret, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mut header = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with: `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`
    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let header = of(&Secret::new("secret".into()), at, br#"{"a":1}"#);
        insta::assert_snapshot!(header, @"t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
    }
}
