//! Other rules on a recording of a run: what they would have told of that time.
//!
//! In: rules, a [`RunRecording`]. Out: a [`Report`]. What the watches said then is said to the
//! streams of these rules, as far as it holds what they read; silences that were made then count,
//! and every receiver takes every message. The rules begin with nothing: what the bridge knew from
//! its state file was found by other rules.

use std::collections::BTreeMap;

use super::held::{Watched, missing};
use super::rerun::{Listing, RerunError};
use super::{Report, count};
use crate::cel::PathSet;
use crate::decision::Decision;
use crate::dry_run::DryRun;
use crate::names::SourceKey;
use crate::recording::run::{Entry, RunRecording, Taken, Turn};
use crate::setup::Loaded;
use crate::setup::written::Written;
use crate::transition::events::covers;
use crate::watch::{Signal, Signalled, Source};

/// What a bridge watched when it began, and what it kept.
///
/// # Errors
/// The recording cannot be read, or the documents in it are refused by this version.
pub fn watched(recording: &mut RunRecording) -> Result<Vec<Watched>, RerunError> {
    match recording.read()? {
        Some(Entry::Began(began)) => Ok(streams(&began.written)?.into_values().collect()),
        _ => Err(RerunError::NeverBegan),
    }
}

/// Plays a recording to these rules. `heard` is told of each decision, and `progress` how many turns
/// were played from time to time.
///
/// # Errors
/// The recording cannot be read, or the documents in it are refused by this version.
pub fn replay(
    loaded: &Loaded,
    recording: &mut RunRecording,
    heard: &mut dyn FnMut(&Decision),
    progress: &mut dyn FnMut(u64),
) -> Result<(Report, u64), RerunError> {
    let Some(Entry::Began(began)) = recording.read()? else {
        return Err(RerunError::NeverBegan);
    };
    let mut player = Player {
        run: DryRun::new(loaded, &began.cluster, began.at),
        report: Report::of(&loaded.rules, began.at),
        loaded,
        hears: BTreeMap::new(),
        listing: Listing::default(),
    };
    player.run.decisions = Some(Vec::new());
    player.listen(&began.written)?;
    let (mut turns, mut lost) = (0, 0);
    while let Some(entry) = recording.read()? {
        match entry {
            Entry::Turn(turn) => player.turn(turn)?,
            Entry::Lost(one) => lost += one.inputs,
            Entry::Began(_) => {}
        }
        count(&mut player.run, &mut player.report, heard);
        turns += 1;
        if turns % 10_000 == 0 {
            progress(turns);
        }
    }
    player.run.settle();
    count(&mut player.run, &mut player.report, heard);
    player.report.is_cut = recording.is_cut();
    Ok((player.report, lost))
}

struct Player<'l> {
    run: DryRun<'l>,
    report: Report,
    loaded: &'l Loaded,
    /// Who hears what each stream of then says.
    hears: BTreeMap<SourceKey, Hearers>,
    listing: Listing,
}

/// Streams of the rules, by number.
#[derive(Default)]
struct Hearers {
    /// With whether their selectors leave something out.
    objects: Vec<(usize, bool)>,
    events: Vec<usize>,
}

impl Player<'_> {
    fn turn(&mut self, turn: Turn) -> Result<(), RerunError> {
        self.run.run_to(turn.at);
        self.report.ended = self.report.ended.max(turn.at);
        for taken in turn.inputs {
            match taken {
                Taken::Said(signalled) => self.said(signalled),
                Taken::Silences(changes) => {
                    for change in changes {
                        self.run.silence(change);
                    }
                }
                Taken::Reloaded(written) => self.listen(&written)?,
                Taken::Delivered(..) | Taken::Outbox(_) | Taken::Draining => {}
            }
        }
        self.run.run_to(turn.at);
        Ok(())
    }

    /// Each stream of the rules hears one of these that says all that it would.
    fn listen(&mut self, written: &Written) -> Result<(), RerunError> {
        self.hears.clear();
        let streams = streams(written)?;
        // After a reload less may be watched than before.
        let none = missing(
            &self.loaded.rules,
            &streams.values().cloned().collect::<Vec<_>>(),
        );
        self.report.missing.kinds.extend(none.kinds);
        self.report.missing.rules.extend(none.rules);
        for (at, own) in self.loaded.rules.sources.iter().enumerate() {
            let covers = |one: &Watched| one.covers(&own.source, &own.paths).is_ok();
            let same = streams.get_key_value(&own.key);
            let same = same.filter(|(_, one)| covers(one));
            let hears = same.or_else(|| streams.iter().find(|(_, one)| covers(one)));
            if let Some((key, one)) = hears {
                let hearers = self.hears.entry(key.clone()).or_default();
                hearers.objects.push((at, one.is_wider_than(&own.source)));
            } else {
                self.run.observe(unheard(&own.source));
            }
        }
        for (at, own) in self.loaded.rules.events.iter().enumerate() {
            let none = PathSet::none();
            let mut all = streams.iter();
            if let Some((key, _)) = all.find(|(_, one)| one.covers(own, &none).is_ok()) {
                self.hears.entry(key.clone()).or_default().events.push(at);
            } else {
                self.run.observe(unheard(own));
            }
        }
        Ok(())
    }

    fn said(&mut self, signalled: Signalled) {
        self.report.transitions += u64::from(self.listing.happened(&signalled));
        let Signalled { source, signal } = signalled;
        let Some(hearers) = self.hears.get(&source) else {
            return;
        };
        for (at, selects) in &hearers.objects {
            self.run.hear(*at, signal.clone(), *selects);
        }
        for at in &hearers.events {
            let own = &self.loaded.rules.events[*at];
            let elsewhere = matches!(&signal, Signal::Event(event) if !covers(&own.namespace, &event.namespace));
            if !elsewhere {
                let source = own.key();
                let signal = signal.clone();
                self.run.observe(Signalled { source, signal });
            }
        }
    }
}

/// What the stream of a source says that hears nothing any more: time must fire nothing on it.
fn unheard(source: &Source) -> Signalled {
    Signalled {
        source: source.key(),
        signal: Signal::Broken {
            why: "it is not in the recording any more".to_owned(),
        },
    }
}

/// The streams of these documents.
fn streams(written: &Written) -> Result<BTreeMap<SourceKey, Watched>, RerunError> {
    let loaded = written.load().map_err(RerunError::Documents)?;
    let streams = loaded.rules.streams().into_iter();
    let watched = streams.map(|(source, paths)| (source.key(), Watched { source, paths }));
    Ok(watched.collect())
}
