//! The smallest and the largest messages that a template may have to write.
//!
//! In: what the template reads. Out: notifications in which all of it is there: as short as it can
//! be, or as long as it may become. They stand for no real alert.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Read;
use crate::alert::{Alert, Ending, Nature, Resolution, State, Texts};
use crate::cel::Json;
use crate::cel::paths::Step;
use crate::names::{Fingerprint, Labels, ObjectRef, Severity, Uid};
use crate::notify::{Cause, Digest, Notification, Status};

/// More alerts than any list of a service has places.
const MANY: usize = 60;
/// How many of them are as long as one may be: all of them would be more than a template may write.
const FULL: usize = 10;
/// Elements of a list in an object.
const ELEMENTS: usize = 60;
/// Characters of the longest name of an object, and of a namespace or kind.
const NAME: usize = 253;
const WORD: usize = 63;
/// Characters of a value that nobody limits.
const LONG: usize = 4000;

/// Labels that every alert has; receivers group by the first unless they say otherwise.
const ALWAYS: [&str; 5] = ["alertname", "cluster", "kind", "name", "namespace"];

/// How large a message is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Large,
}

impl Size {
    /// A text of the smallest length, or of this one. Digits, which are a value in JSON with and
    /// without quotes.
    fn text(self, most: usize) -> String {
        match self {
            Self::Small => "1".to_owned(),
            Self::Large => "1".repeat(most),
        }
    }
}

/// Messages in which nothing is longer than it must be.
pub(super) fn smallest(reads: &[Read]) -> Vec<Notification> {
    let alert = |state| vec![alert(Size::Small, state, reads)];
    vec![
        of(Status::Firing, alert(State::Firing), reads),
        of(Status::Resolved, alert(State::Resolved), reads),
    ]
}

/// Messages in which everything is as long as it may be: about one alert, about many, a digest.
pub(super) fn largest(reads: &[Read]) -> Vec<Notification> {
    let one = |state| alert(Size::Large, state, reads);
    let mut many = vec![one(State::Resolved)];
    many.resize_with(FULL, || one(State::Firing));
    many.resize_with(MANY, || alert(Size::Small, State::Firing, reads));
    let line = Digest {
        rule: Size::Large.text(NAME).as_str().into(),
        alerts: 1_000_000,
        namespaces: 1_000,
    };
    let digest = Notification {
        cause: Cause::Digest,
        digest: vec![line; MANY],
        ..of(Status::Firing, Vec::new(), reads)
    };
    vec![
        of(Status::Firing, vec![one(State::Firing)], reads),
        of(Status::Resolved, vec![one(State::Resolved)], reads),
        of(Status::Firing, many, reads),
        digest,
    ]
}

fn alert(size: Size, state: State, reads: &[Read]) -> Alert {
    let at = Timestamp::UNIX_EPOCH;
    let word = size.text(WORD);
    let text = |most| Some(size.text(most).as_str().into());
    Alert {
        fingerprint: Fingerprint::of(&[&word]),
        rule: size.text(NAME).as_str().into(),
        source: "v1/Pod".into(),
        object: ObjectRef {
            api_version: "v1".into(),
            kind: word.as_str().into(),
            namespace: Some(word.as_str().into()),
            name: size.text(NAME).as_str().into(),
            uid: Uid::parse("00000000-0000-0000-0000-000000000000"),
        },
        dedup_key: None,
        nature: Nature::State,
        state,
        labels: labels(&ALWAYS, size, reads, "labels"),
        severity: Severity::Critical,
        receivers: Vec::new(),
        active_since: at,
        fired_at: Some(at),
        keep_since: None,
        unknown_since: None,
        resolution: (state == State::Resolved).then_some(Resolution {
            at,
            reason: Ending::Cleared,
        }),
        count: 1,
        owners: Vec::new(),
        late: false,
        shadow: false,
        routed: false,
        texts: Texts {
            summary: text(LONG),
            description: text(LONG),
            runbook: text(LONG),
        },
        view: Arc::new(Json::from(view(size, reads))),
    }
}

fn of(status: Status, alerts: Vec<Alert>, reads: &[Read]) -> Notification {
    let size = match alerts.first() {
        Some(alert) if alert.object.name.len() < NAME => Size::Small,
        _ => Size::Large,
    };
    let name = size.text(NAME);
    Notification {
        id: name.as_str().into(),
        receiver: name.as_str().into(),
        group: size.text(LONG).as_str().into(),
        group_labels: labels(&ALWAYS[..1], size, reads, "group"),
        status,
        cause: match status {
            Status::Firing => Cause::New,
            Status::Resolved => Cause::Resolved,
        },
        opens: true,
        instead_of: None,
        first: Vec::new(),
        at: Timestamp::UNIX_EPOCH,
        alerts: alerts.into_iter().map(Arc::new).collect(),
        omitted: 0,
        digest: Vec::new(),
    }
}

/// These labels, and those that a template asks for.
fn labels(always: &[&str], size: Size, reads: &[Read], root: &str) -> Labels {
    let read = reads.iter().filter(|read| read.root() == root);
    let read = read.filter_map(|read| match read.steps.last() {
        Some(Step::Field(name)) if read.steps.len() > 1 => Some(&**name),
        _ => None,
    });
    let names = always.iter().copied().chain(read);
    names
        .map(|name| (name.into(), size.text(NAME).as_str().into()))
        .collect()
}

/// All that a template reads of what expressions see.
fn view(size: Size, reads: &[Read]) -> Value {
    let mut view = json!({});
    for read in reads.iter().filter(|read| !read.of_view().is_empty()) {
        let leaf = Value::from(size.text(LONG));
        let elements = match size {
            Size::Small => 1,
            Size::Large => ELEMENTS,
        };
        put(&mut view, &read.steps, &leaf, elements);
    }
    view
}

fn put(value: &mut Value, steps: &[Step], leaf: &Value, elements: usize) {
    match steps {
        [] if value.is_null() => *value = leaf.clone(),
        [] => {}
        [Step::Field(name), rest @ ..] => {
            if !value.is_object() {
                *value = json!({});
            }
            put(&mut value[&**name], rest, leaf, elements);
        }
        [Step::Each, rest @ ..] => {
            if !value.is_array() {
                *value = Value::Array(vec![Value::Null; elements]);
            }
            for item in value.as_array_mut().into_iter().flatten() {
                put(item, rest, leaf, elements);
            }
        }
    }
}
