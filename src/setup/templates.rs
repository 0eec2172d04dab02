//! The user's template files.
//!
//! In: the directory. Out: each `.hbs` file below it, compiled, by its path from there; or what is
//! wrong with it, at its line.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};
use crate::render::{TemplateProblem, Templates};

/// Directories deeper than this are not ours.
const DEEPEST: usize = 16;

/// The files by name, not yet compiled.
pub(super) type Texts = BTreeMap<String, Arc<Source>>;

pub(super) fn read(directory: Option<&Path>, problems: &mut Diagnostics) -> Texts {
    let mut texts = Texts::new();
    let Some(directory) = directory else {
        return texts;
    };
    let mut found = Vec::new();
    if let Err(error) = find(directory, 0, &mut found) {
        let message = format!(
            "cannot read the templates in {}: {error}",
            directory.display()
        );
        let help = "--templates takes a directory of .hbs files";
        problems.push(Diagnostic::error(message).help(help));
    }
    found.sort();
    for path in found {
        let name = path.strip_prefix(directory).unwrap_or(&path);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let source = Source::new(path.to_string_lossy(), text);
                texts.insert(name.to_string_lossy().into_owned(), source);
            }
            Err(error) => {
                let message = format!("cannot read the template {}: {error}", path.display());
                problems.push(Diagnostic::error(message));
            }
        }
    }
    texts
}

pub(super) fn compile(texts: &Texts, problems: &mut Diagnostics) -> Templates {
    let mut templates = Templates::default();
    for (name, source) in texts {
        add(&mut templates, name, source, problems);
    }
    templates
}

/// As with rules, names that begin with a dot are passed over: a mounted `ConfigMap` shows each
/// file a second time in `..data`.
fn find(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if fs::metadata(&path)?.is_dir() {
            if depth < DEEPEST {
                find(&path, depth + 1, found)?;
            }
        } else if name.ends_with(".hbs") {
            found.push(path);
        }
    }
    Ok(())
}

fn add(templates: &mut Templates, name: &str, source: &Arc<Source>, problems: &mut Diagnostics) {
    if let Err(found) = templates.insert(name, source.text()) {
        for problem in found {
            let start = offset(source.text(), problem.line, problem.column);
            let end = start + expression(source.text(), start);
            let place = Place {
                source: source.clone(),
                start,
                end,
            };
            problems.push(diagnostic(&problem).at(place));
        }
    }
}

/// A problem without its place.
pub(super) fn diagnostic(problem: &TemplateProblem) -> Diagnostic {
    let diagnostic = Diagnostic::error(problem.message.clone());
    match &problem.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// A place in a template's source, in bytes.
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let line = lines.map(str::len).sum::<usize>().min(text.len());
    let rest = text[line..].char_indices();
    let column = column.saturating_sub(1);
    let in_line = rest.map(|(at, _)| at).nth(column);
    in_line.map_or(text.len(), |at| line + at)
}

/// How many bytes the expression that begins there is long, as far as its line goes.
pub(super) fn expression(text: &str, start: usize) -> usize {
    let line = text[start..].split('\n').next().unwrap_or_default();
    match line.find("}}") {
        Some(at) => at + 2,
        None => line.len(),
    }
}
