//! What an engine was given, through the file of a recording, to another engine: it does the same.

use jiff::Timestamp;

use super::bridge::Bridge;
use super::plan::Plan;
use crate::engine::{Effect, Engine, Input, Setup};
use crate::journal::{Key, Record};
use crate::recording::run::Taken;

/// What an engine was given, and did.
pub(super) enum Given {
    Began(Timestamp, Setup, Vec<(Key, Record)>),
    Input(Timestamp, Input, Vec<Effect>),
}

impl Bridge {
    /// Gives the engine an input.
    pub(super) fn give(&mut self, input: Input) -> Vec<Effect> {
        let recorded = self.given.is_some().then(|| input.clone());
        let effects = self.engine.step(self.now, input);
        if let (Some(given), Some(input)) = (&mut self.given, recorded) {
            given.push(Given::Input(self.now, input, effects.clone()));
        }
        effects
    }

    /// An engine began with what is in the journal.
    pub(super) fn note_beginning(&mut self) {
        if let Some(given) = &mut self.given {
            let records = self.journal.clone().into_iter().collect();
            given.push(Given::Began(self.now, self.setup.clone(), records));
        }
    }
}

/// An input as it is read of a recording. The documents of this world are not in files.
fn through_the_file(input: Input) -> Input {
    let Some(taken) = Taken::of(&input, || None) else {
        return input;
    };
    let line = serde_json::to_string(&taken).expect("an input can be written");
    let taken: Taken = serde_json::from_str(&line).expect("an input can be read");
    let input = taken.input(|_| Err("no documents are read"));
    input.expect("it is no reload")
}

fn record_through_the_file(record: &(Key, Record)) -> (Key, Record) {
    let line = serde_json::to_string(record).expect("a record can be written");
    serde_json::from_str(&line).expect("a record can be read")
}

#[test]
fn a_recorded_history_given_to_another_engine_has_the_same_effects_byte_by_byte() {
    let (mut inputs, mut began) = (0, 0);
    for seed in 0..60 {
        let mut bridge = Bridge::recorded();
        for step in &Plan::of(seed).steps {
            bridge.happen(step);
        }
        let mut engine = None;
        for given in bridge.given.take().into_iter().flatten() {
            match given {
                Given::Began(now, setup, records) => {
                    let records = records.iter().map(record_through_the_file);
                    engine = Some(Engine::restore(now, setup, records.collect()));
                    began += 1;
                }
                Given::Input(now, input, effects) => {
                    let engine = engine.as_mut().expect("it began");
                    let what = format!("seed {seed}, input {inputs}: {input:?}");
                    let again = engine.step(now, through_the_file(input));
                    assert_eq!(format!("{again:?}"), format!("{effects:?}"), "{what}");
                    inputs += 1;
                }
            }
        }
    }
    assert!(inputs > 1_000 && began > 60, "{inputs} {began}");
}
