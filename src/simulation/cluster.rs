//! The cluster as it is, and what its streams still have to say about it.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::plan::{CACHES, Change, DATABASES, Stream};
use crate::cel::{Json, PathSet};
use crate::names::Uid;
use crate::transition::object_ref;
use crate::watch::{
    self, Header, KubernetesEvent, Observation, Regarding, Signal, Signalled, Source,
};

pub const PHASES: [&str; 3] = ["Running", "Failed", "Pending"];
pub const SIZES: [&str; 4] = ["1", "5", "9", "many"];

/// A database, as far as rules look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    pub uid: String,
    pub phase: usize,
    pub available: i64,
    pub size: usize,
    pub backed_up: Timestamp,
    pub version: u8,
    /// Its `resourceVersion`.
    revision: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    pub uid: String,
    pub failed: bool,
    revision: u64,
}

/// Replicas that every database should have.
pub const REPLICAS: i64 = 2;

/// What a stream says next.
#[derive(Clone, Debug)]
pub enum Said {
    Database(usize, Database),
    DatabaseGone(usize, Database),
    Cache(usize, Cache),
    CacheGone(usize, Cache),
    Event(Warning),
}

/// A Kubernetes Event.
#[derive(Clone, Debug)]
pub struct Warning {
    pub number: u32,
    pub about: usize,
    pub uid: String,
    pub count: u64,
    pub seen: Timestamp,
}

/// One stream's connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// A list was complete, and the connection has not been lost since.
    pub open: bool,
    /// A list was complete since the process started.
    pub listed: bool,
    /// What happened since is still known to the server: it can go on where it was.
    pub resumable: bool,
    pub waits: VecDeque<Said>,
}

#[derive(Default)]
pub struct Cluster {
    pub databases: [Option<Database>; DATABASES],
    pub caches: [Option<Cache>; CACHES],
    pub warnings: Vec<Warning>,
    pub streams: [Connection; 3],
    born: u32,
    revision: u64,
}

impl Cluster {
    pub fn change(&mut self, now: Timestamp, which: usize, change: Change) {
        if self.databases[which].is_none() {
            self.born += 1;
            self.databases[which] = Some(Database {
                uid: format!("database-{which}-{}", self.born),
                phase: 0,
                available: REPLICAS,
                size: 0,
                backed_up: now,
                version: 15,
                revision: 0,
            });
        }
        self.revision += 1;
        let Some(database) = &mut self.databases[which] else {
            return;
        };
        database.revision = self.revision;
        match change {
            Change::Phase(phase) => database.phase = phase,
            Change::Available(available) => database.available = available,
            Change::Size(size) => database.size = size,
            Change::BackedUp => database.backed_up = now,
            Change::Version(version) => database.version = version,
        }
        let said = Said::Database(which, database.clone());
        self.say(Stream::Databases, said);
    }

    pub fn cache(&mut self, which: usize, failed: bool) {
        let uid = if let Some(cache) = self.caches[which].take() {
            cache.uid
        } else {
            self.born += 1;
            format!("cache-{which}-{}", self.born)
        };
        self.revision += 1;
        let cache = Cache {
            uid,
            failed,
            revision: self.revision,
        };
        self.caches[which] = Some(cache.clone());
        self.say(Stream::Caches, Said::Cache(which, cache));
    }

    pub fn delete_database(&mut self, which: usize) {
        if let Some(database) = self.databases[which].take() {
            self.say(Stream::Databases, Said::DatabaseGone(which, database));
        }
    }

    pub fn delete_cache(&mut self, which: usize) {
        if let Some(cache) = self.caches[which].take() {
            self.say(Stream::Caches, Said::CacheGone(which, cache));
        }
    }

    pub fn warn(&mut self, now: Timestamp, about: usize) {
        let Some(uid) = self.databases[about].as_ref().map(|one| one.uid.clone()) else {
            return;
        };
        let known = self.warnings.iter_mut().find(|warning| warning.uid == uid);
        let warning = if let Some(warning) = known {
            warning.count += 1;
            warning.seen = now;
            warning.clone()
        } else {
            self.born += 1;
            let warning = Warning {
                number: self.born,
                about,
                uid,
                count: 1,
                seen: now,
            };
            self.warnings.push(warning.clone());
            warning
        };
        self.say(Stream::Events, Said::Event(warning));
    }

    fn say(&mut self, stream: Stream, said: Said) {
        let stream = &mut self.streams[stream as usize];
        if stream.resumable {
            stream.waits.push_back(said);
        }
    }

    /// Everything that there is of a stream's kind.
    pub fn list(&self, stream: Stream) -> Vec<Said> {
        match stream {
            Stream::Databases => {
                let all = self.databases.iter().enumerate();
                all.filter_map(|(which, one)| Some(Said::Database(which, one.clone()?)))
                    .collect()
            }
            Stream::Caches => {
                let all = self.caches.iter().enumerate();
                all.filter_map(|(which, one)| Some(Said::Cache(which, one.clone()?)))
                    .collect()
            }
            Stream::Events => self.warnings.iter().cloned().map(Said::Event).collect(),
        }
    }

    /// It as a signal of its stream, cut down to these paths.
    pub fn signal(said: &Said, paths: &PathSet) -> Signal {
        let observation = |object: Value| observation(&object, paths);
        match said {
            Said::Database(which, database) => {
                Signal::Applied(observation(manifest(*which, database)))
            }
            Said::DatabaseGone(which, database) => {
                Signal::Deleted(observation(manifest(*which, database)))
            }
            Said::Cache(which, one) => Signal::Applied(observation(cache(*which, one))),
            Said::CacheGone(which, one) => Signal::Deleted(observation(cache(*which, one))),
            Said::Event(warning) => Signal::Event(event(warning)),
        }
    }
}

pub fn source(stream: Stream) -> Source {
    match stream {
        Stream::Databases => Source::of("stable.example.com/v1", "DatabaseInstance"),
        Stream::Caches => Source::of("stable.example.com/v1", "Cache"),
        Stream::Events => Source::events(),
    }
}

pub fn signalled(stream: Stream, signal: Signal) -> Signalled {
    let source = source(stream).key();
    Signalled { source, signal }
}

fn manifest(which: usize, database: &Database) -> Value {
    json!({
        "apiVersion": "stable.example.com/v1", "kind": "DatabaseInstance",
        "metadata": {"name": format!("database-{which}"), "namespace": "prod", "uid": database.uid,
            "resourceVersion": database.revision.to_string()},
        "spec": {"replicas": REPLICAS, "version": database.version.to_string()},
        "status": {
            "phase": PHASES[database.phase], "availableReplicas": database.available,
            "size": SIZES[database.size], "lastBackupTime": database.backed_up.to_string(),
        },
    })
}

fn cache(which: usize, cache: &Cache) -> Value {
    json!({
        "apiVersion": "stable.example.com/v1", "kind": "Cache",
        "metadata": {"name": format!("cache-{which}"), "namespace": "prod", "uid": cache.uid,
            "resourceVersion": cache.revision.to_string()},
        "status": {"phase": if cache.failed { "Failed" } else { "Running" }},
    })
}

fn observation(object: &Value, paths: &PathSet) -> Observation {
    let version = object["metadata"]["resourceVersion"].as_str();
    let version = version.unwrap_or_default();
    let whole = Json::from(object.clone());
    let uid = whole.at(&["metadata", "uid"]).and_then(Json::as_str);
    let uid = Uid::parse(uid.unwrap_or_default());
    Observation {
        change: watch::Change::Applied,
        header: Header {
            uid,
            object: object_ref(uid, &whole),
            resource_version: version.into(),
        },
        object: watch::object::with_identity(paths).project(&whole),
    }
}

fn event(warning: &Warning) -> KubernetesEvent {
    KubernetesEvent {
        uid: Uid::parse(&format!("event-{}", warning.number)),
        type_: "Warning".into(),
        reason: "Unhappy".into(),
        message: "it is".into(),
        count: warning.count,
        first_seen: warning.seen,
        last_seen: warning.seen,
        regarding: Regarding {
            api_version: "stable.example.com/v1".into(),
            kind: "DatabaseInstance".into(),
            namespace: "prod".into(),
            name: format!("database-{}", warning.about).into(),
            uid: Some(Uid::parse(&warning.uid)),
        },
        reporting_controller: "operator".into(),
        namespace: "prod".into(),
        name: format!("event-{}", warning.number).into(),
    }
}
