//! Quantities of Kubernetes (`500m`, `10Gi`), exact.
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-quantity-library>

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use std::cmp::Ordering;
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::new("quantity", 1, |call| {
        let text = call.text(0)?;
        // An absent quantity is zero.
        let parsed = if text.is_empty() && call.args[0].is_zero_of_any() {
            Some(ZERO)
        } else {
            Quantity::parse(text)
        };
        match parsed {
            Some(quantity) => Ok(Value::Opaque(Arc::new(quantity))),
            None => {
                let shown: String = text.chars().take(60).collect();
                let message = format!("'{shown}' is not a quantity, as in 500m or 10Gi");
                Err(call.fail(ErrorKind::Conversion, message))
            }
        }
    }),
    Function::new("isQuantity", 1, |call| {
        Ok(Value::Bool(Quantity::parse(call.text(0)?).is_some()))
    }),
    Function::new("sign", 1, sign),
    // As its documentation writes it.
    Function::new("x.sign", 1, sign),
    Function::new("x.isInteger", 1, |call| {
        Ok(Value::Bool(quantity(call, 0)?.as_integer().is_some()))
    }),
    Function::new("x.asInteger", 1, |call| {
        match quantity(call, 0)?.as_integer() {
            Some(integer) => Ok(Value::Int(integer)),
            None => Err(call.fail(
                ErrorKind::Range,
                "the quantity is not a whole number in range",
            )),
        }
    }),
    Function::new("x.asApproximateFloat", 1, |call| {
        Ok(Value::Double(quantity(call, 0)?.approximate()))
    }),
    Function::new("x.add", 2, |call| sum(call, false)),
    Function::new("x.sub", 2, |call| sum(call, true)),
];

pub const SIGNATURES: &str = "
    quantity(string) -> quantity
    isQuantity(string) -> bool
    x.sign(quantity) -> int
    sign(quantity) -> int
    x.isInteger(quantity) -> bool
    x.asInteger(quantity) -> int
    x.asApproximateFloat(quantity) -> double
    x.add(quantity, quantity) -> quantity
    x.add(quantity, int) -> quantity
    x.sub(quantity, quantity) -> quantity
    x.sub(quantity, int) -> quantity
";

const ONE: i128 = 1_000_000_000;

/// A number with nine digits after the point, which is what Kubernetes keeps.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    kept: Kept,
}

/// How Kubernetes keeps the number. It shows: only what is kept as an `int64` without a fraction
/// is an integer (`1.0` and `1.5Gi` are none), and a float is made from the digits that are kept.
#[derive(Clone, Copy, Debug)]
enum Kept {
    /// The value times ten to the power of the scale.
    Int64 { value: i64, scale: i32 },
    /// With so many digits after the point; negative: so many zeros before it.
    Decimal { digits: i32 },
}

const ZERO: Quantity = Quantity {
    nanos: 0,
    kept: Kept::Int64 { value: 0, scale: 0 },
};

/// How many digits Kubernetes keeps in an `int64`, and how many after the point.
const DIGITS: i32 = 18;
const NANO: i32 = 9;

/// The number in a text, in the pieces of its grammar.
struct Written<'t> {
    negative: bool,
    /// Without leading zeros.
    whole: &'t str,
    fraction: &'t str,
    suffix: &'t str,
    /// There is a digit, if only a zero.
    has_digits: bool,
}

impl Written<'_> {
    /// `<sign><digits>[.<digits>]<suffix>`. Kubernetes takes no digits at all for zero.
    fn of(text: &str) -> Option<Written<'_>> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let after_zeros = rest.trim_start_matches('0');
        let zeros = rest.len() > after_zeros.len();
        let (whole, rest) = digits(after_zeros);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("", rest),
        };
        Some(Written {
            negative,
            has_digits: zeros || whole.len() + fraction.len() > 0,
            whole: if whole.is_empty() { "0" } else { whole },
            fraction,
            suffix,
        })
    }

    fn length(&self) -> Option<i32> {
        i32::try_from(self.whole.len() + self.fraction.len()).ok()
    }
}

/// The digits that a text begins with, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

impl Quantity {
    /// Digits beyond the ninth after the point are rounded away from zero; binary quantities end
    /// at the largest `int64`.
    pub fn parse(text: &str) -> Option<Quantity> {
        let written = Written::of(text)?;
        let scale = Scale::of(written.suffix)?;
        let sign: i64 = if written.negative { -1 } else { 1 };
        if let Some((value, scale)) = small(&written, scale) {
            return Quantity::of_int64(sign * value, scale);
        }
        if !written.has_digits {
            return None;
        }
        let number: i128 = format!("{}{}", written.whole, written.fraction)
            .parse()
            .ok()?;
        let fraction = i32::try_from(written.fraction.len()).ok()?;
        let most = i128::from(i64::MAX) * ONE;
        let nanos = match scale {
            Scale::Ten(exponent) => in_nanos(number, exponent - fraction)?,
            Scale::Two(bits) => number
                .checked_mul(1 << bits)
                .and_then(|number| in_nanos(number, -fraction))
                .map_or(most, |nanos| nanos.min(most)),
        };
        let capped = matches!(scale, Scale::Two(_)) && nanos == most;
        Some(Quantity {
            nanos: i128::from(sign) * nanos,
            kept: Kept::Decimal {
                digits: if capped { 0 } else { NANO },
            },
        })
    }

    fn of_int64(value: i64, scale: i32) -> Option<Quantity> {
        Some(Quantity {
            nanos: in_nanos(i128::from(value), scale)?,
            kept: Kept::Int64 { value, scale },
        })
    }

    fn as_integer(self) -> Option<i64> {
        match self.kept {
            Kept::Int64 {
                value: 0,
                scale: 0..,
            } => Some(0),
            Kept::Int64 { value, scale } => {
                value.checked_mul(10_i64.checked_pow(u32::try_from(scale).ok()?)?)
            }
            Kept::Decimal { .. } => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "approximate by its name")]
    fn approximate(self) -> f64 {
        let (number, exponent) = match self.kept {
            Kept::Int64 { value, scale } => (value as f64, scale),
            Kept::Decimal { digits } => {
                let unit =
                    u32::try_from(NANO - digits).map_or(1, |power| 10_i128.pow(power.min(38)));
                ((self.nanos / unit) as f64, -digits)
            }
        };
        let power: f64 = format!("1e{exponent}").parse().unwrap_or(1.0);
        number * power
    }

    /// `None`: out of range.
    fn plus(self, other: Quantity) -> Option<Quantity> {
        let nanos = self.nanos.checked_add(other.nanos)?;
        let kept = match (self.kept, other.kept) {
            (Kept::Int64 { .. }, Kept::Int64 { value: 0, .. }) => self.kept,
            (Kept::Int64 { value: 0, .. }, Kept::Int64 { .. }) => other.kept,
            (Kept::Int64 { value: a, scale: x }, Kept::Int64 { value: b, scale: y }) => {
                let scale = x.min(y);
                let scaled = |value: i64, from: i32| {
                    value.checked_mul(10_i64.checked_pow(u32::try_from(from - scale).ok()?)?)
                };
                match scaled(a, x)
                    .zip(scaled(b, y))
                    .and_then(|(a, b)| a.checked_add(b))
                {
                    Some(value) => Kept::Int64 { value, scale },
                    None => Kept::Decimal { digits: -scale },
                }
            }
            (a, b) => Kept::Decimal {
                digits: a.digits().max(b.digits()),
            },
        };
        Some(Quantity { nanos, kept })
    }

    fn negated(self) -> Quantity {
        let kept = match self.kept {
            Kept::Int64 { value, scale } => match value.checked_neg() {
                Some(value) => Kept::Int64 { value, scale },
                None => Kept::Decimal { digits: -scale },
            },
            decimal @ Kept::Decimal { .. } => decimal,
        };
        Quantity {
            nanos: -self.nanos,
            kept,
        }
    }
}

impl Kept {
    fn digits(self) -> i32 {
        match self {
            Kept::Int64 { scale, .. } => -scale,
            Kept::Decimal { digits } => digits,
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.nanos == other.nanos
    }
}

/// What is kept as an `int64`, with its scale: what has few digits. The sign is not in it.
fn small(written: &Written<'_>, scale: Scale) -> Option<(i64, i32)> {
    let (room, exponent, multiplier) = match scale {
        Scale::Ten(exponent) => (DIGITS - written.length()?, exponent, 1),
        Scale::Two(bits) if written.fraction.is_empty() => {
            (14 - written.length()? - bits * 3 / 10, 0, 1_i64 << bits)
        }
        Scale::Two(_) => return None,
    };
    let exponent = exponent - i32::try_from(written.fraction.len()).ok()?;
    if room < 0 || exponent < -NANO {
        return None;
    }
    let value: i64 = format!("{}{}", written.whole, written.fraction)
        .parse()
        .ok()?;
    Some((value.checked_mul(multiplier)?, exponent))
}

/// A number times a power of ten, in nanos, rounded away from zero.
fn in_nanos(number: i128, exponent: i32) -> Option<i128> {
    let power = exponent.checked_add(NANO)?;
    if number == 0 {
        return Some(0);
    }
    if power >= 0 {
        return number.checked_mul(10_i128.checked_pow(u32::try_from(power).ok()?)?);
    }
    Some(match 10_i128.checked_pow(power.unsigned_abs()) {
        Some(divisor) => number / divisor + (number % divisor).signum(),
        None => number.signum(),
    })
}

/// What a suffix multiplies by: a power of ten or of two.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(i32),
}

/// Farther than any quantity that is kept reaches.
const FARTHEST: i32 = 1_000;

impl Scale {
    fn of(suffix: &str) -> Option<Scale> {
        Some(match suffix {
            "n" => Scale::Ten(-9),
            "u" => Scale::Ten(-6),
            "m" => Scale::Ten(-3),
            "" => Scale::Ten(0),
            "k" => Scale::Ten(3),
            "M" => Scale::Ten(6),
            "G" => Scale::Ten(9),
            "T" => Scale::Ten(12),
            "P" => Scale::Ten(15),
            "E" => Scale::Ten(18),
            "Ki" => Scale::Two(10),
            "Mi" => Scale::Two(20),
            "Gi" => Scale::Two(30),
            "Ti" => Scale::Two(40),
            "Pi" => Scale::Two(50),
            "Ei" => Scale::Two(60),
            _ => {
                let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                let exponent = exponent.clamp(i64::from(-FARTHEST), i64::from(FARTHEST));
                Scale::Ten(i32::try_from(exponent).ok()?)
            }
        })
    }
}

impl Opaque for Quantity {
    fn type_name(&self) -> &'static str {
        "quantity"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other.downcast() == Some(self)
    }

    fn compare(&self, other: &dyn Opaque) -> Option<Ordering> {
        let other: &Quantity = other.downcast()?;
        Some(self.nanos.cmp(&other.nanos))
    }

    fn to_json(&self) -> Json {
        let (sign, nanos) = (
            if self.nanos < 0 { "-" } else { "" },
            self.nanos.unsigned_abs(),
        );
        let fraction = format!("{:09}", nanos % 1_000_000_000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        Json::from(format!("{sign}{}{point}{fraction}", nanos / 1_000_000_000))
    }
}

fn quantity(call: &Call<'_, '_, '_>, at: usize) -> Result<Quantity, Fault> {
    match &call.args[at] {
        Value::Opaque(opaque) => opaque.downcast::<Quantity>().copied(),
        value if value.is_zero_of_any() => Some(ZERO),
        _ => None,
    }
    .ok_or_else(|| call.mismatch())
}

/// Adds or subtracts a quantity or an int.
fn sum<'a>(call: &mut Call<'_, 'a, '_>, subtract: bool) -> Outcome<'a> {
    let left = quantity(call, 0)?;
    let right = match &call.args[1] {
        Value::Int(int) => Quantity::of_int64(*int, 0).unwrap_or(ZERO),
        _ => quantity(call, 1)?,
    };
    let right = if subtract { right.negated() } else { right };
    match left.plus(right) {
        Some(quantity) => Ok(Value::Opaque(Arc::new(quantity))),
        None => Err(call.fail(ErrorKind::Range, "the quantity is out of range")),
    }
}

fn sign<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    Ok(Value::Int(quantity(call, 0)?.nanos.signum() as i64))
}
