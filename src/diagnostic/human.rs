//! The report for people: message, file and line, the line itself underlined, and what to do.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Element, Level as Title, Renderer, Snippet};

use super::{Diagnostic, Level, Place, Source};

/// One diagnostic; `secrets` are stretches of sources that it may not show.
pub(super) fn render(diagnostic: &Diagnostic, secrets: &[Place], colour: bool) -> String {
    let title = match diagnostic.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Note => Title::NOTE,
    };
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut elements = snippets(diagnostic, secrets);
    if let Some(help) = &diagnostic.help {
        elements.push(Title::HELP.message(help.as_str()).into());
    }
    renderer.render(&[title
        .primary_title(diagnostic.message.as_str())
        .elements(elements)])
}

/// What to underline: where, with which words, and whether it is the place itself.
struct Mark<'a> {
    place: &'a Place,
    label: &'a str,
    kind: AnnotationKind,
}

/// A snippet for each source that the diagnostic has a place in.
fn snippets<'a>(diagnostic: &'a Diagnostic, secrets: &[Place]) -> Vec<Element<'a>> {
    let primary = diagnostic.place.iter().map(|place| Mark {
        place,
        label: &diagnostic.label,
        kind: AnnotationKind::Primary,
    });
    let others = diagnostic.others.iter().map(|(place, label)| Mark {
        place,
        label,
        kind: AnnotationKind::Context,
    });
    let mut by_source: Vec<(&Arc<Source>, Vec<Mark<'a>>)> = Vec::new();
    for mark in primary.chain(others) {
        match by_source
            .iter_mut()
            .find(|(source, _)| Arc::ptr_eq(source, &mark.place.source))
        {
            Some((_, marks)) => marks.push(mark),
            None => by_source.push((&mark.place.source, vec![mark])),
        }
    }
    by_source
        .into_iter()
        .map(|(source, marks)| snippet(source, &marks, secrets).into())
        .collect()
}

fn snippet<'a>(
    source: &'a Source,
    marks: &[Mark<'a>],
    secrets: &[Place],
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = source.text();
    let spans: Vec<_> = marks
        .iter()
        .map(|mark| first_line(text, mark.place))
        .collect();
    // Only the lines between the first and the last mark: a file may be long.
    let first = spans.iter().map(|span| span.start).min().unwrap_or(0);
    let last = spans.iter().map(|span| span.end).max().unwrap_or(0);
    let start = text[..first].rfind('\n').map_or(0, |at| at + 1);
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
    let lines_before = text[..start].matches('\n').count();
    Snippet::source(masked(source, start..end, secrets))
        .path(source.name().as_ref())
        .line_start(lines_before + 1)
        .fold(true)
        .annotations(marks.iter().zip(spans).map(|(mark, span)| {
            let label = (!mark.label.is_empty()).then_some(mark.label);
            mark.kind
                .span(span.start - start..span.end - start)
                .label(label)
        }))
}

/// A place, cut at the end of its first line; at least one character, where there is one.
fn first_line(text: &str, place: &Place) -> Range<usize> {
    let start = place.start.min(text.len());
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let end = place.end.clamp(start, line_end);
    match text[start..].chars().next() {
        Some(first) if start == end && first != '\n' => start..start + first.len_utf8(),
        _ => start..end,
    }
}

/// A stretch of the source's text, each byte of a secret in it an asterisk.
fn masked(source: &Source, range: Range<usize>, secrets: &[Place]) -> String {
    let mut text = source.text()[range.clone()].to_owned();
    for secret in secrets.iter().filter(|secret| *secret.source == *source) {
        let start = secret.start.clamp(range.start, range.end) - range.start;
        let end = secret.end.clamp(range.start, range.end) - range.start;
        let hidden = text[start..end]
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { '*' })
            .collect::<String>();
        text.replace_range(start..end, &hidden);
    }
    text
}
