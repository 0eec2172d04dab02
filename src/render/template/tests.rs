//! What templates may say, what they give, and what is refused.

use super::*;
use serde_json::json;

fn model() -> Model {
    let at = "2026-11-22T12:00:00Z".parse().unwrap();
    let values = json!({
        "title": "<orders> & \"co\"",
        "group": {"firing": 2},
        "object": {"metadata": {"name": "orders", "labels": {"app.kubernetes.io/name": "db"}},
                   "spec": {"version": "15", "date": "never"},
                   "status": {"conditions": [{"type": "Ready", "status": "False"}], "since": "2026-11-22T11:48:00Z"}},
        "oldObject": {"spec": {"version": "14"}},
        "alerts": [{"summary": "one", "object": {"spec": {"version": "15"}}}, {"summary": "two"}],
        "params": {"runbook": "https://runbooks.example/a b|c"},
    });
    Model::new(values, Some(at))
}

fn compile(source: &str, target: Target) -> Result<Template, Vec<TemplateProblem>> {
    Template::compile("t.hbs", source, target, Scope::Message)
}

fn expand_for(target: Target, source: &str) -> String {
    match compile(source, target).unwrap().expand(&model()) {
        Ok(Expansion { text, missing }) if missing.is_empty() => text,
        Ok(Expansion { text, missing }) => format!("{text}  (missing: {})", missing.join(", ")),
        Err(why) => format!("FAILED {why}"),
    }
}

fn expand(source: &str) -> String {
    expand_for(Target::Plain, source)
}

fn problems(source: &str) -> String {
    let problems = compile(source, Target::Plain).unwrap_err();
    let line = |p: &TemplateProblem| {
        let help = p.help.as_ref().map(|help| format!(" ({help})"));
        format!(
            "{}:{}: {}{}",
            p.line,
            p.column,
            p.message,
            help.unwrap_or_default()
        )
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn reads(source: &str) -> String {
    let template = compile(source, Target::Plain).unwrap();
    let reads: Vec<String> = template.reads().iter().map(ToString::to_string).collect();
    reads.join(" ")
}

#[test]
fn every_function_does_what_its_name_says() {
    assert_eq!(expand("{{ago object.status.since}}"), "12m ago");
    assert_eq!(
        expand("{{date object.status.since zone=\"Asia/Tokyo\" format=\"%H:%M %Z\"}}"),
        "20:48 JST"
    );
    assert_eq!(
        expand("{{upper object.metadata.name}} {{lower 'ABC'}}"),
        "ORDERS abc"
    );
    assert_eq!(expand("{{truncate object.metadata.name 4}}"), "ord…");
    assert_eq!(expand("{{default object.spec.nothing \"none\"}}"), "none");
    assert_eq!(expand("{{default object.spec.version \"none\"}}"), "15");
    assert_eq!(
        expand("{{join (lookup object.status \"conditions\")}}"),
        r#"{"type":"Ready","status":"False"}"#
    );
    assert_eq!(expand("{{json oldObject.spec}}"), r#"{"version":"14"}"#);
    assert_eq!(expand("{{yaml oldObject}}"), "spec:\n  version: \"14\"");
    assert_eq!(
        expand("{{diff oldObject.spec object.spec}}"),
        "date: added \"never\"\nversion: \"14\" → \"15\""
    );
    assert_eq!(
        expand("{{#if (eq object.spec.version \"15\")}}yes{{else}}no{{/if}}"),
        "yes"
    );
    assert_eq!(
        expand("{{#with object.spec}}{{this.date}}{{/with}}"),
        "never"
    );
    assert_eq!(
        expand("{{#each alerts as |a|}}{{@index}}={{a.summary}} {{/each}}"),
        "0=one 1=two "
    );
}

#[test]
fn values_are_escaped_for_the_target_and_links_are_written_in_it() {
    let source = "{{title}} {{link params.runbook 'the <book>'}}";
    insta::assert_snapshot!(expand_for(Target::Plain, source), @r#"<orders> & "co" the <book> (https://runbooks.example/a b|c)"#);
    insta::assert_snapshot!(expand_for(Target::Mrkdwn, source), @r#"&lt;orders&gt; &amp; "co" <https://runbooks.example/a%20b%7Cc|the &lt;book&gt;>"#);
    insta::assert_snapshot!(expand_for(Target::Html, source), @r#"&lt;orders&gt; &amp; &quot;co&quot; <a href="https://runbooks.example/a b|c">the &lt;book&gt;</a>"#);
    insta::assert_snapshot!(expand_for(Target::Json, r#"{"title": "{{title}}", "spec": {{json oldObject.spec}}}"#), @r#"{"title": "<orders> & \"co\"", "spec": {"version":"14"}}"#);
    assert_eq!(
        expand_for(Target::Html, "{{link 'javascript:alert(1)' 'x'}}"),
        "x (javascript:alert(1))"
    );
}

#[test]
fn an_absent_value_is_shown_and_counted() {
    insta::assert_snapshot!(expand("{{object.status.phase}} {{upper object.x}}"), @"‹missing: object.status.phase› ‹missing: object.x›  (missing: object.status.phase, object.x)");
    assert_eq!(expand("a{{#if object.status.phase}}b{{/if}}c"), "ac");
}

#[test]
fn a_template_that_fails_says_where_and_why() {
    insta::assert_snapshot!(expand("\n {{ago object.spec.version}}"), @r#"FAILED t.hbs:2:2: ago: "15" is not a time"#);
    insta::assert_snapshot!(expand("{{object.status.conditions.Ready}}"), @"FAILED t.hbs:1:1: Cannot access array/vector with string index, Ready");
    insta::assert_snapshot!(expand("{{join object.spec}}"), @r#"FAILED t.hbs:1:1: join: only a list can be joined, not {"version":"15","date":"never"}"#);
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    // Expressions see it; it is not kept for messages.
    insta::assert_snapshot!(problems("{{change}}"), @r#"1:1: there is no "change" (did you mean "changes"?)"#);
    insta::assert_snapshot!(problems("a\n {{objct.spec}} {{alert.sumary}}"), @r#"
    2:2: there is no "objct" (did you mean "object"?)
    2:17: there is no "sumary" in alert (did you mean "summary"?)
    "#);
    insta::assert_snapshot!(problems("{{uper title}} {{upper}} {{truncate title}} {{date alert.since zon='UTC'}}"), @r#"
    1:1: there is no function "uper" (did you mean "upper"?)
    1:16: "upper" takes 1 argument(s), 0 given (write {{upper TEXT}})
    1:26: "truncate" takes 2 argument(s), 1 given (write {{truncate TEXT 80}})
    1:45: "date" has no option "zon" (did you mean "zone"?)
    "#);
    insta::assert_snapshot!(problems("{{#each alerts}}{{titel}}{{../title}}{{/each}}"), @r#"1:17: there is no "titel" in alerts"#);
    insta::assert_snapshot!(problems("{{alerts.summary}} {{> other}} {{log title}} {{alert.summary.x}}"), @r#"
    1:1: alerts is a list (write {{#each alerts}} … {{/each}})
    1:20: partials are not supported
    1:32: there is no function "log"
    1:46: alert.summary has nothing below it
    "#);
    insta::assert_snapshot!(problems("{{#if title}} never closed"), @"1:27: something is not closed here ({{#if …}} ends with {{/if}}, {{#each …}} with {{/each}})");
    insta::assert_snapshot!(problems("a {{title b"), @r#"1:12: this is not Handlebars (write {{path}} or {{function argument}}; \{{ is a plain {{)"#);
    insta::assert_snapshot!(problems("{{#if title}}{{/each}}"), @r#"1:14: helper "if" was opened, but "each" is closing"#);
    insta::assert_snapshot!(problems("{{#each alerts}}{{#each object.a}}{{#each b}}{{#each c}}x{{/each}}{{/each}}{{/each}}{{/each}}"), @"1:46: more than 3 loops in each other (compute the list in a variable of the rule)");
    insta::assert_snapshot!(problems(&"(".repeat(5000)), @"1:1: blocks and brackets are nested 5000 deep (they may be nested 24 deep)");
}

#[test]
fn the_paths_that_a_template_reads_are_known() {
    assert_eq!(
        reads("{{object.status.phase}} {{group.firing}}"),
        "object.status.phase group.firing"
    );
    assert_eq!(
        reads("{{#each alerts}}{{object.spec.version}}{{../title}}{{/each}}"),
        "object.spec.version title"
    );
    assert_eq!(
        reads("{{#each object.status.conditions as |c|}}{{c.type}}{{status}}{{@index}}{{/each}}"),
        "object.status.conditions[].type object.status.conditions[].status"
    );
    assert_eq!(
        reads("{{#each object.status.conditions}}*{{/each}}"),
        "object.status.conditions"
    );
    assert_eq!(
        reads("{{#with alert.object.spec}}{{version}}{{@root.title}}{{/with}}"),
        "object.spec.version title"
    );
    assert_eq!(reads("{{json object}}"), "object");
    assert_eq!(
        reads("{{upper (default object.a event.b)}}"),
        "object.a event.b"
    );
    assert_eq!(
        reads("{{object.metadata.labels.[app.kubernetes.io/name]}}"),
        "object.metadata.labels['app.kubernetes.io/name']"
    );
    assert_eq!(
        reads("{{date object.t zone=params.zone}}"),
        "object.t params.zone"
    );
    assert_eq!(
        reads("{{#if object.a}}{{object.b}}{{else}}{{object.c}}{{/if}}"),
        "object.a object.b object.c"
    );
    assert_eq!(
        expand("{{object.metadata.labels.[app.kubernetes.io/name]}}"),
        "db"
    );
}

#[test]
fn what_must_be_kept_of_an_object_is_known() {
    let view = |source| {
        let view = compile(source, Target::Plain).unwrap().view();
        let paths =
            |(root, paths): (&String, &PathSet)| format!("{root}: {}", paths.paths().join(" "));
        view.iter().map(paths).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        view(
            "{{object.b}}{{title}}{{#each alerts}}{{object.a}}{{event.message}}{{summary}}{{/each}}"
        ),
        "event: message, object: a b"
    );
    assert!(view("{{json alerts}}").contains("object: *"));
    assert!(view("{{#each alerts}}{{json this}}{{/each}}").contains("object: *"));
    assert!(view("{{json alert}}").contains("oldObject: *"));
    assert_eq!(
        view("{{len alerts}}{{#if alert.summary}}x{{/if}}{{#if alerts}}y{{/if}}"),
        ""
    );
}

proptest::proptest! {
    #[test]
    fn no_source_makes_the_compiler_fail_but_by_a_problem(source in "(\\PC|\\{\\{|\\}\\}|#if |/if|#each alerts|object|\\.|\\[|\\(|as \\|x\\||else|\\^|~|&|>|\\*){0,24}") {
        if let Ok(template) = compile(&source, Target::Mrkdwn) {
            let _ = template.expand(&model());
        }
    }
}
