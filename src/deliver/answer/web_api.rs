//! What an answer of Slack's Web API means for the message that a call was about.

use serde_json::Value;

use super::{Answer, is_temporary, quoted, redirected, refused_by_slack, retry, with_body};
use crate::outbox::{Outcome, Post};

/// How a call of Slack's Web API ended.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::deliver) enum Called {
    /// With the message that it is about, as far as the answer names it.
    Done(Option<Post>),
    /// The message, its thread or its channel is not there, or nobody may change it: the word for it.
    Gone(String),
    Failed(Outcome),
}

/// Slack's Web API: 200 with `ok` in JSON, whatever happened
/// (<https://docs.slack.dev/apis/web-api/#responses>), except 429.
pub(in crate::deliver) fn web_api(answer: &Answer) -> Called {
    let json: Value = serde_json::from_str(answer.body.trim()).unwrap_or_default();
    if is_temporary(answer.status) {
        return Called::Failed(retry(answer, "Slack"));
    }
    match (json["ok"].as_bool(), json["error"].as_str()) {
        (Some(true), _) => {
            let (channel, ts) = (json["channel"].as_str(), json["ts"].as_str());
            Called::Done(channel.zip(ts).map(|(channel, ts)| Post {
                channel: channel.into(),
                ts: ts.into(),
            }))
        }
        (Some(false), Some(error)) if GONE.contains(&error) => Called::Gone(error.to_owned()),
        (Some(false), Some(error)) if TEMPORARY.contains(&error) => {
            Called::Failed(retry(answer, "Slack"))
        }
        (Some(false), error) => {
            // `missing_scope` comes with the scope that is missing.
            let needed = json["needed"].as_str().map(|scope| format!(" ({scope})"));
            let word = format!(
                "{}{}",
                quoted(error.unwrap_or("unknown error")),
                quoted(&needed.unwrap_or_default())
            );
            Called::Failed(refused_by_slack(&word))
        }
        (None, _) if (300..400).contains(&answer.status) => {
            Called::Failed(redirected(answer, "Slack"))
        }
        (None, _) if (400..500).contains(&answer.status) => {
            let word = with_body(format!("HTTP {}", answer.status), &answer.body);
            Called::Failed(refused_by_slack(&word))
        }
        // A login page of a proxy, for example.
        (None, _) => Called::Failed(retry(answer, "Slack, an answer without \"ok\"")),
    }
}

/// Errors after which a message that was to be changed is posted anew.
const GONE: [&str; 7] = [
    "channel_not_found",
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
    "thread_not_found",
    "invalid_thread_ts",
    "cannot_reply_to_message",
];

/// Errors that pass.
const TEMPORARY: [&str; 7] = [
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
];
