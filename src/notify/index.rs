//! Which of many matchers may match some labels, without trying them all.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Comparison, Matchers};
use crate::names::Labels;

/// Places in a list of matchers, found by labels: each list of matchers stands under one label
/// and value that it asks for, or among those that ask for none.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_label: HashMap<Arc<str>, HashMap<Arc<str>, Vec<usize>>>,
    rest: Vec<usize>,
}

impl Index {
    pub(crate) fn of<'m>(all: impl Iterator<Item = &'m Matchers>) -> Self {
        let mut index = Self::default();
        for (place, matchers) in all.enumerate() {
            // Of several the last: people write the most telling one last.
            let asked = matchers
                .iter()
                .filter(|it| it.comparison == Comparison::Equal && !it.value.is_empty());
            match asked.last() {
                Some(asked) => index
                    .by_label
                    .entry(asked.label.clone())
                    .or_default()
                    .entry(asked.value.clone())
                    .or_default()
                    .push(place),
                None => index.rest.push(place),
            }
        }
        index
    }

    /// The places of those that may match, in order.
    pub(crate) fn candidates(&self, labels: &Labels) -> Vec<usize> {
        let mut found = self.rest.clone();
        if labels.len() < self.by_label.len() {
            for (name, value) in labels {
                let of_label = self.by_label.get(name).and_then(|it| it.get(value));
                found.extend(of_label.into_iter().flatten());
            }
        } else {
            for (name, values) in &self.by_label {
                let of_label = labels.get(name).and_then(|value| values.get(value));
                found.extend(of_label.into_iter().flatten());
            }
        }
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_another_value_is_no_candidate() {
        let all = ["a=1", "a=2,b=1", "a=~1", "b!=1", "a=\"\""];
        let all = all.map(|text| text.parse::<Matchers>().unwrap());
        let index = Index::of(all.iter());
        let labels = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect()
        };
        assert_eq!(index.candidates(&labels(&[("a", "1")])), [0, 2, 3, 4]);
        assert_eq!(
            index.candidates(&labels(&[("b", "1"), ("c", "1")])),
            [1, 2, 3, 4]
        );
        assert_eq!(index.candidates(&labels(&[])), [2, 3, 4]);
    }
}
