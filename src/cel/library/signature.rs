//! What functions take and give, for the checker.
//!
//! Each library lists its overloads beside its functions as text, one a line, under the names that
//! the functions have there: `x.split(string, string) -> list<string>`. A capital letter is any
//! type, the same wherever it stands in the line; `...` after the last parameter: or more of it.

use crate::cel::types::Type;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The overloads of all libraries.
const TABLES: [&str; 17] = [
    super::standard::SIGNATURES,
    super::conversions::SIGNATURES,
    super::strings::SIGNATURES,
    super::text_format::SIGNATURES,
    super::math::SIGNATURES,
    super::lists::SIGNATURES,
    super::sets::SIGNATURES,
    super::encoders::SIGNATURES,
    super::optionals::SIGNATURES,
    super::regex::SIGNATURES,
    super::watch::SIGNATURES,
    super::network::SIGNATURES,
    super::quantity::SIGNATURES,
    super::ordered::SIGNATURES,
    super::semver::SIGNATURES,
    super::url::SIGNATURES,
    super::formats::SIGNATURES,
];

/// One way to call a function.
#[derive(Debug)]
struct Signature {
    parameters: Vec<Pattern>,
    /// The last parameter may come again.
    more: bool,
    result: Pattern,
}

/// A type with letters in it.
#[derive(Debug)]
enum Pattern {
    Any(char),
    Is(Type),
    List(Box<Pattern>),
    Map(Box<[Pattern; 2]>),
    Optional(Box<Pattern>),
}

/// What the letters stand for in one call.
type Letters = Vec<(char, Type)>;

static SIGNATURES: LazyLock<HashMap<&'static str, Vec<Signature>>> = LazyLock::new(|| {
    let mut signatures: HashMap<_, Vec<Signature>> = HashMap::new();
    for (name, signature) in TABLES.into_iter().flat_map(str::lines).filter_map(parse) {
        signatures.entry(name).or_default().push(signature);
    }
    signatures
});

/// What a call gives. `None`: no overload takes these arguments.
pub fn result(name: &str, arguments: &[Type]) -> Option<Type> {
    let Some(overloads) = SIGNATURES.get(name) else {
        return Some(Type::Dyn);
    };
    let found = overloads.iter().filter_map(|one| one.call(arguments));
    found.reduce(|a, b| a.join(&b))
}

impl Signature {
    fn call(&self, arguments: &[Type]) -> Option<Type> {
        let fewest = self.parameters.len();
        if arguments.len() < fewest || arguments.len() > fewest && !self.more {
            return None;
        }
        let mut letters = Letters::new();
        let last = self.parameters.last();
        let parameters = self
            .parameters
            .iter()
            .chain(std::iter::repeat_with(|| last).flatten());
        // The arguments first: without parameters the other side never ends.
        for (argument, parameter) in arguments.iter().zip(parameters) {
            if !parameter.takes(argument, &mut letters) {
                return None;
            }
        }
        Some(self.result.filled(&letters))
    }
}

impl Pattern {
    fn takes(&self, argument: &Type, letters: &mut Letters) -> bool {
        match (self, argument) {
            (Pattern::Any(letter), argument) => {
                match letters.iter_mut().find(|(known, _)| known == letter) {
                    // Lists may hold what is not alike: from there on it is not known.
                    Some((_, of)) => *of = of.join(argument),
                    None => letters.push((*letter, argument.clone())),
                }
                true
            }
            (Pattern::Is(of), argument) => of.takes(argument),
            (_, Type::Dyn) => true,
            (Pattern::List(of), Type::List(item)) => of.takes(item, letters),
            (Pattern::Map(of), Type::Map(key, value)) => {
                of[0].takes(key, letters) && of[1].takes(value, letters)
            }
            (Pattern::Map(of), Type::Object(_)) => {
                of[0].takes(&Type::String, letters) && of[1].takes(&Type::Dyn, letters)
            }
            (Pattern::Optional(of), Type::Optional(inner)) => of.takes(inner, letters),
            _ => false,
        }
    }

    fn filled(&self, letters: &Letters) -> Type {
        match self {
            Pattern::Any(letter) => letters
                .iter()
                .find(|(known, _)| known == letter)
                .map_or(Type::Dyn, |(_, of)| of.clone()),
            Pattern::Is(of) => of.clone(),
            Pattern::List(of) => Type::list(of.filled(letters)),
            Pattern::Map(of) => Type::map(of[0].filled(letters), of[1].filled(letters)),
            Pattern::Optional(of) => Type::optional(of.filled(letters)),
        }
    }
}

/// `name(parameter, …) -> result`; `None` for an empty line.
fn parse(line: &'static str) -> Option<(&'static str, Signature)> {
    let (name, rest) = line.trim().split_once('(')?;
    let (parameters, result) = rest.split_once(") -> ")?;
    let more = parameters.ends_with("...");
    let parameters = split(parameters.trim_end_matches("..."));
    let signature = Signature {
        parameters: parameters.into_iter().map(pattern).collect(),
        more,
        result: pattern(result),
    };
    Some((name, signature))
}

/// The parts between the commas that stand in no brackets.
fn split(text: &'static str) -> Vec<&'static str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        parts.push(text[start..].trim());
    }
    parts
}

fn pattern(text: &'static str) -> Pattern {
    let inner = text
        .split_once('<')
        .and_then(|(name, rest)| Some((name, rest.strip_suffix('>')?)));
    if let Some((name, inner)) = inner {
        let mut parts = split(inner).into_iter().map(pattern);
        let first = parts.next().unwrap_or(Pattern::Is(Type::Dyn));
        return match (name, parts.next()) {
            ("map", Some(value)) => Pattern::Map(Box::new([first, value])),
            ("optional", _) => Pattern::Optional(Box::new(first)),
            _ => Pattern::List(Box::new(first)),
        };
    }
    match text.chars().next() {
        Some(letter) if text.len() == 1 && letter.is_ascii_uppercase() => Pattern::Any(letter),
        _ => Pattern::Is(named(text)),
    }
}

fn named(name: &'static str) -> Type {
    match name {
        "dyn" => Type::Dyn,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "type" => Type::Type,
        // Any of the three.
        "number" => Type::Number,
        opaque => Type::Opaque(opaque),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FUNCTIONS, find};
    use super::*;

    /// The two tables of a library say the same: what the evaluator calls, the checker knows.
    #[test]
    fn each_function_has_a_signature_and_each_signature_a_function() {
        let unknown: Vec<_> = FUNCTIONS
            .keys()
            .filter(|name| !SIGNATURES.contains_key(*name))
            .collect();
        assert!(unknown.is_empty(), "no signature for {unknown:?}");
        for (name, overloads) in SIGNATURES.iter() {
            for one in overloads {
                let takes = one.parameters.len();
                assert!(
                    find(name, takes).is_some(),
                    "there is no {name} with {takes} arguments"
                );
            }
            for function in &FUNCTIONS[name] {
                let (fewest, most) = function.arguments;
                for count in [fewest, most.min(fewest + 4)] {
                    let takes = |one: &Signature| {
                        one.parameters.len() == count || one.more && one.parameters.len() <= count
                    };
                    assert!(
                        overloads.iter().any(takes),
                        "no signature for {name} with {count}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_line_is_a_signature_of_known_types() {
        let lines = TABLES.into_iter().flat_map(str::lines).map(str::trim);
        for line in lines.filter(|line| !line.is_empty()) {
            let (_, signature) = parse(line).unwrap_or_else(|| panic!("{line}"));
            let opaque = [
                "quantity",
                "net.IP",
                "net.CIDR",
                "url",
                "semver",
                "kubernetes.NamedFormat",
            ];
            let all = signature.parameters.iter().chain([&signature.result]);
            for pattern in all {
                if let Pattern::Is(Type::Opaque(name)) = pattern {
                    assert!(opaque.contains(name), "{line}: {name}");
                }
            }
        }
    }

    #[test]
    fn a_call_without_arguments_has_a_type_too() {
        let none = result("optional.none", &[]);
        assert!(matches!(none, Some(Type::Optional(_))), "{none:?}");
    }

    #[test]
    fn letters_stand_for_what_was_given() {
        let of = |name: &str, arguments: &[Type]| match result(name, arguments) {
            Some(of) => of.to_string(),
            None => "nothing".to_owned(),
        };
        let ints = Type::list(Type::Int);
        insta::assert_snapshot!(of("x.first", std::slice::from_ref(&ints)), @"optional<int>");
        insta::assert_snapshot!(of("x.split", &[Type::String, Type::TimeText]), @"list<string>");
        insta::assert_snapshot!(of("x.split", &[ints, Type::String]), @"nothing");
        insta::assert_snapshot!(of("math.greatest", &[Type::Int, Type::Double, Type::Uint]), @"dyn");
        insta::assert_snapshot!(of("x.reverse", &[Type::Dyn]), @"dyn");
        insta::assert_snapshot!(of("unheard", &[]), @"dyn");
    }
}
