//! The tree keeps the direction of the data: a stage imports what comes before it, never what
//! comes after. The order is that of the modules in `src/lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What every stage of the core writes to, although it stands later: the sink of a step's effects
/// and the keys and records in it.
const SINKS: [&str; 4] = [
    "engine::Effects",
    "engine::effect",
    "journal::Key",
    "journal::Record",
];

fn modules_in_order() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).expect("src/lib.rs can be read");
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .map(|rest| rest.trim_end_matches(';').to_owned())
        .collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The stage that a file belongs to: the first part of its path.
fn stage(file: &Path) -> String {
    let relative = file.strip_prefix(source()).expect("the file is below src");
    let first = relative.components().next().expect("a path has a part");
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

/// The text without its tests, which may build a whole world around a stage.
fn without_tests(file: &Path) -> String {
    let is_test = file.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        ["tests", "tests.rs", "properties.rs", "fixture.rs"].contains(&&*part)
    });
    if is_test {
        return String::new();
    }
    let text = fs::read_to_string(file).expect("a source file can be read");
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].to_owned()
}

/// What a text names of the crate: `stage::Item` for each `crate::stage::Item`, also in groups.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        if text[line_start..at].trim_start().starts_with("//") {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let Some((module, rest)) = rest.split_once("::") else {
            continue;
        };
        if !module.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            continue;
        }
        if let Some(group) = rest.strip_prefix('{') {
            let end = group.find('}').unwrap_or(group.len());
            for item in group[..end].split(',').map(str::trim) {
                if !item.is_empty() {
                    found.insert(format!("{module}::{item}"));
                }
            }
        } else {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            found.insert(format!("{module}::{}", &rest[..end]));
        }
    }
    found
}

#[test]
fn no_stage_imports_a_later_one() {
    let order = modules_in_order();
    let rank = |module: &str| order.iter().position(|name| name == module);
    let mut all = Vec::new();
    files(&source(), &mut all);
    let mut against = Vec::new();
    for file in all {
        let Some(own) = rank(&stage(&file)) else {
            continue;
        };
        for import in imports(&without_tests(&file)) {
            let module = import.split("::").next().unwrap_or_default();
            let is_sink = SINKS.iter().any(|sink| import.starts_with(sink));
            if rank(module).is_some_and(|other| other > own) && !is_sink {
                let file = file.strip_prefix(source()).unwrap_or(&file);
                against.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(
        against.is_empty(),
        "against the data:\n{}",
        against.join("\n")
    );
}

#[test]
fn the_expression_language_imports_nothing_of_the_rest() {
    let mut all = Vec::new();
    files(&source().join("cel"), &mut all);
    assert!(!all.is_empty());
    for file in all {
        let foreign: Vec<String> = imports(&without_tests(&file))
            .into_iter()
            .filter(|import| !import.starts_with("cel::"))
            .collect();
        assert!(foreign.is_empty(), "{} imports {foreign:?}", file.display());
    }
}

#[test]
fn each_outside_dependency_has_one_owner() {
    let owners = [
        ("kube::", &["watch"][..]),
        ("reqwest::", &["deliver"]),
        ("governor::", &["notify"]),
        ("handlebars::", &["render"]),
        ("serde_saphyr", &["config", "render"]),
        ("redb::", &["journal"]),
        ("flate2::", &["recording"]),
        ("axum::", &["live"]),
        ("use ::cel::", &["cel"]),
    ];
    let mut all = Vec::new();
    files(&source(), &mut all);
    for file in all {
        let text = without_tests(&file);
        let own = stage(&file);
        for (dependency, allowed) in owners {
            let uses = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(dependency)
            });
            assert!(
                !uses || allowed.contains(&&*own),
                "{} uses {dependency}, which {allowed:?} owns",
                file.display()
            );
        }
    }
}
