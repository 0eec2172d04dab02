//! A plain webhook: takes every request, or every one that is signed.
//!
//! The signature is in one header, `t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 over `SECONDS.BODY`.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use hyper::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;

use super::{Answer, Receiver, Request, Service};

/// A stand-in for somebody's own HTTP endpoint.
pub type Webhook = Receiver<Endpoint>;

/// How far a signature's time may lie from the present, as receivers commonly demand.
const TOLERANCE: Duration = Duration::from_mins(5);

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub method: http::Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Delivery {
    /// The body, when it is JSON; otherwise null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "┌─ {} {}", self.method, self.path)?;
        let text = match self.json() {
            Value::Null => String::from_utf8_lossy(&self.body).into_owned(),
            json => format!("{json:#}"),
        };
        for line in text.lines() {
            writeln!(f, "│ {line}")?;
        }
        write!(f, "└─")
    }
}

/// The state of the stand-in.
#[derive(Default)]
pub struct Endpoint {
    signature: Option<(String, Vec<u8>)>,
}

impl Webhook {
    /// Starts it; it takes everything.
    pub async fn start() -> std::io::Result<Webhook> {
        Receiver::serve(Endpoint::default()).await
    }

    /// From now on refuses, with 401, what is not signed with `secret` in `header` within the last five minutes.
    pub fn require_signature(&self, header: &str, secret: &[u8]) {
        self.with_service(|endpoint| {
            endpoint.signature = Some((header.to_owned(), secret.to_vec()));
        });
    }
}

impl Service for Endpoint {
    type Message = Delivery;

    fn take(&mut self, request: &Request) -> Result<(Delivery, Answer), (Answer, String)> {
        if let Some((header, secret)) = &self.signature {
            let sent = request
                .headers
                .get(header)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let now = Timestamp::now().as_second();
            verify(sent, secret, &request.body, now)
                .map_err(|why| (Answer::text(401, why), why.to_owned()))?;
        }
        let delivery = Delivery {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        Ok((delivery, Answer::text(200, "ok")))
    }

    fn failure(&self, status: u16) -> Answer {
        Answer::text(status, "scripted")
    }
}

/// Whether `header` signs `body`, made near `now`, in seconds since 1970.
fn verify(header: &str, secret: &[u8], body: &[u8], now: i64) -> Result<(), &'static str> {
    let (time, signature) = parse(header).ok_or("no signature of the form t=SECONDS,v1=HEX")?;
    let seconds: i64 = time.parse().map_err(|_| "the time is not a number")?;
    if now.abs_diff(seconds) > TOLERANCE.as_secs() {
        return Err("signed too long ago");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| "unusable secret")?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&signature).map_err(|_| "wrong signature")
}

fn parse(header: &str) -> Option<(&str, Vec<u8>)> {
    let (time, signature) = header.split_once(',')?;
    Some((
        time.strip_prefix("t=")?,
        from_hex(signature.strip_prefix("v1=")?)?,
    ))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    const SIGNED: &str =
        "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
    const BODY: &[u8] = br#"{"a":1}"#;
    const NOW: i64 = 1_700_000_000;

    #[test]
    fn a_signature_is_taken_for_five_minutes() {
        assert_eq!(verify(SIGNED, b"secret", BODY, NOW), Ok(()));
        assert_eq!(verify(SIGNED, b"secret", BODY, NOW + 300), Ok(()));
        assert_eq!(
            verify(SIGNED, b"secret", BODY, NOW + 301),
            Err("signed too long ago")
        );
        assert_eq!(
            verify(SIGNED, b"secret", BODY, NOW - 301),
            Err("signed too long ago")
        );
    }

    #[test]
    fn another_secret_body_or_time_is_refused() {
        assert_eq!(verify(SIGNED, b"other", BODY, NOW), Err("wrong signature"));
        assert_eq!(
            verify(SIGNED, b"secret", br#"{"a":2}"#, NOW),
            Err("wrong signature")
        );
        let later = SIGNED.replace("1700000000", "1700000001");
        assert_eq!(verify(&later, b"secret", BODY, NOW), Err("wrong signature"));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for header in ["", "t=1,v1", "t=1,v1=xyz", "v1=00,t=1"] {
            assert_eq!(
                verify(header, b"secret", BODY, NOW),
                Err("no signature of the form t=SECONDS,v1=HEX"),
                "{header}"
            );
        }
        assert_eq!(
            verify("t=soon,v1=00", b"secret", BODY, NOW),
            Err("the time is not a number")
        );
    }
}
