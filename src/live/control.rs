//! The socket beside the state file on which the other commands ask a running bridge: what was
//! decided, what is not delivered, which silences there are; and make and end silences, and send
//! again or drop what was not delivered.
//!
//! In: one JSON document a connection, on one line: [`Asked`]. Out: one JSON document: [`Answer`].
//! Whoever may write the state file may connect, nobody else: the socket has its owner's rights
//! only. It decides nothing: silences are the engine's, and survive a restart with it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::commit::SharedLedger;
use super::drive::{Question, Queued};
use crate::decision::ledger::{Entry, Filter, Ledger};
use crate::journal::{Key, Record};
use crate::names::{GroupKey, NotificationId, ReceiverName, SilenceName};
use crate::notify::{Notification, Silence, SilenceChange, Status};
use crate::outbox::{DeadLetter, OutboxChange, Waiting};

/// How long a question may be, in bytes.
const LONGEST: u64 = 64 << 10;
/// How long asking, or the engine's answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Asked {
    Ledger(Filter),
    Silences,
    Silence(Box<Silence>),
    Expire(SilenceName),
    Outbox,
    Change(OutboxChange),
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    Ledger(Vec<Entry>),
    /// Each with whether it was made while the bridge runs.
    Silences(Vec<(Silence, bool)>),
    Outbox(Vec<Letter>),
    Done,
    /// What is wrong with the question, in words.
    Refused(String),
}

/// A message that was not delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    pub id: NotificationId,
    pub receiver: ReceiverName,
    pub group: GroupKey,
    /// `firing` or `resolved`.
    pub status: String,
    pub state: LetterState,
    pub decided_at: Timestamp,
    pub attempts: u32,
    /// When it is attempted next; absent while it is under way, or another of its group is before it.
    pub next: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Why it is dead.
    pub why: Option<String>,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetterState {
    Waiting,
    UnderWay,
    Dead,
}

/// What the answers are made of.
#[derive(Clone)]
pub struct Sources {
    pub questions: mpsc::Sender<Question>,
    pub ledger: SharedLedger,
}

/// The socket, open; the file goes with it.
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

/// Where the socket of a state file is.
#[must_use]
pub fn path_of(state: &Path) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(".sock");
    path.into()
}

/// The ledger that the journal kept; its records are taken out.
#[must_use]
pub fn take_ledger(records: &mut Vec<(Key, Record)>) -> Ledger {
    let kept = records.extract_if(.., |(key, _)| matches!(key, Key::Decision(_)));
    Ledger::restore(kept.filter_map(|record| match record {
        (Key::Decision(number), Record::Decision(entry)) => Some((number, *entry)),
        _ => None,
    }))
}

/// What the journal says was not delivered.
#[must_use]
pub fn letters_of(records: &[(Key, Record)]) -> Vec<Letter> {
    let letters = records.iter().filter_map(|(_, record)| match record {
        Record::Outbox(waiting) => {
            let next = waiting
                .not_before
                .max(waiting.paused_until.unwrap_or_default());
            Some(Letter::waiting(waiting, false, Some(next)))
        }
        Record::Dead(letter) => Some(Letter::dead(letter)),
        _ => None,
    });
    letters.collect()
}

impl LetterState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "under way",
            Self::Dead => "dead",
        }
    }
}

impl Letter {
    fn waiting(waiting: &Waiting, under_way: bool, next: Option<Timestamp>) -> Self {
        let state = if under_way {
            LetterState::UnderWay
        } else {
            LetterState::Waiting
        };
        Self {
            attempts: waiting.attempts,
            next: next.filter(|_| !under_way),
            last_error: waiting.last_error.clone(),
            ..Self::of(&waiting.notification, state)
        }
    }

    fn dead(letter: &DeadLetter) -> Self {
        Self {
            attempts: letter.attempts,
            why: Some(letter.why.clone()),
            ..Self::of(&letter.notification, LetterState::Dead)
        }
    }

    fn of(notification: &Notification, state: LetterState) -> Self {
        let status = match notification.status {
            Status::Firing => "firing",
            Status::Resolved => "resolved",
        };
        Self {
            id: notification.id.clone(),
            receiver: notification.receiver.clone(),
            group: notification.group.clone(),
            status: status.to_owned(),
            state,
            decided_at: notification.at,
            attempts: 0,
            next: None,
            last_error: None,
            why: None,
        }
    }
}

impl Listener {
    /// Opens the socket of a state file that is ours: one that is there was left by a crash.
    ///
    /// # Errors
    /// The socket cannot be made, for instance because the path is too long for one.
    pub fn open(state: &Path) -> io::Result<Self> {
        let path = path_of(state);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Answers until it is dropped.
    pub async fn serve(self, sources: Sources) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(answer(stream, sources.clone()));
                }
                Err(error) => {
                    // Too many open files, perhaps: whoever asks hears nothing for a moment.
                    tracing::warn!("a question cannot be taken: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(mut stream: UnixStream, sources: Sources) {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(LONGEST));
    if !matches!(
        timeout(PATIENCE, reader.read_line(&mut line)).await,
        Ok(Ok(_))
    ) {
        return;
    }
    let answer = match serde_json::from_str(&line) {
        Ok(asked) => sources.answer(asked).await,
        Err(error) => Answer::Refused(format!("the question cannot be read: {error}")),
    };
    let text = serde_json::to_vec(&answer).unwrap_or_default();
    // Whoever asked may have gone.
    let _ = timeout(PATIENCE, write.write_all(&text)).await;
}

impl Sources {
    async fn answer(&self, asked: Asked) -> Answer {
        match asked {
            Asked::Ledger(filter) => {
                let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                Answer::Ledger(ledger.entries(&filter).cloned().collect())
            }
            Asked::Silences => match self.ask(Question::Silences).await {
                Some(silences) => Answer::Silences(silences),
                None => stuck(),
            },
            Asked::Silence(silence) => {
                self.change(silence.name.clone(), SilenceChange::Put(*silence))
                    .await
            }
            Asked::Outbox => match self.letters().await {
                Some(letters) => Answer::Outbox(letters),
                None => stuck(),
            },
            Asked::Change(change) => self.change_outbox(change).await,
            Asked::Expire(name) => self.change(name.clone(), SilenceChange::Expire(name)).await,
        }
    }

    async fn letters(&self) -> Option<Vec<Letter>> {
        let undelivered = self.ask(Question::Outbox).await?;
        let waiting = undelivered.waiting.iter();
        let waiting = waiting
            .map(|queued: &Queued| Letter::waiting(&queued.waiting, queued.under_way, queued.next));
        let dead = undelivered.dead.iter().map(Letter::dead);
        Some(waiting.chain(dead).collect())
    }

    async fn change_outbox(&self, change: OutboxChange) -> Answer {
        let Some(letters) = self.letters().await else {
            return stuck();
        };
        let (OutboxChange::Retry(id) | OutboxChange::Drop(id)) = &change;
        match letters.iter().find(|letter| letter.id == *id) {
            None => return Answer::Refused(format!("there is no undelivered message {id}")),
            Some(letter) if letter.state == LetterState::UnderWay => {
                return Answer::Refused(format!("message {id} is under way"));
            }
            Some(_) => {}
        }
        match self.ask(|reply| Question::Change(change, reply)).await {
            Some(()) => Answer::Done,
            None => stuck(),
        }
    }

    /// Changes what was made while the bridge runs; documents are their authors'.
    async fn change(&self, name: SilenceName, change: SilenceChange) -> Answer {
        let Some(silences) = self.ask(Question::Silences).await else {
            return stuck();
        };
        let known = silences.iter().find(|(silence, _)| silence.name == name);
        match (&change, known) {
            (_, Some((_, false))) => {
                return Answer::Refused(format!(
                    "silence {name} stands in a document: change it there"
                ));
            }
            (SilenceChange::Expire(_), None) => {
                return Answer::Refused(format!("there is no silence {name}"));
            }
            _ => {}
        }
        match self.ask(|reply| Question::Silence(change, reply)).await {
            Some(()) => Answer::Done,
            None => stuck(),
        }
    }

    async fn ask<A>(&self, question: impl FnOnce(oneshot::Sender<A>) -> Question) -> Option<A> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.questions.send(question(reply)).await.ok()?;
            answer.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }
}

fn stuck() -> Answer {
    Answer::Refused("the bridge does not answer".to_owned())
}
