//! Bad input: each with the exact report.

mod documents;
mod receivers;
mod rules;

use super::*;

fn refused(text: &str) -> String {
    load(text).expect_err("it should be refused").to_string()
}

/// The messages alone, where the places are plain.
fn messages(text: &str) -> String {
    let diagnostics = load(text).expect_err("it should be refused");
    let message = |d: &crate::diagnostic::Diagnostic| {
        let place = d
            .place
            .as_ref()
            .map_or(String::new(), |place| format!("{place}: "));
        let help = d
            .help
            .as_ref()
            .map_or(String::new(), |help| format!(" ({help})"));
        format!("{place}{}{help}", d.message)
    };
    diagnostics
        .iter()
        .map(message)
        .collect::<Vec<_>>()
        .join("\n")
}

fn receiver(spec: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {{name: chat}}\nspec:\n{spec}"
    )
}
