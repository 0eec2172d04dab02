//! The macros over lists and maps: `all`, `exists`, `exists_one`, `filter`, `map` and the
//! transforms.

use super::super::error::ErrorKind;
use super::super::node::{Loop, LoopKind, Node};
use super::super::value::Value;
use super::super::value::equality::{Entries, Items, entries, items};
use super::{Fault, Machine, Outcome, Scope, eval, logic, map_key};

/// What a macro goes over. An absent list has no elements.
enum Range<'v, 'a> {
    Items(Items<'v, 'a>),
    Entries(Entries<'v, 'a>),
    Nothing,
}

impl<'a> Range<'_, 'a> {
    fn len(&self) -> usize {
        match self {
            Range::Items(items) => items.len(),
            Range::Entries(entries) => entries.len(),
            Range::Nothing => 0,
        }
    }

    /// Key (or index) and value.
    fn get(&self, at: usize) -> (Value<'a>, Value<'a>) {
        match self {
            Range::Items(items) => (
                Value::Int(i64::try_from(at).unwrap_or(i64::MAX)),
                items.get(at),
            ),
            Range::Entries(entries) => entries.get(at),
            Range::Nothing => (Value::Null, Value::Null),
        }
    }

    /// The only variable: an element of a list, a key of a map.
    fn single(&self, at: usize) -> Value<'a> {
        match self {
            Range::Items(items) => items.get(at),
            _ => self.get(at).0,
        }
    }
}

fn range<'v, 'a>(
    value: &'v Value<'a>,
    node: &Node,
    m: &Machine<'a, '_>,
) -> Result<Range<'v, 'a>, Fault> {
    if let Some(items) = items(value) {
        Ok(Range::Items(items))
    } else if let Some(entries) = entries(value) {
        Ok(Range::Entries(entries))
    } else if value.is_zero_of_any() {
        Ok(Range::Nothing)
    } else {
        let message = format!(
            "a list or map is expected here, not a {}",
            value.type_name()
        );
        Err(m.fault(ErrorKind::Type, node.span, message))
    }
}

/// Calls `body` with the variables of each round, until it says stop.
fn each<'a>(
    l: &'a Loop,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
    mut body: impl FnMut(&Scope<'_, 'a>, &mut Machine<'a, '_>) -> Result<Step, Fault>,
) -> Result<(), Fault> {
    let over = eval(&l.range, scope, m)?;
    let range = range(&over, &l.range, m)?;
    let size = |node: &Option<Node>| node.as_ref().map_or(0, |node| u64::from(node.size));
    let cost = 1 + size(&l.condition) + size(&l.transform);
    for at in 0..range.len() {
        m.charge(cost, l.range.span)?;
        let step = if l.variables == 2 {
            let (key, value) = range.get(at);
            let outer = Scope {
                value: key,
                up: scope,
            };
            body(
                &Scope {
                    value,
                    up: Some(&outer),
                },
                m,
            )?
        } else {
            body(
                &Scope {
                    value: range.single(at),
                    up: scope,
                },
                m,
            )?
        };
        if step == Step::Stop {
            break;
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Step {
    On,
    Stop,
}

fn condition<'a>(
    l: &'a Loop,
    scope: &Scope<'_, 'a>,
    m: &mut Machine<'a, '_>,
) -> Result<bool, Fault> {
    l.condition
        .as_ref()
        .map_or(Ok(true), |node| logic::truth(node, Some(scope), m))
}

/// The macros that answer yes or no.
pub(super) fn truth<'a>(
    node: &'a Node,
    l: &'a Loop,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Result<bool, Fault> {
    let decisive = match l.kind {
        LoopKind::All => false,
        LoopKind::Exists => true,
        LoopKind::ExistsOne => {
            let mut found = 0;
            each(l, scope, m, |scope, m| {
                found += u32::from(condition(l, scope, m)?);
                Ok(Step::On)
            })?;
            return Ok(found == 1);
        }
        _ => {
            let value = run(node, l, scope, m)?;
            return logic::as_truth(&value, node.span, m);
        }
    };
    let mut answer = !decisive;
    let mut failed = None;
    each(l, scope, m, |scope, m| {
        match condition(l, scope, m) {
            Ok(truth) if truth == decisive => {
                answer = decisive;
                return Ok(Step::Stop);
            }
            Ok(_) => {}
            Err(fault) if fault.kind == ErrorKind::Budget => return Err(fault),
            Err(fault) => failed = failed.take().or(Some(fault)),
        }
        Ok(Step::On)
    })?;
    match failed {
        Some(fault) if answer != decisive => Err(fault),
        _ => Ok(answer),
    }
}

/// All the macros.
#[inline(never)]
pub(super) fn run<'a>(
    node: &'a Node,
    l: &'a Loop,
    scope: Option<&Scope<'_, 'a>>,
    m: &mut Machine<'a, '_>,
) -> Outcome<'a> {
    match l.kind {
        LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => {
            truth(node, l, scope, m).map(Value::Bool)
        }
        LoopKind::Filter | LoopKind::Map => {
            let mut made = Vec::new();
            each(l, scope, m, |scope, m| {
                if condition(l, scope, m)? {
                    made.push(match &l.transform {
                        Some(transform) => eval(transform, Some(scope), m)?,
                        None => scope.value.clone(),
                    });
                }
                Ok(Step::On)
            })?;
            m.list(made, node.span)
        }
        LoopKind::SortBy => {
            let mut pairs = Vec::new();
            each(l, scope, m, |scope, m| {
                if let Some(key) = &l.transform {
                    pairs.push((eval(key, Some(scope), m)?, scope.value.clone()));
                }
                Ok(Step::On)
            })?;
            m.sorted_by(pairs, node.span)
        }
        LoopKind::TransformMap => {
            let mut made = Vec::new();
            each(l, scope, m, |scope, m| {
                if let (true, Some(transform)) = (condition(l, scope, m)?, &l.transform) {
                    let value = eval(transform, Some(scope), m)?;
                    made.push((Scope::find(Some(scope), 1), value));
                }
                Ok(Step::On)
            })?;
            m.map(made, node.span)
        }
        LoopKind::TransformMapEntry => {
            let mut made = Vec::new();
            each(l, scope, m, |scope, m| {
                if let (true, Some(transform)) = (condition(l, scope, m)?, &l.transform) {
                    let entry = eval(transform, Some(scope), m)?;
                    let Some(entries) = entries(&entry) else {
                        return Err(m.type_fault(transform.span, "transformMapEntry", &[&entry]));
                    };
                    for at in 0..entries.len() {
                        let (key, value) = entries.get(at);
                        made.push((map_key(key, transform.span, m)?, value));
                    }
                }
                Ok(Step::On)
            })?;
            m.map(made, node.span)
        }
    }
}
