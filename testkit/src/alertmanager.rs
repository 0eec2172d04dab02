//! A real Alertmanager on loopback, which `hack/alertmanager.sh` builds.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;

use crate::ports;
use crate::process::Server;

/// The version that is built: read from the module file that pins it.
const PINS: &str = include_str!("../../hack/alertmanager/go.mod");
/// How long it may take to be ready, on a loaded machine.
const START: Duration = Duration::from_mins(1);

/// It tells nobody: what it was told is asked.
const CONFIGURATION: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

/// A running Alertmanager. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Alertmanager {
    base_url: String,
    client: Client,
    /// Before the folder, which it writes to.
    server: Server,
    _folder: tempfile::TempDir,
}

/// It did not start, or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AlertmanagerError {
    #[error(
        "no executable alertmanager at {0}: run `make testbin` to build it (needs Go 1.26 or later), or set TEST_ASSET_ALERTMANAGER"
    )]
    Missing(PathBuf),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("not ready within {START:?}:\n{0}")]
    NotReady(String),
}

impl Alertmanager {
    /// Starts one and waits until it answers.
    pub async fn start() -> Result<Alertmanager, AlertmanagerError> {
        crate::install_crypto_provider();
        let program = binary();
        if !program.is_file() {
            return Err(AlertmanagerError::Missing(program));
        }
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(file("config.yaml"), CONFIGURATION)?;
        let address = format!("127.0.0.1:{}", ports::free()?);
        let arguments = [
            format!("--config.file={}", file("config.yaml")),
            format!("--storage.path={}", file("data")),
            format!("--web.listen-address={address}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let server = Server::start(&program, &arguments, &folder.path().join("log"))?;
        let client = Client::builder().no_proxy().timeout(START).build()?;
        let alertmanager = Alertmanager {
            base_url: format!("http://{address}"),
            client,
            server,
            _folder: folder,
        };
        alertmanager.ready().await?;
        Ok(alertmanager)
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// The alerts that it holds for active, by their labels.
    pub async fn alerts(&self) -> Result<Vec<Value>, AlertmanagerError> {
        let request = self.client.get(format!("{}/api/v2/alerts", self.base_url));
        let mut alerts: Vec<Value> = request.send().await?.error_for_status()?.json().await?;
        alerts.sort_by_key(|alert| alert["labels"].to_string());
        Ok(alerts)
    }

    async fn ready(&self) -> Result<(), AlertmanagerError> {
        let started = Instant::now();
        loop {
            let asked = self.client.get(format!("{}/-/ready", self.base_url));
            if asked.send().await.is_ok_and(|it| it.status().is_success()) {
                return Ok(());
            }
            if started.elapsed() > START {
                return Err(AlertmanagerError::NotReady(self.server.tail(20)));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn binary() -> PathBuf {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = variable("TEST_ASSET_ALERTMANAGER") {
        return file.into();
    }
    let folder = variable("BELLWETHER_TESTBIN").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| {
            let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
            home.join(".cache")
        });
        let version = PINS
            .lines()
            .find_map(|line| line.strip_prefix("require github.com/prometheus/alertmanager "));
        let built = format!("alertmanager-{}", version.unwrap_or("unknown"));
        cache.join("bellwether/testbin").join(built)
    });
    folder.join("alertmanager")
}
