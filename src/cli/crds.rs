//! `bellwether crds`: the `CustomResourceDefinition`s of our kinds.

use clap::Args;

use crate::config;

const EXAMPLES: &str = "\
Examples:
  bellwether crds | kubectl apply --server-side -f -";

/// Print the CRDs of our kinds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Crds {}

/// Prints them.
pub fn run(_: &Crds) {
    let manifests: Vec<String> = config::crds().iter().map(config::Crd::yaml).collect();
    print!("{}", manifests.join("---\n"));
}
