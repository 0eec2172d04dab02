//! The bridge as people run it: the real program, a real API server, receivers that enforce the
//! limits of the real ones. Each test watches a namespace of its own as a user that has the role of
//! `deploy/base` and no other right.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: tests wait for a real program"
)]

mod acknowledge;
mod alerts;
mod ask;
mod bad_day;
mod bridge;
mod check;
mod crash;
mod deploy;
mod documents;
mod dry_run;
mod fallback;
mod faults;
mod kinds;
mod probes;
mod rbac;
mod record;
mod refusals;
mod related;
mod reload;
mod routes;
mod run_record;
mod scenarios;
mod slack;
mod standstill;
mod stop;
mod world;
