//! Named formats of Kubernetes: `format.named('dns1123Label')`, `format.dns1123Label()`, and
//! `validate`, which gives what is wrong with a text, or nothing.
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-format-library>

use super::{Call, Function, url};
use crate::cel::evaluate::Outcome;
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use jiff::civil::Date;
use regex::Regex;
use std::sync::{Arc, LazyLock};

pub const FUNCTIONS: &[Function] = &[
    Function::new("format.named", 1, |call| {
        let name = call.text(0)?;
        Ok(Value::Optional(named(name).map(|f| Arc::new(value(f)))))
    }),
    Function::new("format.dns1123Label", 0, constant),
    Function::new("format.dns1123Subdomain", 0, constant),
    Function::new("format.dns1035Label", 0, constant),
    Function::new("format.qualifiedName", 0, constant),
    Function::new("format.dns1123LabelPrefix", 0, constant),
    Function::new("format.dns1123SubdomainPrefix", 0, constant),
    Function::new("format.dns1035LabelPrefix", 0, constant),
    Function::new("format.labelValue", 0, constant),
    Function::new("format.uri", 0, constant),
    Function::new("format.uuid", 0, constant),
    Function::new("format.byte", 0, constant),
    Function::new("format.date", 0, constant),
    Function::new("format.datetime", 0, constant),
    Function::new("x.validate", 2, validate),
];

pub const SIGNATURES: &str = "
    format.named(string) -> optional<kubernetes.NamedFormat>
    format.dns1123Label() -> kubernetes.NamedFormat
    format.dns1123Subdomain() -> kubernetes.NamedFormat
    format.dns1035Label() -> kubernetes.NamedFormat
    format.qualifiedName() -> kubernetes.NamedFormat
    format.dns1123LabelPrefix() -> kubernetes.NamedFormat
    format.dns1123SubdomainPrefix() -> kubernetes.NamedFormat
    format.dns1035LabelPrefix() -> kubernetes.NamedFormat
    format.labelValue() -> kubernetes.NamedFormat
    format.uri() -> kubernetes.NamedFormat
    format.uuid() -> kubernetes.NamedFormat
    format.byte() -> kubernetes.NamedFormat
    format.date() -> kubernetes.NamedFormat
    format.datetime() -> kubernetes.NamedFormat
    x.validate(kubernetes.NamedFormat, string) -> optional<list<string>>
";

/// A format by its name, and what is wrong with a text that does not have it.
#[derive(Debug)]
struct Format {
    name: &'static str,
    wrong: fn(&str) -> Vec<String>,
}

static FORMATS: [Format; 13] = [
    Format {
        name: "dns1123Label",
        wrong: dns_1123_label,
    },
    Format {
        name: "dns1123Subdomain",
        wrong: |text| dns_1123_subdomain(text, "characters"),
    },
    Format {
        name: "dns1035Label",
        wrong: dns_1035_label,
    },
    Format {
        name: "qualifiedName",
        wrong: qualified_name,
    },
    Format {
        name: "dns1123LabelPrefix",
        wrong: |text| dns_1123_label(&completed(text)),
    },
    Format {
        name: "dns1123SubdomainPrefix",
        wrong: |text| dns_1123_subdomain(&completed(text), "characters"),
    },
    Format {
        name: "dns1035LabelPrefix",
        wrong: |text| dns_1035_label(&completed(text)),
    },
    Format {
        name: "labelValue",
        wrong: label_value,
    },
    Format {
        name: "uri",
        wrong: |text| unless(url::is_url(text), "this is not an absolute URI"),
    },
    Format {
        name: "uuid",
        wrong: |text| unless(UUID.is_match(text), "does not match the UUID format"),
    },
    Format {
        name: "byte",
        wrong: |text| unless(BASE64.is_match(text), "invalid base64"),
    },
    Format {
        name: "date",
        wrong: |text| unless(is_date(text), "invalid date"),
    },
    Format {
        name: "datetime",
        wrong: |text| unless(is_datetime(text), "invalid datetime"),
    },
];

/// The longest label, and the longest name of several labels, in DNS.
const LONGEST_LABEL: usize = 63;
const LONGEST_SUBDOMAIN: usize = 253;

const LABEL_1123: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_1123: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

static IS_LABEL_1123: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_1123));
static IS_SUBDOMAIN_1123: LazyLock<Regex> = LazyLock::new(|| whole(SUBDOMAIN_1123));
static IS_LABEL_1035: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_1035));
static IS_NAME: LazyLock<Regex> = LazyLock::new(|| whole(NAME));
static IS_LABEL_VALUE: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_VALUE));
static UUID: LazyLock<Regex> = LazyLock::new(|| {
    whole("(?i-u:[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})")
});
static BASE64: LazyLock<Regex> = LazyLock::new(|| {
    whole("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
});
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    whole("([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))")
});

fn whole(pattern: &str) -> Regex {
    Regex::new(&format!("^({pattern})$"))
        .expect("the patterns of this file are valid: a test uses each")
}

fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

fn value<'a>(format: &'static Format) -> Value<'a> {
    Value::Opaque(Arc::new(Named(format)))
}

/// `format.dns1123Label()` and the like.
fn constant<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let name = call.function.name.trim_start_matches("format.");
    named(name).map(value).ok_or_else(|| call.mismatch())
}

/// What is wrong with the text, or none.
fn validate<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let format = match &call.args[0] {
        Value::Opaque(opaque) => opaque.downcast::<Named>(),
        _ => None,
    };
    let Some(Named(format)) = format else {
        return Err(call.mismatch());
    };
    let text = call.text(1)?;
    call.charge(text.len() / 16)?;
    let wrong = (format.wrong)(text);
    if wrong.is_empty() {
        return Ok(Value::Optional(None));
    }
    let list = call.new_list(wrong.into_iter().map(Value::text).collect())?;
    Ok(Value::Optional(Some(Arc::new(list))))
}

#[derive(Debug)]
struct Named(&'static Format);

impl Opaque for Named {
    fn type_name(&self) -> &'static str {
        "kubernetes.NamedFormat"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other
            .downcast::<Named>()
            .is_some_and(|other| other.0.name == self.0.name)
    }

    fn to_json(&self) -> Json {
        Json::from(self.0.name)
    }
}

fn unless(right: bool, message: &str) -> Vec<String> {
    if right {
        Vec::new()
    } else {
        vec![message.to_owned()]
    }
}

fn too_long(most: usize, unit: &str) -> String {
    format!("must be no more than {most} {unit}")
}

fn pattern(message: &str, examples: &[&str], pattern: &str) -> String {
    let examples: Vec<String> = examples.iter().map(|e| format!("'{e}', ")).collect();
    let examples = examples.join(" or ");
    format!("{message} (e.g. {examples}regex used for validation is '{pattern}')")
}

/// A prefix that ends in a dash, as if the rest of the name stood there already.
fn completed(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            // Kubernetes cuts a byte more, also in the middle of a character.
            let kept = &rest.as_bytes()[..rest.len() - 1];
            format!("{}a", String::from_utf8_lossy(kept))
        }
        _ => prefix.to_owned(),
    }
}

fn dns_1123_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LONGEST_LABEL {
        wrong.push(too_long(LONGEST_LABEL, "characters"));
    }
    if !IS_LABEL_1123.is_match(text) {
        wrong.push(if IS_SUBDOMAIN_1123.is_match(text) {
            "must not contain dots".to_owned()
        } else {
            pattern(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \
                 '-', and must start and end with an alphanumeric character",
                &["my-name", "123-abc"],
                LABEL_1123,
            )
        });
    }
    wrong
}

fn dns_1123_subdomain(text: &str, unit: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LONGEST_SUBDOMAIN {
        wrong.push(too_long(LONGEST_SUBDOMAIN, unit));
    }
    if !IS_SUBDOMAIN_1123.is_match(text) {
        wrong.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '-' or '.', and must start and end with an alphanumeric character",
            &["example.com"],
            SUBDOMAIN_1123,
        ));
    }
    wrong
}

fn dns_1035_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LONGEST_LABEL {
        wrong.push(too_long(LONGEST_LABEL, "characters"));
    }
    if !IS_LABEL_1035.is_match(text) {
        wrong.push(pattern(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start \
             with an alphabetic character, and end with an alphanumeric character",
            &["my-name", "abc-123"],
            LABEL_1035,
        ));
    }
    wrong
}

/// The key of a label: a name, with a subdomain in front of it or not.
fn qualified_name(text: &str) -> Vec<String> {
    let name_is_wrong = || {
        pattern(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
             with an alphanumeric character",
            &["MyName", "my.name", "123-abc"],
            NAME,
        )
    };
    let mut wrong = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                let of_prefix = dns_1123_subdomain(prefix, "bytes").into_iter();
                wrong.extend(of_prefix.map(|message| format!("prefix part {message}")));
            }
            *name
        }
        _ => {
            let message = name_is_wrong();
            wrong.push(format!(
                "a valid label key {message} with an optional DNS subdomain prefix and '/' \
                 (e.g. 'example.com/MyName')"
            ));
            return wrong;
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LONGEST_LABEL {
        wrong.push(format!("name part {}", too_long(LONGEST_LABEL, "bytes")));
    }
    if !IS_NAME.is_match(name) {
        wrong.push(format!("name part {}", name_is_wrong()));
    }
    wrong
}

fn label_value(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LONGEST_LABEL {
        wrong.push(too_long(LONGEST_LABEL, "bytes"));
    }
    if !IS_LABEL_VALUE.is_match(text) {
        wrong.push(pattern(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', \
             '_' or '.', and must start and end with an alphanumeric character",
            &["MyValue", "my_value", "12345"],
            LABEL_VALUE,
        ));
    }
    wrong
}

/// `2026-11-23`, and a day that there is.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && (0..10).all(|at| match at {
            4 | 7 => bytes[at] == b'-',
            _ => bytes[at].is_ascii_digit(),
        });
    if !shaped {
        return false;
    }
    let (year, month, day) = (text[..4].parse(), text[5..7].parse(), text[8..].parse());
    match (year, month, day) {
        (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).is_ok(),
        _ => false,
    }
}

/// A date, a `T` and a time of day with a zone; Kubernetes looks no further than a second `T`.
fn is_datetime(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut parts = text.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else {
        return false;
    };
    let in_range = TIME
        .captures(time)
        .is_some_and(|found| &found[2] <= "23" && &found[3] <= "59" && &found[4] <= "59");
    is_date(date) && in_range
}
