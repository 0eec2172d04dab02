//! What `/metrics` reads from the engine and the streams at the moment somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use super::Label;
use crate::engine::Status;
use crate::names::SourceKey;
use crate::watch::stats::WatchStats;

/// The counters of the streams that run, shared with them.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<Vec<Counted>>>);

/// A stream and its counters.
type Counted = (SourceKey, Arc<WatchStats>);

impl Streams {
    /// These are the ones that run now.
    pub fn set(&self, streams: Vec<Counted>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = streams;
    }

    fn get(&self) -> Vec<Counted> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.clone()
    }
}

/// A registry of this moment: nothing in it is left over from the last one.
pub(super) fn registry(status: &Status, streams: &Streams) -> Registry {
    let mut registry = Registry::with_prefix("bellwether");
    engine(&mut registry, status);
    health(&mut registry, status);
    requests(&mut registry, streams);
    registry
}

fn engine(registry: &mut Registry, status: &Status) {
    registry.register(
        "transitions",
        "Changes of watched objects",
        ConstCounter::new(status.transitions),
    );
    let words = ["true", "false", "unknown"];
    let verdicts = status.verdicts.iter().flat_map(|(rule, counts)| {
        let of_rule = words.iter().zip(counts);
        of_rule.map(move |(word, count)| ([label("rule", rule), label("verdict", word)], *count))
    });
    registry.register(
        "verdicts",
        "Evaluations by rule and verdict",
        counters(verdicts),
    );
    let alerts = status
        .alerts
        .iter()
        .map(|((rule, state), count)| ([label("rule", rule), label("state", state)], *count));
    registry.register("alerts", "Alerts by rule and state", gauges(alerts));
    registry.register(
        "frozen_rules",
        "Rules that stay as they were last read: their document is invalid or cannot be read",
        ConstGauge::new(status.frozen.len() as u64),
    );
    let depths = status
        .outbox
        .iter()
        .map(|(receiver, depth)| ([label("receiver", receiver)], *depth as u64));
    registry.register(
        "outbox_depth",
        "Notifications that are decided and not yet delivered",
        gauges(depths),
    );
    registry.register(
        "events_retained",
        "Kubernetes Events kept for rules that read them",
        ConstGauge::new(status.events_retained as u64),
    );
    registry.register(
        "events_cut",
        "Kubernetes Events given up because of a bound",
        ConstCounter::new(status.events_cut),
    );
    registry.register_with_unit(
        "retained",
        "Memory held by fields of watched objects",
        Unit::Bytes,
        ConstGauge::new(status.retained_bytes as u64),
    );
}

fn health(registry: &mut Registry, status: &Status) {
    let by_source = |value: &dyn Fn(&crate::engine::status::StreamStatus) -> u64| {
        let values = status.streams.iter();
        gauges(values.map(|stream| ([label("source", &stream.source)], value(stream))))
    };
    registry.register(
        "watched_objects",
        "Objects known, by source",
        by_source(&|stream| stream.objects as u64),
    );
    registry.register(
        "watch_listed",
        "1 once everything there is was listed",
        by_source(&|stream| u64::from(stream.listed)),
    );
    registry.register(
        "watch_broken",
        "1 while the stream is down",
        by_source(&|stream| u64::from(stream.broken.is_some())),
    );
    registry.register(
        "watch_dormant",
        "1 while the cluster does not have the kind",
        by_source(&|stream| u64::from(stream.dormant.is_some())),
    );
}

fn requests(registry: &mut Registry, streams: &Streams) {
    let streams = streams.get();
    let by_source = |value: &dyn Fn(&WatchStats) -> u64| {
        let values = streams.iter();
        counters(values.map(|(source, stats)| ([label("source", source)], value(stats))))
    };
    registry.register(
        "watch_restarts",
        "Watch requests after the first; the server ends each after some minutes",
        by_source(&|stats| stats.connections.get().saturating_sub(1)),
    );
    registry.register(
        "watch_failures",
        "Requests that were refused, cut, silent or expired",
        by_source(&|stats| stats.failures.get()),
    );
    registry.register(
        "watch_lists",
        "Complete lists",
        by_source(&|stats| stats.lists.get()),
    );
    registry.register(
        "watch_received",
        "Objects and Events received",
        by_source(&|stats| stats.received.get()),
    );
}

fn label(name: &'static str, value: &dyn std::fmt::Display) -> Label {
    (name, value.to_string())
}

fn counters<const N: usize>(
    values: impl Iterator<Item = ([Label; N], u64)>,
) -> Family<[Label; N], Counter<u64, AtomicU64>> {
    let family = Family::<[Label; N], Counter<u64, AtomicU64>>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).inc_by(value);
    }
    family
}

fn gauges<const N: usize>(
    values: impl Iterator<Item = ([Label; N], u64)>,
) -> Family<[Label; N], Gauge<u64, AtomicU64>> {
    let family = Family::<[Label; N], Gauge<u64, AtomicU64>>::default();
    for (labels, value) in values {
        family
            .get_or_create(&labels)
            .inner()
            .store(value, Ordering::Relaxed);
    }
    family
}
