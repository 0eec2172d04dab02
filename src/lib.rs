//! Bellwether watches Kubernetes resources, evaluates CEL rules on every
//! transition, and delivers the notifications.
//!
//! The modules stand in the order in which the data flows. Everything up to
//! `render` is a pure core that is driven by [`engine::Engine::step`]; the rest
//! is the shell that waits, reads clocks and talks to the outside.

pub mod names;
pub mod diagnostic;
pub mod config;
