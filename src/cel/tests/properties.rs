//! What holds for every expression over every object.

use super::super::changed::tests::any_json;
use super::super::{Bindings, Budget, Env, ErrorKind, Json, Kind, Map, Memo, Program, Terms};
use proptest::prelude::*;
use std::sync::Arc;

fn env(strict: bool) -> Env {
    Env::new()
        .variable("object", Kind::Watched)
        .variable("oldObject", Kind::Watched)
        .variable("now", Kind::Time)
        .strict(strict)
}

/// Any value that is a map, as objects are.
fn any_object() -> impl Strategy<Value = Json> {
    prop::collection::vec(("[abc]", any_json()), 0..4).prop_map(|entries| {
        Json::Map(
            entries
                .into_iter()
                .map(|(k, v)| (Arc::from(k), v))
                .collect::<Map>(),
        )
    })
}

/// The source of an expression over `object`, and over `x` where a macro has it.
fn any_source() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        r"object(\.[abc]){1,3}",
        r"object(\.[abc]){0,2}\[('[abc]'|[01])\]",
        r"object\.\?[abc]\.orValue\((1|'x'|object\.b)\)",
    ];
    let leaf = prop_oneof![
        4 => path,
        1 => "[012]|'[xy]?'|true|false|null|\\[\\]|\\{\\}|1\\.5",
        1 => r"has\(object\.[abc](\.[abc])?\)",
    ];
    leaf.prop_recursive(4, 20, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), "==|!=|<|>=|&&|\\|\\||\\+|-|in")
                .prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("size({a})")),
            inner.clone().prop_map(|a| format!("({a}).b")),
            (two.clone(), inner.clone()).prop_map(|((a, b), c)| format!("({a} ? {b} : {c})")),
            (two.clone(), "exists|all|filter|map|exists_one")
                .prop_map(|((a, b), m)| format!("({a}).{m}(x, x == {b} || x.a == {b})")),
            two.clone()
                .prop_map(|(a, b)| format!("({a}).map(x, [x, {b}])")),
            inner.clone().prop_map(|a| format!("string({a})")),
            two.prop_map(|(a, b)| format!("cel.bind(y, {a}, [y, y.c == {b}])")),
        ]
    })
}

/// The answer as text; a failure by its kind.
fn answer(program: &Program, object: &Json) -> Result<String, ErrorKind> {
    let bindings = Bindings::new().json("object", object);
    let result = program.evaluate(&bindings, &mut Budget::default()).result;
    result
        .map(|value| format!("{} {}", value.type_name(), value.to_json()))
        .map_err(|e| e.kind)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn where_strict_mode_has_an_answer_it_is_the_answer(source in any_source(), object in any_object()) {
        let strict = env(true).compile(&source).expect("the grammar makes expressions");
        if let (Ok(lenient), Ok(wanted)) = (env(false).compile(&source), answer(&strict, &object)) {
            prop_assert_eq!(answer(&lenient, &object), Ok(wanted), "{}", source);
        }
    }

    #[test]
    fn the_projection_to_what_is_read_has_the_same_answer(source in any_source(), object in any_object()) {
        for strict in [true, false] {
            let Ok(program) = env(strict).compile(&source) else { continue };
            let reads = program.reads("object").cloned().unwrap_or_default();
            prop_assert_eq!(
                answer(&program, &reads.project(&object)), answer(&program, &object),
                "{} reads {:?}", source, reads
            );
        }
    }

    #[test]
    fn an_answer_changes_only_with_what_is_read(
        source in any_source(), old in any_object(), new in any_object(),
    ) {
        if let Ok(program) = env(false).compile(&source) {
            let reads = program.reads("object").cloned().unwrap_or_default();
            if !reads.changed(&old, &new) {
                prop_assert_eq!(
                    answer(&program, &old), answer(&program, &new), "{} reads {:?}", source, reads
                );
            }
        }
    }

    #[test]
    fn the_tree_has_the_answer_at_its_root(source in any_source(), object in any_object()) {
        if let Ok(program) = env(false).compile(&source) {
            let tree = program.explain(&Bindings::new().json("object", &object));
            let shown = tree.value.map(|value| format!("{} {value}", tree.type_name));
            prop_assert_eq!(shown.map_err(|e| e.kind), answer(&program, &object));
        }
    }

    #[test]
    fn sharing_answers_changes_neither_the_answer_nor_what_it_takes(
        sources in prop::collection::vec(any_source(), 1..8), object in any_object(), steps in 1_u64..60,
    ) {
        let shared = env(false).sharing(&Terms::default(), &["object"]);
        let mut memo = Memo::default();
        memo.begin();
        let bindings = Bindings::new().json("object", &object);
        for budget in [Budget::default(), Budget { steps, bytes: 40 }] {
            for source in &sources {
                // Each condition at least twice, so that the second is shared.
                let source = format!("({source}) == 1 || ({source}) == 1");
                let (Ok(alone), Ok(together)) = (env(false).compile(&source), shared.compile(&source)) else { continue };
                let (mut left, mut left_together) = (budget, budget);
                let wanted = alone.evaluate(&bindings, &mut left);
                let found = together.evaluate_with(&bindings, &mut memo, &mut left_together);
                prop_assert_eq!(
                    found.result.map(|value| value.to_json()), wanted.result.map(|value| value.to_json()), "{}", source
                );
                prop_assert_eq!(left_together, left, "{}", source);
            }
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(source in r#"[a-c0-9 .?:()\[\]{}'"+*/%!<>=&|,x-]{0,60}"#) {
        let _ = env(false).compile(&source);
    }
}
