//! [`Words`]: the field names and texts that many objects of a stream have, each kept once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::names::Uid;

/// Beyond so many, further words stand in the objects that have them.
const MOST: usize = 8_192;
/// Longer texts are no words.
const LONGEST: usize = 64;
/// How many texts are remembered as seen once.
const SEEN: usize = 1_024;

/// A table that only grows, up to half a megabyte or so: a name is a word at once, another text
/// once two objects had it. So `Running` becomes one, and the name of an object does not.
#[derive(Debug)]
pub(super) struct Words {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    /// Where a text's hash points to: the rest of the hash, and which object had it.
    seen: Box<[(u32, Whose)]>,
    hash: RandomState,
}

/// Which object a text is found in, nearly: two objects in four billion are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Whose(u32);

impl Default for Words {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            numbers: HashMap::new(),
            seen: Box::default(),
            hash: RandomState::new(),
        }
    }
}

impl Words {
    /// The number of a field name, if there is room for it.
    pub(super) fn number_of_name(&mut self, name: &Arc<str>) -> Option<u64> {
        match self.numbers.get(&**name) {
            Some(number) => Some(u64::from(*number)),
            None => self.add(name.clone()),
        }
    }

    pub(super) fn whose(&self, uid: Uid) -> Whose {
        Whose(low_half(self.hash.hash_one(uid)))
    }

    /// The number of a text that two objects had.
    pub(super) fn number(&mut self, text: &str, whose: Whose) -> Option<u64> {
        if let Some(number) = self.numbers.get(text) {
            return Some(u64::from(*number));
        }
        if text.len() > LONGEST || self.texts.len() >= MOST || !self.seen_elsewhere(text, whose) {
            return None;
        }
        self.add(text.into())
    }

    /// The word of a number; of one that was never given, the empty text.
    pub(super) fn get(&self, number: u64) -> &Arc<str> {
        static NONE: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| Arc::from(""));
        usize::try_from(number)
            .ok()
            .and_then(|number| self.texts.get(number))
            .unwrap_or(&NONE)
    }

    /// Bytes that the words take.
    pub(super) fn retained_bytes(&self) -> usize {
        let word = size_of::<Arc<str>>() * 2 + size_of::<u32>() + 16;
        let texts: usize = self.texts.iter().map(|text| text.len() + word).sum();
        texts + size_of_val(&*self.seen)
    }

    fn add(&mut self, word: Arc<str>) -> Option<u64> {
        if word.len() > LONGEST || self.texts.len() >= MOST {
            return None;
        }
        let number = u32::try_from(self.texts.len()).ok()?;
        self.texts.push(word.clone());
        self.numbers.insert(word, number);
        Some(u64::from(number))
    }

    fn seen_elsewhere(&mut self, text: &str, whose: Whose) -> bool {
        if self.seen.is_empty() {
            self.seen = vec![(0, Whose::default()); SEEN].into();
        }
        let hash = self.hash.hash_one(text);
        let place = usize::try_from((hash >> u32::BITS) % SEEN as u64)
            .ok()
            .and_then(|at| self.seen.get_mut(at));
        let before = place.map(|place| std::mem::replace(place, (low_half(hash), whose)));
        before.is_some_and(|(text, other)| text == low_half(hash) && other != whose)
    }
}

fn low_half(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_word_when_another_object_has_it_too() {
        let mut words = Words::default();
        let [first, second] = ["first", "second"].map(|uid| words.whose(Uid::parse(uid)));
        assert_eq!(words.number("Running", first), None);
        assert_eq!(
            words.number("Running", first),
            None,
            "the same object again"
        );
        let number = words.number("Running", second);
        assert!(number.is_some(), "two objects have it");
        assert_eq!(words.number("Running", first), number);
        assert_eq!(&**words.get(number.unwrap_or(99)), "Running");
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(words.number(&long, first), None);
        assert_eq!(words.number(&long, second), None);
    }

    #[test]
    fn there_is_an_end_to_new_words() {
        let mut words = Words::default();
        for number in 0..2 * MOST {
            words.number_of_name(&Arc::from(format!("label-{number}")));
        }
        assert_eq!(words.texts.len(), MOST);
        assert_eq!(words.number_of_name(&Arc::from("label-0")), Some(0));
        assert!(words.retained_bytes() < 1 << 20);
    }
}
