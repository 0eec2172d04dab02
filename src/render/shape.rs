//! The names that a template may read: the model's shape, so that a typo is found before a
//! message depends on it. `render/model.rs` builds what is described here, a test compares them.

use super::read::nearest;
use super::template::Scope;
use crate::cel::paths::Step;

/// What a value of the model looks like.
#[derive(Debug)]
pub(super) enum Shape {
    /// These names and no others.
    Fields(&'static [(&'static str, Shape)]),
    List(&'static Shape),
    /// Watched data, labels, parameters: any name.
    Open,
    /// Text, number or time.
    Leaf,
}

/// What expressions see too, kept with each alert as far as templates read it.
pub(super) const VIEW: &[&str] = &[
    "object",
    "oldObject",
    "event",
    "events",
    "related",
    "variables",
    "params",
    "changes",
];

macro_rules! fields {
    ($($name:ident: $shape:expr),* $(,)?) => {
        Shape::Fields(&[
            $((stringify!($name), $shape),)*
            ("object", Shape::Open),
            ("oldObject", Shape::Open),
            ("event", Shape::Open),
            ("events", Shape::List(&Shape::Open)),
            ("related", Shape::Open),
            ("variables", Shape::Open),
            ("params", Shape::Open),
            ("changes", CHANGES),
        ])
    };
}

/// What `evaluate/changes.rs` makes.
const CHANGES: Shape = Shape::Fields(&[
    ("known", Shape::Leaf),
    (
        "fields",
        Shape::List(&Shape::Fields(&[
            ("path", Shape::Leaf),
            ("from", Shape::Open),
            ("to", Shape::Open),
            ("by", Shape::Leaf),
            ("at", Shape::Leaf),
        ])),
    ),
    ("omitted", Shape::Leaf),
    ("by", Shape::List(&Shape::Leaf)),
    ("patch", Shape::Open),
    ("command", Shape::Leaf),
]);

const RULE: Shape = Shape::Fields(&[("name", Shape::Leaf), ("severity", Shape::Leaf)]);

macro_rules! alert {
    ($($text:ident),*) => {
        fields! {
            fingerprint: Shape::Leaf, rule: RULE, severity: Shape::Leaf, labels: Shape::Open,
            nature: Shape::Leaf, status: Shape::Leaf, reason: Shape::Leaf, count: Shape::Leaf,
            late: Shape::Leaf, dedupKey: Shape::Leaf, since: Shape::Leaf, firedAt: Shape::Leaf,
            resolvedAt: Shape::Leaf, apiVersion: Shape::Leaf, kind: Shape::Leaf,
            namespace: Shape::Leaf, name: Shape::Leaf, subject: Shape::Leaf,
            cluster: Shape::Leaf, runbook: Shape::Leaf, $($text: Shape::Leaf,)*
        }
    };
}

/// An alert without the texts that are made of it.
const BARE: Shape = alert!();
const ALERT: Shape = alert!(summary, description);

const GROUP: Shape = Shape::Fields(&[
    ("key", Shape::Leaf),
    ("labels", Shape::Open),
    ("firing", Shape::Leaf),
    ("resolved", Shape::Leaf),
    ("omitted", Shape::Leaf),
]);

const DIGEST: Shape = Shape::Fields(&[
    ("rule", Shape::Leaf),
    ("alerts", Shape::Leaf),
    ("namespaces", Shape::Leaf),
]);

static MESSAGE: Shape = fields! {
    id: Shape::Leaf, receiver: Shape::Leaf, insteadOf: Shape::Leaf, status: Shape::Leaf,
    cause: Shape::Leaf,
    severity: Shape::Leaf, at: Shape::Leaf, title: Shape::Leaf, group: GROUP, alert: ALERT,
    alerts: Shape::List(&ALERT), digest: Shape::List(&DIGEST), rule: RULE, cluster: Shape::Leaf,
};

static TEXT: Shape = fields! {
    alert: BARE, rule: RULE, cluster: Shape::Leaf, at: Shape::Leaf,
};

impl Shape {
    /// What a template of this scope reads.
    pub(super) fn of(scope: Scope) -> &'static Shape {
        match scope {
            Scope::Message => &MESSAGE,
            Scope::Alert => &TEXT,
        }
    }

    /// Whether the path leads to something.
    pub(super) fn check(&self, steps: &[Step]) -> Result<(), (String, Option<String>)> {
        let mut shape = self;
        let mut walked = Vec::new();
        for step in steps {
            shape = match (shape, step) {
                (Shape::Open, _) => return Ok(()),
                (Shape::List(element), Step::Each) => element,
                (Shape::Fields(fields), Step::Field(name)) => {
                    let found = fields.iter().find(|(known, _)| *known == &**name);
                    let Some((_, found)) = found else {
                        let of = if walked.is_empty() {
                            String::new()
                        } else {
                            format!(" in {}", walked.join("."))
                        };
                        let help = nearest(name, fields.iter().map(|(known, _)| *known));
                        return Err((format!("there is no {name:?}{of}"), help));
                    };
                    found
                }
                (Shape::List(_), Step::Field(_)) => {
                    let list = walked.join(".");
                    let help = format!("write {{{{#each {list}}}}} … {{{{/each}}}}");
                    return Err((format!("{list} is a list"), Some(help)));
                }
                (Shape::Leaf | Shape::Fields(_), _) => {
                    let value = walked.join(".");
                    return Err((format!("{value} has nothing below it"), None));
                }
            };
            if let Step::Field(name) = step {
                walked.push(name.to_string());
            }
        }
        Ok(())
    }

    /// Its names, for the test that holds the model to it.
    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<&'static str> {
        match self {
            Shape::Fields(fields) => fields.iter().map(|(name, _)| *name).collect(),
            _ => Vec::new(),
        }
    }
}
