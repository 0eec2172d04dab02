//! The shell that joins clock, streams, journal and delivery to the engine.
//!
//! In: streams of the cluster, outcomes of attempts, signals. Out: attempts, log lines, metrics,
//! the state file. It decides nothing about rules, alerts or notifications: the engine does.

pub mod clock;
pub mod commit;
pub mod courier;
pub mod drive;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod signals;
