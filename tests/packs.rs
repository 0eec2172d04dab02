//! The rule packs under `rules/packs/`: each rule is right, tested, and told of in the README.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bellwether::config::{Configuration, LoadOptions};

const PACKS: [&str; 5] = [
    "argo-cd",
    "cert-manager",
    "cluster-api",
    "flux",
    "workloads",
];

fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/packs")
}

/// The YAML files of a pack: of rules, and of tests.
fn files(pack: &str) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(packs().join(pack)).expect("the pack is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with("_test.yaml");
    paths.partition(|path| !is_test(path))
}

fn rules_of(paths: &[PathBuf]) -> Configuration {
    Configuration::load(paths, &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// What the program says, if it is content.
#[track_caller]
fn bellwether(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs");
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

#[test]
fn the_packs_are_those_that_are_tested_here() {
    let entries = fs::read_dir(packs()).expect("there are packs");
    let entries = entries.map(|entry| entry.expect("it can be read"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    let names: BTreeSet<_> = folders.map(|entry| entry.file_name()).collect();
    assert_eq!(names, PACKS.map(Into::into).into());
}

#[test]
fn every_test_passes() {
    bellwether(&["test", "rules/packs", "rules/receivers.yaml"]);
}

#[test]
fn every_rule_has_a_test_in_the_file_beside_it() {
    for pack in PACKS {
        for path in files(pack).0 {
            let beside = path.with_file_name(format!(
                "{}_test.yaml",
                path.file_stem().unwrap_or_default().to_string_lossy()
            ));
            let tests = fs::read_to_string(&beside).unwrap_or_default();
            for rule in &rules_of(&[path]).rules {
                let lines = tests.lines().map(str::trim);
                let mut fired = lines.filter(|line| line.starts_with("rules: ["));
                let name = rule.name.as_str();
                let is_named =
                    |line: &str| line.split(['[', ']', ',', ' ']).any(|word| word == name);
                assert!(
                    fired.any(is_named),
                    "{} has no test of {name}",
                    beside.display()
                );
            }
        }
    }
}

#[test]
fn every_field_is_one_that_the_kinds_have() {
    for pack in PACKS.into_iter().filter(|pack| *pack != "workloads") {
        let rules = format!("rules/packs/{pack}");
        let kinds = format!("tests/packs/{pack}.yaml");
        let told = bellwether(&[
            "check",
            "--rules",
            &rules,
            "rules/receivers.yaml",
            "--crds",
            &kinds,
        ]);
        assert!(!told.contains("not checked"), "{told}");
    }
    // The kinds of Kubernetes itself are those of a real server: tests/run/check.rs.
    bellwether(&[
        "check",
        "--rules",
        "rules/packs/workloads",
        "rules/receivers.yaml",
    ]);
}

#[test]
fn every_rule_says_what_is_wrong_and_can_be_told_by_its_pack() {
    for pack in PACKS {
        for rule in &rules_of(&files(pack).0).rules {
            let (name, spec) = (&rule.name, &rule.spec);
            assert!(spec.summary.is_some(), "{name} has no summary");
            assert!(spec.description.is_some(), "{name} has no description");
            assert!(spec.notify.is_empty(), "{name} names receivers");
            let label = spec.labels.get("pack").map(String::as_str);
            assert_eq!(label, Some(pack), "the pack of {name}");
        }
    }
}

#[test]
fn every_file_names_its_schema_for_editors() {
    for pack in PACKS {
        let (rules, tests) = files(pack);
        for path in rules.iter().chain(&tests) {
            let text = fs::read_to_string(path).expect("it can be read");
            let line = "# yaml-language-server: $schema=../../../schemas/bellwether.json";
            assert_eq!(text.lines().next(), Some(line), "{}", path.display());
        }
    }
}

#[test]
fn the_readme_has_each_rule_with_its_severity_and_its_params() {
    let readme = fs::read_to_string(packs().join("README.md")).expect("there is a README");
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    let mut told: Vec<Vec<&str>> = Vec::new();
    for row in rows {
        told.push(row.trim_matches('|').split('|').map(str::trim).collect());
    }
    let mut rules = 0;
    for pack in PACKS {
        for rule in &rules_of(&files(pack).0).rules {
            rules += 1;
            let name = format!("`{}`", rule.name);
            let row = told.iter().find(|row| row[0] == name);
            let row = row.unwrap_or_else(|| panic!("{name} is not in the README"));
            assert_eq!(row[3], rule.spec.severity.as_str(), "{name}");
            for param in rule.spec.params.keys() {
                assert!(row[2].contains(&format!("`{param}`")), "{name}: {param}");
            }
        }
    }
    assert_eq!(told.len(), rules, "a rule of the README is not there");
}
