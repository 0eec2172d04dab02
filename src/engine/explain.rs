//! [`Engine::explain`]: a rule on an object as they stand, part by part. It changes nothing.

use super::Engine;
use crate::cel::Json;
use crate::evaluate::moment::Explanation;
use crate::evaluate::{Moment, Sight};
use crate::names::{RuleName, Uid};
use crate::transition::{ChangeKind, Transition};

/// What an `on` rule sees besides the object: the object before, and the Event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    pub old: Option<&'a Json>,
    pub event: Option<&'a Json>,
}

impl Engine {
    /// The condition of a rule (`when`, or `on`) on an object that it watches. `None`: there is no
    /// such rule, or it does not watch this object.
    #[must_use]
    pub fn explain(&self, rule: &RuleName, uid: Uid, before: Before<'_>) -> Option<Explanation> {
        let number = *self.numbers.get(rule)?;
        let rule = &self.rules.rules[number];
        let mut streams = self.rules.sources.iter().zip(&self.streams).enumerate();
        let (reader, object) = streams.find_map(|(at, (source, stream))| {
            let position = source.rules.iter().position(|known| *known == number)?;
            Some(((at, position), stream.objects.get(uid)?))
        })?;
        let seen = Transition::seen(uid, None, object.clone());
        let around = self.surroundings(reader, &seen);
        let change = match (before.event, before.old) {
            (Some(_), _) => ChangeKind::Event,
            (None, Some(_)) => ChangeKind::Modified,
            (None, None) => ChangeKind::Added,
        };
        let moment = Moment {
            old: before.old,
            change,
            event: before.event,
            ..Moment::of(self.now, &seen, &around)
        };
        let mut memo = crate::cel::Memo::default();
        Some(Sight::new(&moment, &mut memo).explain(rule))
    }
}
