//! Matchers over labels, in Alertmanager's syntax: `severity="critical"`, `team=~"db|storage"`.
//!
//! In: what a user wrote, one matcher or several with commas between them, in braces or not. Out:
//! [`Matchers`], which know whether labels satisfy them all. The grammar is Alertmanager's UTF-8
//! one; a regular expression must match the whole value, and a label that is not there is empty.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::Labels;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
}

/// One condition on one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    pub label: Arc<str>,
    pub comparison: Comparison,
    pub value: Arc<str>,
    /// For the last two comparisons: the value, anchored.
    pattern: Option<Regex>,
}

/// Conditions that must all hold. None at all hold for every alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

/// What is wrong with the text of a matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    #[error("it is empty")]
    Empty,
    #[error("a label's name is missing before `{0}`")]
    NoName(String),
    #[error("one of `=`, `!=`, `=~` and `!~` must stand before `{0}`")]
    NoComparison(String),
    #[error("`{0}` needs quotes around its value")]
    Reserved(String),
    #[error("the quotes of {0} are not closed")]
    Unclosed(String),
    #[error("`\\{0}` is no escape")]
    Escape(char),
    #[error("a comma must stand before `{0}`")]
    NoComma(String),
    #[error("a brace is missing")]
    Brace,
    #[error("`{0}` is no regular expression: {1}")]
    Pattern(String, String),
}

impl Comparison {
    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }
}

impl Matcher {
    fn new(label: &str, comparison: Comparison, value: &str) -> Result<Self, MatcherError> {
        let pattern = match comparison {
            Comparison::Equal | Comparison::NotEqual => None,
            Comparison::Matches | Comparison::MatchesNot => {
                let anchored = Regex::new(&format!("^(?:{value})$"));
                Some(anchored.map_err(|error| {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    let why = last.trim_start_matches("error: ").to_owned();
                    MatcherError::Pattern(value.to_owned(), why)
                })?)
            }
        };
        Ok(Self {
            label: label.into(),
            comparison,
            value: value.into(),
            pattern,
        })
    }

    /// Whether the labels satisfy it.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.label).map_or("", |value| &**value);
        let fits = || self.pattern.as_ref().is_some_and(|it| it.is_match(value));
        match self.comparison {
            Comparison::Equal => value == &*self.value,
            Comparison::NotEqual => value != &*self.value,
            Comparison::Matches => fits(),
            Comparison::MatchesNot => !fits(),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        let parts = |it: &Self| (it.label.clone(), it.comparison, it.value.clone());
        parts(self) == parts(other)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        if !self.label.is_empty() && self.label.chars().all(plain) {
            f.write_str(&self.label)?;
        } else {
            quote(f, &self.label)?;
        }
        f.write_str(self.comparison.as_str())?;
        quote(f, &self.value)
    }
}

/// With the escapes that [`Reader::quoted`] knows.
fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

impl Matchers {
    /// Whether the labels satisfy all of them.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Matcher> {
        self.0.iter()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an alert without any label would satisfy them.
    #[must_use]
    pub fn match_nothing_in_particular(&self) -> bool {
        self.matches(&Labels::new())
    }
}

impl FromIterator<Matcher> for Matchers {
    fn from_iter<I: IntoIterator<Item = Matcher>>(matchers: I) -> Self {
        Self(matchers.into_iter().collect())
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "{{{}}}", texts.join(", "))
    }
}

impl FromStr for Matchers {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        Reader { rest: text.trim() }.matchers().map(Self)
    }
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Vec::new();
        for text in Vec::<String>::deserialize(deserializer)? {
            let matchers: Self = text.parse().map_err(serde::de::Error::custom)?;
            all.extend(matchers.0);
        }
        Ok(Self(all))
    }
}

impl Serialize for Matchers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl JsonSchema for Matchers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Matchers".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array",
            "items": { "type": "string", "x-bellwether-form": "matcher" },
        })
    }
}

/// The text that is still to be read.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn matchers(mut self) -> Result<Vec<Matcher>, MatcherError> {
        let braced = self.eat("{");
        let mut all = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || self.rest.starts_with('}') {
                break;
            }
            all.push(self.matcher()?);
            if !self.eat(",") {
                break;
            }
        }
        if braced != self.eat("}") {
            return Err(MatcherError::Brace);
        }
        match self.rest {
            "" if all.is_empty() && !braced => Err(MatcherError::Empty),
            "" => Ok(all),
            rest if rest.starts_with(reserved) => Err(MatcherError::Reserved(rest.to_owned())),
            rest => Err(MatcherError::NoComma(rest.to_owned())),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, MatcherError> {
        let label = self.text()?;
        if label.is_empty() {
            return Err(MatcherError::NoName(self.rest.to_owned()));
        }
        let comparison = if self.eat("=~") {
            Comparison::Matches
        } else if self.eat("!~") {
            Comparison::MatchesNot
        } else if self.eat("!=") {
            Comparison::NotEqual
        } else if self.eat("=") {
            Comparison::Equal
        } else {
            return Err(MatcherError::NoComparison(self.rest.to_owned()));
        };
        let value = self.text()?;
        if value.is_empty()
            && self
                .rest
                .starts_with(|c| c != ',' && reserved(c) && c != '}')
        {
            return Err(MatcherError::Reserved(self.rest.to_owned()));
        }
        Matcher::new(&label, comparison, &value)
    }

    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let Some(rest) = self.rest.strip_prefix(token) else {
            return false;
        };
        self.rest = rest.trim_start();
        true
    }

    /// A name or a value: in quotes, or up to the next space or reserved character.
    fn text(&mut self) -> Result<String, MatcherError> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let ends = |c: char| c.is_whitespace() || reserved(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn quoted(&mut self) -> Result<String, MatcherError> {
        let whole = self.rest;
        let mut text = String::new();
        let mut characters = whole.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &whole[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, same @ ('"' | '\\'))) => text.push(same),
                    Some((_, other)) => return Err(MatcherError::Escape(other)),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(MatcherError::Unclosed(whole.to_owned()))
    }
}

fn reserved(c: char) -> bool {
    "{}!=~,\\\"'`".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    fn holds(matchers: &str, pairs: &[(&str, &str)]) -> bool {
        matchers
            .parse::<Matchers>()
            .unwrap()
            .matches(&labels(pairs))
    }

    #[test]
    fn matchers_are_written_with_or_without_braces_quotes_and_spaces() {
        let texts = [
            "severity=critical",
            " severity = \"critical\" ",
            "{severity=\"critical\",}",
            "{ team !~ \"db|storage\" , severity!=info }",
            "\"odd name\"=x",
            "team=~a|b",
            "a=\"\"",
            "{}",
        ];
        let read = texts.map(|text| text.parse::<Matchers>().unwrap().to_string());
        insta::assert_snapshot!(read.join("\n"), @r#"
        {severity="critical"}
        {severity="critical"}
        {severity="critical"}
        {team!~"db|storage", severity!="info"}
        {"odd name"="x"}
        {team=~"a|b"}
        {a=""}
        {}
        "#);
    }

    #[test]
    fn what_is_no_matcher_is_refused_with_what_is_wrong() {
        let texts = [
            "",
            "severity",
            "=x",
            "a=b=c",
            "a=\"b",
            "a=\"\\d\"",
            "a=b c=d",
            "{a=b",
            "a=b}",
            "a=~(",
            "a='b'",
        ];
        let why = texts.map(|text| format!("{text}: {}", text.parse::<Matchers>().unwrap_err()));
        insta::assert_snapshot!(why.join("\n"), @r#"
        : it is empty
        severity: one of `=`, `!=`, `=~` and `!~` must stand before ``
        =x: a label's name is missing before `=x`
        a=b=c: `=c` needs quotes around its value
        a="b: the quotes of "b are not closed
        a="\d": `\d` is no escape
        a=b c=d: a comma must stand before `c=d`
        {a=b: a brace is missing
        a=b}: a brace is missing
        a=~(: `(` is no regular expression: unclosed group
        a='b': `'b'` needs quotes around its value
        "#);
    }

    #[test]
    fn an_absent_label_is_empty_and_a_pattern_matches_the_whole_value() {
        assert!(holds("team=\"\"", &[]));
        assert!(holds("team!=db", &[]));
        assert!(!holds("team!=\"\"", &[]));
        assert!(holds("team=~\"db|\"", &[]));
        assert!(holds("team=~\"d.\"", &[("team", "db")]));
        assert!(!holds("team=~d", &[("team", "db")]));
        assert!(holds("team!~d", &[("team", "db")]));
        assert!(!holds("{team=db,severity=critical}", &[("team", "db")]));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(label in ".{1,8}", value in ".{0,8}") {
            let matcher = Matcher::new(&label, Comparison::NotEqual, &value).unwrap();
            let again: Matchers = matcher.to_string().parse().unwrap();
            proptest::prop_assert_eq!(again, Matchers(vec![matcher]));
        }
    }
}
