//! A group's message through Slack's Web API: posted once, then changed in place, with a thread
//! below it.
//!
//! In: a payload and the message that the group has already. Out: a [`Delivery`] with the message that
//! was posted, also if its thread then failed: another attempt changes it instead of posting a second
//! one. Changing a message twice is heard once, so the thread comes last.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use super::answer::{self, Called};
use super::pace::Pace;
use super::request::Prepared;
use super::{Route, Secret};
use crate::notify::Notification;
use crate::outbox::{Delivery, Outcome, Post, Posted};
use crate::render::Payload;

/// What the Web API is called with.
pub(super) struct Bot<'a> {
    pub route: &'a Route,
    pub client: &'a Client,
    pub pace: &'a Pace,
    pub api: Url,
    /// `Bearer …`
    pub authorization: HeaderValue,
    pub secrets: &'a [Secret],
    /// As the receiver's document names it.
    pub channel: &'a str,
}

impl Bot<'_> {
    /// Brings a group's message and its thread to what the payload says.
    pub async fn tell(
        &self,
        notification: &Notification,
        payload: &Payload,
        posted: Option<&Posted>,
    ) -> Delivery {
        let message: Value = match serde_json::from_slice(&payload.body) {
            Ok(message) => message,
            Err(error) => {
                let why = format!("the message is not JSON: {error}");
                return Outcome::Refused { why }.into();
            }
        };
        let replies = &payload.replies;
        if let Some(posted) = posted {
            match self.change(&message, &posted.post).await {
                Called::Done(_) => {
                    let continues = posted.by == notification.id;
                    let reply = if continues {
                        &replies.details
                    } else {
                        &replies.changes
                    };
                    return self.reply(reply.as_ref(), &posted.post).await.into();
                }
                // Somebody deleted it, or it may not be changed any more.
                Called::Gone(_) => {}
                Called::Failed(outcome) => return outcome.into(),
            }
        }
        let post = match self.post(message).await {
            Called::Done(post) => post,
            Called::Gone(word) => return answer::refused_by_slack(&word).into(),
            Called::Failed(outcome) => return outcome.into(),
        };
        let Some(post) = post else {
            return unreadable();
        };
        Delivery {
            outcome: self.reply(replies.details.as_ref(), &post).await,
            post: Some(post),
        }
    }

    async fn change(&self, message: &Value, post: &Post) -> Called {
        let mut message = message.clone();
        if let Some(message) = message.as_object_mut() {
            // Slack keeps the name and the picture that a message was posted under.
            message.remove("username");
            message.remove("icon_emoji");
            message.insert("channel".to_owned(), json!(post.channel));
            message.insert("ts".to_owned(), json!(post.ts));
        }
        self.call("chat.update", &message).await
    }

    async fn post(&self, mut message: Value) -> Called {
        message["channel"] = self.channel.into();
        let call = self.call("chat.postMessage", &message);
        self.pace.send(self.channel, call).await
    }

    /// Writes below a message, if there is something to write.
    async fn reply(&self, reply: Option<&Value>, post: &Post) -> Outcome {
        let Some(reply) = reply else {
            return Outcome::Accepted;
        };
        let mut reply = reply.clone();
        reply["channel"] = json!(post.channel);
        reply["thread_ts"] = json!(post.ts);
        let call = self.call("chat.postMessage", &reply);
        match self.pace.send(self.channel, call).await {
            // The message above says what is so: in a thread that is gone nobody misses a line.
            Called::Done(_) | Called::Gone(_) => Outcome::Accepted,
            Called::Failed(outcome) => outcome,
        }
    }

    async fn call(&self, method: &str, body: &Value) -> Called {
        let mut url = self.api.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/api/{method}"));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(CONTENT_TYPE, json);
        let prepared = Prepared {
            method: Method::POST,
            url,
            headers,
            basic: None,
            body: body.to_string().into_bytes(),
        };
        match self
            .route
            .exchange(self.client, prepared, self.secrets)
            .await
        {
            Ok(answer) => answer::web_api(&answer),
            Err(outcome) => Called::Failed(outcome),
        }
    }
}

/// Slack said yes, and not to what.
fn unreadable() -> Delivery {
    let why = "Slack: the answer does not say which message was posted".to_owned();
    Outcome::Retry { after: None, why }.into()
}
