//! What a template's output is, and how a value is made safe for it.

use std::fmt::Write as _;

/// The format that a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing needs to be escaped.
    Plain,
    /// Slack's markup: `&`, `<` and `>` are control characters
    /// (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
    Mrkdwn,
    /// Values stand between quotes in JSON.
    Json,
    Html,
    /// Values stand in an address, where they must not end its path or begin another parameter.
    Url,
}

impl Target {
    /// The target of a template file, from the word before `.hbs`.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        let stem = name.strip_suffix(".hbs").unwrap_or(name);
        match stem.rsplit_once('.').map(|(_, word)| word) {
            Some("json") => Self::Json,
            Some("html") => Self::Html,
            Some("mrkdwn") => Self::Mrkdwn,
            _ => Self::Plain,
        }
    }

    /// The target of a body with this `Content-Type`.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        if essence == "application/json" || essence.ends_with("+json") {
            Self::Json
        } else if essence == "text/html" || essence == "application/xhtml+xml" {
            Self::Html
        } else {
            Self::Plain
        }
    }

    /// The `Content-Type` of a text in this format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Plain | Self::Mrkdwn | Self::Url => "text/plain; charset=utf-8",
        }
    }

    /// The text as this format writes it.
    #[must_use]
    pub fn escape(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Mrkdwn => replace(text, |c| match c {
                '&' => Some("&amp;"),
                '<' => Some("&lt;"),
                '>' => Some("&gt;"),
                _ => None,
            }),
            Self::Html => replace(text, |c| match c {
                '&' => Some("&amp;"),
                '<' => Some("&lt;"),
                '>' => Some("&gt;"),
                '"' => Some("&quot;"),
                '\'' => Some("&#39;"),
                _ => None,
            }),
            Self::Url => percent(text),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
        }
    }
}

/// All but what RFC 3986 leaves unreserved (2.3), as `%XX`.
fn percent(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn replace(text: &str, with: impl Fn(char) -> Option<&'static str>) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match with(c) {
            Some(entity) => escaped.push_str(entity),
            None => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_escapes_its_own_control_characters() {
        let text = "a<b> & \"c\" 'd'\n";
        insta::assert_snapshot!(Target::Mrkdwn.escape(text), @r#"a&lt;b&gt; &amp; "c" 'd'"#);
        insta::assert_snapshot!(Target::Html.escape(text), @"a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
        insta::assert_snapshot!(Target::Json.escape(text), @r#"a<b> & \"c\" 'd'\n"#);
        assert_eq!(Target::Plain.escape(text), text);
        insta::assert_snapshot!(Target::Url.escape("a/b?c=d&e ü"), @"a%2Fb%3Fc%3Dd%26e%20%C3%BC");
    }

    #[test]
    fn the_name_of_a_file_says_its_target() {
        assert_eq!(Target::of_file("teams.json.hbs"), Target::Json);
        assert_eq!(Target::of_file("slack/short.mrkdwn.hbs"), Target::Mrkdwn);
        assert_eq!(Target::of_file("mail.html.hbs"), Target::Html);
        assert_eq!(Target::of_file("json.hbs"), Target::Plain);
        assert_eq!(
            Target::of_content_type("application/cloudevents+json; charset=utf-8"),
            Target::Json
        );
    }
}
