//! Which receivers an alert goes to, when its rule names none: the routes decide.
//!
//! A route without a namespace concerns all alerts, one in a namespace those of that namespace's
//! rules; each of the two lists is tried by itself, so that no tenant takes an alert away from the
//! operator, nor the operator from a tenant. A receiver hears of an alert once, by the first route
//! that brings it there.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::Policy;
use super::condition::Condition;
use super::index::Index;
use super::policy::GroupBy;
use super::times::Times;
use crate::alert::Alert;
use crate::config::Matchers;
use crate::names::{ReceiverName, RouteName, RuleName};

/// A route, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub name: RouteName,
    pub namespace: Option<Arc<str>>,
    pub priority: i32,
    pub matchers: Matchers,
    pub condition: Option<Condition>,
    pub receivers: Vec<ReceiverName>,
    pub grouping: Grouping,
    /// Whether the routes after it are tried too.
    pub goes_on: bool,
    pub times: Times,
}

/// What a route says instead of its receivers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grouping {
    pub group_by: Option<GroupBy>,
    pub group_wait: Option<SignedDuration>,
    pub group_interval: Option<SignedDuration>,
    pub repeat_interval: Option<SignedDuration>,
}

/// All routes, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    all: Vec<Route>,
    index: Index,
    /// The receivers' policies as each route changes them.
    policies: BTreeMap<(RouteName, ReceiverName), Arc<Policy>>,
}

/// Where an alert goes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Destinations {
    /// Each receiver once, with the route that brings the alert there.
    pub to: Vec<(ReceiverName, Option<RouteName>)>,
    /// Conditions that could not be evaluated: they counted as true, and the next routes were
    /// tried as well.
    pub complaints: Vec<String>,
}

impl Routes {
    pub(crate) fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by(|a, b| {
            let rank = |it: &Route| (Reverse(it.priority), it.name.clone());
            rank(a).cmp(&rank(b))
        });
        Self {
            index: Index::of(routes.iter().map(|route| &route.matchers)),
            all: routes,
            policies: BTreeMap::new(),
        }
    }

    /// The receivers are new.
    pub(crate) fn set_policies(&mut self, known: &BTreeMap<ReceiverName, Arc<Policy>>) {
        self.policies = BTreeMap::new();
        for route in &self.all {
            for receiver in &route.receivers {
                if let Some(policy) = known.get(receiver) {
                    let key = (route.name.clone(), receiver.clone());
                    self.policies.insert(key, Arc::new(route.changes(policy)));
                }
            }
        }
    }

    /// The receiver's policy as the route changes it.
    pub(crate) fn policy(
        &self,
        route: &RouteName,
        receiver: &ReceiverName,
    ) -> Option<&Arc<Policy>> {
        self.policies.get(&(route.clone(), receiver.clone()))
    }

    /// Where the alert goes: where its rule says, or where the routes say.
    pub(crate) fn destinations(&self, alert: &Alert) -> Destinations {
        if !alert.routed || self.all.is_empty() {
            let named = alert.receivers.iter().cloned();
            return Destinations {
                to: named.map(|receiver| (receiver, None)).collect(),
                complaints: Vec::new(),
            };
        }
        let mut found = Destinations::default();
        let candidates = self.index.candidates(&alert.labels);
        if let Some(tenant) = tenant(&alert.rule) {
            self.follow(Some(tenant), &candidates, alert, &mut found);
        }
        self.follow(None, &candidates, alert, &mut found);
        found
    }

    /// Tries the routes of one list in turn.
    fn follow(
        &self,
        namespace: Option<&str>,
        candidates: &[usize],
        alert: &Alert,
        found: &mut Destinations,
    ) {
        let of_list = candidates.iter().map(|place| &self.all[*place]);
        for route in of_list.filter(|route| route.namespace.as_deref() == namespace) {
            if !route.matchers.matches(&alert.labels) {
                continue;
            }
            let certain = match route.condition.as_ref().map(|it| it.holds(alert)) {
                None | Some(Ok(true)) => true,
                Some(Ok(false)) => continue,
                Some(Err(why)) => {
                    found
                        .complaints
                        .push(format!("route {}: where: {why}", route.name));
                    false
                }
            };
            let mut allowed = route
                .receivers
                .iter()
                .filter(|it| alert.receivers.contains(it));
            let first = allowed.next();
            // A route all of whose receivers are closed to this rule is none of its own.
            if first.is_none() && !route.receivers.is_empty() {
                continue;
            }
            for receiver in first.into_iter().chain(allowed) {
                if found.to.iter().all(|(known, _)| known != receiver) {
                    found.to.push((receiver.clone(), Some(route.name.clone())));
                }
            }
            if certain && !route.goes_on {
                return;
            }
        }
    }
}

impl Route {
    fn changes(&self, policy: &Policy) -> Policy {
        let grouping = self.grouping.clone();
        let mut changed = policy.clone();
        changed.route = Some(self.name.clone());
        changed.times = self.times.clone();
        if policy.keeps_pace {
            return changed;
        }
        changed.group_by = grouping.group_by.unwrap_or(changed.group_by);
        changed.group_wait = grouping.group_wait.unwrap_or(changed.group_wait);
        changed.group_interval = grouping.group_interval.unwrap_or(changed.group_interval);
        changed.repeat_interval = grouping.repeat_interval.unwrap_or(changed.repeat_interval);
        changed
    }
}

/// The namespace whose rule this is; none of a cluster-wide one.
pub(crate) fn tenant(rule: &RuleName) -> Option<&str> {
    rule.as_str()
        .split_once('/')
        .map(|(namespace, _)| namespace)
}
