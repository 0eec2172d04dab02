//! How commands ask a running bridge: through the socket beside its state file.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::failure::{self, Failure};
use crate::live::control::{Answer, Asked, path_of};

/// How long the bridge may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whose state.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// The state file of the bridge; else ./bellwether.state, in a pod /var/lib/bellwether/state.
    #[arg(long, value_name = "FILE", env = "BELLWETHER_STATE")]
    pub state: Option<PathBuf>,
}

impl StateArgs {
    /// The file that is meant.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        self.state.clone().unwrap_or_else(|| default_state(in_pod))
    }
}

/// Where the state is if nobody says so.
#[must_use]
pub fn default_state(in_pod: bool) -> PathBuf {
    let file = if in_pod {
        "/var/lib/bellwether/state"
    } else {
        "bellwether.state"
    };
    file.into()
}

/// Asks the bridge that runs on a state file; `None` if none does.
///
/// # Errors
/// It refuses, or cannot be understood.
pub fn ask(state: &Path, asked: &Asked) -> Result<Option<Answer>, Failure> {
    let socket = path_of(state);
    let answer = match exchange(&socket, asked) {
        Ok(answer) => answer,
        Err(error) if nobody_listens(&error) => return Ok(None),
        Err(error) => {
            return Err(Failure::new(
                failure::STATE,
                format!("cannot ask the bridge at {}: {error}", socket.display()),
                "only the user who runs the bridge may ask it",
            ));
        }
    };
    match serde_json::from_slice(&answer) {
        Ok(Answer::Refused(why)) => Err(Failure {
            exit: failure::CONFIGURATION,
            report: format!("error: {why}"),
        }),
        Ok(answer) => Ok(Some(answer)),
        Err(error) => Err(Failure::new(
            failure::INTERNAL,
            format!("the bridge's answer cannot be read: {error}"),
            "is it of the same version?",
        )),
    }
}

/// The same where only a running bridge can answer.
///
/// # Errors
/// As [`ask`], and if none runs.
pub fn ask_running(state: &Path, asked: &Asked) -> Result<Answer, Failure> {
    ask(state, asked)?.ok_or_else(|| {
        Failure::new(
            failure::STATE,
            format!("no bridge runs on {}", state.display()),
            "start it with `bellwether run`, or say with --state which state file is its own; in a \
             cluster: kubectl exec deploy/bellwether -- bellwether …",
        )
    })
}

fn exchange(socket: &Path, asked: &Asked) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut question = serde_json::to_vec(asked)?;
    question.push(b'\n');
    stream.write_all(&question)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}
