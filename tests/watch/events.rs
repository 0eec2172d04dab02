//! Kubernetes Events of both APIs.

use bellwether::watch::{KubernetesEvent, Source};
use bellwether_testkit::Event;
use serde_json::json;

use crate::mirror::Mirror;
use crate::world::World;

const FAILED: Event<'static> = Event {
    kind: "Warning",
    reason: "FailedProvisioning",
    message: "no quota",
    count: 1,
};

fn reasons(mirror: &Mirror) -> Vec<(String, u64)> {
    let mut reasons: Vec<_> = mirror
        .events
        .values()
        .map(|event| (event.reason.to_string(), event.count))
        .collect();
    reasons.sort();
    reasons
}

fn only(mirror: &Mirror) -> &KubernetesEvent {
    mirror.events.values().next().expect("one Event")
}

#[tokio::test]
async fn events_of_both_apis_come_in_one_shape() {
    let world = World::shared("events").await;
    let map = world.config_map("main", 1).await;
    world.objects.event(&map, FAILED).await.expect("created");
    let mut mirror = Mirror::listed(world.events(), &world.cluster).await;
    let event = only(&mirror);
    assert_eq!(
        (&*event.type_, &*event.message, event.count),
        ("Warning", "no quota", 1)
    );
    assert_eq!(
        (&*event.regarding.kind, &*event.regarding.name),
        ("ConfigMap", "main")
    );
    assert_eq!(event.regarding.uid.map(String::from), map.metadata.uid);
    assert_eq!(&*event.reporting_controller, "testkit.bellwether.dev");
    assert_eq!(event.first_seen, event.last_seen);

    let old = Event {
        reason: "BackOff",
        count: 3,
        ..FAILED
    };
    world.objects.core_event(&map, old).await.expect("created");
    mirror.until("both are seen", |m| m.events.len() == 2).await;
    let expected = [
        ("BackOff".to_owned(), 3),
        ("FailedProvisioning".to_owned(), 1),
    ];
    assert_eq!(reasons(&mirror), expected);

    // The older API says the same of the same Events.
    let older = Mirror::listed(world.here(Source::of("v1", "Event")), &world.cluster).await;
    assert_eq!(older.events, mirror.events);
}

#[tokio::test]
async fn a_repeat_raises_the_count_of_the_same_event() {
    let world = World::shared("repeats").await;
    let map = world.config_map("main", 1).await;
    let event = world
        .objects
        .core_event(&map, FAILED)
        .await
        .expect("created");
    let mut mirror = Mirror::listed(world.events(), &world.cluster).await;
    let first = only(&mirror).clone();
    let repeat = json!({"count": 40, "lastTimestamp": "2099-01-01T00:00:00Z"});
    world.objects.patch(&event, repeat).await.expect("patched");
    mirror
        .until("the repeat is seen", |m| only(m).count == 40)
        .await;
    let repeated = only(&mirror);
    assert_eq!((mirror.events.len(), repeated.uid), (1, first.uid));
    assert_eq!(repeated.first_seen, first.first_seen);
    assert_eq!(repeated.last_seen.to_string(), "2099-01-01T00:00:00Z");
}

#[tokio::test]
async fn an_event_that_is_deleted_is_gone() {
    let world = World::shared("ttl").await;
    let map = world.config_map("main", 1).await;
    let event = world.objects.event(&map, FAILED).await.expect("created");
    let mut mirror = Mirror::listed(world.events(), &world.cluster).await;
    world.delete(&event).await;
    mirror
        .until("its end is seen", |m| m.events.is_empty())
        .await;
    assert_eq!(mirror.lists, 1);
}
