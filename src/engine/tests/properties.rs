//! What must hold for every history: relists, ticks and crashes are not observable.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{World, database, rule, setup};
use crate::engine::{COALESCE, Input};
use crate::watch::{Change, Signal};

/// Something that happens to one of three databases, some seconds after the last thing.
#[derive(Clone, Debug)]
enum Happening {
    Phase(usize, usize),
    Version(usize, usize),
    Delete(usize),
    Wait(i64),
}

const PHASES: [&str; 3] = ["Running", "Failed", "Provisioning"];

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        4 => (0..3_usize, 0..3_usize).prop_map(|(who, phase)| Happening::Phase(who, phase)),
        2 => (0..3_usize, 0..3_usize).prop_map(|(who, version)| Happening::Version(who, version)),
        1 => (0..3_usize).prop_map(Happening::Delete),
        4 => (1..200_i64).prop_map(Happening::Wait),
        1 => (200..2000_i64).prop_map(Happening::Wait),
    ];
    prop::collection::vec(happening, 1..25)
}

fn rules() -> [String; 4] {
    [
        rule(
            "failed",
            "when: object.status.phase == 'Failed'\nfor: 2m\ndescription: reads changes",
        ),
        rule(
            "not-running",
            "when: object.status.phase != 'Running'\nkeepFiringFor: 1m",
        ),
        rule(
            "upgraded",
            "on: object.spec.version != oldObject.spec.version",
        ),
        rule(
            "provisioning",
            "on: object.status.phase == 'Provisioning'\ndescription: reads changes",
        ),
    ]
}

/// The same rules, and one that reads what no other does.
fn more_rules() -> String {
    rules().concat() + &rule("small", "when: object.spec.replicas < 2")
}

/// Rules that have something in common with those, and resolve when all is well.
fn other_rules(which: usize) -> String {
    let all = rules();
    let failed = |spec: &str| rule("failed", spec) + &all[1..].concat();
    match which {
        0 => all.concat(),
        1 => all[1..].concat(),
        2 => failed("when: object.status.phase in ['Failed', 'Provisioning']\nfor: 1m"),
        3 => failed("when: object.spec.replicas == 2 && object.status.phase == 'Failed'"),
        4 => failed("when: object.status.phase == 'Failed'")
            .replace("failed}", "renamed}")
            .replace("'Failed'\n", "'Failed'\n  formerly: [failed]\n"),
        _ => failed("when: object.status.phase == 'Failed'").replacen(
            "kind: DatabaseInstance}",
            "kind: DatabaseInstance, namespaces: [prod]}",
            1,
        ),
    }
}

/// A cluster of three databases, as far as they exist.
#[derive(Clone, Default)]
struct Cluster {
    objects: [Option<Value>; 3],
    born: u32,
}

impl Cluster {
    /// Lets it happen in the cluster; the world hears of it if somebody watches.
    fn happen(&mut self, happening: &Happening, world: &mut World, watched: bool) {
        match happening {
            Happening::Phase(who, phase) => {
                self.get(*who)["status"]["phase"] = PHASES[*phase].into();
                self.applied(*who, world, watched);
            }
            Happening::Version(who, version) => {
                self.get(*who)["spec"]["version"] = version.to_string().into();
                self.applied(*who, world, watched);
            }
            Happening::Delete(who) => {
                if let Some(object) = self.objects[*who].take()
                    && watched
                {
                    world.delete(&object);
                }
            }
            Happening::Wait(seconds) => world.run_to(world.now.as_second() + seconds),
        }
    }

    /// Lets it happen, and gives what a watch will say of it.
    fn happen_unheard(&mut self, happening: &Happening, world: &mut World) -> Option<Signal> {
        let (Happening::Phase(who, _) | Happening::Version(who, _) | Happening::Delete(who)) =
            *happening
        else {
            return None;
        };
        let before = self.objects[who].clone();
        self.happen(happening, world, false);
        match (&self.objects[who], before) {
            (Some(now), _) => {
                let observation = world.observation(now, Change::Applied);
                Some(Signal::Applied(observation))
            }
            (None, Some(last)) => {
                let observation = world.observation(&last, Change::Deleted);
                Some(Signal::Deleted(observation))
            }
            (None, None) => None,
        }
    }

    fn get(&mut self, who: usize) -> &mut Value {
        self.objects[who].get_or_insert_with(|| {
            self.born += 1;
            let mut object = database(&format!("db-{who}"), json!({"phase": "Running"}));
            object["metadata"]["uid"] = format!("db-{who}-{}", self.born).into();
            object
        })
    }

    fn applied(&self, who: usize, world: &mut World, watched: bool) {
        if let Some(object) = self.objects[who].as_ref().filter(|_| watched) {
            world.apply(object);
        }
    }

    fn all(&self) -> Vec<Value> {
        self.objects.iter().flatten().cloned().collect()
    }
}

/// What was told, with a relist, a crash, or both ticks and nothing before each happening.
fn tell(history: &[Happening], before: &dyn Fn(usize, &mut World, &Cluster)) -> World {
    let mut world = World::listed(&rules().concat(), &[]);
    let mut cluster = Cluster::default();
    for (number, happening) in history.iter().enumerate() {
        before(number, &mut world, &cluster);
        cluster.happen(happening, &mut world, true);
    }
    world.run_to(world.now.as_second() + 1000);
    world
}

/// The stream was read again as things are now; the changes that wait follow.
fn go_on(waiting: &mut Option<Vec<Signal>>, world: &mut World, cluster: &Cluster) {
    if let Some(signals) = waiting.take() {
        world.refresh(&cluster.all());
        for signal in signals {
            world.say(signal);
        }
    }
}

/// What was told, whatever the order within a moment.
fn sorted(world: &World) -> Vec<String> {
    let mut lines: Vec<String> = world.told().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_relist_inserted_anywhere_changes_nothing(history in happenings(), at in 0..25_usize) {
        let plain = tell(&history, &|_, _, _| {});
        let relisted = tell(&history, &|number, world, cluster| {
            if number == at {
                world.list(&cluster.all());
            }
        });
        prop_assert_eq!(plain.told(), relisted.told());
        prop_assert_eq!(plain.changes(), relisted.changes());
    }

    #[test]
    fn splitting_time_into_more_ticks_sends_nothing_else(history in happenings(), step in 1..60_i64) {
        let plain = tell(&history, &|_, _, _| {});
        let mut split = World::listed(&rules().concat(), &[]);
        let mut cluster = Cluster::default();
        for happening in &history {
            if let Happening::Wait(seconds) = happening {
                split.run_to_in_steps_of(split.now.as_second() + seconds, step);
            } else {
                cluster.happen(happening, &mut split, true);
            }
        }
        split.run_to_in_steps_of(split.now.as_second() + 1000, step);
        prop_assert_eq!(plain.told(), split.told());
    }

    #[test]
    fn a_crash_between_any_two_inputs_is_not_heard(history in happenings(), at in 0..25_usize) {
        let [plain, crashed] = [false, true].map(|crashes| {
            tell(&history, &|number, world, cluster| {
                if number == at {
                    // What was seen last is written with others, a little later.
                    world.run_to(world.now.as_second() + COALESCE.as_secs());
                }
                if crashes && number == at {
                    world.crash();
                    world.list_events(&[]);
                    world.list(&cluster.all());
                }
            })
        });
        prop_assert_eq!(plain.told(), crashed.told());
        prop_assert_eq!(plain.changes(), crashed.changes());
    }

    #[test]
    fn rules_in_another_order_or_with_other_texts_change_nothing(
        history in happenings(),
        at in 0..25_usize,
        order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
        edited in any::<[bool; 4]>(),
    ) {
        let plain = tell(&history, &|_, _, _| {});
        let rule = |number: &usize| {
            let text = rules()[*number].clone();
            if edited[*number] {
                text.replace("\n---\n", "\n  summary: another\n  severity: info\n---\n")
            } else {
                text
            }
        };
        let shuffled: String = order.iter().map(rule).collect();
        let reloaded = tell(&history, &|number, world, cluster| {
            if number >= at {
                world.reload(setup(&shuffled), &cluster.all());
            }
        });
        prop_assert_eq!(sorted(&plain), sorted(&reloaded));
    }

    #[test]
    fn rules_that_come_and_go_change_nothing_for_the_others_and_a_crash_then_is_not_heard(
        history in happenings(),
        at in 0..25_usize,
        crash in any::<bool>(),
    ) {
        let plain = tell(&history, &|_, _, _| {});
        let reloaded = tell(&history, &|number, world, cluster| {
            if number == at {
                world.reload(setup(&more_rules()), &cluster.all());
                if crash {
                    world.crash();
                    world.list_events(&[]);
                    world.list(&cluster.all());
                }
                world.reload(setup(&rules().concat()), &cluster.all());
            }
        });
        prop_assert_eq!(plain.told(), reloaded.told());
    }

    #[test]
    fn what_happens_before_a_stream_was_read_again_is_told_as_if_it_had_been_at_once(
        history in happenings(),
        at in 0..25_usize,
    ) {
        let plain = tell(&history, &|_, _, _| {});
        let mut world = World::listed(&rules().concat(), &[]);
        let mut cluster = Cluster::default();
        let mut waiting: Option<Vec<Signal>> = None;
        for (number, happening) in history.iter().enumerate() {
            if number == at {
                let more = setup(&more_rules());
                world.setup = more.clone();
                world.input(Input::Reloaded(more));
                waiting = Some(Vec::new());
            }
            match (&mut waiting, happening) {
                (Some(_), Happening::Wait(_)) => {
                    go_on(&mut waiting, &mut world, &cluster);
                    cluster.happen(happening, &mut world, true);
                }
                (Some(signals), _) => {
                    signals.extend(cluster.happen_unheard(happening, &mut world));
                }
                (None, _) => cluster.happen(happening, &mut world, true),
            }
        }
        go_on(&mut waiting, &mut world, &cluster);
        world.run_to(world.now.as_second() + 1000);
        let of_others = |world: &World| -> Vec<String> {
            let mut lines = sorted(world);
            lines.retain(|line| !line.contains("small"));
            lines
        };
        prop_assert_eq!(of_others(&plain), of_others(&world));
    }

    #[test]
    fn every_firing_is_resolved_whatever_rules_came_and_went_and_however_often_it_crashed(
        history in happenings(),
        reloads in prop::collection::vec((0..25_usize, 0..6_usize, 0..3_u8), 1..6),
    ) {
        let mut world = World::listed(&rules().concat(), &[]);
        let mut cluster = Cluster::default();
        for (number, happening) in history.iter().enumerate() {
            for (_, which, crash) in reloads.iter().filter(|(at, ..)| *at == number) {
                let setup = setup(&other_rules(*which));
                match crash {
                    0 | 1 => world.reload(setup, &cluster.all()),
                    // It dies before the streams go on.
                    _ => {
                        world.setup = setup.clone();
                        world.input(Input::Reloaded(setup));
                    }
                }
                if *crash > 0 {
                    world.crash();
                    world.list_all(&cluster.all());
                }
            }
            cluster.happen(happening, &mut world, true);
        }
        for who in 0..3 {
            cluster.happen(&Happening::Phase(who, 0), &mut world, true);
        }
        world.run_to(world.now.as_second() + 100_000);
        let told = world.told();
        prop_assert_eq!(world.engine.alerts().count(), 0, "{}", told);
        let count = |what: &str| told.lines().filter(|line| line.contains(what)).count();
        prop_assert_eq!(count(" New:"), count("Resolved Resolved:"), "{}", told);
    }

    #[test]
    fn every_firing_that_was_told_is_resolved_when_all_is_well(history in happenings()) {
        let mut world = World::listed(&rules().concat(), &[]);
        let mut cluster = Cluster::default();
        for happening in &history {
            cluster.happen(happening, &mut world, true);
        }
        for who in 0..3 {
            cluster.happen(&Happening::Phase(who, 0), &mut world, true);
        }
        world.run_to(world.now.as_second() + 100_000);
        prop_assert_eq!(world.engine.alerts().count(), 0);
        let told = world.told();
        let firing = told.lines().filter(|line| line.contains(" New:")).count();
        let resolved = told.lines().filter(|line| line.contains("Resolved Resolved:")).count();
        prop_assert_eq!(firing, resolved, "{}", told);
    }
}
