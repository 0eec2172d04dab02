//! Names as Kubernetes takes them (RFC 1123).

/// A DNS label: at most 63 lower-case letters, digits and `-`, not at the ends.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// A DNS subdomain: parts joined by dots, at most 253 characters. Kubernetes bounds the whole, not
/// each part.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}
