//! Times as people read them.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The time zones that are compiled in: the same on every machine, and no file is read.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const FORMAT: &str = "%Y-%m-%d %H:%M:%S %Z";

/// A time from RFC 3339 text, or from seconds since 1970.
///
/// # Errors
/// It is neither.
pub fn parse(value: &Value) -> Result<Timestamp, String> {
    let time = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().and_then(|s| Timestamp::from_second(s).ok()),
        _ => None,
    };
    time.ok_or_else(|| format!("{value} is not a time"))
}

/// The time in this zone and `strftime` format.
///
/// # Errors
/// There is no such zone, or the format is wrong.
pub fn date(then: Timestamp, zone: Option<&str>, format: Option<&str>) -> Result<String, String> {
    let zone = match zone {
        None => TimeZone::UTC,
        Some(name) => ZONES.get(name).map_err(|_| {
            format!("there is no time zone {name:?}; they are written as in \"Europe/Berlin\"")
        })?,
    };
    let format = format.unwrap_or(FORMAT);
    jiff::fmt::strtime::format(format, &then.to_zoned(zone))
        .map_err(|error| format!("the date format {format:?}: {error}"))
}

/// How long before `at` it was: "12m ago", "in 3h 20m", "just now".
#[must_use]
pub fn ago(at: Timestamp, then: Timestamp) -> String {
    let passed = at.duration_since(then);
    if passed.abs() < SignedDuration::from_secs(1) {
        "just now".to_owned()
    } else if passed.is_negative() {
        format!("in {}", span(passed))
    } else {
        format!("{} ago", span(passed))
    }
}

/// A duration by its two largest units: "3h 20m", "45s", "2d 1h".
#[must_use]
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let parts: Vec<String> = units[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(place, (n, _))| *place == 0 || *n > 0)
        .map(|(_, (n, unit))| format!("{n}{unit}"))
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_is_told_by_its_two_largest_units() {
        let told = |s| span(SignedDuration::from_secs(s));
        insta::assert_snapshot!(
            [0, 45, 60, 754, 12_000, 86_400, 266_400, 90_061].map(told).join(", "),
            @"0s, 45s, 1m, 12m 34s, 3h 20m, 1d, 3d 2h, 1d 1h"
        );
    }

    #[test]
    fn ago_counts_both_ways() {
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(ago(now, at("2026-11-22T11:48:00Z")), "12m ago");
        assert_eq!(ago(now, at("2026-11-22T12:00:10Z")), "in 10s");
        assert_eq!(ago(now, now), "just now");
    }

    #[test]
    fn a_date_is_shown_in_its_zone() {
        let then = at("2026-07-01T22:30:00Z");
        assert_eq!(date(then, None, None).unwrap(), "2026-07-01 22:30:00 UTC");
        assert_eq!(
            date(then, Some("Europe/Berlin"), Some("%d.%m. %H:%M")).unwrap(),
            "02.07. 00:30"
        );
        insta::assert_snapshot!(
            date(then, Some("Berlin"), None).unwrap_err(),
            @r#"there is no time zone "Berlin"; they are written as in "Europe/Berlin""#
        );
        assert!(date(then, None, Some("%!")).is_err());
    }
}
