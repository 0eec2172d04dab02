//! A string of a document that is an expression or a template, with where it stands.

use crate::diagnostic::Place;

/// An expression or a template.
///
/// Two texts are equal when they say the same, wherever they stand: moving a rule within its file
/// changes nothing.
#[derive(Clone, Debug)]
pub struct Text {
    pub text: String,
    /// Absent where it did not come from a source that we read (an object of the cluster).
    pub place: Option<Place>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            place: None,
        }
    }
}

impl schemars::JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self { text, place: None })
    }
}
