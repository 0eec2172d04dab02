//! Watching a real API server: what is listed, what changes, and what breaks in between.
//!
//! Each test keeps a [`mirror::Mirror`] of what the signals say and compares it with the cluster.
//! The mirror also fails on signals that contradict each other. Only what a real server will not
//! do on request comes from a scripted one, in `refusals`.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: tests wait for a real cluster"
)]

mod connect;
mod events;
mod faults;
mod kinds;
mod lists;
mod mirror;
mod refusals;
mod rights;
mod scripted;
mod world;
