//! Times and durations: their text, their range, their parts in a time zone.

pub mod accessors;

use jiff::{SignedDuration, Timestamp};

/// What an absent time reads as: `0001-01-01T00:00:00Z`, the first moment that CEL has.
pub const NEVER: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// 10,000 years, the largest duration of CEL.
const LONGEST: SignedDuration = SignedDuration::from_secs(315_576_000_000);

/// A moment in the range of CEL.
#[must_use]
pub fn in_range(time: Timestamp) -> Option<Timestamp> {
    (time >= NEVER).then_some(time)
}

/// A duration in the range of CEL.
#[must_use]
pub fn duration_in_range(duration: SignedDuration) -> Option<SignedDuration> {
    (duration.abs() <= LONGEST).then_some(duration)
}

/// The moment a duration after another one.
#[must_use]
pub fn add(time: Timestamp, duration: SignedDuration) -> Option<Timestamp> {
    in_range(time.checked_add(duration).ok()?)
}

/// The duration from `b` to `a`.
#[must_use]
pub fn subtract(a: Timestamp, b: Timestamp) -> Option<SignedDuration> {
    duration_in_range(a.duration_since(b))
}

/// RFC 3339 and nothing else: `2026-11-22T18:00:00.5+01:00`.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = bytes.len() > shape.len()
        && shape.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => other == byte,
        });
    if !fits || bytes[17..19] > b"59"[..] {
        return None;
    }
    let rest = &text[shape.len()..];
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            (digits > 0).then(|| &fraction[digits..])?
        }
        None => rest,
    };
    let seconds = text.len() - zone.len();
    if zone != "Z" && !is_offset(zone) {
        return None;
    }
    // No more than nanoseconds are kept.
    let kept = seconds.min(shape.len() + 10);
    if kept < seconds {
        return in_range(format!("{}{zone}", &text[..kept]).parse().ok()?);
    }
    in_range(text.parse().ok()?)
}

/// `+hh:mm` or `-hh:mm`.
fn is_offset(zone: &str) -> bool {
    let z = zone.as_bytes();
    z.len() == 6
        && matches!(z[0], b'+' | b'-')
        && z[3] == b':'
        && [1, 2, 4, 5].iter().all(|at| z[*at].is_ascii_digit())
}

/// RFC 3339 in UTC, with as many digits of a second as it has.
#[must_use]
pub fn format_timestamp(time: Timestamp) -> String {
    time.to_string()
}

/// Go's notation: `1h30m`, `-1.5s`, `100ms`; units ns, us, µs, ms, s, m, h.
#[must_use]
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest)?;
        nanos = nanos.checked_add(part)?;
        rest = after;
    }
    let nanos = if negative { -nanos } else { nanos };
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    let fraction = i32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
    duration_in_range(SignedDuration::new(seconds, fraction))
}

/// One number with its unit, in nanoseconds, and the text after it.
fn parse_part(text: &str) -> Option<(i128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        fraction = &after[..digits(after)];
        rest = &after[fraction.len()..];
    }
    if whole == 0 && fraction.is_empty() {
        return None;
    }
    let unit = &rest[..rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len())];
    let scale: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: i128 = if whole == 0 {
        0
    } else {
        text[..whole].parse().ok()?
    };
    let mut nanos = whole.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(place * i128::from(digit - b'0'))?;
    }
    Some((nanos, &rest[unit.len()..]))
}

/// Go's notation: `5m0s`, `1h0m0.5s`, `20ms`, `0s`.
#[must_use]
pub fn format_duration(duration: SignedDuration) -> String {
    let nanos = duration.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if seconds == 0 && fraction > 0 {
        let (scale, unit) = match fraction {
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "µs"),
            _ => (1, "ns"),
        };
        return format!(
            "{sign}{}{unit}",
            decimal(fraction / scale, fraction % scale, scale)
        );
    }
    let rest = decimal(seconds % 60, fraction, 1_000_000_000);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{sign}{rest}s"),
        (0, minutes) => format!("{sign}{minutes}m{rest}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{rest}s"),
    }
}

/// The text of `string(duration)`: seconds, `1.5s`.
#[must_use]
pub fn format_seconds(duration: SignedDuration) -> String {
    let nanos = duration.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!(
        "{sign}{}s",
        decimal(nanos / 1_000_000_000, nanos % 1_000_000_000, 1_000_000_000)
    )
}

/// `whole` and `fraction`/`scale` (a power of ten) as a decimal number without trailing zeros.
fn decimal(whole: u128, fraction: u128, scale: u128) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_and_nothing_else() {
        for text in [
            "2026-11-22T18:00:00Z",
            "2026-11-22T18:00:00.123456789+05:30",
        ] {
            assert!(parse_timestamp(text).is_some(), "{text}");
        }
        for text in [
            "",
            "soon",
            "2026-11-22",
            "2026-11-22 18:00:00Z",
            "2026-11-22T18:00:00",
            "2026-11-22T18:00:60Z",
            "2026-02-30T18:00:00Z",
            "2026-11-22T18:00:00.Z",
            "2026-11-22T18:00:00Z[UTC]",
            "2026-11-22T18:00:00+0100",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert_eq!(parse_timestamp("0001-01-01T00:00:00Z"), Some(NEVER));
        assert_eq!(format_timestamp(NEVER), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        let round = |text: &str| {
            parse_duration(text)
                .map(format_duration)
                .unwrap_or_default()
        };
        insta::assert_snapshot!(
            ["5m", "1h30m0.5s", "-1.5h", "100ms", "1.5us", "0", "90s", "+1ns", ".5s"].map(round).join(" "),
            @"5m0s 1h30m0.5s -1h30m0s 100ms 1.5µs 0s 1m30s 1ns 500ms"
        );
        for text in [
            "",
            "-",
            "5",
            "5x",
            "m",
            "1h-5m",
            "1.s.",
            ".s",
            "99999999999999h",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(
            parse_duration("1.5h").map(format_seconds).as_deref(),
            Some("5400s")
        );
    }
}
