//! How the engine begins: from nothing, or from what the journal kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::stream::{EventStream, Stream};
use super::unknown::Noticed;
use super::{Effects, Engine, Setup};
use crate::alert::{Alert, Alerts, State};
use crate::cel::PathSet;
use crate::evaluate::RuleSet;
use crate::journal::{Key, Record};
use crate::names::{Fingerprint, RuleName, Uid};
use crate::notify::{Kept, Notify};
use crate::outbox::Outbox;
use crate::planted::{self, Bug};
use crate::transition::{EventSeen, Events, ObjectSeen};

impl Engine {
    /// An engine with what a former one had written down. Nothing acts before its streams have
    /// listed; what was decided and not delivered is delivered.
    #[must_use]
    pub fn restore(now: Timestamp, setup: Setup, records: Vec<(Key, Record)>) -> Self {
        let Setup {
            rules,
            policies,
            frozen,
            pipeline,
            cluster,
        } = setup;
        let numbers = numbers(&rules);
        let mut stored = Stored::default();
        for (key, record) in records {
            stored.take(key, record);
        }
        let event_streams = event_streams(&rules, &stored.sources);
        let scopes: Vec<_> = rules.events.iter().map(|it| it.namespace.clone()).collect();
        let mut events = Events::restore(stored.seen_events());
        let unread = events.forget_others(&scopes);
        let alerts = stored.alerts(now, &rules);
        let untold = untold(&alerts);
        let notify = Notify::restore(now, policies.clone(), pipeline, stored.notify, &untold);
        let outbox = Outbox::restore(now, &policies, stored.outbox);
        let mut engine = Self {
            now,
            draining: false,
            streams: rules.sources.iter().map(Stream::new).collect(),
            by_key: by_key(&rules),
            events,
            event_streams,
            late_events: VecDeque::new(),
            alerts: Alerts::restore(alerts),
            levels: HashMap::new(),
            last_well: HashMap::new(),
            memo: crate::cel::Memo::default(),
            unknowns: super::unknown::Unknowns::default(),
            tenants: super::tenants::Tenants::default(),
            wakes: super::wakes::Wakes::default(),
            deferred: super::deferred::Deferred::default(),
            stalled: BTreeSet::new(),
            stalled_wakes: BTreeMap::new(),
            receivers: policies.into_iter().map(|policy| policy.receiver).collect(),
            notify,
            outbox,
            dirty: BTreeSet::new(),
            dirty_events: BTreeSet::new(),
            write_at: None,
            unfinished: Effects::default(),
            counts: super::status::Counts::new(rules.rules.len()),
            numbers,
            rules,
            frozen: BTreeMap::new(),
            cluster,
        };
        let mut effects = Effects::default();
        for uid in unread {
            effects.remove(Key::Event(uid));
        }
        engine.freeze(frozen, &mut effects);
        engine.unfinished = effects;
        engine.place(stored.sources, stored.objects);
        engine.restore_notices(stored.noticed);
        engine.rearm();
        engine
    }

    /// Gives the streams the objects that they had; what no stream watches any more is removed.
    /// What is only joined with others is listed anew: nobody asks how it was.
    fn place(&mut self, sources: Vec<(Key, PathSet)>, objects: Vec<(Key, ObjectSeen)>) {
        for (key, known) in sources {
            let Key::Source(source) = &key else { continue };
            match self.watched_stream(source) {
                Some(at) => {
                    self.streams[at].known_before = Some(known.clone());
                    self.streams[at].written = Some(known.clone());
                    self.streams[at].known = Some(known);
                }
                None if self.events_stream(source).is_some() => {}
                None => self.unfinished.remove(key),
            }
        }
        let renamed = renamed(&self.rules);
        for (key, seen) in objects {
            let Key::Object(source, uid) = &key else {
                continue;
            };
            let Some(at) = self.watched_stream(source) else {
                self.unfinished.remove(key);
                continue;
            };
            let number = |rule: &RuleName| {
                let number = self.numbers.get(rule);
                let number = number.or_else(|| self.numbers.get(*renamed.get(rule)?));
                number.map(|number| (*number, &self.rules.rules[*number]))
            };
            for (rule, level) in seen.levels {
                if let Some((number, rule)) = number(&rule)
                    && rule.question == level.question
                {
                    self.levels.insert((number, *uid), level.is);
                }
            }
            for (rule, known) in seen.last_well {
                if let Some((number, rule)) = number(&rule)
                    && rule.view.changes
                {
                    self.last_well.insert((number, *uid), known);
                }
            }
            self.streams[at].objects.apply(*uid, &seen.object);
        }
    }

    /// The stream of that key, if some rule's objects are there.
    fn watched_stream(&self, source: &crate::names::SourceKey) -> Option<usize> {
        let at = *self.by_key.get(source)?;
        (!self.rules.sources[at].rules.is_empty()).then_some(at)
    }

    /// Sets the timers of the alerts again; ends those whose rule is no more.
    fn rearm(&mut self) {
        let mut effects = std::mem::take(&mut self.unfinished);
        let alerts: Vec<Arc<Alert>> = self.alerts.iter().cloned().collect();
        for alert in alerts {
            if planted::has(Bug::TimersLostAtRestart) {
                continue;
            }
            self.keep_or_end(&alert, &mut effects);
        }
        self.unfinished = effects;
    }
}

/// The journal's records, sorted by what they are of.
#[derive(Default)]
struct Stored {
    sources: Vec<(Key, PathSet)>,
    objects: Vec<(Key, ObjectSeen)>,
    events: HashMap<Uid, EventSeen>,
    alerts: Vec<Arc<Alert>>,
    noticed: Vec<Noticed>,
    notify: Kept,
    outbox: crate::outbox::Kept,
}

impl Stored {
    /// A record that stands under a key of another kind was not written by us; it is left out.
    fn take(&mut self, key: Key, record: Record) {
        match (key, record) {
            (Key::Source(source), Record::Source(paths)) => {
                self.sources.push((Key::Source(source), paths));
            }
            (key @ Key::Object(..), Record::Object(seen)) => self.objects.push((key, seen)),
            (Key::Event(uid), Record::Event(seen)) => {
                self.events.insert(uid, seen);
            }
            (Key::Alert(_), Record::Alert(alert)) => self.alerts.push(alert),
            (Key::Group(key), Record::Group(group)) => self.notify.groups.push((key, group)),
            (Key::Member(receiver, alert), Record::Member(member)) => {
                self.notify.members.push((receiver, alert, member));
            }
            (Key::Limit(receiver), Record::Limit(limit)) => {
                self.notify.limits.push((receiver, limit));
            }
            (Key::RuleLimit(receiver, rule), Record::Limit(limit)) => {
                self.notify.rule_limits.push(((receiver, rule), limit));
            }
            (Key::Silence(_), Record::Silence(silence)) => self.notify.silences.push(silence),
            (Key::Outbox(..), Record::Outbox(waiting)) => self.outbox.waiting.push(waiting),
            (Key::Dead(_), Record::Dead(letter)) => self.outbox.dead.push(letter),
            (Key::Notice(rule, uid), Record::Notice) => self.noticed.push((rule, uid)),
            (Key::Post(receiver, group), Record::Post(posted)) => {
                self.outbox.posts.push((receiver, group, posted));
            }
            (Key::Fallen(receiver, group), Record::Fallen(fallen)) => {
                self.outbox.fallen.push((receiver, group, fallen));
            }
            _ => {}
        }
    }

    fn seen_events(&mut self) -> HashMap<Uid, EventSeen> {
        if planted::has(Bug::EventsForgotten) {
            return HashMap::new();
        }
        std::mem::take(&mut self.events)
    }

    /// The alerts, under the names that their rules have now, with no moment in the future: a
    /// clock that was ahead must not freeze a timer.
    fn alerts(&mut self, now: Timestamp, rules: &RuleSet) -> Vec<Arc<Alert>> {
        let renamed = renamed(rules);
        let mut alerts = std::mem::take(&mut self.alerts);
        for alert in &mut alerts {
            let name = renamed
                .get(&alert.rule)
                .filter(|_| rules.rule(&alert.rule).is_none());
            let ahead = [
                Some(alert.active_since),
                alert.keep_since,
                alert.unknown_since,
            ]
            .into_iter()
            .flatten()
            .any(|moment| moment > now);
            let forgets = planted::has(Bug::HoldBeginsAgainAtRestart);
            if name.is_none() && !ahead && !forgets {
                continue;
            }
            let alert = Arc::make_mut(alert);
            if let Some(name) = name {
                alert.rule = (*name).clone();
            }
            alert.active_since = alert.active_since.min(now);
            if forgets {
                alert.active_since = now;
            }
            alert.keep_since = alert.keep_since.map(|since| since.min(now));
            alert.unknown_since = alert.unknown_since.map(|since| since.min(now));
        }
        alerts
    }
}

/// The alerts as `notify` knew them: one that is pending again had resolved before.
fn untold(alerts: &[Arc<Alert>]) -> BTreeMap<Fingerprint, Arc<Alert>> {
    let known = alerts.iter().filter_map(|alert| match alert.state {
        State::Pending if alert.resolution.is_some() => Some(Arc::new(Alert {
            state: State::Resolved,
            ..Alert::clone(alert)
        })),
        State::Pending => None,
        State::Firing | State::Resolved => Some(alert.clone()),
    });
    known.map(|alert| (alert.fingerprint, alert)).collect()
}

/// The names that rules had, and have now.
pub(super) fn renamed(rules: &RuleSet) -> HashMap<&RuleName, &RuleName> {
    let rules = rules.rules.iter();
    rules
        .flat_map(|rule| rule.formerly.iter().map(|former| (former, &rule.name)))
        .collect()
}

/// The streams of Events of these rules, with what is known of where Events were listed before, and
/// of which kinds.
fn event_streams(rules: &RuleSet, stored: &[(Key, PathSet)]) -> Vec<EventStream> {
    let listed = stored.iter().filter_map(|(key, kinds)| match key {
        Key::Source(source) => Some((EventStream::scope_of(source)?, source, kinds)),
        _ => None,
    });
    let listed: Vec<_> = listed.collect();
    let known = |kind: &&Arc<str>| {
        let kind = kinds([*kind]);
        listed.iter().any(|(_, _, kinds)| kinds.covers(&kind))
    };
    let streams = rules.events.iter().map(|source| {
        let mut stream = EventStream::new(source);
        stream.known = listed.iter().map(|(scope, _, _)| scope.clone()).collect();
        stream.new_kinds = rules
            .kinds
            .iter()
            .filter(|kind| !known(kind))
            .cloned()
            .collect();
        let own = listed.iter().find(|(_, key, _)| **key == stream.key);
        stream.written = own.map(|(_, _, kinds)| (*kinds).clone());
        stream
    });
    streams.collect()
}

/// Kinds of objects about which Events are listed, as the journal keeps them.
pub(super) fn kinds<'k>(kinds: impl IntoIterator<Item = &'k Arc<str>>) -> PathSet {
    let mut set = PathSet::none();
    for kind in kinds {
        // A kind is a name; what is none was refused by the load.
        let _ = set.insert(kind);
    }
    set
}

pub(super) fn numbers(rules: &RuleSet) -> HashMap<RuleName, usize> {
    let rules = rules.rules.iter().enumerate();
    rules.map(|(at, rule)| (rule.name.clone(), at)).collect()
}

pub(super) fn by_key(rules: &RuleSet) -> HashMap<crate::names::SourceKey, usize> {
    let sources = rules.sources.iter().enumerate();
    sources
        .map(|(at, watched)| (watched.key.clone(), at))
        .collect()
}
