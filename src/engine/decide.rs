//! From transitions to verdicts, from verdicts to alerts: which rules a transition concerns, and
//! what each makes of it.

use std::sync::Arc;

use jiff::Timestamp;

use super::pass::Pass;
use super::wakes::Wake;
use super::well::base;
use super::{Effects, Engine};
use crate::alert::{Alert, Ending, Subject};
use crate::cel::Program;
use crate::config::OnDelete;
use crate::decision::{About, Reason};
use crate::evaluate::moment::Surroundings;
use crate::evaluate::{Judgement, Moment, Rule, Sight, Trigger, Verdict};
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
                self.forget(stream, number, transition.uid);
            }
        }
    }

    /// One rule looks at an object again because time passed.
    pub(super) fn look_again(&mut self, wake: Wake, effects: &mut Effects) {
        let Some(object) = self.streams[wake.stream].objects.get(wake.uid) else {
            return;
        };
        let rules = self.rules.sources[wake.stream].rules.iter();
        let Some(position) = rules.into_iter().position(|number| *number == wake.rule) else {
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
        let verdict = self.judge(look, when, sight, effects);
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
        sight: &mut Sight<'a, '_>,
        effects: &mut Effects,
    ) -> Verdict {
        let judged = match self.may_look(look.rule) {
            Ok(()) => sight.judge(look.rule, condition),
            Err(wait) => wait,
        };
        self.counts.verdict(look.number, &judged.verdict);
        let expires = look.expires.filter(|_| look.rule.reads_events);
        let next = judged.next.into_iter().chain(expires).min();
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

    /// Passes an alert on to those who have to be told.
    pub(super) fn tell(&mut self, alert: &Arc<Alert>, effects: &mut Effects) {
        self.notify.alert(self.now, alert, effects);
    }

    /// Nothing more is remembered of what a rule thought of an object.
    fn forget(&mut self, stream: usize, rule: usize, uid: Uid) {
        self.wakes.set(Wake { stream, rule, uid }, None);
        self.levels.remove(&(rule, uid));
        self.last_well.remove(&(rule, uid));
        self.unknowns.known((rule, uid));
    }
}
