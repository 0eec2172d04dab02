//! What a new reading of the files makes of the documents that run.

use std::path::Path;

use insta::assert_snapshot;

use super::super::last_good::LastGood;
use super::super::reading::Reading;
use super::*;

/// A rule that is true of this phase.
fn rule(name: &str, phase: &str) -> String {
    format!(
        "apiVersion: bellwether.dev/v1alpha1\nkind: Rule\nmetadata: {{name: {name}}}\nspec:\n  \
         watch: {{apiVersion: stable.example.com/v1, kind: DatabaseInstance}}\n  \
         when: object.status.phase == '{phase}'\n  notify: [hook]\n---\n"
    )
}

fn wrong(name: &str) -> String {
    rule(name, "X").replace("== 'X'", "==")
}

struct World {
    folder: tempfile::TempDir,
    last_good: LastGood,
}

impl World {
    fn new(texts: &[(&str, &str)]) -> Self {
        let (folder, files) = files(texts);
        fs::create_dir_all(folder.path().join("templates")).unwrap();
        let (last_good, _, _) = LastGood::load(files).unwrap_or_else(|p| panic!("{p}"));
        Self { folder, last_good }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn remove(&self, path: &Path) {
        let path = self.folder.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// What runs after the files were read again, what is frozen, and what is wrong.
    fn reload(&mut self) -> String {
        let reading = Reading::of(self.last_good.files(), &mut Diagnostics::default());
        let text = match self.last_good.take(&reading) {
            Ok(reloaded) => {
                let rules = reloaded.loaded.configuration.rules.iter();
                let rules = rules.map(|rule| {
                    let when = rule.spec.when.as_ref().map(|when| when.text.clone());
                    format!("{}: {}\n", rule.name, when.unwrap_or_default())
                });
                let frozen = reloaded.loaded.frozen.iter();
                let frozen = frozen.map(|(rule, why)| format!("frozen {rule}: {why}\n"));
                let problems = reloaded.problems.human(false);
                rules.chain(frozen).collect::<String>() + &problems
            }
            Err(problems) => format!("all stays as it is\n{}", problems.human(false)),
        };
        text.replace(&*self.folder.path().to_string_lossy(), "DIR")
    }
}

fn two_rules() -> World {
    let both = rule("a", "A") + &rule("b", "B");
    World::new(&[
        ("rules/rules.yaml", &both),
        ("rules/hook.yaml", RECEIVER),
        ("templates/hook.json.hbs", "{}"),
    ])
}

#[test]
fn a_wrong_document_leaves_its_last_version_and_the_others_count() {
    let mut world = two_rules();
    let text = rule("new", "N") + &wrong("a") + &rule("b", "Other");
    world.write("rules/rules.yaml", &text);
    assert_snapshot!(world.reload(), @"
    new: object.status.phase == 'N'
    b: object.status.phase == 'Other'
    a: object.status.phase == 'A'
    frozen a: DIR/rules/rules.yaml:14:31: the expression ends too early
    error: the expression ends too early
      --> DIR/rules/rules.yaml:14:31
       |
    14 |   when: object.status.phase ==
       |                               ^
    ");
    let text = rule("a", "Mended") + &rule("b", "Other");
    world.write("rules/rules.yaml", &text);
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'Mended'
    b: object.status.phase == 'Other'
    ");
}

#[test]
fn a_document_that_is_no_yaml_may_be_any_that_is_missing() {
    let mut world = two_rules();
    let text = rule("a", "A").replace("kind: Rule", "kind: : Rule") + &rule("b", "Other");
    world.write("rules/rules.yaml", &text);
    assert_snapshot!(world.reload(), @"
    b: object.status.phase == 'Other'
    a: object.status.phase == 'A'
    frozen a: DIR/rules/rules.yaml:2:7: not valid YAML: mapping values are not allowed in this context
    error: not valid YAML: mapping values are not allowed in this context
     --> DIR/rules/rules.yaml:2:7
      |
    2 | kind: : Rule
      |       ^
      |
      = help: a text that contains `: ` needs quotes around it, or a block: `key: >-` and the text indented below
    ");
}

#[test]
fn a_new_document_that_is_wrong_runs_not_at_all_and_may_be_one_that_was_renamed() {
    let mut world = two_rules();
    world.write("rules/new.yaml", &wrong("new"));
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    error: the expression ends too early
     --> DIR/rules/new.yaml:6:31
      |
    6 |   when: object.status.phase ==
      |                               ^
    ");
    world.write("rules/rules.yaml", &(wrong("renamed") + &rule("b", "B")));
    assert_snapshot!(world.reload().lines().take(3).collect::<Vec<_>>().join("\n"), @"
    b: object.status.phase == 'B'
    a: object.status.phase == 'A'
    frozen a: DIR/rules/rules.yaml:6:31: the expression ends too early
    ");
}

#[test]
fn a_document_that_is_gone_from_a_file_or_with_its_file_is_removed() {
    let mut world = two_rules();
    world.write("rules/c.yaml", &rule("c", "C"));
    world.reload();
    world.write("rules/rules.yaml", &rule("b", "B"));
    assert_snapshot!(world.reload(), @"
    c: object.status.phase == 'C'
    b: object.status.phase == 'B'
    ");
    world.remove(Path::new("rules/c.yaml"));
    assert_snapshot!(world.reload(), @"b: object.status.phase == 'B'");
}

#[test]
fn what_is_gone_with_its_directory_or_in_an_empty_file_is_not_removed() {
    let mut world = two_rules();
    world.write("rules/rules.yaml", "");
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    frozen a: DIR/rules/rules.yaml has no documents
    frozen b: DIR/rules/rules.yaml has no documents
    error: DIR/rules/rules.yaml is empty
    ");
    world.remove(Path::new("rules"));
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    frozen a: DIR/rules does not exist
    frozen b: DIR/rules does not exist
    error: DIR/rules does not exist
    ");
    fs::create_dir(world.path("rules")).unwrap();
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    frozen a: DIR/rules has no documents
    frozen b: DIR/rules has no documents
    error: DIR/rules has no `.yaml` or `.yml` file
    ");
    world.write("rules/rules.yaml", &rule("b", "B"));
    world.write("rules/hook.yaml", RECEIVER);
    assert_snapshot!(world.reload(), @"b: object.status.phase == 'B'");
}

#[test]
fn a_receiver_that_is_still_notified_stays() {
    let mut world = two_rules();
    world.remove(Path::new("rules/hook.yaml"));
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    frozen a: DIR/rules/rules.yaml:7:12: there is no receiver `hook`
    frozen b: DIR/rules/rules.yaml:15:12: there is no receiver `hook`
    error: there is no receiver `hook`
     --> DIR/rules/rules.yaml:7:12
      |
    7 |   notify: [hook]
      |            ^^^^
      |
      = help: there are no receivers in the rules path

    error: there is no receiver `hook`
      --> DIR/rules/rules.yaml:15:12
       |
    15 |   notify: [hook]
       |            ^^^^
       |
       = help: there are no receivers in the rules path
    ");
}

#[test]
fn a_template_that_is_wrong_or_gone_stays_as_it_was() {
    let mut world = two_rules();
    world.write("templates/hook.json.hbs", "{{#if}}");
    world.write("rules/rules.yaml", &(rule("a", "Other") + &rule("b", "B")));
    assert_snapshot!(world.reload(), @r#"
    a: object.status.phase == 'Other'
    b: object.status.phase == 'B'
    error: there is no template "hook.json.hbs"
     --> DIR/rules/hook.yaml:3:18
      |
    3 | metadata: {name: hook}
      |                  ^^^^
      |
      = help: name a template directory with --templates

    error: something is not closed here
     --> DIR/templates/hook.json.hbs:1:8
      |
    1 | {{#if}}
      |        ^
      |
      = help: {{#if …}} ends with {{/if}}, {{#each …}} with {{/each}}
    "#);
    world.remove(Path::new("templates/hook.json.hbs"));
    assert_snapshot!(world.reload(), @r#"
    a: object.status.phase == 'Other'
    b: object.status.phase == 'B'
    error: there is no template "hook.json.hbs"
     --> DIR/rules/hook.yaml:3:18
      |
    3 | metadata: {name: hook}
      |                  ^^^^
      |
      = help: name a template directory with --templates
    "#);
    world.remove(Path::new("templates"));
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'Other'
    b: object.status.phase == 'B'
    error: cannot read the templates in DIR/templates: No such file or directory (os error 2)
     |
     = help: --templates takes a directory of .hbs files
    ");
}

#[test]
fn where_nothing_can_be_used_all_stays() {
    let mut world = two_rules();
    let other = RECEIVER.replace("name: hook", "name: other");
    world.write("rules/rules.yaml", &other);
    assert_snapshot!(world.reload(), @"
    all stays as it is
    error: there are no rules
     |
     = help: 2 files were read; a rule is a document with `kind: Rule`
    ");
}

#[test]
fn a_rule_may_move_to_another_file() {
    let mut world = two_rules();
    world.write("rules/rules.yaml", &rule("b", "B"));
    world.write("rules/a.yaml", &rule("a", "A"));
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    ");
    world.write("rules/z.yaml", &rule("a", "Twice"));
    assert_snapshot!(world.reload(), @"
    a: object.status.phase == 'A'
    b: object.status.phase == 'B'
    error: two rules are called `a`
     --> DIR/rules/z.yaml:3:18
      |
    3 | metadata: {name: a}
      |                  ^ again here
      |
     ::: DIR/rules/a.yaml:3:18
      |
    3 | metadata: {name: a}
      |                  - first here
    ");
}
