//! Conditions: `&&`, `||`, `!`, comparisons, `in`, `has`.
//!
//! `&&` and `||` absorb errors as CEL says: `false && error` is false whichever side is which.

use super::super::error::ErrorKind;
use super::super::node::{Comparison, Negated, Node, Op, Slopes, Span};
use super::super::value::Value;
use super::super::value::equality::{compare, entries, equal, items, same_scalar};
use super::{Fault, Machine, Scope, coerce, eval, loops, select};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;

type Truth = Result<bool, Fault>;

/// Evaluates a condition, unless its answer is known.
#[inline]
pub(super) fn truth<'a>(
    node: &'a Node,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Truth {
    let Some(term) = node.term else {
        return decided(node, scope, m);
    };
    let Some(memo) = m.memo.as_deref() else {
        return decided(node, scope, m);
    };
    let mut budget = m.budget;
    if let Some(truth) = memo.get(term, &mut budget) {
        m.budget = budget;
        return Ok(truth);
    }
    let before = m.budget;
    let truth = decided(node, scope, m)?;
    if let Some(memo) = m.memo.as_deref_mut() {
        memo.put(term, truth, before, m.budget);
    }
    Ok(truth)
}

fn decided<'a>(node: &'a Node, scope: Option<&Scope<'_, 'a>>, m: &mut Machine<'a, '_>) -> Truth {
    match &node.op {
        Op::And(terms) => decide(terms, false, scope, m),
        Op::Or(terms) => decide(terms, true, scope, m),
        Op::Not(inner) => Ok(!truth(inner, scope, m)?),
        Op::Equal(sides, Negated(negated)) => {
            if let (Op::Path(base, fields), Op::Const(Value::String(text))) =
                (&sides[0].op, &sides[1].op)
                && let Some(found) = select::text_at(*base, fields, scope, node.span, m)
            {
                return Ok((*found == **text) != *negated);
            }
            let a = eval(&sides[0], scope, m)?;
            let b = eval(&sides[1], scope, m)?;
            Ok(equals(&a, &b, node.span, m)? != *negated)
        }
        Op::Compare(sides, comparison, slopes) => {
            let a = eval(&sides[0], scope, m)?;
            let b = eval(&sides[1], scope, m)?;
            ordered(*comparison, *slopes, &a, &b, node.span, m)
        }
        Op::Has(operand, field) => {
            let operand = eval(operand, scope, m)?;
            select::has(&operand, &field.name, node.span, m)
        }
        Op::In(sides, members) => {
            let needle = eval(&sides[0], scope, m)?;
            if let Some(answer) = members.as_ref().and_then(|set| set.has(&needle)) {
                return Ok(answer);
            }
            // A list that stands in the expression is not even counted as used.
            if let Op::Const(Value::List(list)) = &sides[1].op {
                m.charge(list.items().len() as u64 / 8, node.span)?;
                return contains(&needle, list.items().iter(), node.span, m);
            }
            let haystack = eval(&sides[1], scope, m)?;
            is_in(&needle, &haystack, node.span, m)
        }
        Op::Loop(l) => loops::truth(node, l, scope, m),
        _ => {
            let value = eval(node, scope, m)?;
            as_truth(&value, node.span, m)
        }
    }
}

pub(super) fn as_truth(value: &Value<'_>, span: Span, m: &Machine<'_, '_>) -> Truth {
    value.as_bool().ok_or_else(|| {
        let message = format!("a bool is expected here, not {}", value.a_type());
        m.fault(ErrorKind::Type, span, message)
    })
}

/// `decisive` is false for `&&` and true for `||`: the first term with this answer decides, even
/// after terms that failed.
fn decide<'a>(
    terms: &'a [Node],
    decisive: bool,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Truth {
    let mut failed = None;
    for term in terms {
        match truth(term, scope, m) {
            Ok(answer) if answer == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(fault) if fault.kind == ErrorKind::Budget => return Err(fault),
            Err(fault) => failed = failed.or(Some(fault)),
        }
    }
    failed.map_or(Ok(!decisive), Err)
}

/// `a == b`.
pub(in crate::cel) fn equals<'a>(
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Truth {
    if let (Value::Str(a), Value::Str(b)) = (a, b) {
        return Ok(a == b);
    }
    equal(a, b, &mut || m.charge(1, span))
}

fn ordered<'a>(
    comparison: Comparison,
    slopes: Slopes,
    a: &Value<'a>,
    b: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Truth {
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if !is_equality && let Some((a, b)) = coerce::sides(a, b, span, m)? {
        return ordered(comparison, slopes, &a, &b, span, m);
    }
    if slopes != Slopes::default() {
        solve(comparison, slopes, a, b, m);
    }
    if is_equality {
        return Ok(equals(a, b, span, m)? == (comparison == Comparison::Equal));
    }
    let Some(order) = compare(a, b) else {
        return Err(m.type_fault(span, comparison.symbol(), &[a, b]));
    };
    Ok(order.is_some_and(|order| holds(comparison, order)))
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
    }
}

/// Finds when the answer of a comparison changes, given that its sides move with `now`.
fn solve(
    comparison: Comparison,
    Slopes(left, right): Slopes,
    a: &Value<'_>,
    b: &Value<'_>,
    m: &mut Machine<'_, '_>,
) {
    let speed = i128::from(left) - i128::from(right);
    if speed == 0 {
        return;
    }
    let (Some(now), Some(difference)) = (m.now(), difference(a, b)) else {
        m.recheck();
        return;
    };
    // The difference of the sides goes through zero once: before, at, after.
    let side = |nanos: i128| holds(comparison, (difference + speed * nanos).cmp(&0));
    let answer = side(0);
    let meets = (-difference).div_euclid(speed.abs()) * speed.signum();
    let first = [0, 1, 2]
        .into_iter()
        .map(|more| meets + more)
        .find(|t| *t > 0 && side(*t) != answer);
    m.wake_at(first.and_then(|nanos| later(now, nanos)));
}

/// `a - b` in nanoseconds, for two times or two durations.
fn difference(a: &Value<'_>, b: &Value<'_>) -> Option<i128> {
    if let (Value::Duration(_), _) | (_, Value::Duration(_)) = (a, b) {
        return Some(a.as_duration()?.as_nanos() - b.as_duration()?.as_nanos());
    }
    Some(a.as_timestamp()?.as_nanosecond() - b.as_timestamp()?.as_nanosecond())
}

fn later(now: Timestamp, nanos: i128) -> Option<Timestamp> {
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    let fraction = i32::try_from(nanos % 1_000_000_000).ok()?;
    now.checked_add(SignedDuration::new(seconds, fraction)).ok()
}

/// `needle in haystack`.
fn is_in<'a>(
    needle: &Value<'a>,
    haystack: &Value<'a>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Truth {
    if haystack.is_zero_of_any() {
        return Ok(false);
    }
    if let Value::List(list) = haystack {
        m.charge(list.items().len() as u64 / 8, span)?;
        return contains(needle, list.items().iter(), span, m);
    }
    if let Some(list) = items(haystack) {
        m.charge(list.len() as u64 / 8, span)?;
        for at in 0..list.len() {
            if equals(needle, &list.get(at), span, m)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    match entries(haystack) {
        Some(map) => Ok(map.find(needle).is_some()),
        None => Err(m.type_fault(span, "in", &[needle, haystack])),
    }
}

fn contains<'v, 'a: 'v>(
    needle: &Value<'a>,
    mut items: impl Iterator<Item = &'v Value<'a>>,
    span: Span,
    m: &mut Machine<'a, '_>,
) -> Truth {
    if matches!(needle, Value::Str(_) | Value::String(_) | Value::Int(_)) {
        return Ok(items.any(|item| same_scalar(needle, item)));
    }
    for item in items {
        if equals(needle, item, span, m)? {
            return Ok(true);
        }
    }
    Ok(false)
}
