//! Our evaluator and the `cel` crate's own, on the same random expressions: where both have an
//! answer it is the same one, but for what is listed with its reason.

use bellwether::cel::{Bindings, Budget, Env, Json, Kind, Value};
use cel::objects::Key;
use cel::{Context, Program};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

const OBJECT: &str = r#"{
  "a": 1, "b": "x", "c": [1, 2, 3], "d": {"e": true, "f": 2.5}, "g": [{"h": "x"}, {"h": "y"}], "i": -7}"#;

/// How many expressions.
const EXPRESSIONS: usize = 30_000;

/// Where the two differ: what is in our answer, in theirs or in the expression, and why.
struct Reason {
    why: &'static str,
    applies: fn(source: &str, ours: &str, theirs: &str) -> bool,
}

const REASONS: &[Reason] = &[Reason {
    why: "the text of a large double has an exponent in Kubernetes, and in the cel crate it has not",
    applies: |source, ours, _| source.contains("string(") && ours.contains("e+"),
}];

/// A random expression: mostly of one type, so that it has an answer.
struct Grammar {
    rng: Rng,
    locals: usize,
}

impl Grammar {
    fn any(&mut self, depth: u32) -> String {
        match self.rng.u8(..12) {
            0..4 => self.number(depth),
            4..7 => self.truth(depth),
            7..9 => self.text(depth),
            9 => self.map(depth),
            _ => self.list(depth),
        }
    }

    fn map(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.one_of(&["{}", "object", "object.d", "{'x': 1}"]);
        }
        let (key, other) = (self.text(depth - 1), self.number(depth - 1));
        format!("{{{key}: {}, {other}: 1}}", self.any(depth - 1))
    }

    fn one_of(&mut self, choices: &[&str]) -> String {
        choices[self.rng.usize(..choices.len())].to_owned()
    }

    fn number(&mut self, depth: u32) -> String {
        if depth == 0 {
            let leaves = [
                "0",
                "1",
                "2",
                "-3",
                "object.a",
                "object.i",
                "object.c[1]",
                "1u",
                "2.5",
                "object.d.f",
                "9223372036854775807",
                "x",
            ];
            let some = if self.locals > 0 {
                leaves.len()
            } else {
                leaves.len() - 1
            };
            return self.one_of(&leaves[..some]);
        }
        let (a, b) = (self.number(depth - 1), self.number(depth - 1));
        match self.rng.u8(..13) {
            9 => format!("{}[{a}]", self.list(depth - 1)),
            10 => format!("double({a})"),
            11 => format!("uint({a})"),
            12 => format!("-({a})"),
            0..5 => format!("({a} {} {b})", self.one_of(&["+", "-", "*", "/", "%"])),
            5 => format!("size({})", self.list(depth - 1)),
            6 => format!("({} ? {a} : {b})", self.truth(depth - 1)),
            7 => format!("int({a})"),
            _ => format!("{}.size()", self.text(depth - 1)),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.one_of(&["''", "'x'", "'xyé'", "object.b", "object.g[0].h"]);
        }
        let (a, b) = (self.text(depth - 1), self.text(depth - 1));
        match self.rng.u8(..4) {
            0 | 1 => format!("({a} + {b})"),
            2 => format!("string({})", self.number(depth - 1)),
            _ => format!("({} ? {a} : {b})", self.truth(depth - 1)),
        }
    }

    fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.one_of(&[
                "true",
                "false",
                "object.d.e",
                "has(object.a)",
                "has(object.z)",
                "has(object.d.z)",
            ]);
        }
        let below = depth - 1;
        match self.rng.u8(..13) {
            9 => format!(
                "({} {} {})",
                self.any(below),
                self.one_of(&["==", "!="]),
                self.any(below)
            ),
            10 => format!(
                "({} {} {})",
                self.any(below),
                self.one_of(&["<", ">", "&&", "||"]),
                self.any(below)
            ),
            11 => format!("({} in {})", self.any(below), self.list(below)),
            12 => format!("({} in {})", self.text(below), self.map(below)),
            0 => format!(
                "({} {} {})",
                self.truth(below),
                self.one_of(&["&&", "||"]),
                self.truth(below)
            ),
            1 => format!("!({})", self.truth(below)),
            2 => {
                let operator = self.one_of(&["==", "!=", "<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.number(below), self.number(below))
            }
            3 => {
                let operator = self.one_of(&["==", "!=", "<", ">="]);
                format!("({} {operator} {})", self.text(below), self.text(below))
            }
            4 => format!("({} in {})", self.number(below), self.list(below)),
            5 => {
                let function = self.one_of(&["startsWith", "endsWith", "contains"]);
                format!("{}.{function}({})", self.text(below), self.text(below))
            }
            6 => format!("({} == {})", self.list(below), self.list(below)),
            _ => {
                let list = self.list(below);
                let name = self.one_of(&["all", "exists", "exists_one"]);
                self.locals += 1;
                let condition = self.truth(below);
                self.locals -= 1;
                format!("{list}.{name}(x, {condition})")
            }
        }
    }

    fn list(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.one_of(&["[]", "[1, 2]", "object.c", "[object.a]", "object.g"]);
        }
        let below = depth - 1;
        match self.rng.u8(..5) {
            0 => format!("[{}, {}]", self.any(below), self.any(below)),
            1 => format!("({} + {})", self.list(below), self.list(below)),
            2 => format!("[{}]", self.number(below)),
            _ => {
                let list = self.list(below);
                let name = self.one_of(&["map", "filter"]);
                self.locals += 1;
                let body = if name == "map" {
                    self.number(below)
                } else {
                    self.truth(below)
                };
                self.locals -= 1;
                format!("{list}.{name}(x, {body})")
            }
        }
    }
}

fn ours(value: &Value<'_>) -> String {
    if let Some(elements) = value.elements() {
        return format!("{:?}", elements.iter().map(ours).collect::<Vec<_>>());
    }
    if let Some(pairs) = value.pairs() {
        let pairs: BTreeMap<String, String> =
            pairs.iter().map(|(k, v)| (ours(k), ours(v))).collect();
        return format!("{pairs:?}");
    }
    match value {
        Value::Double(d) => format!("double {d:?}"),
        Value::Uint(u) => format!("uint {u}"),
        other => format!("{} {}", other.type_name(), other.to_json()),
    }
}

fn theirs(value: &cel::Value) -> String {
    match value {
        cel::Value::List(list) => format!("{:?}", list.iter().map(theirs).collect::<Vec<_>>()),
        cel::Value::Map(map) => {
            let pairs = map.map.iter().map(|(key, value)| {
                let key = match key {
                    Key::String(text) => format!("string {}", Json::from(text.as_str())),
                    Key::Int(i) => format!("int {i}"),
                    Key::Uint(u) => format!("uint {u}"),
                    Key::Bool(b) => format!("bool {b}"),
                };
                (key, theirs(value))
            });
            format!("{:?}", pairs.collect::<BTreeMap<_, _>>())
        }
        cel::Value::Int(i) => format!("int {i}"),
        cel::Value::UInt(u) => format!("uint {u}"),
        cel::Value::Float(d) => format!("double {d:?}"),
        cel::Value::String(text) => format!("string {}", Json::from(text.as_str())),
        cel::Value::Bool(b) => format!("bool {b}"),
        cel::Value::Null => "null null".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The same value for them; whole numbers are ints, as in Kubernetes.
fn their_value(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(b) => cel::Value::Bool(*b),
        Json::Int(i) => cel::Value::Int(*i),
        Json::Uint(u) => cel::Value::UInt(*u),
        Json::Double(d) => cel::Value::Float(*d),
        Json::String(text) => cel::Value::String(text.to_string().into()),
        Json::List(list) => {
            cel::Value::List(list.iter().map(their_value).collect::<Vec<_>>().into())
        }
        Json::Map(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| (Key::from(key.to_string()), their_value(value)));
            cel::Value::Map(pairs.collect::<std::collections::HashMap<_, _>>().into())
        }
    }
}

#[test]
fn both_evaluators_have_the_same_answers() {
    let object: Json = serde_json::from_str(OBJECT).expect("the object is valid");
    let env = Env::new().strict(true).variable("object", Kind::Plain);
    let mut context = Context::default();
    context.add_variable_from_value("object", their_value(&object));
    let mut grammar = Grammar {
        rng: Rng::with_seed(15),
        locals: 0,
    };
    let (mut compared, mut answers, mut used, mut news) =
        (0, 0, vec![0; REASONS.len()], Vec::new());
    for _ in 0..EXPRESSIONS {
        let depth = grammar.rng.u32(1..4);
        let source = grammar.any(depth);
        let Ok(program) = env.compile(&source) else {
            continue;
        };
        let bindings = Bindings::new().json("object", &object);
        let found = program.evaluate(&bindings, &mut Budget::default()).result;
        let found = found.map_or("error".to_owned(), |value| ours(&value));
        // It panics on some.
        let other = catch_unwind(AssertUnwindSafe(|| {
            let program = Program::compile(&source).ok()?;
            Some(
                program
                    .execute(&context)
                    .map_or("error".to_owned(), |value| theirs(&value)),
            )
        }));
        let Ok(Some(other)) = other else {
            news.push(format!(
                "{source}\n    {found}\n    the cel crate fails on it"
            ));
            continue;
        };
        compared += 1;
        answers += usize::from(found != "error");
        if found == other {
            continue;
        }
        match REASONS
            .iter()
            .position(|reason| (reason.applies)(&source, &found, &other))
        {
            Some(reason) => used[reason] += 1,
            None => news.push(format!("{source}\n    {found}\n    the cel crate: {other}")),
        }
    }
    println!("{compared} compared, {answers} have an answer");
    news.sort_by_key(String::len);
    news.dedup();
    news.truncate(40);
    assert!(news.is_empty(), "they differ:\n{}", news.join("\n"));
    assert!(
        compared > EXPRESSIONS / 2 && answers > EXPRESSIONS / 4,
        "{compared}, {answers}"
    );
    for (reason, used) in REASONS.iter().zip(used) {
        assert!(used > 0, "no longer so: {}", reason.why);
    }
}
