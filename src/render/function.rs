//! The functions that a template may call, with what they take: Handlebars calls them helpers.
//!
//! In: a function's arguments as JSON. Out: JSON, or markup of the template's target. None of
//! them reads a clock: `ago` counts from the moment at which the notification was decided.

use jiff::Timestamp;
use serde_json::Value;

use super::escape::Target;
use super::{cut, time, tree};

/// A function of the template language.
pub struct Function {
    pub name: &'static str,
    /// How it is written, for hints.
    pub usage: &'static str,
    /// The fewest and the most parameters.
    pub parameters: (usize, usize),
    /// The names of its options (`zone="UTC"`).
    pub options: &'static [&'static str],
    pub run: fn(&Arguments) -> Result<Output, String>,
}

/// What a function is called with.
pub struct Arguments<'a> {
    pub parameters: Vec<&'a Value>,
    pub options: Vec<(&'a str, &'a Value)>,
    /// When the notification was decided.
    pub at: Option<Timestamp>,
    pub target: Target,
}

/// What a function gives.
pub enum Output {
    /// A value, to be escaped for the target.
    Value(Value),
    /// A text in the target's own format, to be written as it is.
    Markup(String),
}

impl Arguments<'_> {
    fn value(&self, index: usize) -> &Value {
        self.parameters.get(index).copied().unwrap_or(&Value::Null)
    }

    fn text(&self, index: usize) -> String {
        text_of(self.value(index))
    }

    fn option(&self, name: &str) -> Option<String> {
        let (_, value) = self.options.iter().find(|(option, _)| *option == name)?;
        Some(text_of(value))
    }
}

/// The text of a value, as a template writes it.
#[must_use]
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Functions of Handlebars itself that work here as they do there, with their parameters.
pub const STANDARD: &[(&str, usize, usize)] = &[
    ("if", 1, 1),
    ("unless", 1, 1),
    ("each", 1, 1),
    ("with", 1, 1),
    ("lookup", 2, 2),
    ("eq", 2, 2),
    ("ne", 2, 2),
    ("gt", 2, 2),
    ("gte", 2, 2),
    ("lt", 2, 2),
    ("lte", 2, 2),
    ("and", 2, 2),
    ("or", 2, 2),
    ("not", 1, 1),
    ("len", 1, 1),
];

/// The functions that are ours.
pub const FUNCTIONS: &[Function] = &[
    function("ago", "{{ago TIME}}", (1, 1), &[], |call| {
        let at = call.at.ok_or("there is no moment to count from")?;
        let then = time::parse(call.value(0))?;
        Ok(text(time::ago(at, then)))
    }),
    function(
        "date",
        "{{date TIME zone=\"Europe/Berlin\" format=\"%H:%M\"}}",
        (1, 1),
        &["zone", "format"],
        |call| {
            let then = time::parse(call.value(0))?;
            let zone = call.option("zone");
            let format = call.option("format");
            time::date(then, zone.as_deref(), format.as_deref()).map(text)
        },
    ),
    function("upper", "{{upper TEXT}}", (1, 1), &[], |call| {
        Ok(text(call.text(0).to_uppercase()))
    }),
    function("lower", "{{lower TEXT}}", (1, 1), &[], |call| {
        Ok(text(call.text(0).to_lowercase()))
    }),
    function("truncate", "{{truncate TEXT 80}}", (2, 2), &[], |call| {
        let limit = call
            .value(1)
            .as_u64()
            .ok_or_else(|| format!("the length must be a whole number, not {}", call.value(1)))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(text(cut::to_characters(&call.text(0), limit)))
    }),
    function(
        "default",
        "{{default VALUE \"none\"}}",
        (2, 2),
        &[],
        |call| {
            let first = call.value(0);
            let empty = first.is_null() || first.as_str().is_some_and(str::is_empty);
            Ok(Output::Value(call.value(usize::from(empty)).clone()))
        },
    ),
    function("join", "{{join LIST \", \"}}", (1, 2), &[], |call| {
        let Value::Array(items) = call.value(0) else {
            return Err(format!("only a list can be joined, not {}", call.value(0)));
        };
        let separator = call
            .parameters
            .get(1)
            .map_or(", ".to_owned(), |v| text_of(v));
        let items: Vec<String> = items.iter().map(text_of).collect();
        Ok(text(items.join(&separator)))
    }),
    function("json", "{{json VALUE}}", (1, 1), &["pretty"], |call| {
        let value = call.value(0);
        let json = if call.option("pretty").as_deref() == Some("true") {
            format!("{value:#}")
        } else {
            value.to_string()
        };
        // In a JSON body it is a value of its own, not a part of a string.
        Ok(match call.target {
            Target::Json => Output::Markup(json),
            _ => text(json),
        })
    }),
    function("yaml", "{{yaml VALUE}}", (1, 1), &[], |call| {
        Ok(text(tree::yaml(call.value(0))))
    }),
    function("diff", "{{diff OLD NEW}}", (2, 2), &[], |call| {
        Ok(text(tree::diff(call.value(0), call.value(1))))
    }),
    function("urlencode", "{{urlencode TEXT}}", (1, 1), &[], |call| {
        Ok(text(Target::Url.escape(&call.text(0))))
    }),
    function("link", "{{link URL TEXT}}", (1, 2), &[], |call| {
        let url = call.text(0);
        let label = call
            .parameters
            .get(1)
            .map_or_else(|| url.clone(), |v| text_of(v));
        Ok(link(&url, &label, call.target))
    }),
];

/// The function of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

const fn function(
    name: &'static str,
    usage: &'static str,
    parameters: (usize, usize),
    options: &'static [&'static str],
    run: fn(&Arguments) -> Result<Output, String>,
) -> Function {
    Function {
        name,
        usage,
        parameters,
        options,
        run,
    }
}

fn text(text: String) -> Output {
    Output::Value(Value::String(text))
}

/// A link as the target writes it. What is no web address stays text: a value of an object must
/// not become `javascript:` in somebody's mail.
fn link(url: &str, label: &str, target: Target) -> Output {
    let web = url.starts_with("https://") || url.starts_with("http://");
    match target {
        Target::Mrkdwn if web => Output::Markup(mrkdwn_link(url, label)),
        Target::Html if web => Output::Markup(format!(
            "<a href=\"{}\">{}</a>",
            target.escape(url),
            target.escape(label)
        )),
        _ if url == label => text(url.to_owned()),
        _ => text(format!("{label} ({url})")),
    }
}

/// A link in Slack's markup.
#[must_use]
pub fn mrkdwn_link(url: &str, label: &str) -> String {
    let url = url
        .replace('|', "%7C")
        .replace('<', "%3C")
        .replace('>', "%3E");
    let url = url.replace(|c: char| c.is_whitespace() || c.is_control(), "%20");
    let label = Target::Mrkdwn.escape(label).replace(['|', '\n'], " ");
    format!("<{}|{label}>", url.replace('&', "&amp;"))
}
