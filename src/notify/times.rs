//! Whether a moment lies in an interval of time, and when that changes.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::config::TimeInterval;
use crate::config::times::TimeOfDay;

/// Further ahead than this nobody looks for the end of an interval.
const HORIZON_DAYS: i32 = 3 * 366;

/// When the groups of a route may be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// Only within these, if there are any.
    pub active: Vec<TimeInterval>,
    /// Not within these.
    pub mute: Vec<TimeInterval>,
}

impl Times {
    /// Whether nobody is told now.
    pub(crate) fn mute(&self, now: Timestamp) -> bool {
        let within = |intervals: &[TimeInterval]| intervals.iter().any(|it| contains(it, now));
        !self.active.is_empty() && !within(&self.active) || within(&self.mute)
    }

    /// The first moment from `now` on at which somebody may be told; none within some years is
    /// the end of time.
    pub(crate) fn open_at(&self, now: Timestamp) -> Timestamp {
        let mut at = now;
        while self.mute(at) {
            let changes = self.active.iter().chain(&self.mute);
            let next = changes
                .filter_map(|interval| next_change(interval, at))
                .min();
            match next {
                Some(next) if next > at => at = next,
                _ => return Timestamp::MAX,
            }
        }
        at
    }
}

/// Whether the interval holds the moment.
fn contains(interval: &TimeInterval, moment: Timestamp) -> bool {
    let local = moment.to_zoned(interval.location.0.clone());
    holds_day(interval, local.date()) && {
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let within = |start: TimeOfDay, end: TimeOfDay| {
            i32::from(start.0) <= minute && minute < i32::from(end.0)
        };
        let mut times = interval.times.iter();
        interval.times.is_empty() || times.any(|it| within(it.start_time, it.end_time))
    }
}

/// Whether the interval holds some of the day.
fn holds_day(interval: &TimeInterval, day: Date) -> bool {
    let weekday = day.weekday().to_sunday_zero_offset();
    let last = day.days_in_month();
    let from_start = |day: i8| if day < 0 { last + 1 + day } else { day };
    let days = |first: i8, until: i8| {
        let (first, until) = (from_start(first).max(1), from_start(until).min(last));
        (first..=until).contains(&day.day())
    };
    holds(&interval.weekdays, |it| (it.0..=it.1).contains(&weekday))
        && holds(&interval.days_of_month, |it| days(it.0, it.1))
        && holds(&interval.months, |it| (it.0..=it.1).contains(&day.month()))
        && holds(&interval.years, |it| (it.0..=it.1).contains(&day.year()))
}

fn holds<T>(ranges: &[T], holds: impl Fn(&T) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(holds)
}

/// The first moment after `now` from which on the interval's answer is another one.
fn next_change(interval: &TimeInterval, now: Timestamp) -> Option<Timestamp> {
    let zone = &interval.location.0;
    let inside = contains(interval, now);
    let today = now.to_zoned(zone.clone()).date();
    // A day of which it holds nothing, before and after, has no change within.
    let mut held_before = holds_day(interval, today);
    for ahead in 0..HORIZON_DAYS {
        let day = today.checked_add(ahead.days()).ok()?;
        let held = holds_day(interval, day);
        if held || held_before {
            let change = moments(interval, zone, day)
                .into_iter()
                .filter(|moment| *moment > now)
                .find(|moment| contains(interval, *moment) != inside);
            if change.is_some() {
                return change;
            }
        }
        held_before = held;
    }
    None
}

/// The moments of a day at which the answer can change, in order: its midnight, the times that the
/// interval names (twice where the clocks go back), and where the clocks change.
fn moments(interval: &TimeInterval, zone: &TimeZone, day: Date) -> Vec<Timestamp> {
    let times = interval.times.iter();
    let named = times.flat_map(|it| [it.start_time, it.end_time]);
    let mut moments = Vec::new();
    for TimeOfDay(minutes) in named.chain([TimeOfDay(0)]) {
        let (hour, minute) = ((minutes / 60) % 24, minutes % 60);
        let Ok(time) = Time::new(small(hour), small(minute), 0, 0) else {
            continue;
        };
        // 24:00 is the next day's midnight, which that day names itself.
        let local = zone.to_ambiguous_timestamp(day.to_datetime(time));
        moments.extend(local.earlier());
        moments.extend(local.later());
    }
    let midnight = Time::midnight();
    if let Ok(start) = zone.to_timestamp(day.to_datetime(midnight)) {
        let clocks = zone.following(start).map(|change| change.timestamp());
        let of_day = |moment: &Timestamp| Zoned::new(*moment, zone.clone()).date() == day;
        moments.extend(clocks.take_while(of_day));
    }
    moments.sort_unstable();
    moments
}

fn small(number: u16) -> i8 {
    i8::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(yaml: &str) -> TimeInterval {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn opens(mute: &str, now: &str) -> String {
        let times = Times {
            active: Vec::new(),
            mute: vec![interval(mute)],
        };
        times.open_at(moment(now)).to_string()
    }

    #[test]
    fn a_mute_time_ends_where_it_says_in_its_own_zone() {
        let night = "{times: [{startTime: '00:00', endTime: '06:00'}], location: Europe/Berlin}";
        assert_eq!(opens(night, "2026-11-23T02:30:00Z"), "2026-11-23T05:00:00Z");
        assert_eq!(opens(night, "2026-07-23T02:30:00Z"), "2026-07-23T04:00:00Z");
        assert_eq!(opens(night, "2026-11-23T12:00:00Z"), "2026-11-23T12:00:00Z");
    }

    #[test]
    fn adjoining_intervals_are_one() {
        let nights = "{times: [{startTime: '22:00', endTime: '24:00'}, \
                       {startTime: '00:00', endTime: '06:00'}]}";
        assert_eq!(
            opens(nights, "2026-11-23T22:00:00Z"),
            "2026-11-24T06:00:00Z"
        );
        let weekend = "{weekdays: [saturday, sunday]}";
        assert_eq!(
            opens(weekend, "2026-11-28T01:00:00Z"),
            "2026-11-30T00:00:00Z"
        );
    }

    #[test]
    fn outside_of_the_active_times_is_muted() {
        let times = Times {
            active: vec![interval(
                "{weekdays: ['monday:friday'], times: [{startTime: '09:00', endTime: '17:00'}]}",
            )],
            mute: vec![interval("{daysOfMonth: ['-1'], months: [november]}")],
        };
        let opens = |now| times.open_at(moment(now)).to_string();
        assert_eq!(opens("2026-11-23T10:00:00Z"), "2026-11-23T10:00:00Z");
        assert_eq!(opens("2026-11-23T17:00:00Z"), "2026-11-24T09:00:00Z");
        // A Friday evening, and the Monday after it is the last of November.
        assert_eq!(opens("2026-11-27T18:00:00Z"), "2026-12-01T09:00:00Z");
    }

    #[test]
    fn clocks_that_change_are_followed() {
        let early = "{times: [{startTime: '01:30', endTime: '02:30'}], location: Europe/Berlin}";
        // Forward at 02:00 local: 02:30 does not exist, the interval ends when the clocks jump.
        assert_eq!(opens(early, "2026-03-29T00:45:00Z"), "2026-03-29T01:00:00Z");
        // Back at 03:00 local: 02:30 comes twice, and with it the interval.
        assert_eq!(opens(early, "2026-10-25T00:00:00Z"), "2026-10-25T00:30:00Z");
        let times = Times {
            mute: vec![interval(early)],
            ..Times::default()
        };
        assert!(times.mute(moment("2026-10-25T01:15:00Z")));
        assert_eq!(opens(early, "2026-10-25T01:15:00Z"), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn what_never_opens_opens_at_the_end_of_time() {
        let past = Times {
            active: vec![interval("{years: ['2020']}")],
            mute: Vec::new(),
        };
        assert_eq!(past.open_at(moment("2026-11-23T10:00:00Z")), Timestamp::MAX);
    }

    proptest::proptest! {
        #[test]
        fn it_is_muted_up_to_the_moment_and_not_at_it(
            minute in 0..2_000_000_i64,
            start in 0..1439_u16,
            length in 1..600_u16,
            days in (1..28_i8, 0..3_i8),
        ) {
            let mut night = interval("{location: America/New_York}");
            night.times = vec![crate::config::times::TimeRange {
                start_time: TimeOfDay(start),
                end_time: TimeOfDay((start + length).min(1440)),
            }];
            night.days_of_month = vec![crate::config::times::DaysOfMonth(days.0, days.0 + days.1)];
            let times = Times { active: vec![night], mute: Vec::new() };
            let now = Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
            let open = times.open_at(now);
            proptest::prop_assert!(!times.mute(open));
            proptest::prop_assert!(open == now || times.mute(now));
            let before = Timestamp::from_second(open.as_second() - 60).unwrap().max(now);
            proptest::prop_assert!(open == now || times.mute(before));
        }
    }
}
