//! What an expression depends on.

use super::super::{PathSet, Program};
use super::{compiled, env};

/// All reads as text.
fn reads_of(program: &Program) -> String {
    let mut all = Vec::new();
    for root in program.roots() {
        let paths = program.reads(root).map(PathSet::paths).unwrap_or_default();
        all.push(format!("{root}: {}", paths.join(" ")));
    }
    all.join("; ")
}

fn reads(source: &str) -> String {
    reads_of(&compiled(source))
}

#[test]
fn an_expression_reads_the_ends_of_its_paths() {
    insta::assert_snapshot!(reads("object.status.phase == 'Failed'"), @"object: status.phase");
    insta::assert_snapshot!(reads("object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')"), @"object: status.conditions[].status status.conditions[].type status.conditions[]?");
    insta::assert_snapshot!(reads("has(object.status) && has(object.status.phase)"), @"object: status.phase? status?");
    insta::assert_snapshot!(reads("size(object.status.conditions) > 2"), @"object: status.conditions[]?");
    insta::assert_snapshot!(reads("object.metadata.labels['a.b/c'] == 'x'"), @"object: metadata.labels['a.b/c']");
    insta::assert_snapshot!(reads("object.spec.items.map(i, i.size)"), @"object: spec.items[].size spec.items[]?");
    insta::assert_snapshot!(reads("object.spec == oldObject.spec"), @"object: spec; oldObject: spec");
    insta::assert_snapshot!(reads("object"), @"object: *");
    insta::assert_snapshot!(reads("1 + 1"), @"");
    insta::assert_snapshot!(reads("(object.a ? object.b : object.c).d == 1"), @"object: a b.d c.d");
    insta::assert_snapshot!(reads("object.?a.?b.orValue('') == ''"), @"object: a.b a?");
    insta::assert_snapshot!(reads("object.list.filter(x, x.on)[0].name"), @"object: list[].name list[].on list[]?");
    insta::assert_snapshot!(reads("cel.bind(s, object.status, s.phase == s.wanted)"), @"object: status.phase status.wanted");
    insta::assert_snapshot!(reads("related.pods.exists(p, p.status.phase == 'x')"), @"related.pods: [].status.phase []?");
    insta::assert_snapshot!(reads("object.a.b[object.k].c"), @"object: a.b[].c k");
}

#[test]
fn transitions_read_the_object_before_too() {
    insta::assert_snapshot!(reads("changed(object.spec.version)"), @"object: spec.version; oldObject: spec.version");
    insta::assert_snapshot!(reads("became(object.status.phase == 'x')"), @"object: status.phase; oldObject: status.phase");
    insta::assert_snapshot!(reads("condition(object, 'Ready').status == 'x'"), @"object: status.conditions[].status status.conditions[].type");
    insta::assert_snapshot!(reads("age(object.status.at) > duration('1s')"), @"now: *; object: status.at");
}

#[test]
fn a_definition_counts_with_what_is_used_of_it() {
    let ready = compiled("condition(object, 'Ready')");
    let env = env().define("variables", "ready", &ready);
    let status = env
        .compile("variables.ready.status == 'True'")
        .expect("it compiles");
    insta::assert_snapshot!(reads_of(&ready), @"object: status.conditions[]");
    insta::assert_snapshot!(reads_of(&status), @"object: status.conditions[].status status.conditions[].type");
    let changed = env
        .compile("changed(variables.ready.status)")
        .expect("it compiles");
    insta::assert_snapshot!(reads_of(&changed), @"object: status.conditions[].status status.conditions[].type; oldObject: status.conditions[].status status.conditions[].type");
}
