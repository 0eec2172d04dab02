//! [`LastGood`]: the documents that run, and what a new reading of the files makes of them.
//!
//! In: readings of the files, one after the other. Out: for each the configuration that follows,
//! with all that is wrong in it. A document that is wrong leaves its last good version in force;
//! everything else of the same reading counts. A document is removed only where its file or
//! directory is still there, can be read and has others: whatever is missing for another reason
//! stays as it was last read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::reading::{Document, Identity, Reading, only};
use super::templates::Texts;
use super::{Files, Loaded, assemble};
use crate::diagnostic::{Diagnostic, Diagnostics, Level, Source};
use crate::names::RuleName;

/// The documents and templates that run.
#[derive(Clone, Debug)]
pub struct LastGood {
    files: Files,
    documents: BTreeMap<Identity, Document>,
    templates: Texts,
}

/// What follows from a reading.
#[derive(Debug)]
pub struct Reloaded {
    pub loaded: Loaded,
    /// What is wrong with the files; the documents that it is about stay as they were.
    pub problems: Diagnostics,
}

impl LastGood {
    /// Begins with files that have nothing wrong. What is wrong with a cluster's documents keeps
    /// nothing from beginning: those do not run.
    ///
    /// # Errors
    /// Every problem of every file: there is no last good version yet.
    pub fn load(files: Files) -> Result<(Self, Reloaded, Reading), Diagnostics> {
        let mut problems = Diagnostics::default();
        let reading = Reading::of(&files, &mut problems);
        let loaded = match assemble(&files, &reading.sources(), &reading.templates, &problems) {
            Ok(loaded) => loaded,
            Err(found) if files.held.is_some() && reading.is_of_cluster(&found) => {
                let mut last_good = Self {
                    files,
                    documents: BTreeMap::new(),
                    templates: Texts::new(),
                };
                let reloaded = last_good.take(&reading)?;
                return Ok((last_good, reloaded, reading));
            }
            Err(found) => return Err(found),
        };
        let documents = reading
            .documents(files.own_namespace.as_deref())
            .into_iter();
        let documents = documents
            .filter_map(|document| Some((document.identity.clone()?, document)))
            .collect();
        let last_good = Self {
            documents,
            templates: reading.templates.clone(),
            files,
        };
        let problems = Diagnostics::default();
        Ok((last_good, Reloaded { loaded, problems }, reading))
    }

    /// The files to read.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// From now on rules go by these schemas; what those say against them is advice.
    pub fn go_by(&mut self, served: Vec<(String, serde_json::Value)>) {
        self.files.served = served;
        self.files.advisory = true;
    }

    /// Takes what a new reading has, as far as it is right.
    ///
    /// # Errors
    /// No part of it can be used: everything stays as it is.
    pub fn take(&mut self, reading: &Reading) -> Result<Reloaded, Diagnostics> {
        let mut choice = Choice::new(self, reading);
        let mut problems = choice.unreadable();
        loop {
            let templates = choice.templates();
            let chosen = choice.sources();
            let sources: Vec<_> = chosen.iter().map(|(shown, _)| shown.clone()).collect();
            match assemble(&self.files, &sources, &templates, &Diagnostics::default()) {
                Ok(mut loaded) => {
                    loaded.frozen = choice.frozen();
                    self.documents = choice.documents();
                    self.templates = templates;
                    let problems = problems.sorted();
                    return Ok(Reloaded { loaded, problems });
                }
                Err(found) => {
                    let further = choice.refuse(&found, &chosen);
                    problems.append(found);
                    if !further {
                        return Err(problems.sorted());
                    }
                }
            }
        }
    }
}

/// Which version of each document is to run.
struct Choice<'a> {
    last: &'a LastGood,
    reading: &'a Reading,
    found: Vec<Document>,
    /// Which of them are wrong, and why.
    refused: BTreeMap<usize, String>,
    refused_templates: BTreeSet<String>,
    /// Something that is in force needs what was removed: that stays too.
    removes_nothing: bool,
}

impl<'a> Choice<'a> {
    fn new(last: &'a LastGood, reading: &'a Reading) -> Self {
        Self {
            last,
            reading,
            found: reading.documents(last.files.own_namespace.as_deref()),
            refused: BTreeMap::new(),
            refused_templates: BTreeSet::new(),
            removes_nothing: false,
        }
    }

    /// What could not even be read.
    fn unreadable(&self) -> Diagnostics {
        let mut problems = self.reading.templates_trouble.clone();
        for root in &self.reading.roots {
            problems.append(root.trouble.clone());
            for source in &root.sources {
                if source.text().trim().is_empty() {
                    problems.push(Diagnostic::error(format!("{} is empty", source.name())));
                }
            }
            if root.sources.is_empty() && root.trouble.is_empty() && !root.is_cluster {
                let message = format!("{} has no `.yaml` or `.yml` file", root.path.display());
                problems.push(Diagnostic::error(message));
            }
        }
        problems
    }

    /// The sources of all that is to run, each with the whole one that it is a part of.
    fn sources(&self) -> Vec<(Arc<Source>, Arc<Source>)> {
        let mut chosen: Vec<(Arc<Source>, Vec<Range<usize>>)> = Vec::new();
        let taken = self.found.iter().enumerate();
        let taken = taken.filter(|(number, _)| !self.refused.contains_key(number));
        let kept = self.kept().into_iter().map(|(document, _)| document);
        for document in taken.map(|(_, document)| document).chain(kept) {
            let same = |(source, _): &&mut (Arc<Source>, _)| Arc::ptr_eq(source, &document.source);
            match chosen.iter_mut().find(same) {
                Some((_, ranges)) => ranges.push(document.range.clone()),
                None => chosen.push((document.source.clone(), vec![document.range.clone()])),
            }
        }
        let chosen = chosen.into_iter();
        chosen
            .map(|(source, ranges)| (only(&source, &ranges), source))
            .collect()
    }

    fn templates(&self) -> Texts {
        let keeps = self.removes_nothing || self.reading.templates_trouble.has_errors();
        let mut templates = if keeps {
            self.last.templates.clone()
        } else {
            Texts::new()
        };
        for (name, source) in &self.reading.templates {
            if !self.refused_templates.contains(name) {
                templates.insert(name.clone(), source.clone());
            } else if let Some(last) = self.last.templates.get(name) {
                templates.insert(name.clone(), last.clone());
            }
        }
        templates
    }

    /// The documents of before that stay in force, and why.
    fn kept(&self) -> Vec<(&'a Document, String)> {
        let last: &'a LastGood = self.last;
        let documents = last.documents.iter();
        documents
            .filter_map(|(identity, document)| Some((document, self.why_kept(identity, document)?)))
            .collect()
    }

    /// Why a document of before stays in force; nothing if there is another one, or none any more.
    fn why_kept(&self, identity: &Identity, document: &Document) -> Option<String> {
        let found = self.found.iter().enumerate();
        let mut versions = found.filter(|(_, found)| found.identity.as_ref() == Some(identity));
        let mut refused = None;
        for (number, _) in versions.by_ref() {
            match self.refused.get(&number) {
                None => return None,
                Some(why) => refused = Some(why.clone()),
            }
        }
        refused.or_else(|| self.why_not_removed(document))
    }

    /// A missing document is not a removed one where it may be missing for another reason.
    fn why_not_removed(&self, document: &Document) -> Option<String> {
        let mut roots = self.reading.roots.iter();
        let root = roots.find(|root| root.path == document.root)?;
        let path = root.path.display();
        if let Some(trouble) = root.trouble.iter().next() {
            return Some(trouble.message.clone());
        }
        if root.is_cluster {
            return self.why_needed(document);
        }
        let name = document.source.name();
        let file = root.sources.iter().find(|source| source.name() == name);
        let in_file = |found: &&Document| found.source.name() == name;
        if file.is_some() && self.found.iter().find(in_file).is_none() {
            return Some(format!("{name} has no documents"));
        }
        let found = self.found.iter().enumerate();
        let mut of_root = found
            .filter(|(_, found)| found.root == document.root)
            .peekable();
        if of_root.peek().is_none() {
            return Some(format!("{path} has no documents"));
        }
        // What cannot be read, or is new and wrong, may be what became of it.
        let unclear = of_root.find(|(number, found)| {
            let here = file.is_none() || found.source.name() == name;
            let known = found.identity.as_ref();
            let known = known.is_some_and(|it| self.last.documents.contains_key(it));
            here && !known && (found.identity.is_none() || self.refused.contains_key(number))
        });
        if let Some((number, found)) = unclear {
            let unread = || format!("a document in {} cannot be read", found.source.name());
            return Some(self.refused.get(&number).cloned().unwrap_or_else(unread));
        }
        self.why_needed(document)
    }

    /// What is in force needs the receiver or route that is gone.
    fn why_needed(&self, document: &Document) -> Option<String> {
        let is_rule = document
            .identity
            .as_ref()
            .is_some_and(|it| it.kind == "Rule");
        (self.removes_nothing && !is_rule).then(|| "it is still needed".to_owned())
    }

    /// Takes out what the problems are about; if that is nothing new, leaves in what was removed.
    /// `false`: there is nothing else to try.
    fn refuse(&mut self, problems: &Diagnostics, sources: &[(Arc<Source>, Arc<Source>)]) -> bool {
        let mut further = false;
        for problem in problems.iter().filter(|it| it.level == Level::Error) {
            let Some(place) = &problem.place else {
                continue;
            };
            let shown = |(shown, _): &&(Arc<Source>, _)| Arc::ptr_eq(shown, &place.source);
            let source = sources.iter().find(shown).map(|(_, whole)| whole);
            if let Some(number) = source.and_then(|source| self.found_at(source, place.start))
                && !self.refused.contains_key(&number)
            {
                let why = format!("{place}: {}", problem.message);
                self.refused.insert(number, why);
                further = true;
            }
            let mut templates = self.reading.templates.iter();
            let template = templates.find(|(_, source)| Arc::ptr_eq(source, &place.source));
            if let Some((name, _)) = template {
                further |= self.refused_templates.insert(name.clone());
            }
        }
        further || !std::mem::replace(&mut self.removes_nothing, true)
    }

    /// The document that begins at or before that place.
    fn found_at(&self, source: &Arc<Source>, at: usize) -> Option<usize> {
        let found = self.found.iter().enumerate();
        found
            .filter(|(_, found)| Arc::ptr_eq(&found.source, source) && found.range.start <= at)
            .max_by_key(|(_, found)| found.range.start)
            .map(|(number, _)| number)
    }

    /// What runs, by name.
    fn documents(&self) -> BTreeMap<Identity, Document> {
        let taken = self.found.iter().enumerate();
        let taken = taken.filter(|(number, _)| !self.refused.contains_key(number));
        let kept = self.kept().into_iter().map(|(document, _)| document);
        taken
            .map(|(_, document)| document)
            .chain(kept)
            .filter_map(|document| Some((document.identity.clone()?, document.clone())))
            .collect()
    }

    /// The rules among what stays, and why.
    fn frozen(&self) -> BTreeMap<RuleName, Arc<str>> {
        let kept = self.kept().into_iter();
        // A cluster's rule may have had alerts before a restart, although no version of it runs.
        let refused = self.refused.iter();
        let refused = refused.map(|(number, why)| (&self.found[*number], why.clone()));
        let refused = refused.filter(|(document, _)| document.is_held);
        kept.chain(refused)
            .filter_map(|(document, why)| {
                let identity = document.identity.as_ref()?;
                (identity.kind == "Rule").then(|| (identity.name.as_str().into(), why.into()))
            })
            .collect()
    }
}
