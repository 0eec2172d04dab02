//! Semantic versions (2.0.0) of Kubernetes.
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-semver-library>

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use std::cmp::Ordering;
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::between("semver", 1, 2, semver),
    Function::between("isSemver", 1, 2, |call| {
        Ok(Value::Bool(parsed(call)?.is_some()))
    }),
    Function::new("x.major", 1, |call| number(call, 0)),
    Function::new("x.minor", 1, |call| number(call, 1)),
    Function::new("x.patch", 1, |call| number(call, 2)),
];

pub const SIGNATURES: &str = "
    semver(string) -> semver
    semver(string, bool) -> semver
    isSemver(string) -> bool
    isSemver(string, bool) -> bool
    x.major(semver) -> int
    x.minor(semver) -> int
    x.patch(semver) -> int
";

/// A version. Its build part has no order.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    numbers: [u64; 3],
    pre: Vec<String>,
    build: String,
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn plain_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl Version {
    fn parse(text: &str) -> Option<Version> {
        let (rest, build) = match text.split_once('+') {
            Some((rest, build)) => (rest, Some(build)),
            None => (text, None),
        };
        let (core, pre) = match rest.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (rest, None),
        };
        let numbers: Vec<u64> = core.split('.').map(plain_number).collect::<Option<_>>()?;
        let pre: Vec<String> =
            pre.map_or_else(Vec::new, |p| p.split('.').map(str::to_owned).collect());
        let pre_is_valid = pre.iter().all(|part| {
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            is_identifier(part) && (!digits || plain_number(part).is_some())
        });
        let build_is_valid = build.is_none_or(|build| build.split('.').all(is_identifier));
        if !pre_is_valid || !build_is_valid {
            return None;
        }
        Some(Version {
            numbers: numbers.try_into().ok()?,
            pre,
            build: build.unwrap_or_default().to_owned(),
        })
    }

    fn compare(&self, other: &Version) -> Ordering {
        let by_pre = match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.pre.iter().zip(&other.pre);
                let parts = pairs.map(|(a, b)| match (a.parse::<u64>(), b.parse::<u64>()) {
                    (Ok(a), Ok(b)) => a.cmp(&b),
                    (Ok(_), Err(_)) => Ordering::Less,
                    (Err(_), Ok(_)) => Ordering::Greater,
                    (Err(_), Err(_)) => a.cmp(b),
                });
                let length = self.pre.len().cmp(&other.pre.len());
                parts.fold(Ordering::Equal, Ordering::then).then(length)
            }
        };
        self.numbers.cmp(&other.numbers).then(by_pre)
    }
}

impl Opaque for Version {
    fn type_name(&self) -> &'static str {
        "semver"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other
            .downcast::<Version>()
            .is_some_and(|other| self.compare(other).is_eq())
    }

    fn compare(&self, other: &dyn Opaque) -> Option<Ordering> {
        Some(self.compare(other.downcast::<Version>()?))
    }

    fn to_json(&self) -> Json {
        let [major, minor, patch] = self.numbers;
        let mut text = format!("{major}.{minor}.{patch}");
        if !self.pre.is_empty() {
            text.push('-');
            text.push_str(&self.pre.join("."));
        }
        if !self.build.is_empty() {
            text.push('+');
            text.push_str(&self.build);
        }
        Json::from(text)
    }
}

/// With `true` as second argument, as people write it: `v1`, `1.2`, `01.2.3`. A short version has
/// nothing behind its numbers.
fn normalised(text: &str) -> Option<String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let plain = |part: &str| {
        let trimmed = part.trim_start_matches('0');
        let zero = if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
            ""
        } else {
            "0"
        };
        if part.len() > 1 {
            format!("{zero}{trimmed}")
        } else {
            part.to_owned()
        }
    };
    let mut parts: Vec<String> = text.splitn(3, '.').map(plain).collect();
    if parts.len() < 3 && parts.last().is_some_and(|last| last.contains(['+', '-'])) {
        return None;
    }
    parts.resize(3, "0".to_owned());
    Some(parts.join("."))
}

fn parsed(call: &Call<'_, '_, '_>) -> Result<Option<Version>, Fault> {
    let text = call.text(0)?;
    let lenient = match call.args.get(1) {
        Some(flag) => flag.as_bool().ok_or_else(|| call.mismatch())?,
        None => false,
    };
    Ok(if lenient {
        normalised(text).and_then(|text| Version::parse(&text))
    } else {
        Version::parse(text)
    })
}

fn semver<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    match parsed(call)? {
        Some(version) => Ok(Value::Opaque(Arc::new(version))),
        None => {
            let shown: String = call.text(0)?.chars().take(60).collect();
            let message = format!("'{shown}' is not a semantic version, as in 1.2.3");
            Err(call.fail(ErrorKind::Conversion, message))
        }
    }
}

fn number<'a>(call: &mut Call<'_, 'a, '_>, at: usize) -> Outcome<'a> {
    match &call.args[0] {
        Value::Opaque(opaque) => opaque.downcast::<Version>(),
        _ => None,
    }
    .map(|version| Value::Int(version.numbers[at].cast_signed()))
    .ok_or_else(|| call.mismatch())
}
