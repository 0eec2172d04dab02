//! A notification as the bytes that its receiver expects.
//!
//! In: a [`Notification`] and its receiver's [`Format`]. Out: a [`Payload`], always: what fails
//! in a template is told in [`Payload::failures`], and the message goes out in the built-in
//! format, marked. It must not read a clock, a file or a credential, and the values that a
//! template sees are those that the notification froze.

mod alertmanager;
pub mod cut;
pub mod escape;
mod extremes;
pub mod format;
pub mod function;
mod links;
mod message;
mod model;
mod pagerduty;
pub mod read;
mod shape;
mod slack;
pub mod template;
mod time;
mod tree;
pub mod verify;
pub mod webhook;

#[cfg(test)]
mod limits;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub use self::escape::Target;
pub use self::format::{
    Address, Alertmanager, Format, FormatProblem, PagerDuty, Slack, Templates, Webhook,
};
pub use self::read::Read;
pub use self::template::{Scope, Template, TemplateProblem};

use self::message::Message;
use self::pagerduty::Override;
use crate::notify::{Cause, Notification};

/// A message as it goes out, but for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub body: Vec<u8>,
    pub content_type: String,
    pub endpoint: Endpoint,
    /// What goes below a message that is changed in place.
    pub replies: Replies,
    /// Templates that failed, each with its reason: the built-in format stands in their place.
    pub failures: Vec<String>,
    /// Paths that templates read and that had no value, as often as that happened.
    pub missing: Vec<String>,
}

/// What a thread below a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replies {
    /// Once the message is posted: what is too long for it.
    pub details: Option<Value>,
    /// Once it was changed: what changed.
    pub changes: Option<Value>,
}

/// Which of a service's endpoints a payload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The receiver's address; for PagerDuty `/v2/enqueue`.
    Default,
    /// PagerDuty's `/v2/change/enqueue`.
    Change,
}

impl Payload {
    /// The body for people: JSON indented, anything else as it is. It never holds a credential,
    /// because those are only added when it is sent.
    #[must_use]
    pub fn preview(&self) -> String {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => format!("{value:#}"),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        }
    }
}

/// Renders a notification.
#[must_use]
pub fn render(notification: &Notification, format: &Format) -> Payload {
    let mut message = Message::of(notification);
    let (body, content_type) = match format {
        Format::Slack(slack) => (self::slack(&mut message, slack), JSON.to_owned()),
        Format::PagerDuty(pagerduty) => (self::pagerduty(&mut message, pagerduty), JSON.to_owned()),
        Format::Alertmanager(format) => {
            let alerts = alertmanager::alerts(&message, format);
            (alerts.to_string().into_bytes(), JSON.to_owned())
        }
        Format::Webhook(webhook) => self::webhook(&mut message, webhook),
    };
    let replies = match format {
        Format::Slack(slack) if slack.threads => slack::replies(&message, slack),
        _ => Replies::default(),
    };
    let change = match format {
        Format::PagerDuty(pagerduty) => pagerduty::is_change(&message, pagerduty),
        _ => false,
    };
    Payload {
        body,
        content_type,
        endpoint: if change {
            Endpoint::Change
        } else {
            Endpoint::Default
        },
        replies,
        failures: message.failures,
        missing: message.missing,
    }
}

const JSON: &str = "application/json";

fn slack(message: &mut Message, format: &Slack) -> Vec<u8> {
    let links = links::links(message, &format.buttons);
    let template = own(message, format.template.as_ref());
    let value = match expand(message, template) {
        Some(Text::Json(value)) => match slack::of_template(value, message, format) {
            Ok(value) => value,
            Err(why) => {
                message.fail(&why);
                slack::message(message, format, None, &links)
            }
        },
        Some(Text::Plain(text)) => slack::message(message, format, Some(&text), &links),
        None => slack::message(message, format, None, &links),
    };
    value.to_string().into_bytes()
}

fn pagerduty(message: &mut Message, format: &PagerDuty) -> Vec<u8> {
    let template = own(message, format.template.as_ref());
    let with = match expand(message, template) {
        Some(Text::Json(Value::Object(map))) => Some(Override::Payload(map)),
        Some(Text::Json(_)) => {
            message.fail("a PagerDuty payload is a JSON object");
            None
        }
        Some(Text::Plain(text)) => Some(Override::Summary(text)),
        None => None,
    };
    let offered = pagerduty::Offers {
        links: links::links(message, &format.links),
        images: links::images(message, &format.images),
    };
    pagerduty::event(message, format, with, &offered)
        .to_string()
        .into_bytes()
}

fn webhook(message: &mut Message, format: &Webhook) -> (Vec<u8>, String) {
    match expand(message, format.body.as_ref()) {
        Some(Text::Json(value)) => (value.to_string().into_bytes(), format.content_type.clone()),
        Some(Text::Plain(text)) => (text.into_bytes(), format.content_type.clone()),
        None => {
            let body = webhook::Body::of(message);
            // Only strings, numbers and string keys: it cannot fail.
            (
                serde_json::to_vec(&body).unwrap_or_default(),
                JSON.to_owned(),
            )
        }
    }
}

/// The receiver's template, except for a heartbeat, which is about no alert, and for an
/// acknowledgement, which has no words.
fn own<'t>(message: &Message, template: Option<&'t Arc<Template>>) -> Option<&'t Arc<Template>> {
    let wordless = [Cause::Heartbeat, Cause::Acknowledged];
    template.filter(|_| !wordless.contains(&message.notification.cause))
}

enum Text {
    Json(Value),
    Plain(String),
}

/// What the template gives; nothing if there is none or if it failed, which is noted.
fn expand(message: &mut Message, template: Option<&Arc<Template>>) -> Option<Text> {
    let template = template?;
    match template.expand(&model::of_message(message)) {
        Ok(expansion) => {
            message.missing.extend(expansion.missing);
            if template.target() != Target::Json {
                return Some(Text::Plain(expansion.text));
            }
            match serde_json::from_str(&expansion.text) {
                Ok(value) => Some(Text::Json(value)),
                Err(error) => {
                    message.fail(&format!(
                        "{}: what it gave is not JSON: {error}",
                        template.name()
                    ));
                    None
                }
            }
        }
        Err(why) => {
            message.fail(&why);
            None
        }
    }
}
