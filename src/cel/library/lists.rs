//! Lists: the `lists` extension and those of Kubernetes.

use super::{Call, Function, strings};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Machine, Outcome};
use crate::cel::node::Span;
use crate::cel::value::Value;
use crate::cel::value::equality::{Items, compare, items};
use std::cmp::Ordering;
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::new("lists.range", 1, range),
    Function::new("x.slice", 3, slice),
    Function::between("x.flatten", 1, 2, flatten),
    Function::new("x.sort", 1, sort),
    Function::new("x.distinct", 1, distinct),
    Function::new("x.reverse", 1, reverse),
    Function::new("x.first", 1, |call| {
        end(call, |list| list.len().checked_sub(1).map(|_| 0))
    }),
    Function::new("x.last", 1, |call| {
        end(call, |list| list.len().checked_sub(1))
    }),
    Function::new("x.isSorted", 1, is_sorted),
    Function::new("x.sum", 1, sum),
    Function::new("x.min", 1, |call| extreme(call, Ordering::Less)),
    Function::new("x.max", 1, |call| extreme(call, Ordering::Greater)),
    Function::between("x.indexOf", 2, 3, |call| index_of(call, false)),
    Function::between("x.lastIndexOf", 2, 3, |call| index_of(call, true)),
    Function::new("x.includes", 2, includes),
];

pub const SIGNATURES: &str = "
    x.includes(dyn, dyn) -> bool
    lists.range(int) -> list<int>
    x.slice(list<A>, int, int) -> list<A>
    x.flatten(list<A>) -> list<dyn>
    x.flatten(list<A>, int) -> list<dyn>
    x.sort(list<A>) -> list<A>
    x.distinct(list<A>) -> list<A>
    x.reverse(list<A>) -> list<A>
    x.reverse(string) -> string
    x.first(list<A>) -> optional<A>
    x.last(list<A>) -> optional<A>
    x.isSorted(list<A>) -> bool
    x.sum(list<A>) -> A
    x.min(list<A>) -> A
    x.max(list<A>) -> A
    x.indexOf(list<A>, B) -> int
    x.indexOf(string, string) -> int
    x.indexOf(string, string, int) -> int
    x.lastIndexOf(list<A>, B) -> int
    x.lastIndexOf(string, string) -> int
    x.lastIndexOf(string, string, int) -> int
";

fn all<'a>(list: &Items<'_, 'a>) -> Vec<Value<'a>> {
    (0..list.len()).map(|at| list.get(at)).collect()
}

/// The longest list that `lists.range` makes.
const LONGEST: i64 = 1_000_000;

fn range<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let end = call.int(0)?;
    if end < 0 {
        return Err(call.fail(ErrorKind::Argument, "the length cannot be negative"));
    }
    if end > LONGEST {
        return Err(call.fail(ErrorKind::Budget, "the list is too long"));
    }
    call.charge(usize::try_from(end).unwrap_or(0))?;
    call.new_list((0..end).map(Value::Int).collect())
}

fn slice<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let list = call.list(0)?;
    let (start, end) = (call.int(1)?, call.int(2)?);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= list.len() => {
            let items = (start..end).map(|at| list.get(at)).collect();
            call.new_list(items)
        }
        _ => {
            let message = format!("[{start}, {end}) is no part of a list of {}", list.len());
            Err(call.fail(ErrorKind::Range, message))
        }
    }
}

fn flatten<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let depth = if call.args.len() == 2 {
        call.int(1)?
    } else {
        1
    };
    if depth < 0 {
        return Err(call.fail(ErrorKind::Argument, "the depth cannot be negative"));
    }
    let mut flat = all(&call.list(0)?);
    // Lists are nested as deep as the expression or the data are: this ends early.
    for _ in 0..depth {
        call.charge(flat.len())?;
        if !flat.iter().any(|value| items(value).is_some()) {
            break;
        }
        let mut next = Vec::with_capacity(flat.len());
        for value in flat {
            match items(&value) {
                Some(inner) => {
                    call.charge(inner.len())?;
                    next.extend(all(&inner));
                }
                None => next.push(value),
            }
        }
        flat = next;
    }
    call.new_list(flat)
}

/// The order of two elements, or the error that they have none.
fn order(call: &Call<'_, '_, '_>, a: &Value<'_>, b: &Value<'_>) -> Result<Ordering, Fault> {
    match compare(a, b) {
        Some(order) => Ok(order.unwrap_or(Ordering::Equal)),
        None => {
            let (a, b) = (a.a_type(), b.a_type());
            let message = format!("{a} and {b} cannot be put in order");
            Err(call.fail(ErrorKind::Type, message))
        }
    }
}

/// The elements of a list in the order of their keys.
fn sorted_by<'a>(call: &mut Call<'_, 'a, '_>, pairs: Vec<(Value<'a>, Value<'a>)>) -> Outcome<'a> {
    call.machine.sorted_by(pairs, call.span)
}

impl<'a> Machine<'a, '_> {
    /// The second ones in the order of the first ones, which must be of one ordered type.
    pub fn sorted_by(&mut self, mut pairs: Vec<(Value<'a>, Value<'a>)>, span: Span) -> Outcome<'a> {
        self.charge(pairs.len() as u64 * 4, span)?;
        let first = pairs.first().map_or(Value::Null, |(key, _)| key.clone());
        for (key, _) in &pairs {
            if items(key).is_some() || compare(&first, key).is_none() {
                let (a, b) = (first.a_type(), key.a_type());
                let message = format!("{a} and {b} cannot be put in order");
                return Err(self.fault(ErrorKind::Type, span, message));
            }
        }
        pairs.sort_by(|(a, _), (b, _)| compare(a, b).flatten().unwrap_or(Ordering::Equal));
        self.list(pairs.into_iter().map(|(_, value)| value).collect(), span)
    }
}

fn sort<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let pairs = all(&call.list(0)?)
        .into_iter()
        .map(|value| (value.clone(), value))
        .collect();
    sorted_by(call, pairs)
}

fn distinct<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let mut kept: Vec<Value<'a>> = Vec::new();
    for value in all(&call.list(0)?) {
        call.charge(1 + kept.len())?;
        let mut known = false;
        for other in &kept {
            known = known || call.equal(&value, other)?;
        }
        if !known {
            kept.push(value);
        }
    }
    call.new_list(kept)
}

/// Of a list; of a text it is the `strings` extension's.
fn reverse<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    if matches!(call.args[0], Value::Str(_) | Value::String(_)) {
        let reversed = call.text(0)?.chars().rev().collect();
        return call.new_text(reversed);
    }
    let mut list = all(&call.list(0)?);
    list.reverse();
    call.new_list(list)
}

fn end<'a>(call: &mut Call<'_, 'a, '_>, at: fn(&Items<'_, 'a>) -> Option<usize>) -> Outcome<'a> {
    let list = call.list(0)?;
    Ok(Value::Optional(at(&list).map(|at| Arc::new(list.get(at)))))
}

fn is_sorted<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let list = call.list(0)?;
    call.charge(list.len())?;
    for at in 1..list.len() {
        if order(call, &list.get(at - 1), &list.get(at))?.is_gt() {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn sum<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let list = call.list(0)?;
    call.charge(list.len())?;
    let mut sum: Option<Value<'a>> = None;
    for at in 0..list.len() {
        let value = list.get(at);
        sum = Some(match sum {
            None => value,
            Some(sum) => call.machine.add(&sum, &value, call.span)?,
        });
    }
    match sum {
        Some(Value::Str(_) | Value::String(_) | Value::Bytes(_) | Value::Timestamp(_)) => {
            Err(call.mismatch())
        }
        sum => Ok(sum.unwrap_or(Value::Int(0))),
    }
}

fn extreme<'a>(call: &mut Call<'_, 'a, '_>, wanted: Ordering) -> Outcome<'a> {
    let list = call.list(0)?;
    call.charge(list.len())?;
    if list.is_empty() {
        return Err(call.fail(ErrorKind::Argument, "the list has no elements"));
    }
    let mut best = list.get(0);
    for at in 1..list.len() {
        let value = list.get(at);
        if order(call, &value, &best)? == wanted {
            best = value;
        }
    }
    Ok(best)
}

/// Where an element of a list is, or a part of a text.
fn index_of<'a>(call: &mut Call<'_, 'a, '_>, last: bool) -> Outcome<'a> {
    if items(&call.args[0]).is_none() {
        return strings::index_of(call, last);
    }
    if call.args.len() == 3 {
        return Err(call.mismatch());
    }
    let elements = call.list(0)?;
    let mut place = -1;
    for (number, at) in (0..).zip(0..elements.len()) {
        call.charge(1)?;
        if (last || place < 0) && call.equal(&elements.get(at), &call.args[1])? {
            place = number;
        }
    }
    Ok(Value::Int(place))
}

/// Whether a list has an element, or a value that is no list is this very one.
fn includes<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let wanted = call.args[1].clone();
    let Some(elements) = items(&call.args[0]) else {
        let target = call.args[0].clone();
        return call.equal(&target, &wanted).map(Value::Bool);
    };
    for at in 0..elements.len() {
        call.charge(1)?;
        if call.equal(&elements.get(at), &wanted)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}
