//! A run once more, as it was: is the same decided?
//!
//! In: a [`RunRecording`]. Out: an [`Rerun`]: what was decided and told, counted, and where this
//! version of the program decides otherwise than the one that ran. The engine begins with what it
//! began with then, and is given everything in the same order at the same moments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Report;
use crate::decision::Decision;
use crate::diagnostic::Diagnostics;
use crate::engine::{Effect, Engine, Input};
use crate::names::{NotificationId, SourceKey};
use crate::notify::Notification;
use crate::outbox::Outcome;
use crate::recording::run::{Began, Decided, Entry, Lost, RunRecording, Taken, Turn};
use crate::recording::{RecordingError, VERSION_OF_PROGRAM};
use crate::watch::{Signal, Signalled};

/// So many differences are kept.
const MOST: usize = 10;

/// What came of a run, played again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rerun {
    /// What was told: what receivers took.
    pub report: Report,
    pub turns: u64,
    pub decisions: u64,
    pub attempts: u64,
    /// The version of the program that ran.
    pub by: String,
    /// Turns in which something else is decided now.
    pub otherwise: u64,
    /// The first of those.
    pub differences: Vec<Otherwise>,
    /// Where the recording could not keep up: what follows is not played.
    pub lost: Option<(Timestamp, Lost)>,
}

/// A turn in which something else is decided now: what only one of the two decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otherwise {
    pub at: Timestamp,
    pub then: Vec<String>,
    pub now: Vec<String>,
}

/// Why a run cannot be played again.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("the recording ends before the bridge began")]
    NeverBegan,
    /// What the bridge ran on is refused now.
    #[error("{0}")]
    Documents(Diagnostics),
}

/// Plays a run again. `heard` is told of each decision, and `progress` how many turns were played
/// from time to time.
///
/// # Errors
/// The recording cannot be read, or the documents in it are refused by this version.
pub fn rerun(
    recording: &mut RunRecording,
    heard: &mut dyn FnMut(&Decision),
    progress: &mut dyn FnMut(u64),
) -> Result<Rerun, RerunError> {
    let Some(Entry::Began(began)) = recording.read()? else {
        return Err(RerunError::NeverBegan);
    };
    let mut player = Player::new(*began)?;
    while let Some(entry) = recording.read()? {
        match entry {
            Entry::Turn(turn) => player.turn(turn, heard)?,
            Entry::Lost(lost) => {
                player.rerun.lost = Some((player.rerun.report.ended, lost));
                break;
            }
            Entry::Began(_) => {}
        }
        if player.rerun.turns % 10_000 == 0 {
            progress(player.rerun.turns);
        }
    }
    player.rerun.report.is_cut = recording.is_cut();
    player.rerun.by.clone_from(&recording.header().by);
    Ok(player.rerun)
}

struct Player {
    engine: Engine,
    cluster: Arc<str>,
    rerun: Rerun,
    under_way: HashMap<NotificationId, Arc<Notification>>,
    listing: Listing,
}

/// Streams that say what was there already.
#[derive(Default)]
pub(super) struct Listing(BTreeSet<SourceKey>);

impl Listing {
    /// Whether that is something that happened.
    pub(super) fn happened(&mut self, signalled: &Signalled) -> bool {
        let Signalled { source, signal } = signalled;
        match signal {
            Signal::ListBegan => {
                self.0.insert(source.clone());
                false
            }
            Signal::ListEnded | Signal::ListAborted { .. } => {
                self.0.remove(source);
                false
            }
            Signal::Applied(_) | Signal::Deleted(_) | Signal::Event(_) => !self.0.contains(source),
            _ => false,
        }
    }
}

impl Player {
    fn new(began: Began) -> Result<Self, RerunError> {
        let Began {
            at,
            cluster,
            written,
            records,
        } = began;
        let loaded = written.load().map_err(RerunError::Documents)?;
        let setup = loaded.setup(cluster.clone());
        Ok(Self {
            rerun: Rerun {
                report: Report::of(&loaded.rules, at),
                ..Rerun::default()
            },
            engine: Engine::restore(at, setup, records),
            cluster,
            under_way: HashMap::new(),
            listing: Listing::default(),
        })
    }

    fn turn(&mut self, turn: Turn, heard: &mut dyn FnMut(&Decision)) -> Result<(), RerunError> {
        let mut effects = Vec::new();
        for taken in turn.inputs {
            self.note(&taken);
            let cluster = self.cluster.clone();
            let report = &mut self.rerun.report;
            let input = taken.input(|written| {
                let loaded = written.load().map_err(RerunError::Documents)?;
                report.follows(&loaded.rules);
                Ok::<_, RerunError>(loaded.setup(cluster))
            })?;
            effects.extend(self.engine.step(turn.at, input));
        }
        effects.extend(self.engine.step(turn.at, Input::Tick));
        let decided = Decided::of(&effects);
        for decision in &decided.decisions {
            self.rerun.report.decided(decision, 1);
            heard(decision);
        }
        for effect in effects {
            if let Effect::Deliver(attempt) = effect {
                let told = attempt.notification;
                self.under_way.insert(told.id.clone(), told);
            }
        }
        self.rerun.report.ended = turn.at;
        self.rerun.turns += 1;
        self.rerun.decisions += decided.decisions.len() as u64;
        self.rerun.attempts += decided.attempts.len() as u64;
        if decided != turn.decided {
            self.rerun.otherwise += 1;
            if self.rerun.differences.len() < MOST {
                let (then, now) = apart(&turn.decided, &decided);
                let at = turn.at;
                self.rerun.differences.push(Otherwise { at, then, now });
            }
        }
        Ok(())
    }

    /// Counts what was taken.
    fn note(&mut self, taken: &Taken) {
        match taken {
            Taken::Said(signalled) => {
                let happened = self.listing.happened(signalled);
                self.rerun.report.transitions += u64::from(happened);
            }
            Taken::Delivered(id, delivery) => {
                if let Some(told) = self.under_way.remove(id)
                    && delivery.outcome == Outcome::Accepted
                {
                    self.rerun.report.told(&told);
                }
            }
            _ => {}
        }
    }
}

/// What only one of two decided, each a line.
fn apart(then: &Decided, now: &Decided) -> (Vec<String>, Vec<String>) {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for line in lines(then) {
        *counts.entry(line).or_default() += 1;
    }
    for line in lines(now) {
        *counts.entry(line).or_default() -= 1;
    }
    let only = |sign: i64| {
        let counts = counts.iter().filter(move |(_, count)| **count * sign > 0);
        counts.map(|(line, _)| line.clone()).collect()
    };
    (only(1), only(-1))
}

fn lines(decided: &Decided) -> impl Iterator<Item = String> {
    let decisions = decided.decisions.iter().map(|decision| {
        let about = serde_json::to_value(&decision.about).unwrap_or_default();
        let about = about.as_object().into_iter().flatten();
        let about = about.filter(|(_, value)| !value.is_null());
        let about: Vec<String> = about
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        format!("{}: {}", decision.reason, about.join(", "))
    });
    let attempts = decided.attempts.iter();
    decisions.chain(attempts.map(|one| format!("attempt {} of {}", one.number, one.id)))
}

impl Rerun {
    /// Whether the same was decided in every turn.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.otherwise == 0
    }

    /// What a person reads at the end.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self {
            turns,
            decisions,
            attempts,
            otherwise,
            ..
        } = self;
        if self.is_same() {
            return format!(
                "the same is decided as then: {decisions} decisions and {attempts} attempts in {turns} turns"
            );
        }
        let mut text = format!(
            "{otherwise} of {turns} turns decide otherwise than then, under {} (this is {VERSION_OF_PROGRAM})",
            self.by
        );
        for one in &self.differences {
            let then = one.then.iter().map(|line| format!("\n    then: {line}"));
            let now = one.now.iter().map(|line| format!("\n    now:  {line}"));
            let lines: String = then.chain(now).collect();
            let _ = write!(text, "\n  {}{lines}", one.at);
            if lines.is_empty() {
                text.push_str(" the same, in another order");
            }
        }
        text
    }

    /// For scripts: the report, and how it compares.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut json = self.report.json();
        json["turns"] = self.turns.into();
        json["decisions"] = self.decisions.into();
        json["attempts"] = self.attempts.into();
        json["recordedBy"] = self.by.as_str().into();
        json["otherwise"] = self.otherwise.into();
        let differences = self.differences.iter();
        json["differences"] = differences
            .map(|one| json!({"at": one.at, "then": one.then, "now": one.now}))
            .collect();
        let lost = self
            .lost
            .map(|(at, lost)| json!({"after": at, "turns": lost.turns, "inputs": lost.inputs}));
        json["lost"] = lost.into();
        json
    }
}
