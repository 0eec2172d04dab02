//! What must hold of joins for every history: following changes finds what a join from scratch
//! finds, and relists and crashes are not observable.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{World, database, databases, rule};
use crate::names::SourceKey;
use crate::transition::Transition;
use crate::watch::Source;

/// What happens to one of three databases, two `StatefulSets` and three Pods.
#[derive(Clone, Debug)]
enum Happening {
    Apply(Thing, usize, Option<usize>, bool),
    Delete(Thing, usize),
    Wait(i64),
    /// A stream lists anew, or all do.
    Relist(Option<Thing>),
    Crash([Thing; 3]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Database,
    Set,
    Pod,
}

const THINGS: [Thing; 3] = [Thing::Database, Thing::Set, Thing::Pod];

fn stream(thing: Thing) -> SourceKey {
    match thing {
        Thing::Database => databases(),
        Thing::Set => Source::of("apps/v1", "StatefulSet").key(),
        Thing::Pod => Source::of("v1", "Pod").key(),
    }
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let thing = || (0..3_usize).prop_map(|at| THINGS[at]);
    let happening = prop_oneof![
        8 => (thing(), 0..3_usize, prop::option::of(0..6_usize), any::<bool>())
            .prop_map(|(thing, who, owner, bad)| Happening::Apply(thing, who, owner, bad)),
        3 => (thing(), 0..3_usize).prop_map(|(thing, who)| Happening::Delete(thing, who)),
        2 => (1..90_i64).prop_map(Happening::Wait),
        1 => prop::option::of(thing()).prop_map(Happening::Relist),
        1 => Just(THINGS.to_vec()).prop_shuffle().prop_map(|order| Happening::Crash([order[0], order[1], order[2]])),
    ];
    prop::collection::vec(happening, 1..40)
}

fn rules() -> String {
    let related =
        "related: [{name: pods, apiVersion: v1, kind: Pod, via: [apps/v1/StatefulSet]}]\n";
    [
        rule(
            "bad",
            &format!("{related}when: related.pods.exists(p, p.status.bad)"),
        ),
        rule(
            "many",
            &format!("{related}when: related.pods.size() > 1\nfor: 1m"),
        ),
        rule("grown", &format!("{related}on: related.pods.size() == 2")),
    ]
    .concat()
}

#[derive(Clone, Default)]
struct Cluster {
    objects: BTreeMap<(Thing, usize), Value>,
    /// Successors have other UIDs.
    born: usize,
}

impl Cluster {
    fn happen(&mut self, happening: &Happening, world: &mut World) {
        match happening {
            Happening::Apply(thing, who, owner, bad) => {
                let object = self.changed(*thing, *who, *owner, *bad);
                world.apply_to(&stream(*thing), &object);
                self.objects.insert((*thing, *who), object);
            }
            Happening::Delete(thing, who) => {
                if let Some(object) = self.objects.remove(&(*thing, *who)) {
                    world.delete_from(&stream(*thing), &object);
                }
            }
            Happening::Wait(seconds) => world.run_to(world.now.as_second() + seconds),
            Happening::Relist(which) => {
                for thing in THINGS
                    .into_iter()
                    .filter(|thing| which.is_none_or(|which| which == *thing))
                {
                    world.list_of(&stream(thing), &self.all(thing));
                }
            }
            Happening::Crash(order) => {
                world.crash();
                world.list_events(&[]);
                for thing in *order {
                    world.list_of(&stream(thing), &self.all(thing));
                }
            }
        }
    }

    /// The next state of an object; its owner may be a Pod, its predecessor, or not there.
    fn changed(&mut self, thing: Thing, who: usize, owner: Option<usize>, bad: bool) -> Value {
        let uid_of = |object: &Value| object["metadata"]["uid"].clone();
        let known = self.objects.get(&(thing, who)).map(uid_of);
        let uid = known.unwrap_or_else(|| {
            self.born += 1;
            format!("{thing:?}-{who}-{}", self.born).into()
        });
        let mut object = database(
            &format!("{thing:?}-{who}").to_lowercase(),
            json!({"bad": bad}),
        );
        object["metadata"]["uid"] = uid;
        let owner = owner.and_then(|at| {
            let thing = [Thing::Database, Thing::Set][at % 2];
            self.objects.get(&(thing, at / 2))
        });
        if let Some(owner) = owner.filter(|_| thing != Thing::Database) {
            object["metadata"]["ownerReferences"] = json!([{"uid": uid_of(owner)}]);
        }
        object
    }

    fn all(&self, thing: Thing) -> Vec<Value> {
        let objects = self.objects.iter();
        let objects = objects.filter(|((of, _), _)| *of == thing);
        objects.map(|(_, object)| object.clone()).collect()
    }
}

fn listed(cluster: &Cluster) -> World {
    let mut world = World::new(&rules());
    world.list_events(&[]);
    for thing in THINGS {
        world.list_of(&stream(thing), &cluster.all(thing));
    }
    world
}

/// What each rule sees around each object.
fn seen(world: &World) -> String {
    let mut text = String::new();
    let engine = &world.engine;
    for (at, watched) in engine.rules.sources.iter().enumerate() {
        let mut objects: Vec<_> = engine.streams[at].objects.iter().collect();
        objects.sort_by_key(|(uid, _)| *uid);
        for (uid, object) in objects {
            for position in 0..watched.rules.len() {
                let transition = Transition::seen(uid, None, object.clone().into());
                let around = engine.surroundings((at, position), &transition);
                let names = around.related.iter().flat_map(|(_, list)| list);
                let names: Vec<String> = names
                    .map(|one| {
                        one.at(&["metadata", "uid"])
                            .map(ToString::to_string)
                            .unwrap_or_default()
                    })
                    .collect();
                writeln!(text, "{position} {uid} {}", names.join(" ")).expect("a text takes all");
            }
        }
    }
    text
}

/// The alerts that fire, without their moments.
fn firing(world: &World) -> Vec<String> {
    let alerts = world.engine.alerts();
    let states = alerts.filter(|alert| alert.nature == crate::alert::Nature::State);
    let firing = states.filter(|alert| alert.state == crate::alert::State::Firing);
    let mut firing: Vec<String> = firing
        .map(|alert| format!("{} {}", alert.rule, alert.object.uid))
        .collect();
    firing.sort();
    firing
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn following_changes_finds_what_a_join_from_scratch_finds(history in happenings()) {
        let mut cluster = Cluster::default();
        let mut world = listed(&cluster);
        for happening in &history {
            cluster.happen(happening, &mut world);
        }
        world.run_to(world.now.as_second() + 1000);
        let mut scratch = listed(&cluster);
        scratch.run_to(1000);
        prop_assert_eq!(seen(&world), seen(&scratch));
        prop_assert_eq!(firing(&world), firing(&scratch));
    }

    #[test]
    fn relists_and_crashes_of_what_is_joined_are_not_heard(history in happenings()) {
        let mut cluster = Cluster::default();
        let mut world = listed(&cluster);
        let mut plain = listed(&cluster);
        for happening in &history {
            for world in [&mut world, &mut plain] {
                world.run_to(world.now.as_second() + 1);
            }
            let mut other = cluster.clone();
            cluster.happen(happening, &mut world);
            if !matches!(happening, Happening::Relist(_) | Happening::Crash(_)) {
                other.happen(happening, &mut plain);
            }
        }
        for world in [&mut world, &mut plain] {
            world.run_to(world.now.as_second() + 1000);
        }
        prop_assert_eq!(world.told(), plain.told());
    }
}
