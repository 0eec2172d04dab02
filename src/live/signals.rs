//! SIGTERM and SIGINT: the first asks to finish, the second means now. SIGHUP: read the files again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a second signal.
pub const AT_ONCE: i32 = 130;

/// The signals that ask the process to stop.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// The signal that asks to read the files again.
pub struct Hangups(Signal);

impl Hangups {
    /// Starts listening. From here on the signal no longer ends the process.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        // The stream never ends while the runtime lives.
        let _ = self.0.recv().await;
    }
}

impl Signals {
    /// Starts listening. From here on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and says which it was.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process at the next signal, whatever is still under way. What is on disk stays
    /// whole: that is the journal's promise for any sudden end.
    pub async fn end_at_next(mut self) {
        let which = self.next().await;
        tracing::warn!("{which} again: stopping at once");
        std::process::exit(AT_ONCE);
    }
}
