//! Rules on a recording: what they would have found and told, how often, to whom.
//!
//! In: rules, a [`Recording`]. Out: a [`Report`], in which everything is counted by rule, object and
//! receiver. It is a driver of the same engine as the bridge, through [`DryRun`]: time is the
//! recording's, every message is taken at once, and nothing is kept but what goes on. A recording of
//! a bridge that ran is played as it was ([`rerun`]), or to other rules ([`others`]).

pub mod held;
pub mod lately;
pub mod others;
pub mod report;
pub mod rerun;

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::cel::PathSet;
use crate::decision::Decision;
use crate::dry_run::DryRun;
use crate::dry_run::input::{Fact, What};
use crate::recording::{Frame, Recording, RecordingError, Said};
use crate::setup::Loaded;
use crate::watch::{Signal, Signalled, Source};
pub use held::Missing;
pub use report::{Difference, OfRule, Report};

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
        report: Report::of(&loaded.rules, began),
        loaded,
    };
    player.run.decisions = Some(Vec::new());
    let read = recording.read_ahead(|frames| {
        for (number, frame) in (1..).zip(frames) {
            player.play(frame?);
            player.count(heard);
            if number % 10_000 == 0 {
                progress(number);
            }
        }
        Ok(())
    });
    read.map_err(RecordingError::Thread)??;
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
        count(&mut self.run, &mut self.report, heard);
    }
}

/// Counts what was decided and told since the last time.
fn count(run: &mut DryRun<'_>, report: &mut Report, heard: &mut dyn FnMut(&Decision)) {
    let decisions = run.decisions.replace(Vec::new());
    for decision in decisions.into_iter().flatten() {
        report.decided(&decision, 1);
        heard(&decision);
    }
    for told in std::mem::take(&mut run.sent) {
        report.told(&told);
    }
    run.forget_what_is_over();
}

#[cfg(test)]
mod tests;
