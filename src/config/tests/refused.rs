//! Bad input: each with the exact message.

use super::*;

fn refused(text: &str) -> String {
    load(text).expect_err("it should be refused").to_string()
}

#[test]
fn an_unknown_key_shows_what_was_meant() {
    insta::assert_snapshot!(refused(&rule("  when: 'true'\n  severty: critical\n  owner: me\n")), @"");
}
