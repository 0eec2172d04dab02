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
    let signed = [format!("{seconds}.").as_bytes(), body].concat();
    format!(
        "t={seconds},v1={}",
        hmac(secret.expose().as_bytes(), &signed)
    )
}

/// HMAC-SHA256 in lowercase hexadecimal.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, 4.2 to 4.8, but for 4.6, which cuts the result.
    #[test]
    fn the_vectors_of_rfc_4231_give_what_it_says() {
        let vectors: [(&[u8], &[u8], &str); 6] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &(1..=25).collect::<Vec<u8>>(),
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size \
                  data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, text, expected) in vectors {
            assert_eq!(hmac(key, text), expected);
        }
    }

    /// Made with: `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`
    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let header = of(&Secret::new("secret".into()), at, br#"{"a":1}"#);
        insta::assert_snapshot!(header, @"t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
    }

    /// The request of `templates/signed-request.http`, which authors of receivers test against; its
    /// header was made by `openssl`, over a body with letters of two and four bytes and no newline.
    #[test]
    fn the_published_request_is_signed_as_we_sign() {
        let request = include_str!("../../templates/signed-request.http");
        let (head, body) = request.split_once("\n\n").unwrap();
        let header = head
            .lines()
            .find_map(|line| line.strip_prefix("X-Bellwether-Signature: "))
            .unwrap();
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        let secret = Secret::new("correct horse battery staple".into());
        assert_eq!(of(&secret, at, body.as_bytes()), header);
    }
}
