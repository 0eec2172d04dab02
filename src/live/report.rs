//! Reports of each document that the cluster holds what became of it, in its `status`.
//!
//! In: what a reading made of the documents, the engine's status, the ledger. Out: `status` of
//! those whose report differs from what stands there: at once when they were read anew, else every
//! few seconds. Nothing else of a document is ever written, and nothing waits for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::commit::SharedLedger;
use super::drive::Question;
use crate::decision::Reason;
use crate::decision::ledger::Filter;
use crate::diagnostic::{Diagnostic, Diagnostics, Level};
use crate::engine::Status;
use crate::names::{ReceiverName, RuleName};
use crate::watch::documents::{Document, Documents, Held};

/// How often numbers are brought up to date.
const EVERY: Duration = Duration::from_secs(5);
/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a reading made of the cluster's documents.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    documents: Vec<Arc<Document>>,
    /// What is wrong, by the name of the document's text.
    wrong: BTreeMap<Arc<str>, String>,
    /// What schemas say against what runs all the same.
    advice: BTreeMap<Arc<str>, String>,
}

impl Taken {
    #[must_use]
    pub fn of(held: Held, problems: &Diagnostics, advice: &Diagnostics) -> Self {
        let errors = problems.iter().filter(|it| it.level == Level::Error);
        Self {
            documents: held.documents,
            wrong: by_text(errors),
            advice: by_text(advice.iter()),
        }
    }
}

/// What is said of each text, by its name.
fn by_text<'a>(problems: impl Iterator<Item = &'a Diagnostic>) -> BTreeMap<Arc<str>, String> {
    let mut told: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for problem in problems {
        let Some(place) = &problem.place else {
            continue;
        };
        let of_text = told.entry(place.file().clone()).or_default();
        if !of_text.is_empty() {
            of_text.push_str("; ");
        }
        of_text.push_str(&told_of(problem));
    }
    told
}

/// A problem in a line, with the line that it is about: nobody has seen our line numbers.
fn told_of(problem: &Diagnostic) -> String {
    let mut text = String::new();
    if let Some(place) = &problem.place {
        let line = place.position().line;
        let line = place.source.text().lines().nth(line.saturating_sub(1));
        let line = line.map(str::trim).filter(|line| !line.is_empty());
        if let Some(line) = line {
            let short: String = line.chars().take(200).collect();
            text = format!("in `{short}`: ");
        }
    }
    text.push_str(&problem.message);
    if let Some(help) = &problem.help {
        let _ = write!(text, " ({help})");
    }
    text
}

/// All that a report is made of.
pub struct Reports {
    pub documents: Arc<Documents>,
    pub taken: watch::Receiver<Taken>,
    pub questions: mpsc::Sender<Question>,
    pub ledger: SharedLedger,
    /// The bridge's own namespace.
    pub own: Arc<str>,
}

impl Reports {
    /// Runs until nobody reads documents any more.
    pub async fn run(mut self) {
        let mut trouble = None;
        loop {
            let taken = self.taken.borrow_and_update().clone();
            if let Some(status) = self.ask().await {
                let outcome = self.write(&taken, &status).await;
                if let Err(error) = &outcome
                    && trouble.as_ref() != Some(error)
                {
                    tracing::warn!("what became of documents cannot be written to them: {error}");
                }
                trouble = outcome.err();
            }
            tokio::select! {
                changed = self.taken.changed() => if changed.is_err() {
                    return;
                },
                () = sleep(EVERY) => {}
            }
        }
    }

    async fn ask(&self) -> Option<Status> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.questions.send(Question::Status(reply)).await.ok()?;
            answer.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }

    async fn write(&self, taken: &Taken, status: &Status) -> Result<(), String> {
        let heard = self.heard();
        let now = Timestamp::now();
        let held = self.documents.held();
        let latest: BTreeMap<&str, &Document> = held
            .documents
            .iter()
            .map(|document| (&**document.source.name(), &**document))
            .collect();
        let mut failed = Ok(());
        for document in &taken.documents {
            let name = document.source.name();
            let Some(latest) = latest.get(&**name) else {
                continue;
            };
            let report = Report {
                document,
                wrong: taken.wrong.get(name).map(String::as_str),
                advice: taken.advice.get(name).map_or("", String::as_str),
                status,
                heard: &heard,
                own: &self.own,
            };
            let told = report.status(&latest.status, now);
            if !stands(&latest.status, &told)
                && let Err(error) = self.documents.report(document, &told).await
            {
                failed = Err(error.to_string());
            }
        }
        failed
    }

    fn heard(&self) -> Heard {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let mut heard = Heard::default();
        for entry in ledger.entries(&Filter::default()) {
            let about = &entry.decision.about;
            let at = entry.decision.at;
            match &entry.decision.reason {
                Reason::Sent => {
                    if let Some(rule) = &about.rule {
                        heard.rules.insert(rule.clone(), at);
                    }
                    if let Some(receiver) = &about.receiver {
                        heard.receivers.insert(receiver.clone(), at);
                        heard.refused.remove(receiver);
                    }
                }
                Reason::Retrying(why) | Reason::Refused(why) | Reason::GaveUp(why) => {
                    if let Some(receiver) = &about.receiver {
                        heard.refused.insert(receiver.clone(), why.clone());
                    }
                }
                _ => {}
            }
        }
        heard
    }
}

/// What receivers took last, and what they did not take since.
#[derive(Default)]
struct Heard {
    rules: BTreeMap<RuleName, Timestamp>,
    receivers: BTreeMap<ReceiverName, Timestamp>,
    refused: BTreeMap<ReceiverName, String>,
}

/// One document's.
struct Report<'a> {
    document: &'a Document,
    wrong: Option<&'a str>,
    advice: &'a str,
    status: &'a Status,
    heard: &'a Heard,
    /// The bridge's own namespace, whose documents have names without it.
    own: &'a str,
}

impl Report<'_> {
    /// The whole status; null where something that stood there is over.
    fn status(&self, before: &Value, now: Timestamp) -> Value {
        let mut status = match self.document.kind {
            "Rule" => self.of_rule(),
            "Receiver" => self.of_receiver(),
            _ => json!({}),
        };
        status["observedGeneration"] = self.document.generation.into();
        status["conditions"] = json!([self.ready(before, now)]);
        status
    }

    fn ready(&self, before: &Value, now: Timestamp) -> Value {
        let (ready, reason, message) = match self.wrong {
            None => ("True", "Accepted", self.advice.to_owned()),
            Some(wrong) => ("False", "Invalid", format!("{wrong}. {}", self.meanwhile())),
        };
        let mut conditions = before["conditions"].as_array().into_iter().flatten();
        let same = conditions.find(|it| it["type"] == "Ready" && it["status"] == ready);
        let since = same.and_then(|it| it["lastTransitionTime"].as_str());
        // As metav1.Time has it: whole seconds.
        let since = since.map_or_else(
            || now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            str::to_owned,
        );
        let message: String = message.chars().take(32_768).collect();
        json!({
            "type": "Ready",
            "status": ready,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
            "observedGeneration": self.document.generation,
        })
    }

    fn meanwhile(&self) -> &'static str {
        let mut rules = self.status.verdicts.iter();
        let runs = rules.any(|(rule, _)| self.is_called(rule.as_str()));
        match self.document.kind {
            "Rule" if runs => "Its last good version runs.",
            "Rule" => "It does not run; alerts that it had stay as they are.",
            _ => "Its last good version stays in force, if there was one.",
        }
    }

    /// By either name: with the namespace, or, for the bridge's own, without.
    fn is_called(&self, name: &str) -> bool {
        match name.split_once('/') {
            Some((namespace, name)) => {
                namespace == self.document.namespace && name == self.document.name
            }
            None => self.own == self.document.namespace && name == self.document.name,
        }
    }

    fn of_rule(&self) -> Value {
        let name = self.status.verdicts.iter();
        let name = name
            .map(|(rule, _)| rule)
            .find(|rule| self.is_called(rule.as_str()));
        let Some(name) = name else {
            return json!({});
        };
        let count = |state| {
            self.status
                .alerts
                .get(&(name.clone(), state))
                .copied()
                .unwrap_or(0)
        };
        let unknown = self.status.unknown.get(name);
        let sent = self.heard.rules.get(name);
        json!({
            "objects": self.status.objects.get(name).copied().unwrap_or(0),
            "pending": count("pending"),
            "firing": count("firing"),
            "unknown": unknown.map_or(0, |(count, _)| *count),
            "lastError": unknown.map(|(_, why)| why),
            "lastNotification": sent.map(ToString::to_string),
        })
    }

    fn of_receiver(&self) -> Value {
        let mut receivers = self.status.outbox.iter();
        let Some((name, waiting)) = receivers.find(|(name, _)| self.is_called(name.as_str()))
        else {
            return json!({});
        };
        let sent = self.heard.receivers.get(name);
        json!({
            "waiting": waiting,
            "lastError": self.heard.refused.get(name),
            "lastNotification": sent.map(ToString::to_string),
        })
    }
}

/// Whether all that is to be said stands there already.
fn stands(before: &Value, told: &Value) -> bool {
    told.as_object().is_some_and(|told| {
        let mut parts = told.iter();
        parts.all(|(name, value)| before[name.as_str()] == *value)
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::diagnostic::{Place, Source};

    fn document(kind: &'static str) -> Document {
        Document {
            kind,
            namespace: "prod".into(),
            name: "failed".into(),
            generation: 3,
            source: Source::new("Rule prod/failed", "spec:\n  when: objekt.x\n"),
            status: Value::Null,
        }
    }

    fn status() -> Status {
        let name = RuleName::from("prod/failed");
        Status {
            verdicts: vec![(name.clone(), [1, 2, 3])],
            alerts: [((name.clone(), "firing"), 2)].into(),
            objects: [(name.clone(), 40)].into(),
            unknown: [(name, (3, "a wrong type".to_owned()))].into(),
            ..Status::default()
        }
    }

    fn told(wrong: Option<&str>, before: &Value) -> Value {
        let (document, status, heard) = (document("Rule"), status(), Heard::default());
        let report = Report {
            document: &document,
            wrong,
            advice: "",
            status: &status,
            heard: &heard,
            own: "bellwether",
        };
        report.status(before, "2026-01-01T00:00:00.5Z".parse().unwrap())
    }

    #[test]
    fn a_rule_says_whether_it_runs_and_what_it_found() {
        assert_snapshot!(told(None, &Value::Null), @r#"{"objects":40,"pending":0,"firing":2,"unknown":3,"lastError":"a wrong type","lastNotification":null,"observedGeneration":3,"conditions":[{"type":"Ready","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-01-01T00:00:00Z","observedGeneration":3}]}"#);
    }

    #[test]
    fn a_wrong_one_says_what_is_wrong_in_words_of_its_own_text() {
        let document = document("Rule");
        let mut problems = Diagnostics::default();
        let place = Place {
            source: document.source.clone(),
            start: 14,
            end: 20,
        };
        problems.push(
            Diagnostic::error("there is no `objekt`")
                .at(place)
                .help("did you mean `object`?"),
        );
        let held = Held {
            documents: vec![Arc::new(document)],
            trouble: Vec::new(),
        };
        let taken = Taken::of(held, &problems, &Diagnostics::default());
        let told = told(Some(&taken.wrong["Rule prod/failed"]), &Value::Null);
        assert_snapshot!(told["conditions"][0]["message"], @r#""in `when: objekt.x`: there is no `objekt` (did you mean `object`?). Its last good version runs.""#);
    }

    #[test]
    fn what_stands_there_is_not_written_again_and_its_moment_stays() {
        let first = told(None, &Value::Null);
        assert!(!stands(&Value::Null, &first));
        let mut before = first.clone();
        before["conditions"][0]["lastTransitionTime"] = "2025-01-01T00:00:00Z".into();
        before.as_object_mut().unwrap().remove("lastNotification");
        let again = told(None, &before);
        assert!(stands(&before, &again), "{before} {again}");
        let other = told(Some("wrong"), &before);
        assert_eq!(
            other["conditions"][0]["lastTransitionTime"],
            "2026-01-01T00:00:00Z"
        );
    }
}
