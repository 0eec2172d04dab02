//! A server process that cannot outlive the process that started it.
//!
//! In: a command line and a log file. Out: a running [`Server`] that can be frozen,
//! thawed and killed. It knows nothing about Kubernetes.
//!
//! A test that panics, is killed or is interrupted must leave no server behind. The kernel's own
//! means (`PR_SET_PDEATHSIG`) needs `unsafe`, so the server is started by a shell that leaves a
//! watchdog beside it: the watchdog reads a pipe whose other end only this process holds, and when
//! that end closes, for whatever reason, it kills the server. The server itself replaces the shell,
//! so that its process id and exit status are the real ones.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// `$$` is the shell that the server replaces, also when the watchdog reads it.
const GUARDED: &str = r#"exec 3<&0 </dev/null
(cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) &
exec 3<&-
exec "$@""#;

/// Writes may still be under way when the pipe closes: the folder is removed again until it is gone.
const SWEEP: &str = r#"cat >/dev/null
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" 2>/dev/null && exit 0
    sleep 0.2
done"#;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `program`; what it prints is appended to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> io::Result<Server> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = Command::new("/bin/sh")
            .args(["-c", GUARDED, "sh"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn_detached()?;
        Ok(Server {
            child,
            log: log.to_path_buf(),
        })
    }

    /// The process id of the server itself.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the server ended, if it has.
    pub(crate) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Stops the server in the middle of whatever it does (SIGSTOP); its sockets stay open.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen server go on (SIGCONT).
    pub(crate) fn thaw(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// The last `lines` lines that the server printed.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both may fail only because the server is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that is removed when this is dropped, or when the process ends without dropping it.
#[derive(Debug)]
pub(crate) struct SweptFolder {
    path: PathBuf,
    sweeper: Child,
}

impl SweptFolder {
    pub(crate) fn create() -> io::Result<SweptFolder> {
        let path = tempfile::Builder::new()
            .prefix("bellwether-cluster-")
            .tempdir()?
            .keep();
        let sweeper = Command::new("/bin/sh")
            .args(["-c", SWEEP, "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn_detached()?;
        Ok(SweptFolder { path, sweeper })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SweptFolder {
    fn drop(&mut self) {
        // Closes the pipe, then waits until the folder is gone.
        let _ = self.sweeper.wait();
    }
}

trait SpawnDetached {
    fn spawn_detached(&mut self) -> io::Result<Child>;
}

impl SpawnDetached for Command {
    /// In a process group of its own: an interrupt from the terminal ends the tests, and the
    /// closing pipe then ends the servers.
    fn spawn_detached(&mut self) -> io::Result<Child> {
        use std::os::unix::process::CommandExt;
        self.process_group(0).spawn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !holds() {
            assert!(Instant::now() < deadline, "not within 5 s: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn sleeper(folder: &Path) -> Server {
        Server::start(
            Path::new("/bin/sleep"),
            &["1000".to_owned()],
            &folder.join("log"),
        )
        .unwrap()
    }

    fn name(id: u32) -> String {
        let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        name.trim_end().to_owned()
    }

    /// The state letter of a process as Linux shows it: `S` sleeps, `T` is stopped.
    fn state(id: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn the_process_id_is_the_servers_own() {
        let folder = tempfile::tempdir().unwrap();
        let server = sleeper(folder.path());
        eventually("the shell is replaced", || name(server.id()) == "sleep");
    }

    #[test]
    fn a_dropped_server_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let server = sleeper(folder.path());
        let id = server.id();
        drop(server);
        assert_eq!(state(id), None);
    }

    #[test]
    fn a_server_dies_when_the_pipe_closes_even_while_frozen() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = sleeper(folder.path());
        eventually("the shell is replaced", || name(server.id()) == "sleep");
        server.freeze().unwrap();
        drop(server.child.stdin.take());
        eventually("the watchdog kills the server", || {
            server.exited().unwrap().is_some()
        });
    }

    #[test]
    fn a_frozen_server_goes_on_when_thawed() {
        let folder = tempfile::tempdir().unwrap();
        let server = sleeper(folder.path());
        eventually("it sleeps", || state(server.id()) == Some('S'));
        server.freeze().unwrap();
        eventually("it is stopped", || state(server.id()) == Some('T'));
        server.thaw().unwrap();
        eventually("it sleeps again", || state(server.id()) == Some('S'));
    }

    #[test]
    fn what_a_server_printed_before_it_ended_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let script = ["-c", "echo one; echo two >&2; exit 7"].map(str::to_owned);
        let mut server =
            Server::start(Path::new("/bin/sh"), &script, &folder.path().join("log")).unwrap();
        eventually("it exits", || server.exited().unwrap().is_some());
        assert_eq!(server.exited().unwrap().unwrap().code(), Some(7));
        assert_eq!(server.tail(1), "two");
    }

    #[test]
    fn a_swept_folder_is_gone_after_the_drop_with_all_that_is_in_it() {
        let folder = SweptFolder::create().unwrap();
        let path = folder.path().to_path_buf();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
