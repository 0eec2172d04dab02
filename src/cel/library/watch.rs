//! What is about watched objects: `condition` and `diff`. (`changed`, `became` and `age` are
//! macros of the compiler.)

use super::{Call, Function};
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::value::Value;
use crate::cel::value::collection::ValueMap;
use crate::cel::value::equality::{Items, entries, items};
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::new("condition", 2, condition),
    Function::new("diff", 2, diff),
];

pub const SIGNATURES: &str = "
    condition(map<string, A>, string) -> dyn
    diff(A, B) -> list<map<string, dyn>>
";

/// The most differences that `diff` lists.
const MOST_DIFFERENCES: usize = 100;

/// `condition(object, 'Ready')`: the condition of that type in `status.conditions`, or one with
/// status `'Unknown'`, no reason and no message, as Kubernetes takes a missing condition.
fn condition<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let wanted = call.text(1)?;
    let field = |value: &Value<'a>, name: &'static str| match entries(value) {
        Some(map) => map.find(&Value::Str(name)).unwrap_or(Value::Absent),
        None => Value::Absent,
    };
    if entries(&call.args[0]).is_none() && !call.args[0].is_zero_of_any() {
        return Err(call.mismatch());
    }
    let conditions = field(&field(&call.args[0], "status"), "conditions");
    let list = items(&conditions).unwrap_or(Items::Values(&[]));
    call.charge(list.len())?;
    for at in 0..list.len() {
        let condition = list.get(at);
        if field(&condition, "type").as_str() == Some(wanted) && !condition.is_zero_of_any() {
            return Ok(condition);
        }
    }
    // With the fields that messages quote, so that a template does not call them missing.
    let missing = ValueMap::new(vec![
        (Value::Str("message"), Value::Str("")),
        (Value::Str("reason"), Value::Str("")),
        (Value::Str("status"), Value::Str("Unknown")),
        (Value::Str("type"), Value::text(wanted)),
    ]);
    match missing {
        Ok(map) => Ok(Value::Map(Arc::new(map.watched()))),
        Err(duplicate) => Err(call.fail(crate::cel::ErrorKind::Argument, duplicate.0)),
    }
}

/// `diff(a, b)`: what changed from `a` to `b`, as a list of `{path, from, to}` in the order of
/// the paths; a side that is not there is null. Lists are compared as a whole.
fn diff<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let mut found = Vec::new();
    let (a, b) = (call.args[0].clone(), call.args[1].clone());
    differences(call, "", &a, &b, &mut found)?;
    call.new_list(found)
}

fn differences<'a>(
    call: &mut Call<'_, 'a, '_>,
    path: &str,
    a: &Value<'a>,
    b: &Value<'a>,
    found: &mut Vec<Value<'a>>,
) -> Result<(), Fault> {
    if found.len() >= MOST_DIFFERENCES {
        return Ok(());
    }
    if let (Some(old), Some(new)) = (entries(a), entries(b)) {
        let mut keys: Vec<Value<'a>> = (0..old.len()).map(|at| old.get(at).0).collect();
        keys.extend(
            (0..new.len())
                .map(|at| new.get(at).0)
                .filter(|key| old.find(key).is_none()),
        );
        keys.sort_by(crate::cel::value::equality::compare_keys);
        for key in keys {
            call.charge(1)?;
            let mut inner = path.to_owned();
            crate::cel::paths::push_field(&mut inner, key.as_str().unwrap_or_default());
            let side = |map: &crate::cel::value::equality::Entries<'_, 'a>| {
                map.find(&key).unwrap_or(Value::Absent)
            };
            differences(call, &inner, &side(&old), &side(&new), found)?;
        }
        return Ok(());
    }
    // Absent and zero are not the same here: somebody removed it, or added it.
    let came_or_went = matches!(a, Value::Absent) != matches!(b, Value::Absent);
    if came_or_went || !call.equal(a, b)? {
        let entry = vec![
            (Value::Str("path"), Value::text(path)),
            (Value::Str("from"), a.clone()),
            (Value::Str("to"), b.clone()),
        ];
        found.push(call.machine.map(entry, call.span)?);
    }
    Ok(())
}
