//! Where the kube-apiserver and etcd to run are. The shell script `hack/testbin.sh` builds them
//! and looks in the same places, in the same order.

use std::env;
use std::path::{Path, PathBuf};

/// The versions that are built: read from the module file that pins them, so that there is one place.
const PINS: &str = include_str!("../../hack/testbin/go.mod");

/// The two executables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) api_server: PathBuf,
    pub(crate) etcd: PathBuf,
}

/// A file that should be there is not.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no executable {name} at {path}: run `make testbin` to build it (needs Go 1.26 or later), or set KUBEBUILDER_ASSETS to a folder that has it"
)]
pub struct MissingBinary {
    name: &'static str,
    path: PathBuf,
}

/// Finds both, or says which one is missing and what to do.
pub(crate) fn find() -> Result<Binaries, MissingBinary> {
    let variable = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let binaries = choose(variable);
    for (name, path) in [
        ("kube-apiserver", &binaries.api_server),
        ("etcd", &binaries.etcd),
    ] {
        if !path.is_file() {
            return Err(MissingBinary {
                name,
                path: path.clone(),
            });
        }
    }
    Ok(binaries)
}

fn choose(variable: impl Fn(&str) -> Option<PathBuf>) -> Binaries {
    if let (Some(api_server), Some(etcd)) = (
        variable("TEST_ASSET_KUBE_APISERVER"),
        variable("TEST_ASSET_ETCD"),
    ) {
        return Binaries { api_server, etcd };
    }
    let folder = variable("KUBEBUILDER_ASSETS")
        .or_else(|| variable("BELLWETHER_TESTBIN"))
        .unwrap_or_else(|| {
            let cache = variable("XDG_CACHE_HOME")
                .unwrap_or_else(|| variable("HOME").unwrap_or_default().join(".cache"));
            cache.join("bellwether/testbin").join(versions())
        });
    in_folder(&folder)
}

fn in_folder(folder: &Path) -> Binaries {
    Binaries {
        api_server: folder.join("kube-apiserver"),
        etcd: folder.join("etcd"),
    }
}

fn versions() -> String {
    let pinned = |module: &str| {
        PINS.lines().find_map(|line| {
            line.trim()
                .strip_prefix(module)?
                .trim()
                .split(' ')
                .next()
                .filter(|version| version.starts_with('v'))
        })
    };
    let unknown = "unknown";
    format!(
        "kubernetes-{}-etcd-{}",
        pinned("k8s.io/kubernetes ").unwrap_or(unknown),
        pinned("go.etcd.io/etcd/server/v3 ").unwrap_or(unknown)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(set: &[(&str, &str)]) -> String {
        let binaries = choose(|name| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| PathBuf::from(value))
        });
        format!(
            "{} {}",
            binaries.api_server.display(),
            binaries.etcd.display()
        )
    }

    #[test]
    fn the_versions_are_those_that_the_module_file_pins() {
        assert_eq!(versions(), "kubernetes-v1.37.2-etcd-v3.7.3");
    }

    #[test]
    fn single_files_win_over_a_folder_and_a_folder_over_the_cache() {
        let home = ("HOME", "/home/ada");
        let folder = ("KUBEBUILDER_ASSETS", "/assets");
        let files = [
            ("TEST_ASSET_KUBE_APISERVER", "/one/api"),
            ("TEST_ASSET_ETCD", "/two/etcd"),
        ];
        assert_eq!(
            chosen(&[home, folder, files[0], files[1]]),
            "/one/api /two/etcd"
        );
        assert_eq!(
            chosen(&[home, folder, files[0]]),
            "/assets/kube-apiserver /assets/etcd"
        );
        assert_eq!(
            chosen(&[home, ("BELLWETHER_TESTBIN", "/built")]),
            "/built/kube-apiserver /built/etcd"
        );
        assert_eq!(
            chosen(&[home]),
            "/home/ada/.cache/bellwether/testbin/kubernetes-v1.37.2-etcd-v3.7.3/kube-apiserver \
             /home/ada/.cache/bellwether/testbin/kubernetes-v1.37.2-etcd-v3.7.3/etcd"
        );
    }
}
