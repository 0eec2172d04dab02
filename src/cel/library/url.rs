//! URLs of Kubernetes: absolute ones, and absolute paths.
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-url-library>

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use std::net::Ipv6Addr;
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
    Function::new("isURL", 1, |call| Ok(Value::Bool(is_url(call.text(0)?)))),
    Function::new("x.getScheme", 1, |call| {
        part(call, |url| url.scheme.clone())
    }),
    Function::new("x.getHost", 1, |call| part(call, |url| url.host.clone())),
    Function::new("x.getHostname", 1, |call| {
        part(call, |url| url.host_and_port().0.to_owned())
    }),
    Function::new("x.getPort", 1, |call| {
        part(call, |url| url.host_and_port().1.to_owned())
    }),
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

/// Whether a text is an absolute URL or path.
pub fn is_url(text: &str) -> bool {
    Url::parse_request(text).is_some()
}

/// A URL in pieces, unescaped where nothing else is said.
#[derive(Clone, Debug, Default)]
struct Url {
    /// In lower case.
    scheme: String,
    /// What stands behind a scheme and does not begin with a slash: `mailto:a@b`.
    opaque: Option<String>,
    /// Name and password, escaped.
    user: Option<String>,
    /// With its port and its square brackets.
    host: String,
    /// There is a scheme and a path, and no `//`.
    no_authority: bool,
    /// Escaped.
    path: String,
    /// Escaped, and only in its pieces read.
    query: Option<String>,
    /// Escaped.
    fragment: String,
}

impl Url {
    /// As Kubernetes does: what is no absolute URL is none, also where a fragment is part of the
    /// path; then the fragment is cut off.
    fn parse(text: &str) -> Option<Url> {
        Url::parse_request(text)?;
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = Url::pieces(before, false)?;
        url.fragment = encoded(fragment, Piece::Fragment)?;
        Some(url)
    }

    /// An absolute URL or path, with the fragment as part of it.
    fn parse_request(text: &str) -> Option<Url> {
        Url::pieces(text, true).filter(|_| !text.is_empty())
    }

    fn pieces(text: &str, request: bool) -> Option<Url> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return None;
        }
        let mut url = Url::default();
        if text == "*" {
            url.path.push('*');
            return Some(url);
        }
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        url.query = query.map(str::to_owned);
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                url.opaque = Some(rest.to_owned());
                return Some(url);
            }
            let first = rest.split('/').next().unwrap_or_default();
            if request || first.contains(':') {
                return None;
            }
        }
        let relative = url.scheme.is_empty();
        if rest.starts_with("//") && (!relative || (!request && !rest.starts_with("///"))) {
            let authority = &rest[2..];
            let end = authority.find('/').unwrap_or(authority.len());
            rest = &authority[end..];
            url.authority(&authority[..end])?;
        } else {
            url.no_authority = !relative && rest.starts_with('/');
        }
        url.path = encoded(rest, Piece::Path)?;
        Some(url)
    }

    fn authority(&mut self, authority: &str) -> Option<()> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = host_name(&self.scheme, host)?;
        if let Some(user) = user {
            let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
            if !user.bytes().all(valid) {
                return None;
            }
            let escape_again =
                |part: &str| Some(escaped(&unescaped(part, Piece::User)?, Piece::User));
            self.user = Some(match user.split_once(':') {
                Some((name, password)) => {
                    format!("{}:{}", escape_again(name)?, escape_again(password)?)
                }
                None => escape_again(user)?,
            });
        }
        Some(())
    }

    /// The whole URL, escaped in one way: two are the same if this is.
    fn text(&self) -> String {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.push_str(&self.scheme);
            text.push(':');
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(opaque);
        } else {
            let named = !self.host.is_empty() || self.user.is_some();
            let slashes =
                named || (!self.scheme.is_empty() && !self.no_authority && !self.path.is_empty());
            if slashes {
                text.push_str("//");
            }
            if let Some(user) = &self.user {
                text.push_str(user);
                text.push('@');
            }
            text.push_str(&escaped(self.host.as_bytes(), Piece::Host));
            text.push_str(&self.path);
        }
        if let Some(query) = &self.query {
            text.push('?');
            text.push_str(query);
        }
        if !self.fragment.is_empty() {
            text.push('#');
            text.push_str(&self.fragment);
        }
        text
    }

    /// Host name and port, without square brackets.
    fn host_and_port(&self) -> (&str, &str) {
        let (name, port) = match self.host.rfind(':') {
            Some(at) if is_port(&self.host[at..]) => (&self.host[..at], &self.host[at + 1..]),
            _ => (&*self.host, ""),
        };
        let inner = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        (inner.unwrap_or(name), port)
    }
}

/// The scheme in front of a text, and the rest; `None` for a colon without one.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
    match end {
        Some(0) if text.starts_with(':') => None,
        Some(end) if starts_well && text[end..].starts_with(':') => {
            Some((&text[..end], &text[end + 1..]))
        }
        _ => Some(("", text)),
    }
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The host with its port, unescaped.
fn host_name(scheme: &str, host: &str) -> Option<String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match host.rfind('[') {
        Some(0) => {
            let end = host.rfind(']')?;
            let (address, port) = (&host[1..end], &host[end + 1..]);
            if !is_port(port) {
                return None;
            }
            let (name, zone) = address.split_at(address.find("%25").unwrap_or(address.len()));
            let mut address = unescaped(name, Piece::Host)?;
            address.extend(unescaped(zone, Piece::Zone)?);
            let address = text(address);
            let (name, zone) = match address.split_once('%') {
                Some((name, zone)) => (name, Some(zone)),
                None => (&*address, None),
            };
            let valid =
                name.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| !zone.is_empty());
            valid.then(|| format!("[{address}]{port}"))
        }
        Some(_) => None,
        None => {
            // Databases have lists of hosts in their URLs; the web has not.
            let web = matches!(scheme, "http" | "https");
            let colon = if web { host.find(':') } else { host.rfind(':') };
            if !is_port(&host[colon.unwrap_or(host.len())..]) {
                return None;
            }
            unescaped(host, Piece::Host).map(text)
        }
    }
}

/// Where a text stands, which decides what is escaped in it.
#[derive(Clone, Copy, PartialEq)]
enum Piece {
    Path,
    Host,
    Zone,
    User,
    Query,
    Fragment,
}

impl Piece {
    /// Whether a byte stands for itself.
    fn has(self, byte: u8) -> bool {
        let others: &[u8] = match self {
            Piece::Path => b"$&+,/:;=@-._~",
            Piece::Host | Piece::Zone => b"!\"$&'()*+,:;<=>[]-._~",
            Piece::User => b"$&+,;=-._~",
            Piece::Query => b"-._~",
            Piece::Fragment => b"!$&()*+,/:;=?@-._~",
        };
        byte.is_ascii_alphanumeric() || others.contains(&byte)
    }
}

/// The text as it is if it is escaped well, or escaped anew; `None` if an escape in it is broken.
fn encoded(text: &str, piece: Piece) -> Option<String> {
    let bytes = unescaped(text, piece)?;
    let stays = |b: u8| b"!$&'()*+,;=:@[]%".contains(&b) || piece.has(b);
    if text.bytes().all(stays) {
        return Some(text.to_owned());
    }
    Some(escaped(&bytes, piece))
}

fn escaped(bytes: &[u8], piece: Piece) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if piece.has(*byte) {
            out.push(char::from(*byte));
        } else {
            out.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    out
}

fn hex_digit(four_bits: u8) -> char {
    char::from_digit(u32::from(four_bits), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// The bytes of a text without its escapes; `None` if one is broken or not allowed there.
fn unescaped(text: &str, piece: Piece) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                let code = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                let allowed = match piece {
                    Piece::Host => code >= 0x80 || code == b'%',
                    Piece::Zone => code == b'%' || code == b' ' || Piece::Host.has(code),
                    _ => true,
                };
                if !allowed {
                    return None;
                }
                out.push(code);
                at += 2;
            }
            b'+' if piece == Piece::Query => out.push(b' '),
            byte => {
                let host = matches!(piece, Piece::Host | Piece::Zone);
                if host && byte.is_ascii() && !piece.has(*byte) {
                    return None;
                }
                out.push(*byte);
            }
        }
        at += 1;
    }
    Some(out)
}

impl Opaque for Url {
    fn type_name(&self) -> &'static str {
        "url"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other
            .downcast::<Url>()
            .is_some_and(|other| other.text() == self.text())
    }

    fn to_json(&self) -> Json {
        Json::from(self.text())
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
    let query = url(call)?.query.as_deref().unwrap_or_default();
    call.charge(query.len() / 16)?;
    let plain = |text: &str| {
        let bytes = unescaped(text, Piece::Query)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    // What is not a parameter is passed over.
    for pair in query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (plain(name), plain(value)) else {
            continue;
        };
        let value = Value::text(value);
        call.charge(entries.len() / 8)?;
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
