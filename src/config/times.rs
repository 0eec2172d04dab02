//! Intervals of time in Alertmanager's words: times of day, weekdays, days of the month, months,
//! years, in a time zone.
//!
//! In: what a user wrote. Out: typed ranges. Whether a moment lies in an interval, and when that
//! changes, is for `notify` to say.

use std::str::FromStr;
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// The zones that are built in: reading a document reads no file of the system.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A stretch of time that comes again: it holds a moment if each of its parts that is not empty
/// has a range that does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeInterval {
    /// Times of the day.
    #[serde(default)]
    pub times: Vec<TimeRange>,
    /// `monday`, `monday:friday`.
    #[serde(default)]
    pub weekdays: Vec<Weekdays>,
    /// `1`, `1:5`; `-1` is the last day of the month: `-3:-1`.
    #[serde(default)]
    pub days_of_month: Vec<DaysOfMonth>,
    /// `january`, `1`, `may:august`.
    #[serde(default)]
    pub months: Vec<Months>,
    /// `2026`, `2026:2028`.
    #[serde(default)]
    pub years: Vec<Years>,
    /// The time zone: `Europe/Berlin`; UTC by default.
    #[serde(default)]
    pub location: Location,
}

/// From a time of the day to a later one, which is the first that is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeRange {
    /// `HH:MM`.
    pub start_time: TimeOfDay,
    /// `HH:MM`, at most `24:00`.
    pub end_time: TimeOfDay,
}

/// Minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub u16);

/// The first and the last, Sunday being 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(pub i8, pub i8);

/// The first and the last; negative from the end of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaysOfMonth(pub i8, pub i8);

/// The first and the last, January being 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Months(pub i8, pub i8);

/// The first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Years(pub i16, pub i16);

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(pub TimeZone);

impl Default for Location {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time of the day; write `HH:MM`, `00:00` to `24:00`");
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let number = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok()).flatten()
        };
        match (number(hours), number(minutes)) {
            (Some(hours), Some(minutes))
                if minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0)) =>
            {
                Ok(Self(hours * 60 + minutes))
            }
            _ => Err(wrong()),
        }
    }
}

impl FromStr for Weekdays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = range(text, |word| place(&WEEKDAYS, word, 0))
            .ok_or_else(|| format!("`{text}` is no range of weekdays; write `monday:friday`"))?;
        in_order(text, &first, &last).map(|()| Self(first, last))
    }
}

impl FromStr for DaysOfMonth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = |word: &str| {
            let day: i8 = word.parse().ok()?;
            (day != 0 && (-31..=31).contains(&day)).then_some(day)
        };
        let (first, last) = range(text, day).ok_or_else(|| {
            format!("`{text}` is no range of days; write `1:5`, or `-3:-1` from the month's end")
        })?;
        // Of a range that begins at one end and ends at the other, no month decides the order.
        if (first < 0) == (last < 0) {
            in_order(text, &first, &last)?;
        } else if first < 0 {
            return Err(format!("`{text}` begins after it ends"));
        }
        Ok(Self(first, last))
    }
}

impl FromStr for Months {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let month = |word: &str| match word.parse::<i8>() {
            Ok(number) => (1..=12).contains(&number).then_some(number),
            Err(_) => place(&MONTHS, word, 1),
        };
        let (first, last) = range(text, month)
            .ok_or_else(|| format!("`{text}` is no range of months; write `may:august`"))?;
        in_order(text, &first, &last).map(|()| Self(first, last))
    }
}

impl FromStr for Years {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let year = |word: &str| word.parse().ok().filter(|year| (1..9999).contains(year));
        let (first, last) = range(text, year)
            .ok_or_else(|| format!("`{text}` is no range of years; write `2026:2028`"))?;
        in_order(text, &first, &last).map(|()| Self(first, last))
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "UTC" {
            return Ok(Self::default());
        }
        ZONES
            .get(text)
            .map(Self)
            .map_err(|_| format!("there is no time zone `{text}`; write it as `Europe/Berlin`"))
    }
}

/// One word, or two with a colon between them.
fn range<T: Copy>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    let text = text.trim().to_lowercase();
    let (first, last) = text.split_once(':').unwrap_or((&text, &text));
    Some((read(first.trim())?, read(last.trim())?))
}

fn place(words: &[&str], word: &str, first: i8) -> Option<i8> {
    let at = words.iter().position(|known| *known == word)?;
    Some(i8::try_from(at).ok()? + first)
}

fn in_order<T: PartialOrd>(text: &str, first: &T, last: &T) -> Result<(), String> {
    if first <= last {
        return Ok(());
    }
    Err(format!("`{text}` begins after it ends; write two ranges"))
}

/// Reads a form, for messages about a document's shape.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn check(form: &str, text: &str) -> Result<(), String> {
    match form {
        "time-of-day" => text.parse::<TimeOfDay>().map(drop),
        "weekdays" => text.parse::<Weekdays>().map(drop),
        "days-of-month" => text.parse::<DaysOfMonth>().map(drop),
        "months" => text.parse::<Months>().map(drop),
        "years" => text.parse::<Years>().map(drop),
        "location" => text.parse::<Location>().map(drop),
        _ => Ok(()),
    }
}

macro_rules! written_as {
    ($($type:ident: $form:literal),* $(,)?) => {
        $(
            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?
                        .parse()
                        .map_err(serde::de::Error::custom)
                }
            }

            impl JsonSchema for $type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({ "type": "string", "x-bellwether-form": $form })
                }
            }
        )*
    };
}

written_as! {
    TimeOfDay: "time-of-day",
    Weekdays: "weekdays",
    DaysOfMonth: "days-of-month",
    Months: "months",
    Years: "years",
    Location: "location",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_in_alertmanager() {
        assert_eq!("24:00".parse(), Ok(TimeOfDay(1440)));
        assert_eq!("Monday:friday".parse(), Ok(Weekdays(1, 5)));
        assert_eq!("sunday".parse(), Ok(Weekdays(0, 0)));
        assert_eq!("-3:-1".parse(), Ok(DaysOfMonth(-3, -1)));
        assert_eq!("2:-2".parse(), Ok(DaysOfMonth(2, -2)));
        assert_eq!("may:8".parse(), Ok(Months(5, 8)));
        assert_eq!("2026".parse(), Ok(Years(2026, 2026)));
        assert!("Europe/Berlin".parse::<Location>().is_ok());
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_to_write() {
        let wrong = [
            ("time-of-day", "9:00"),
            ("time-of-day", "24:01"),
            ("weekdays", "mon"),
            ("weekdays", "friday:monday"),
            ("days-of-month", "0"),
            ("days-of-month", "-1:5"),
            ("months", "13"),
            ("years", "soon"),
            ("location", "Berlin"),
        ];
        let why = wrong.map(|(form, text)| check(form, text).unwrap_err());
        insta::assert_snapshot!(why.join("\n"), @"
        `9:00` is no time of the day; write `HH:MM`, `00:00` to `24:00`
        `24:01` is no time of the day; write `HH:MM`, `00:00` to `24:00`
        `mon` is no range of weekdays; write `monday:friday`
        `friday:monday` begins after it ends; write two ranges
        `0` is no range of days; write `1:5`, or `-3:-1` from the month's end
        `-1:5` begins after it ends
        `13` is no range of months; write `may:august`
        `soon` is no range of years; write `2026:2028`
        there is no time zone `Berlin`; write it as `Europe/Berlin`
        ");
    }
}
