//! The rules under `rules/`, each on an object of which it is true and on one of which it is not.

use std::path::PathBuf;

use bellwether::cel::{Json, Memo, Type};
use bellwether::config::{Configuration, LoadOptions};
use bellwether::evaluate::{self, Moment, RuleSet, Sight, Trigger, Verdict, ViewReads};
use bellwether::transition::ChangeKind;
use jiff::Timestamp;
use serde_json::{Value, json};

const NOW: &str = "2026-11-22T12:00:00Z";

/// The files of `rules/` itself. What lies below, `tests/packs.rs` is about.
fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let entries = std::fs::read_dir(folder).expect("there are rules");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.filter(|path| path.is_file()).collect()
}

#[test]
fn every_file_names_its_schema_for_editors() {
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let line = "# yaml-language-server: $schema=../schemas/bellwether.json";
        assert_eq!(text.lines().next(), Some(line), "{}", path.display());
    }
}

fn rules() -> RuleSet {
    let configuration = Configuration::load(&files(), &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{problems}"));
    let names = |rule: &_| {
        let receivers = configuration.receivers_of(rule);
        receivers
            .into_iter()
            .map(|receiver| receiver.name.clone())
            .collect()
    };
    evaluate::compile(
        &configuration,
        &names,
        &|_| ViewReads::default(),
        &|_, _| Type::Dyn,
    )
    .rules
    .unwrap_or_else(|problems| panic!("{problems}"))
}

/// A healthy database, with these parts of it replaced (a merge patch).
fn database(patch: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {
            "name": "orders", "namespace": "prod", "uid": "u1", "generation": 2,
            "creationTimestamp": "2026-11-01T00:00:00Z",
            "managedFields": [
                writer("argocd-controller", "2026-11-01T00:00:00Z", ""),
                writer("operator", "2026-11-22T11:59:00Z", "status"),
            ],
        },
        "spec": {"engine": "postgres", "version": "16", "storageGB": 100, "replicas": 2},
        "status": {
            "phase": "Running", "availableReplicas": 2, "storageUsedGB": 50, "observedGeneration": 2,
            "lastBackupTime": "2026-11-22T03:00:00Z",
            "conditions": [{"type": "Ready", "status": "True", "message": "all is well"}],
        },
    });
    merge(&mut object, patch);
    object
}

/// RFC 7396, without its rule for what is no object.
fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(fields), Value::Object(patch)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

fn writer(manager: &str, time: &str, subresource: &str) -> Value {
    let part = if subresource.is_empty() {
        "f:spec"
    } else {
        "f:status"
    };
    let mut entry = json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": {part: {"f:x": {}}}});
    if !subresource.is_empty() {
        entry["subresource"] = subresource.into();
    }
    entry
}

/// The verdict of a rule on an object, at noon; `old` is the object before.
fn verdict(name: &str, object: &Value, old: Option<&Value>, event: Option<&Value>) -> Verdict {
    let rules = rules();
    let rule = rules
        .rule(&name.into())
        .unwrap_or_else(|| panic!("there is no rule {name}"));
    let (Trigger::State {
        when: condition, ..
    }
    | Trigger::Occurrence { on: condition, .. }) = &rule.trigger;
    let [object, old, event] = [Some(object), old, event].map(|part| part.cloned().map(Json::from));
    let moment = Moment {
        now: NOW.parse::<Timestamp>().expect("a time"),
        object: object.as_ref().expect("it is there"),
        old: old.as_ref(),
        change: ChangeKind::Modified,
        event: event.as_ref(),
        events: &[],
        related: &[],
        namespace: None,
        owners: &[],
        late: false,
        spent: &std::cell::Cell::new(0),
    };
    let mut memo = Memo::default();
    Sight::new(&moment, &mut memo)
        .judge(rule, condition)
        .verdict
}

/// A state: true of the database so patched, and false of a healthy one.
#[track_caller]
fn state(name: &str, patches: &[Value]) {
    assert_eq!(
        verdict(name, &database(&json!({})), None, None),
        Verdict::False,
        "{name}, healthy"
    );
    for patch in patches {
        assert_eq!(
            verdict(name, &database(patch), None, None),
            Verdict::True,
            "{name}, {patch}"
        );
    }
}

#[test]
fn a_failed_database_is_told() {
    state("database-failed", &[json!({"status": {"phase": "Failed"}})]);
    let newborn = database(&json!({"status": null}));
    assert_eq!(
        verdict("database-failed", &newborn, None, None),
        Verdict::False
    );
}

#[test]
fn a_database_that_is_not_ready_or_does_not_say_is_told() {
    let ready =
        |status: &str| json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
    state(
        "database-not-ready",
        &[
            ready("False"),
            ready("Unknown"),
            json!({"status": {"conditions": null}}),
            json!({"status": null}),
        ],
    );
    let going = database(&json!({"status": {"phase": "Terminating", "conditions": null}}));
    assert_eq!(
        verdict("database-not-ready", &going, None, None),
        Verdict::False
    );
}

#[test]
fn a_backup_that_is_late_or_never_was_is_told() {
    state(
        "database-backup-overdue",
        &[
            json!({"status": {"lastBackupTime": "2026-11-21T11:59:59Z"}}),
            json!({"status": {"lastBackupTime": null}}),
            json!({"status": null}),
        ],
    );
    let newborn =
        json!({"metadata": {"creationTimestamp": "2026-11-22T11:00:00Z"}, "status": null});
    assert_eq!(
        verdict("database-backup-overdue", &database(&newborn), None, None),
        Verdict::False
    );
}

#[test]
fn an_operator_that_does_not_follow_is_told() {
    state(
        "database-controller-stuck",
        &[
            json!({"metadata": {"generation": 3}}),
            json!({"status": {"observedGeneration": null}}),
        ],
    );
}

#[test]
fn missing_servers_and_a_full_volume_are_told() {
    state(
        "database-replicas-missing",
        &[
            json!({"status": {"availableReplicas": 1}}),
            json!({"status": {"availableReplicas": null}}),
        ],
    );
    state(
        "database-storage-nearly-full",
        &[json!({"status": {"storageUsedGB": 91}})],
    );
    let at_the_threshold = database(&json!({"status": {"storageUsedGB": 90}}));
    assert_eq!(
        verdict(
            "database-storage-nearly-full",
            &at_the_threshold,
            None,
            None
        ),
        Verdict::False
    );
}

#[test]
fn slow_provisioning_and_stuck_deletion_are_told() {
    state(
        "database-provisioning-slow",
        &[json!({"status": {"phase": "Provisioning"}})],
    );
    let deleted = |time: &str| json!({"metadata": {"deletionTimestamp": time, "finalizers": ["example.com/volume"]}});
    state(
        "database-deletion-stuck",
        &[deleted("2026-11-22T11:44:59Z")],
    );
    let just_now = database(&deleted("2026-11-22T11:50:00Z"));
    assert_eq!(
        verdict("database-deletion-stuck", &just_now, None, None),
        Verdict::False
    );
}

#[test]
fn a_pod_that_crashes_again_and_again_is_told_with_what_was_said_of_it() {
    let rules = rules();
    let rule = rules
        .rule(&"database-pod-crashing".into())
        .expect("it is there");
    let Trigger::State { when, .. } = &rule.trigger else {
        panic!("it is a state");
    };
    let pod = |name: &str, reason: &str| {
        Json::from(
            json!({"metadata": {"name": name}, "status": {"containerStatuses": [
                {"name": "log", "state": {"running": {}}},
                {"name": "db", "state": {"waiting": {"reason": reason}}},
            ]}}),
        )
    };
    let object = Json::from(database(&json!({})));
    for (reason, verdict) in [
        ("CrashLoopBackOff", Verdict::True),
        ("ContainerCreating", Verdict::False),
    ] {
        let pods = vec![pod("orders-0", "PodInitializing"), pod("orders-1", reason)];
        let related = [("related.pods".into(), pods)];
        let moment = Moment {
            now: NOW.parse::<Timestamp>().expect("a time"),
            object: &object,
            old: None,
            change: ChangeKind::Modified,
            event: None,
            events: &[],
            related: &related,
            namespace: None,
            owners: &[],
            late: false,
            spent: &std::cell::Cell::new(0),
        };
        let mut memo = Memo::default();
        let judged = Sight::new(&moment, &mut memo).judge(rule, when).verdict;
        assert_eq!(judged, verdict, "{reason}");
    }
}

#[test]
fn only_the_events_that_matter_are_told() {
    let event = |kind: &str, reason: &str| {
        let event = json!({"type": kind, "reason": reason, "message": "no quota"});
        verdict(
            "database-provisioning-failed",
            &database(&json!({})),
            None,
            Some(&event),
        )
    };
    assert_eq!(event("Warning", "FailedProvisioning"), Verdict::True);
    assert_eq!(event("Normal", "FailedProvisioning"), Verdict::False);
    assert_eq!(event("Warning", "BackOff"), Verdict::False);
}

#[test]
fn an_upgrade_is_told() {
    let old = database(&json!({"spec": {"version": "15"}}));
    let new = database(&json!({}));
    assert_eq!(
        verdict("database-version-changed", &new, Some(&old), None),
        Verdict::True
    );
    assert_eq!(
        verdict("database-version-changed", &new, Some(&new), None),
        Verdict::False
    );
}

#[test]
fn a_change_past_the_deployment_is_told_and_one_by_it_is_not() {
    let old = database(&json!({}));
    let changed_by = |writers: Value| {
        let new =
            database(&json!({"spec": {"replicas": 3}, "metadata": {"managedFields": writers}}));
        verdict("database-drift", &new, Some(&old), None)
    };
    let status = || writer("operator", "2026-11-22T12:00:00Z", "status");
    let deployed = |time: &str| writer("argocd-controller", time, "");
    let edited = |time: &str| writer("kubectl-edit", time, "");
    let (before, after) = ("2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z");
    assert_eq!(
        changed_by(json!([deployed(before), edited(after), status()])),
        Verdict::True
    );
    assert_eq!(
        changed_by(json!([deployed(after), edited(before), status()])),
        Verdict::False
    );
    assert_eq!(
        changed_by(json!([deployed(after), status()])),
        Verdict::False
    );
    let resync =
        database(&json!({"metadata": {"managedFields": [deployed(before), edited(after)]}}));
    assert_eq!(
        verdict("database-drift", &resync, Some(&old), None),
        Verdict::False
    );
}

#[test]
fn every_sample_rule_has_a_test_and_every_test_passes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(["test", "--templates", "templates"])
        .args(files())
        .current_dir(root)
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let tests = std::fs::read_to_string(root.join("rules/tests.yaml")).expect("the tests");
    for rule in &rules().rules {
        let name = rule.name.as_str();
        let named = |line: &str| line.trim_start().starts_with("rules: [") && line.contains(name);
        assert!(tests.lines().any(named), "{name} has no test");
    }
}
