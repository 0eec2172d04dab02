//! The functions: their names and how they are called.
//!
//! A method is listed as `x.name`, its target is the first argument. Each file of `library/` is
//! one library and exports its table; types are checked when a function runs, because most data
//! has none before, and by `check` where they are known ([`signature`]). An absent argument is the
//! zero value of the type that is asked for.

pub mod conversions;
pub mod encoders;
pub mod escape;
pub mod formats;
pub mod lists;
pub mod math;
pub mod network;
pub mod optionals;
pub mod ordered;
pub mod prepared;
pub mod quantity;
pub mod regex;
pub mod semver;
pub mod sets;
pub mod signature;
pub mod standard;
pub mod strings;
pub mod text_format;
pub mod types;
pub mod url;
pub mod watch;

use super::error::ErrorKind;
use super::evaluate::{Fault, Machine, Outcome};
use super::node::Span;
use super::value::Value;
use super::value::equality::{Items, items};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A function.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    /// The fewest and the most arguments, the target counted.
    pub arguments: (usize, usize),
    pub run: Run,
}

/// What a function does with a call.
pub type Run = for<'m, 'a, 'b> fn(&mut Call<'m, 'a, 'b>) -> Outcome<'a>;

impl Function {
    const fn new(name: &'static str, arguments: usize, run: Run) -> Function {
        Function {
            name,
            arguments: (arguments, arguments),
            run,
        }
    }

    const fn between(name: &'static str, fewest: usize, most: usize, run: Run) -> Function {
        Function {
            name,
            arguments: (fewest, most),
            run,
        }
    }
}

/// One call.
pub struct Call<'m, 'a, 'b> {
    pub function: &'static Function,
    pub args: &'m [Value<'a>],
    pub machine: &'m mut Machine<'a, 'b>,
    pub span: Span,
}

/// All functions by name. No two take the same number of arguments under one name.
static FUNCTIONS: LazyLock<HashMap<&'static str, Vec<&'static Function>>> = LazyLock::new(|| {
    let tables: [&'static [Function]; 17] = [
        standard::FUNCTIONS,
        conversions::FUNCTIONS,
        strings::FUNCTIONS,
        text_format::FUNCTIONS,
        math::FUNCTIONS,
        lists::FUNCTIONS,
        sets::FUNCTIONS,
        encoders::FUNCTIONS,
        optionals::FUNCTIONS,
        regex::FUNCTIONS,
        watch::FUNCTIONS,
        network::FUNCTIONS,
        quantity::FUNCTIONS,
        ordered::FUNCTIONS,
        semver::FUNCTIONS,
        url::FUNCTIONS,
        formats::FUNCTIONS,
    ];
    let mut functions: HashMap<_, Vec<&'static Function>> = HashMap::new();
    for function in tables.into_iter().flatten() {
        functions.entry(function.name).or_default().push(function);
    }
    functions
});

/// The function of this name that takes this many arguments.
pub fn find(name: &str, arguments: usize) -> Option<&'static Function> {
    let (fewest, most) = (|f: &Function| f.arguments.0, |f: &Function| f.arguments.1);
    FUNCTIONS
        .get(name)?
        .iter()
        .copied()
        .find(|f| (fewest(f)..=most(f)).contains(&arguments))
}

/// Whether there is a function of this name.
pub fn exists(name: &str) -> bool {
    FUNCTIONS.contains_key(name)
}

/// How many arguments the functions of this name take, the target not counted.
pub fn counts(name: &str) -> Vec<usize> {
    let target = usize::from(name.starts_with("x."));
    let found = FUNCTIONS.get(name).into_iter().flatten();
    let mut counts: Vec<usize> = found
        .flat_map(|f| [f.arguments.0, f.arguments.1])
        .map(|count| count - target)
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.keys().copied()
}

impl<'m, 'a> Call<'m, 'a, '_> {
    /// No argument list like this is possible.
    #[cold]
    pub fn mismatch(&self) -> Fault {
        let name = self.function.name;
        match (name.strip_prefix("x."), self.args.split_first()) {
            (Some(name), Some((target, args))) => {
                let types: Vec<&str> = args.iter().map(Value::type_name).collect();
                let target = target.a_type();
                let message = match types.as_slice() {
                    [] => format!("{target} has no {name}()"),
                    types => format!("{target} has no {name}({})", types.join(", ")),
                };
                self.machine.fault(ErrorKind::Type, self.span, message)
            }
            _ => self
                .machine
                .type_fault(self.span, name, &self.args.iter().collect::<Vec<_>>()),
        }
    }

    #[cold]
    pub fn fail(&self, kind: ErrorKind, message: impl Into<String>) -> Fault {
        self.machine.fault(kind, self.span, message)
    }

    /// The text of an argument.
    pub fn text(&self, at: usize) -> Result<&'m str, Fault> {
        self.args[at].as_str().ok_or_else(|| self.mismatch())
    }

    /// A whole number.
    pub fn int(&self, at: usize) -> Result<i64, Fault> {
        match &self.args[at] {
            Value::Int(i) => Ok(*i),
            value if value.is_zero_of_any() => Ok(0),
            _ => Err(self.mismatch()),
        }
    }

    /// A list.
    pub fn list(&self, at: usize) -> Result<Items<'m, 'a>, Fault> {
        match items(&self.args[at]) {
            Some(items) => Ok(items),
            None if self.args[at].is_zero_of_any() => Ok(Items::Values(&[])),
            None => Err(self.mismatch()),
        }
    }

    /// Pays for looking at this many elements.
    pub fn charge(&mut self, steps: usize) -> Result<(), Fault> {
        self.machine.charge(steps as u64, self.span)
    }

    /// Whether two values are equal.
    pub fn equal(&mut self, a: &Value<'a>, b: &Value<'a>) -> Result<bool, Fault> {
        super::evaluate::equals(a, b, self.span, self.machine)
    }

    /// New text as the result.
    pub fn new_text(&mut self, text: String) -> Outcome<'a> {
        self.machine.charge(text.len() as u64 / 64, self.span)?;
        self.machine.text(text, self.span)
    }

    /// A new list as the result.
    pub fn new_list(&mut self, items: Vec<Value<'a>>) -> Outcome<'a> {
        self.machine.charge(items.len() as u64, self.span)?;
        self.machine.list(items, self.span)
    }
}
