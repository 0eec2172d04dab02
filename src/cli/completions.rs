//! `bellwether completions`: what a shell needs to complete our command line.

use clap::{Args, Command};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  source <(bellwether completions bash)
  bellwether completions zsh > ~/.zfunc/_bellwether
  bellwether completions fish > ~/.config/fish/completions/bellwether.fish";

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// Which shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Prints them.
pub fn run(arguments: &Completions, mut command: Command) {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "bellwether", &mut script);
    super::dry_run::say(&String::from_utf8_lossy(&script));
}
