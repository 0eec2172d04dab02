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
            Some(Quantity { nanos: 0 })
        } else {
            Quantity::parse(text)
        };
        match parsed {
            Some(quantity) => Ok(Value::Opaque(Arc::new(quantity))),
            None => {
                let message = format!("'{text}' is not a quantity, as in 500m or 10Gi");
                Err(call.fail(ErrorKind::Conversion, message))
            }
        }
    }),
    Function::new("isQuantity", 1, |call| {
        Ok(Value::Bool(Quantity::parse(call.text(0)?).is_some()))
    }),
    Function::new("x.sign", 1, |call| {
        Ok(Value::Int(i64::from(
            quantity(call, 0)?.nanos.signum() as i8
        )))
    }),
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
    Function::new("x.add", 2, |call| sum(call, 1)),
    Function::new("x.sub", 2, |call| sum(call, -1)),
];

pub const SIGNATURES: &str = "
    quantity(string) -> quantity
    isQuantity(string) -> bool
    x.sign(quantity) -> int
    x.isInteger(quantity) -> bool
    x.asInteger(quantity) -> int
    x.asApproximateFloat(quantity) -> double
    x.add(quantity, quantity) -> quantity
    x.add(quantity, int) -> quantity
    x.sub(quantity, quantity) -> quantity
    x.sub(quantity, int) -> quantity
";

/// A number with nine digits after the point, which is what Kubernetes keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    nanos: i128,
}

const ONE: i128 = 1_000_000_000;

impl Quantity {
    /// `<sign><digits>[.<digits>]<suffix>`; digits beyond the ninth are rounded away from zero.
    pub fn parse(text: &str) -> Option<Quantity> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return None;
        }
        let (multiplier, exponent) = scale(suffix)?;
        // digits * multiplier * 10^(exponent - fraction), in nanos
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let power = exponent + 9 - i32::try_from(fraction.len()).ok()?;
        let value = digits.checked_mul(multiplier)?;
        let nanos = if power >= 0 {
            value.checked_mul(10i128.checked_pow(u32::try_from(power).ok()?)?)?
        } else {
            match 10i128.checked_pow(power.unsigned_abs()) {
                Some(divisor) => value.div_euclid(divisor) + i128::from(value % divisor != 0),
                None => i128::from(value != 0),
            }
        };
        Some(Quantity {
            nanos: if negative { -nanos } else { nanos },
        })
    }

    fn as_integer(self) -> Option<i64> {
        (self.nanos % ONE == 0)
            .then(|| i64::try_from(self.nanos / ONE).ok())
            .flatten()
    }

    #[expect(clippy::cast_precision_loss, reason = "approximate by its name")]
    fn approximate(self) -> f64 {
        self.nanos as f64 / 1e9
    }
}

/// The multiplier of a binary suffix, or the power of ten of a decimal one.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            (1, exponent.parse().ok().filter(|e| (-30..=30).contains(e))?)
        }
    })
}

impl Opaque for Quantity {
    fn type_name(&self) -> &'static str {
        "quantity"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other.downcast() == Some(self)
    }

    fn compare(&self, other: &dyn Opaque) -> Option<Ordering> {
        Some(self.cmp(other.downcast()?))
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
        value if value.is_zero_of_any() => Some(Quantity { nanos: 0 }),
        _ => None,
    }
    .ok_or_else(|| call.mismatch())
}

/// Adds or subtracts a quantity or an int.
fn sum<'a>(call: &mut Call<'_, 'a, '_>, sign: i128) -> Outcome<'a> {
    let left = quantity(call, 0)?;
    let right = match &call.args[1] {
        Value::Int(int) => i128::from(*int) * ONE,
        _ => quantity(call, 1)?.nanos,
    };
    match left.nanos.checked_add(right * sign) {
        Some(nanos) => Ok(Value::Opaque(Arc::new(Quantity { nanos }))),
        None => Err(call.fail(ErrorKind::Range, "the quantity is out of range")),
    }
}
