//! How a receiver wants its messages, compiled from its document.
//!
//! In: a [`ReceiverSpec`] and the user's template files. Out: a [`Format`], or what is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::escape::Target;
use super::read::nearest;
use super::template::{Scope, Template, TemplateProblem};
use crate::config::{ReceiverSpec, Service};

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
    Webhook(Webhook),
}

/// A Slack message: a `.json.hbs` template is the whole message, any other the text below its
/// header.
#[derive(Clone, Debug, Default)]
pub struct Slack {
    pub channel: Option<String>,
    pub username: Option<String>,
    pub icon: Option<String>,
    pub template: Option<Arc<Template>>,
}

/// A PagerDuty event: a `.json.hbs` template is laid over its payload, any other is the summary.
#[derive(Clone, Debug, Default)]
pub struct PagerDuty {
    pub client: Option<String>,
    pub client_url: Option<String>,
    pub class: Option<String>,
    pub component: Option<String>,
    pub template: Option<Arc<Template>>,
}

/// A webhook's body; without a template it is [`super::webhook::Body`].
#[derive(Clone, Debug, Default)]
pub struct Webhook {
    pub content_type: String,
    pub body: Option<Arc<Template>>,
}

/// What is wrong with a receiver's templates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatProblem {
    #[error("there is no template {name:?}")]
    UnknownTemplate { name: String, help: Option<String> },
    #[error("webhook.body: {}", .0.message)]
    Body(TemplateProblem),
    #[error("template and webhook.body both say what is sent")]
    Both,
    #[error("template {name:?} writes no text that Slack shows")]
    NotForSlack { name: String },
}

impl FormatProblem {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownTemplate { help, .. } => help.clone(),
            Self::Body(problem) => problem.help.clone(),
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
                Ok(Self::Slack(Slack {
                    channel: slack.channel.clone(),
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
                template,
            })),
            Service::Webhook(webhook) => {
                let body = match (&webhook.body, template) {
                    (Some(_), Some(_)) => return Err(vec![FormatProblem::Both]),
                    (Some(body), None) => {
                        let target = Target::of_content_type(&webhook.content_type);
                        let body =
                            Template::compile("webhook.body", &body.text, target, Scope::Message);
                        let body = body.map_err(|problems| {
                            problems
                                .into_iter()
                                .map(FormatProblem::Body)
                                .collect::<Vec<_>>()
                        })?;
                        Some(Arc::new(body))
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
            Self::Webhook(webhook) => webhook.body.as_ref(),
        }
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
            max_in_flight: NonZeroU32::MIN,
            timeout: Duration::ZERO,
            give_up_after: Duration::ZERO,
            heartbeat: None,
            template: template.map(str::to_owned),
            shared: false,
        }
    }

    fn slack() -> Service {
        Service::Slack(config::Slack {
            webhook_url: Credential::Env("SLACK_URL".into()),
            channel: None,
            username: None,
            icon: None,
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
