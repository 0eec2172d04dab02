//! Related objects in the commands that look once.

use std::process::Command;

use insta::assert_snapshot;

use crate::dry_run::{on_text, run};
use crate::world::{World, root};

/// A database whose Pod crashes, as somebody would write it down: nobody has a UID.
const MANIFESTS: &str = "
{apiVersion: stable.example.com/v1, kind: DatabaseInstance, metadata: {name: orders, namespace: prod}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: orders
  namespace: prod
  ownerReferences: [{apiVersion: stable.example.com/v1, kind: DatabaseInstance, name: orders}]
---
apiVersion: v1
kind: Pod
metadata:
  name: orders-0
  namespace: prod
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: orders}]
status:
  containerStatuses: [{name: db, state: {waiting: {reason: CrashLoopBackOff}}}]
---
apiVersion: v1
kind: Event
metadata: {name: orders-0.1, namespace: prod}
involvedObject: {apiVersion: v1, kind: Pod, namespace: prod, name: orders-0}
type: Warning
reason: BackOff
message: Back-off restarting failed container
";

#[tokio::test]
async fn manifests_of_several_kinds_show_what_a_related_object_makes_fire() {
    let world = World::new("kinds").await;
    let sample = root().join("rules/database-pod-crashing.yaml");
    let mut rules = std::fs::read_to_string(sample).unwrap();
    rules += "---\napiVersion: bellwether.dev/v1alpha1\nkind: Receiver\nmetadata: {name: chat}\n\
              spec: {slack: {webhookUrl: {env: URL}}}\n";
    std::fs::write(world.rules(), rules.replace("[pager, chat]", "[chat]")).unwrap();
    assert_snapshot!(on_text(&world, &["--from", "-"], MANIFESTS), @"
    RULE  OBJECT  STATE  SINCE  WHY  NOTIFIES
    database-pod-crashing  DatabaseInstance/prod/orders  firing  MOMENT  true  chat
    1 object, 1 rule: 1 firing, 0 pending, 0 resolved, 0 unknown; 1 notification would have been sent
    (exit code 0)
    ");
    let rendered = on_text(&world, &["--from", "-", "-o", "rendered"], MANIFESTS);
    let words = "Back-off restarting failed container";
    assert!(rendered.contains(words), "{rendered}");
    let mut explain = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    let file = world.folder.path().join("objects.yaml");
    std::fs::write(&file, MANIFESTS).unwrap();
    explain
        .env_clear()
        .args(["explain", "database-pod-crashing", "orders", "--rules"])
        .arg(world.rules())
        .arg("--from")
        .arg(&file);
    let explained = run(&world, &mut explain);
    assert!(
        explained.contains("related.pods: Pod/prod/orders-0"),
        "{explained}"
    );
    assert!(explained.contains("when  is true"), "{explained}");
}
