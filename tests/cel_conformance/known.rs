//! The cases that do not pass, and why.

pub const FAILURES: &[(&str, &str)] = &[];
