//! The parser's errors in words that people use.

use super::lex::{Token, TokenKind};
use crate::cel::env::Problem;
use cel::ParseErrors;

/// The problems of a source that does not parse, the first of each place.
pub(super) fn problems(source: &str, tokens: &[Token], errors: &ParseErrors) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for error in &errors.errors {
        let at = offset(source, error.pos);
        let problem = explain(source, tokens, at, &error.msg);
        if problems.iter().all(|other| other.span != problem.span) {
            problems.push(problem);
        }
    }
    // What follows the first syntax error is mostly its echo.
    let first_is_syntax = errors
        .errors
        .first()
        .is_some_and(|e| e.msg.starts_with("Syntax error"));
    if first_is_syntax {
        problems.truncate(1);
    }
    if problems.is_empty() {
        problems.push(Problem {
            span: 0..source.len(),
            message: "this is not an expression".to_owned(),
            help: None,
        });
    }
    problems
}

/// The byte of a line and column, both from 1, columns in characters.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let column = usize::try_from(column - 1).unwrap_or(0);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start
        + rest
            .char_indices()
            .nth(column)
            .map_or(rest.len(), |(at, _)| at)
}

fn explain(source: &str, tokens: &[Token], at: usize, message: &str) -> Problem {
    let found = tokens
        .iter()
        .position(|token| token.span.range().contains(&at));
    let Some(found) = found else {
        return Problem {
            span: source.trim_end().len()..source.len(),
            message: if source.trim().is_empty() {
                "the expression is empty".to_owned()
            } else {
                "the expression ends too early".to_owned()
            },
            help: None,
        };
    };
    let token = tokens[found];
    let text = &source[token.span.range()];
    let help = match text {
        "and" => Some("'and' is written '&&'"),
        "or" => Some("'or' is written '||'"),
        "not" => Some("'not' is written '!'"),
        "is" => Some("a comparison is written '=='"),
        "?" => Some("a choice is written 'condition ? yes : no'"),
        _ => None,
    };
    let message = match message.strip_prefix("reserved identifier: ") {
        Some(name) => format!("'{name}' is a reserved word; it cannot be a name"),
        None if message.starts_with("Syntax error") => match token.kind {
            TokenKind::Symbol(_) => format!("'{text}' cannot stand here"),
            _ => format!("{text} cannot stand here"),
        },
        None => message.trim_end_matches(['!', '.']).to_owned(),
    };
    Problem {
        span: token.span.range(),
        message,
        help: help.map(str::to_owned),
    }
}
