//! Mistakes, found before and while an expression runs.

use super::super::{Bindings, Budget, ErrorKind};
use super::{compiled, env, eval, json};

/// The problems of a source: the text they are about, the message, the help.
fn problems(source: &str) -> String {
    let problems = env().compile(source).err().unwrap_or_default();
    let line = |p: &super::super::Problem| {
        let help = p
            .help
            .as_ref()
            .map(|help| format!(" ({help})"))
            .unwrap_or_default();
        format!("`{}`: {}{help}", &source[p.span.clone()], p.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_of_syntax_are_said_in_words() {
    insta::assert_snapshot!(problems("object.status.phase = 'Failed'"), @"`=`: '=' has no meaning here (a comparison is written '==')");
    insta::assert_snapshot!(problems("a & b"), @"`&`: '&' has no meaning here ('and' is written '&&')");
    insta::assert_snapshot!(problems("object.spec.replicas > 1 and true"), @"`and`: and cannot stand here ('and' is written '&&')");
    insta::assert_snapshot!(problems("size(object.spec"), @"`(`: this '(' is never closed");
    insta::assert_snapshot!(problems("size(object.spec]"), @"`]`: nothing opens this ']'");
    insta::assert_snapshot!(problems("'Failed"), @"`'`: this text is never closed: ' is missing");
    insta::assert_snapshot!(problems("object.spec =="), @"``: the expression ends too early");
    insta::assert_snapshot!(problems("  "), @"`  `: the expression is empty");
    insta::assert_snapshot!(problems("1 +* 2"), @"`*`: '*' cannot stand here");
    insta::assert_snapshot!(problems("object.spec.for.x + package"), @"`package`: 'package' is a reserved word; it cannot be a name");
}

#[test]
fn unknown_names_and_functions_come_with_a_suggestion() {
    insta::assert_snapshot!(problems("objct.status.phase == Failed"), @r"
    `objct`: there is nothing called 'objct' here (did you mean 'object'?)
    `Failed`: there is nothing called 'Failed' here (if it is text, write 'Failed' in quotes)
    ");
    insta::assert_snapshot!(problems("object.a.startWith('x')"), @"`object.a.startWith('x')`: there is no function startWith() (did you mean startsWith()?)");
    insta::assert_snapshot!(problems("contains(object.a, 'x')"), @"`contains(object.a, 'x')`: there is no function contains() (it is written value.contains(…))");
    insta::assert_snapshot!(problems("size(1, 2)"), @"`size(1, 2)`: size() takes 1 arguments, not 2");
    insta::assert_snapshot!(problems("object.list.exists(1, true)"), @"`1`: a plain name for the elements is expected here (as in list.exists(item, item > 3))");
}

#[test]
fn a_message_is_short_however_long_the_names_in_it_are() {
    let source = format!("object.{}()", "a".repeat(5_000));
    for env in [env(), env().strict(true)] {
        let message = match env.compile(&source) {
            Err(problems) => problems[0].message.clone(),
            Ok(program) => {
                let object = json("{}");
                let bindings = Bindings::new().json("object", &object);
                let result = program.evaluate(&bindings, &mut Budget::default()).result;
                result.expect_err("there is no such function").message
            }
        };
        assert!(message.starts_with("there is no function aaa") && message.len() < 500);
    }
}

#[test]
fn constants_that_can_only_fail_are_refused() {
    insta::assert_snapshot!(problems("now > timestamp('soon')"), @"`timestamp('soon')`: 'soon' is not a time in RFC 3339, as in 2026-11-22T18:00:00Z");
    insta::assert_snapshot!(problems("age(object.t) > duration('5 minutes')"), @"`duration('5 minutes')`: '5 minutes' is not a duration, as in 1h30m or 20s");
    insta::assert_snapshot!(problems("object.a.matches('(')"), @"`'('`: '(' is not a regular expression: unclosed group");
    insta::assert_snapshot!(problems("1 / 0 == 1"), @"`1 / 0`: division by zero");
    insta::assert_snapshot!(problems("changed(events)"), @"`events`: the former state of events is not known (only of object)");
}

#[test]
fn an_error_has_its_place_in_the_expression_and_in_the_object() {
    insta::assert_snapshot!(eval("now > timestamp(object.status.phase)"), @"Conversion: 'Failed' is not a time in RFC 3339, as in 2026-11-22T18:00:00Z in `timestamp(object.status.phase)` at object.status.phase");
    insta::assert_snapshot!(eval("object.status.phase < 5"), @"Type: string < int is not possible in `object.status.phase < 5` at object.status.phase");
    insta::assert_snapshot!(eval("object.status.conditions.exists(c, c.status > 1)"), @"Type: string > int is not possible in `c.status > 1` at object.status.conditions[].status");
    insta::assert_snapshot!(eval("(object.spec.replicas + 'x').size()"), @"Type: int + string is not possible in `object.spec.replicas + 'x'` at object.spec.replicas");
    insta::assert_snapshot!(eval("object.spec.replicas && true"), @"Type: a bool is expected here, not an int in `object.spec.replicas` at object.spec.replicas");
    insta::assert_snapshot!(eval("oldObject.spec.x == 1"), @"Unbound: there is no oldObject here in `oldObject.spec.x` at oldObject.spec.x");
}

#[test]
fn and_or_absorb_errors_on_either_side() {
    assert_eq!(eval("false && 1 / object.zero == 1"), "false");
    assert_eq!(eval("1 / object.zero == 1 && false"), "false");
    assert_eq!(eval("1 / object.zero == 1 || true"), "true");
    assert_eq!(eval("[0, 1].exists(x, 1 / x == 1)"), "true");
    assert!(eval("1 / object.zero == 1 || false").starts_with("DivideByZero"));
}

#[test]
fn budgets_end_what_would_run_for_hours() {
    let list = format!("[{}]", vec!["1"; 1000].join(","));
    let object = json(&format!("{{\"l\": {list}}}"));
    let kind = |source: &str| {
        let program = compiled(source);
        let bindings = Bindings::new().json("object", &object);
        program
            .evaluate(&bindings, &mut Budget::default())
            .result
            .map_err(|e| e.kind)
            .err()
    };
    let loops = "object.l.all(a, object.l.all(b, object.l.all(c, a == b)))";
    assert_eq!(kind(loops), Some(ErrorKind::Budget));
    let text = "object.l.map(a, object.l.map(b, 'a long text that is made a million times ' + string(b))).size() > 0";
    assert_eq!(kind(text), Some(ErrorKind::Budget));
    // Each list holds the former one twice: small in memory, endless to walk.
    let doubling = (0..40).fold("[1]".to_owned(), |list, n| {
        format!("cel.bind(x{n}, {list}, [x{n}, x{n}])")
    });
    assert_eq!(kind(&doubling), Some(ErrorKind::Budget));
    assert_eq!(kind("object.l.all(a, a == 1)"), None);
}

#[test]
fn hostile_sources_are_refused_without_overflowing_a_small_stack() {
    let sources = [
        "(".repeat(16_000),
        "[".repeat(64) + &"]".repeat(64),
        vec!["1"; 8_000].join("+"),
        format!("object{}", ".a".repeat(8_000)),
        "!".repeat(16_000) + "true",
        "-".repeat(16_000) + "1",
        vec!["true"; 2_000].join("?1:"),
        "a.b(".repeat(60) + &")".repeat(60),
        vec!["true"; 1_900].join(" && "),
        "[1].map(x,".repeat(60) + "1" + &")".repeat(60),
        "x".repeat(17_000),
        "1".repeat(159),
        "(".repeat(64) + "1" + &")".repeat(64),
        vec!["1"; 80].join("+"),
    ];
    let outcome = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for source in sources {
                match env().compile(&source) {
                    Ok(program) => {
                        let object = json("{}");
                        let bindings = Bindings::new().json("object", &object);
                        let _ = program.evaluate(&bindings, &mut Budget::default());
                    }
                    Err(problems) => assert!(!problems.is_empty()),
                }
            }
        });
    outcome
        .expect("a thread")
        .join()
        .expect("no overflow and no panic");
}
