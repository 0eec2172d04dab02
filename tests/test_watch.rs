//! `bellwether test --watch`: the tests again whenever a file is saved.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: it waits for a real program"
)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const RULES: &str = "\
apiVersion: bellwether.dev/v1alpha1
kind: Rule
metadata: {name: failed}
spec:
  watch: {apiVersion: stable.example.com/v1, kind: DatabaseInstance}
  when: object.status.phase == 'Failed'
---
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {name: hook}
spec: {webhook: {url: 'https://in.example'}}
---
apiVersion: bellwether.dev/v1alpha1
kind: RuleTest
metadata: {name: a-failure-is-told}
spec:
  rules: [failed]
  timeline:
    - at: 0s
      apply: {apiVersion: stable.example.com/v1, kind: DatabaseInstance, metadata: {name: orders}, status: {phase: Failed}}
  expect:
    - {at: 1s, alerts: [{state: firing, name: orders}]}
";

/// The program, and its end with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until it has said this so many times.
fn says(output: &Path, text: &str, times: usize) {
    let said = || fs::read_to_string(output).unwrap_or_default();
    for _ in 0..400 {
        if said().matches(text).count() >= times {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not say {text:?} {times} times: {}", said());
}

#[test]
fn the_tests_are_played_again_whenever_a_file_is_saved_until_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).unwrap();
    let file = rules.join("rules.yaml");
    fs::write(&file, RULES).unwrap();
    let output = folder.path().join("output");
    let to_file = File::create(&output).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .arg("test")
        .arg(&rules)
        .arg("--watch")
        .stdin(Stdio::null())
        .stdout(to_file.try_clone().unwrap())
        .stderr(to_file)
        .spawn()
        .unwrap();
    let mut running = Running(child);
    says(&output, "1 test, all passed", 1);

    fs::write(&file, RULES.replace("== 'Failed'", "== 'Lost'")).unwrap();
    says(&output, "a-failure-is-told: at 1s", 1);
    // A file that is wrong for a moment ends nothing.
    fs::write(&file, RULES.replace("== 'Failed'", "== ")).unwrap();
    says(&output, "the expression ends too early", 1);
    fs::write(&file, RULES).unwrap();
    says(&output, "1 test, all passed", 2);

    let process = running.0.id().to_string();
    let killed = Command::new("kill").args(["-INT", &process]).status();
    assert!(killed.unwrap().success());
    for _ in 0..200 {
        if running.0.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it goes on after Ctrl-C");
}
