//! Random expressions over random documents, on any toolchain: the corpus of `fuzz/` and the
//! expressions of `tests/oracle`, changed at random. Nothing overflows the stack, panics, takes
//! long or much memory, and what holds for every expression holds for these.
//!
//! `BELLWETHER_FUZZ_SECONDS` and `BELLWETHER_FUZZ_SEED` make it longer and other.

#![expect(
    clippy::disallowed_methods,
    reason = "a test that says how long things take"
)]

#[path = "../fuzz/properties.rs"]
mod properties;

use fastrand::Rng;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The most that an input may allocate.
const MOST_BYTES: u64 = 64 << 20;

/// The stack of whoever evaluates: that of a thread.
const STACK: usize = 2 << 20;

type Property = fn(&[u8]);

/// What mutations put in.
const WORDS: &[&str] = &[
    "object",
    "object.a",
    "oldObject",
    "object.b[0]",
    "object['a']",
    "now",
    "x",
    "y",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1u",
    "1.5",
    "1e308",
    "'a'",
    "''",
    "b'a'",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[1, 2]",
    "{'a': 1}",
    " == ",
    " != ",
    " < ",
    " && ",
    " || ",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " in ",
    " ? ",
    " : ",
    "!",
    "-",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ".?a",
    "[?0]",
    ".a",
    ".size()",
    ".exists(x, ",
    ".all(x, ",
    ".map(x, ",
    ".filter(x, ",
    ".exists_one(x, ",
    ".transformList(i, x, ",
    ".transformMap(k, x, ",
    ".sortBy(x, ",
    ".orValue(",
    ".optMap(x, ",
    "cel.bind(y, ",
    "has(object.a)",
    "size(",
    "string(",
    "int(",
    "uint(",
    "double(",
    "timestamp(",
    "duration(",
    "type(",
    "dyn(",
    ".matches(",
    ".find(",
    ".findAll(",
    ".replace(",
    ".split(",
    ".join(",
    ".format([",
    ".flatten(",
    ".sort()",
    ".distinct()",
    ".reverse()",
    ".slice(",
    "lists.range(",
    "math.greatest(",
    "quantity(",
    ".add(",
    "semver(",
    "url(",
    "ip(",
    "cidr(",
    "format.named(",
    ".validate(",
    "base64.decode(",
    "sets.contains(",
    "changed(object.a)",
    "became(",
    "age(",
    "diff(oldObject, object)",
    "condition(object, 'Ready')",
    ".indexOf(",
    ".substring(",
    "'%s %d %.3f'",
    "'(a*)*b'",
    "'[a-z]{1000}'",
    "\\x00",
    "é",
    "\n---\n",
    "\"",
];

/// The files of a corpus, and for all but the compiler those of the oracle over a document.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus can be read")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    files.sort();
    let mut seeds: Vec<Vec<u8>> = files
        .iter()
        .map(|file| fs::read(file).expect("a file of the corpus can be read"))
        .collect();
    assert!(
        seeds.len() > 3,
        "{} has {} files",
        folder.display(),
        seeds.len()
    );
    let answers = include_str!("oracle/answers.txt").lines();
    let expressions = answers.filter_map(|line| line.split_once('\t'));
    seeds.extend(expressions.map(|(expression, _)| expression.as_bytes().to_vec()));
    seeds
}

/// Another input, made of one and pieces of others.
fn mutated(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(..=input.len());
        let end = at + rng.usize(..=(input.len() - at).min(40));
        match rng.u8(..10) {
            0 => {
                input.drain(at..end);
            }
            1 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            2 => input.insert(at, rng.u8(..)),
            3 => {
                // The same piece many times over: what nests is nested.
                let piece = input[at..end].repeat(1 << rng.u8(..12));
                if piece.len() < 20_000 {
                    input.splice(at..end, piece);
                }
            }
            4 => {
                let other = &seeds[rng.usize(..seeds.len())];
                let from = rng.usize(..=other.len());
                let piece = other[from..(from + 60).min(other.len())].to_vec();
                input.splice(at..end, piece);
            }
            5 => {
                let other = seeds[rng.usize(..seeds.len())].clone();
                input.splice(at..at, other);
            }
            _ => {
                let word = WORDS[rng.usize(..WORDS.len())];
                input.splice(at..at, word.bytes());
            }
        }
    }
    input
}

/// Checks an input and how much it takes.
fn check(target: &str, property: Property, input: &[u8]) {
    let before = Instant::now();
    let taken = allocation_counter::measure(|| property(input));
    let shown = || String::from_utf8_lossy(input).into_owned();
    assert!(
        taken.bytes_max < MOST_BYTES,
        "{target} allocates {} bytes at once for {}",
        taken.bytes_max,
        shown()
    );
    let took = before.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{target} takes {took:?} for {}",
        shown()
    );
}

/// Says which input it was, if the check of one does not return.
struct Reporter<'i>(&'i str, &'i [u8]);

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = String::from_utf8_lossy(self.1);
            eprintln!("the input of {}:\n{text}\nin bytes: {:?}", self.0, self.1);
        }
    }
}

fn fuzz(target: &'static str, property: Property) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = Duration::from_secs(number("BELLWETHER_FUZZ_SECONDS").unwrap_or(4));
    let seed = number("BELLWETHER_FUZZ_SEED").unwrap_or(20_261_123);
    let work = move || {
        let seeds = seeds(target);
        let begin = Instant::now();
        for input in &seeds {
            let reporter = Reporter(target, input);
            check(target, property, input);
            drop(reporter);
        }
        let mut rng = Rng::with_seed(seed);
        let mut inputs = 0;
        // At least some, however slow the machine is.
        while begin.elapsed() < seconds || inputs < 200 {
            let input = mutated(&seeds, &mut rng);
            let reporter = Reporter(target, &input);
            check(target, property, &input);
            drop(reporter);
            inputs += 1;
        }
        println!("{target}: {} seeds, {inputs} others", seeds.len());
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    let done = thread.expect("a thread starts").join();
    assert!(done.is_ok(), "{target} failed; the input is above");
}

#[test]
fn any_text_compiles_or_has_problems_that_stand_in_it() {
    fuzz("compile", properties::compile);
}

#[test]
fn any_expression_is_checked_and_goes_by_its_schema() {
    fuzz("check", properties::check);
}

#[test]
fn any_expression_has_an_answer_over_any_document() {
    fuzz("evaluate", properties::evaluate);
}

#[test]
fn any_expression_sees_the_same_in_the_fields_that_it_reads() {
    fuzz("project", properties::project);
}
