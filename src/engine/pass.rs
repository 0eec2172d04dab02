//! [`Pass`]: on what occasion rules look at an object.

/// On what occasion rules look at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The first look since the start: every state is evaluated, changed or not.
    pub(super) first: bool,
    /// Nothing was known before: what is there is where `on` rules start from.
    pub(super) baseline: bool,
    /// Nothing happened but that time passed.
    again: bool,
}

impl Pass {
    /// As it happens.
    pub(super) fn live() -> Self {
        Self {
            first: false,
            baseline: false,
            again: false,
        }
    }

    /// The first look since all that a rule reads was listed.
    pub(super) fn first(baseline: bool) -> Self {
        Self {
            first: true,
            baseline,
            again: false,
        }
    }

    /// Once more, because time passed.
    pub(super) fn again() -> Self {
        Self {
            again: true,
            ..Self::first(false)
        }
    }

    /// The first look of all.
    pub(super) fn is_first(self) -> bool {
        self.first && !self.again
    }
}
