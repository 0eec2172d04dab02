//! Cutting a text to a limit: at the boundary of what a reader takes for one character, with
//! "…", and never inside an entity (`&amp;`) or a link (`<url|text>`).

use unicode_segmentation::UnicodeSegmentation;

const ELLIPSIS: char = '…';

/// At most `limit` characters. Nobody documents whether a service counts scalar values or UTF-16
/// units, so the larger number, UTF-16, counts here.
#[must_use]
pub fn to_characters(text: &str, limit: usize) -> String {
    cut(text, limit, characters, false)
}

/// At most `limit` characters of Slack's markup, escapes and links whole.
#[must_use]
pub fn mrkdwn(text: &str, limit: usize) -> String {
    cut(text, limit, characters, true)
}

/// At most `limit` bytes of UTF-8.
#[must_use]
pub fn to_bytes(text: &str, limit: usize) -> String {
    cut(text, limit, str::len, false)
}

fn characters(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut(text: &str, limit: usize, size: impl Fn(&str) -> usize, markup: bool) -> String {
    if size(text) <= limit {
        return text.to_owned();
    }
    let mut end = [0; 4];
    let ellipsis = size(ELLIPSIS.encode_utf8(&mut end));
    let Some(room) = limit.checked_sub(ellipsis) else {
        return String::new();
    };
    let mut kept = 0;
    let mut used = 0;
    while kept < text.len() {
        let piece = next_piece(&text[kept..], markup);
        used += size(piece);
        if used > room {
            break;
        }
        kept += piece.len();
    }
    let mut cut = text[..kept].trim_end().to_owned();
    cut.push(ELLIPSIS);
    cut
}

/// The shortest beginning that must not be cut: a grapheme, and in markup a whole entity or link.
fn next_piece(text: &str, markup: bool) -> &str {
    if markup {
        let whole = match text.as_bytes().first() {
            Some(b'&') => text.find(';').filter(|end| *end <= 6),
            // A bare `<` does not occur in escaped text: it begins a link or a date.
            Some(b'<') => text.find('>'),
            _ => None,
        };
        if let Some(end) = whole {
            return &text[..=end];
        }
    }
    text.graphemes(true).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::escape::Target;
    use proptest::prelude::*;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(to_characters("abc", 3), "abc");
    }

    #[test]
    fn a_cut_never_splits_what_a_reader_takes_for_one_character() {
        // A family of four joined by zero-width joiners is eleven UTF-16 units.
        assert_eq!(to_characters("ab👨‍👩‍👧‍👦cd", 13), "ab…");
        assert_eq!(to_characters("ab👨‍👩‍👧‍👦cd", 14), "ab👨‍👩‍👧‍👦…");
        assert_eq!(to_characters("e\u{301}e\u{301}e\u{301}", 4), "e\u{301}…");
        assert_eq!(to_bytes("äöü", 5), "ä…");
    }

    #[test]
    fn a_cut_never_splits_an_entity_or_a_link() {
        assert_eq!(mrkdwn("a &amp; b &amp; c", 14), "a &amp; b…");
        assert_eq!(mrkdwn("a <https://x.example|text> b", 12), "a…");
    }

    proptest! {
        #[test]
        fn a_cut_keeps_the_limit_and_whole_entities(text in "\\PC*|[&<>a-z]{0,40}", limit in 0usize..40) {
            let cut = mrkdwn(&Target::Mrkdwn.escape(&text), limit);
            prop_assert!(characters(&cut) <= limit);
            let without = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            prop_assert!(!without.contains(['&', '<', '>']), "{cut}");
            prop_assert!(to_bytes(&text, limit).len() <= limit);
            prop_assert!(characters(&to_characters(&text, limit)) <= limit);
        }
    }
}
