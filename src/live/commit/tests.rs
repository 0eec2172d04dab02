//! Committing against a journal that can fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::time::timeout;

use super::*;
use crate::journal::Memory;
use crate::names::{GroupKey, Labels, NotificationId, ReceiverName, Uid};
use crate::notify::{Cause, Notification, Status};
use crate::transition::EventSeen;

/// A disk that is full for the first commits, and remembers what each later one held.
#[derive(Clone, Default)]
struct Disk {
    failures: Arc<AtomicUsize>,
    memory: Arc<Mutex<Memory>>,
    commits: Arc<Mutex<Vec<Batch>>>,
}

impl Journal for Disk {
    fn load(&mut self) -> Result<Vec<(Key, Record)>, JournalError> {
        self.memory.lock().unwrap().load()
    }

    fn commit(&mut self, batch: &Batch, epoch: u64) -> Result<(), JournalError> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err(JournalError::Write {
                path: "state".into(),
                why: "no space left on device".to_owned(),
            });
        }
        self.memory.lock().unwrap().commit(batch, epoch)?;
        self.commits.lock().unwrap().push(batch.clone());
        Ok(())
    }
}

struct Bench {
    disk: Disk,
    turns: mpsc::Sender<Vec<Effect>>,
    released: mpsc::UnboundedReceiver<Released>,
    health: Health,
    metrics: Metrics,
    end: tokio::task::JoinHandle<Result<(), CommitError>>,
}

fn bench(disk: Disk) -> Bench {
    let (release, released) = mpsc::unbounded_channel();
    let (turns, inbox) = mpsc::channel(64);
    let metrics = Metrics::new();
    let committer = Committer::new(
        Box::new(disk.clone()),
        1,
        release,
        metrics.clone(),
        SharedLedger::default(),
    );
    Bench {
        disk,
        turns,
        released,
        health: committer.health(),
        metrics,
        end: tokio::spawn(committer.run(inbox)),
    }
}

fn key(name: &str) -> Key {
    Key::Event(Uid::parse(name))
}

fn persist(name: &str, count: u64) -> Effect {
    let mut batch = Batch::default();
    let record = EventSeen {
        namespace: "prod".into(),
        count,
        last_seen: Timestamp::UNIX_EPOCH,
    };
    batch.put(key(name), Record::Event(record));
    Effect::Persist(batch)
}

fn deliver(id: &str) -> Effect {
    let notification = Notification {
        id: NotificationId::from(id),
        receiver: ReceiverName::from("chat"),
        group: GroupKey::from("chat{}"),
        group_labels: Labels::new(),
        status: Status::Firing,
        cause: Cause::New,
        opens: true,
        instead_of: None,
        first: Vec::new(),
        at: Timestamp::UNIX_EPOCH,
        alerts: Vec::new(),
        omitted: 0,
        digest: Vec::new(),
    };
    Effect::Deliver(Attempt {
        notification: Arc::new(notification),
        number: 1,
        posted: None,
    })
}

async fn next(bench: &mut Bench) -> (String, bool) {
    let released = bench.released.recv().await.unwrap();
    (released.attempt.notification.id.to_string(), released.saved)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_released_once_its_batch_is_on_disk() {
    let mut bench = bench(Disk::default());
    let turn = vec![persist("a", 1), deliver("n1")];
    bench.turns.send(turn).await.unwrap();
    assert_eq!(next(&mut bench).await, ("n1".to_owned(), true));
    assert_eq!(bench.disk.load().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn turns_that_gathered_are_one_commit() {
    let mut bench = bench(Disk::default());
    for n in 1..=50 {
        bench
            .turns
            .try_send(vec![persist("a", n), deliver("n")])
            .unwrap();
    }
    for _ in 1..=50 {
        assert_eq!(next(&mut bench).await, ("n".to_owned(), true));
    }
    let commits = bench.disk.commits.lock().unwrap().len();
    assert!(commits <= 2, "{commits} commits for 50 turns");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_silences_nobody_and_all_is_saved_once_there_is_room() {
    let disk = Disk::default();
    disk.failures.store(3, Ordering::SeqCst);
    let mut bench = bench(disk);
    bench
        .turns
        .send(vec![persist("a", 1), deliver("n1")])
        .await
        .unwrap();
    assert_eq!(next(&mut bench).await, ("n1".to_owned(), false));
    bench
        .turns
        .send(vec![persist("b", 1), persist("a", 2), deliver("n2")])
        .await
        .unwrap();
    assert_eq!(next(&mut bench).await, ("n2".to_owned(), false));
    assert!(bench.health.trouble().unwrap().contains("no space left"));
    assert!(
        bench
            .metrics
            .text(
                &crate::engine::Status::default(),
                &crate::live::metrics::Streams::default()
            )
            .contains("bellwether_journal_unsaved_records 2")
    );

    tokio::time::sleep(LAST_RETRY).await;
    assert_eq!(bench.health.trouble(), None);
    assert_eq!(bench.disk.load().unwrap().len(), 2);
    assert_eq!(bench.disk.commits.lock().unwrap().len(), 1);
    bench
        .turns
        .send(vec![persist("c", 1), deliver("n3")])
        .await
        .unwrap();
    assert_eq!(next(&mut bench).await, ("n3".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_while_nothing_is_unsaved() {
    let bench = bench(Disk::default());
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(bench.disk.commits.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_flushes_what_is_left() {
    let disk = Disk::default();
    disk.failures.store(1, Ordering::SeqCst);
    let mut bench = bench(disk);
    bench
        .turns
        .send(vec![persist("a", 1), deliver("n1")])
        .await
        .unwrap();
    assert_eq!(next(&mut bench).await, ("n1".to_owned(), false));
    drop(bench.turns);
    let end = timeout(Duration::from_secs(1), bench.end).await;
    end.unwrap().unwrap().unwrap();
    assert_eq!(bench.disk.load().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_was_superseded_stops() {
    let disk = Disk::default();
    disk.memory
        .lock()
        .unwrap()
        .commit(&Batch::default(), 2)
        .unwrap();
    let mut bench = bench(disk);
    bench
        .turns
        .send(vec![persist("a", 1), deliver("n1")])
        .await
        .unwrap();
    let end = bench.end.await.unwrap();
    assert!(matches!(end, Err(CommitError::Fenced(_))), "{end:?}");
    assert!(bench.released.recv().await.is_none());
}
