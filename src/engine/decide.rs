//! From transitions to verdicts, from verdicts to alerts: which rules a transition concerns, and
//! what each makes of it.

use std::sync::Arc;

use super::wakes::Wake;
use super::{Effects, Engine};
use crate::alert::{Alert, Ending, Subject};
use crate::cel::Program;
use crate::config::{OnDelete, OnStartup};
use crate::decision::{About, Reason};
use crate::evaluate::moment::{Related, in_language};
use crate::evaluate::{Moment, Occasion, Rule, Sight, Trigger, Verdict};
use crate::names::{ObjectRef, SourceKey, Uid};
use crate::transition::{ChangeKind, Transition, object_ref};

/// On what occasion rules look at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The first look since the start: every state is evaluated, changed or not.
    first: bool,
    /// Nothing was known before: what is there is where `on` rules start from.
    baseline: bool,
    events: EventReaders,
}

/// Rules that read Events wait for the first list of Events; the others need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventReaders {
    Too,
    Not,
    Only,
}

impl Pass {
    /// As it happens.
    pub(super) fn live() -> Self {
        Self {
            first: false,
            baseline: false,
            events: EventReaders::Too,
        }
    }

    /// The first list since the start.
    pub(super) fn first(baseline: bool) -> Self {
        Self {
            first: true,
            baseline,
            ..Self::live()
        }
    }

    pub(super) fn without_events(self) -> Self {
        Self {
            events: EventReaders::Not,
            ..self
        }
    }

    pub(super) fn only_events(self) -> Self {
        Self {
            events: EventReaders::Only,
            ..self
        }
    }

    fn includes(self, rule: &Rule) -> bool {
        match self.events {
            EventReaders::Too => true,
            EventReaders::Not => !rule.reads_events,
            EventReaders::Only => rule.reads_events,
        }
    }
}

/// One rule looking at one transition.
struct Look<'a> {
    stream: usize,
    number: usize,
    rule: &'a Rule,
    transition: &'a Transition,
    moment: &'a Moment<'a>,
    object: &'a ObjectRef,
    source: &'a SourceKey,
    cluster: &'a Arc<str>,
    pass: Pass,
    /// The stored state before has all that the rule reads.
    comparable: bool,
}

impl<'a> Look<'a> {
    fn subject(&self) -> Subject<'a> {
        Subject {
            object: self.object,
            source: self.source,
            cluster: self.cluster,
            moment: self.moment,
        }
    }

    fn wake(&self) -> Wake {
        Wake {
            stream: self.stream,
            rule: self.number,
            uid: self.transition.uid,
        }
    }

    fn about(&self) -> About {
        About {
            rule: Some(self.rule.name.clone()),
            object: Some(self.object.clone()),
            ..About::default()
        }
    }
}

impl Engine {
    /// Brings a transition of a stream's object to every rule that it concerns.
    pub(super) fn decide(
        &mut self,
        stream: usize,
        transition: &Transition,
        pass: Pass,
        effects: &mut Effects,
    ) {
        let rules = self.rules.clone();
        let watched = &rules.sources[stream];
        let positions = self.concerned(stream, transition, pass);
        if positions.is_empty() {
            return;
        }
        let numbers: Vec<usize> = positions.iter().map(|at| watched.rules[*at]).collect();
        self.look(stream, &numbers, transition, pass, effects);
        if transition.change == ChangeKind::Deleted {
            for number in &watched.rules {
                self.forget(stream, *number, transition.uid);
            }
        }
    }

    /// One rule looks at an object again because time passed.
    pub(super) fn look_again(&mut self, wake: Wake, effects: &mut Effects) {
        let Some(object) = self.streams[wake.stream].objects.get(wake.uid) else {
            return;
        };
        let transition = Transition::seen(wake.uid, Some(object.clone()), object);
        let pass = Pass::first(false);
        self.look(wake.stream, &[wake.rule], &transition, pass, effects);
    }

    pub(super) fn look(
        &mut self,
        stream: usize,
        numbers: &[usize],
        transition: &Transition,
        pass: Pass,
        effects: &mut Effects,
    ) {
        let rules = self.rules.clone();
        let cluster = self.cluster.clone();
        let reads_events = numbers.iter().any(|&n| rules.rules[n].reads_events);
        let related = self.related(transition, reads_events);
        let moment = Moment::of(self.now, transition, &related);
        let object = object_ref(transition.uid, &transition.object);
        let mut memo = std::mem::take(&mut self.memo);
        let mut sight = Sight::new(&moment, &mut memo);
        for &number in numbers {
            let look = Look {
                stream,
                number,
                rule: &rules.rules[number],
                transition,
                moment: &moment,
                object: &object,
                source: &rules.sources[stream].key,
                cluster: &cluster,
                pass,
                comparable: !pass.first || self.is_comparable(stream, &rules.rules[number]),
            };
            if !pass.includes(look.rule) {
                continue;
            }
            match &look.rule.trigger {
                Trigger::State { when, .. } => self.state(&look, when, &mut sight, effects),
                Trigger::Occurrence {
                    on,
                    until,
                    occasion,
                } => {
                    self.occurrence(&look, on, *occasion, &mut sight, effects);
                    if let Some(until) = until {
                        self.until(&look, until, &mut sight, effects);
                    }
                }
            }
        }
        self.memo = memo;
    }

    /// Whether what was stored of the stream's objects before the start has all that a rule reads.
    fn is_comparable(&self, stream: usize, rule: &Rule) -> bool {
        self.streams[stream]
            .known_before
            .as_ref()
            .is_some_and(|known| known.covers(&rule.watches))
    }

    /// Positions in the stream's rules that a transition concerns.
    fn concerned(&self, stream: usize, transition: &Transition, pass: Pass) -> Vec<usize> {
        let watched = &self.rules.sources[stream];
        match (transition.change, &transition.old) {
            (ChangeKind::Modified, Some(old)) if !pass.first => watched
                .concerns
                .changed(old, &transition.object)
                .iter()
                .collect(),
            (ChangeKind::Event, _) => (0..watched.rules.len())
                .filter(|at| self.rules.rules[watched.rules[*at]].reads_events)
                .collect(),
            _ => (0..watched.rules.len()).collect(),
        }
    }

    fn related(&self, transition: &Transition, reads_events: bool) -> Related {
        if !reads_events {
            return Related::default();
        }
        let events = self.events.of(self.now, transition.uid, &transition.object);
        Related {
            event: transition.event.as_ref().map(|event| event.to_json()),
            events: in_language(&events),
        }
    }

    fn state<'a>(
        &mut self,
        look: &Look<'a>,
        when: &'a Program,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) {
        if look.transition.change == ChangeKind::Deleted {
            self.object_gone(look, effects);
            return;
        }
        let verdict = self.judge(look, when, sight, effects);
        let told = self
            .alerts
            .judge(look.rule, &look.subject(), &verdict, effects);
        for alert in told {
            self.tell(&alert, effects);
        }
    }

    /// Evaluates a condition: counts the verdict, says what is unknown, sets the next look.
    fn judge<'a>(
        &mut self,
        look: &Look<'a>,
        condition: &'a Program,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) -> Verdict {
        let judged = sight.judge(look.rule, condition);
        self.counts.verdict(look.number, &judged.verdict);
        let expiry = (look.rule.reads_events && !look.moment.events.is_empty())
            .then(|| {
                let object = &look.transition.object;
                self.events
                    .next_expiry(self.now, look.transition.uid, object)
            })
            .flatten();
        let next = judged.next.into_iter().chain(expiry).min();
        self.wakes.set(look.wake(), next);
        let key = (look.number, look.transition.uid);
        match &judged.verdict {
            Verdict::Unknown(why) => {
                if self.unknowns.note(self.now, key, why) {
                    effects.decide(self.now, Reason::Unknown(why.clone()), look.about());
                }
            }
            Verdict::True | Verdict::False => self.unknowns.known(key),
        }
        judged.verdict
    }

    /// The object of a state is deleted, or left the selection.
    fn object_gone(&mut self, look: &Look<'_>, effects: &mut Effects) {
        let left = look.transition.left_selection;
        let ending = if left {
            Ending::LeftSelection
        } else {
            Ending::Deleted
        };
        let told = match look.rule.on_delete {
            OnDelete::Keep if !left => None,
            OnDelete::Fire if !left => {
                self.alerts
                    .fire_on_deletion(look.rule, &look.subject(), effects)
            }
            OnDelete::Resolve | OnDelete::Keep | OnDelete::Fire => self
                .alerts
                .active(look.transition.uid, &look.rule.name)
                .cloned()
                .and_then(|alert| self.alerts.end(self.now, &alert, ending, effects)),
        };
        if let Some(alert) = told {
            self.tell(&alert, effects);
        }
    }

    fn occurrence<'a>(
        &mut self,
        look: &Look<'a>,
        on: &'a Program,
        occasion: Occasion,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) {
        let happened = match occasion {
            Occasion::Becoming { reads_events } => {
                self.becomes(look, on, reads_events, sight, effects)
            }
            _ => applies(look, occasion) && self.judge(look, on, sight, effects) == Verdict::True,
        };
        if !happened {
            return;
        }
        let (occurrence, count) = match &look.transition.event {
            Some(event) if occasion == Occasion::Event => (event.uid.to_string(), event.count),
            _ => (resource_version(look.transition), 1),
        };
        let subject = look.subject();
        let told = self
            .alerts
            .occur(look.rule, &subject, &occurrence, count, effects);
        if let Some(alert) = told {
            self.tell(&alert, effects);
        }
    }

    /// An `on` rule that is no function of a change fires when it becomes true.
    fn becomes<'a>(
        &mut self,
        look: &Look<'a>,
        on: &'a Program,
        reads_events: bool,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) -> bool {
        match look.transition.change {
            ChangeKind::Deleted => return false,
            ChangeKind::Event if !reads_events => return false,
            _ => {}
        }
        let is = match self.judge(look, on, sight, effects) {
            Verdict::True => true,
            Verdict::False => false,
            Verdict::Unknown(_) => return false,
        };
        let key = (look.number, look.transition.uid);
        let was = self.levels.insert(key, is);
        if was != Some(is) {
            self.write_later(look.stream, look.transition.uid);
        }
        // An object that was known before the rule was: its first verdict is where it starts.
        let starts = was.is_none()
            && look.pass.first
            && (look.pass.baseline || look.transition.old.is_some());
        is && was != Some(true) && !(starts && look.rule.on_startup == OnStartup::Baseline)
    }

    /// Is what happened over?
    fn until<'a>(
        &mut self,
        look: &Look<'a>,
        until: &'a Program,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) {
        let active = self.alerts.active(look.transition.uid, &look.rule.name);
        let Some(alert) = active.cloned() else {
            return;
        };
        if look.transition.change == ChangeKind::Deleted {
            self.object_gone(look, effects);
        } else if self.judge(look, until, sight, effects) == Verdict::True
            && let Some(alert) = self.alerts.end(self.now, &alert, Ending::Cleared, effects)
        {
            self.tell(&alert, effects);
        }
    }

    /// Passes an alert on to those who have to be told.
    pub(super) fn tell(&mut self, alert: &Arc<Alert>, effects: &mut Effects) {
        self.notify.alert(self.now, alert, effects);
    }

    /// Nothing more is remembered of what a rule thought of an object.
    fn forget(&mut self, stream: usize, rule: usize, uid: Uid) {
        self.wakes.set(Wake { stream, rule, uid }, None);
        self.levels.remove(&(rule, uid));
        self.unknowns.known((rule, uid));
    }
}

/// Whether an `on` expression is to be evaluated for a transition. "Not applicable" is not unknown.
fn applies(look: &Look<'_>, occasion: Occasion) -> bool {
    let Transition { change, old, .. } = look.transition;
    match occasion {
        Occasion::Event => *change == ChangeKind::Event,
        Occasion::Transition {
            reads_old,
            reads_change,
        } => match (change, old) {
            (ChangeKind::Event, _) => false,
            (_, None) if reads_old => false,
            (ChangeKind::Modified, Some(_)) if !look.comparable => false,
            (ChangeKind::Added, _) => {
                !look.pass.baseline || look.rule.on_startup == OnStartup::Fire
            }
            (ChangeKind::Deleted, _) => reads_change && !look.transition.left_selection,
            (ChangeKind::Modified, None) => false,
            (ChangeKind::Modified, Some(old)) => {
                look.rule.watches.changed(old, &look.transition.object)
            }
        },
        Occasion::Becoming { .. } => true,
    }
}

/// What tells one occurrence about an object from the next.
fn resource_version(transition: &Transition) -> String {
    let version = transition.object.at(&["metadata", "resourceVersion"]);
    version
        .and_then(crate::cel::Json::as_str)
        .unwrap_or_default()
        .to_owned()
}
