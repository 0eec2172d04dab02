//! What the core knows of a receiver: how its alerts are grouped, repeated and limited.

use std::sync::Arc;

use jiff::SignedDuration;

use super::times::Times;
use crate::names::{ReceiverName, RouteName};

/// What the core knows of a receiver: everything but where it is and how it is spoken to.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub receiver: ReceiverName,
    pub group_by: GroupBy,
    /// How long a new group waits for more alerts before its first notification.
    pub group_wait: SignedDuration,
    /// How long after a notification the group's next news are told.
    pub group_interval: SignedDuration,
    /// How long after a notification without news the group is told again.
    pub repeat_interval: SignedDuration,
    pub send_resolved: bool,
    pub limit: Option<Limit>,
    /// For each rule by itself, besides.
    pub limit_per_rule: Option<Limit>,
    /// How many notifications may be under way at once.
    pub max_in_flight: u32,
    /// For how long a notification is tried.
    pub give_up_after: SignedDuration,
    pub heartbeat: Option<SignedDuration>,
    /// Who is told what it does not take.
    pub fallback: Option<ReceiverName>,
    /// It is told in these groups and at this pace whatever a route says: it forgets what it does not
    /// hear of in time.
    pub keeps_pace: bool,
    /// It wants to hear that somebody has silenced all of a group that it was told of.
    pub acknowledges: bool,
    /// The route that changed it for its own groups, and when those may be told.
    pub route: Option<RouteName>,
    pub times: Times,
}

/// Which labels make a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    Labels(Vec<Arc<str>>),
    /// `[...]`: every alert is a group of one.
    All,
}

/// At most this many notifications in that time, and this many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub notifications: u32,
    pub per: SignedDuration,
    pub burst: u32,
}
