//! Rules on a recording: what they would have found and told, how often, to whom.
//!
//! In: rules, a [`Recording`]. Out: a [`Report`], in which everything is counted by rule, object and
//! receiver. It is a driver of the same engine as the bridge, through [`DryRun`]: time is the
//! recording's, every message is taken at once, and nothing is kept but what goes on.

pub mod report;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;

use crate::cel::PathSet;
use crate::decision::{Decision, Reason};
use crate::dry_run::DryRun;
use crate::dry_run::input::{Fact, What};
use crate::names::{ReceiverName, RuleName};
use crate::recording::{Frame, Recording, RecordingError, Said};
use crate::setup::Loaded;
use crate::watch::{Signal, Signalled, Source};
pub use report::Difference;

/// What rules made of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub began: Timestamp,
    pub ended: Timestamp,
    /// Objects and Events after the first list.
    pub transitions: u64,
    pub rules: BTreeMap<RuleName, OfRule>,
    /// Messages by the object that they are about.
    pub objects: BTreeMap<String, u64>,
    pub receivers: BTreeMap<ReceiverName, u64>,
    /// Messages by rule and object, for a comparison.
    pub told: BTreeMap<(RuleName, String), u64>,
    /// All of them.
    pub messages: u64,
    /// The recording ends in the middle of something.
    pub is_cut: bool,
}

/// What one rule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfRule {
    /// How often it began to fire, or found that something happened.
    pub fired: u64,
    pub resolved: u64,
    /// Messages about it; of a shadow, those that it would have sent.
    pub messages: u64,
    pub shadow: bool,
    /// How often it could not be evaluated.
    pub unknown: u64,
}

/// What rules read of recorded objects, selectors included.
#[must_use]
pub fn reads(loaded: &Loaded) -> PathSet {
    let mut all = PathSet::none();
    for watched in &loaded.rules.sources {
        // Which fields a field selector names is its own business.
        if watched.source.field_selector.is_some() {
            return PathSet::all();
        }
        all = all.union(&watched.paths);
        if watched.source.label_selector.is_some() {
            all = all.union(&LABELS);
        }
    }
    all
}

static LABELS: LazyLock<PathSet> =
    LazyLock::new(|| PathSet::of(["metadata.labels"]).expect("a path, which a test reads"));

/// Plays a recording. `heard` is told of each decision, and `progress` how far it is from time to
/// time, in frames.
///
/// # Errors
/// The recording cannot be read.
pub fn replay(
    loaded: &Loaded,
    recording: &mut Recording,
    heard: &mut dyn FnMut(&Decision),
    progress: &mut dyn FnMut(u64),
) -> Result<Report, RecordingError> {
    let began = recording.header().began;
    let mut player = Player {
        run: DryRun::new(loaded, "recorded", began),
        listed: Some(Vec::new()),
        report: Report {
            began,
            ended: began,
            ..Report::default()
        },
        loaded,
    };
    player.run.decisions = Some(Vec::new());
    for rule in &loaded.rules.rules {
        let of_rule = OfRule {
            shadow: rule.shadow,
            ..OfRule::default()
        };
        player.report.rules.insert(rule.name.clone(), of_rule);
    }
    let mut frames = 0;
    while let Some(frame) = recording.read()? {
        player.play(frame);
        player.count(heard);
        frames += 1;
        if frames % 10_000 == 0 {
            progress(frames);
        }
    }
    player.end();
    player.count(heard);
    player.report.is_cut = recording.is_cut();
    Ok(player.report)
}

struct Player<'l> {
    run: DryRun<'l>,
    /// What was there at the beginning, until all of it was said.
    listed: Option<Vec<Fact>>,
    report: Report,
    loaded: &'l Loaded,
}

impl Player<'_> {
    fn play(&mut self, frame: Frame) {
        let Frame { at, said } = frame;
        self.report.ended = self.report.ended.max(at);
        if self.listed.is_none() {
            self.run.run_to(at);
        }
        let what = match said {
            Said::Listed(object) | Said::Applied(object) => What::Applied(object),
            Said::Deleted(object) => What::Deleted(object),
            Said::Event(event) => What::Event(event),
            Said::ListEnded => return self.begin(at),
            Said::Broken(source, why) => return self.signal(&source, &Signal::Broken { why }),
            Said::Recovered(source) => return self.signal(&source, &Signal::Recovered),
            Said::Tick => return,
        };
        let listed = self.listed.is_some();
        let fact = Fact { at, what, listed };
        if let Some(all) = &mut self.listed {
            all.push(fact);
        } else {
            self.report.transitions += 1;
            self.run.happen(&fact);
        }
    }

    /// Everything that was there is known.
    fn begin(&mut self, at: Timestamp) {
        if let Some(listed) = self.listed.take() {
            self.run.run_to(at);
            self.run.list(&listed.iter().collect::<Vec<_>>());
        }
    }

    /// A recording that was cut within the first list has nothing else.
    fn end(&mut self) {
        self.begin(self.report.ended);
        self.run.run_to(self.report.ended);
        self.run.settle();
    }

    /// The streams of the rules that were told by this one.
    fn signal(&mut self, recorded: &Source, signal: &Signal) {
        let objects = self.loaded.rules.sources.iter().map(|it| &it.source);
        let all = objects.chain(&self.loaded.rules.events);
        let told = all.filter(|source| {
            source.kind == recorded.kind
                && source.api_version == recorded.api_version
                && (recorded.namespace.is_none() || recorded.namespace == source.namespace)
        });
        for source in told.cloned().collect::<Vec<_>>() {
            self.run.observe(Signalled {
                source: source.key(),
                signal: signal.clone(),
            });
        }
    }

    fn count(&mut self, heard: &mut dyn FnMut(&Decision)) {
        let decisions = self.run.decisions.replace(Vec::new());
        for decision in decisions.into_iter().flatten() {
            self.decided(&decision);
            heard(&decision);
        }
        for told in std::mem::take(&mut self.run.sent) {
            self.report.messages += 1;
            *self
                .report
                .receivers
                .entry(told.receiver.clone())
                .or_default() += 1;
            let mut about: Vec<(RuleName, String)> = Vec::new();
            for alert in &told.alerts {
                about.push((alert.rule.clone(), alert.object.to_string()));
            }
            about.sort();
            about.dedup();
            let mut rules: Vec<&RuleName> = about.iter().map(|(rule, _)| rule).collect();
            rules.dedup();
            for rule in rules {
                self.report.rules.entry(rule.clone()).or_default().messages += 1;
            }
            for (rule, object) in about {
                *self.report.objects.entry(object.clone()).or_default() += 1;
                *self.report.told.entry((rule, object)).or_default() += 1;
            }
        }
        self.run.forget_what_is_over();
    }

    fn decided(&mut self, decision: &Decision) {
        let Some(rule) = &decision.about.rule else {
            return;
        };
        let of_rule = self.report.rules.entry(rule.clone()).or_default();
        match decision.reason {
            Reason::Firing | Reason::Occurred => of_rule.fired += 1,
            Reason::Resolved(_) => of_rule.resolved += 1,
            Reason::Unknown(_) => of_rule.unknown += 1,
            Reason::Shadowed => of_rule.messages += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
