//! The engine in virtual time: a world with a clock, a cluster, receivers and a journal that
//! keeps exactly what was persisted.

mod changes;
mod deletions;
mod joins;
mod lists;
mod occurrences;
mod properties;
mod refreshes;
mod related;
mod reloads;
mod reloads_of_joins;
mod restarts;
mod states;
mod tenants;
mod time;
mod world;
