//! A receiver's `slack`: an incoming webhook, or a bot.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::Link;
use super::manifest::Contradiction;
use crate::config::Credential;
use crate::names::Severity;

/// A Slack channel, and how it is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slack {
    pub way: SlackWay,
    /// Another name to post under.
    pub username: Option<String>,
    /// An emoji (`:bell:`) to post under.
    pub icon: Option<String>,
    pub mentions: Mentions,
    pub buttons: Vec<Link>,
}

/// How Slack is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlackWay {
    /// An incoming webhook: each notification is a message of its own.
    Webhook {
        url: Credential,
        /// Another channel, where the webhook may choose one.
        channel: Option<String>,
    },
    /// The Web API: one message for each group, changed in place, with a thread below.
    Bot {
        token: Credential,
        channel: String,
        base_url: String,
    },
}

/// Who is mentioned, by the severity of what fires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mentions {
    /// For `critical`: `here`, `channel`, or the ID of a member (`U…`) or a user group (`S…`).
    #[serde(default)]
    pub critical: Vec<Mention>,
    /// For `warning`.
    #[serde(default)]
    pub warning: Vec<Mention>,
    /// For `info`.
    #[serde(default)]
    pub info: Vec<Mention>,
}

impl Mentions {
    #[must_use]
    pub fn of(&self, severity: Severity) -> &[Mention] {
        match severity {
            Severity::Critical => &self.critical,
            Severity::Warning => &self.warning,
            Severity::Info => &self.info,
        }
    }
}

/// Somebody who can be mentioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// Who is active in the channel, all of it, or all of the workspace.
    All(&'static str),
    Member(String),
    UserGroup(String),
}

/// A text that names nobody.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is nobody who can be mentioned; write `here`, `channel`, or the ID of a member (`U…`) or a \
     user group (`S…`), which Slack shows in the profile"
)]
pub struct Nobody(String);

impl Mention {
    /// Reads `here`, `channel`, `everyone`, `U…`, `W…` or `S…`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str) -> Result<Self, Nobody> {
        let all = ["here", "channel", "everyone"];
        if let Some(all) = all.into_iter().find(|word| *word == text) {
            return Ok(Self::All(all));
        }
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let is_id = text.len() >= 6 && text.chars().all(plain);
        match text.as_bytes().first() {
            Some(b'U' | b'W') if is_id => Ok(Self::Member(text.to_owned())),
            Some(b'S') if is_id => Ok(Self::UserGroup(text.to_owned())),
            _ => Err(Nobody(text.to_owned())),
        }
    }
}

/// As Slack's markup writes it.
impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(word) => write!(f, "<!{word}>"),
            Self::Member(id) => write!(f, "<@{id}>"),
            Self::UserGroup(id) => write!(f, "<!subteam^{id}>"),
        }
    }
}

impl<'de> Deserialize<'de> for Mention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Mention {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mention".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(here|channel|everyone|[UWS][A-Z0-9]{5,})$",
            "x-bellwether-form": "mention",
        })
    }
}

/// `slack` as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.webhookUrl) != has(self.botToken)",
    "message": "exactly one of webhookUrl and botToken is needed",
}, {
    "rule": "!has(self.botToken) || has(self.channel)",
    "message": "a bot needs a channel",
}]))]
pub(in crate::config) struct Manifest {
    /// The address of an incoming webhook, which is a secret: each notification is a message of its
    /// own.
    webhook_url: Option<Credential>,
    /// A bot's token (`xoxb-…`) with the scope `chat:write`, instead: one message for each group of
    /// alerts, changed in place, with what changed in its thread.
    bot_token: Option<Credential>,
    /// The channel, by its ID (`C…`) or name: a bot must be a member. Optional for a webhook, where
    /// it may choose one.
    channel: Option<String>,
    /// Where Slack is, for a bot.
    #[serde(default = "base_url")]
    base_url: String,
    /// Another name to post under; a bot needs the scope `chat:write.customize`.
    username: Option<String>,
    /// An emoji (`:bell:`) to post under; a bot needs the scope `chat:write.customize`.
    icon: Option<String>,
    /// Who is mentioned, by the severity of what fires.
    #[serde(default)]
    mentions: Mentions,
    /// Links below the message, besides the runbook.
    #[serde(default)]
    buttons: Vec<Link>,
}

fn base_url() -> String {
    "https://slack.com".to_owned()
}

impl TryFrom<Manifest> for Slack {
    type Error = Contradiction;

    fn try_from(manifest: Manifest) -> Result<Self, Contradiction> {
        let way = match (manifest.webhook_url, manifest.bot_token, manifest.channel) {
            (Some(url), None, channel) => SlackWay::Webhook { url, channel },
            (None, Some(token), Some(channel)) => SlackWay::Bot {
                token,
                channel,
                base_url: manifest.base_url,
            },
            (None, Some(_), None) => return Err(Contradiction::Channel),
            (Some(_), Some(_), _) | (None, None, _) => return Err(Contradiction::SlackWay),
        };
        Ok(Self {
            way,
            username: manifest.username,
            icon: manifest.icon,
            mentions: manifest.mentions,
            buttons: manifest.buttons,
        })
    }
}
