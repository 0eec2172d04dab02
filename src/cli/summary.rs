//! What a bridge says when it starts: one screenful for a person, one line for a machine.

use std::fmt::{self, Display, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use crate::config::Service;
use crate::live::logs::Format;
use crate::setup::Loaded;
use crate::watch::cluster::Cluster;

/// No list is longer than this on the screen.
const SHOWN: usize = 10;

pub struct Summary<'a> {
    pub loaded: &'a Loaded,
    pub cluster: &'a Cluster,
    pub cluster_name: &'a str,
    pub state: &'a Path,
    /// How many records the state file held.
    pub records: usize,
    pub listening: Option<SocketAddr>,
}

impl Summary<'_> {
    /// Says it on standard error.
    pub fn tell(&self, format: Format) {
        if format == Format::Json {
            tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                rules = self.loaded.rules.rules.len(),
                receivers = self.loaded.configuration.receivers.len(),
                streams = self.loaded.rules.streams().len(),
                cluster = self.cluster_name,
                url = self.cluster.url(),
                state = %self.state.display(),
                records = self.records,
                listening = self.listening.map(tracing::field::display),
                "started"
            );
        } else {
            eprint!("{self}");
        }
    }
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = &self.loaded.rules;
        let names = rules.rules.iter().map(|rule| rule.name.to_string());
        let receivers = self.loaded.configuration.receivers.iter().map(|receiver| {
            let service = match receiver.spec.service {
                Service::Slack(_) => "Slack",
                Service::PagerDuty(_) => "PagerDuty",
                Service::Alertmanager(_) => "Alertmanager",
                Service::Webhook(_) => "webhook",
            };
            format!("{} ({service})", receiver.name)
        });
        let streams = rules
            .streams()
            .into_iter()
            .map(|(source, _)| source.key().to_string());
        let state = match self.records {
            0 => "new".to_owned(),
            1 => "1 record".to_owned(),
            many => format!("{many} records"),
        };
        writeln!(f, "bellwether {}", env!("CARGO_PKG_VERSION"))?;
        row(f, "rules", &list(names))?;
        row(f, "receivers", &list(receivers))?;
        row(f, "watching", &list(streams))?;
        row(
            f,
            "cluster",
            &format!("{} ({})", self.cluster_name, self.cluster.url()),
        )?;
        row(f, "state", &format!("{} ({state})", self.state.display()))?;
        match self.listening {
            Some(address) => row(
                f,
                "listening",
                &format!("http://{address}/ (healthz, readyz, metrics)"),
            ),
            None => row(f, "listening", "off"),
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {name:<10} {text}")
}

/// The first ones by name, and how many more there are.
fn list(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let mut text = all[..all.len().min(SHOWN)].join(", ");
    if all.len() > SHOWN {
        let _ = write!(text, " … and {} more", all.len() - SHOWN);
    }
    match all.len() {
        0 => "none".to_owned(),
        _ => text,
    }
}
