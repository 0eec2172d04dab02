//! Finds and reads the files of a configuration.
//!
//! In: paths of files and directories. Out: each YAML file once, as a source, or why not. This is
//! the only part of `config` that touches the file system.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::nearest::nearest;
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};

/// A file of documents is written by hand; one that is longer is another file, given by mistake.
const LARGEST: u64 = 4 * 1024 * 1024;
/// Directories deeper than this are not ours.
const DEEPEST: usize = 16;

/// Reads the files, and the `.yaml` and `.yml` files of directories, in the order of their names.
///
/// A mounted `ConfigMap` shows each file twice, in `..data` and as a link into it: names that begin
/// with a dot are passed over, and a file that is reached twice is read once.
pub(super) fn read(paths: &[PathBuf], diagnostics: &mut Diagnostics) -> Vec<Arc<Source>> {
    let mut sources = Vec::new();
    for (of_path, problems) in read_each(paths) {
        sources.extend(of_path);
        diagnostics.extend(problems);
    }
    sources
}

/// The same by path: its files, and what cannot be read of it.
pub fn read_each(paths: &[PathBuf]) -> Vec<(Vec<Arc<Source>>, Diagnostics)> {
    let mut seen = HashSet::new();
    let paths = paths.iter();
    paths.map(|path| read_path(path, &mut seen)).collect()
}

fn read_path(path: &Path, seen: &mut HashSet<PathBuf>) -> (Vec<Arc<Source>>, Diagnostics) {
    let (mut found, mut diagnostics) = (Vec::new(), Diagnostics::default());
    if let Err(error) = find(path, 0, &mut found) {
        diagnostics.push(unreadable(&error.path, &error.cause));
    }
    let mut sources = Vec::new();
    for path in found {
        let identity = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if seen.insert(identity)
            && let Some(source) = read_file(&path, &mut diagnostics)
        {
            sources.push(source);
        }
    }
    (sources, diagnostics)
}

struct Unreadable {
    path: PathBuf,
    cause: io::Error,
}

fn find(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
    let unreadable = |cause| Unreadable {
        path: path.to_owned(),
        cause,
    };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        // A file that was named is read whatever its name; one that was met must look like YAML.
        if depth == 0 || is_yaml(path) {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    if depth > DEEPEST {
        return Err(unreadable(io::Error::other(
            "directories are nested too deeply",
        )));
    }
    let mut entries = fs::read_dir(path)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(unreadable)?;
    entries.sort_unstable();
    for entry in entries {
        if !is_hidden(&entry) {
            find(&entry, depth + 1, found)?;
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_yaml(path: &Path) -> bool {
    matches!(
        path.extension().and_then(OsStr::to_str),
        Some("yaml" | "yml")
    )
}

fn read_file(path: &Path, diagnostics: &mut Diagnostics) -> Option<Arc<Source>> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    if let Err(cause) = read {
        diagnostics.push(unreadable(path, &cause));
        return None;
    }
    if bytes.len() as u64 > LARGEST {
        let message = format!("{name} is larger than {} MiB", LARGEST / 1024 / 1024);
        diagnostics.push(Diagnostic::error(message).help("is it a file of rules? if so, split it"));
        return None;
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            diagnostics.push(not_utf8(&name, &error));
            return None;
        }
    };
    Some(Source::new(
        name,
        text.strip_prefix('\u{feff}').unwrap_or(&text),
    ))
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Diagnostic {
    let start = error.utf8_error().valid_up_to();
    let source = Source::new(name, String::from_utf8_lossy(error.as_bytes()));
    let end = start + char::REPLACEMENT_CHARACTER.len_utf8();
    Diagnostic::error("not UTF-8")
        .at(Place { source, start, end })
        .help("save the file as UTF-8")
}

fn unreadable(path: &Path, cause: &io::Error) -> Diagnostic {
    let name = path.display();
    if cause.kind() != io::ErrorKind::NotFound {
        return Diagnostic::error(format!("{name} cannot be read: {cause}"));
    }
    let diagnostic = Diagnostic::error(format!("{name} does not exist"));
    match sibling_like(path) {
        Some(other) => diagnostic.help(format!("did you mean `{other}`?")),
        None => diagnostic,
    }
}

/// What else is there under a similar name.
fn sibling_like(path: &Path) -> Option<String> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let name = path.file_name()?.to_str()?;
    let entries = fs::read_dir(parent.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let other = nearest(name, names.iter().map(String::as_str))?;
    Some(parent.map_or_else(
        || other.to_owned(),
        |parent| parent.join(other).display().to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sources: &[Arc<Source>], root: &Path) -> Vec<String> {
        let name = |source: &Arc<Source>| source.name().replace(&root.display().to_string(), "");
        sources.iter().map(name).collect()
    }

    #[test]
    fn a_directory_gives_its_yaml_files_once_and_in_order() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        fs::create_dir(root.join("b")).expect("created");
        for file in ["z.yaml", "a.yml", "b/c.yaml", "notes.txt", ".hidden.yaml"] {
            fs::write(root.join(file), "a: 1\n").expect("written");
        }
        let mut diagnostics = Diagnostics::default();
        let sources = read(&[root.to_owned(), root.join("z.yaml")], &mut diagnostics);
        assert_eq!(names(&sources, root), ["/a.yml", "/b/c.yaml", "/z.yaml"]);
        assert!(diagnostics.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_mounted_config_map_gives_each_file_once() {
        use std::os::unix::fs::symlink;

        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        fs::create_dir(root.join("..2026_11_22")).expect("created");
        fs::write(root.join("..2026_11_22/rules.yaml"), "a: 1\n").expect("written");
        symlink("..2026_11_22", root.join("..data")).expect("linked");
        symlink("..data/rules.yaml", root.join("rules.yaml")).expect("linked");
        let sources = read(&[root.to_owned()], &mut Diagnostics::default());
        assert_eq!(names(&sources, root), ["/rules.yaml"]);
    }
}
