//! From source to the syntax tree of the `cel` crate, with positions and plain words for errors.
//!
//! The parser behind it recurses as deep as the source is long, so sources are capped, brackets
//! are counted before, and all that recurses over the tree runs on a stack that is large enough
//! for the longest source ([`with_room`]).

pub mod lex;
mod words;

use super::env::Problem;
use super::node::Span;
use cel::common::ast::{IdedExpr, SourceInfo};
use lex::{Token, TokenKind};
use std::cell::Cell;

/// The longest source, in bytes.
pub const LONGEST_SOURCE: usize = 16 * 1024;

/// How deep brackets may be nested.
pub const DEEPEST_NESTING: usize = 64;

/// Sources up to this size are compiled on the stack of the caller, which needs 512 KiB for it.
const SHORT_SOURCE: usize = 160;

/// Enough for the parser on the longest source (measured: 24 MiB without optimisation).
const LARGE_STACK: usize = 60 << 20;

thread_local! {
    /// Whether this thread has a large stack.
    static ROOMY: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` on one large stack, on which everything that it compiles has room. Many sources are
/// compiled faster so: else each long one gets a stack of its own.
pub fn on_large_stack<T: Send>(f: impl Fn() -> T + Sync) -> T {
    let run = || {
        ROOMY.set(true);
        f()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("cel-compile".to_owned())
            .stack_size(LARGE_STACK)
            .spawn_scoped(scope, run);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => f(),
        }
    })
}

/// A source in pieces.
pub(super) struct Parsed {
    pub expr: IdedExpr,
    pub info: SourceInfo,
    pub tokens: Vec<Token>,
}

/// Parses a source. No macro is expanded: they are calls in the tree.
pub(super) fn parse(source: &str) -> Result<Parsed, Vec<Problem>> {
    let tokens = lex::tokens(source)?;
    // An environment of its own, because a plain parser expands the standard macros.
    let parser = cel::Env::default()
        .parser()
        .enable_optional_syntax(true)
        .enable_ident_escape_syntax(true);
    match parser.parse_with_source_info(source) {
        Ok((expr, info)) => Ok(Parsed { expr, info, tokens }),
        Err(errors) => Err(words::problems(source, &tokens, &errors)),
    }
}

/// Runs `f` where a compilation of this source cannot overflow the stack.
pub(super) fn with_room<T: Send>(
    source: &str,
    f: impl FnOnce() -> Result<T, Vec<Problem>> + Send,
) -> Result<T, Vec<Problem>> {
    if source.len() > LONGEST_SOURCE {
        let message = format!(
            "the expression is {} bytes long; at most {LONGEST_SOURCE} are allowed",
            source.len()
        );
        return Err(vec![Problem {
            span: 0..source.len(),
            message,
            help: None,
        }]);
    }
    if source.len() <= SHORT_SOURCE || ROOMY.get() {
        return f();
    }
    let failed = |what: &str| {
        let message = format!("the expression cannot be compiled: {what}");
        vec![Problem {
            span: 0..source.len(),
            message,
            help: None,
        }]
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("cel-compile".to_owned())
            .stack_size(LARGE_STACK)
            .spawn_scoped(scope, f)
            .map_err(|error| failed(&error.to_string()))?
            .join()
            .unwrap_or_else(|_| Err(failed("the parser failed")))
    })
}

impl Parsed {
    /// Where the token of a node is.
    pub fn token(&self, id: u64) -> Span {
        let Some((start, stop)) = self.info.offset_for(id) else {
            return Span::default();
        };
        Span {
            start,
            end: stop + 1,
        }
    }

    fn index_at(&self, start: u32) -> Option<usize> {
        self.tokens
            .binary_search_by_key(&start, |token| token.span.start)
            .ok()
    }

    /// From an opening bracket to the end of the one that closes it.
    pub fn brackets(&self, open: Span) -> Span {
        let close = self
            .index_at(open.start)
            .and_then(|at| self.tokens[at].partner);
        close.map_or(open, |close| open.to(self.tokens[close].span))
    }

    /// The name that follows a dot (`.name`, `.?name`).
    pub fn name_after(&self, dot: Span) -> Span {
        self.index_at(dot.start)
            .and_then(|at| {
                self.tokens[at + 1..]
                    .iter()
                    .find(|token| token.kind != TokenKind::Symbol("?"))
            })
            .map_or(dot, |token| token.span)
    }

    /// The token before the one at this place.
    pub fn before(&self, at: Span) -> Option<Span> {
        let at = self.index_at(at.start)?;
        Some(self.tokens[at.checked_sub(1)?].span)
    }

    /// The span with the round brackets around it, where they only group.
    pub fn grouped(&self, mut span: Span) -> Span {
        while let Some(wider) = self.wider(span) {
            span = wider;
        }
        span
    }

    fn wider(&self, span: Span) -> Option<Span> {
        let first = self.index_at(span.start)?;
        let open = first.checked_sub(1)?;
        let close = self.tokens[open].partner.filter(|close| *close > open)?;
        let groups = self.tokens[open].kind == TokenKind::Symbol("(")
            && self.tokens[close - 1].span.end == span.end
            && open
                .checked_sub(1)
                .is_none_or(|at| self.tokens[at].kind != TokenKind::Name);
        groups.then(|| self.tokens[open].span.to(self.tokens[close].span))
    }
}
