//! Names of fields that are no identifiers, as Kubernetes escapes them in CEL.
//! <https://kubernetes.io/docs/reference/using-api/cel/#escaping>

use std::borrow::Cow;

/// Reserved words that are written `__namespace__`.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The field that an escaped name stands for: `foo__dash__bar` is `foo-bar`.
#[must_use]
pub fn field_name(name: &str) -> Cow<'_, str> {
    if !name.contains("__") {
        return Cow::Borrowed(name);
    }
    let inner = name
        .strip_prefix("__")
        .and_then(|rest| rest.strip_suffix("__"));
    if let Some(word) = inner.filter(|word| RESERVED.contains(word)) {
        return Cow::Owned(word.to_owned());
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(at) = rest.find("__") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let escapes = [
            ("__underscores__", "__"),
            ("__dot__", "."),
            ("__dash__", "-"),
            ("__slash__", "/"),
        ];
        let found = escapes
            .into_iter()
            .find(|(escape, _)| rest.starts_with(escape));
        let (escape, stands_for) = found.unwrap_or(("__", "__"));
        out.push_str(stands_for);
        rest = &rest[escape.len()..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::field_name;

    #[test]
    fn escaped_names_stand_for_fields() {
        let names = [
            "a",
            "__namespace__",
            "foo__dash__bar",
            "a__dot__b__slash__c",
            "x__underscores__y",
            "__x__",
            "a__b",
        ];
        insta::assert_snapshot!(names.map(field_name).join(" "), @"a namespace foo-bar a.b/c x__y __x__ a__b");
    }
}
