//! What an evaluation, a projected decoding and a compilation take. `cargo bench --bench cel`

use bellwether::cel::types::schema::of_custom_resource;
use bellwether::cel::{Bindings, Budget, Env, Json, Kind, Memo, PathIndex, PathSet, Terms, Types};
use std::hint::black_box;
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

const RULE: &str = r#"object.status.phase == "Failed" && oldObject.status.phase != "Failed" && object.status.conditions.exists(c, c.type == "Ready" && c.status == "False")"#;

/// Prints the median of several rounds, in nanoseconds, and the allocations of one run; gives the
/// nanoseconds.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn measure(name: &str, mut run: impl FnMut()) -> u128 {
    run();
    let allocations = allocation_counter::measure(&mut run).count_total;
    let start = Instant::now();
    run();
    let once = start.elapsed().as_nanos().max(20);
    let inner = (20_000_000 / once).clamp(1, 200_000);
    let mut times: Vec<u128> = (0..21)
        .map(|_| {
            let start = Instant::now();
            (0..inner).for_each(|_| run());
            start.elapsed().as_nanos() / inner
        })
        .collect();
    times.sort_unstable();
    row(name, times[10], allocations);
    times[10]
}

fn row(name: &str, nanoseconds: u128, allocations: u64) {
    println!("{name:<52} {nanoseconds:>9} ns {allocations:>6} allocations");
}

/// What cel-go takes for the same rule over the same objects, measured now; `ours`: what we take
/// to evaluate and to compile it.
fn compare_with_go(ours: [u128; 2], object: &str, old: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/go");
    let child = Command::new("go")
        .args(["run", "."])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("cel-go: not measured, because go is not installed");
            return;
        }
        Err(error) => panic!("go does not start: {error}"),
    };
    let rule = serde_json::Value::from(RULE);
    let input = format!(r#"{{"rule":{rule},"object":{object},"oldObject":{old}}}"#);
    let mut stdin = child.stdin.take().expect("it has a standard input");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "benches/go fails");
    let lines = String::from_utf8(output.stdout).expect("it writes text");
    for (line, ours) in lines.lines().zip(ours) {
        let columns: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| -> u64 { columns[at].parse().expect("it writes numbers") };
        let nanoseconds = number(1);
        row(
            &format!("cel-go: {}", columns[0]),
            nanoseconds.into(),
            number(2),
        );
        let tenths = u128::from(nanoseconds) * 10 / ours.max(1);
        println!("  {}.{} times as long as ours", tenths / 10, tenths % 10);
    }
}

/// An object of about 4 KB, as an API server sends it.
fn object(phase: &str) -> String {
    let managed: Vec<String> = (0..12)
        .map(|n| format!(r#"{{"manager":"controller-{n}","operation":"Update","apiVersion":"stable.example.com/v1","time":"2026-11-22T17:{n:02}:00Z","fieldsType":"FieldsV1","fieldsV1":{{"f:metadata":{{"f:annotations":{{".":{{}},"f:example.com/key-{n}":{{}}}}}},"f:spec":{{"f:replicas":{{}},"f:version":{{}}}}}}}}"#))
        .collect();
    format!(
        r#"{{"apiVersion":"stable.example.com/v1","kind":"DatabaseInstance","metadata":{{"name":"orders","namespace":"shop","uid":"7b0c0f2a-0b57-4a3e-9a55-0f2b4b1f7d10","resourceVersion":"123456","generation":3,"creationTimestamp":"2026-11-01T00:00:00Z","labels":{{"team":"shop","app.kubernetes.io/name":"orders"}},"managedFields":[{}]}},"spec":{{"engine":"postgres","version":"16.2","storageGB":100,"replicas":3}},"status":{{"phase":"{phase}","availableReplicas":2,"observedGeneration":3,"conditions":[{{"type":"Progressing","status":"True","reason":"x","message":"y","lastTransitionTime":"2026-11-22T17:50:00Z"}},{{"type":"Degraded","status":"True","reason":"x","message":"y","lastTransitionTime":"2026-11-22T17:50:00Z"}},{{"type":"Ready","status":"False","reason":"NoQuota","message":"no quota","lastTransitionTime":"2026-11-22T17:50:00Z"}}]}}}}"#,
        managed.join(",")
    )
}

fn env() -> Env {
    Env::new()
        .variable("object", Kind::Watched)
        .variable("oldObject", Kind::Watched)
        .variable("now", Kind::Time)
}

fn main() {
    let text = object("Failed");
    let new: Json = serde_json::from_str(&text).expect("valid");
    let old: Json = serde_json::from_str(&object("Running")).expect("valid");
    println!("object: {} bytes", text.len());

    let program = env().compile(RULE).expect("it compiles");
    let reads = program.reads("object").expect("it reads object");
    let (new_part, old_part) = (reads.project(&new), reads.project(&old));
    let bindings = Bindings::new().json("object", &new).json("oldObject", &old);
    let evaluating = measure("the three-part rule, whole objects", || {
        let evaluation = program.evaluate(&bindings, &mut Budget::default());
        assert!(black_box(evaluation).result.is_ok());
    });
    let parts = Bindings::new()
        .json("object", &new_part)
        .json("oldObject", &old_part);
    measure("the three-part rule, projections", || {
        let evaluation = program.evaluate(&parts, &mut Budget::default());
        assert!(black_box(evaluation).result.is_ok());
    });

    measure("the same rule written by hand in Rust", || {
        let is = |json: &Json, path: &[&str], wanted| {
            json.at(path).and_then(Json::as_str) == Some(wanted)
        };
        let answer = is(black_box(&new_part), &["status", "phase"], "Failed")
            && !is(black_box(&old_part), &["status", "phase"], "Failed")
            && new_part
                .at(&["status", "conditions"])
                .and_then(Json::as_list)
                .is_some_and(|list| {
                    list.iter()
                        .any(|c| is(c, &["type"], "Ready") && is(c, &["status"], "False"))
                });
        assert!(black_box(answer));
    });

    let terms = Terms::default();
    let shared = env().sharing(&terms, &["object", "oldObject"]);
    let rules: Vec<_> = (0..200)
        .map(|n| {
            shared
                .compile(&RULE.replace("Ready", &format!("Ready{}", n % 7)))
                .expect("it compiles")
        })
        .collect();
    measure("200 such rules, each alone", || {
        for rule in &rules {
            black_box(rule.evaluate(&parts, &mut Budget::default()).result.is_ok());
        }
    });
    let mut memo = Memo::default();
    measure("200 such rules, sharing answers", || {
        memo.begin();
        for rule in &rules {
            let mut budget = Budget::default();
            let evaluation = rule.evaluate_with(&parts, &mut memo, &mut budget);
            black_box(evaluation.result.is_ok());
        }
    });
    let compiling = measure("compile the three-part rule", || {
        black_box(env().compile(RULE).is_ok());
    });
    let crd = include_str!("../crds/databaseinstance.yaml");
    let crd: serde_json::Value = serde_saphyr::from_str(crd).expect("YAML");
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let database = of_custom_resource("DatabaseInstance", schema);
    let types = Types::new()
        .with("object", database.clone())
        .with("oldObject", database);
    measure("compile it and check it against its schema", || {
        let program = env().compile(RULE).expect("it compiles");
        black_box(program.check(&types).problems.is_empty());
    });
    compare_with_go([evaluating, compiling], &text, &object("Running"));

    let seven = [
        "metadata.uid",
        "metadata.generation",
        "status.phase",
        "status.observedGeneration",
        "status.conditions[].type",
        "status.conditions[].status",
        "spec.replicas",
    ];
    let seven = PathSet::of(seven).expect("paths");
    measure("decode it whole", || {
        black_box(PathSet::all().decode(text.as_bytes()).is_ok());
    });
    measure("decode it to a serde_json::Value", || {
        black_box(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    });
    measure("decode 7 paths of it", || {
        black_box(seven.decode(text.as_bytes()).is_ok());
    });
    let sets: Vec<&PathSet> = rules
        .iter()
        .filter_map(|rule| rule.reads("object"))
        .collect();
    let index = PathIndex::new(&sets);
    measure("which of 200 rules does a change concern", || {
        black_box(index.changed(&old_part, &new_part).is_empty());
    });
}
