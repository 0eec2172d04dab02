//! Slack's incoming webhooks and Web API: their answers, Block Kit's limits, one message a second a channel.
//!
//! Written from Slack's documentation: "Sending messages using incoming webhooks" (answers), "Block Kit
//! reference" (limits), "Rate limits" (pace). Block types and elements that Bellwether has no use for are
//! refused, which is stricter than Slack.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, Receiver, Request, Service, characters};

mod blocks;
mod picture;
mod web_api;

pub use web_api::{Picture, Post};

/// A stand-in for Slack. The last part of a webhook's path is its channel.
pub type Slack = Receiver<Workspace>;

/// Text beyond this is cut by Slack; here it is refused, so that nothing is lost unseen.
const TEXT: usize = 40_000;
const ATTACHMENTS: usize = 100;

/// A message as it appears in its channel. `Display` draws what a person sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub channel: String,
    /// The fallback: what a phone's lock screen shows.
    pub text: String,
    pub blocks: Vec<Value>,
    /// The whole payload.
    pub payload: Value,
    pub kind: Kind,
}

/// How a message came to its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By an incoming webhook.
    Webhook,
    /// By a bot.
    Post,
    /// By a bot, in the place of an earlier one.
    Change,
    /// Below another message.
    Reply,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        picture::draw(self, f)
    }
}

/// The state of the stand-in.
#[derive(Debug, Default)]
pub struct Workspace {
    pace: Option<Duration>,
    last: HashMap<String, Instant>,
    closed: HashMap<String, Closed>,
    board: web_api::Board,
}

/// Why a webhook takes nothing any more, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The webhook was removed: 404 `no_service`.
    Removed,
    /// The channel was archived: 410 `channel_is_archived`.
    Archived,
    /// An administrator forbids it: 403 `action_prohibited`.
    Prohibited,
}

impl Slack {
    /// Starts it, without a limit of pace.
    pub async fn start() -> std::io::Result<Slack> {
        Receiver::serve(Workspace::default()).await
    }

    /// The incoming webhook's URL of a channel.
    pub fn webhook_url(&self, channel: &str) -> String {
        format!("{}/services/T00000000/B00000000/{channel}", self.base_url())
    }

    /// Takes at most one message in `each` period and channel, and answers 429 to more. Slack's is one second.
    pub fn enforce_pace(&self, each: Duration) {
        self.with_service(|workspace| workspace.pace = Some(each));
    }

    /// Makes a channel's webhook refuse everything.
    pub fn close(&self, channel: &str, why: Closed) {
        self.with_service(|workspace| workspace.closed.insert(channel.to_owned(), why));
    }
}

/// Slack's word for what is wrong, with the status it comes with, and more words for the reader of a test.
struct Refused(u16, &'static str, String);

impl Service for Workspace {
    type Message = Message;

    fn take(&mut self, request: &Request) -> Result<(Message, Answer), (Answer, String)> {
        if request.path.starts_with("/api/") {
            return self.call(request);
        }
        let taken = self.accept(request);
        taken
            .map(|message| (message, Answer::text(200, "ok")))
            .map_err(|Refused(status, word, why)| {
                let answer = Answer::text(status, word);
                let wait = self.pace.unwrap_or_default();
                (
                    if status == 429 {
                        answer.retry_after(wait)
                    } else {
                        answer
                    },
                    why,
                )
            })
    }

    fn failure(&self, status: u16) -> Answer {
        let word = match status {
            429 => "rate_limited",
            403 => "action_prohibited",
            404 => "no_service",
            410 => "channel_is_archived",
            400 => "invalid_payload",
            _ => "rollup_error",
        };
        Answer::text(status, word)
    }
}

impl Workspace {
    /// A call of the Web API.
    fn call(&mut self, request: &Request) -> Result<(Message, Answer), (Answer, String)> {
        let mut board = std::mem::take(&mut self.board);
        let done = board.call(request, |channel| self.may_write(channel, request.arrived));
        self.board = board;
        match done {
            Ok(done) => {
                if let Some(channel) = done.wrote_to {
                    self.last.insert(channel, request.arrived);
                }
                Ok((done.message, done.answer))
            }
            Err(Refused(status, word, why)) => {
                let limited = status == 429;
                let word = if limited { "ratelimited" } else { word };
                let answer = Answer::json(status, &json!({"ok": false, "error": word}));
                let wait = self.pace.unwrap_or_default();
                Err(if limited {
                    (answer.retry_after(wait), why)
                } else {
                    (answer, why)
                })
            }
        }
    }

    fn accept(&mut self, request: &Request) -> Result<Message, Refused> {
        let channel = self.channel(request)?;
        let message = message(channel, &request.body)?;
        self.may_write(channel, request.arrived)?;
        self.last.insert(channel.to_owned(), request.arrived);
        Ok(message)
    }

    fn channel<'a>(&self, request: &'a Request) -> Result<&'a str, Refused> {
        let parts: Vec<&str> = request.path.split('/').collect();
        let ["", "services", _team, _service, channel] = parts[..] else {
            return Err(Refused(
                404,
                "no_team",
                format!("{} is not a webhook", request.path),
            ));
        };
        if request.method != http::Method::POST {
            return Err(Refused(
                400,
                "invalid_payload",
                format!("{} instead of POST", request.method),
            ));
        }
        match self.closed.get(channel) {
            None => Ok(channel),
            Some(Closed::Removed) => {
                Err(Refused(404, "no_service", format!("{channel} was removed")))
            }
            Some(Closed::Archived) => Err(Refused(
                410,
                "channel_is_archived",
                format!("{channel} is archived"),
            )),
            Some(Closed::Prohibited) => Err(Refused(
                403,
                "action_prohibited",
                format!("{channel} is forbidden"),
            )),
        }
    }

    fn may_write(&self, channel: &str, now: Instant) -> Result<(), Refused> {
        let Some(each) = self.pace else { return Ok(()) };
        let too_early = self
            .last
            .get(channel)
            .is_some_and(|last| now.duration_since(*last) < each);
        if too_early {
            return Err(Refused(
                429,
                "rate_limited",
                format!("more than one message to {channel} in {each:?}"),
            ));
        }
        Ok(())
    }
}

fn message(channel: &str, body: &[u8]) -> Result<Message, Refused> {
    let invalid = |why: String| Refused(400, "invalid_payload", why);
    let payload = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    checked(channel, payload)
}

/// A message that shows something and keeps the limits.
fn checked(channel: &str, payload: Value) -> Result<Message, Refused> {
    let invalid = |why: String| Refused(400, "invalid_payload", why);
    if !payload.is_object() {
        return Err(invalid("not a JSON object".to_owned()));
    }
    let text = match &payload["text"] {
        Value::Null => "",
        Value::String(text) => text,
        other => return Err(invalid(format!("text is {other}"))),
    };
    if characters(text) > TEXT {
        return Err(Refused(
            400,
            "msg_too_long",
            format!("text of {} characters", characters(text)),
        ));
    }
    let blocks = list(&payload["blocks"]).map_err(invalid)?;
    let attachments = list(&payload["attachments"]).map_err(invalid)?;
    if attachments.len() > ATTACHMENTS {
        return Err(Refused(
            400,
            "too_many_attachments",
            format!("{} attachments", attachments.len()),
        ));
    }
    if text.is_empty() && blocks.is_empty() && attachments.is_empty() {
        return Err(Refused(
            400,
            "no_text",
            "no text, blocks or attachments".to_owned(),
        ));
    }
    let refused = |why| Refused(400, "invalid_blocks", why);
    blocks::check(blocks).map_err(refused)?;
    for attachment in attachments {
        let blocks = list(&attachment["blocks"]).map_err(invalid)?;
        blocks::check(blocks).map_err(refused)?;
    }
    Ok(Message {
        channel: channel.to_owned(),
        text: text.to_owned(),
        blocks: blocks.to_vec(),
        payload,
        kind: Kind::Webhook,
    })
}

/// A field that holds a list, or nothing.
fn list(field: &Value) -> Result<&[Value], String> {
    match field {
        Value::Null => Ok(&[]),
        Value::Array(entries) => Ok(entries),
        other => Err(format!("a list was expected instead of {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(workspace: &mut Workspace, channel: &str, body: &str, arrived: Instant) -> Answer {
        let request = Request {
            method: http::Method::POST,
            path: format!("/services/T0/B0/{channel}"),
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
            arrived,
        };
        match workspace.take(&request) {
            Ok((_, answer)) | Err((answer, _)) => answer,
        }
    }

    fn answer(payload: &Value) -> (u16, String) {
        let answer = post(
            &mut Workspace::default(),
            "alerts",
            &payload.to_string(),
            Instant::now(),
        );
        (answer.status, answer.body)
    }

    fn word(status: u16, word: &str) -> (u16, String) {
        (status, word.to_owned())
    }

    #[test]
    fn a_text_alone_is_a_message() {
        assert_eq!(answer(&json!({"text": "hello"})), word(200, "ok"));
    }

    #[test]
    fn nothing_to_show_is_no_text() {
        assert_eq!(answer(&json!({})), word(400, "no_text"));
        assert_eq!(
            answer(&json!({"text": "", "blocks": []})),
            word(400, "no_text")
        );
    }

    #[test]
    fn what_is_not_an_object_of_the_right_types_is_an_invalid_payload() {
        let mut workspace = Workspace::default();
        for body in [
            "",
            "{",
            "[]",
            "payload=%7B%7D",
            r#"{"text": 1}"#,
            r#"{"text": "x", "blocks": {}}"#,
        ] {
            let answer = post(&mut workspace, "alerts", body, Instant::now());
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (400, "invalid_payload"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_text_may_have_40000_characters_and_a_message_100_attachments() {
        assert_eq!(
            answer(&json!({"text": "é".repeat(40_000)})),
            word(200, "ok")
        );
        assert_eq!(
            answer(&json!({"text": "é".repeat(40_001)})),
            word(400, "msg_too_long")
        );
        let attachments =
            |count| json!({"text": "x", "attachments": vec![json!({"text": "y"}); count]});
        assert_eq!(answer(&attachments(100)), word(200, "ok"));
        assert_eq!(answer(&attachments(101)), word(400, "too_many_attachments"));
    }

    #[test]
    fn blocks_are_checked_also_inside_attachments() {
        let wrong = json!([{"type": "header"}]);
        assert_eq!(
            answer(&json!({"text": "x", "blocks": wrong})),
            word(400, "invalid_blocks")
        );
        let nested = json!({"text": "x", "attachments": [{"blocks": wrong}]});
        assert_eq!(answer(&nested), word(400, "invalid_blocks"));
    }

    #[test]
    fn a_webhook_that_is_closed_says_why_for_ever() {
        let mut workspace = Workspace::default();
        let closed = [
            ("gone", Closed::Removed, 404, "no_service"),
            ("old", Closed::Archived, 410, "channel_is_archived"),
            ("no", Closed::Prohibited, 403, "action_prohibited"),
        ];
        for (channel, why, status, word) in closed {
            workspace.closed.insert(channel.to_owned(), why);
            let answer = post(&mut workspace, channel, r#"{"text": "x"}"#, Instant::now());
            assert_eq!((answer.status, answer.body.as_str()), (status, word));
        }
    }

    #[test]
    fn one_message_a_second_and_channel_is_taken_and_the_next_is_told_when_to_come_back() {
        let second = Duration::from_secs(1);
        let mut workspace = Workspace {
            pace: Some(second),
            ..Workspace::default()
        };
        let start = Instant::now();
        let mut status =
            |channel, after| post(&mut workspace, channel, r#"{"text": "x"}"#, start + after);
        assert_eq!(status("a", Duration::ZERO).status, 200);
        let refused = status("a", Duration::from_millis(999));
        assert_eq!(
            (refused.status, refused.body.as_str()),
            (429, "rate_limited")
        );
        assert!(
            refused.headers.contains(&("retry-after", "1".to_owned())),
            "{refused:?}"
        );
        assert_eq!(status("b", Duration::from_millis(999)).status, 200);
        assert_eq!(status("a", second).status, 200);
    }
}
