//! Tokens: for the positions of sub-expressions, for the brackets, and for the mistakes that a
//! parser explains badly (`=` for `==`, an unclosed string).

use super::DEEPEST_NESTING;
use crate::cel::env::Problem;
use crate::cel::node::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Name,
    Number,
    Text,
    Symbol(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
    /// For a bracket, the number of the token that closes or opens it.
    pub partner: Option<usize>,
}

/// Longer ones first.
const SYMBOLS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "<", ">",
    "!", "+", "-", "*", "/", "%", ";",
];

/// The tokens of a source.
///
/// # Errors
/// What is wrong with the characters themselves and with the brackets.
pub fn tokens(source: &str) -> Result<Vec<Token>, Vec<Problem>> {
    let mut lexer = Lexer {
        source,
        at: 0,
        tokens: Vec::new(),
        open: Vec::new(),
    };
    lexer.run().map_err(|problem| vec![problem])?;
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token>,
    /// Numbers of the brackets that are open.
    open: Vec<usize>,
}

fn span(start: usize, end: usize) -> Span {
    let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        start: short(start),
        end: short(end),
    }
}

fn problem(start: usize, end: usize, message: &str, help: Option<&str>) -> Problem {
    Problem {
        span: start..end,
        message: message.to_owned(),
        help: help.map(str::to_owned),
    }
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn run(&mut self) -> Result<(), Problem> {
        loop {
            self.skip_space();
            let Some(first) = self.rest().chars().next() else {
                break;
            };
            let start = self.at;
            let kind = if let Some(quote) = self.text_start() {
                self.text(quote)?;
                TokenKind::Text
            } else if first.is_ascii_alphabetic() || first == '_' {
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                TokenKind::Name
            } else if first == '`' {
                self.escaped_name()?;
                TokenKind::Name
            } else if first.is_ascii_digit() {
                self.number();
                TokenKind::Number
            } else {
                self.symbol(first)?
            };
            self.tokens.push(Token {
                kind,
                span: span(start, self.at),
                partner: None,
            });
            self.match_brackets(kind)?;
        }
        match self.open.first() {
            None => Ok(()),
            Some(open) => {
                let Span { start, .. } = self.tokens[*open].span;
                let at = start as usize;
                let bracket = &self.source[at..=at];
                Err(problem(
                    at,
                    at + 1,
                    &format!("this '{bracket}' is never closed"),
                    None,
                ))
            }
        }
    }

    fn skip_space(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !keep(c)).unwrap_or(rest.len());
    }

    /// How many bytes of prefix (`r`, `b`) stand before a quote, if here begins a text.
    fn text_start(&self) -> Option<usize> {
        let bytes = self.rest().as_bytes();
        let prefix = bytes
            .iter()
            .take(2)
            .take_while(|b| b"rRbB".contains(b))
            .count();
        matches!(bytes.get(prefix), Some(b'"' | b'\'')).then_some(prefix)
    }

    fn text(&mut self, prefix: usize) -> Result<(), Problem> {
        let start = self.at;
        let raw = self.rest()[..prefix].contains(['r', 'R']);
        let body = &self.rest()[prefix..];
        let quote = &body[..1];
        let triple = quote.repeat(3);
        let quote = if body.starts_with(&triple) {
            &triple
        } else {
            quote
        };
        let mut at = start + prefix + quote.len();
        loop {
            let rest = &self.source[at..];
            if rest.starts_with(quote) {
                self.at = at + quote.len();
                return Ok(());
            }
            let Some(c) = rest.chars().next() else { break };
            if c == '\n' && quote.len() == 1 {
                break;
            }
            at += c.len_utf8();
            if c == '\\' && !raw {
                at += self.source[at..].chars().next().map_or(0, char::len_utf8);
            }
        }
        let end = start + prefix + quote.len();
        let message = format!("this text is never closed: {quote} is missing");
        Err(problem(start, end, &message, None))
    }

    fn escaped_name(&mut self) -> Result<(), Problem> {
        let start = self.at;
        match self.rest()[1..].find('`') {
            Some(length) => {
                self.at += length + 2;
                Ok(())
            }
            None => Err(problem(start, start + 1, "this '`' is never closed", None)),
        }
    }

    fn number(&mut self) {
        let start = self.at;
        self.take_while(|c| c.is_ascii_alphanumeric());
        let fraction = self
            .rest()
            .strip_prefix('.')
            .and_then(|rest| rest.chars().next());
        if fraction.is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_alphanumeric());
        }
        let hexadecimal = self.source[start..].starts_with("0x");
        if !hexadecimal && self.source[start..self.at].ends_with(['e', 'E']) {
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            self.take_while(|c| c.is_ascii_digit());
        }
    }

    fn symbol(&mut self, first: char) -> Result<TokenKind, Problem> {
        if let Some(symbol) = SYMBOLS
            .into_iter()
            .find(|symbol| self.rest().starts_with(symbol))
        {
            self.at += symbol.len();
            return Ok(TokenKind::Symbol(symbol));
        }
        let help = match first {
            '=' => Some("a comparison is written '=='"),
            '&' => Some("'and' is written '&&'"),
            '|' => Some("'or' is written '||'"),
            '“' | '”' | '‘' | '’' => Some("write \" or ' instead of typographic quotes"),
            _ => None,
        };
        let end = self.at + first.len_utf8();
        Err(problem(
            self.at,
            end,
            &format!("'{first}' has no meaning here"),
            help,
        ))
    }

    fn match_brackets(&mut self, kind: TokenKind) -> Result<(), Problem> {
        let number = self.tokens.len() - 1;
        let here = self.tokens[number].span.range();
        let opener = match kind {
            TokenKind::Symbol("(" | "[" | "{") => {
                if self.open.len() >= DEEPEST_NESTING {
                    let message = format!("brackets are nested more than {DEEPEST_NESTING} deep");
                    return Err(problem(here.start, here.end, &message, None));
                }
                self.open.push(number);
                return Ok(());
            }
            TokenKind::Symbol(")") => "(",
            TokenKind::Symbol("]") => "[",
            TokenKind::Symbol("}") => "{",
            _ => return Ok(()),
        };
        let open = self
            .open
            .pop()
            .filter(|at| self.tokens[*at].kind == TokenKind::Symbol(opener));
        let Some(open) = open else {
            let message = format!("nothing opens this '{}'", &self.source[here.clone()]);
            return Err(problem(here.start, here.end, &message, None));
        };
        self.tokens[open].partner = Some(number);
        self.tokens[number].partner = Some(open);
        Ok(())
    }
}
