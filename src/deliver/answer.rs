//! What a service's answer means: accepted, again later, or never.
//!
//! In: status, headers and the beginning of the body. Out: an [`Outcome`]. Nothing here talks to
//! anybody.

mod web_api;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub(super) use self::web_api::{Called, web_api};

use crate::outbox::Outcome;

/// Characters of an answer that are quoted.
const QUOTED: usize = 300;
/// Nobody is waited for longer than this, whatever the answer says.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// An answer, as much of it as matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub status: u16,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// `Location`'s host.
    pub location: Option<String>,
    /// At most the first 64 KiB.
    pub body: String,
    /// When it came.
    pub at: Option<Timestamp>,
}

/// Slack's incoming webhook
/// (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>).
/// The Web API's form of answer, 200 with `ok` in JSON, is understood too.
pub(super) fn slack(answer: &Answer) -> Outcome {
    let word = answer.body.trim();
    if answer.status == 200 {
        if word == "ok" {
            return Outcome::Accepted;
        }
        let json: Value = serde_json::from_str(word).unwrap_or_default();
        return match (json["ok"].as_bool(), json["error"].as_str()) {
            (Some(true), _) => Outcome::Accepted,
            (Some(false), Some("ratelimited" | "internal_error" | "fatal_error")) => {
                retry(answer, "Slack")
            }
            (Some(false), error) => refused_by_slack(error.unwrap_or("unknown error")),
            // A login page of a proxy, for example.
            _ => retry(answer, "Slack, 200 without \"ok\""),
        };
    }
    if is_temporary(answer.status) {
        return retry(answer, "Slack");
    }
    match answer.status {
        300..400 => redirected(answer, "Slack"),
        status if word.is_empty() => refused_by_slack(&format!("HTTP {status}")),
        _ => refused_by_slack(&quoted(word)),
    }
}

pub(super) fn refused_by_slack(word: &str) -> Outcome {
    let hint = match word.split(' ').next().unwrap_or_default() {
        "invalid_payload"
        | "invalid_blocks"
        | "invalid_attachments"
        | "no_text"
        | "msg_too_long"
        | "msg_blocks_too_long"
        | "too_many_attachments"
        | "invalid_blocks_format" => {
            "; the message is not one that Slack takes: look at the receiver's template"
        }
        "no_service" | "no_service_id" | "no_team" | "team_disabled" | "invalid_token" => {
            "; the webhook was removed or its URL is wrong: make a new one in Slack"
        }
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            "; the bot's token is not one that Slack knows: install the app again"
        }
        "missing_scope" => "; give the app this scope and install it again",
        "not_in_channel" => "; invite the bot to the channel",
        "channel_not_found" | "channel_is_archived" | "is_archived" | "user_not_found" => {
            "; the channel is gone, or the bot may not see it: choose another, or invite the bot"
        }
        "action_prohibited"
        | "posting_to_general_channel_denied"
        | "restricted_action"
        | "restricted_action_read_only_channel" => {
            "; an administrator of Slack does not allow it there"
        }
        _ => "",
    };
    Outcome::Refused {
        why: format!("Slack: {word}{hint}"),
    }
}

/// PagerDuty's Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2-overview#response-codes--retry-logic>).
pub(super) fn pagerduty(answer: &Answer) -> Outcome {
    match answer.status {
        200..300 => Outcome::Accepted,
        status if is_temporary(status) => retry(answer, "PagerDuty"),
        300..400 => redirected(answer, "PagerDuty"),
        status => {
            let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let mut why = format!("PagerDuty: HTTP {status}");
            if let Some(message) = json["message"].as_str() {
                why.push_str(": ");
                why.push_str(message);
            }
            let errors = json["errors"].as_array().into_iter().flatten();
            let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
            if !errors.is_empty() {
                why.push_str(": ");
                why.push_str(&errors.join("; "));
            }
            if errors.iter().any(|error| names_the_key(error)) {
                why.push_str("; take the integration key of an Events API v2 integration");
            }
            Outcome::Refused { why: quoted(&why) }
        }
    }
}

/// Alertmanager's `POST /api/v2/alerts`: 200, or 400 with what is wrong.
pub(super) fn alertmanager(answer: &Answer) -> Outcome {
    match answer.status {
        200..300 => Outcome::Accepted,
        status if is_temporary(status) => retry(answer, "Alertmanager"),
        300..400 => redirected(answer, "Alertmanager"),
        status => Outcome::Refused {
            why: with_body(format!("Alertmanager: HTTP {status}"), &answer.body),
        },
    }
}

/// Any other endpoint; `success` are the statuses that mean yes, every 2xx if it is empty.
pub(super) fn webhook(answer: &Answer, success: &[u16]) -> Outcome {
    let status = answer.status;
    let accepted = if success.is_empty() {
        (200..300).contains(&status)
    } else {
        success.contains(&status)
    };
    if accepted {
        return Outcome::Accepted;
    }
    if is_temporary(status) {
        return retry(answer, "the webhook");
    }
    match status {
        300..400 => redirected(answer, "the webhook"),
        200..300 => Outcome::Refused {
            why: format!("the webhook: HTTP {status} is not among its successCodes"),
        },
        _ => Outcome::Refused {
            why: with_body(format!("the webhook: HTTP {status}"), &answer.body),
        },
    }
}

fn names_the_key(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    error.contains("routing_key") || error.contains("routing key")
}

fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..600)
}

fn retry(answer: &Answer, who: &str) -> Outcome {
    Outcome::Retry {
        after: wait(answer),
        why: with_body(format!("{who}: HTTP {}", answer.status), &answer.body),
    }
}

fn redirected(answer: &Answer, who: &str) -> Outcome {
    let to = answer.location.as_deref().unwrap_or("another address");
    Outcome::Refused {
        why: format!(
            "{who}: HTTP {} to {to}; redirects are not followed: give the final address",
            answer.status
        ),
    }
}

/// `Retry-After` as a duration: seconds, or an HTTP date
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>).
fn wait(answer: &Answer) -> Option<SignedDuration> {
    let text = answer.retry_after.as_deref()?.trim();
    let wait = match text.parse::<f64>() {
        // Rounded up, so as never to come too early.
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            SignedDuration::try_from_secs_f64(seconds.ceil()).unwrap_or(LONGEST_WAIT)
        }
        Ok(_) => return None,
        Err(_) => {
            let then = httpdate::parse_http_date(text).ok()?;
            let then = Timestamp::try_from(then).ok()?;
            then.duration_since(answer.at?).max(SignedDuration::ZERO)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

fn with_body(mut text: String, body: &str) -> String {
    let body = quoted(body.trim());
    if !body.is_empty() {
        text.push_str(": ");
        text.push_str(&body);
    }
    text
}

/// The beginning of a text, on one line and without control characters.
fn quoted(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    crate::render::cut::to_characters(&line, QUOTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.to_owned(),
            at: Some("2026-11-22T12:00:00Z".parse().unwrap()),
            ..Answer::default()
        }
    }

    fn told(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Accepted => "accepted".to_owned(),
            Outcome::Retry {
                after: Some(after),
                why,
            } => format!("retry after {after:?}: {why}"),
            Outcome::Retry { after: None, why } => format!("retry: {why}"),
            Outcome::Refused { why } => format!("refused: {why}"),
        }
    }

    fn all(outcomes: &[Outcome]) -> String {
        outcomes.iter().map(told).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn slack_means_yes_only_by_ok() {
        insta::assert_snapshot!(all(&[
            slack(&answer(200, "ok")),
            slack(&answer(200, r#"{"ok":true}"#)),
            slack(&answer(200, r#"{"ok":false,"error":"channel_not_found"}"#)),
            slack(&answer(200, r#"{"ok":false,"error":"ratelimited"}"#)),
            slack(&answer(200, "<html>\n<h1>Log in</h1>")),
            slack(&answer(400, "invalid_blocks")),
            slack(&answer(404, "no_service")),
            slack(&answer(410, "channel_is_archived")),
            slack(&answer(403, "action_prohibited")),
            slack(&answer(418, "")),
            slack(&answer(429, "")),
            slack(&answer(500, "rollup_error")),
            slack(&answer(302, "")),
        ]), @r#"
        accepted
        accepted
        refused: Slack: channel_not_found; the channel is gone, or the bot may not see it: choose another, or invite the bot
        retry: Slack: HTTP 200: {"ok":false,"error":"ratelimited"}
        retry: Slack, 200 without "ok": HTTP 200: <html> <h1>Log in</h1>
        refused: Slack: invalid_blocks; the message is not one that Slack takes: look at the receiver's template
        refused: Slack: no_service; the webhook was removed or its URL is wrong: make a new one in Slack
        refused: Slack: channel_is_archived; the channel is gone, or the bot may not see it: choose another, or invite the bot
        refused: Slack: action_prohibited; an administrator of Slack does not allow it there
        refused: Slack: HTTP 418
        retry: Slack: HTTP 429
        retry: Slack: HTTP 500: rollup_error
        refused: Slack: HTTP 302 to another address; redirects are not followed: give the final address
        "#);
    }

    #[test]
    fn pagerduty_refuses_for_good_with_400_only() {
        let body = r#"{"status":"invalid event","message":"Event object is invalid","errors":["'payload.summary' is missing or blank"]}"#;
        let key = r#"{"message":"Invalid routing key","errors":["routing_key is invalid"]}"#;
        insta::assert_snapshot!(all(&[
            pagerduty(&answer(202, "{}")),
            pagerduty(&answer(400, body)),
            pagerduty(&answer(400, key)),
            pagerduty(&answer(404, "nothing here")),
            pagerduty(&answer(429, "")),
            pagerduty(&answer(503, "try later")),
        ]), @"
        accepted
        refused: PagerDuty: HTTP 400: Event object is invalid: 'payload.summary' is missing or blank
        refused: PagerDuty: HTTP 400: Invalid routing key: routing_key is invalid; take the integration key of an Events API v2 integration
        refused: PagerDuty: HTTP 404
        retry: PagerDuty: HTTP 429
        retry: PagerDuty: HTTP 503: try later
        ");
    }

    #[test]
    fn a_webhook_is_judged_by_its_success_codes() {
        let moved = Answer {
            location: Some("new.example".into()),
            ..answer(308, "")
        };
        insta::assert_snapshot!(all(&[
            webhook(&answer(204, ""), &[]),
            webhook(&answer(200, ""), &[202]),
            webhook(&answer(409, ""), &[200, 409]),
            webhook(&answer(401, "who are\nyou?\u{7}"), &[]),
            webhook(&answer(408, ""), &[]),
            webhook(&answer(425, ""), &[]),
            webhook(&answer(502, ""), &[]),
            webhook(&moved, &[]),
        ]), @"
        accepted
        refused: the webhook: HTTP 200 is not among its successCodes
        accepted
        refused: the webhook: HTTP 401: who are you?
        retry: the webhook: HTTP 408
        retry: the webhook: HTTP 425
        retry: the webhook: HTTP 502
        refused: the webhook: HTTP 308 to new.example; redirects are not followed: give the final address
        ");
    }

    #[test]
    fn retry_after_is_obeyed_to_the_second() {
        let wait_for = |text: &str| {
            let retry_after = Some(text.to_owned());
            wait(&Answer {
                retry_after,
                ..answer(429, "")
            })
            .map(|wait| wait.as_secs())
        };
        assert_eq!(wait_for("30"), Some(30));
        assert_eq!(wait_for("0.2"), Some(1));
        assert_eq!(wait_for("Sun, 22 Nov 2026 12:02:05 GMT"), Some(125));
        assert_eq!(wait_for("Sun, 22 Nov 2026 11:00:00 GMT"), Some(0));
        assert_eq!(wait_for("1e300"), Some(86_400));
        assert_eq!(wait_for("-5"), None);
        assert_eq!(wait_for("soon"), None);
    }

    proptest! {
        #[test]
        fn no_answer_of_5xx_or_429_is_ever_taken_for_good(status in prop_oneof![500_u16..600, Just(429), Just(408)], body in ".*", after in ".*") {
            let answer = Answer { status, body, retry_after: Some(after), ..Answer::default() };
            for outcome in [slack(&answer), pagerduty(&answer), webhook(&answer, &[])] {
                let is_retry = matches!(outcome, Outcome::Retry { .. });
                prop_assert!(is_retry);
            }
        }
    }
}
