//! What another stream said, brought to a stream of the rules.

use super::{DryRun, selector};
use crate::watch::object::with_identity;
use crate::watch::{Change, Observation, Signal, Signalled};

impl DryRun<'_> {
    /// Says to the stream of this number what one said that watches more of the same kind. `selects`:
    /// what the server would leave out for its label selector is not said.
    pub fn hear(&mut self, at: usize, signal: Signal, selects: bool) {
        let watched = &self.loaded.rules.sources[at];
        let paths = with_identity(&watched.paths);
        let own = |it: Observation| Observation::of(it.change, paths.project(&it.object));
        let inside = self.inside.entry(at).or_default();
        let signal = match signal {
            Signal::Applied(it) | Signal::Refreshed(it)
                if selects && !selector::matches(&watched.source, &it.object) =>
            {
                let was_inside = inside.remove(&it.header.uid);
                let left = own(it).map(|it| Observation {
                    change: Change::Left,
                    ..it
                });
                left.filter(|_| was_inside).map(Signal::Deleted)
            }
            Signal::Applied(it) => {
                inside.insert(it.header.uid);
                own(it).map(Signal::Applied)
            }
            Signal::Refreshed(it) => {
                inside.insert(it.header.uid);
                own(it).map(Signal::Refreshed)
            }
            Signal::Deleted(it) => {
                let was_inside = inside.remove(&it.header.uid);
                own(it).filter(|_| was_inside).map(Signal::Deleted)
            }
            other => Some(other),
        };
        let source = watched.key.clone();
        if let Some(signal) = signal {
            self.observe(Signalled { source, signal });
        }
    }
}
