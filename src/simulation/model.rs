//! What must be so. It knows what rules mean, and nothing of how the engine works.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::cluster::{Cluster, Database, REPLICAS, SIZES, Said};
use super::plan::Stream;
use super::setup::{BACKUP, FRESH, FRESH_HOLD, HOLD, LARGE};
use crate::alert::{Alert, State};
use crate::names::Uid;
use crate::notify::later;

/// The rules that are states, the stream of their objects, and how long each must last.
const STATES: [(&str, Stream, i64); 8] = [
    ("failed", Stream::Databases, HOLD),
    ("short", Stream::Databases, 0),
    ("large", Stream::Databases, LARGE),
    ("overdue", Stream::Databases, 0),
    ("quiet", Stream::Databases, 0),
    ("fresh", Stream::Databases, FRESH_HOLD),
    (EXTRA, Stream::Databases, 0),
    ("cache-failed", Stream::Caches, 0),
];

/// Those of them that read the time.
const BY_TIME: [&str; 2] = ["overdue", "fresh"];

/// The rule that is not always there.
const EXTRA: &str = "extra";

/// An alert: its rule and the UID of its object.
pub type Subject = (&'static str, Uid);

/// Whether the rule is true of a database now; nothing where that cannot be told.
fn is_true(rule: &str, database: &Database, now: Timestamp) -> Option<bool> {
    Some(match rule {
        "failed" | "quiet" => database.phase == 1,
        "short" => database.available < REPLICAS,
        "large" => SIZES[database.size].parse::<i64>().ok()? > 3,
        "overdue" => now.duration_since(database.backed_up) > SignedDuration::from_secs(BACKUP),
        "fresh" => now.duration_since(database.backed_up) < SignedDuration::from_secs(FRESH),
        EXTRA => database.phase == 2,
        _ => false,
    })
}

/// Since when a state has been true, as far as the bridge was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    pub since: Timestamp,
    /// Since when it cannot be told; what was held before counts.
    pub unknown_since: Option<Timestamp>,
    /// Since when it can be told.
    pub known_since: Timestamp,
}

#[derive(Default)]
pub struct Model {
    pub holds: BTreeMap<Subject, Hold>,
    /// Since when each stream may be believed.
    pub believed: BTreeMap<Stream, Timestamp>,
    /// Since when it is broken.
    pub broken: BTreeMap<Stream, Timestamp>,
    /// What was said before the process stood still counts no more.
    pub doubted: BTreeSet<Stream>,
    /// When the process went on after it stood still.
    pub woke: Option<Timestamp>,
    has_extra: bool,
    /// What the bridge was told last of each database.
    told: BTreeMap<Uid, Database>,
}

impl Model {
    /// The bridge was told this.
    pub fn told(&mut self, now: Timestamp, said: &Said) {
        match said {
            Said::Database(_, database) => {
                let before = self
                    .told
                    .insert(Uid::parse(&database.uid), database.clone());
                // What is the same as before is no news; and what time made of it is not looked at
                // while nothing is believed.
                let stands = before.is_some_and(|it| it.backed_up == database.backed_up)
                    && self.is_old(now, Stream::Databases);
                for (rule, stream, _) in STATES {
                    if stream == Stream::Databases && !(stands && BY_TIME.contains(&rule)) {
                        let is = is_true(rule, database, now);
                        self.judge(now, rule, Uid::parse(&database.uid), is);
                    }
                }
            }
            Said::Cache(_, cache) => {
                self.judge(
                    now,
                    "cache-failed",
                    Uid::parse(&cache.uid),
                    Some(cache.failed),
                );
            }
            Said::DatabaseGone(_, database) => self.gone(Uid::parse(&database.uid)),
            Said::CacheGone(_, cache) => self.gone(Uid::parse(&cache.uid)),
            Said::Event(_) => {}
        }
    }

    fn judge(&mut self, now: Timestamp, rule: &'static str, uid: Uid, is: Option<bool>) {
        if rule == EXTRA && !self.has_extra {
            return;
        }
        let subject = (rule, uid);
        match (is, self.holds.get_mut(&subject)) {
            (Some(false), _) => {
                self.holds.remove(&subject);
            }
            (Some(true), Some(hold)) => {
                if let Some(paused) = hold.unknown_since.take() {
                    hold.since = later(hold.since, now.duration_since(paused));
                    hold.known_since = now;
                }
            }
            (Some(true), None) => {
                let hold = Hold {
                    since: now,
                    unknown_since: None,
                    known_since: now,
                };
                self.holds.insert(subject, hold);
            }
            (None, Some(hold)) => hold.unknown_since = hold.unknown_since.or(Some(now)),
            (None, None) => {}
        }
    }

    /// An object is no more.
    pub fn gone(&mut self, uid: Uid) {
        self.holds.retain(|(_, of), _| *of != uid);
        self.told.remove(&uid);
    }

    /// A complete list: what it does not name is no more.
    pub fn listed(&mut self, stream: Stream, named: &[Said]) {
        let uids: BTreeSet<Uid> = named.iter().filter_map(uid).collect();
        let gone: Vec<Uid> = self
            .holds
            .keys()
            .filter(|(rule, uid)| stream_of(rule) == Some(stream) && !uids.contains(uid))
            .map(|(_, uid)| *uid)
            .collect();
        for uid in gone {
            self.gone(uid);
        }
    }

    /// Time passed: rules that read it may have become true.
    pub fn tick(&mut self, now: Timestamp) {
        // What is old says nothing of now: nor that what was true is not any more.
        if self.is_old(now, Stream::Databases) {
            return;
        }
        let databases: Vec<Database> = self.told.values().cloned().collect();
        for database in databases {
            for rule in BY_TIME {
                let is = is_true(rule, &database, now);
                self.judge(now, rule, Uid::parse(&database.uid), is);
            }
        }
    }

    /// What a stream said is no longer to be believed.
    fn is_old(&self, now: Timestamp, stream: Stream) -> bool {
        let patience = SignedDuration::from_mins(1);
        let broken = self.broken.get(&stream);
        broken.is_some_and(|since| now.duration_since(*since) > patience)
            || self.doubted.contains(&stream)
    }

    /// The rule that is not always there comes, or goes.
    pub fn extra(&mut self, now: Timestamp, is_there: bool) {
        self.has_extra = is_there;
        if !is_there {
            self.holds.retain(|(rule, _), _| *rule != EXTRA);
        }
        let databases: Vec<Database> = self.told.values().cloned().collect();
        for database in databases {
            let is = is_true(EXTRA, &database, now);
            self.judge(now, EXTRA, Uid::parse(&database.uid), is);
        }
    }

    /// Whether the alert may begin to fire now.
    pub fn may_fire(&self, now: Timestamp, rule: &str, uid: Uid) -> Result<(), String> {
        let Some((_, stream, hold)) = STATES.iter().find(|(name, ..)| *name == rule) else {
            return Ok(());
        };
        let subject = self
            .holds
            .iter()
            .find(|((name, of), _)| *name == rule && *of == uid);
        let Some((_, truth)) = subject else {
            return Err(format!("{rule} fires on {uid}, of which it is not true"));
        };
        let due = later(truth.since, SignedDuration::from_secs(*hold));
        if now < due {
            return Err(format!(
                "{rule} fires on {uid} before its hold is over, at {due}"
            ));
        }
        let Some(believed) = self.believed.get(stream) else {
            return Err(format!(
                "{rule} fires on {uid} while its stream has not listed"
            ));
        };
        // What was observed this moment is fresh; time alone does nothing on what is not.
        let by_time = *hold > 0;
        if by_time && self.is_old(now, *stream) {
            return Err(format!("{rule} fires on {uid}, of which all is old"));
        }
        let woke = self.woke.unwrap_or(due);
        let latest = due.max(*believed).max(truth.known_since).max(woke);
        let latest = later(latest, SignedDuration::from_secs(1));
        if now > latest && rule != "overdue" {
            return Err(format!(
                "{rule} fires on {uid} too late: it was due at {due}"
            ));
        }
        Ok(())
    }

    /// The states that must fire when all is known and enough time has passed; and those of
    /// which nothing can be said.
    pub fn truth(
        now: Timestamp,
        cluster: &Cluster,
        extra: bool,
    ) -> (BTreeSet<Subject>, BTreeSet<Subject>) {
        let (mut firing, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for database in cluster.databases.iter().flatten() {
            for (rule, stream, _) in STATES {
                if stream != Stream::Databases || rule == EXTRA && !extra {
                    continue;
                }
                let subject = (rule, Uid::parse(&database.uid));
                match is_true(rule, database, now) {
                    Some(true) => {
                        firing.insert(subject);
                    }
                    Some(false) => {}
                    None => {
                        unknown.insert(subject);
                    }
                }
            }
        }
        for cache in cluster.caches.iter().flatten().filter(|cache| cache.failed) {
            firing.insert(("cache-failed", Uid::parse(&cache.uid)));
        }
        (firing, unknown)
    }

    /// The process is gone, and with it what it believed; what it held true is what it had written
    /// down.
    pub fn killed<'a>(&mut self, written: impl Iterator<Item = &'a Alert>) {
        *self = Self {
            has_extra: self.has_extra,
            ..Self::default()
        };
        for alert in written {
            if alert.state == State::Resolved || alert.keep_since.is_some() {
                continue;
            }
            if let Some(rule) = state(alert.rule.as_str()) {
                let hold = Hold {
                    since: alert.active_since,
                    unknown_since: alert.unknown_since,
                    known_since: alert.active_since,
                };
                self.holds.insert((rule, alert.object.uid), hold);
            }
        }
    }

    /// It starts again: no moment lies ahead of the clock.
    pub fn started(&mut self, now: Timestamp) {
        for hold in self.holds.values_mut() {
            hold.since = hold.since.min(now);
            hold.unknown_since = hold.unknown_since.map(|since| since.min(now));
        }
    }
}

fn uid(said: &Said) -> Option<Uid> {
    match said {
        Said::Database(_, one) | Said::DatabaseGone(_, one) => Some(Uid::parse(&one.uid)),
        Said::Cache(_, one) | Said::CacheGone(_, one) => Some(Uid::parse(&one.uid)),
        Said::Event(_) => None,
    }
}

/// The rule of that name, if it is a state.
pub fn state(name: &str) -> Option<&'static str> {
    let state = STATES.iter().find(|(known, ..)| *known == name);
    state.map(|(name, ..)| *name)
}

pub fn stream_of(rule: &str) -> Option<Stream> {
    let state = STATES.iter().find(|(name, ..)| *name == rule);
    state.map(|(_, stream, _)| *stream)
}
