//! URLs of Kubernetes: absolute ones, and absolute paths.
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-url-library>

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::new("url", 1, |call| {
        let text = call.text(0)?;
        match Url::parse(text) {
            Some(url) => Ok(Value::Opaque(Arc::new(url))),
            None => {
                let shown: String = text.chars().take(60).collect();
                let message = format!("'{shown}' is not a URL, as in https://example.com/path");
                Err(call.fail(ErrorKind::Conversion, message))
            }
        }
    }),
    Function::new("isURL", 1, |call| {
        Ok(Value::Bool(Url::parse(call.text(0)?).is_some()))
    }),
    Function::new("x.getScheme", 1, |call| {
        part(call, |url| url.scheme.clone())
    }),
    Function::new("x.getHost", 1, |call| part(call, |url| url.host.clone())),
    Function::new("x.getHostname", 1, |call| part(call, Url::hostname)),
    Function::new("x.getPort", 1, |call| part(call, Url::port)),
    Function::new("x.getEscapedPath", 1, |call| {
        part(call, |url| url.path.clone())
    }),
    Function::new("x.getQuery", 1, query),
];

pub const SIGNATURES: &str = "
    url(string) -> url
    isURL(string) -> bool
    x.getScheme(url) -> string
    x.getHost(url) -> string
    x.getHostname(url) -> string
    x.getPort(url) -> string
    x.getEscapedPath(url) -> string
    x.getQuery(url) -> map<string, list<string>>
";

/// A URL in pieces.
#[derive(Clone, Debug, PartialEq)]
struct Url {
    text: String,
    scheme: String,
    /// With its port and its square brackets.
    host: String,
    /// As it stands in the URL, still escaped.
    path: String,
    query: String,
}

impl Url {
    fn parse(text: &str) -> Option<Url> {
        if text.is_empty() || text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return None;
        }
        let (before, _fragment) = text.split_once('#').unwrap_or((text, ""));
        let (before, query) = before.split_once('?').unwrap_or((before, ""));
        if before.starts_with('/') && !before.starts_with("//") {
            let path = escaped(before)?;
            return Some(Url {
                text: text.into(),
                scheme: String::new(),
                host: String::new(),
                path,
                query: query.into(),
            });
        }
        let (scheme, rest) = before.split_once(':')?;
        let letters = scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !letters {
            return None;
        }
        let rest = rest.strip_prefix("//")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_user, host)| host);
        if !is_host(host) {
            return None;
        }
        Some(Url {
            text: text.into(),
            scheme: scheme.to_ascii_lowercase(),
            host: host.into(),
            path: escaped(path)?,
            query: query.into(),
        })
    }

    /// Without port and square brackets.
    fn hostname(&self) -> String {
        match self
            .host
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((address, _)) => address.to_owned(),
            None => self.host.split(':').next().unwrap_or_default().to_owned(),
        }
    }

    fn port(&self) -> String {
        let after = self
            .host
            .rsplit_once(']')
            .map_or(&*self.host, |(_, after)| after);
        after
            .rsplit_once(':')
            .map(|(_, port)| port.to_owned())
            .unwrap_or_default()
    }
}

fn is_host(host: &str) -> bool {
    let port_is_valid = |after: &str| {
        after
            .strip_prefix(':')
            .is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()))
    };
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').is_some_and(|(_, after)| {
            (after.is_empty() || after.starts_with(':')) && port_is_valid(after)
        }),
        None => {
            let at = host.find(':').unwrap_or(host.len());
            !host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '|', '}'])
                && port_is_valid(&host[at..])
        }
    }
}

/// The path with its spaces and the like escaped; `None` if an escape in it is broken.
fn escaped(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                out.push('%');
            }
            b if b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]".contains(b) => {
                out.push(char::from(*b));
            }
            b => out.extend(['%', hex_digit(b >> 4), hex_digit(b & 15)]),
        }
    }
    Some(out)
}

fn hex_digit(four_bits: u8) -> char {
    char::from_digit(u32::from(four_bits), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// A piece of a query without its escapes.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let code = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (code, bytes[at]) {
            (Some(code), _) => {
                out.push(code);
                at += 2;
            }
            (None, b'+') => out.push(b' '),
            (None, byte) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Opaque for Url {
    fn type_name(&self) -> &'static str {
        "url"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other.downcast() == Some(self)
    }

    fn to_json(&self) -> Json {
        Json::from(&*self.text)
    }
}

fn url<'m>(call: &Call<'m, '_, '_>) -> Result<&'m Url, Fault> {
    match &call.args[0] {
        Value::Opaque(opaque) => opaque.downcast::<Url>(),
        _ => None,
    }
    .ok_or_else(|| call.mismatch())
}

fn part<'a>(call: &mut Call<'_, 'a, '_>, of: impl Fn(&Url) -> String) -> Outcome<'a> {
    let text = of(url(call)?);
    call.new_text(text)
}

/// The parameters of the query: a map from each name to the list of its values.
fn query<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let mut entries: Vec<(String, Vec<Value<'a>>)> = Vec::new();
    for pair in url(call)?.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescaped(name), Value::text(unescaped(value)));
        match entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => entries.push((name, vec![value])),
        }
    }
    call.charge(entries.len())?;
    let entries = entries
        .into_iter()
        .map(|(k, v)| (Value::text(k), Value::list(v)))
        .collect();
    call.machine.map(entries, call.span)
}
