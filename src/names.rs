//! The words that every stage uses: identities of rules, receivers, objects, alerts and groups.
//!
//! Nothing here does work; these are the newtypes that keep one kind of name
//! from being taken for another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(name: T) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// A rule: its name, or `namespace/name` where a tenant's namespace owns it.
    RuleName
}
name! {
    /// A receiver: its name, or `namespace/name` where a tenant's namespace owns it.
    ReceiverName
}
name! {
    /// A route: its name, or `namespace/name` where a tenant's namespace owns it.
    RouteName
}
name! {
    /// An inhibition: its name, or `namespace/name` where a tenant's namespace owns it.
    InhibitionName
}
name! {
    /// A silence: its name, or `namespace/name` where a tenant's namespace owns it.
    SilenceName
}
name! {
    /// One list/watch stream: kind, namespaces and selectors in one canonical text,
    /// so that rules that watch the same thing share the stream, also across restarts.
    SourceKey
}
name! {
    /// A group of alerts at one receiver: `receiver{label="value",…}`.
    GroupKey
}
name! {
    /// One notification, for ever: the same after a crash, so that a receiver can recognise it.
    NotificationId
}

/// Labels of an alert or a group, sorted by name.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// The identity of an alert through restarts, edits and relists: 128 bits of a
/// SHA-256 over the parts that make it (`rules.md`: rule, object UID, dedup key, occurrence).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint of these parts, in this order.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(first))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// An object's UID. The API server's are UUIDs, which fit in 16 bytes; any other
/// text (an aggregated API may choose its own) is hashed into them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Uid(u128);

impl Uid {
    /// Reads the text of `metadata.uid`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let bytes = text.as_bytes();
        let dashes_stand_where_a_uuid_has_them =
            bytes.len() == 36 && [8, 13, 18, 23].iter().all(|&at| bytes[at] == b'-');
        let canonical = !bytes.iter().any(u8::is_ascii_uppercase);
        if dashes_stand_where_a_uuid_has_them && canonical {
            let mut hex = String::with_capacity(32);
            hex.extend(text.chars().filter(|c| *c != '-'));
            if hex.len() == 32
                && let Ok(value) = u128::from_str_radix(&hex, 16)
            {
                return Self(value);
            }
        }
        Self(Fingerprint::of(&["uid", text]).0)
    }
}

impl From<String> for Uid {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.to_string()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(
            f,
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which object: enough to print it, to find it with kubectl, and to know it from its successor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `group/version`, or `v1` for the core group.
    pub api_version: Arc<str>,
    pub kind: Arc<str>,
    /// Absent for a cluster-scoped object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    pub name: Arc<str>,
    pub uid: Uid,
}

impl ObjectRef {
    /// Whether somebody who writes this may mean it: `Kind/namespace/name`, `namespace/name` or the
    /// name alone.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        let whole = self.to_string();
        let before = whole.strip_suffix(text);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{}/{}", self.kind, namespace, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

/// How bad it is, as the rule says it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    #[default]
    Warning,
    Critical,
}

impl Severity {
    /// The word as it stands in YAML and in the `severity` label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_kept_as_it_is() {
        let text = "0b5e3a52-7b7e-4f3f-9c59-0b0b9f4c2f10";
        assert_eq!(Uid::parse(text).to_string(), text);
    }

    #[test]
    fn a_uid_that_is_no_uuid_is_told_from_its_look_alikes() {
        assert_ne!(Uid::parse("machine-1"), Uid::parse("machine-2"));
        assert_ne!(
            Uid::parse("0B5E3A52-7B7E-4F3F-9C59-0B0B9F4C2F10"),
            Uid::parse("0b5e3a52-7b7e-4f3f-9c59-0b0b9f4c2f10")
        );
        assert_ne!(
            Uid::parse("+b5e3a52-7b7e-4f3f-9c59-0b0b9f4c2f1€"),
            Uid::parse("")
        );
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_into_each_other() {
        assert_ne!(Fingerprint::of(&["ab", "c"]), Fingerprint::of(&["a", "bc"]));
    }
}
