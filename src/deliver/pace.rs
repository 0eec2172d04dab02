//! Slack takes one message a second for each channel of a bot and for each incoming webhook
//! (<https://docs.slack.dev/apis/web-api/rate-limits>): whoever is early waits here, not at Slack.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long after an answer the next message may go to the same channel.
const EACH: Duration = Duration::from_secs(1);

/// When each channel, or webhook, was last written to.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<String, Turn>>);

/// One writes to a channel at a time; the moment is that of the last answer.
type Turn = Arc<tokio::sync::Mutex<Option<Instant>>>;

impl Pace {
    /// Sends when it is the channel's turn.
    pub async fn send<T>(&self, channel: &str, sending: impl Future<Output = T>) -> T {
        let turn = {
            let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(channels.entry(channel.to_owned()).or_default())
        };
        let mut last = turn.lock().await;
        if let Some(last) = *last {
            sleep_until(last + EACH).await;
        }
        let sent = sending.await;
        *last = Some(Instant::now());
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_written_to_once_a_second_and_others_do_not_wait() {
        let (pace, start) = (Pace::default(), Instant::now());
        let at = async || start.elapsed();
        let told = [
            pace.send("a", at()).await,
            pace.send("a", at()).await,
            pace.send("b", at()).await,
            pace.send("a", at()).await,
        ];
        assert_eq!(told.map(|after| after.as_secs()), [0, 1, 1, 2]);
    }
}
