//! `/metrics`: counted as it happens, or read from the engine's status when somebody asks.
//!
//! Names follow Prometheus' conventions: `bellwether_` first, the unit last, `_total` for counters
//! (which the encoder adds).

mod snapshot;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use snapshot::Streams;

use crate::decision::Decision;
use crate::engine::Status;
use crate::outbox::Outcome;

/// One label, by name.
type Label = (&'static str, String);
type Counters<const N: usize> = Family<[Label; N], Counter>;

/// Everything that `/metrics` shows. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    decisions: Counters<1>,
    sends: Counters<2>,
    missing: Counter,
    journal_commits: Counter,
    journal_failures: Counter,
    journal_commit_seconds: Histogram,
    journal_unsaved: Gauge,
    reloads: Counters<1>,
    reload_successful: Gauge,
    reload_success_at: Gauge,
    config_problems: Gauge,
    recording: Gauge,
    unrecorded: Counter,
}

impl Metrics {
    /// All counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            decisions: Family::default(),
            sends: Family::default(),
            missing: Counter::default(),
            journal_commits: Counter::default(),
            journal_failures: Counter::default(),
            journal_commit_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 14)),
            journal_unsaved: Gauge::default(),
            reloads: Family::default(),
            reload_successful: Gauge::default(),
            reload_success_at: Gauge::default(),
            config_problems: Gauge::default(),
            recording: Gauge::default(),
            unrecorded: Counter::default(),
        };
        metrics.registry = Arc::new(metrics.registered());
        metrics
    }

    fn registered(&self) -> Registry {
        let mut registry = Registry::with_prefix("bellwether");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "This program", Info::new(version));
        registry.register(
            "decisions",
            "Decisions by reason: why an alert was told, or was not",
            self.decisions.clone(),
        );
        registry.register(
            "sends",
            "Attempts by receiver and outcome",
            self.sends.clone(),
        );
        registry.register(
            "template_missing",
            "Values that a template read and that were not there",
            self.missing.clone(),
        );
        registry.register(
            "journal_commits",
            "Commits to the state file",
            self.journal_commits.clone(),
        );
        registry.register(
            "journal_failures",
            "Commits to the state file that failed",
            self.journal_failures.clone(),
        );
        registry.register_with_unit(
            "journal_commit",
            "How long a commit took",
            Unit::Seconds,
            self.journal_commit_seconds.clone(),
        );
        registry.register(
            "journal_unsaved_records",
            "Records that are not on disk because the state file cannot be written",
            self.journal_unsaved.clone(),
        );
        self.register_reloads(&mut registry);
        registry.register(
            "recording",
            "1 while what the engine is given is written to a file (run --record)",
            self.recording.clone(),
        );
        registry.register(
            "recording_lost_inputs",
            "What the engine was given and the recording could not keep up with",
            self.unrecorded.clone(),
        );
        registry
    }

    fn register_reloads(&self, registry: &mut Registry) {
        registry.register(
            "config_reloads",
            "Changes of the files by what became of them: applied, partly, refused",
            self.reloads.clone(),
        );
        registry.register(
            "config_last_reload_successful",
            "1 if nothing was wrong with the files when they were last read",
            self.reload_successful.clone(),
        );
        registry.register_with_unit(
            "config_last_reload_success_timestamp",
            "When the files were last read and nothing was wrong with them",
            Unit::Seconds,
            self.reload_success_at.clone(),
        );
        registry.register(
            "config_problems",
            "What was wrong with the files when they were last read",
            self.config_problems.clone(),
        );
    }

    /// The files were read with so many problems; `outcome` says what became of a change, if it
    /// was one.
    pub fn configured(&self, at: Timestamp, problems: usize, outcome: Option<&str>) {
        if let Some(outcome) = outcome {
            let outcome = [("outcome", outcome.to_owned())];
            self.reloads.get_or_create(&outcome).inc();
        }
        self.reload_successful.set(i64::from(problems == 0));
        if problems == 0 {
            self.reload_success_at.set(at.as_second());
        }
        let problems = i64::try_from(problems).unwrap_or(i64::MAX);
        self.config_problems.set(problems);
    }

    /// Counts a decision.
    pub fn decided(&self, decision: &Decision) {
        let reason = [("reason", decision.reason.name().to_owned())];
        self.decisions.get_or_create(&reason).inc();
    }

    /// Counts an attempt.
    pub fn attempted(&self, receiver: &str, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Accepted => "accepted",
            Outcome::Retry { .. } => "retry",
            Outcome::Refused { .. } => "refused",
        };
        let labels = [
            ("receiver", receiver.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        self.sends.get_or_create(&labels).inc();
    }

    /// Counts a value that a template read in vain.
    pub fn missing(&self) {
        self.missing.inc();
    }

    /// Counts a commit and how long it took.
    pub fn committed(&self, took: Duration) {
        self.journal_commits.inc();
        self.journal_commit_seconds.observe(took.as_secs_f64());
    }

    /// Counts a commit that failed.
    pub fn commit_failed(&self) {
        self.journal_failures.inc();
    }

    /// Whether what the engine is given is written to a file.
    pub fn recording(&self, is: bool) {
        self.recording.set(i64::from(is));
    }

    /// Counts what a recording could not keep up with.
    pub fn unrecorded(&self, inputs: u64) {
        self.unrecorded.inc_by(inputs);
    }

    /// How many records are in memory only.
    pub fn unsaved(&self, unsaved: usize) {
        self.journal_unsaved
            .set(i64::try_from(unsaved).unwrap_or(i64::MAX));
    }

    /// All of it, in the text format of
    /// [OpenMetrics](https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it cannot: see the expectation")]
    pub fn text(&self, status: &Status, streams: &Streams) -> String {
        let mut text = String::new();
        let now = snapshot::registry(status, streams);
        encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &now))
            .and_then(|()| encode_eof(&mut text))
            .expect("a String takes any text");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
