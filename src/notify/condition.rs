//! `where`: what must be true of an alert besides its labels.

use crate::alert::Alert;
use crate::cel::{Bindings, Budget, Env, Json, Kind, Map, PathSet, Problem, Program};

/// What it may cost, in steps of evaluation: about a tenth of a millisecond, because an alert may
/// meet a thousand of them.
const STEPS: u64 = 10_000;

/// A condition on an alert, in CEL over `labels` and `object`.
#[derive(Clone, Debug)]
pub struct Condition(Program);

impl Condition {
    /// Compiles one.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the source.
    pub fn compile(source: &str) -> Result<Self, Vec<Problem>> {
        let names = Env::new()
            .variable("labels", Kind::Watched)
            .variable("object", Kind::Watched);
        names.compile(source).map(Self)
    }

    /// What it reads of the object, which the alert must therefore keep.
    #[must_use]
    pub fn reads(&self) -> PathSet {
        self.0.reads("object").cloned().unwrap_or_default()
    }

    /// Whether it is true of the alert; where it cannot be told, why not.
    pub(crate) fn holds(&self, alert: &Alert) -> Result<bool, String> {
        let labels = alert.labels.iter();
        let labels = labels.map(|(name, value)| (name.clone(), Json::from(&**value)));
        let labels = Json::Map(Map::new(labels.collect()));
        let nothing = Json::Map(Map::default());
        let object = alert.view.get("object").unwrap_or(&nothing);
        let bindings = Bindings::new()
            .json("labels", &labels)
            .json("object", object);
        let mut budget = Budget {
            steps: STEPS,
            ..Budget::default()
        };
        match self.0.evaluate(&bindings, &mut budget).result {
            Ok(value) => value
                .as_bool()
                .ok_or_else(|| format!("it is a {}, not a bool", value.type_name())),
            Err(error) => Err(error.message.clone()),
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.0.source() == other.0.source()
    }
}
