//! Mistakes planted on purpose, for the test that the simulation finds each of them.
//!
//! Outside of tests none is ever there, and asking costs nothing.

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An attempt stands in front of the batch that it follows from.
    DeliverBeforePersist,
    /// Timers are not set again after a restart.
    TimersLostAtRestart,
    /// A hold begins again at a restart.
    HoldBeginsAgainAtRestart,
    /// What a list names is new, whatever was known before.
    RelistIsNews,
    /// An aborted list counts as a complete one.
    AbortedListDeletes,
    /// What a complete list does not name is still there.
    AbsenceIsNotDeletion,
    /// What cannot be told is taken for false.
    UnknownIsFalse,
    /// Timers act on streams that have been broken for long.
    StaleTimersAct,
    /// Timers act before what time has changed is looked at.
    TimersBeforeAnswers,
    /// What was said before a standstill is believed after it.
    OldIsBelieved,
    /// The alerts of a rule that was removed go on.
    RemovedRuleFires,
    /// The Events seen are not remembered over a restart.
    EventsForgotten,
    /// What a receiver has heard of an alert is not written down.
    HeardNotWritten,
    /// An attempt whose answer was lost counts as never made.
    LostAnswerIsUnheard,
    /// A notification has another id after a restart.
    NewIdAfterRestart,
    /// A group's second notification does not wait for its first.
    GroupsOvertake,
    /// `Retry-After` is not obeyed.
    RetryAfterIgnored,
    /// A group is not woken by what resolves.
    ResolveSleeps,
    /// Silences do not survive a restart.
    SilencesForgotten,
    /// What nobody is told of for now counts as told.
    SilencedIsTold,
    /// That somebody is at something is told of what was not.
    AcknowledgedUnheard,
    /// That it was told that somebody is at something is not remembered.
    AcknowledgedTwice,
}

#[cfg(test)]
impl Bug {
    pub const ALL: [Bug; 22] = [
        Bug::DeliverBeforePersist,
        Bug::TimersLostAtRestart,
        Bug::HoldBeginsAgainAtRestart,
        Bug::RelistIsNews,
        Bug::AbortedListDeletes,
        Bug::AbsenceIsNotDeletion,
        Bug::UnknownIsFalse,
        Bug::StaleTimersAct,
        Bug::TimersBeforeAnswers,
        Bug::OldIsBelieved,
        Bug::RemovedRuleFires,
        Bug::EventsForgotten,
        Bug::HeardNotWritten,
        Bug::LostAnswerIsUnheard,
        Bug::NewIdAfterRestart,
        Bug::GroupsOvertake,
        Bug::RetryAfterIgnored,
        Bug::ResolveSleeps,
        Bug::SilencesForgotten,
        Bug::SilencedIsTold,
        Bug::AcknowledgedUnheard,
        Bug::AcknowledgedTwice,
    ];
}

/// Whether it is planted here and now.
#[cfg(not(test))]
#[inline]
pub const fn has(_: Bug) -> bool {
    false
}

#[cfg(test)]
pub use here::{has, plant};

#[cfg(test)]
mod here {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    pub fn has(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Plants a mistake in this thread, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
