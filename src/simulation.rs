//! The whole core in a simulated world: one seed, one history, every promise checked.
//!
//! In: a seed. [`plan`] makes of it what happens: objects change, Kubernetes Events are written,
//! streams flow, break, mend and list again, receivers answer, fall silent and come back, time
//! passes, the process is killed between any two effects and starts again from what was persisted
//! by then. [`bridge`] is the shell around the real engine, [`cluster`] and [`receivers`] are what
//! it talks to, [`model`] is what must be so: too simple to be wrong, and ignorant of the engine;
//! [`judge`] compares at the end.
//! Out: nothing, or the shortest history that breaks a promise.

mod bridge;
mod cluster;
mod death;
mod decided;
mod judge;
mod model;
mod mutes;
mod plan;
mod receivers;
mod recorded;
mod setup;

use bridge::Bridge;
use plan::{Plan, Step};

use crate::planted::{self, Bug};

/// Plays a history; the first promise that it breaks.
fn play(steps: &[Step]) -> Result<(), String> {
    run(steps).0
}

/// The same, with what was told.
fn run(steps: &[Step]) -> (Result<(), String>, Vec<String>) {
    let mut bridge = Bridge::start();
    for (number, step) in steps.iter().enumerate() {
        bridge.happen(step);
        if let Some(broken) = bridge.broken() {
            let broken = format!("after step {number}, {step:?}: {broken}");
            return (Err(broken), bridge.told);
        }
    }
    bridge.rest();
    let broken = bridge.broken();
    let broken = broken.map(|broken| format!("when all is quiet: {broken}"));
    (broken.map_or(Ok(()), Err), bridge.told)
}

/// The shortest history found that still breaks a promise: pieces are left out for as long as
/// what is left does.
fn shortest(mut steps: Vec<Step>) -> (Vec<Step>, String) {
    let mut broken = play(&steps).expect_err("it breaks a promise");
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + piece).min(steps.len()));
            match play(&fewer) {
                Err(why) => {
                    broken = why;
                    steps = fewer;
                }
                Ok(()) => at += piece,
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
    (steps, broken)
}

fn report(seed: u64, steps: Vec<Step>) -> String {
    let (steps, broken) = shortest(steps);
    let lines: Vec<String> = steps.iter().map(|step| format!("    {step:?},")).collect();
    format!(
        "seed {seed}: {broken}\nthe shortest history that does so:\n{}\nwhat came of it:\n{}",
        lines.join("\n"),
        run(&steps)
            .1
            .join("\n")
            .replace("stable.example.com/v1", "…")
    )
}

/// The seeds that a run tries: `BELLWETHER_SIMULATION_SEEDS` of them (`make test`: 2,000; else 200),
/// from `BELLWETHER_SIMULATION_FIRST` on.
fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("BELLWETHER_SIMULATION_SEEDS");
    let first = std::env::var("BELLWETHER_SIMULATION_FIRST");
    let number = |text: Result<String, _>| text.ok().and_then(|text| text.parse().ok());
    let first = number(first).unwrap_or(0);
    first..first + number(count).unwrap_or(200)
}

#[test]
fn no_history_breaks_a_promise() {
    let threads = 2;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in seeds().filter(|seed| seed % threads == thread) {
                    let steps = Plan::of(seed).steps;
                    let kept = play(&steps).is_ok();
                    assert!(kept, "{}", report(seed, steps));
                }
            });
        }
    });
}

/// The seed that finds a planted mistake, of the first few hundred.
fn found(bug: Bug) -> Option<u64> {
    planted::plant(Some(bug));
    let found = (0..400).find(|seed| play(&Plan::of(*seed).steps).is_err());
    planted::plant(None);
    found
}

#[test]
fn every_planted_mistake_is_found() {
    let missed: Vec<Bug> = Bug::ALL
        .into_iter()
        .filter(|bug| found(*bug).is_none())
        .collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
