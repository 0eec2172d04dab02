//! The program as a process: started, asked, signalled, killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A command line that is being put together.
pub struct Command {
    inner: std::process::Command,
    folder: PathBuf,
    secrets: Secrets,
}

/// The credentials that a program was given. They stand in nothing that it prints, logs or writes.
#[derive(Clone, Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn stand_nowhere_in(&self, what: &str, bytes: &[u8]) {
        for secret in &self.0 {
            let leaked = memchr::memmem::find(bytes, secret.as_bytes());
            assert!(leaked.is_none(), "{what} holds the credential {secret}");
        }
    }

    /// All files below a folder: logs, the state file, recordings.
    fn stand_in_no_file_of(&self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.stand_in_no_file_of(&path);
            } else if path.is_file() {
                let bytes = fs::read(&path).unwrap_or_default();
                self.stand_nowhere_in(&path.display().to_string(), &bytes);
            }
        }
    }
}

impl Command {
    /// Nothing of the surroundings is handed on: what a test means, it says.
    pub fn new(subcommand: &str, folder: &Path) -> Self {
        let mut inner = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"));
        inner.env_clear().arg(subcommand).stdin(Stdio::null());
        Self {
            inner,
            folder: folder.to_owned(),
            secrets: Secrets::default(),
        }
    }

    /// The same program, in which a write beyond the limit of a file's size fails as on a full
    /// disk, instead of killing it.
    pub fn surviving_full_disks(mut self) -> Self {
        let mut shell = std::process::Command::new("/bin/sh");
        let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
        shell.env_clear().args(["-c", script]).stdin(Stdio::null());
        shell
            .arg(self.inner.get_program())
            .args(self.inner.get_args());
        for (name, value) in self.inner.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        self.inner = shell;
        self
    }

    pub fn arguments(&mut self, arguments: &[&str]) -> &mut Self {
        self.inner.args(arguments);
        self
    }

    pub fn path(&mut self, option: &str, path: &Path) -> &mut Self {
        self.inner.arg(option).arg(path);
        self
    }

    pub fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.inner.env(name, value);
        let is_secret = ["_URL", "_KEY", "_TOKEN"]
            .iter()
            .any(|end| name.ends_with(end));
        // What is shorter may stand anywhere.
        if is_secret && value.len() >= 16 {
            self.secrets.0.push(value.to_owned());
        }
        self
    }

    pub fn without(&mut self, name: &str) -> &mut Self {
        self.inner.env_remove(name);
        self
    }

    /// Starts it and waits until it has said that it started.
    pub async fn start(&mut self) -> Bridge {
        let log = self.folder.join(format!("log-{}", fastrand::u64(..)));
        let child = self
            .inner
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let mut bridge = Bridge {
            child: child.spawn().unwrap(),
            log,
            address: String::new(),
            folder: self.folder.clone(),
            secrets: self.secrets.clone(),
        };
        bridge.address = bridge.listening().await;
        bridge
    }

    /// Runs it to its end: the exit code, and all that it printed.
    pub fn printed(&mut self) -> (Option<i32>, String) {
        let output = self.inner.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        self.secrets.stand_nowhere_in("what it printed", &text);
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    /// Runs it to its end: the exit code, and what it said, with the folder's path as `DIR`.
    pub fn refused(&mut self) -> (Option<i32>, String) {
        let output = self.inner.output().unwrap();
        self.secrets
            .stand_nowhere_in("what it said", &output.stderr);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let folder = self.folder.to_string_lossy();
        (
            output.status.code(),
            text.trim_end().replace(&*folder, "DIR"),
        )
    }
}

/// A running bridge. It is killed when the test ends.
pub struct Bridge {
    child: Child,
    log: PathBuf,
    address: String,
    folder: PathBuf,
    secrets: Secrets,
}

impl Bridge {
    async fn listening(&mut self) -> String {
        let started = |bridge: &Self| {
            let log = bridge.log();
            let line = log.lines().find(|line| line.contains("\"started\""))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(line["listening"].as_str()?.to_owned())
        };
        for _ in 0..300 {
            if let Some(address) = started(self) {
                return address;
            }
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "it ended: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it did not start within 15 s: {}", self.log());
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// An answer of its HTTP server: status and body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address);
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until it has listed everything.
    pub async fn ready(&self) {
        let mut last = String::new();
        for _ in 0..200 {
            let (status, text) = self.get("/readyz").await;
            if status == 200 {
                return;
            }
            last = text;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not ready within 10 s: {last}\n{}", self.log());
    }

    /// Waits until it has said this.
    pub async fn says(&self, text: &str) {
        self.says_again(text, 1).await;
    }

    /// Waits until it has said this so many times.
    pub async fn says_again(&self, text: &str, times: usize) {
        for _ in 0..400 {
            if self.log().matches(text).count() >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = self.log();
        panic!("it did not say {text:?} {times} times within 20 s: {log}");
    }

    pub fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([name, &process])
            .status();
        assert!(kill.unwrap().success());
    }

    /// From now on no file that it writes grows beyond this.
    pub fn limit_files(&self, bytes: &str) {
        let process = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        let prlimit = std::process::Command::new("prlimit")
            .args(["--pid", &process, &limit])
            .status();
        assert!(prlimit.expect("prlimit (util-linux) runs").success());
    }

    /// `kill -9`: no time for a last word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub async fn end(&mut self, within: Duration) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("still running after {within:?}: {}", self.log());
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the bridge said:\n{}", self.log());
            return;
        }
        self.secrets.stand_in_no_file_of(&self.folder);
    }
}
