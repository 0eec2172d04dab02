//! `bellwether send`: a drill: one real message to one receiver.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::dry_run::{Facts, say};
use super::failure::{self, Failure};
use super::typed::load;
use super::{ClusterArgs, FileArgs};
use crate::alert::{Alert, Ending, Nature, Resolution, State, Texts};
use crate::cel::Json;
use crate::deliver::{Deliverer, NoSecrets, SecretReader};
use crate::live::clock::Clock;
use crate::live::secrets::ClusterSecrets;
use crate::names::{Fingerprint, Labels, ObjectRef, ReceiverName, Severity, Uid};
use crate::notify::{Cause, Notification, Status};
use crate::outbox::{Attempt, Delivery, Outcome, Posted};
use crate::render::render;
use crate::setup::{Files, Loaded};
use crate::watch::cluster::Cluster;

const EXAMPLES: &str = "\
Examples:
  bellwether send chat --rules rules/
  bellwether send pager --rules rules/ --alert failed-database.yaml    # what a rule says of it
  bellwether send pager --rules rules/ --keep-open

The message says that it is a drill. What it opens is resolved at once, unless --keep-open is given.
Exits with 7 if the receiver does not take it.";

/// Send a drill to one receiver
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Send {
    /// The name of the receiver.
    #[arg(value_name = "RECEIVER")]
    receiver: String,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Manifests on which a rule fires that tells this receiver: the drill says what it would say.
    #[arg(long, value_name = "FILE")]
    alert: Option<PathBuf>,
    /// Do not resolve it.
    #[arg(long)]
    keep_open: bool,
}

/// Sends it.
///
/// # Errors
/// The files are wrong, there is no such receiver, or it does not take the message.
pub async fn run(arguments: &Send) -> Result<(), Failure> {
    let cluster = Cluster::connect(&arguments.cluster.address()).await;
    let own_namespace = cluster.as_ref().ok().map(|one| one.namespace().to_string());
    let loaded = load(&Files {
        assume_held: arguments.alert.is_some(),
        own_namespace,
        ..arguments.files.files_of(&arguments.cluster).await?
    })?;
    let receiver = ReceiverName::from(arguments.receiver.as_str());
    let Some(format) = loaded.formats.get(&receiver) else {
        let names: Vec<&str> = loaded.formats.keys().map(ReceiverName::as_str).collect();
        return Err(Failure::new(
            failure::USAGE,
            format!("there is no receiver {:?}", arguments.receiver),
            &format!("the receivers are {}", names.join(", ")),
        ));
    };
    let secrets: Arc<dyn SecretReader> = match cluster {
        Ok(cluster) => Arc::new(ClusterSecrets::of(cluster)),
        Err(_) => Arc::new(NoSecrets),
    };
    let deliverer = Deliverer::new(&loaded.configuration.receivers, secrets)?;
    let mut clock = Clock::start();
    let drill = arguments.drill(&loaded, &receiver, &mut clock)?;
    let mut messages = vec![drill];
    if !arguments.keep_open {
        messages.extend(messages[0].alerts.first().map(|_| over(&messages[0])));
    }
    let mut posted = None;
    for message in messages {
        let payload = render(&message, format);
        let what = match message.status {
            Status::Firing => "the drill",
            Status::Resolved => "its resolve",
        };
        let attempt = Attempt {
            notification: Arc::new(message),
            number: 1,
            posted,
        };
        let Delivery { outcome, post } = deliverer.deliver(&attempt, &payload).await;
        posted = post.map(|post| Posted {
            post,
            by: attempt.notification.id.clone(),
            at: attempt.notification.at,
        });
        match outcome {
            Outcome::Accepted => say(&format!("{receiver} took {what}\n")),
            Outcome::Retry { why, .. } | Outcome::Refused { why } => {
                return Err(Failure::new(
                    failure::RECEIVER,
                    format!("{receiver} did not take {what}: {why}"),
                    "a bridge that runs tries again where that can help",
                ));
            }
        }
    }
    Ok(())
}

impl Send {
    fn drill(
        &self,
        loaded: &Loaded,
        receiver: &ReceiverName,
        clock: &mut Clock,
    ) -> Result<Notification, Failure> {
        let now = clock.now();
        let Some(file) = &self.alert else {
            return Ok(notification(receiver, now, sample(now)));
        };
        let facts = Facts::read(file, None, clock)?;
        let mut run = facts.play(loaded, &self.cluster);
        run.settle();
        let told = run.sent.iter().find(|told| told.receiver == *receiver);
        let Some(told) = told else {
            return Err(Failure::new(
                failure::CONFIGURATION,
                format!("nothing in {} tells {receiver}", file.display()),
                "`bellwether dry-run --assume-held --from FILE` shows what fires, and whom it tells",
            ));
        };
        Ok(Notification {
            alerts: told.alerts.clone(),
            ..notification(receiver, now, sample(now))
        })
    }
}

/// A message about an alert, which says that it is a drill.
fn notification(receiver: &ReceiverName, now: Timestamp, alert: Alert) -> Notification {
    let moment = now.to_string();
    let id = Fingerprint::of(&["drill", receiver.as_str(), &moment]).to_string();
    Notification {
        group: format!("{receiver}{{drill=\"{moment}\"}}").into(),
        id: id.into(),
        receiver: receiver.clone(),
        group_labels: Labels::new(),
        status: Status::Firing,
        cause: Cause::Drill,
        opens: true,
        instead_of: None,
        first: Vec::new(),
        at: now,
        alerts: vec![Arc::new(alert)],
        omitted: 0,
        digest: Vec::new(),
    }
}

/// The end of a drill.
fn over(drill: &Notification) -> Notification {
    let alerts = drill.alerts.iter().map(|alert| {
        let resolution = Resolution {
            at: drill.at,
            reason: Ending::Cleared,
        };
        Arc::new(Alert {
            state: State::Resolved,
            resolution: Some(resolution),
            ..Alert::clone(alert)
        })
    });
    let id = Fingerprint::of(&["drill is over", drill.id.as_str()]).to_string();
    Notification {
        id: id.into(),
        status: Status::Resolved,
        alerts: alerts.collect(),
        ..drill.clone()
    }
}

/// An alert about nothing.
fn sample(now: Timestamp) -> Alert {
    let object = ObjectRef {
        api_version: "bellwether.dev/v1alpha1".into(),
        kind: "Drill".into(),
        namespace: None,
        name: "drill".into(),
        uid: Uid::parse("drill"),
    };
    let label = |name: &str, value: &str| (name.into(), value.into());
    Alert {
        fingerprint: Fingerprint::of(&["drill", &now.to_string()]),
        rule: "drill".into(),
        source: "bellwether.dev/v1alpha1/Drill".into(),
        object,
        dedup_key: None,
        nature: Nature::State,
        state: State::Firing,
        labels: [label("alertname", "drill"), label("severity", "info")].into(),
        severity: Severity::Info,
        receivers: Vec::new(),
        routed: false,
        active_since: now,
        fired_at: Some(now),
        keep_since: None,
        unknown_since: None,
        resolution: None,
        count: 1,
        owners: Vec::new(),
        late: false,
        shadow: false,
        texts: Texts {
            summary: Some("This is a drill: nothing is wrong".into()),
            description: Some("Somebody tries whether messages of Bellwether arrive.".into()),
            runbook: None,
        },
        view: Arc::new(Json::from(json!({}))),
    }
}
