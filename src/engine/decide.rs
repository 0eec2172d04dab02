//! From transitions to verdicts, from verdicts to alerts: which rules a transition concerns, and
//! what each makes of it.

use std::cell::Cell;
use std::sync::Arc;

use jiff::Timestamp;

use super::pass::Pass;
use super::wakes::Wake;
use super::well::base;
use super::{Effects, Engine};
use crate::alert::{Alert, Ending, State, Subject};
use crate::cel::Program;
use crate::config::OnDelete;
use crate::decision::{About, Reason};
use crate::evaluate::moment::Surroundings;
use crate::evaluate::{Judgement, Moment, Occasion, Rule, Sight, Trigger, Verdict};
use crate::names::{ObjectRef, SourceKey, Uid};
use crate::transition::{ChangeKind, LastWell, Transition, object_ref};

/// One rule looking at one transition.
pub(super) struct Look<'a> {
    pub(super) stream: usize,
    pub(super) number: usize,
    pub(super) rule: &'a Rule,
    pub(super) transition: &'a Transition,
    pub(super) moment: &'a Moment<'a>,
    /// When the first of the moment's Events is no longer seen.
    pub(super) expires: Option<Timestamp>,
    pub(super) object: &'a ObjectRef,
    pub(super) source: &'a SourceKey,
    pub(super) cluster: &'a Arc<str>,
    pub(super) pass: Pass,
    /// The stored state before has all that the rule reads.
    pub(super) comparable: bool,
    /// Where the object's `spec` may not be the one with which the rule last found it well.
    pub(super) last_well: Option<LastWell>,
    /// A condition of the rule was unknown in this look.
    pub(super) unknown: Cell<bool>,
}

/// Which condition of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `when` or `on`.
    Trigger,
    Until,
}

impl Look<'_> {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            object: self.object,
            source: self.source,
            cluster: self.cluster,
            moment: self.moment,
            base: base(self.rule, self.transition, self.last_well.as_ref()),
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
    /// Brings a transition of a stream's object to every rule that it concerns and that may act.
    pub(super) fn decide(
        &mut self,
        stream: usize,
        transition: &Transition,
        pass: Pass,
        effects: &mut Effects,
    ) {
        let mut positions = self.concerned(stream, transition, pass);
        positions.retain(|position| self.has_begun((stream, *position)));
        self.decide_for(stream, &positions, transition, pass, effects);
    }

    /// Brings a transition to these rules of the stream.
    pub(super) fn decide_for(
        &mut self,
        stream: usize,
        positions: &[usize],
        transition: &Transition,
        pass: Pass,
        effects: &mut Effects,
    ) {
        if positions.is_empty() {
            return;
        }
        self.look(stream, positions, transition, pass, effects);
        if transition.change == ChangeKind::Deleted {
            for position in positions {
                let number = self.rules.sources[stream].rules[*position];
                self.forget(stream, number, transition.uid, effects);
            }
        }
    }

    /// One rule looks at an object again because time passed.
    pub(super) fn look_again(&mut self, wake: Wake, effects: &mut Effects) {
        let rules = self.rules.sources[wake.stream].rules.iter();
        let Some(position) = rules.into_iter().position(|number| *number == wake.rule) else {
            return;
        };
        for (transition, pass) in self.deferred.take(wake) {
            self.look(wake.stream, &[position], &transition, pass, effects);
        }
        let Some(object) = self.streams[wake.stream].objects.get(wake.uid) else {
            return;
        };
        let transition = Transition::seen(wake.uid, Some(object.clone()), object);
        let pass = Pass::again();
        self.look(wake.stream, &[position], &transition, pass, effects);
    }

    /// Rules that read nothing but their own objects and Events look together and share answers;
    /// each of the others sees something else.
    pub(super) fn look(
        &mut self,
        stream: usize,
        positions: &[usize],
        transition: &Transition,
        pass: Pass,
        effects: &mut Effects,
    ) {
        let rules = self.rules.clone();
        let watched = &rules.sources[stream];
        let alone = |position: &usize| watched.joins[*position].is_empty();
        let (alone, joined): (Vec<usize>, Vec<usize>) = positions.iter().copied().partition(alone);
        if !alone.is_empty() {
            let numbers: Vec<usize> = alone.iter().map(|at| watched.rules[*at]).collect();
            let reads_events = numbers.iter().any(|&n| rules.rules[n].reads_events);
            let around = self.events_around(transition, reads_events);
            self.look_at_moment(stream, &numbers, transition, &around, pass, effects);
        }
        for position in joined {
            let around = self.surroundings((stream, position), transition);
            let numbers = [watched.rules[position]];
            self.look_at_moment(stream, &numbers, transition, &around, pass, effects);
        }
    }

    fn look_at_moment(
        &mut self,
        stream: usize,
        numbers: &[usize],
        transition: &Transition,
        around: &Surroundings,
        pass: Pass,
        effects: &mut Effects,
    ) {
        let rules = self.rules.clone();
        let cluster = self.cluster.clone();
        let moment = Moment::of(self.now, transition, around);
        let object = object_ref(transition.uid, &transition.object);
        let mut memo = std::mem::take(&mut self.memo);
        let mut sight = Sight::new(&moment, &mut memo);
        for &number in numbers {
            let rule = &*rules.rules[number];
            let look = Look {
                stream,
                number,
                rule,
                transition,
                moment: &moment,
                expires: around.expires,
                object: &object,
                source: &rules.sources[stream].key,
                cluster: &cluster,
                pass,
                comparable: !pass.first || self.is_comparable(stream, rule),
                last_well: self.note_spec((stream, number), rule, transition, pass),
                unknown: Cell::new(false),
            };
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
            let spent = around.spent.take();
            if let Some(tenant) = &rule.tenant {
                self.tenants.charge(tenant, spent, self.now);
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
        let verdict = self.judge(look, when, Part::Trigger, sight, effects);
        self.note_well(
            look.stream,
            (look.number, look.transition.uid),
            look.pass,
            &verdict,
        );
        let told = self
            .alerts
            .judge(look.rule, &look.subject(), &verdict, effects);
        for alert in told {
            self.tell(&alert, effects);
        }
    }

    /// Evaluates a condition: counts the verdict, says what is unknown, sets the next look.
    pub(super) fn judge<'a>(
        &mut self,
        look: &Look<'a>,
        condition: &'a Program,
        part: Part,
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) -> Verdict {
        let mut judged = match self.may_look(look.rule) {
            Ok(()) => sight.judge(look.rule, condition),
            Err(wait) => {
                self.defer(look, part, effects);
                wait
            }
        };
        if part == Part::Trigger
            && judged.verdict == Verdict::True
            && let Err(why) = look.rule.dedup_key_at(look.moment)
        {
            judged.verdict = Verdict::Unknown(why);
        }
        self.counts.verdict(look.number, &judged.verdict);
        let expires = look.expires.filter(|_| look.rule.reads_events);
        let next = judged.next.into_iter().chain(expires).min();
        let next = match part {
            Part::Trigger => next,
            // The trigger may want to be looked at sooner.
            Part::Until => next.into_iter().chain(self.wakes.get(look.wake())).min(),
        };
        self.wakes.set(look.wake(), next);
        self.note(look, part, &judged.verdict, effects);
        judged.verdict
    }

    /// Remembers, and says once, what is unknown. A rule is unknown as long as a part of it is.
    fn note(&mut self, look: &Look<'_>, part: Part, verdict: &Verdict, effects: &mut Effects) {
        let key = (look.number, look.transition.uid);
        let Verdict::Unknown(why) = verdict else {
            if part == Part::Trigger || !look.unknown.get() {
                self.unknowns.known(key, &look.rule.name, effects);
            }
            return;
        };
        look.unknown.set(true);
        let alert = self.alerts.active(look.transition.uid, &look.rule.name);
        let since = alert.and_then(|alert| alert.unknown_since);
        if self.unknowns.note(since.unwrap_or(self.now), key, why) {
            effects.decide(self.now, Reason::Unknown(why.clone()), look.about());
        }
    }

    /// Something happened that a rule may not look at yet: it does when it may.
    fn defer(&mut self, look: &Look<'_>, part: Part, effects: &mut Effects) {
        let happened = match &look.rule.trigger {
            Trigger::Occurrence { occasion, .. } => !matches!(occasion, Occasion::Becoming { .. }),
            Trigger::State { .. } => false,
        };
        if part == Part::Trigger
            && happened
            && !self.deferred.push(look.wake(), look.transition, look.pass)
        {
            let why = "the expressions of this namespace take too much time, and too much waits: \
                       this is not looked at";
            effects.decide(self.now, Reason::Unknown(why.to_owned()), look.about());
        }
    }

    /// Whether a rule may evaluate anything now: one of a tenant that has used up what it has is
    /// looked at again when it may.
    fn may_look(&mut self, rule: &Rule) -> Result<(), Judgement> {
        let Some(tenant) = &rule.tenant else {
            return Ok(());
        };
        let may = self.tenants.may_look(tenant, self.now);
        may.map_err(|again| Judgement {
            verdict: Verdict::Unknown(format!(
                "the expressions of namespace {tenant} take too much time: they wait"
            )),
            next: Some(again),
        })
    }

    /// The object of a state is deleted, or left the selection.
    pub(super) fn object_gone(&mut self, look: &Look<'_>, effects: &mut Effects) {
        let left = look.transition.left_selection;
        let ending = if left {
            Ending::LeftSelection
        } else {
            Ending::Deleted
        };
        let told = match look.rule.on_delete {
            // What only might have fired has nothing to go on for.
            OnDelete::Keep if !left && !self.is_pending(look) => Vec::new(),
            OnDelete::Fire if !left => {
                self.alerts
                    .fire_on_deletion(look.rule, &look.subject(), effects)
            }
            OnDelete::Resolve | OnDelete::Keep | OnDelete::Fire => {
                let active = self.alerts.active(look.transition.uid, &look.rule.name);
                let active = active.cloned();
                let ended =
                    active.and_then(|alert| self.alerts.end(self.now, &alert, ending, effects));
                Vec::from_iter(ended)
            }
        };
        for alert in told {
            self.tell(&alert, effects);
        }
    }

    fn is_pending(&self, look: &Look<'_>) -> bool {
        let active = self.alerts.active(look.transition.uid, &look.rule.name);
        active.is_some_and(|alert| alert.state == State::Pending)
    }

    /// Passes an alert on to those who have to be told.
    pub(super) fn tell(&mut self, alert: &Arc<Alert>, effects: &mut Effects) {
        self.notify.alert(self.now, alert, effects);
    }

    /// Nothing more is remembered of what a rule thought of an object.
    fn forget(&mut self, stream: usize, rule: usize, uid: Uid, effects: &mut Effects) {
        let wake = Wake { stream, rule, uid };
        if !self.deferred.has(wake) {
            self.wakes.set(wake, None);
        }
        self.levels.remove(&(rule, uid));
        self.last_well.remove(&(rule, uid));
        let name = &self.rules.rules[rule].name;
        self.unknowns.known((rule, uid), name, effects);
    }
}
