//! Watching: one request that lasts minutes, and every change that comes on it.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell: a watch that falls silent is noticed by the clock"
)]

use std::sync::Arc;
use std::time::Duration;

use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::Request;

use super::{Stop, Stream, now};
use crate::cel::PathSet;
use crate::watch::decode::{Decoder, Item, Line};
use crate::watch::error::{WatchError, causes};
use crate::watch::lines::{Lines, LinesError};
use crate::watch::metadata;
use crate::watch::request::unsendable;
use crate::watch::resource::Resource;
use crate::watch::{Change, Observation, Signal};

/// A connection that lived this long was a good one, even if nothing happened on it.
const STEADY: Duration = Duration::from_secs(5);

impl Stream {
    /// Watches from a version that was handed over, until the server ends the request.
    pub(super) async fn watch_from(
        &mut self,
        resource: &Resource,
        version: &Arc<str>,
    ) -> Result<(), Stop> {
        let params = self.watch_params();
        let mut lines = self.open_watch(resource, &params, version).await?;
        self.recovered().await?;
        self.changes(resource, &mut lines).await
    }

    pub(super) fn watch_params(&self) -> WatchParams {
        let lasts = if self.source.is_events() {
            self.settings.watch_events
        } else {
            self.settings.watch
        };
        // Streams that were opened together should not all end together.
        let seconds = lasts.as_secs_f64() * (0.9 + fastrand::f64() / 5.0);
        WatchParams {
            label_selector: self.source.label_selector.as_deref().map(str::to_owned),
            field_selector: self.source.field_selector.as_deref().map(str::to_owned),
            timeout: Some(whole_seconds(seconds)),
            bookmarks: true,
            send_initial_events: false,
        }
    }

    pub(super) async fn open_watch(
        &mut self,
        resource: &Resource,
        params: &WatchParams,
        version: &str,
    ) -> Result<Lines<Body>, WatchError> {
        let mut request = Request::new(&resource.path)
            .watch(params, version)
            .map_err(|error| unsendable(&error))?;
        if self.only_metadata {
            metadata::of_objects(&mut request);
        }
        let body = self
            .cluster
            .open_lines(request, self.settings.answer)
            .await?;
        self.stats.connections.increment();
        Ok(Lines::new(body, self.settings.line_limit))
    }

    /// Hands over what comes, until the server ends the request.
    pub(super) async fn changes(
        &mut self,
        resource: &Resource,
        lines: &mut Lines<Body>,
    ) -> Result<(), Stop> {
        let opened = now();
        loop {
            match self.next_line(lines).await {
                Ok(Some(Line::Item(item))) => {
                    let item = self.deleted_or_left(resource, item).await?;
                    self.backoff.reset();
                    let version = item.resource_version.clone();
                    self.hand_over(item).await?;
                    self.position.set(Some(version));
                }
                Ok(Some(Line::Bookmark {
                    resource_version, ..
                })) => {
                    self.stats.bookmarks.increment();
                    self.position.set(Some(resource_version));
                }
                Ok(Some(Line::Error(status))) => {
                    return Err(WatchError::of_status(status, None).into());
                }
                Ok(None) if opened.elapsed() >= STEADY => return Ok(()),
                // A server that accepts and ends at once is not to be asked without a pause.
                Ok(None) => return Ok(self.pause_after_failure(Duration::ZERO).await?),
                // Perhaps the connection is dead, perhaps this server has no bookmarks: only a new
                // request can tell, and nothing is lost by it.
                Err(error @ WatchError::Silent { .. }) => {
                    tracing::debug!(source = %self.key, why = %error, "asking again");
                    self.stats.failures.increment();
                    return Ok(());
                }
                Err(error @ WatchError::Unreadable { .. }) => self.skip_unreadable(error)?,
                Err(error) => return Err(error.into()),
            }
            if opened.elapsed() >= STEADY {
                self.backoff.reset();
            }
        }
    }

    /// The next line; `None`: the server ended the request.
    pub(super) async fn next_line(
        &mut self,
        lines: &mut Lines<Body>,
    ) -> Result<Option<Line>, WatchError> {
        let silence = self.settings.silence;
        let text = match tokio::time::timeout(silence, lines.next()).await {
            Ok(Ok(Some(text))) => text,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(LinesError::Body(error))) => {
                let reason = causes(&error);
                return Err(WatchError::Cut { reason });
            }
            Ok(Err(error @ LinesError::TooLong { .. })) => {
                let problem = error.to_string();
                return Err(WatchError::Unreadable { problem });
            }
            Err(_) => {
                let seconds = silence.as_secs();
                return Err(WatchError::Silent { seconds });
            }
        };
        Ok(Some(self.decoder.line(&text)?))
    }

    /// The server says DELETED of what is deleted, and in the very same words of what only stopped
    /// matching the selectors. An object that is still there, by its UID, did the latter.
    async fn deleted_or_left(&self, resource: &Resource, item: Item) -> Result<Item, WatchError> {
        let selects = self.source.label_selector.is_some() || self.source.field_selector.is_some();
        let Signal::Deleted(observation) = item.signal else {
            return Ok(item);
        };
        let deleting = observation.object.at(&["metadata", "deletionTimestamp"]);
        let deleting = deleting.is_some_and(|at| !at.is_null());
        let change = if selects && !deleting && self.is_there(resource, &observation).await? {
            Change::Left
        } else {
            Change::Deleted
        };
        let signal = Signal::Deleted(Observation {
            change,
            ..observation
        });
        Ok(Item { signal, ..item })
    }

    /// Asks for the object by its name: a list, for which the rights that a stream has are enough.
    async fn is_there(
        &self,
        resource: &Resource,
        observation: &Observation,
    ) -> Result<bool, WatchError> {
        let object = &observation.header.object;
        let params = ListParams::default().fields(&format!("metadata.name={}", object.name));
        let mut request = Request::new(&resource.path)
            .list(&params)
            .map_err(|error| unsendable(&error))?;
        metadata::of_lists(&mut request);
        let limit = self.settings.page_bytes;
        let answer = self
            .cluster
            .read(request, self.settings.answer, limit)
            .await?;
        let page = Decoder::of_objects(
            &PathSet::none(),
            self.source.api_version.clone(),
            self.source.kind.clone(),
        )
        .page(&answer)?;
        let mut there = page.items.iter().filter_map(|item| match &item.signal {
            Signal::Applied(one) => Some(one.header.uid),
            _ => None,
        });
        Ok(there.any(|uid| uid == observation.header.uid))
    }

    pub(super) async fn hand_over(&self, item: Item) -> Result<(), Stop> {
        self.stats.received.increment();
        Ok(self.say(item.signal).await?)
    }

    /// Something unreadable may be the connection's fault: the server is asked once to send it
    /// again. If it comes again, it is skipped, so that one object cannot hide all others.
    fn skip_unreadable(&mut self, error: WatchError) -> Result<(), WatchError> {
        let position = self.position.get();
        if self.unreadable_after != position {
            self.unreadable_after = position;
            return Err(error);
        }
        self.stats.refused.increment();
        tracing::warn!(source = %self.key, why = %error, "a change is skipped");
        Ok(())
    }
}

/// As the API takes a time: at least one second.
fn whole_seconds(seconds: f64) -> u32 {
    let whole = Duration::from_secs_f64(seconds).as_secs().max(1);
    u32::try_from(whole).unwrap_or(u32::MAX)
}
