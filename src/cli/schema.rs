//! `bellwether schema`: the JSON Schema of our documents, for editors.

use clap::Args;

use super::dry_run::say;
use crate::config;

const EXAMPLES: &str = "\
Examples:
  bellwether schema > bellwether.json

Then the first line of a file of rules tells an editor with a YAML language server:

  # yaml-language-server: $schema=bellwether.json";

/// Print the JSON Schema of our documents, for editors
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Schema {}

/// Prints it.
pub fn run(_: &Schema) {
    say(&format!("{:#}\n", config::editor_schema()));
}
