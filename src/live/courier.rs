//! Makes attempts, each as a task of its own, and reports how they ended.
//!
//! In: attempts that may be made. Out: an [`Ended`] for each. How many run at once is the outbox's
//! decision; this only runs them.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::commit::Released;
use super::drive::Ended;
use crate::outbox::{Attempt, Delivery};

/// Makes every attempt that comes in through `send`, until the channel closes and all have ended.
/// When it is dropped, attempts under way are cut off; they are made again after the restart.
///
/// # Errors
/// An attempt panicked.
pub async fn run<Send, Sending>(
    mut released: mpsc::UnboundedReceiver<Released>,
    ended: mpsc::UnboundedSender<Ended>,
    send: Send,
) -> Result<(), JoinError>
where
    Send: Fn(Attempt) -> Sending,
    Sending: Future<Output = Delivery> + std::marker::Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            next = released.recv(), if open => match next {
                Some(Released { attempt, saved }) => {
                    if !saved {
                        tracing::warn!(
                            notification = %attempt.notification.id,
                            "sending although the state file cannot be written: a crash may send it again"
                        );
                    }
                    let id = attempt.notification.id.clone();
                    let sending = send(attempt);
                    under_way.spawn(async move { Ended { id, delivery: sending.await } });
                }
                None => open = false,
            },
            Some(end) = under_way.join_next() => {
                // The engine may have stopped waiting; the outcome then shows after the restart.
                let _ = ended.send(end?);
            }
        }
    }
    Ok(())
}
