//! How a receiver wants its messages, compiled from its document.
//!
//! In: a [`ReceiverSpec`] and the user's template files. Out: a [`Format`], or what is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::alertmanager::lifetime;
use super::escape::Target;
use super::read::nearest;
use super::template::{Scope, Template, TemplateProblem};
use crate::config::{self, Mentions, Occurrences, ReceiverSpec, Service, SlackWay, Text};

/// Template files by name: the path below the template directory, `oncall.json.hbs`.
#[derive(Clone, Debug, Default)]
pub struct Templates(BTreeMap<String, Arc<Template>>);

impl Templates {
    /// Compiles a file and adds it; the word before `.hbs` says what it writes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn insert(&mut self, name: &str, source: &str) -> Result<(), Vec<TemplateProblem>> {
        let target = Target::of_file(name);
        let template = Template::compile(name, source, target, Scope::Message)?;
        self.0.insert(name.to_owned(), Arc::new(template));
        Ok(())
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Template>> {
        self.0.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What a receiver's messages look like.
#[derive(Clone, Debug)]
pub enum Format {
    Slack(Slack),
    PagerDuty(PagerDuty),
    Alertmanager(Alertmanager),
    Webhook(Webhook),
}

/// A Slack message: a `.json.hbs` template is the whole message, any other the text below its
/// header.
#[derive(Clone, Debug, Default)]
pub struct Slack {
    pub channel: Option<String>,
    pub username: Option<String>,
    pub icon: Option<String>,
    /// The message is changed in place, and has a thread.
    pub threads: bool,
    pub mentions: Mentions,
    pub buttons: Vec<Link>,
    pub template: Option<Arc<Template>>,
}

/// A PagerDuty event: a `.json.hbs` template is laid over its payload, any other is the summary.
#[derive(Clone, Debug, Default)]
pub struct PagerDuty {
    pub client: Option<String>,
    pub client_url: Option<String>,
    pub class: Option<String>,
    pub component: Option<String>,
    pub occurrences: Occurrences,
    pub links: Vec<Link>,
    pub images: Vec<Image>,
    pub template: Option<Arc<Template>>,
}

/// How long Alertmanager keeps what it is told.
#[derive(Clone, Debug, Default)]
pub struct Alertmanager {
    pub lifetime: SignedDuration,
    pub heartbeat_lifetime: SignedDuration,
}

/// A webhook's body; without a template it is [`super::webhook::Body`].
#[derive(Clone, Debug, Default)]
pub struct Webhook {
    pub content_type: String,
    pub body: Option<Arc<Template>>,
}

/// An address that a receiver's document gives, with what alerts say in it.
#[derive(Clone, Debug)]
pub struct Address {
    pub template: Arc<Template>,
    pub written: Text,
}

/// A link that a message offers.
#[derive(Clone, Debug)]
pub struct Link {
    pub text: String,
    pub url: Address,
}

/// A picture that a message shows.
#[derive(Clone, Debug)]
pub struct Image {
    pub src: Address,
    pub href: Option<Address>,
    pub alt: Option<String>,
}

/// What is wrong with a receiver's templates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatProblem {
    #[error("there is no template {name:?}")]
    UnknownTemplate { name: String, help: Option<String> },
    #[error("{}: {}", .0.name, .0.problem.message)]
    InDocument(Box<InDocument>),
    #[error("template and webhook.body both say what is sent")]
    Both,
    #[error("template {name:?} writes no text that Slack shows")]
    NotForSlack { name: String },
}

/// What is wrong with a template that stands in the receiver's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InDocument {
    /// `webhook.body`
    pub name: String,
    pub written: Text,
    pub problem: TemplateProblem,
}

impl FormatProblem {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownTemplate { help, .. } => help.clone(),
            Self::InDocument(wrong) => wrong.problem.help.clone(),
            Self::Both => Some("remove one of them".to_owned()),
            Self::NotForSlack { .. } => Some("name a .mrkdwn.hbs or .json.hbs file".to_owned()),
        }
    }
}

impl Format {
    /// Compiles what the receiver's document says.
    ///
    /// # Errors
    /// Every problem found.
    pub fn of(spec: &ReceiverSpec, templates: &Templates) -> Result<Self, Vec<FormatProblem>> {
        let template = match &spec.template {
            Some(name) => Some(find(name, templates).map_err(|problem| vec![problem])?),
            None => None,
        };
        match &spec.service {
            Service::Slack(slack) => {
                if let Some(template) = &template
                    && template.target() == Target::Html
                {
                    let name = template.name().to_owned();
                    return Err(vec![FormatProblem::NotForSlack { name }]);
                }
                let (channel, threads) = match &slack.way {
                    SlackWay::Webhook { channel, .. } => (channel.clone(), false),
                    // It is known when it is sent.
                    SlackWay::Bot { .. } => (None, true),
                };
                Ok(Self::Slack(Slack {
                    channel,
                    threads,
                    mentions: slack.mentions.clone(),
                    buttons: links("slack.buttons", &slack.buttons)?,
                    username: slack.username.clone(),
                    icon: slack.icon.clone(),
                    template: template.map(for_slack),
                }))
            }
            Service::PagerDuty(pagerduty) => Ok(Self::PagerDuty(PagerDuty {
                client: pagerduty.client.clone(),
                client_url: pagerduty.client_url.clone(),
                class: pagerduty.class.clone(),
                component: pagerduty.component.clone(),
                occurrences: pagerduty.occurrences,
                links: links("pagerduty.links", &pagerduty.links)?,
                images: images(&pagerduty.images)?,
                template,
            })),
            Service::Alertmanager(_) => {
                let every = |every| SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
                let heartbeat = spec.heartbeat.as_ref().map(|heartbeat| heartbeat.every);
                Ok(Self::Alertmanager(Alertmanager {
                    lifetime: lifetime(every(spec.repeat_interval)),
                    heartbeat_lifetime: lifetime(every(heartbeat.unwrap_or_default())),
                }))
            }
            Service::Webhook(webhook) => {
                let body = match (&webhook.body, template) {
                    (Some(_), Some(_)) => return Err(vec![FormatProblem::Both]),
                    (Some(body), None) => {
                        let target = Target::of_content_type(&webhook.content_type);
                        Some(in_document("webhook.body", body, target)?)
                    }
                    (None, template) => template,
                };
                Ok(Self::Webhook(Webhook {
                    content_type: webhook.content_type.clone(),
                    body,
                }))
            }
        }
    }

    /// The receiver's own template, for what it reads.
    #[must_use]
    pub fn template(&self) -> Option<&Arc<Template>> {
        match self {
            Self::Slack(slack) => slack.template.as_ref(),
            Self::PagerDuty(pagerduty) => pagerduty.template.as_ref(),
            Self::Alertmanager(_) => None,
            Self::Webhook(webhook) => webhook.body.as_ref(),
        }
    }
}

/// A template that stands in the receiver's document.
fn in_document(
    name: &str,
    written: &Text,
    target: Target,
) -> Result<Arc<Template>, Vec<FormatProblem>> {
    let compiled = Template::compile(name, &written.text, target, Scope::Message);
    let problem = |problem| {
        FormatProblem::InDocument(Box::new(InDocument {
            name: name.to_owned(),
            written: written.clone(),
            problem,
        }))
    };
    compiled
        .map(Arc::new)
        .map_err(|problems| problems.into_iter().map(problem).collect())
}

fn address(name: &str, written: &Text) -> Result<Address, Vec<FormatProblem>> {
    Ok(Address {
        template: in_document(name, written, Target::Url)?,
        written: written.clone(),
    })
}

/// The links, or all that is wrong with them.
fn links(field: &str, links: &[config::Link]) -> Result<Vec<Link>, Vec<FormatProblem>> {
    all(links.iter().enumerate().map(|(at, link)| {
        Ok(Link {
            text: link.text.clone(),
            url: address(&format!("{field}[{at}].url"), &link.url)?,
        })
    }))
}

fn images(images: &[config::Image]) -> Result<Vec<Image>, Vec<FormatProblem>> {
    all(images.iter().enumerate().map(|(at, image)| {
        let href = image.href.as_ref();
        let href = href.map(|href| address(&format!("pagerduty.images[{at}].href"), href));
        Ok(Image {
            src: address(&format!("pagerduty.images[{at}].src"), &image.src)?,
            href: href.transpose()?,
            alt: image.alt.clone(),
        })
    }))
}

fn all<T>(
    made: impl Iterator<Item = Result<T, Vec<FormatProblem>>>,
) -> Result<Vec<T>, Vec<FormatProblem>> {
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    for one in made {
        match one {
            Ok(one) => good.push(one),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(good)
    } else {
        Err(problems)
    }
}

impl Format {
    /// The addresses that stand in the receiver's document, for what they read.
    #[must_use]
    pub fn addresses(&self) -> Vec<&Address> {
        let (links, images) = match self {
            Self::Slack(slack) => (&slack.buttons[..], &[][..]),
            Self::PagerDuty(pagerduty) => (&pagerduty.links[..], &pagerduty.images[..]),
            Self::Alertmanager(_) | Self::Webhook(_) => (&[][..], &[][..]),
        };
        let images = images.iter();
        let images = images.flat_map(|image| std::iter::once(&image.src).chain(&image.href));
        links.iter().map(|link| &link.url).chain(images).collect()
    }
}

/// A plain text is shown as Slack's markup, so its values are escaped as such.
fn for_slack(template: Arc<Template>) -> Arc<Template> {
    if template.target() == Target::Plain {
        Arc::new(template.retarget(Target::Mrkdwn))
    } else {
        template
    }
}

fn find(name: &str, templates: &Templates) -> Result<Arc<Template>, FormatProblem> {
    templates.get(name).cloned().ok_or_else(|| {
        let help = nearest(name, templates.names()).or_else(|| {
            let names: Vec<&str> = templates.names().collect();
            Some(if names.is_empty() {
                "name a template directory with --templates".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            })
        });
        FormatProblem::UnknownTemplate {
            name: name.to_owned(),
            help,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Credential, GroupBy, LiteralOrCredential};
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn spec(service: Service, template: Option<&str>) -> ReceiverSpec {
        ReceiverSpec {
            service,
            group_by: GroupBy::All,
            group_wait: Duration::ZERO,
            group_interval: Duration::ZERO,
            repeat_interval: Duration::ZERO,
            send_resolved: true,
            limit: None,
            limit_per_rule: None,
            max_in_flight: NonZeroU32::MIN,
            timeout: Duration::ZERO,
            give_up_after: Duration::ZERO,
            heartbeat: None,
            fallback: None,
            template: template.map(str::to_owned),
            shared: false,
        }
    }

    fn slack() -> Service {
        Service::Slack(config::Slack {
            way: SlackWay::Webhook {
                url: Credential::Env("SLACK_URL".into()),
                channel: None,
            },
            username: None,
            icon: None,
            mentions: Mentions::default(),
            buttons: Vec::new(),
        })
    }

    fn webhook(body: &str) -> Service {
        Service::Webhook(config::Webhook {
            url: LiteralOrCredential::Literal("https://in.example".into()),
            method: "POST".into(),
            headers: BTreeMap::new(),
            body: Some(body.into()),
            content_type: "application/json".into(),
            bearer_token: None,
            basic: None,
            hmac: None,
            success_codes: Vec::new(),
            ca_file: None,
            client_certificate: None,
        })
    }

    fn problems(spec: &ReceiverSpec) -> String {
        let mut templates = Templates::default();
        templates.insert("short.mrkdwn.hbs", "{{title}}").unwrap();
        templates.insert("page.html.hbs", "{{title}}").unwrap();
        let problems = Format::of(spec, &templates).unwrap_err();
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("{problem} ({})", problem.help().unwrap_or_default()))
            .collect();
        told.join("\n")
    }

    #[test]
    fn what_a_receiver_cannot_send_is_refused() {
        insta::assert_snapshot!(problems(&spec(slack(), Some("shrt.mrkdwn.hbs"))), @r#"there is no template "shrt.mrkdwn.hbs" (did you mean "short.mrkdwn.hbs"?)"#);
        insta::assert_snapshot!(problems(&spec(slack(), Some("page.html.hbs"))), @r#"template "page.html.hbs" writes no text that Slack shows (name a .mrkdwn.hbs or .json.hbs file)"#);
        insta::assert_snapshot!(problems(&spec(webhook("{}"), Some("short.mrkdwn.hbs"))), @"template and webhook.body both say what is sent (remove one of them)");
        insta::assert_snapshot!(problems(&spec(webhook("{{titel}}"), None)), @r#"webhook.body: there is no "titel" (did you mean "title"?)"#);
    }

    #[test]
    fn a_plain_text_is_escaped_for_slack() {
        let mut templates = Templates::default();
        templates.insert("short.txt.hbs", "{{title}}").unwrap();
        let format = Format::of(&spec(slack(), Some("short.txt.hbs")), &templates).unwrap();
        assert_eq!(format.template().unwrap().target(), Target::Mrkdwn);
    }
}
