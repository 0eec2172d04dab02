//! What the journal promises, tried on files.

mod damage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use insta::assert_snapshot;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use std::collections::BTreeMap;

use crate::cel::Json;

const CLUSTER: &str = "11111111-2222-3333-4444-555555555555";

/// A folder with a state file in it, and the file's text replaced in messages.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Error and help as a person reads them.
    fn refusal(&self, path: &Path) -> String {
        match open(path) {
            Ok(_) => panic!("opened"),
            Err(error) => self.told(&error),
        }
    }

    fn told(&self, error: &JournalError) -> String {
        let text = format!("{error}\nhelp: {}", error.help());
        text.replace(&*self.folder.path().to_string_lossy(), "DIR")
    }
}

fn open(path: &Path) -> Result<Store, JournalError> {
    let mut store = Store::open(path)?;
    store.claim(CLUSTER)?;
    Ok(store)
}

fn event(n: u128) -> Key {
    Key::Event(Uid::parse(&format!("event-{n}")))
}

fn seen(count: u64) -> Record {
    Record::Event(EventSeen {
        namespace: "prod".into(),
        count,
        last_seen: Timestamp::UNIX_EPOCH,
    })
}

fn put(entries: impl IntoIterator<Item = (Key, Record)>) -> Batch {
    let entries = entries.into_iter();
    Batch(entries.map(|(k, r)| (k, Some(r))).collect())
}

/// A file with twenty commits of a hundred Events each, each commit counting on, and what
/// each commit left.
fn written(path: &Path) -> Vec<Vec<(Key, Record)>> {
    let mut store = open(path).unwrap();
    let mut states = vec![Vec::new()];
    for commit in 1..=20 {
        let batch = put((0..100).map(|n| (event(n), seen(commit))));
        store.commit(&batch, store.epoch()).unwrap();
        states.push(store.load().unwrap());
    }
    states
}

#[test]
fn what_was_committed_is_loaded_after_a_restart() {
    let place = Place::new();
    let states = written(&place.path());
    assert_eq!(open(&place.path()).unwrap().load().unwrap(), states[20]);
}

#[test]
fn records_come_back_in_the_order_of_their_keys() {
    let place = Place::new();
    let mut store = open(&place.path()).unwrap();
    let source = Key::Source(SourceKey::from("v1/Node"));
    let listed = Record::Source(PathSet::none());
    let batch = put([(event(1), seen(1)), (source.clone(), listed)]);
    store.commit(&batch, store.epoch()).unwrap();
    let keys: Vec<Key> = store.load().unwrap().into_iter().map(|(k, _)| k).collect();
    assert_eq!(keys, [source, event(1)]);
}

#[test]
fn a_second_copy_is_refused() {
    let place = Place::new();
    let _first = open(&place.path()).unwrap();
    let refusal = place.refusal(&place.path());
    let me = fs::read_to_string(place.folder.path().join("state.lock")).unwrap();
    assert_snapshot!(refusal.replace(me.trim(), "HOLDER"), @"
    the state file DIR/state is in use by another bellwether (HOLDER)
    help: stop the other one, or give each its own file with --state; two on one file would tell everything twice
    ");
}

#[test]
fn the_file_of_another_cluster_is_refused_and_stays_as_it_was() {
    let place = Place::new();
    let states = written(&place.path());
    let mut store = Store::open(&place.path()).unwrap();
    let refusal = store
        .claim("99999999-0000-0000-0000-000000000000")
        .unwrap_err();
    assert_snapshot!(place.told(&refusal), @"
    the state file DIR/state belongs to another cluster (its kube-system namespace has the UID 11111111-2222-3333-4444-555555555555; this cluster's is 99999999-0000-0000-0000-000000000000)
    help: check --kubeconfig and --context, name another file with --state, or set this one aside: mv DIR/state DIR/state.aside
    ");
    drop(store);
    assert_eq!(open(&place.path()).unwrap().load().unwrap(), states[20]);
}

#[test]
fn a_folder_that_does_not_exist_is_said() {
    let place = Place::new();
    assert_snapshot!(place.refusal(&place.folder.path().join("no/state")), @"
    the folder of the state file DIR/no/state does not exist
    help: create it (mkdir -p DIR/no), or name another file with --state
    ");
}

#[test]
fn a_folder_is_not_a_state_file() {
    let place = Place::new();
    assert_snapshot!(place.refusal(place.folder.path()), @"
    the state file DIR cannot be opened: Is a directory (os error 21)
    help: --state takes a file: name one in that folder
    ");
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_alone() {
    let place = Place::new();
    let text = "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\n".repeat(200);
    fs::write(place.path(), &text).unwrap();
    assert_snapshot!(place.refusal(&place.path()), @"
    DIR/state is not a state file of bellwether: it is no database, or its beginning is lost
    help: is --state right? If the file is not needed: mv DIR/state DIR/state.aside
    ");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
}

#[test]
fn the_database_of_another_program_is_refused() {
    let place = Place::new();
    let theirs = redb::Database::create(place.path()).unwrap();
    let write = theirs.begin_write().unwrap();
    write
        .open_table(redb::TableDefinition::<&str, u64>::new("theirs"))
        .unwrap();
    write.commit().unwrap();
    drop(theirs);
    assert_snapshot!(place.refusal(&place.path()), @"
    DIR/state is not a state file of bellwether: it is the database of another program
    help: is --state right? If the file is not needed: mv DIR/state DIR/state.aside
    ");
}

#[test]
fn a_file_of_a_later_format_is_refused() {
    let place = Place::new();
    drop(open(&place.path()).unwrap());
    let database = redb::Database::open(place.path()).unwrap();
    let write = database.begin_write().unwrap();
    write
        .open_table(redb::TableDefinition::<&str, u64>::new("bellwether"))
        .unwrap()
        .insert("format", 2)
        .unwrap();
    write.commit().unwrap();
    drop(database);
    assert_snapshot!(place.refusal(&place.path()), @"
    the state file DIR/state has format 2; this version reads format 1
    help: use the version that wrote it or a newer one, or set the file aside: mv DIR/state DIR/state.aside
    ");
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let place = Place::new();
    drop(open(&place.path()).unwrap());
    let database = redb::Database::open(place.path()).unwrap();
    let write = database.begin_write().unwrap();
    write
        .open_table(redb::TableDefinition::<&[u8], &[u8]>::new("records"))
        .unwrap()
        .insert(
            codec::encode_key(&event(1)).as_slice(),
            &b"{\"Alert\":7}"[..],
        )
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let error = open(&place.path()).unwrap().load().unwrap_err();
    assert_snapshot!(place.told(&error), @r#"
    the state file DIR/state holds a record that cannot be read: {"Event":"fe31ee42-5129-4a61-9832-c12093d35f51"}: invalid type: integer `7`, expected struct Alert at line 1 column 10
    help: restore the file from a backup, or set it aside: mv DIR/state DIR/state.aside; alerts that are still true will then be told once more
    "#);
}

#[test]
fn an_older_epoch_may_not_write_any_more() {
    let place = Place::new();
    let mut store = open(&place.path()).unwrap();
    let epoch = store.epoch();
    store
        .commit(&put([(event(1), seen(1))]), epoch + 1)
        .unwrap();
    let refused = store
        .commit(&put([(event(1), seen(2))]), epoch)
        .unwrap_err();
    assert!(matches!(refused, JournalError::Fenced { .. }), "{refused}");
    assert_eq!(store.load().unwrap(), [(event(1), seen(1))]);
}

#[test]
fn each_start_is_a_new_epoch() {
    let place = Place::new();
    let first = open(&place.path()).unwrap().epoch();
    assert_eq!(open(&place.path()).unwrap().epoch(), first + 1);
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    drop(open(&place.path()).unwrap());
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_double_is_stored_to_the_last_bit() {
    let double = object(Json::Double(1.292_616_393_423_981_3e227));
    let bytes = codec::encode_record(&double);
    assert_eq!(codec::decode_record(&bytes).unwrap(), double);
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        proptest::num::f64::NORMAL.prop_map(Json::Double),
        ".{0,8}".prop_map(|text| Json::String(text.into())),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| {
                let entries = map.into_iter().map(|(k, v)| (Arc::from(k), v));
                Json::Map(crate::cel::Map::new(entries.collect()))
            }),
        ]
    })
}

fn object(value: Json) -> Record {
    Record::Object(ObjectSeen {
        object: Arc::new(value),
        levels: BTreeMap::new(),
        last_well: BTreeMap::new(),
    })
}

fn change() -> impl Strategy<Value = (Key, Option<Record>)> {
    let key = (0_u8..8).prop_map(|n| {
        let source = SourceKey::from("stable.example.com/v1/DatabaseInstance");
        Key::Object(source, Uid::parse(&format!("object-{n}")))
    });
    (key, proptest::option::of(json().prop_map(object)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_file_loads_what_memory_would(
        runs in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(change(), 0..6), 0..4),
            1..4,
        ),
    ) {
        let place = Place::new();
        let mut memory = Memory::default();
        for run in runs {
            let mut store = open(&place.path()).unwrap();
            prop_assert_eq!(store.load().unwrap(), memory.load().unwrap());
            for changes in run {
                let batch = Batch(changes);
                store.commit(&batch, store.epoch()).unwrap();
                memory.commit(&batch, store.epoch()).unwrap();
            }
            prop_assert_eq!(store.load().unwrap(), memory.load().unwrap());
        }
    }
}
