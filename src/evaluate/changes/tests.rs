use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::names::Uid;

fn reference() -> ObjectRef {
    ObjectRef {
        api_version: "stable.example.com/v1".into(),
        kind: "DatabaseInstance".into(),
        namespace: Some("prod".into()),
        name: "orders".into(),
        uid: Uid::parse("orders"),
    }
}

/// The changes from one `spec` to the other, whose fields were written by these.
#[expect(
    clippy::needless_pass_by_value,
    reason = "they are written in place, with json!"
)]
fn between(good: Value, present: Value, writers: Value) -> Value {
    let object = json!({"metadata": {"managedFields": writers}, "spec": present});
    let (object, good) = (Json::from(object), Json::from(good));
    changes(&object, &reference(), Base::Spec(&good)).into()
}

fn lines(changes: &Value) -> String {
    let fields = changes["fields"].as_array().expect("a list").iter();
    let lines = fields.map(|field| {
        let [path, by] = [&field["path"], &field["by"]].map(|text| text.as_str().unwrap());
        format!("{path}: {} → {} by {by}\n", field["from"], field["to"])
    });
    lines.collect()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "they are written in place, with json!"
)]
fn writer(manager: &str, minute: u32, fields: Value) -> Value {
    json!({"manager": manager, "operation": "Update", "fieldsType": "FieldsV1",
           "time": format!("2026-01-01T00:{minute:02}:00Z"), "fieldsV1": {"f:spec": fields}})
}

#[test]
fn each_field_has_its_last_writer() {
    let writers = json!([
        writer("helm", 1, json!({".": {}, "f:replicas": {}, "f:version": {}, "f:resources": {}})),
        writer("k9s", 2, json!({"f:replicas": {}})),
        writer("kubectl-edit", 3, json!({"f:backup": {"f:enabled": {}}})),
        {"manager": "operator", "subresource": "status", "time": "2026-01-01T00:09:00Z",
         "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]);
    let good =
        json!({"replicas": 3, "version": "15", "resources": {"cpu": "1"}, "window": "night"});
    let present = json!({
        "replicas": 1, "version": "15", "resources": {"cpu": "2"}, "backup": {"enabled": true},
    });
    let changes = between(good, present, writers);
    assert_snapshot!(lines(&changes), @r#"
    spec.backup: null → {"enabled":true} by kubectl-edit
    spec.replicas: 3 → 1 by k9s
    spec.resources.cpu: "1" → "2" by helm
    spec.window: "night" → null by unknown
    "#);
    assert_eq!(changes["by"], json!(["helm", "k9s", "kubectl-edit"]));
    assert_snapshot!(changes["command"].as_str().unwrap(), @r#"kubectl -n prod patch DatabaseInstance.v1.stable.example.com orders --type merge -p '{"spec":{"backup":null,"replicas":3,"resources":{"cpu":"1"},"window":"night"}}'"#);
}

#[test]
fn items_of_lists_are_found_by_their_keys_their_values_and_their_numbers() {
    let writers = json!([
        writer(
            "a",
            1,
            json!({"f:containers": {r#"k:{"name":"db"}"#: {"f:image": {}}}})
        ),
        writer(
            "b",
            1,
            json!({"f:containers": {r#"k:{"name":"sidecar"}"#: {"f:image": {}}}})
        ),
        writer("c", 1, json!({"f:finalizers": {r#"v:"new""#: {}}})),
        writer("d", 1, json!({"f:hosts": {"i:1": {}}})),
        writer("e", 1, json!({"f:args": {}})),
    ]);
    let spec = |image: &str, item: &str| {
        json!({
            "containers": [{"name": "db", "image": image}, {"name": "sidecar", "image": image}],
            "finalizers": ["kept", item], "hosts": ["kept", item], "args": ["kept", item],
        })
    };
    let changes = between(spec("v1", "old"), spec("v2", "new"), writers);
    assert_snapshot!(lines(&changes), @r#"
    spec.args[1]: "old" → "new" by e
    spec.containers[0].image: "v1" → "v2" by a
    spec.containers[1].image: "v1" → "v2" by b
    spec.finalizers[1]: "old" → "new" by c
    spec.hosts[1]: "old" → "new" by d
    "#);
}

#[test]
fn names_that_are_no_words_are_quoted_in_paths_and_commands() {
    let good = json!({"labels": {"app.example/name": "it's"}});
    let present = json!({"labels": {"app.example/name": "x"}});
    let changes = between(good, present, json!([]));
    assert_snapshot!(lines(&changes), @r#"spec.labels['app.example/name']: "it's" → "x" by unknown"#);
    assert_snapshot!(changes["command"].as_str().unwrap(), @r#"kubectl -n prod patch DatabaseInstance.v1.stable.example.com orders --type merge -p '{"spec":{"labels":{"app.example/name":"it'\''s"}}}'"#);
}

#[test]
fn what_would_be_long_is_bounded() {
    let many = |value: i64| -> Value {
        (0..100)
            .map(|n| (format!("field{n:02}"), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let changes = between(many(1), many(2), json!([]));
    assert_eq!(
        changes["fields"].as_array().map(Vec::len),
        Some(MOST_FIELDS)
    );
    assert_eq!(changes["omitted"], 80);
    assert!(changes["patch"].is_object());

    let changes = between(
        json!({"text": "é".repeat(100_000)}),
        json!({"text": "x"}),
        json!([]),
    );
    assert_eq!(changes["patch"], Value::Null);
    assert_eq!(changes["command"], Value::Null);
    let from = changes["fields"][0]["from"].as_str().expect("a text");
    assert!(from.len() <= LONGEST_VALUE && from.ends_with('…'), "{from}");
}

#[test]
fn nothing_is_said_of_an_object_that_has_no_spec_or_was_never_well() {
    let config_map = Json::from(json!({"data": {"a": "b"}}));
    let changes_of = |base| Value::from(changes(&config_map, &reference(), base));
    assert_snapshot!(changes_of(Base::Present), @r#"{"by":[],"command":null,"fields":[],"known":true,"omitted":0,"patch":null}"#);
    assert_snapshot!(changes_of(Base::Unknown), @r#"{"by":[],"command":null,"fields":[],"known":false,"omitted":0,"patch":null}"#);
}

/// Any JSON of a `spec`: the API server keeps no nulls in custom resources.
fn spec() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..4i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// A JSON merge patch as RFC 7386 applies it.
fn merged(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        let was = target.remove(name).unwrap_or_default();
        if !value.is_null() {
            target.insert(name.clone(), merged(was, value));
        }
    }
    target.into()
}

proptest! {
    #[test]
    fn the_patch_puts_back_what_was_good(good in spec(), present in spec()) {
        let changes = between(good.clone(), present.clone(), json!([]));
        let fields = changes["fields"].as_array().expect("a list");
        prop_assert_eq!(fields.is_empty(), good == present);
        if !fields.is_empty() {
            let object = merged(json!({"spec": present}), &changes["patch"]);
            prop_assert_eq!(object, json!({"spec": good}));
        }
    }
}
