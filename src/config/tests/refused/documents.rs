//! Files and documents that are none of ours.

use super::*;

#[test]
fn two_documents_of_one_name_show_both_places() {
    let files = [
        ("a.yaml", rule("  when: a\n")),
        ("b.yaml", rule("  when: b\n")),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let error = load_with(&files, &LoadOptions::default()).expect_err("two rules of one name");
    insta::assert_snapshot!(error, @"
    error: two rules are called `failed`
     --> b.yaml:3:18
      |
    3 | metadata: {name: failed}
      |                  ^^^^^^ again here
      |
     ::: a.yaml:3:18
      |
    3 | metadata: {name: failed}
      |                  ------ first here
    ");
}

#[test]
fn the_wrong_kind_or_version_is_named() {
    let document =
        |version: &str, kind: &str| messages(&format!("apiVersion: {version}\nkind: {kind}\n"));
    let all = [
        document("bellwether.dev/v1alpha1", "Rul"),
        document("bellwether.dev/v1alpha1", "Silense"),
        document("bellwether.dev/v1", "Rule"),
        document("belwether.dev/v1alpha1", "Rule"),
        document("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        messages("kind: Rule\n"),
        messages("- a\n- b\n"),
        messages(
            "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nname: x\nspecs: {}\nmetadata: {name: X}\n",
        ),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    rules.yaml:2:7: there is no kind `Rul` in bellwether.dev (did you mean `Rule`?)
    rules.yaml:2:7: there is no kind `Silense` in bellwether.dev (did you mean `Silence`?)
    rules.yaml:1:13: `bellwether.dev/v1` is not supported (write `apiVersion: bellwether.dev/v1alpha1`)
    rules.yaml:1:13: unknown apiVersion `belwether.dev/v1alpha1` (did you mean `bellwether.dev/v1alpha1`?)
    rules.yaml:1:13: a `CustomResourceDefinition` of `apiextensions.k8s.io/v1` is not for Bellwether (only documents of `bellwether.dev/v1alpha1` belong in the rules path; keep others elsewhere)
    rules.yaml:1:1: `apiVersion` is missing
    rules.yaml:1:1: a document is a mapping with `apiVersion` and `kind`, not a list
    rules.yaml:3:1: unknown key `name` (it belongs under `metadata`: `metadata: {name: …}`)
    rules.yaml:4:1: unknown key `specs` (did you mean `spec`?)
    rules.yaml:5:18: `X` is no name that Kubernetes takes (lower-case letters, digits, `-` and `.`, a letter or digit first and last, at most 253)
    ");
}

#[test]
fn what_is_missing_is_named() {
    let text = "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {name: x}\n";
    insta::assert_snapshot!(messages(text), @"rules.yaml:1:1: `spec` is missing");
    insta::assert_snapshot!(messages(&format!("{text}spec: {{when: a, watch: {{kind: Pod}}}}\n")), @"rules.yaml:4:24: `watch` lacks `apiVersion`");
    insta::assert_snapshot!(messages("# nothing but a comment\n"), @"there are no rules (rules.yaml was read; a rule is a document with `kind: Rule`)");
    insta::assert_snapshot!(messages(" \n"), @"rules.yaml is empty");
}

#[test]
fn yaml_that_is_none_shows_where_it_breaks() {
    insta::assert_snapshot!(refused("a: b: c\n"), @"
    error: not valid YAML: mapping values are not allowed in this context
     --> rules.yaml:1:5
      |
    1 | a: b: c
      |     ^
      |
      = help: a text that contains `: ` needs quotes around it, or a block: `key: >-` and the text indented below
    ");
    insta::assert_snapshot!(refused("spec:\n\twhen: a\n"), @"
    error: not valid YAML: tabs disallowed within this context (block indentation)
     --> rules.yaml:2:2
      |
    2 |     when: a
      |     ^
      |
      = help: indent with spaces; YAML does not allow tabs there
    ");
    insta::assert_snapshot!(refused("summary: {{object.metadata.name}}\n"), @"
    error: not valid YAML: expected string scalar
     --> rules.yaml:1:11
      |
    1 | summary: {{object.metadata.name}}
      |           ^
      |
      = help: a text that begins with `{{` needs quotes around it
    ");
    insta::assert_snapshot!(refused("a: [1, 2\nb: 3\n"), @"
    error: not valid YAML: illegal placement of ':' indicator
     --> rules.yaml:2:2
      |
    2 | b: 3
      |  ^
    ");
    insta::assert_snapshot!(refused("a: 1\nb: 2\na: 3\n"), @"
    error: `apiVersion` is missing
     --> rules.yaml:1:1
      |
    1 | a: 1
      | ^

    error: `kind` is missing
     --> rules.yaml:1:1
      |
    1 | a: 1
      | ^

    error: `a` is there twice
     --> rules.yaml:3:1
      |
    1 | a: 1
      | - first here
    2 | b: 2
    3 | a: 3
      | ^
    ");
    insta::assert_snapshot!(refused("a: !!python/object x\n"), @"
    error: not valid YAML: unsupported tag '!!python/object'
     --> rules.yaml:1:20
      |
    1 | a: !!python/object x
      |                    ^
    ");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..10 {
        let items = [format!("*a{}", n - 1).as_str(); 10].join(",");
        text += [
            "a",
            &n.to_string(),
            ": &a",
            &n.to_string(),
            " [",
            &items,
            "]\n",
        ]
        .concat()
        .as_str();
    }
    insta::assert_snapshot!(messages(&text), @"rules.yaml:5:10: not valid YAML: its aliases stand for too much");
    let deep = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    insta::assert_snapshot!(messages(&deep), @"rules.yaml:1:259: not valid YAML: recursion limit exceeded (it is nested too deeply)");
}

#[test]
fn a_path_that_is_not_there_shows_its_neighbour() {
    let root = tempfile::tempdir().expect("a directory");
    let at = |name: &str| root.path().join(name);
    std::fs::write(at("rules.yaml"), b"a: \xff\n").expect("written");
    std::fs::write(at("big.yaml"), " ".repeat(5 << 20)).expect("written");
    std::fs::create_dir(at("empty")).expect("created");
    let report = |name: &str| {
        let error =
            Configuration::load(&[at(name)], &LoadOptions::default()).expect_err("no rules");
        error
            .to_string()
            .replace(&root.path().display().to_string(), "DIR")
    };
    insta::assert_snapshot!(["rule.yaml", "rules.yaml", "big.yaml", "empty"].map(report).join("\n\n"), @"
    error: DIR/rule.yaml does not exist
     |
     = help: did you mean `DIR/rules.yaml`?

    error: not UTF-8
     --> DIR/rules.yaml:1:4
      |
    1 | a: �
      |    ^
      |
      = help: save the file as UTF-8

    error: DIR/big.yaml is larger than 4 MiB
     |
     = help: is it a file of rules? if so, split it

    error: there are no rules
     |
     = help: no `.yaml` or `.yml` file was found; a rule is a document with `kind: Rule`
    ");
}
