//! The parts of a moment in a time zone, and of a duration.

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use std::sync::LazyLock;

/// A part that a function like `getHours` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// The zones that came with the program: what a machine has installed changes nothing.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A zone by its name (`Europe/Vienna`, `UTC`) or offset (`+01:00`, `-5:30`).
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name.eq_ignore_ascii_case("utc") {
        return Some(TimeZone::UTC);
    }
    let (sign, digits) = match name.as_bytes()[0] {
        b'-' => (-1, &name[1..]),
        b'+' => (1, &name[1..]),
        _ => (1, name),
    };
    if let Some((hours, minutes)) = digits.split_once(':') {
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let within = (0..=23).contains(&hours) && (0..=59).contains(&minutes);
        let seconds = within.then_some(sign * (hours * 3600 + minutes * 60))?;
        return Some(Offset::from_seconds(seconds).ok()?.to_time_zone());
    }
    ZONES.get(name).ok()
}

/// A part of a moment, numbered as CEL does: months, days of month and year from 0, Sunday is 0;
/// only `getDate` counts from 1.
#[must_use]
pub fn of_timestamp(part: Part, time: Timestamp, zone: &TimeZone) -> i64 {
    let civil = zone.to_datetime(time);
    match part {
        Part::FullYear => i64::from(civil.year()),
        Part::Month => i64::from(civil.month()) - 1,
        Part::Date => i64::from(civil.day()),
        Part::DayOfMonth => i64::from(civil.day()) - 1,
        Part::DayOfWeek => i64::from(civil.weekday().to_sunday_zero_offset()),
        Part::DayOfYear => i64::from(civil.day_of_year()) - 1,
        Part::Hours => i64::from(civil.hour()),
        Part::Minutes => i64::from(civil.minute()),
        Part::Seconds => i64::from(civil.second()),
        Part::Milliseconds => i64::from(civil.millisecond()),
    }
}

/// A duration in whole hours, minutes or seconds; its milliseconds within the second.
#[must_use]
pub fn of_duration(part: Part, duration: SignedDuration) -> Option<i64> {
    Some(match part {
        Part::Hours => duration.as_hours(),
        Part::Minutes => duration.as_mins(),
        Part::Seconds => duration.as_secs(),
        Part::Milliseconds => i64::from(duration.subsec_millis()),
        _ => return None,
    })
}
