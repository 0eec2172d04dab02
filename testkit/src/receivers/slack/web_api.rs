//! Slack's Web API as a bot sees it: `chat.postMessage`, `chat.update`, and the channels behind them.
//!
//! Written from Slack's documentation of the two methods and of "Rate limits". A call is answered by
//! 200 with `ok` in JSON, whatever happened, but for 429. Channels are made by the test; the bot is a
//! member of each until it is expelled.

use std::collections::VecDeque;
use std::fmt;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Kind, Message, Refused, checked};
use crate::receivers::{Answer, Request, Slack};

/// What `chat.update` takes as text; `chat.postMessage` cuts later.
const CHANGED_TEXT: usize = 4000;

/// The channels of a workspace.
#[derive(Debug, Default)]
pub(super) struct Board {
    channels: Vec<Channel>,
    /// Words that the next calls are answered with.
    scripted: VecDeque<&'static str>,
    /// Moments are counted: each message has another.
    messages: u32,
}

#[derive(Debug)]
struct Channel {
    id: String,
    name: String,
    archived: bool,
    has_bot: bool,
    posts: Vec<Post>,
}

/// A message that stands in a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub ts: String,
    /// The message above it.
    pub thread: Option<String>,
    /// As it was last changed.
    pub message: Message,
    /// How often it was changed.
    pub changes: usize,
    /// Whether the bot wrote it, and not a person.
    pub by_bot: bool,
}

/// A channel as people see it. `Display` draws it, threads below their messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture(pub Vec<Post>);

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for post in self.0.iter().filter(|post| post.thread.is_none()) {
            let edited = if post.changes > 0 { " (edited)" } else { "" };
            writeln!(f, "{}{edited}", post.message)?;
            let replies = self.0.iter();
            for reply in replies.filter(|reply| reply.thread.as_ref() == Some(&post.ts)) {
                for line in reply.message.to_string().lines().skip(1) {
                    writeln!(f, "   ↳ {line}")?;
                }
            }
        }
        Ok(())
    }
}

impl Slack {
    /// Makes a channel with the bot in it, and gives its ID.
    pub fn channel(&self, name: &str) -> String {
        self.with_service(|workspace| workspace.board.add(name))
    }

    /// What stands in a channel.
    pub fn picture(&self, channel: &str) -> Picture {
        self.with_service(|workspace| {
            let channel = workspace.board.channel(channel);
            Picture(
                channel
                    .map(|channel| channel.posts.clone())
                    .unwrap_or_default(),
            )
        })
    }

    /// Answers the next `times` calls of the Web API with `ok: false` and this word.
    pub fn refuse_calls(&self, times: usize, word: &'static str) {
        self.with_service(|workspace| {
            let words = std::iter::repeat_n(word, times);
            workspace.board.scripted.extend(words);
        });
    }

    /// A person writes below a message.
    pub fn say(&self, channel: &str, thread: &str, text: &str) {
        self.with_service(|workspace| {
            let ts = workspace.board.moment();
            if let Some(channel) = workspace.board.channel(channel) {
                channel.posts.push(Post {
                    ts,
                    thread: Some(thread.to_owned()),
                    message: Message {
                        channel: channel.name.clone(),
                        text: text.to_owned(),
                        blocks: Vec::new(),
                        payload: json!({}),
                        kind: Kind::Reply,
                    },
                    changes: 0,
                    by_bot: false,
                });
            }
        });
    }

    /// A person deletes a message, and its thread with it.
    pub fn delete(&self, channel: &str, ts: &str) {
        self.with_service(|workspace| {
            if let Some(channel) = workspace.board.channel(channel) {
                let posts = &mut channel.posts;
                posts.retain(|post| post.ts != ts && post.thread.as_deref() != Some(ts));
            }
        });
    }

    /// Somebody archives a channel.
    pub fn archive(&self, channel: &str) {
        self.with_service(|workspace| {
            if let Some(channel) = workspace.board.channel(channel) {
                channel.archived = true;
            }
        });
    }

    /// Somebody removes the bot from a channel.
    pub fn expel(&self, channel: &str) {
        self.with_service(|workspace| {
            if let Some(channel) = workspace.board.channel(channel) {
                channel.has_bot = false;
            }
        });
    }
}

/// What a call did, and what it is answered with.
pub(super) struct Done {
    pub message: Message,
    pub answer: Answer,
    /// The channel's name, if something was written there.
    pub wrote_to: Option<String>,
}

impl Board {
    fn add(&mut self, name: &str) -> String {
        let id = format!("C{:09}", self.channels.len() + 1);
        self.channels.push(Channel {
            id: id.clone(),
            name: name.to_owned(),
            archived: false,
            has_bot: true,
            posts: Vec::new(),
        });
        id
    }

    fn channel(&mut self, name: &str) -> Option<&mut Channel> {
        let bare = name.trim_start_matches('#');
        let mut channels = self.channels.iter_mut();
        channels.find(|channel| channel.id == name || channel.name == bare)
    }

    fn moment(&mut self) -> String {
        self.messages += 1;
        format!("1795348800.{:06}", self.messages)
    }

    /// Decides about a call. `may_write` says whether a channel may be written to now.
    pub(super) fn call(
        &mut self,
        request: &Request,
        may_write: impl FnOnce(&str) -> Result<(), Refused>,
    ) -> Result<Done, Refused> {
        if let Some(word) = self.scripted.pop_front() {
            return Err(Refused(200, word, "scripted".to_owned()));
        }
        authorized(request)?;
        let refused = |word, why: &str| Err(Refused(200, word, why.to_owned()));
        let payload: Value = serde_json::from_slice(&request.body)
            .map_err(|error| Refused(200, "invalid_json", error.to_string()))?;
        let Some(named) = payload["channel"].as_str() else {
            return refused("invalid_arguments", "no channel");
        };
        let update = match request.path.as_str() {
            "/api/chat.postMessage" => false,
            "/api/chat.update" => true,
            path => return Err(Refused(200, "unknown_method", path.to_owned())),
        };
        let ts = self.moment();
        let Some(channel) = self.channel(named) else {
            return refused("channel_not_found", named);
        };
        if update && channel.id != named {
            return refused("channel_not_found", "chat.update takes a channel's ID only");
        }
        if channel.archived {
            return refused("is_archived", named);
        }
        if !channel.has_bot {
            return refused("not_in_channel", named);
        }
        let name = channel.name.clone();
        let mut message =
            checked(&name, payload).map_err(|Refused(_, word, why)| Refused(200, word, why))?;
        let ts = if update {
            change(channel, &mut message)?
        } else {
            let thread = message.payload["thread_ts"].as_str().map(str::to_owned);
            let is_there = |thread: &String| channel.posts.iter().any(|post| post.ts == *thread);
            if thread.as_ref().is_some_and(|thread| !is_there(thread)) {
                return refused("thread_not_found", "thread_ts is no message");
            }
            may_write(&name)?;
            message.kind = match thread {
                Some(_) => Kind::Reply,
                None => Kind::Post,
            };
            channel.posts.push(Post {
                ts: ts.clone(),
                thread,
                message: message.clone(),
                changes: 0,
                by_bot: true,
            });
            ts
        };
        let body = json!({"ok": true, "channel": channel.id, "ts": ts});
        Ok(Done {
            message,
            answer: Answer::json(200, &body),
            wrote_to: (!update).then_some(name),
        })
    }
}

fn authorized(request: &Request) -> Result<(), Refused> {
    let header = |name| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let Some(authorization) = header(AUTHORIZATION) else {
        return Err(Refused(200, "not_authed", "no Authorization".to_owned()));
    };
    if !authorization.starts_with("Bearer xoxb-") {
        return Err(Refused(200, "invalid_auth", "no bot's token".to_owned()));
    }
    if !header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Refused(200, "invalid_post_type", "not JSON".to_owned()));
    }
    Ok(())
}

/// Changes a message of the bot's own; what the call does not name of its content stays.
fn change(channel: &mut Channel, message: &mut Message) -> Result<String, Refused> {
    let refused = |word, why: &str| Err(Refused(200, word, why.to_owned()));
    if super::characters(&message.text) > CHANGED_TEXT {
        return refused("msg_too_long", "the text of a change");
    }
    let ts = message.payload["ts"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let Some(post) = channel.posts.iter_mut().find(|post| post.ts == ts) else {
        return refused("message_not_found", &ts);
    };
    if !post.by_bot {
        return refused("cant_update_message", "somebody else wrote it");
    }
    if message.payload["blocks"].is_null() {
        message.blocks.clone_from(&post.message.blocks);
    }
    if message.payload["attachments"].is_null() {
        message.payload["attachments"] = post.message.payload["attachments"].clone();
    }
    message.kind = Kind::Change;
    post.message = Message {
        kind: post.message.kind,
        ..message.clone()
    };
    post.changes += 1;
    Ok(ts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(board: &mut Board, method: &str, token: &str, body: &Value) -> Value {
        let mut headers = http::HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            "application/json; charset=utf-8".parse().unwrap(),
        );
        if !token.is_empty() {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let request = Request {
            method: http::Method::POST,
            path: format!("/api/{method}"),
            headers,
            body: body.to_string().into(),
            arrived: std::time::Instant::now(),
        };
        match board.call(&request, |_| Ok(())) {
            Ok(done) => serde_json::from_str(&done.answer.body).unwrap(),
            Err(Refused(_, word, _)) => json!(word),
        }
    }

    #[test]
    fn a_call_needs_a_bots_token_and_a_channel_that_the_bot_is_in() {
        let mut board = Board::default();
        let open = board.add("open");
        let body = |channel: &str| json!({"channel": channel, "text": "hello"});
        let mut post =
            |token, channel: &str| call(&mut board, "chat.postMessage", token, &body(channel));
        assert_eq!(post("", "open"), "not_authed");
        assert_eq!(post("xoxp-1", "open"), "invalid_auth");
        assert_eq!(post("xoxb-1", "closed"), "channel_not_found");
        assert_eq!(post("xoxb-1", "#open")["channel"], open);
        board.channel("open").unwrap().has_bot = false;
        assert_eq!(
            call(&mut board, "chat.postMessage", "xoxb-1", &body("open")),
            "not_in_channel"
        );
        board.channel("open").unwrap().archived = true;
        assert_eq!(
            call(&mut board, "chat.postMessage", "xoxb-1", &body("open")),
            "is_archived"
        );
    }

    #[test]
    fn only_a_message_of_its_own_is_changed_and_what_is_not_named_stays() {
        let mut board = Board::default();
        let channel = board.add("alerts");
        let divider = json!([{"type": "divider"}]);
        let body = json!({"channel": channel, "text": "a", "blocks": divider});
        let ts = call(&mut board, "chat.postMessage", "xoxb-1", &body)["ts"].clone();
        let mut update = |body: Value| call(&mut board, "chat.update", "xoxb-1", &body);
        let change = |ts: &Value, text: &str| json!({"channel": channel, "ts": ts, "text": text});
        assert_eq!(update(change(&json!("1.0"), "b")), "message_not_found");
        assert_eq!(update(change(&ts, &"b".repeat(4001))), "msg_too_long");
        assert_eq!(
            update(json!({"channel": "alerts", "ts": ts, "text": "b"})),
            "channel_not_found"
        );
        assert_eq!(update(change(&ts, "b"))["ok"], true);
        let post = &board.channel("alerts").unwrap().posts[0];
        assert_eq!(
            (
                post.message.text.as_str(),
                post.message.blocks.len(),
                post.changes
            ),
            ("b", 1, 1)
        );
        board.channel("alerts").unwrap().posts[0].by_bot = false;
        let refused = call(&mut board, "chat.update", "xoxb-1", &change(&ts, "c"));
        assert_eq!(refused, "cant_update_message");
    }
}
