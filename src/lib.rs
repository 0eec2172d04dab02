//! Bellwether watches Kubernetes resources, evaluates CEL rules on every
//! transition, and delivers the notifications.
//!
//! The modules stand in the order in which the data flows. Everything up to
//! `render` is a pure core that is driven by [`engine`]; the rest is the shell
//! that waits, reads clocks and talks to the outside.

// Mistakes for the simulation to find; none outside of tests.
mod planted;
// The expression language: knows nothing of Kubernetes watches, rules or alerts.
pub mod cel;
// The words that every stage uses: identities, labels, severity.
pub mod names;
// What is wrong with what the user wrote, with its place and a hint.
pub mod diagnostic;
// The user's documents, typed.
pub mod config;
// What was decided and why, for people.
pub mod decision;
// What the API server says, as observations.
pub mod watch;
// The last known objects and Events; what changed between two observations.
pub mod transition;
// From a transition to a verdict per rule: true, false or unknown.
pub mod evaluate;
// The life of an alert: pending, firing, resolved.
pub mod alert;
// From alert changes to notifications that are due: group, dedup, repeat, limit.
pub mod notify;
// What is decided and not yet delivered.
pub mod outbox;
// What must survive a crash.
pub mod journal;
// The stages above as one machine: step(now, input) -> effects.
pub mod engine;
// The machine in a simulated world, whose every promise is checked.
#[cfg(test)]
mod simulation;
// A notification and its templates: the message as a receiver takes it.
pub mod render;
// To Slack, PagerDuty and webhooks: attempts, and how they ended.
pub mod deliver;
// From the user's files to all of the above, compiled and fitting together.
pub mod setup;
// What a cluster said, in a file, whole and redacted.
pub mod recording;
// The engine on manifests, a recorded watch or a snapshot, sending nothing.
pub mod dry_run;
// The engine on a recording: what rules would have told of that time.
pub mod replay;
// The engine on a timeline of virtual time, with what must come of it.
pub mod rule_test;
// The shell around the engine: clock, streams, journal, deliveries, HTTP.
pub mod live;
// The command line.
pub mod cli;
