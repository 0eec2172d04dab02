//! Durations as people write them: Go's form (`90s`, `1h30m`, `1.5h`) with `d` and `w`.

use std::time::Duration;

use serde::Deserialize;

/// What is wrong with the text of a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("it is empty")]
    Empty,
    #[error("`{0}` has no unit; write `{0}s`, `{0}m` or `{0}h`")]
    NoUnit(String),
    #[error("`{0}` is no unit; the units are ms, s, m, h, d and w")]
    Unit(String),
    #[error("`{0}` is not a number")]
    Number(String),
    #[error("there is no number before `{0}`")]
    NoNumber(String),
    #[error("it is longer than 100 years")]
    TooLong,
}

const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];
const LONGEST: u64 = 100 * 365 * 86_400_000;

/// Reads a duration, to the millisecond.
///
/// # Errors
/// Says which part is wrong.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let number = take(&mut rest, |c| c.is_ascii_digit() || c == '.');
        let unit = take(&mut rest, |c| !c.is_ascii_digit() && c != '.');
        if number.is_empty() {
            return Err(DurationError::NoNumber(unit.to_owned()));
        }
        if unit.is_empty() {
            return Err(DurationError::NoUnit(number.to_owned()));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::Unit(unit.to_owned()));
        };
        total = milliseconds(number, *factor)?
            .checked_add(total)
            .filter(|sum| *sum <= LONGEST)
            .ok_or(DurationError::TooLong)?;
    }
    Ok(Duration::from_millis(total))
}

fn take<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// `number` times `factor`, exactly, a fraction of a millisecond dropped.
fn milliseconds(number: &str, factor: u64) -> Result<u64, DurationError> {
    let wrong = || DurationError::Number(number.to_owned());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return Err(wrong());
    }
    if whole.len() > 15 {
        return Err(DurationError::TooLong);
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let digits = u32::try_from(fraction.len()).unwrap_or(9);
    let fraction: u64 = fraction.parse().map_err(|_| wrong())?;
    // At most 9 digits times a week in milliseconds: below 2^60.
    let part = fraction * factor / 10_u64.pow(digits);
    whole
        .checked_mul(factor)
        .and_then(|sum| sum.checked_add(part))
        .ok_or(DurationError::TooLong)
}

/// Writes a duration as [`parse`] reads it, with the fewest units: `1h30m`, `1d`, `0s`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(LONGEST);
    let mut text = String::new();
    for (unit, factor) in UNITS.iter().rev() {
        if rest >= *factor {
            text += &(rest / factor).to_string();
            text += unit;
            rest %= factor;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// With [`serialize`], for `#[serde(with)]`.
///
/// # Errors
/// When the text is no duration.
pub fn deserialize<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .map_err(|error| serde::de::Error::custom(format!("`{text}` is not a duration: {error}")))
}

/// With [`deserialize`], for `#[serde(with)]`; the schema's defaults are written so.
///
/// # Errors
/// Only the serializer's.
pub fn serialize<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// For `#[schemars(with)]`: how a duration looks in a schema.
pub struct DurationText;

impl schemars::JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "x-bellwether-form": "duration",
            "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_to_the_millisecond() {
        for (text, milliseconds) in [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("0.25s", 250),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("1m500ms", 60_500),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_is_wrong() {
        let messages = [
            "",
            "5",
            "5 m",
            "5x",
            "m",
            "-5m",
            "1.2.3s",
            ".s",
            "99999999999999999999s",
            "101w5300w",
        ]
        .map(|text| format!("{text:?}: {}", parse(text).expect_err(text)))
        .join("\n");
        insta::assert_snapshot!(messages, @r#"
        "": it is empty
        "5": `5` has no unit; write `5s`, `5m` or `5h`
        "5 m": ` m` is no unit; the units are ms, s, m, h, d and w
        "5x": `x` is no unit; the units are ms, s, m, h, d and w
        "m": there is no number before `m`
        "-5m": there is no number before `-`
        "1.2.3s": `1.2.3` is not a number
        ".s": `.` is not a number
        "99999999999999999999s": it is longer than 100 years
        "101w5300w": it is longer than 100 years
        "#);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 0..LONGEST) {
            let duration = Duration::from_millis(milliseconds);
            proptest::prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn what_is_read_fits_the_schema(text in "[0-9.]{0,24}(ms|s|m|h|d|w|x|é| )?[0-9.]{0,24}(ms|w)?") {
            // What the schema refuses, the loader refuses too.
            let pattern = schemars::schema_for!(DurationText);
            let pattern = pattern.get("pattern").and_then(serde_json::Value::as_str).expect("a pattern");
            let pattern = regex::Regex::new(pattern).expect("a regular expression");
            proptest::prop_assert!(parse(&text).is_err() || pattern.is_match(&text));
        }
    }
}
