//! The checks of a receiver.

use crate::config::documents::Document;
use crate::config::nearest::listed;
use crate::config::node::Node;
use crate::diagnostic::{Diagnostic, Diagnostics};

const SERVICES: [&str; 4] = ["slack", "pagerduty", "alertmanager", "webhook"];

/// What Alertmanager does by itself, or needs, whatever a receiver says.
const NOT_FOR_ALERTMANAGER: [&str; 5] = [
    "groupBy",
    "limit",
    "limitPerRule",
    "sendResolved",
    "template",
];

/// Buttons of a row of Slack's (the runbook is one more), and characters of a label
/// (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const BUTTONS: usize = 24;
const LABEL: usize = 75;

/// Headers that carry a secret by their meaning (RFC 9110, 11 and 15.5), in lower case.
const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
];

/// Checks what stands in one receiver document, whether or not it can be read as a receiver.
pub(in crate::config) fn check(
    document: &Document,
    namespace: Option<&str>,
    diagnostics: &mut Diagnostics,
) {
    let Some(spec) = document.root.get("spec") else {
        return;
    };
    let mut check = Check {
        document,
        diagnostics,
    };
    check.one_service(spec);
    super::grouping(document, spec, check.diagnostics);
    check.durations(spec);
    if let Some(namespace) = namespace {
        check.nothing_of_the_operator(spec, namespace);
    }
    if let Some(slack) = spec.get("slack") {
        check.slack(slack);
    }
    if let Some(webhook) = spec.get("webhook") {
        check.webhook(webhook);
    }
    if let Some(alertmanager) = spec.get("alertmanager") {
        check.alertmanager(alertmanager, spec);
    }
    if let Some(pagerduty) = spec.get("pagerduty") {
        if let Some(url) = pagerduty.get("baseUrl") {
            check.address("baseUrl", url);
        }
        check.images(pagerduty);
    }
}

struct Check<'a> {
    document: &'a Document,
    diagnostics: &'a mut Diagnostics,
}

impl Check<'_> {
    fn push(&mut self, node: &Node, diagnostic: Diagnostic) {
        self.diagnostics
            .push(diagnostic.at(self.document.place(&node.span)));
    }

    fn one_service(&mut self, spec: &Node) {
        let named: Vec<_> = SERVICES.iter().filter_map(|name| spec.key(name)).collect();
        let (place, message) = match named.as_slice() {
            [_] => return,
            [] => (
                self.document.place_of(&["spec"]),
                "the receiver names no service".to_owned(),
            ),
            [first, second, ..] => (
                self.document.place(&second.span),
                format!(
                    "the receiver names both `{}` and `{}`",
                    first.name, second.name
                ),
            ),
        };
        let help = format!("exactly one of {}", listed(SERVICES));
        self.diagnostics
            .push(Diagnostic::error(message).at(place).help(help));
    }

    /// The environment and the files of the bridge are the operator's: a tenant must not have them
    /// sent somewhere.
    fn nothing_of_the_operator(&mut self, node: &Node, namespace: &str) {
        for (key, value) in node.entries() {
            let of_operator = match key.name.as_str() {
                "env" | "file" => value.as_str().is_some(),
                "caFile" => true,
                _ => false,
            };
            if of_operator {
                let message = format!(
                    "a receiver in namespace `{namespace}` cannot use `{}` of the bridge",
                    key.name
                );
                let help = match key.name.as_str() {
                    "caFile" => {
                        "leave it out: public certificate authorities are trusted".to_owned()
                    }
                    _ => format!(
                        "keep it in a Secret in `{namespace}`: `secretKeyRef: {{name: NAME, key: KEY}}`"
                    ),
                };
                let place = self.document.place(&key.span);
                self.diagnostics
                    .push(Diagnostic::error(message).at(place).help(help));
            } else if key.name == "headers" {
                for (_, header) in value.entries() {
                    self.nothing_of_the_operator(header, namespace);
                }
            } else {
                self.nothing_of_the_operator(value, namespace);
            }
        }
    }

    /// Durations that may not be zero: what they pace would never stop.
    fn durations(&mut self, spec: &Node) {
        let paths: [&[&str]; 7] = [
            &["groupInterval"],
            &["repeatInterval"],
            &["timeout"],
            &["giveUpAfter"],
            &["limit", "per"],
            &["limitPerRule", "per"],
            &["heartbeat", "every"],
        ];
        super::not_zero(self.document, spec, &paths, self.diagnostics);
    }

    fn slack(&mut self, slack: &Node) {
        let (webhook, bot) = (slack.key("webhookUrl"), slack.key("botToken"));
        match (webhook, bot) {
            (Some(first), Some(second)) => {
                let later = first.span.start.max(second.span.start);
                let second = if later == first.span.start {
                    first
                } else {
                    second
                };
                let diagnostic =
                    Diagnostic::error("`webhookUrl` and `botToken` are two ways to one channel")
                        .help("remove one: only with a bot's token messages are changed in place");
                self.diagnostics
                    .push(diagnostic.at(self.document.place(&second.span)));
            }
            (None, None) => {
                let diagnostic = Diagnostic::error("`slack` says not how Slack is reached")
                    .help("`webhookUrl` or `botToken`");
                self.diagnostics
                    .push(diagnostic.at(self.document.place_of(&["spec", "slack"])));
            }
            (None, Some(bot)) if slack.key("channel").is_none() => {
                let diagnostic = Diagnostic::error("a bot needs a channel")
                    .help("`channel: C0123456789` (or its name), with the bot as a member");
                self.diagnostics
                    .push(diagnostic.at(self.document.place(&bot.span)));
            }
            _ => {}
        }
        if let Some(url) = slack.get("baseUrl") {
            self.address("baseUrl", url);
        }
        self.buttons(slack);
    }

    /// Slack refuses more, and labels that are longer; we would leave them out and cut them.
    fn buttons(&mut self, slack: &Node) {
        let buttons = slack.get("buttons").map_or(&[][..], Node::items);
        if let Some(first) = buttons.get(BUTTONS) {
            let message = format!("a message has room for {BUTTONS} buttons and the runbook's");
            self.push(first, Diagnostic::error(message).help("leave some out"));
        }
        for label in buttons.iter().filter_map(|button| button.get("text")) {
            let size = label.as_str().map_or(0, |text| text.encode_utf16().count());
            if size > LABEL {
                let message = format!("the label of a button has {size} characters");
                self.push(label, Diagnostic::error(message).help("at most 75"));
            }
        }
    }

    /// PagerDuty shows pictures by https only.
    fn images(&mut self, pagerduty: &Node) {
        let images = pagerduty.get("images").map_or(&[][..], Node::items);
        for src in images.iter().filter_map(|image| image.get("src")) {
            if src.as_str().is_some_and(|text| text.starts_with("http://")) {
                let diagnostic = Diagnostic::error("PagerDuty shows pictures by https only");
                self.push(src, diagnostic.help("write `https://…`"));
            }
        }
    }

    fn webhook(&mut self, webhook: &Node) {
        self.endpoint(webhook);
        if let Some((node, method)) = webhook
            .get("method")
            .and_then(|node| Some((node, node.as_str()?)))
            && !matches!(method, "POST" | "PUT" | "PATCH")
        {
            self.push(
                node,
                Diagnostic::error(format!("`{method}` sends no body"))
                    .help("`POST`, `PUT` or `PATCH`"),
            );
        }
        for node in webhook.get("successCodes").map_or(&[][..], Node::items) {
            if let crate::config::node::Value::Number(code) = &node.value
                && !code
                    .as_u64()
                    .is_some_and(|code| (100..=599).contains(&code))
            {
                self.push(node, Diagnostic::error(format!("{code} is no HTTP status")));
            }
        }
        for (key, value) in webhook.get("headers").into_iter().flat_map(Node::entries) {
            self.header(key, value);
        }
    }

    /// An address, and who asks there.
    fn endpoint(&mut self, endpoint: &Node) {
        if let Some(url) = endpoint.get("url") {
            self.address("url", url);
        }
        if let (Some(_), Some(basic)) = (endpoint.key("bearerToken"), endpoint.key("basic")) {
            let diagnostic =
                Diagnostic::error("`basic` and `bearerToken` both want the `Authorization` header");
            self.diagnostics
                .push(diagnostic.at(self.document.place(&basic.span)));
        }
    }

    fn alertmanager(&mut self, alertmanager: &Node, spec: &Node) {
        self.endpoint(alertmanager);
        for name in NOT_FOR_ALERTMANAGER {
            let Some(key) = spec.key(name) else { continue };
            let message = format!("`{name}` is not for an Alertmanager");
            let help = "it groups and limits by itself, and takes alerts as they are; leave it out";
            self.diagnostics.push(
                Diagnostic::error(message)
                    .at(self.document.place(&key.span))
                    .help(help),
            );
        }
    }

    fn header(&mut self, key: &crate::config::node::Key, value: &Node) {
        // RFC 9110, 5.6.2: a token.
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let place = self.document.place(&key.span);
        if key.name.is_empty() || !key.name.chars().all(token) {
            self.diagnostics
                .push(Diagnostic::error(format!("`{}` is no header's name", key.name)).at(place));
        } else if value.as_str().is_some()
            && SECRET_HEADERS.contains(&key.name.to_lowercase().as_str())
        {
            self.diagnostics.conceal(self.document.place(&value.span));
            let diagnostic = Diagnostic::error(format!("the header `{}` is a secret and cannot stand in the document", key.name))
                .help("say where it is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`");
            self.diagnostics.push(diagnostic.at(place));
        }
    }

    /// An address that stands in the document: absolute, and without a secret in it.
    fn address(&mut self, name: &str, node: &Node) {
        let Some(text) = node.as_str() else { return };
        let Some((scheme, rest)) = text.split_once("://") else {
            let diagnostic =
                Diagnostic::error(format!("`{name}` is no address")).help("write `https://…`");
            return self.push(node, diagnostic);
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !matches!(scheme, "http" | "https") || authority.is_empty() {
            let diagnostic =
                Diagnostic::error(format!("`{name}` is no address")).help("write `https://…`");
            self.push(node, diagnostic);
        } else if authority.contains('@') {
            self.diagnostics.conceal(self.document.place(&node.span));
            let diagnostic = Diagnostic::error(format!("`{name}` has a password in it"))
                .help("use `basic`, or keep the whole address elsewhere: `url: {env: NAME}`");
            self.push(node, diagnostic);
        } else if authority.eq_ignore_ascii_case("hooks.slack.com") {
            self.diagnostics.conceal(self.document.place(&node.span));
            let diagnostic = Diagnostic::error("the address of a Slack webhook is a secret")
                .help("use `slack: {webhookUrl: {env: NAME}}`");
            self.push(node, diagnostic);
        }
    }
}
