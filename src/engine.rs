//! The pure core as one machine: `step(now, input) -> effects`.
//!
//! In: what was observed, what was delivered, the passing of time. Out: what to persist, what
//! to deliver, and what was decided. It never blocks, never fails and never reads a clock.

pub mod effect;

pub use effect::{Effect, Effects};
